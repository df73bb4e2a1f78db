"""The models that a run can name: the Vision Transformer, its variants, two CNNs."""

from collections.abc import Callable

from torch import Tensor, nn

from vit_tutorial.config import ViTConfig
from vit_tutorial.embedding import ResidualNetwork
from vit_tutorial.model import VisionTransformer
from vit_tutorial.variants import (
    ConvolutionalStart,
    LayerScale,
    MimeticStart,
    NoNorm,
    NoPositions,
    NoResidual,
    PostNorm,
    QKNorm,
    RegistersAndLayerScale,
    RMSNorm,
    Rotary,
    RotaryBesideAdded,
    Since2020,
    StochasticDepth,
    StochasticDepthAndLayerScale,
    UniformStart,
    WithRegisters,
)


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

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config  # the training loop asks it for the size of an image
        widths = (config.channels, 32, 64, 128, 256)
        self.layers = ResidualNetwork(widths, strides=(2, 2, 2, 2), blocks=(0, 2, 2, 1))
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
    "no-positions": NoPositions,
    "no-residual": NoResidual,
    "no-norm": NoNorm,
    "post-norm": PostNorm,
    "uniform-start": UniformStart,
    "mimetic-start": MimeticStart,
    "convolutional-start": ConvolutionalStart,
    "registers": WithRegisters,
    "registers-and-layer-scale": RegistersAndLayerScale,
    "rms-norm": RMSNorm,
    "qk-norm": QKNorm,
    "rope": Rotary,
    "rope-beside-added": RotaryBesideAdded,
    "since-2020": Since2020,
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
