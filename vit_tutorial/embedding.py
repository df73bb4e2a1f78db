"""From patches to tokens: a linear projection, a class token, and a place for each."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vit_tutorial.patches import patchify


def sincos_positions(
    grid: tuple[int, int], dim: int, class_token: bool = True
) -> Tensor:
    """Fixed 2-D sine-cosine positions: (1, T, D), a zero row first for the class token.

    Half of the D values encode the row, half the column, each as sines then cosines of
    D/4 frequencies from 1 down to 1/10000 (Vaswani et al. 2017, section 3.5, in two
    dimensions). Raises ValueError when `dim` is not a multiple of 4.
    """
    if dim < 4 or dim % 4:
        raise ValueError(
            f"dim is {dim}, expected a multiple of 4: two axes, each a sine and a"
            " cosine"
        )
    frequencies = 10000 ** -torch.linspace(0, 1, dim // 4)
    rows, columns = torch.meshgrid(
        torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij"
    )
    # two of (N, D/4)
    angles = [place.reshape(-1, 1) * frequencies for place in (rows, columns)]
    positions = torch.cat(
        [wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1
    )
    return F.pad(positions, (0, 0, int(class_token), 0))[None]


def interpolate_positions(
    positions: Tensor,
    old_grid: tuple[int, int],
    new_grid: tuple[int, int],
    antialias: bool = False,
) -> Tensor:
    """Stretch positions over another grid: (1, T, D) -> (1, T', D); a class token's row
    stays as it is.

    Bicubic over the grid of patches (Dosovitskiy et al. 2021, section 3.2); with
    `antialias` a smaller grid gets means of what it passes over, as in timm.
    Raises ValueError when T is neither the patches of `old_grid` nor one more.
    """
    count = old_grid[0] * old_grid[1]
    extra = positions.shape[1] - count
    if extra not in (0, 1):
        raise ValueError(
            f"{positions.shape[1]} positions do not fit a grid of {old_grid[0]} x"
            f" {old_grid[1]}"
        )
    first = positions[:, :extra]
    places = positions[:, extra:]
    picture = rearrange(places, "b (y x) d -> b d y x", y=old_grid[0])
    # sizes, not a scale factor: a factor such as 14/12 is rounded and can lose a row
    picture = F.interpolate(
        picture, new_grid, mode="bicubic", align_corners=False, antialias=antialias
    )
    return torch.cat([first, rearrange(picture, "b d y x -> b (y x) d")], dim=1)


class PatchEmbedder(nn.Module):
    """What all embedders share: images (B, C, Y, X) -> tokens (B, T, D).

    A subclass says how patches become vectors, in `project`; `place` gives each its
    position and puts the class token in front.
    Dosovitskiy et al. 2021, equation 1. Raises ValueError for images of another size,
    number of channels or type.
    """

    projection: nn.Linear | nn.Conv2d

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
        if isinstance(image_size, int):
            image_size = (image_size, image_size)
        rows, columns = image_size
        if rows % patch_size or columns % patch_size:
            raise ValueError(
                f"image_size {image_size} is not divisible by patch_size {patch_size}"
            )
        self.image_shape = (channels, rows, columns)
        self.patch_size = patch_size
        grid = (rows // patch_size, columns // patch_size)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim)) if class_token else None
        if positions == "learned":
            self.positions = nn.Parameter(
                0.02 * torch.randn(1, grid[0] * grid[1] + class_token, dim)
            )
        else:
            self.register_buffer(
                "positions", sincos_positions(grid, dim, class_token), persistent=False
            )
        self.dropout = nn.Dropout(dropout)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1:] != self.image_shape or not images.is_floating_point():
            shape = tuple(images.shape)
            expected = ", ".join(map(str, self.image_shape))
            raise ValueError(
                f"images are {shape} of {images.dtype}, expected (B, {expected}) of"
                " floats"
            )
        return self.place(self.project(images))

    def project(self, images: Tensor) -> Tensor:
        """Patches as vectors: (B, C, Y, X) -> (B, N, D)."""
        raise NotImplementedError("a subclass says how patches become vectors")

    def place(self, patches: Tensor, positions: Tensor | None = None) -> Tensor:
        """Put the class token in front and add positions: (B, N, D) -> (B, T, D)."""
        if positions is None:
            positions = self.positions
        if self.class_token is not None:
            first = self.class_token.expand(patches.shape[0], -1, -1)
            patches = torch.cat([first, patches], dim=1)
        return self.dropout(patches + positions)


class ManualPatchEmbedder(PatchEmbedder):
    """Cut, flatten, multiply: `patchify` and one linear layer shared by all patches."""

    def __init__(
        self,
        image_size: int | tuple[int, int],
        patch_size: int,
        channels: int,
        dim: int,
        **options,
    ) -> None:
        super().__init__(image_size, patch_size, channels, dim, **options)
        self.projection = nn.Linear(patch_size * patch_size * channels, dim)

    def project(self, images: Tensor) -> Tensor:
        return self.projection(patchify(images, self.patch_size))


class ConvolutionalPatchEmbedder(PatchEmbedder):
    """The same map as a convolution whose stride is its kernel's side: a patch seen
    once, nothing overlaps.
    """

    def __init__(
        self,
        image_size: int | tuple[int, int],
        patch_size: int,
        channels: int,
        dim: int,
        **options,
    ) -> None:
        super().__init__(image_size, patch_size, channels, dim, **options)
        self.projection = nn.Conv2d(
            channels, dim, kernel_size=patch_size, stride=patch_size
        )

    def project(self, images: Tensor) -> Tensor:
        return rearrange(self.projection(images), "b d y x -> b (y x) d")


class ConvolutionalStem(PatchEmbedder):
    """3 x 3 convolutions that shrink the picture step by step until one place is one
    token, then a linear map.

    One convolution for each prime factor of the patch's side, which is its stride; the
    widths double up to D. Neighbouring tokens have seen some of the same pixels. After
    Xiao et al. 2021, section 3, whose convolutions are all 3 x 3, with stride 2 or 1,
    batch norm and ReLU.
    """

    def __init__(
        self,
        image_size: int | tuple[int, int],
        patch_size: int,
        channels: int,
        dim: int,
        **options,
    ) -> None:
        super().__init__(image_size, patch_size, channels, dim, **options)
        strides = prime_factors(patch_size)
        widths = [channels, *stem_widths(len(strides), dim)]
        self.stem = self.make_stem(widths, strides)
        self.projection = nn.Conv2d(widths[-1], dim, kernel_size=1)

    def make_stem(self, widths: list[int], strides: list[int]) -> nn.Sequential:
        """(B, C, Y, X) -> (B, D, Y / P, X / P)."""
        layers: list[nn.Module] = []
        for (width, wider), stride in zip(pairwise(widths), strides, strict=True):
            # over one image: no statistics of the batch, so one image is treated like
            # many
            norm = nn.GroupNorm(1, wider)
            layers += [shrinking_convolution(width, wider, stride), norm, nn.GELU()]
        return nn.Sequential(*layers)

    def project(self, images: Tensor) -> Tensor:
        return rearrange(self.projection(self.stem(images)), "b d y x -> b (y x) d")


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions whose result is added to x: (B, C, Y, X) -> the same.

    He et al. 2016, figure 2 and section 3.4.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))


class ResidualNetwork(nn.Sequential):
    """Convolutions that shrink the picture, each followed by `blocks` residual blocks:
    (B, widths[0], Y, X) -> (B, widths[-1], Y / S, X / S), S the product of the strides.

    Batch norm and ReLU after every convolution, as in He et al. 2016.
    """

    def __init__(
        self, widths: Sequence[int], strides: Sequence[int], blocks: Sequence[int]
    ) -> None:
        super().__init__()
        for (width, wider), stride, count in zip(
            pairwise(widths), strides, blocks, strict=True
        ):
            convolution = shrinking_convolution(width, wider, stride)
            self.extend([convolution, nn.BatchNorm2d(wider), nn.ReLU()])
            self.extend(ResidualBlock(wider) for _ in range(count))


class HybridStem(ConvolutionalStem):
    """The feature map of a small residual CNN, each place of which is a token: the
    hybrid of Dosovitskiy et al. 2021, section 3.1.

    Its widths and strides are those of `ConvolutionalStem`; a residual block follows
    each convolution but the first.
    """

    def make_stem(self, widths: list[int], strides: list[int]) -> nn.Sequential:
        blocks = [int(level > 0) for level in range(len(strides))]
        return ResidualNetwork(widths, strides, blocks)

    def project(self, images: Tensor) -> Tensor:
        # all channels of a pixel side by side: a CPU convolves faster
        return super().project(images.contiguous(memory_format=torch.channels_last))


def shrinking_convolution(width: int, wider: int, stride: int) -> nn.Conv2d:
    """(B, width, Y, X) -> (B, wider, Y / stride, X / stride)."""
    # a kernel of 3 at stride 2 shares a row and a column with each neighbour; no pixel
    # is ever stepped over
    return nn.Conv2d(
        width,
        wider,
        kernel_size=max(3, stride),
        stride=stride,
        padding=int(stride == 2),
    )


def stem_widths(levels: int, dim: int) -> list[int]:
    """The channels after each convolution of a stem, doubling up to `dim`."""
    return [max(1, dim // 2**step) for step in reversed(range(levels))]


def prime_factors(number: int) -> list[int]:
    """The prime factors of a number, smallest first: 12 -> [2, 2, 3]."""
    for factor in range(2, number + 1):
        if number % factor == 0:
            return [factor, *prime_factors(number // factor)]
    return []
