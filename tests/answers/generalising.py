"""Answers to "A box that stays inside" and "How far a place sees" of chapter 07, wrong
and right.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def as_in_the_package(area, aspect, x, y):
    width = (area * aspect).sqrt()
    height = (area / aspect).sqrt()
    return torch.stack([x * (1 - width), y * (1 - height), width, height], dim=1)


def area_is_a_side(area, aspect, x, y):
    width = area * aspect
    height = area / aspect
    return torch.stack([x * (1 - width), y * (1 - height), width, height], dim=1)


def leaves_the_image(area, aspect, x, y):
    width = (area * aspect).sqrt()
    height = (area / aspect).sqrt()
    return torch.stack([x, y, width, height], dim=1)


def moves_by_its_width(area, aspect, x, y):
    width = (area * aspect).sqrt()
    height = (area / aspect).sqrt()
    return torch.stack([x * width, y * height, width, height], dim=1)


def halved_sides(area, aspect, x, y):
    width = (area * aspect).sqrt() / 2
    height = (area / aspect).sqrt() / 2
    return torch.stack([x * (1 - width), y * (1 - height), width, height], dim=1)


def whole_sides(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y) * torch.tensor([1, 1, 2, 2])


def tall_for_wide(area, aspect, x, y):
    return as_in_the_package(area, 1 / aspect, x, y)


def aspect_without_root(area, aspect, x, y):
    width = area.sqrt() * aspect
    height = area.sqrt() / aspect
    return torch.stack([x * (1 - width), y * (1 - height), width, height], dim=1)


def squares(area, aspect, x, y):
    return as_in_the_package(area, torch.ones_like(aspect), x, y)


def rows_first(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y)[:, [1, 0, 3, 2]]


def sizes_first(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y)[:, [2, 3, 0, 1]]


def area_and_no_brake(area, aspect, x, y):
    return torch.stack([x, y, area * aspect, area / aspect], dim=1)


def from_the_corner(area, aspect, x, y):
    width = (area * aspect).sqrt()
    height = (area / aspect).sqrt()
    return torch.stack(
        [(x + 1) / 2 * (1 - width), (y + 1) / 2 * (1 - height), width, height], dim=1
    )


def corners(area, aspect, x, y):
    x, y, width, height = as_in_the_package(area, aspect, x, y).unbind(1)
    return torch.stack([x - width, y - height, x + width, y + height], dim=1)


def stacked_upright(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y).T


def one_for_all(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y)[0].expand(len(x), 4)


def in_the_middle(area, aspect, x, y):
    return as_in_the_package(area, aspect, 0 * x, 0 * y)


def clamped(area, aspect, x, y):
    width = (area * aspect).sqrt()
    height = (area / aspect).sqrt()
    return torch.stack(
        [x.clamp(width - 1, 1 - width), y.clamp(height - 1, 1 - height), width, height],
        dim=1,
    )


def a_list_of_boxes(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y).tolist()


def boxes_in_place(area, aspect, x, y):
    width = area.mul_(aspect).sqrt()
    height = (area / aspect**2).sqrt()
    return torch.stack([x * (1 - width), y * (1 - height), width, height], dim=1)


def image_by_image(area, aspect, x, y):
    boxes = []
    for a, r, across, down in zip(
        area.tolist(), aspect.tolist(), x.tolist(), y.tolist(), strict=True
    ):
        width = math.sqrt(a * r)
        height = a / width
        boxes.append([across - across * width, down - down * height, width, height])
    return torch.tensor(boxes)


def halves_then_room(areas, ratios, across, down):
    half = torch.stack([areas * ratios, areas / ratios], dim=-1) ** 0.5
    return torch.cat([torch.stack([across, down], dim=-1) * (1 - half), half], dim=-1)


def in_double(area, aspect, x, y):
    area, aspect, x, y = (value.double() for value in (area, aspect, x, y))
    height = torch.exp((area.log() - aspect.log()) / 2)
    width = aspect * height
    return torch.column_stack([x - x * width, y - y * height, width, height]).float()


def forwards(kernels, strides):
    seen = 1
    jump = 1
    for kernel, stride in zip(kernels, strides, strict=True):
        seen += (kernel - 1) * jump
        jump *= stride
    return seen


def backwards(kernels, strides):
    seen = 1
    for kernel, stride in zip(kernels[::-1], strides[::-1], strict=True):
        seen = (seen - 1) * stride + kernel
    return seen


def recursively(kernels, strides):
    if not kernels:
        return 1
    return (recursively(kernels[1:], strides[1:]) - 1) * strides[0] + kernels[0]


def with_numpy(kernels, strides):
    jumps = np.cumprod([1, *strides[:-1]])
    return 1 + np.dot(np.array(kernels) - 1, jumps)


def by_places(kernels, strides):
    """The pixels themselves: which inputs does one output reach?"""
    first = 0
    last = 0
    for kernel, stride in reversed(list(zip(kernels, strides, strict=True))):
        first = first * stride
        last = last * stride + kernel - 1
    return torch.tensor(last - first + 1)


def strides_ignored(kernels, strides):
    return 1 + sum(kernel - 1 for kernel in kernels)


def jump_too_early(kernels, strides):
    seen = 1
    jump = 1
    for kernel, stride in zip(kernels, strides, strict=True):
        jump *= stride
        seen += (kernel - 1) * jump
    return seen


def without_the_pixel(kernels, strides):
    return forwards(kernels, strides) - 1


def whole_kernels(kernels, strides):
    seen = 1
    jump = 1
    for kernel, stride in zip(kernels, strides, strict=True):
        seen += kernel * jump
        jump *= stride
    return seen


def last_stride_only(kernels, strides):
    return 1 + sum(
        (k - 1) * s for k, s in zip(kernels, [1, *strides[:-1]], strict=True)
    )


def own_stride_only(kernels, strides):
    return 1 + sum((k - 1) * s for k, s in zip(kernels, strides, strict=True))


def from_the_first(kernels, strides):
    seen = 1
    for kernel, stride in zip(kernels, strides, strict=True):
        seen = (seen - 1) * stride + kernel
    return seen


def no_minus_one(kernels, strides):
    seen = 1
    for kernel, stride in zip(kernels[::-1], strides[::-1], strict=True):
        seen = seen * stride + kernel
    return seen


def kernels_multiplied(kernels, strides):
    return math.prod(kernels)


def strides_multiplied(kernels, strides):
    return math.prod(strides)


def this_chapters(kernels, strides):
    return 31


def a_radius(kernels, strides):
    return (forwards(kernels, strides) - 1) // 2


def as_a_pair(kernels, strides):
    return forwards(kernels, strides), forwards(kernels, strides)


def only_twos(kernels, strides):
    return 1 + sum((kernel - 1) * 2**layer for layer, kernel in enumerate(kernels))


def by_gradient(kernels, strides):
    """A convolution of ones over a line, asked which pixels one place of its result
    depends on.
    """
    line = torch.zeros(1, 1, 30_000, dtype=torch.float64, requires_grad=True)
    places = line
    for kernel, stride in zip(kernels, strides, strict=True):
        places = F.conv1d(
            places, torch.ones(1, 1, kernel, dtype=torch.float64), stride=stride
        )
    places[0, 0, 0].backward()
    return int((line.grad != 0).nonzero()[-1, 2]) + 1


class Widening(nn.Module):
    def forward(self, kernels, strides):
        return forwards(kernels, strides)


WRONG = {
    "boxes": [
        (area_is_a_side, "a side is the square root of it"),
        (leaves_the_image, "the boxes leave the image"),
        (moves_by_its_width, "you move it by its width"),
        (halved_sides, "do not halve the sides"),
        (whole_sides, "these are the whole ones"),
        (tall_for_wide, "tall where they should be wide"),
        (aspect_without_root, "stretches the width by its root"),
        (squares, "aspect is ignored"),
        (rows_first, "across comes first"),
        (sizes_first, "the middle comes first, then the size"),
        (
            area_and_no_brake,
            "a side is the square root of it; and the boxes leave the image",
        ),
        (from_the_corner, "not from its corner"),
        (corners, "corners are not asked for"),
        (stacked_upright, "stack along dim=1"),
        (one_for_all, "every image got the box of the first one"),
        (in_the_middle, "every box sits in the middle"),
        (clamped, "clamping piles the boxes up at the border"),
        (a_list_of_boxes, "returned a list, a tensor of shape"),
        (boxes_in_place, "changed its input in place"),
    ],
    "field": [
        (strides_ignored, "strides do nothing here"),
        (jump_too_early, "own stride counts only for those after it"),
        (without_the_pixel, "the pixel you start from is missing"),
        (whole_kernels, "and you added kernel to the 1 you started from"),
        (last_stride_only, "only the stride just before counts here"),
        (own_stride_only, "spread by its own stride alone"),
        (from_the_first, "the layers count from the wrong end"),
        (no_minus_one, "n places lie n - 1 steps apart"),
        (kernels_multiplied, "kernels do not multiply"),
        (strides_multiplied, "the product of the strides"),
        (a_radius, "that is how far it sees to one side"),
        (this_chapters, "this_chapters returned 31 for kernels [1]"),
        (only_twos, "expected"),
        (as_a_pair, "as_a_pair returned (31, 31), one whole number was expected"),
    ],
}
RIGHT = {
    "boxes": [as_in_the_package, image_by_image, halves_then_room, in_double],
    "field": [
        forwards,
        backwards,
        recursively,
        with_numpy,
        by_places,
        by_gradient,
        Widening(),
    ],
}
