"""The whole Vision Transformer."""

from torch import Tensor, nn

from vit_tutorial.block import EncoderBlock
from vit_tutorial.config import ViTConfig
from vit_tutorial.embedding import (
    ConvolutionalPatchEmbedder,
    ConvolutionalStem,
    HybridStem,
    ManualPatchEmbedder,
)


class MLPHead(nn.Sequential):
    """From one vector an image to a logit a class: (B, D) -> (B, classes).

    Dosovitskiy et al. 2021, equation 4.
    """

    def __init__(self, dim: int, classes: int, norm_eps: float = 1e-6) -> None:
        super().__init__(nn.LayerNorm(dim, eps=norm_eps), nn.Linear(dim, classes))


class VisionTransformer(nn.Module):
    """Images to logits: (B, C, Y, X) normalised floats -> (B, classes).

    With `return_attention` also the weights of all blocks, a list of `depth` tensors
    (B, H, T, T). Dosovitskiy et al. 2021, figure 1. Raises ValueError for images that
    do not fit the config.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        c = self.config = config
        embedders = {
            "manual": ManualPatchEmbedder,
            "convolutional": ConvolutionalPatchEmbedder,
            "stem": ConvolutionalStem,
            "hybrid": HybridStem,
        }
        self.embedder = embedders[c.embedder](
            c.image_size,
            c.patch_size,
            c.channels,
            c.dim,
            class_token=c.pool == "cls",
            positions=c.positions,
            dropout=c.dropout,
        )
        self.blocks = nn.ModuleList(self.make_block(n) for n in range(c.depth))
        self.head = MLPHead(c.dim, c.classes, c.norm_eps)
        self.apply(initialise)
        # small: with larger weights a patch would drown out its position
        nn.init.normal_(self.embedder.projection.weight, std=0.01)
        # nearly equal logits: the first loss is about ln(classes)
        nn.init.normal_(self.head.get_parameter("1.weight"), std=0.01)

    def make_block(self, index: int) -> nn.Module:
        """Block `index`, from 0; a variant of the model makes another one."""
        c = self.config
        return EncoderBlock(c.dim, c.heads, c.mlp_ratio, c.dropout, c.norm_eps)

    def forward(
        self, images: Tensor, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        encoded = self.encode(self.embed(images), return_attention)
        if isinstance(encoded, tuple):
            features, attention = encoded
            return self.classify(features), attention
        return self.classify(encoded)

    def embed(self, images: Tensor) -> Tensor:
        """Images to tokens, each with its position: (B, C, Y, X) -> (B, T, D)."""
        return self.embedder(images)

    def encode(
        self, tokens: Tensor, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        """Tokens, all of them or some, to features: (B, T, D) -> (B, T, D)."""
        x = tokens
        attention = []
        for block in self.blocks:
            x = block(x, return_attention)
            if return_attention:
                x, weights = x
                attention.append(weights)
        return (x, attention) if return_attention else x

    def classify(self, features: Tensor) -> Tensor:
        """The class token's features, or the mean of all, to logits (B, classes)."""
        cls = self.config.pool == "cls"
        return self.head(features[:, 0] if cls else features.mean(dim=1))


def initialise(module: nn.Module) -> None:
    """Glorot's uniform weights for linear layers, zero biases for every linear map.

    The rule of the paper's code, which draws q, k and v apart and starts the model's
    two ends differently.
    """
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
    if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
        nn.init.zeros_(module.bias)


def count_parameters(module: nn.Module) -> int:
    """The number of values that training may change."""
    return sum(
        parameter.numel()
        for parameter in module.parameters()
        if parameter.requires_grad
    )
