"""Answers to the exercise on patches of chapter 01, wrong and right, as learners write
them.
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange

from vit_tutorial.patches import patchify


def reshaped(images, patch_size):
    B, C, Y, X = images.shape
    return images.reshape(
        B, (Y // patch_size) * (X // patch_size), patch_size * patch_size * C
    )


def channel_last_then_reshaped(images, patch_size):
    B, C, Y, X = images.shape
    return images.permute(0, 2, 3, 1).reshape(B, -1, patch_size * patch_size * C)


def channel_before_patches(images, patch_size):
    B, C, Y, X = images.shape
    return (
        images.unfold(2, patch_size, patch_size)
        .unfold(3, patch_size, patch_size)
        .reshape(B, -1, patch_size**2 * C)
    )


def inside_before_outside(images, patch_size):
    B, C, Y, X = images.shape
    split = images.reshape(
        B, C, Y // patch_size, patch_size, X // patch_size, patch_size
    )
    return split.permute(0, 3, 5, 2, 4, 1).reshape(B, -1, patch_size**2 * C)


def sides_split_together(images, patch_size):
    B, C, Y, X = images.shape
    P = patch_size
    y = Y // patch_size
    x = X // patch_size
    return (
        images.reshape(B, C, y, x, P, P)
        .permute(0, 2, 3, 4, 5, 1)
        .reshape(B, y * x, P * P * C)
    )


def cut(name, pattern):
    """An answer to `patchify` that reorders the axes by one line of einops."""

    def answer(images, patch_size):
        return rearrange(images, pattern, p1=patch_size, p2=patch_size)

    answer.__name__ = name
    return answer


pixels_before_patches = cut(
    "pixels_before_patches", "b c (p1 y) (p2 x) -> b (y x) (p1 p2 c)"
)
channel_between = cut("channel_between", "b c (y p1) (x p2) -> b (y x) (p1 c p2)")
batch_second = cut("batch_second", "b c (y p1) (x p2) -> (y x) b (p1 p2 c)")
mirrored = cut("mirrored", "b c (y p1) (x p2) -> b (y x) (p2 p1 c)")
column_after_column = cut(
    "column_after_column", "b c (y p1) (x p2) -> b (x y) (p1 p2 c)"
)
all_transposed = cut("all_transposed", "b c (y p1) (x p2) -> b (x y) (p2 p1 c)")
batch_merged = cut("batch_merged", "b c (y p1) (x p2) -> (b y x) (p1 p2 c)")
still_a_grid = cut("still_a_grid", "b c (y p1) (x p2) -> b y x (p1 p2 c)")
not_flat = cut("not_flat", "b c (y p1) (x p2) -> b (y x) p1 p2 c")


def channel_first(images, patch_size):
    return F.unfold(images, patch_size, stride=patch_size).mT


def upright(images, patch_size):
    return patchify(images, patch_size).transpose(1, 2)


def first_image_only(images, patch_size):
    return patchify(images[:1], patch_size)[0]


def squeezed(images, patch_size):
    return patchify(images, patch_size).squeeze()


def square_only(images, patch_size):
    B, C, Y, X = images.shape
    side = math.isqrt(Y * X) // patch_size
    split = images.reshape(B, C, side, patch_size, side, patch_size)
    return split.permute(0, 2, 4, 3, 5, 1).reshape(B, side * side, -1)


def three_channels_only(images, patch_size):
    return rearrange(
        images,
        "b c (y p1) (x p2) -> b (y x) (p1 p2 c)",
        p1=patch_size,
        p2=patch_size,
        c=3,
    )


def detached(images, patch_size):
    return patchify(images.detach(), patch_size)


def half_detached(images, patch_size):
    patches = patchify(images, patch_size)
    return torch.cat([patches[:, :1].detach(), patches[:, 1:]], dim=1)


def as_numpy(images, patch_size):
    return patchify(images, patch_size).detach().numpy()


def as_a_list(images, patch_size):
    return list(patchify(images, patch_size))


def doubled_precision(images, patch_size):
    return patchify(images, patch_size).double()


def blackened(images, patch_size):
    patches = patchify(images, patch_size)
    images.zero_()
    return patches.clone()


def constant(images, patch_size):
    return torch.zeros(2, 24, 27648)


def empty_mind(images, patch_size):
    pass


def misspelt(images, patch_size):
    return image.reshape(1)  # noqa: F821


def not_a_number(images, patch_size):
    return patchify(images, patch_size) * float("nan")


def permuted(images, patch_size):
    B, C, Y, X = images.shape
    y = Y // patch_size
    x = X // patch_size
    split = images.view(B, C, y, patch_size, x, patch_size)
    return split.permute(0, 2, 4, 3, 5, 1).contiguous().view(B, y * x, -1)


def walked(images, patch_size):
    rows, columns = images.shape[2:]
    found = []
    for top in range(0, rows, patch_size):
        for left in range(0, columns, patch_size):
            patch = images[:, :, top : top + patch_size, left : left + patch_size]
            found.append(patch.permute(0, 2, 3, 1).flatten(1))
    return torch.stack(found, dim=1)


def unfolded(pictures, side):
    columns = F.unfold(pictures, kernel_size=side, stride=side)  # (B, C*P*P, N)
    return (
        columns.unflatten(1, (pictures.shape[1], side * side))
        .permute(0, 3, 2, 1)
        .flatten(2)
    )


def filled_in(images, patch_size):
    B, C, Y, X = images.shape
    patches = images.new_zeros(B, Y * X // patch_size**2, patch_size**2 * C)
    for y in range(Y):
        for x in range(X):
            patch = y // patch_size * (X // patch_size) + x // patch_size
            start = (y % patch_size * patch_size + x % patch_size) * C
            patches[:, patch, start : start + C] = images[:, :, y, x]
    return patches


def split_and_stacked(images, patch_size):
    rows = images.movedim(1, -1).split(patch_size, dim=1)
    return torch.stack(
        [patch.flatten(1) for row in rows for patch in row.split(patch_size, dim=2)],
        dim=1,
    )


def convolved(images, patch_size):
    """A kernel for each value of a patch that picks this value out."""
    channels = images.shape[1]
    length = patch_size * patch_size * channels
    kernels = torch.eye(length, dtype=images.dtype).reshape(
        length, patch_size, patch_size, channels
    )
    return (
        F.conv2d(images, kernels.permute(0, 3, 1, 2), stride=patch_size).flatten(2).mT
    )


WRONG = {
    "patchify": [
        (reshaped, "reshape moves no value"),
        (
            channel_last_then_reshaped,
            "the channel is last, but each patch is a run of pixels",
        ),
        (sides_split_together, "a run of pixels in reading order"),
        (
            pixels_before_patches,
            "a side splits into (patches, pixels of a patch), in this order",
        ),
        (channel_first, "the channel is not the last axis"),
        (channel_between, "it stands between the rows and the columns"),
        (channel_before_patches, "the channel still stands before the patches"),
        (
            inside_before_outside,
            "the axes inside a patch stand before those of the grid",
        ),
        (batch_second, "the batch comes first"),
        (mirrored, "the two axes inside a patch are swapped"),
        (column_after_column, "the patches stand column after column"),
        (
            all_transposed,
            (
                "column after column, not row after row, and the two axes inside a"
                " patch are swapped"
            ),
        ),
        (upright, "each patch is a column of the result"),
        (batch_merged, "the batch is merged into the patches"),
        (first_image_only, "only one image of the batch is left"),
        (squeezed, "one image is a batch too"),
        (still_a_grid, "the patches are still a grid"),
        (not_flat, "a patch is not flat yet"),
        (square_only, "square_only raised RuntimeError: shape '["),
        (three_channels_only, "three_channels_only raised EinopsError"),
        (detached, "cuts the gradient"),
        (half_detached, "its gradient for images is not"),
        (as_numpy, "returned a ndarray, a tensor of shape ("),
        (as_a_list, "returned a list, a tensor of shape ("),
        (doubled_precision, "returned torch.float64, expected torch.float32"),
        (blackened, "changed its input in place"),
        (constant, "returned shape (2, 24, 27648), expected ("),
        (empty_mind, "returned None, a tensor of shape (B, N, P*P*C) was expected"),
        (misspelt, "raised NameError: name 'image' is not defined"),
        (not_a_number, "numbers that are not finite"),
        (walked, "you walk from one to the next"),
        (filled_in, "you walk from one to the next"),
        (split_and_stacked, "you walk from one to the next"),
    ],
}
RIGHT = {
    "patchify": [permuted, unfolded, convolved, patchify],
}
