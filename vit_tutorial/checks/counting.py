"""Counting by hand: what differs from the right count is put down to the parts that
explain it.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

import torch

from vit_tutorial.checks.harness import AND, NotSolved, ask, called, distinct, listed
from vit_tutorial.config import ViTConfig

BLOCK = "one block"  # the part that is quoted when nothing explains a difference
ROUNDED = "the MLP is round(c.dim * c.mlp_ratio) wide"
VIT_B16 = ViTConfig(
    image_size=224, patch_size=16, classes=1000, dim=768, depth=12, heads=12
)


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
    # two others, so that no part fits the numbers of one by chance: one width is to be
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


PARAMETERS = {
    "one row of D numbers: the class token, its place among the positions, or the bias"
    " of the patch projection": lambda D: D,
    "the norm before the head, a scale and an offset (or two single rows of"
    " D)": lambda D: 2 * D,
    "the positions, one row of D for each of the c.tokens tokens": lambda T, D: T * D,
    "the positions of the patches": lambda T, D: (T - 1) * D,
    "the weights of the patch projection": lambda pixels, c, D: pixels * c.channels * D,
    "a pixel has c.channels values, so a patch has P*P*C": lambda pixels, c, D: (
        pixels * (c.channels - 1) * D
    ),
    "c.patch_size is one side of a patch, so a patch has P*P*C"
    " values": lambda pixels, c, D: (pixels - c.patch_size) * c.channels * D,
    "the patch projection takes c.channels channels, not"
    " always 3": lambda pixels, c, D: pixels * (c.channels - 3) * D,
    "one projection serves all patches: its weights are counted"
    " once": lambda pixels, c, D, T: pixels * c.channels * D * (T - 2),
    "one projection serves all patches: its weights and its bias are counted"
    " once": lambda pixels, c, D, T: (pixels * c.channels + 1) * D * (T - 2),
    "the biases of q, k and v, 3D a block": lambda D, L: 3 * D * L,
    "a bias of D in each block: attention's output has one, the MLP's second layer has"
    " one": lambda D, L: D * L,
    "the bias of the MLP's first layer, one for each hidden unit, in each"
    " block": lambda M, L: M * L,
    "both biases of the MLP, in each block": lambda M, D, L: (M + D) * L,
    "the biases of the four linear maps, in each block": lambda D, M, L: (
        (5 * D + M) * L
    ),
    "all biases of linear maps, in the blocks and around them": lambda D, M, L, c: (
        (5 * D + M) * L + D + c.classes
    ),
    "2D a block: one of its norms, or half of both (a norm has a scale and an offset),"
    " or two of its biases": lambda D, L: 2 * D * L,
    "half of every norm: each has a scale and an offset": lambda L, D: (2 * L + 1) * D,
    "4D a block: its two norms, or the biases of q, k, v and output": lambda D, L: (
        4 * D * L
    ),
    "all norms, two in each block and one before the head": lambda L, D: (
        (4 * L + 2) * D
    ),
    "the weights of attention's output, D*D a block": lambda D, L: D * D * L,
    "attention's output, D*D + D a block": lambda D, L: (D * D + D) * L,
    "two of the three D*D of q, k and v, in each block": lambda D, L: 2 * D * D * L,
    "heads share the D columns: q, k and v are D to 3D together, however many"
    " heads": lambda D, c, L: 3 * D * D * (c.heads - 1) * L,
    "one of the MLP's two matrices, in each block": lambda D, M, L: D * M * L,
    f"{ROUNDED}, yours is cut off": lambda D, M, c, L: (
        (2 * D + 1) * (M - math.floor(c.dim * c.mlp_ratio)) * L
    ),
    f"{ROUNDED}, yours is rounded up": lambda D, M, c, L: (
        (2 * D + 1) * (M - math.ceil(c.dim * c.mlp_ratio)) * L
    ),
    "the MLP is D * c.mlp_ratio wide, not always 4D": lambda D, M, L: (
        (2 * D + 1) * (M - 4 * D) * L
    ),
    "the MLP is D * c.mlp_ratio wide, not D": lambda D, M, L: (2 * D + 1) * (M - D) * L,
    "the bias of the head, one for each class": lambda c: c.classes,
    "the weights of the head": lambda D, c: D * c.classes,
    "the head, weights and biases": lambda D, c: (D + 1) * c.classes,
    "the head reads one vector: it is counted once, not for each"
    " token": lambda D, c, T: (D + 1) * c.classes * (T - 1),
    "all blocks but one: there are c.depth of them": lambda block, L: block * (L - 1),
    "only the blocks are there c.depth times: what stands around them is counted"
    " once": lambda around, L: around * (L - 1),
    BLOCK: lambda block: block,
    "all blocks": lambda block, L: block * L,
}


def parts_of_size(c: ViTConfig) -> dict[str, int]:
    """What is easily forgotten, or counted once too often, and how many parameters it
    is.
    """
    D = c.dim
    T = c.tokens
    M = round(D * c.mlp_ratio)
    pixels = c.patch_size**2
    block = 4 * D**2 + 2 * D * M + 9 * D + M
    around = (pixels * c.channels + 1) * D + (T + 3) * D + (D + 1) * c.classes
    sizes = {"c": c, "D": D, "T": T, "M": M, "L": c.depth, "pixels": pixels}
    return listed(PARAMETERS, block=block, around=around, **sizes)


MULTIPLY_ADDS = {
    "the class token comes after the projection: only the T - 1 patches are"
    " projected": lambda pixels, c: pixels * c.channels,
    "the projection runs once for each of the T - 1 patches": lambda pixels, c, N: (
        pixels * c.channels * (N - 1)
    ),
    "the patch projection": lambda pixels, c, N: pixels * c.channels * N,
    "a pixel has c.channels values, so a patch has P*P*C": lambda pixels, c, N: (
        pixels * (c.channels - 1) * N
    ),
    "c.patch_size is one side of a patch, so a patch has P*P*C"
    " values": lambda c, D, N: c.patch_size * (c.patch_size - 1) * D * c.channels * N,
    "the patch projection takes c.channels channels, not"
    " always 3": lambda pixels, c, N: pixels * (c.channels - 3) * N,
    "positions are added, not multiplied with": lambda T, D: T * D,
    "T*T*D a block, one of attention's two products: queries meet keys, then weights"
    " mix values": lambda product, L: product * L,
    "2*T*T*D a block, attention's two products: queries meet keys, then weights mix"
    " values": lambda product, L: 2 * product * L,
    "each of the T queries meets T keys, so it is 2*T*T*D a block, not"
    " 2*T*D": lambda T, N, D, L: 2 * T * N * D * L,
    "a query meets a key in D multiplications, so it is 2*T*T*D a block, not"
    " 2*T*T": lambda T, D, L: 2 * T * T * (D - 1) * L,
    "the class token is a key, too: each query meets T of them, not T"
    " - 1": lambda T, D, L: 2 * T * D * L,
    "the class token is a query and a key, too: T*T, not (T - 1)*(T -"
    " 1)": lambda T, N, D, L: 2 * (T * T - N * N) * D * L,
    "2*T*T*K a block is what one head meets and mixes, all of them together"
    " 2*T*T*D": lambda T, D, c, L: 2 * T * T * (D - D // c.heads) * L,
    "the scale and the softmax are free": lambda T, c, L: T * T * c.heads * L,
    "a head works on K = D/H numbers, so all heads together cost what one of D"
    " would": lambda product, c, L: 2 * product * (c.heads - 1) * L,
    "attention's output projection, T*D*D a block": lambda T, D, L: T * D * D * L,
    "q, k and v are three maps of D*D, in each block": lambda T, D, L: (
        2 * T * D * D * L
    ),
    "q, k and v, T*3*D*D a block": lambda T, D, L: 3 * T * D * D * L,
    "attention, its four linear maps and its two products": lambda T, D, product, L: (
        (4 * T * D * D + 2 * product) * L
    ),
    "one of the MLP's two matrices, in each block": lambda T, D, M, L: T * D * M * L,
    "the MLP's two matrices, in each block": lambda T, D, M, L: 2 * T * D * M * L,
    f"{ROUNDED}, yours is cut off": lambda T, D, M, c, L: (
        2 * T * D * (M - math.floor(c.dim * c.mlp_ratio)) * L
    ),
    f"{ROUNDED}, yours is rounded up": lambda T, D, M, c, L: (
        2 * T * D * (M - math.ceil(c.dim * c.mlp_ratio)) * L
    ),
    "the MLP is D * c.mlp_ratio wide, not always 4D": lambda T, D, M, L: (
        2 * T * D * (M - 4 * D) * L
    ),
    "the MLP is D * c.mlp_ratio wide, not D": lambda T, D, M, L: (
        2 * T * D * (M - D) * L
    ),
    "the class token goes through the blocks too: T tokens, not T"
    " - 1": lambda linear, T, product, smaller, L: (
        (linear * T + 2 * product - smaller) * L
    ),
    "the linear maps of a block run for each of the T tokens": lambda linear, N, L: (
        linear * N * L
    ),
    "a bias is added, not multiplied with": lambda D, M, T, L, N, c: (
        ((5 * D + M) * T) * L + D * N + c.classes
    ),
    "a bias is added, not multiplied with (those in the blocks)": lambda D, M, T, L: (
        (5 * D + M) * T * L
    ),
    "the head": lambda D, c: D * c.classes,
    "the head reads one vector, not all T": lambda D, c, N: D * c.classes * N,
    "the head reads one vector, not the T - 1 patches": lambda D, c, N: (
        D * c.classes * (N - 1)
    ),
    BLOCK: lambda linear, T, product: linear * T + 2 * product,
    "all blocks but one: there are c.depth of them": lambda linear, T, product, L: (
        (linear * T + 2 * product) * (L - 1)
    ),
}


def parts_of_bill(c: ViTConfig) -> dict[str, int]:
    """What is easily forgotten in the multiply-adds for one image, or counted once too
    often.
    """
    D = c.dim
    T = c.tokens
    M = round(D * c.mlp_ratio)
    N = T - 1
    linear = 4 * D * D + 2 * D * M
    return listed(
        MULTIPLY_ADDS,
        c=c,
        D=D,
        T=T,
        M=M,
        N=N,
        L=c.depth,
        pixels=c.patch_size**2 * D,
        product=T * T * D,
        linear=linear,
        smaller=linear * N + 2 * N * N * D,  # a block that forgets the class token
    )
