"""Slips in sizes, types and axes that the checks once missed, misnamed or refused
though right.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from answers.generalising import as_in_the_package, forwards
from answers.heads import lean_by_slices
from answers.maps import product, steps
from answers.registers import Right
from answers.transformer import counting, multiplying, renaming
from vit_tutorial.checks.training import learning_rate

right_count = counting()
right_bill = multiplying()
right_names = renaming()


def named(name, answer):
    answer.__name__ = name
    return answer


# extremes


def limited(least, most):
    def my_boxes(area, aspect, x, y):
        width, height = (
            value.clamp(least, most)
            for value in ((area * aspect).sqrt(), (area / aspect).sqrt())
        )
        return torch.stack([x * (1 - width), y * (1 - height), width, height], dim=1)

    return my_boxes


def never_above_one(step, steps, warmup, peak):
    return min(1.0, learning_rate(step, steps, warmup, 0.0, peak, 0.0))


def never_below(step, steps, warmup, peak):
    return max(1e-7, learning_rate(step, steps, warmup, 0.0, peak, 0.0))


def close_squares_only(image, patch_size, stride):
    stride = min(stride, patch_size)
    return rearrange(
        image.unfold(1, patch_size, stride).unfold(2, patch_size, stride),
        "c y x p q -> (y x) (p q c)",
    )


def two_columns_at_least(y, x, columns, patch_size):
    return y // patch_size * max(2, columns // patch_size) + x // patch_size


def rounded(rounding):
    def changed(right, unit):
        return lambda c: (
            right(c)
            + unit(c)
            * c.depth
            * (rounding(c.dim * c.mlp_ratio) - round(c.dim * c.mlp_ratio))
        )

    count = changed(right_count, lambda c: 2 * c.dim + 1)
    cost = changed(right_bill, lambda c: 2 * c.tokens * c.dim)
    return named(f"count_{rounding.__name__}", count), named(
        f"cost_{rounding.__name__}", cost
    )


(count_up, cost_up), (count_down, cost_down), (count_broken, cost_broken) = map(
    rounded, (math.ceil, int, float)
)


class PlacesAtZero(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        nn.init.zeros_(self.positions)


class ClassAtRandom(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        nn.init.normal_(self.class_token, std=0.02)


# axes


def dice_exchanged(area, aspect, x, y):
    return as_in_the_package(area, aspect, y, x)


def sides_of(change):
    return lambda area, aspect, x, y: torch.stack(
        change(*as_in_the_package(area, aspect, x, y).unbind(1)), dim=1
    )


corner_for_middle = sides_of(lambda x, y, w, h: (x - w, y - h, w, h))
four_sides = sides_of(lambda x, y, w, h: (x - w, x + w, y - h, y + h))
corner_and_size = sides_of(lambda x, y, w, h: (x - w, y - h, 2 * w, 2 * h))


def both_reversed(kernels, strides):
    return forwards(kernels[::-1], strides[::-1])


def turned_at_the_end(weights):
    return product(steps(weights)).mT


BY_HEAD = "(h t k) ... -> t (h k) ..."


def by_head(weights):
    mine = right_names(weights)
    for name, value in weights.items():
        if ".qkv." in name:
            for part, rows in zip(
                ("query", "key", "value"),
                rearrange(value, BY_HEAD, h=2, t=3),
                strict=True,
            ):
                mine[name.replace("qkv", part)] = rows
    return mine


def lean_by_head(layer):
    q, _, v = rearrange(
        layer.qkv.bias, "(h three k) -> three (h k)", h=layer.heads, three=3
    )
    return torch.cat([q, torch.zeros(2 * len(q)).to(q)]), layer.out(v)


def lean_by_turns(layer):
    out = lean_by_slices(layer)[0]
    return out, layer.out(layer.qkv.bias[2::3])


# right, in another form


def seen_pixels(kernels, strides):
    """Counts the pixels with a gradient, as one may: none is skipped where no stride is
    larger than its kernel.
    """
    line = torch.zeros(1, 1, 5000, requires_grad=True)
    places = line
    for kernel, stride in zip(kernels, strides, strict=True):
        places = F.conv1d(places, torch.ones(1, 1, kernel) / kernel, stride=stride)
    return int(torch.autograd.grad(places[0, 0, 0], line)[0].count_nonzero())


def in_double(weights):
    return {name: value.double() for name, value in right_names(weights).items()}


def in_numpy(weights):
    return {name: value.numpy() for name, value in right_names(weights).items()}


WRONG = {
    "parameters": [
        (count_up, "yours is rounded up"),
        (count_down, "yours is cut off"),
        (count_broken, "the MLP is round(c.dim * c.mlp_ratio) wide"),
    ],
    "bill": [
        (cost_up, "yours is rounded up"),
        (cost_down, "yours is cut off"),
        (cost_broken, "the MLP is round(c.dim * c.mlp_ratio) wide"),
    ],
    "boxes": [
        (named("at_most", limited(0, 0.9)), "not every box is wrong, but that of area"),
        (
            named("at_least", limited(0.2, 1)),
            "not every box is wrong, but that of area",
        ),
        (dice_exchanged, "not solved yet: x and y have changed places"),
        (corner_for_middle, "these are the left and the upper side of a box"),
        (four_sides, "the four sides are not asked for"),
        (corner_and_size, "a corner and the whole sides are not asked for"),
    ],
    "schedule": [
        (never_above_one, "expected 2."),
        (never_below, ", the rate is 1e-07, expected "),
    ],
    "overlap": [(close_squares_only, "are stride pixels, not patch_size")],
    "which_patch": [(two_columns_at_least, "for y=")],
    "registers": [
        (PlacesAtZero, "a position starts with"),
        (ClassAtRandom, "the class token starts with"),
    ],
    "field": [
        (
            both_reversed,
            (
                "the layers count from the wrong end: both lists begin with the first"
                " layer"
            ),
        ),
        (
            lambda kernels, strides: np.float64(forwards(kernels, strides)),
            "a float64: a number of pixels is an int",
        ),
        (
            lambda kernels, strides: (
                forwards(kernels, strides) == 1 or forwards(kernels, strides)
            ),
            "returned True, a bool",
        ),
    ],
    "rollout": [(turned_at_the_end, "not solved yet: the result is turned")],
    "renamed": [
        (by_head, "you cut qkv head by head"),
        (in_numpy, "is a ndarray, a tensor was expected"),
    ],
    "lean_biases": [
        (lean_by_head, "the bias was cut head by head"),
        (lean_by_turns, "every third number was taken"),
    ],
}
RIGHT = {
    "field": [
        seen_pixels,
        lambda kernels, strides: np.int64(forwards(kernels, strides)),
    ],
    "renamed": [in_double],
    "schedule": [
        lambda *sizes: np.float64(learning_rate(*sizes[:3], 0.0, sizes[3], 0.0))
    ],
    "parameters": [lambda c: np.int64(right_count(c))],
    "which_patch": [
        lambda y, x, columns, side: torch.tensor(
            y // side * (columns // side) + x // side
        )
    ],
}
