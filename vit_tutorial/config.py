"""The sizes of a Vision Transformer, checked before a single weight is made."""

from dataclasses import dataclass
from typing import Literal

from vit_tutorial.settings import coerce_fields, expect_between

MOST = 10**6  # of any size: what is larger is a slip of the finger


def require(fits: bool, message: str) -> None:
    """Raise ValueError with `message` unless it fits."""
    if not fits:
        raise ValueError(message)


@dataclass(frozen=True)
class ViTConfig:
    """Every size and choice that defines a Vision Transformer (Dosovitskiy et al. 2021,
    table 1).

    `image_size` and `patch_size` are in pixels; `image_size` is one side or (rows,
    columns). Raises ValueError, with the numbers that clash, for sizes that cannot be
    built.
    """

    image_size: int | tuple[int, int] = 96
    patch_size: int = 8
    channels: int = 3
    classes: int = 10
    dim: int = 192
    depth: int = 6
    heads: int = 3
    mlp_ratio: float = 4.0
    dropout: float = 0.0
    pool: Literal["cls", "mean"] = "cls"
    positions: Literal["learned", "sincos"] = "learned"
    embedder: Literal["convolutional", "manual", "stem", "hybrid"] = "convolutional"
    norm_eps: float = 1e-6
    name: str = "vit"  # which model of `vit_tutorial/models.py`

    def __post_init__(self) -> None:
        # whole numbers, finite numbers, one of the choices: anything else is refused
        # here
        coerce_fields(self)
        expect_between(
            self, 1, MOST, "patch_size", "channels", "classes", "dim", "depth", "heads"
        )
        expect_between(self, 0, MOST, "mlp_ratio")
        size = self.image_size
        patch = self.patch_size
        dim = self.dim
        fits = all(1 <= side <= MOST for side in self.sides)
        require(
            fits,
            f"image_size is {size}, expected one side or (rows, columns), 1 to {MOST:,}"
            " pixels",
        )
        fits = all(side % patch == 0 for side in self.sides)
        require(fits, f"image_size {size} is not divisible by patch_size {patch}")
        require(
            self.tokens <= 2**16,
            f"image_size {size} in patches of {patch} makes {self.tokens:,} tokens",
        )
        require(
            dim % self.heads == 0, f"dim {dim} is not divisible by heads {self.heads}"
        )
        fits = self.positions != "sincos" or dim % 4 == 0
        require(fits, f"dim {dim} is not divisible by 4, which positions 'sincos' need")
        require(
            dim * self.mlp_ratio >= 1,
            f"mlp_ratio {self.mlp_ratio} leaves no hidden unit at dim {dim}",
        )
        require(
            0 <= self.dropout < 1,
            f"dropout is {self.dropout}, expected 0 <= dropout < 1",
        )
        require(
            0 < self.norm_eps < 1,
            f"norm_eps is {self.norm_eps}, expected a small positive number",
        )

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns of an image, in pixels."""
        return (
            self.image_size
            if isinstance(self.image_size, tuple)
            else (self.image_size, self.image_size)
        )

    @property
    def grid(self) -> tuple[int, int]:
        """Patches down and across."""
        return self.sides[0] // self.patch_size, self.sides[1] // self.patch_size

    @property
    def tokens(self) -> int:
        """T: the N patches, and the class token where there is one."""
        return self.grid[0] * self.grid[1] + (self.pool == "cls")
