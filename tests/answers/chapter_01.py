"""Answers to the exercises of chapter 01, wrong and right, as learners write them."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange

from vit_tutorial.patches import patchify


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


def divided(y, x, columns, patch_size):
    return y / patch_size * (columns / patch_size) + x / patch_size


def rounded(y, x, columns, patch_size):
    return round(y / patch_size) * (columns // patch_size) + round(x / patch_size)


def row_and_column(y, x, columns, patch_size):
    return y // patch_size, x // patch_size


def chapter_photo(y, x, columns, patch_size):
    return y // 96 * 6 + x // 96


def printed(y, x, columns, patch_size):
    print(end="")


def divided_twice(y, x, columns, patch_size):
    row = divmod(y, patch_size)[0]
    column = divmod(x, patch_size)[0]
    return row * divmod(columns, patch_size)[0] + column


def floored(row, column, width, side):
    return math.floor(row / side) * (width // side) + math.floor(column / side)


def counted(y, x, columns, patch_size):
    """Counts the corners of patches that come before."""
    corners = [
        (top, left)
        for top in range(0, y + 1, patch_size)
        for left in range(0, columns, patch_size)
    ]
    return corners.index((y - y % patch_size, x - x % patch_size))


def looked_up(y, x, columns, patch_size):
    """Cuts an image of pixel numbers and looks where this one went."""
    rows = (y // patch_size + 1) * patch_size
    numbers = torch.arange(rows * columns).reshape(1, 1, rows, columns)
    return (
        (patchify(numbers, patch_size)[0] == y * columns + x).any(dim=1).nonzero()[0, 0]
    )


def in_numpy(y, x, columns, patch_size):
    return np.ravel_multi_index(
        (y // patch_size, x // patch_size), (10**6, columns // patch_size)
    )


def windows(image, patch_size, stride):
    return image.unfold(1, patch_size, stride).unfold(2, patch_size, stride)


def walk(image, patch_size, tops, lefts):
    patches = [
        image[:, y : y + patch_size, x : x + patch_size].movedim(0, -1).flatten()
        for y in tops
        for x in lefts
    ]
    return torch.stack(patches)


def sticking_out(image, patch_size, stride):
    Y, X = image.shape[1:]
    return walk(image, patch_size, range(0, Y, stride), range(0, X, stride))


def square_walk(image, patch_size, stride):
    edges = range(0, image.shape[1] - patch_size + 1, stride)
    return walk(image, patch_size, edges, edges)


def overlap_detached(image, patch_size, stride):
    return slid(image.detach(), patch_size, stride)


def overlap_listed(image, patch_size, stride):
    return list(slid(image, patch_size, stride))


def slid(image, patch_size, stride):
    return rearrange(
        windows(image, patch_size, stride), "c y x p1 p2 -> (y x) (p1 p2 c)"
    )


def slid_and_permuted(image, patch_size, stride):
    seen = windows(image, patch_size, stride)
    return seen.permute(1, 2, 3, 4, 0).reshape(-1, patch_size * patch_size * len(image))


def walked_in_steps(image, patch_size, stride):
    Y, X = image.shape[1:]
    return walk(
        image,
        patch_size,
        range(0, Y - patch_size + 1, stride),
        range(0, X - patch_size + 1, stride),
    )


def unfolded_and_moved(picture, side, step):
    columns = F.unfold(picture[None], side, stride=step)[0]
    return rearrange(columns, "(c p) n -> n (p c)", c=len(picture))


def strided(image, patch_size, stride):
    C, Y, X = image.shape
    count = [(side - patch_size) // stride + 1 for side in (Y, X)]
    c, y, x = image.stride()
    seen = image.as_strided(
        (*count, patch_size, patch_size, C), (y * stride, x * stride, y, x, c)
    )
    return seen.flatten(2).flatten(0, 1)


WRONG = {
    "patchify": [
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
    ],
    "which_patch": [
        (divided, "a float: an index is an int, divide with //"),
        (rounded, "rounded returned "),
        (
            row_and_column,
            "one whole number was expected: row and column make one index",
        ),
        (chapter_photo, "chapter_photo returned "),
        (printed, "returned None, the index of the patch was expected"),
    ],
    "overlap": [
        (
            sticking_out,
            "raised RuntimeError: stack expects each tensor to be equal size",
        ),
        (square_walk, "square_walk r"),
        (overlap_detached, "cuts the gradient"),
        (overlap_listed, "returned a list, a tensor of shape ("),
    ],
}
RIGHT = {
    "patchify": [
        permuted,
        unfolded,
        convolved,
        patchify,
    ],
    "which_patch": [
        divided_twice,
        floored,
        counted,
        looked_up,
        in_numpy,
    ],
    "overlap": [
        slid,
        slid_and_permuted,
        walked_in_steps,
        unfolded_and_moved,
        strided,
    ],
}
