"""Patches by degrees: small convolutions, one after the other, instead of one large step."""

from itertools import pairwise

from einops import rearrange
from torch import Tensor, nn

from vit_tutorial.embedding import PatchEmbedder


class ConvolutionalStem(PatchEmbedder):
    """3 x 3 convolutions that shrink the picture step by step until one place is one token, then a linear map.

    One convolution for each prime factor of the patch's side, which is its stride; the
    widths double up to D. Neighbouring tokens have seen some of the same pixels. After
    Xiao et al. 2021, section 3, whose convolutions are all 3 x 3, with stride 2 or 1,
    batch norm and ReLU.
    """

    def __init__(self, image_size: int | tuple[int, int], patch_size: int, channels: int, dim: int, **options) -> None:
        super().__init__(image_size, patch_size, channels, dim, **options)
        strides = prime_factors(patch_size)
        widths = [channels, *(max(1, dim // 2**step) for step in reversed(range(len(strides))))]
        self.stem = nn.Sequential()
        for (width, wider), stride in zip(pairwise(widths), strides, strict=True):
            # a kernel of 3 at stride 2 shares a row and a column with each neighbour; no pixel is ever stepped over
            self.stem.extend([
                nn.Conv2d(width, wider, kernel_size=max(3, stride), stride=stride, padding=int(stride == 2)),
                nn.GroupNorm(1, wider),  # over one image: no statistics of the batch, so one image is treated like many
                nn.GELU(),
            ])  # fmt: skip
        self.projection = nn.Conv2d(widths[-1], dim, kernel_size=1)

    def project(self, images: Tensor) -> Tensor:
        return rearrange(self.projection(self.stem(images)), "b d y x -> b (y x) d")


def prime_factors(number: int) -> list[int]:
    """The prime factors of a number, smallest first: 12 -> [2, 2, 3]."""
    for factor in range(2, number + 1):
        if number % factor == 0:
            return [factor, *prime_factors(number // factor)]
    return []
