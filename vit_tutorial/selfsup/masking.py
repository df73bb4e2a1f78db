"""Hiding patches: which, what is left, and putting back what was taken out."""

import torch
from torch import Tensor

from vit_tutorial.patches import patchify


def random_masks(
    count: int,
    grid: tuple[int, int],
    ratio: float,
    unit: int = 1,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Which patches of `count` images are hidden: (B, N) bool, as many in each image.

    Squares of `unit` x `unit` patches are hidden or shown as one (Xie et al. 2022,
    section 3.2: one patch of a coarser grid). Raises ValueError where such squares do
    not fill the grid, or none would be hidden, or none shown.
    """
    rows, columns = grid
    if unit < 1 or rows % unit or columns % unit:
        raise ValueError(
            f"a grid of {rows} x {columns} patches is not filled by squares of {unit} x"
            f" {unit}"
        )
    squares = (rows // unit) * (columns // unit)
    hidden = round(ratio * squares)
    if not 0 < hidden < squares:
        raise ValueError(
            f"a ratio of {ratio} hides {hidden} of {squares} squares, expected at least"
            " 1, and 1 left to see"
        )
    # a random order of 0 to squares - 1 in each row
    order = torch.rand(count, squares, device=device).argsort(dim=1)
    coarse = (order < hidden).unflatten(1, (rows // unit, -1))
    return coarse.repeat_interleave(unit, 1).repeat_interleave(unit, 2).flatten(1)


def visible(patches: Tensor, masks: Tensor) -> Tensor:
    """The patches that are not hidden, in their order: (B, N, D) -> (B, V, D).

    As many must be visible in each image.
    """
    return patches[~masks].unflatten(0, (len(patches), -1))


def restore(shown: Tensor, masks: Tensor, fill: Tensor) -> Tensor:
    """Put the visible patches back in their places, `fill` (D,) in those of the others:
    (B, V, D) -> (B, N, D).
    """
    patches = fill.to(shown.dtype).expand(*masks.shape, -1).clone()
    patches[~masks] = shown.flatten(0, 1)
    return patches


def target_patches(images: Tensor, patch_size: int, normalise: bool) -> Tensor:
    """The pixels to predict: (B, C, Y, X) -> (B, N, P*P*C); each patch to mean 0 and
    standard deviation 1, where asked.
    """
    patches = patchify(images, patch_size)
    if not normalise:
        return patches
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return (patches - mean) / (variance + 1e-6).sqrt()
