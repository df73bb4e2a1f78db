"""What else can be trained in place of the plain Vision Transformer: its variants as
subclasses, and two CNNs.
"""

from collections.abc import Callable

import torch
from generalising import CNN
from torch import Tensor, nn
from torchvision import models, ops

from vit_tutorial.config import ViTConfig
from vit_tutorial.model import VisionTransformer


def end_branches(model: VisionTransformer, make: Callable[[int], nn.Module]) -> None:
    """Let both branches of block `index` end in a module of their own, `make(index)`,
    before they are added to x.
    """
    for index, block in enumerate(model.blocks):
        block.attention.out = nn.Sequential(block.attention.out, make(index))
        block.mlp.append(make(index))


class StochasticDepth(VisionTransformer):
    """In training a branch leaves out some images, at random, and is scaled up for the
    others.

    The rate grows linearly with the depth, up to `rate` in the last block (Huang et al.
    2016, section 3); both branches of a block draw for themselves, at the rate of DeiT
    (Touvron et al. 2021).
    """

    rate = 0.1

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        end_branches(
            self,
            lambda index: ops.StochasticDepth(
                self.rate * (index + 1) / config.depth, mode="row"
            ),
        )


class Diagonal(nn.Module):
    """A learnt factor for each of the D values of a token: (B, T, D) -> (B, T, D)."""

    def __init__(self, dim: int, start: float) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.full((dim,), start))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors


class LayerScale(VisionTransformer):
    """Each branch is scaled by learnt factors that start small (Touvron et al. 2021,
    "Going deeper with image transformers"): at 0.1, the paper's value for up to 18
    blocks.
    """

    start = 0.1

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        end_branches(self, lambda index: Diagonal(config.dim, self.start))


class Both(LayerScale, StochasticDepth):
    """LayerScale and stochastic depth."""


def resnet18(config: ViTConfig) -> models.ResNet:
    """torchvision's ResNet-18 for images of 96 pixels: its stem is a 3 x 3 convolution
    of stride 2, with no pooling.

    So its four stages see 48, 24, 12 and 6 positions a side, close to the 56, 28, 14
    and 7 for which it was designed at 224 pixels (He et al. 2016, table 1); with the
    stem of 224 pixels the last stage would be left with 3.
    """
    model = models.resnet18(num_classes=config.classes)
    model.conv1 = nn.Conv2d(
        config.channels, 64, kernel_size=3, stride=2, padding=1, bias=False
    )
    model.maxpool = nn.Identity()
    # as torchvision starts it
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.config = config  # the training loop asks it for the size of an image
    return model


BUILDERS: dict[str, Callable[[ViTConfig], nn.Module]] = {
    "vit": VisionTransformer,
    "stochastic-depth": StochasticDepth,
    "layer-scale": LayerScale,
    "stochastic-depth-and-layer-scale": Both,
    "cnn": CNN,
    "resnet18": resnet18,
}
# without blocks whose matrices Muon could take: they are trained with AdamW
CNNS = ("cnn", "resnet18")
