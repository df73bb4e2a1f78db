"""The sizes of a Vision Transformer, checked before a single weight is made."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ViTConfig:
    """Every size and choice that defines a Vision Transformer (Dosovitskiy et al. 2021, table 1).

    `image_size` and `patch_size` are in pixels; `image_size` is one side or (rows, columns).
    Raises ValueError, with the numbers that clash, for sizes that cannot be built.
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
    embedder: Literal["convolutional", "manual"] = "convolutional"
    norm_eps: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("patch_size", "channels", "classes", "dim", "depth", "heads"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} is {value!r}, expected a whole number of at least 1")
        sides = [self.image_size] * 2 if isinstance(self.image_size, int) else list(self.image_size)
        if len(sides) != 2 or any(not isinstance(side, int) or side < 1 for side in sides):
            raise ValueError(f"image_size is {self.image_size!r}, expected one side or (rows, columns) in pixels")
        if isinstance(self.image_size, list):  # what JSON makes of a tuple
            object.__setattr__(self, "image_size", tuple(self.image_size))
        if any(side % self.patch_size for side in sides):
            raise ValueError(f"image_size {self.image_size} is not divisible by patch_size {self.patch_size}")
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not divisible by heads {self.heads}")
        for name, choices in {
            "pool": ("cls", "mean"),
            "positions": ("learned", "sincos"),
            "embedder": ("convolutional", "manual"),
        }.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}, expected one of {choices}")
        if self.positions == "sincos" and self.dim % 4:
            raise ValueError(f"dim {self.dim} is not divisible by 4, which positions 'sincos' need")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}, expected 0 <= dropout < 1")
        if round(self.dim * self.mlp_ratio) < 1:
            raise ValueError(f"mlp_ratio {self.mlp_ratio} leaves no hidden unit at dim {self.dim}")
        if not self.norm_eps > 0:
            raise ValueError(f"norm_eps is {self.norm_eps}, expected a positive number")

    @property
    def grid(self) -> tuple[int, int]:
        """Patches down and across."""
        rows, columns = (self.image_size,) * 2 if isinstance(self.image_size, int) else self.image_size
        return rows // self.patch_size, columns // self.patch_size

    @property
    def tokens(self) -> int:
        """T: the N patches, and the class token where there is one."""
        return self.grid[0] * self.grid[1] + (self.pool == "cls")
