"""Counting by hand: what differs from the right count is put down to the parts that
explain it.
"""

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from numbers import Real

import torch
from torch import Tensor

from vit_tutorial.checks.core import AND, NotSolved, ask, called, distinct
from vit_tutorial.config import ViTConfig

BLOCK = "one block"  # the part that is quoted when nothing explains a difference
ROUNDED = "the MLP is round(c.dim * c.mlp_ratio) wide"
VIT_B16 = ViTConfig(
    image_size=224, patch_size=16, classes=1000, dim=768, depth=12, heads=12
)


def whole(answer: Callable, got: object, advice: str) -> int:
    """An int, or what Python takes for one: of NumPy, or a tensor of one. NotSolved
    with `advice` for a fraction.
    """
    if isinstance(got, tuple | list):
        raise NotSolved(
            f"{called(answer)} returned {got}, one whole number was expected"
        )
    number = got.item() if isinstance(got, Tensor) and got.numel() == 1 else got
    try:
        if isinstance(number, bool):
            raise TypeError
        return operator.index(got)
    except TypeError:
        fraction = (
            isinstance(number, Real)
            and not isinstance(number, bool)
            and math.isfinite(number)
        )
        kind = type(got).__name__
        shown = " ".join(str(got).split())[:80]
        said = advice if fraction else "one whole number was expected"
        raise NotSolved(
            f"{called(answer)} returned {shown}, a {kind}: {said}"
        ) from None


def other_sizes(up: bool) -> ViTConfig:
    """No size is ViT-B/16's, no two are alike, the image is not square, and the MLP's
    width is rounded `up` or down.

    Whoever does not round it ends on a fraction, also after multiplying with all that
    the MLP is counted for.
    """
    while True:
        sizes = distinct(7, 2, 11)
        depth = min(sizes)  # a deep model takes long to count
        patch, channels, heads, rows, columns, classes = (
            size for size in sizes if size != depth
        )
        dim = 12 * heads
        tokens = rows * columns + 1
        for hundredths in (210 + torch.randperm(80)).tolist():
            width = dim * hundredths / 100
            rounded = 0.1 < width % 1 - 0.5 * up < 0.4
            all_of_it = 2 * dim * width * tokens * depth
            if rounded and 0.05 < all_of_it % 1 < 0.95:
                others = {
                    "channels": channels + 1,
                    "classes": 5 * classes + 1,
                    "dim": dim,
                    "depth": depth,
                }
                size = (rows * patch, columns * patch)
                return ViTConfig(
                    size, patch, heads=heads, mlp_ratio=hundredths / 100, **others
                )


def described(c: ViTConfig) -> str:
    if c == VIT_B16:
        return "ViT-B/16"
    names = (
        "image_size",
        "patch_size",
        "channels",
        "classes",
        "dim",
        "depth",
        "heads",
        "mlp_ratio",
    )
    return ", ".join(f"{name}={getattr(c, name)}" for name in names)


def number(answer: Callable, c: ViTConfig) -> int:
    """What the learner's function counts for `c`; a float without a fraction and a
    tensor of one number will do.
    """
    got = ask(answer, c, expected="a whole number", case=described(c))
    try:
        if isinstance(got, bool | str) or float(got) != round(float(got)):
            raise ValueError
    except (TypeError, ValueError, OverflowError, RuntimeError):
        shown = f"the {type(got).__name__} {got!r}"
        shown = shown if len(shown) < 60 else f"a {type(got).__name__}"
        broken = isinstance(got, float) and c.dim * c.mlp_ratio % 1
        also = f": {ROUNDED}" if broken else ""
        said = (
            f"returned {shown}, a whole number was expected, for {described(c)}{also}"
        )
        raise NotSolved(f"{called(answer)} {said}") from None
    return round(float(got))


def explanations(parts: Mapping[str, list[int]]) -> Iterator[list[tuple[str, int]]]:
    """Every part alone, then every two, each missing (1) or counted too often (-1); two
    of a kind first.
    """
    signed = [(name, sign) for sign in (1, -1) for name in parts]
    yield from ([one] for one in signed)
    pairs = [
        [one, other] for one, other in combinations(signed, 2) if one[0] != other[0]
    ]
    yield from sorted(pairs, key=lambda pair: pair[0][1] != pair[1][1])


def explained(
    parts: Mapping[str, list[int]], differences: list[int], configs: list[ViTConfig]
) -> str | None:
    """What accounts for the differences, for all configs at once; None where no two
    parts do.
    """
    for found in explanations(parts):
        made = [[sign * count for count in parts[name]] for name, sign in found]
        if [sum(column) for column in zip(*made, strict=True)] == differences:
            place = next(
                (i for i, column in enumerate(zip(*made, strict=True)) if all(column)),
                0,
            )
            said = [
                f"{abs(column[place]):,} too {'few' if column[place] > 0 else 'many'}:"
                f" {name}"
                for column, (name, _) in zip(made, found, strict=True)
            ]
            return f"{AND.join(said)} (for {described(configs[place])})"
    return None


def compare_counts(
    answer: Callable,
    want: Callable[[ViTConfig], int],
    parts: Callable[[ViTConfig], dict[str, int]],
    unit: str,
) -> None:
    """Raise NotSolved unless `answer` counts as `want` does, naming the parts that
    explain the difference.
    """
    # two others, so that no slip fits the numbers of one by chance: one width is to be
    # rounded down, one up
    configs = [VIT_B16, other_sizes(up=False), other_sizes(up=True)]
    name = called(answer)
    got = [number(answer, c) for c in configs]
    right = [want(c) for c in configs]
    differences = [w - g for w, g in zip(right, got, strict=True)]
    if not any(differences):
        return
    columns = [parts(c) for c in configs]
    table = {part: [column[part] for column in columns] for part in columns[0]}
    if said := explained(table, differences, configs):
        raise NotSolved(f"{name} counts {said}")
    if got == [2 * count for count in right]:
        raise NotSolved(f"{name} gives exactly twice the {unit}: each counts once")
    place = next(i for i, difference in enumerate(differences) if difference)
    where = described(configs[place])
    off = differences[place]
    count = f"{name} gives {got[place]:,} {unit}, expected {right[place]:,}"
    if place:
        raise NotSolved(
            f"right for ViT-B/16, but not for {where}: {count}; is a size of ViT-B/16"
            " written in?"
        )
    block = f"one block alone has {columns[0][BLOCK]:,}"
    raise NotSolved(
        f"{count} for {where}: {abs(off):,} too {'few' if off > 0 else 'many'}; {block}"
    )
