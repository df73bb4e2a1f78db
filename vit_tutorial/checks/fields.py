"""The check of how far a CNN sees (chapter 07)."""

import math
from collections.abc import Callable

import torch

from vit_tutorial.checks.core import NotSolved, ask, called, checked, distinct
from vit_tutorial.checks.counting import whole


def jumps(strides: list[int]) -> list[int]:
    """The pixels from one place to the next in the input of each layer, and after the
    last.
    """
    return [math.prod(strides[:layer]) for layer in range(len(strides) + 1)]


def widened(
    kernels: list[int],
    strides: list[int],
    grow: Callable[[int, int, int], int],
    start: int = 1,
) -> int:
    """`grow(field, kernel, stride)` from `start`, layer by layer in the order given."""
    field = start
    for kernel, stride in zip(kernels, strides, strict=True):
        field = grow(field, kernel, stride)
    return field


def field_of(kernels: list[int], strides: list[int]) -> int:
    """How many pixels on a side one place after all layers has seen."""
    return 1 + sum(
        (kernel - 1) * jump
        for kernel, jump in zip(kernels, jumps(strides), strict=False)
    )


WRONG_FIELDS = {
    "strides do nothing here: after a stride of 2, neighbours stand 2 pixels apart": (
        lambda k, s: 1 + sum(kernel - 1 for kernel in k)
    ),
    "a layer's own stride counts only for those after it: its kernel lies on the places before it": lambda k, s: (
        1
        + sum((kernel - 1) * jump for kernel, jump in zip(k, jumps(s)[1:], strict=True))
    ),
    "the pixel you start from is missing: a kernel of 1 sees 1": (
        lambda k, s: field_of(k, s) - 1
    ),
    "each layer adds kernel - 1 places, and you added kernel": lambda k, s: sum(
        kernel * jump for kernel, jump in zip(k, jumps(s), strict=False)
    ),
    "each layer adds kernel - 1 places, and you added kernel to the 1 you started from": lambda k, s: (
        1 + sum(kernel * jump for kernel, jump in zip(k, jumps(s), strict=False))
    ),
    "only the stride just before counts here: strides multiply from layer to layer": (
        lambda k, s: (
            1
            + sum((kernel - 1) * jump for kernel, jump in zip(k, [1, *s], strict=False))
        )
    ),
    "each layer was spread by its own stride alone: those of all layers before it multiply": lambda k, s: (
        1 + sum((kernel - 1) * jump for kernel, jump in zip(k, s, strict=True))
    ),
    "strides add up here: two of 2 are 4 pixels, three are 8, so multiply": (
        lambda k, s: (
            1
            + sum((kernel - 1) * (1 + sum(s[:layer])) for layer, kernel in enumerate(k))
        )
    ),
    "kernels do not multiply: each adds kernel - 1 places": lambda k, s: math.prod(k),
    "that is the distance between neighbours at the end, the product of the strides": (
        lambda k, s: math.prod(s)
    ),
    "kernel times stride, multiplied through, counts pixels that nobody sees": (
        lambda k, s: math.prod(
            kernel * stride for kernel, stride in zip(k, s, strict=True)
        )
    ),
    "the layers count from the wrong end: both lists begin with the first layer; with seen += (kernel - 1) * apart go from the first to the last, with field = (field - 1) * stride + kernel from the last to the first": lambda k, s: (
        field_of(k[::-1], s[::-1])
    ),
    "n places lie n - 1 steps apart: (field - 1) * stride + kernel": (
        lambda k, s: widened(
            k[::-1], s[::-1], lambda field, kernel, stride: field * stride + kernel
        )
    ),
    "that is how far it sees to one side: both sides and the pixel itself are asked for": (
        lambda k, s: (field_of(k, s) - 1) // 2
    ),
    "one side is asked for, this is the area": lambda k, s: field_of(k, s) ** 2,
    "one pixel too many: the first kernel sees kernel pixels, not kernel + 1": (
        lambda k, s: field_of(k, s) + 1
    ),
    "the last layer is missing": lambda k, s: field_of(k[:-1], s[:-1]),
    "the first layer is missing": lambda k, s: field_of(k[1:], s[1:]),
    "the kernels are added: each adds kernel - 1 places, as far apart as the strides before have put them": lambda k, s: (
        sum(k)
    ),
    "the kernels come from the last layer, the strides from the first: both lists begin with the first layer": lambda k, s: (
        field_of(k[::-1], s)
    ),
    "the strides come from the last layer, the kernels from the first: both lists begin with the first layer": lambda k, s: (
        field_of(k, s[::-1])
    ),
    "the first kernel is right, and each later layer was spread by its own stride: those before it multiply": lambda k, s: (
        k[0]
        + sum(
            (kernel - 1) * stride for kernel, stride in zip(k[1:], s[1:], strict=True)
        )
    ),
    "all kernels count: here each is as large as the first": lambda k, s: field_of(
        [k[0]] * len(k), s
    ),
    "all strides count: here each is as large as the first": lambda k, s: field_of(
        k, [s[0]] * len(s)
    ),
    "only the first layer was counted": lambda k, s: k[0],
    "only the last layer was counted": lambda k, s: k[-1],
}


@checked
def field(answer: Callable) -> str:
    """`my_field(kernels, strides)` -> how many pixels on a side one place has seen
    after these convolutions.
    """
    stacks = [([3, 3, 3, 3], [2, 2, 2, 2]), ([1], [3]), ([16], [16])]
    for layers in (2, 3, 3, 4, 5):
        # none larger than its kernel, or pixels between those seen would be skipped
        strides = distinct(layers, 1, 6)
        stacks.append(
            (
                [max(2, stride + int(torch.randint(0, 4, ()))) for stride in strides],
                strides,
            )
        )
    found = []
    for kernels, strides in stacks:
        got = ask(answer, kernels, strides, expected="a whole number of pixels")
        found.append(
            whole(
                answer,
                got,
                "a number of pixels is an int: begin with 1, not 1.0, and divide"
                " with //",
            )
        )
    wanted = [field_of(*stack) for stack in stacks]
    for sentence, wrong in WRONG_FIELDS.items():
        if found != wanted and found == [wrong(*stack) for stack in stacks]:
            raise NotSolved(sentence)
    for (kernels, strides), got, want in zip(stacks, found, wanted, strict=True):
        if got != want:
            raise NotSolved(
                f"{called(answer)} returned {got} for kernels {kernels} and strides"
                f" {strides}, expected {want}"
            )
    return (
        f"{len(stacks)} stacks of convolutions; that of this chapter sees {wanted[0]}"
        " pixels"
    )
