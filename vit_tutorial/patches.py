"""Cutting images into patches and putting them back together."""

from einops import rearrange
from torch import Tensor


def patchify(images: Tensor, patch_size: int) -> Tensor:
    """Cut images into flat patches, row by row: (B, C, Y, X) -> (B, N, P*P*C).

    Raises ValueError when a side of the image is not a multiple of the patch side (in
    pixels). Dosovitskiy et al. 2021, section 3.1: x_p, N = Y*X / P**2.
    """
    rows, columns = images.shape[-2:]
    if patch_size < 1 or rows % patch_size or columns % patch_size:
        raise ValueError(
            f"an image of {rows} x {columns} pixels cannot be cut into patches of side"
            f" {patch_size}"
        )
    return rearrange(
        images, "b c (y p1) (x p2) -> b (y x) (p1 p2 c)", p1=patch_size, p2=patch_size
    )


def unpatchify(patches: Tensor, grid: tuple[int, int], channels: int = 3) -> Tensor:
    """Put flat patches back in place: (B, N, P*P*C) -> (B, C, Y, X), with N = rows *
    columns of `grid`.

    Raises ValueError when the number or the length of the patches does not fit.
    """
    rows, columns = grid
    count, length = patches.shape[-2:]
    patch_size = round((length / max(channels, 1)) ** 0.5)
    if count != rows * columns or length != patch_size**2 * channels:
        raise ValueError(
            f"{count} patches of {length} values do not fill a grid of {rows} x"
            f" {columns} with {channels} channels"
        )
    return rearrange(
        patches,
        "b (y x) (p1 p2 c) -> b c (y p1) (x p2)",
        y=rows,
        p1=patch_size,
        p2=patch_size,
        c=channels,
    )
