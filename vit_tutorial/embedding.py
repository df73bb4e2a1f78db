"""From patches to tokens: a linear projection, a class token, and a place for each."""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vit_tutorial.patches import patchify


def sincos_positions(grid: tuple[int, int], dim: int, class_token: bool = True) -> Tensor:
    """Fixed 2-D sine-cosine positions: (1, T, D), a zero row first for the class token.

    Half of the D values encode the row, half the column, each as sines then cosines of D/4 frequencies
    from 1 down to 1/10000 (Vaswani et al. 2017, section 3.5, in two dimensions).
    Raises ValueError when `dim` is not a multiple of 4.
    """
    if dim % 4:
        raise ValueError(f"dim {dim} is not divisible by 4: two axes, each a sine and a cosine")
    frequencies = 10000 ** -torch.linspace(0, 1, dim // 4)
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    angles = [place.reshape(-1, 1) * frequencies for place in (rows, columns)]  # two of (N, D/4)
    positions = torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)
    return F.pad(positions, (0, 0, int(class_token), 0))[None]


def interpolate_positions(positions: Tensor, old_grid: tuple[int, int], new_grid: tuple[int, int]) -> Tensor:
    """Stretch positions over another grid: (1, T, D) -> (1, T', D); a class token's row stays as it is.

    Bicubic over the grid of patches (Dosovitskiy et al. 2021, section 3.2).
    Raises ValueError when T is neither the patches of `old_grid` nor one more.
    """
    count = old_grid[0] * old_grid[1]
    extra = positions.shape[1] - count
    if extra not in (0, 1):
        raise ValueError(f"{positions.shape[1]} positions do not fit a grid of {old_grid[0]} x {old_grid[1]}")
    first, places = positions[:, :extra], positions[:, extra:]
    picture = rearrange(places, "b (y x) d -> b d y x", y=old_grid[0])
    # sizes, not a scale factor: a factor such as 14/12 is rounded and can lose a row
    picture = F.interpolate(picture, size=new_grid, mode="bicubic", align_corners=False)
    return torch.cat([first, rearrange(picture, "b d y x -> b (y x) d")], dim=1)


class PatchEmbedder(nn.Module):
    """What both embedders share: (B, C, Y, X) images -> (B, T, D) tokens, each with its place.

    A subclass says how patches become vectors: `project`, (B, C, Y, X) -> (B, N, D).
    Dosovitskiy et al. 2021, equation 1. Raises ValueError for images of another size, number of channels or type.
    """

    def __init__(
        self,
        image_size: int | tuple[int, int],
        patch_size: int,
        channels: int,
        dim: int,
        class_token: bool = True,
        positions: str = "learned",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        rows, columns = (image_size, image_size) if isinstance(image_size, int) else image_size
        if rows % patch_size or columns % patch_size:
            raise ValueError(f"image_size {image_size} is not divisible by patch_size {patch_size}")
        self.image_shape, self.patch_size = (channels, rows, columns), patch_size
        grid = (rows // patch_size, columns // patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim)) if class_token else None
        if positions == "learned":
            self.positions = nn.Parameter(0.02 * torch.randn(1, grid[0] * grid[1] + class_token, dim))
        else:
            self.register_buffer("positions", sincos_positions(grid, dim, class_token), persistent=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1:] != self.image_shape or not images.is_floating_point():
            shape, expected = tuple(images.shape), ", ".join(map(str, self.image_shape))
            raise ValueError(f"images are {shape} of {images.dtype}, expected (B, {expected}) of floats")
        tokens = self.project(images)
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        return self.dropout(tokens + self.positions)


class ManualPatchEmbedder(PatchEmbedder):
    """Cut, flatten, multiply: `patchify` and one linear layer shared by all patches."""

    def __init__(self, image_size: int | tuple[int, int], patch_size: int, channels: int, dim: int, **options) -> None:
        super().__init__(image_size, patch_size, channels, dim, **options)
        self.projection = nn.Linear(patch_size * patch_size * channels, dim)

    def project(self, images: Tensor) -> Tensor:
        return self.projection(patchify(images, self.patch_size))


class ConvolutionalPatchEmbedder(PatchEmbedder):
    """The same map as a convolution whose stride is its kernel's side: a patch seen once, nothing overlaps."""

    def __init__(self, image_size: int | tuple[int, int], patch_size: int, channels: int, dim: int, **options) -> None:
        super().__init__(image_size, patch_size, channels, dim, **options)
        self.projection = nn.Conv2d(channels, dim, kernel_size=patch_size, stride=patch_size)

    def project(self, images: Tensor) -> Tensor:
        return rearrange(self.projection(images), "b d y x -> b (y x) d")
