"""The models that a run can name: the Vision Transformer, its variants, two CNNs."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vit_tutorial.config import ViTConfig
from vit_tutorial.embedding import ResidualNetwork
from vit_tutorial.model import VisionTransformer


class DropPath(nn.Module):
    """In training leave out a branch for some images, and scale it up for the others.

    Each image loses it with probability `rate` (Huang et al. 2016).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return branch
        kept = branch.new_empty(len(branch), *[1] * (branch.ndim - 1))
        return branch * kept.bernoulli_(1 - self.rate) / (1 - self.rate)


class Diagonal(nn.Module):
    """A learnt factor for each of the D values of a token: (B, T, D) -> (B, T, D)."""

    def __init__(self, dim: int, start: float) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.full((dim,), start))

    def forward(self, branch: Tensor) -> Tensor:
        return branch * self.factors


class BranchedBlock(nn.Module):
    """An encoder block whose branches pass through modules of their own before they are
    added to x.
    """

    def __init__(self, block: Any, ends: Sequence[nn.Module]) -> None:
        super().__init__()
        self.norm1 = block.norm1
        self.attention = block.attention
        self.norm2 = block.norm2
        self.mlp = block.mlp
        self.end1, self.end2 = ends

    def forward(
        self, x: Tensor, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        mixed = self.attention(self.norm1(x), return_attention)
        if return_attention:
            mixed, weights = mixed
        x = x + self.end1(mixed)
        x = x + self.end2(self.mlp(self.norm2(x)))
        return (x, weights) if return_attention else x


class StochasticDepth(VisionTransformer):
    """Branches that leave out some images in training, more of them in later blocks.

    The rate grows linearly with the depth, up to `rate` in the last block (Huang et al.
    2016, section 3); both branches of a block draw for themselves, at the rate of DeiT
    (Touvron et al. 2021).
    """

    rate = 0.1

    def make_block(self, index: int) -> nn.Module:
        rate = self.rate * (index + 1) / self.config.depth
        return BranchedBlock(
            super().make_block(index), [DropPath(rate) for _ in range(2)]
        )


class LayerScale(VisionTransformer):
    """Each branch is scaled by learnt factors that start small (Touvron et al. 2021,
    "Going deeper with image transformers"): at 0.1, the paper's value for up to 18
    blocks.
    """

    start = 0.1

    def make_block(self, index: int) -> nn.Module:
        ends = [Diagonal(self.config.dim, self.start) for _ in range(2)]
        return BranchedBlock(super().make_block(index), ends)


class StochasticDepthAndLayerScale(StochasticDepth):
    """Both: a branch is scaled, then left out for some images."""

    start = 0.1

    def make_block(self, index: int) -> nn.Module:
        block = super().make_block(index)
        for name in ("end1", "end2"):
            scale = Diagonal(self.config.dim, self.start)
            setattr(block, name, nn.Sequential(scale, getattr(block, name)))
        return block


class CNN(nn.Module):
    """Four convolutions, each halving rows and columns, then the mean over places:
    (B, C, Y, X) -> (B, classes).
    """

    def __init__(
        self, config: ViTConfig, widths: tuple[int, ...] = (16, 32, 64, 96)
    ) -> None:
        super().__init__()
        self.config = config  # the training loop asks it for the size of an image
        layers = []
        before = config.channels
        for width in widths:
            convolution = nn.Conv2d(
                before, width, kernel_size=3, stride=2, padding=1, bias=False
            )
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(before, config.classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.layers(images).mean(dim=(2, 3)))


class SmallResNet(nn.Module):
    """A ResNet of about as many multiply-adds as the hybrid: five residual blocks at a
    quarter, an eighth and a sixteenth of the picture's sides: (B, C, Y, X) -> (B,
    classes).
    """

    def __init__(
        self, config: ViTConfig, widths: tuple[int, ...] = (32, 64, 128, 256)
    ) -> None:
        super().__init__()
        self.config = config  # the training loop asks it for the size of an image
        self.layers = ResidualNetwork(
            (config.channels, *widths), strides=(2, 2, 2, 2), blocks=(0, 2, 2, 1)
        )
        self.head = nn.Linear(widths[-1], config.classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.layers(images).mean(dim=(2, 3)))


def resnet18(config: ViTConfig) -> nn.Module:
    """torchvision's ResNet-18 for images of 96 pixels: its stem is a 3 x 3 convolution
    of stride 2, with no pooling.

    So its four stages see 48, 24, 12 and 6 positions a side, close to the 56, 28, 14
    and 7 for which it was designed at 224 pixels (He et al. 2016, table 1); with the
    stem of 224 pixels the last stage would be left with 3.
    """
    from torchvision import models  # which nothing else of the package needs

    model = models.resnet18(num_classes=config.classes)
    model.conv1 = nn.Conv2d(
        config.channels, 64, kernel_size=3, stride=2, padding=1, bias=False
    )
    model.maxpool = nn.Identity()
    # as torchvision starts it
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    model.config = config  # the training loop asks it for the size of an image
    return model


MODELS: dict[str, Callable[[ViTConfig], nn.Module]] = {
    "vit": VisionTransformer,
    "stochastic-depth": StochasticDepth,
    "layer-scale": LayerScale,
    "stochastic-depth-and-layer-scale": StochasticDepthAndLayerScale,
    "cnn": CNN,
    "resnet-small": SmallResNet,
    "resnet18": resnet18,
}


def build_model(config: ViTConfig) -> nn.Module:
    """The model that a config names. Raises ValueError for a name that is not known."""
    if config.name not in MODELS:
        raise ValueError(f"name is {config.name!r}, expected one of {sorted(MODELS)}")
    return MODELS[config.name](config)


def is_transformer(config: ViTConfig) -> bool:
    """Whether the config names a Vision Transformer, or a variant of it."""
    model = MODELS.get(config.name)
    return isinstance(model, type) and issubclass(model, VisionTransformer)
