"""Answers to the exercises at the end of chapter 01, wrong and right, as learners write
them.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange

from vit_tutorial.patches import patchify


def swapped(y, x, columns, patch_size):
    return x // patch_size * (columns // patch_size) + y // patch_size


def rows_in_pixels(y, x, columns, patch_size):
    return y // patch_size * columns + x // patch_size


def sum_of_both(y, x, columns, patch_size):
    return y // patch_size + x // patch_size


def from_one(y, x, columns, patch_size):
    return y // patch_size * (columns // patch_size) + x // patch_size + 1


def pixel_number(y, x, columns, patch_size):
    return y * columns + x


def run_of_pixels(y, x, columns, patch_size):
    return (y * columns + x) // patch_size**2


def no_rows(y, x, columns, patch_size):
    return x // patch_size


def inside_the_patch(y, x, columns, patch_size):
    return y % patch_size * patch_size + x % patch_size


def rounded_down_once(y, x, columns, patch_size):
    return math.floor(y / patch_size * (columns / patch_size) + x / patch_size)


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


def side_by_side(image, patch_size, stride):
    rows, columns = (side // patch_size * patch_size for side in image.shape[1:])
    return patchify(image[None, :, :rows, :columns], patch_size)[0]


def torch_unfold_alone(image, patch_size, stride):
    return F.unfold(image[None], patch_size, stride=stride)[0].T


def torch_unfold_upright(image, patch_size, stride):
    return F.unfold(image[None], patch_size, stride=stride)[0]


def slide(name, pattern):
    """An answer to `overlap` that reorders the axes of the windows."""

    def answer(image, patch_size, stride):
        return rearrange(windows(image, patch_size, stride), pattern)

    answer.__name__ = name
    return answer


with_a_batch = slide("with_a_batch", "c y x p1 p2 -> 1 (y x) (p1 p2 c)")
windows_as_a_grid = slide("windows_as_a_grid", "c y x p1 p2 -> y x (p1 p2 c)")
windows_not_flat = slide("windows_not_flat", "c y x p1 p2 -> (y x) p1 p2 c")
windows_down_first = slide("windows_down_first", "c y x p1 p2 -> (x y) (p1 p2 c)")


def windows_flattened(image, patch_size, stride):
    seen = windows(image, patch_size, stride)
    return seen.reshape(-1, patch_size * patch_size * len(image))


def windows_mirrored(image, patch_size, stride):
    seen = image.unfold(2, patch_size, stride).unfold(1, patch_size, stride)
    return rearrange(seen, "c y x p1 p2 -> (y x) (p1 p2 c)")


def walk(image, patch_size, tops, lefts):
    patches = [
        image[:, y : y + patch_size, x : x + patch_size].movedim(0, -1).flatten()
        for y in tops
        for x in lefts
    ]
    return torch.stack(patches)


def last_edge_missing(image, patch_size, stride):
    Y, X = image.shape[1:]
    return walk(
        image,
        patch_size,
        range(0, Y - patch_size, stride),
        range(0, X - patch_size, stride),
    )


def sticking_out(image, patch_size, stride):
    Y, X = image.shape[1:]
    return walk(image, patch_size, range(0, Y, stride), range(0, X, stride))


def stride_as_overlap(image, patch_size, stride):
    return rearrange(
        windows(image, patch_size, patch_size - stride),
        "c y x p1 p2 -> (y x) (p1 p2 c)",
    )


def arguments_swapped(image, patch_size, stride):
    return rearrange(
        windows(image, stride, patch_size), "c y x p1 p2 -> (y x) (p1 p2 c)"
    )


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
    "which_patch": [
        (swapped, "y and x are swapped"),
        (rows_in_pixels, "counted in pixels: it holds columns // patch_size patches"),
        (sum_of_both, "this counts one for each row above"),
        (from_one, "the first patch is number 0"),
        (pixel_number, "the pixel's own number"),
        (run_of_pixels, "a patch is a square and no run of pixels"),
        (no_rows, "the rows of patches above it are missing"),
        (inside_the_patch, "the pixel's place inside its patch"),
        (rounded_down_once, "row and column are whole before you put them together"),
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
        (side_by_side, "the squares lie side by side"),
        (torch_unfold_alone, "the channel is not the last axis"),
        (
            torch_unfold_upright,
            (
                "each patch is a column of the result: the axis of patches comes before"
                " the axis of their"
            ),
        ),
        (with_a_batch, "no batch comes out"),
        (windows_flattened, "reshape moves no value"),
        (windows_as_a_grid, "the patches are still a grid"),
        (windows_not_flat, "a patch is not flat yet"),
        (windows_down_first, "column after column"),
        (windows_mirrored, "the two axes inside a patch are swapped"),
        (last_edge_missing, "the last row and column of squares are missing"),
        (
            sticking_out,
            "raised RuntimeError: stack expects each tensor to be equal size",
        ),
        (stride_as_overlap, "not how far two of them overlap"),
        (arguments_swapped, "patch_size and stride are swapped"),
        (square_walk, "square_walk r"),
        (overlap_detached, "cuts the gradient"),
        (overlap_listed, "returned a list, a tensor of shape ("),
    ],
}
RIGHT = {
    "which_patch": [divided_twice, floored, counted, looked_up, in_numpy],
    "overlap": [slid, slid_and_permuted, walked_in_steps, unfolded_and_moved, strided],
}
