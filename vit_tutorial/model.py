"""The whole Vision Transformer."""

from torch import Tensor, nn

from vit_tutorial.block import EncoderBlock
from vit_tutorial.config import ViTConfig
from vit_tutorial.embedding import ConvolutionalPatchEmbedder, ManualPatchEmbedder
from vit_tutorial.stem import ConvolutionalStem


class MLPHead(nn.Sequential):
    """From one vector an image to a logit a class: (B, D) -> (B, classes). Dosovitskiy et al. 2021, equation 4."""

    def __init__(self, dim: int, classes: int, norm_eps: float = 1e-6) -> None:
        super().__init__(nn.LayerNorm(dim, eps=norm_eps), nn.Linear(dim, classes))


class VisionTransformer(nn.Module):
    """Images to logits: (B, C, Y, X) normalised floats -> (B, classes).

    With `return_attention` also the weights of all blocks, a list of `depth` tensors (B, H, T, T).
    Dosovitskiy et al. 2021, figure 1. Raises ValueError for images that do not fit the config.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        c = self.config = config
        embedders = {
            "manual": ManualPatchEmbedder, "convolutional": ConvolutionalPatchEmbedder, "stem": ConvolutionalStem
        }  # fmt: skip
        self.embedder = embedders[c.embedder](
            c.image_size, c.patch_size, c.channels, c.dim,
            class_token=c.pool == "cls", positions=c.positions, dropout=c.dropout,
        )  # fmt: skip
        self.blocks = nn.ModuleList(
            EncoderBlock(c.dim, c.heads, c.mlp_ratio, c.dropout, c.norm_eps) for _ in range(c.depth)
        )
        self.head = MLPHead(c.dim, c.classes, c.norm_eps)
        self.apply(initialise)
        nn.init.normal_(self.embedder.projection.weight, std=0.01)  # louder, and a patch drowns out its place
        nn.init.normal_(self.head[-1].weight, std=0.01)  # nearly equal logits: the first loss is about ln(classes)

    def forward(self, images: Tensor, return_attention: bool = False) -> Tensor | tuple[Tensor, list[Tensor]]:
        return self.encode(self.embedder(images), return_attention)

    def encode(self, x: Tensor, return_attention: bool = False) -> Tensor | tuple[Tensor, list[Tensor]]:
        """The same from the embedder's tokens (B, T, D) on; some patches may be left out."""
        attention = []
        for block in self.blocks:
            x = block(x, return_attention)
            if return_attention:
                x, weights = x
                attention.append(weights)
        logits = self.head(x[:, 0] if self.config.pool == "cls" else x.mean(dim=1))
        return (logits, attention) if return_attention else logits


def initialise(module: nn.Module) -> None:
    """Glorot's uniform weights for linear layers, zero biases for every linear map.

    As in the blocks of the paper's code; both its ends start otherwise.
    """
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.zeros_(module.bias)


def count_parameters(module: nn.Module) -> int:
    """The number of values that training may change."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
