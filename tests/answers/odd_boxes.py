"""Answers to "A box that stays inside" and "How far a place sees" (chapter 07) that go
wrong in ways of their own.
"""

import functools
import math

import torch

from answers.generalising import as_in_the_package, forwards


def halves(area, aspect):
    return (area * aspect).sqrt(), (area / aspect).sqrt()


def moving(name, across, down=None):
    """Boxes of the right size whose middles are `across(x, width, height)`, and down
    likewise, turned by default.
    """

    def answer(area, aspect, x, y):
        width, height = halves(area, aspect)
        below = (down or across)(y, height, width)
        return torch.stack([across(x, width, height), below, width, height], dim=1)

    answer.__name__ = name
    return answer


def free(place, half, other):
    return place * (1 - half)


other_half = moving("other_half", lambda place, half, other: place * (1 - other))
width_for_both = moving(
    "width_for_both", free, lambda place, half, other: place * (1 - other)
)
upwards = moving("upwards", free, lambda place, half, other: -place * (1 - half))
leftwards = moving("leftwards", lambda place, half, other: -place * (1 - half), free)
too_much_room = moving("too_much_room", lambda place, half, other: place * (1 + half))
wider_image = moving("wider_image", lambda place, half, other: place * (2 - half))
left_side = moving("left_side", lambda place, half, other: place - half)
largest_box = moving("largest_box", lambda place, half, other: place * (1 - half.max()))


def turns(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y)[:, [2, 0, 3, 1]]


def from_nought_to_one(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y) / 2 + torch.tensor([0.5, 0.5, 0, 0])


def four_apart(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y).unbind(1)


def joined(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y).T.flatten()


def squeezed(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y).squeeze()


def as_halves(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y).half()


def moved_in_place(area, aspect, x, y):
    width, height = halves(area, aspect)
    x *= 1 - width
    return torch.stack([x, y * (1 - height), width, height], dim=1)


def not_numbers(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y) * torch.nan


def by_logarithms(area, aspect, x, y):
    sizes = (
        torch.stack([area.log() + aspect.log(), area.log() - aspect.log()], dim=1)
        .div(2)
        .exp()
    )
    return torch.hstack([torch.stack([x, y], dim=1) * (1 - sizes), sizes])


room_from_the_left = moving(
    "room_from_the_left", lambda place, half, other: half - 1 + (place + 1) * (1 - half)
)


def squared(kernels, strides):
    return forwards(kernels, strides) ** 2


def one_more(kernels, strides):
    return forwards(kernels, strides) + 1


def without_the_last(kernels, strides):
    return forwards(kernels[:-1], strides[:-1])


def without_the_first(kernels, strides):
    return forwards(kernels[1:], strides[1:])


def added(kernels, strides):
    return sum(kernels)


def kernels_reversed(kernels, strides):
    return forwards(kernels[::-1], strides)


def strides_reversed(kernels, strides):
    return forwards(kernels, strides[::-1])


def own_stride_after_the_first(kernels, strides):
    return kernels[0] + sum(
        (k - 1) * s for k, s in zip(kernels[1:], strides[1:], strict=True)
    )


def first_kernel_for_all(kernels, strides):
    return forwards([kernels[0]] * len(kernels), strides)


def first_stride_for_all(kernels, strides):
    return forwards(kernels, [strides[0]] * len(strides))


def layer_by_layer(kernels, strides):
    return [
        forwards(kernels[:count], strides[:count])
        for count in range(1, len(kernels) + 1)
    ]


def yielded(kernels, strides):
    yield forwards(kernels, strides)


def emptied(kernels, strides):
    seen = 1
    apart = 1
    while kernels:
        seen = seen + (kernels.pop(0) - 1) * apart
        apart = apart * strides.pop(0)
    return seen


def folded(kernels, strides):
    pairs = reversed(list(zip(kernels, strides, strict=True)))
    return float(
        functools.reduce(lambda seen, pair: (seen - 1) * pair[1] + pair[0], pairs, 1)
    )


def by_products(k, s):
    return 1 + sum(
        (kernel - 1) * math.prod(s[:layer]) for layer, kernel in enumerate(k)
    )


ROOM = "how far a box may move across depends on its width"
WRONG = {
    "boxes": [
        (other_half, f"{ROOM}, and down on its height: here it is the other way round"),
        (
            width_for_both,
            f"{ROOM}, and down on its height: here the width counts for both",
        ),
        (upwards, "y grows downwards"),
        (leftwards, "x grows to the right"),
        (too_much_room, "you have 1 + w"),
        (wider_image, "as if the image reached from -2 to 2"),
        (left_side, "x - w is the left side"),
        (largest_box, "not by what the largest leaves"),
        (turns, "yours take turns"),
        (from_nought_to_one, "yours from 0 to 1"),
        (four_apart, "returned a tuple, a tensor of shape"),
        (joined, "returned shape"),
        (squeezed, "expected (1, 4) for 1 image"),
        (as_halves, "returned torch.float16"),
        (moved_in_place, "changed its input in place"),
        (not_numbers, "not finite"),
    ],
    "field": [
        (squared, "this is the area"),
        (one_more, "one pixel too many"),
        (without_the_last, "the last layer is missing"),
        (without_the_first, "the first layer is missing"),
        (added, "the kernels are added"),
        (kernels_reversed, "the kernels come from the last layer"),
        (strides_reversed, "the strides come from the last layer"),
        (own_stride_after_the_first, "each later layer was spread by its own stride"),
        (first_kernel_for_all, "all kernels count"),
        (first_stride_for_all, "all strides count"),
        (layer_by_layer, "returned [3, 7, 15, 31], one whole number was expected"),
        (yielded, "a generator: one whole number was expected"),
        (emptied, "changed the list that it was given"),
        (folded, "returned 31.0, a float: a number of pixels is an int"),
    ],
}
RIGHT = {"boxes": [by_logarithms, room_from_the_left], "field": [by_products]}
