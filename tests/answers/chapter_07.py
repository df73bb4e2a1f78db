"""Answers to the exercises of chapter 07, wrong and right, as learners write them."""

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vit_tutorial.data.synthetic import STACKS


def as_in_the_package(area, aspect, x, y):
    width = (area * aspect).sqrt()
    height = (area / aspect).sqrt()
    return torch.stack([x * (1 - width), y * (1 - height), width, height], dim=1)


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


def this_chapters(kernels, strides):
    return 31


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


SWAP = torch.tensor([1, 0, 3, 2, 5, 4, 7, 6, 8, 9])


def by_where(images, masks, labels, flips):
    chosen = flips[:, None, None, None]
    images, masks = (
        torch.where(chosen, values.flip(-2), values) for values in (images, masks)
    )
    return images, masks, torch.where(flips, SWAP[labels], labels)


def by_index(images, masks, labels, flips):
    images = images.clone()
    masks = masks.clone()
    labels = labels.clone()
    images[flips] = images[flips].flip(2)
    masks[flips] = masks[flips].flip(2)
    labels[flips] = SWAP[labels[flips]]
    return images, masks, labels


def by_loop(images, masks, labels, flips):
    results = []
    for image, mask, label, flip in zip(images, masks, labels, flips, strict=True):
        above, below = STACKS[label]
        if flip:
            image = image.flip(1)
            mask = mask.flip(1)
            label = torch.tensor(STACKS.index((below, above)))
        results.append((image, mask, label))
    return [torch.stack(column) for column in zip(*results, strict=True)]


def by_arithmetic(pictures, where, classes, turn):
    rows = torch.arange(pictures.shape[2] - 1, -1, -1)
    keep = ~turn.view(-1, 1, 1, 1)
    moved = torch.where(turn & (classes < 8), classes + 1 - 2 * (classes % 2), classes)
    return (
        pictures * keep + pictures[:, :, rows] * ~keep,
        (where & keep) | (where[:, :, rows] & ~keep),
        moved,
    )


def spoilt(name, images=None, masks=None, labels=None):
    """A right answer but for what the given functions of (value, flips) put out
    instead.
    """

    def answer(*inputs):
        right = by_where(*inputs)
        flips = inputs[3]
        wrong = (images, masks, labels)
        return tuple(
            spoil(value, flips) if spoil else good
            for spoil, value, good in zip(wrong, inputs, right, strict=False)
        )

    answer.__name__ = name
    return answer


def flip_others(values, flips):
    return torch.where(flips[:, None, None, None], values, values.flip(-2))


float_masks = spoilt(
    "float_masks",
    masks=lambda masks, flips: by_where(masks, masks, flips.long(), flips)[1].float(),
)

float_images = spoilt(
    "float_images", images=lambda images, flips: flip_others(images, ~flips) / 255
)


def images_alone(images, masks, labels, flips):
    return by_where(images, masks, labels, flips)[0]


def two_of_three(images, masks, labels, flips):
    return by_where(images, masks, labels, flips)[:2]


def turned_in_place(images, masks, labels, flips):
    images[flips] = images[flips].flip(2)
    masks[flips] = masks[flips].flip(2)
    labels[flips] = SWAP[labels[flips]]
    return images, masks, labels


def labels_first(images, masks, labels, flips):
    images, masks, labels = by_where(images, masks, labels, flips)
    return labels, images, masks


def numpy_turn(images, masks, labels, flips):
    return tuple(value.numpy() for value in by_where(images, masks, labels, flips))


def one_image_squeezed(images, masks, labels, flips):
    return tuple(value.squeeze(0) for value in by_where(images, masks, labels, flips))


def yielded(images, masks, labels, flips):
    yield from by_where(images, masks, labels, flips)


def by_gather(images, masks, labels, flips):
    rows = torch.arange(images.shape[-2]).expand(len(flips), -1)
    rows = torch.where(flips[:, None], rows.flip(1), rows)[:, None, :, None]
    images, masks = (
        values.gather(2, rows.expand_as(values)) for values in (images, masks)
    )
    return images, masks, labels ^ (flips & (labels < 8)).long()


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


def four_apart(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y).unbind(1)


def joined(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y).T.flatten()


def squeezed(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y).squeeze()


def as_halves(area, aspect, x, y):
    return as_in_the_package(area, aspect, x, y).half()


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


def layer_by_layer(kernels, strides):
    return [
        forwards(kernels[:count], strides[:count])
        for count in range(1, len(kernels) + 1)
    ]


def boxes_yielded(kernels, strides):
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


WRONG = {
    "boxes": [
        (a_list_of_boxes, "returned a list, a tensor of shape"),
        (boxes_in_place, "changed its input in place"),
        (four_apart, "returned a tuple, a tensor of shape"),
        (joined, "returned shape"),
        (squeezed, "expected (1, 4) for 1 image"),
        (as_halves, "returned torch.float16"),
        (not_numbers, "not finite"),
    ],
    "field": [
        (this_chapters, "this_chapters returned 31 for kernels [1]"),
        (only_twos, "expected"),
        (as_a_pair, "as_a_pair returned (31, 31), one whole number was expected"),
        (layer_by_layer, "returned [3, 7, 15, 31], one whole number was expected"),
        (boxes_yielded, "a generator: one whole number was expected"),
        (emptied, "changed the list that it was given"),
        (folded, "returned 31.0, a float: a number of pixels is an int"),
    ],
    "upside_down": [
        (float_masks, "returned torch.float32, expected torch.bool"),
        (float_images, "returned torch.float32, expected torch.uint8"),
        (images_alone, "returned a Tensor, three tensors were expected"),
        (two_of_three, "returned 2 values, three tensors were expected"),
        (labels_first, "the three come back in another order"),
        (one_image_squeezed, "expected (1, "),
        (yielded, "returned a generator, three tensors were expected"),
        (numpy_turn, "returned a ndarray"),
        (turned_in_place, "changed its input in place"),
    ],
}
RIGHT = {
    "boxes": [
        as_in_the_package,
        image_by_image,
        halves_then_room,
        in_double,
        by_logarithms,
        room_from_the_left,
    ],
    "field": [
        forwards,
        backwards,
        recursively,
        with_numpy,
        by_places,
        by_gradient,
        Widening(),
        by_products,
    ],
    "upside_down": [
        by_where,
        by_index,
        by_loop,
        by_arithmetic,
        by_gather,
    ],
}
