"""Answers to the exercises of chapter 05, wrong and right, as learners write them."""

from collections import OrderedDict
from types import SimpleNamespace

import torch
from einops import rearrange
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vit_tutorial.model import VisionTransformer, count_parameters


def counting(**changes):
    """A count by hand in which one thing or another is not as it should be."""
    right = {
        "cls": 1,
        "rows": 0,
        "projection": 1,
        "q_k_v": 3,
        "biases": 2,
        "hidden": 1,
        "norms": 2,
        "norm": 2,
        "last": 2,
    }
    n = SimpleNamespace(
        **right
        | {"head": 1, "ratio": 0, "channels": 0, "copies": 1, "depth": 0, "out": 1}
        | changes
    )

    def by_hand(c):
        D = c.dim
        hidden = round(c.dim * (n.ratio or c.mlp_ratio))
        block = (3 * n.copies + n.out) * D * D + (
            n.q_k_v + n.biases + n.norms * n.norm
        ) * D
        block += getattr(n, "matrices", 2) * D * hidden + n.hidden * hidden
        embedder = (
            c.patch_size**2 * (n.channels or c.channels)
            + n.projection
            + n.cls
            + c.tokens
            + n.rows
        ) * D
        return (
            embedder
            + (n.depth or c.depth) * block
            + n.last * D
            + (D + n.head) * c.classes
            + getattr(n, "more", 0)
        )

    by_hand.__name__ = "_".join(["counting", *changes])
    return by_hand


def square_images_only(c):
    tokens = (c.image_size // c.patch_size) ** 2 + 1
    return counting(rows=tokens - c.tokens)(c)


def the_number_itself(c):
    return 86_567_656


def twice(c):
    return 2 * counting()(c)


def from_the_sum_of_parts(c):
    D = c.dim
    M = round(c.dim * c.mlp_ratio)

    def linear(a, b):
        return a * b + b

    block = 2 * (2 * D) + linear(D, 3 * D) + linear(D, D) + linear(D, M) + linear(M, D)
    around = (
        linear(c.patch_size**2 * c.channels, D)
        + D
        + c.tokens * D
        + 2 * D
        + linear(D, c.classes)
    )
    return around + sum(block for _ in range(c.depth))


def by_asking_the_machine(c):
    with torch.device("meta"):
        model = VisionTransformer(c)
    return torch.tensor(count_parameters(model))


def floats(config):
    D = float(config.dim)
    M = round(config.dim * config.mlp_ratio)
    block = 4 * D**2 + 2 * D * M + 9 * D + M
    rows, columns = config.grid
    embedder = config.patch_size**2 * config.channels * D + D * (3 + rows * columns)
    return embedder + block * config.depth + 2 * D + D * config.classes + config.classes


def multiplying(**changes):
    """A bill in which one thing or another is not as it should be."""
    right = {
        "projected": -1,
        "channels": 0,
        "products": 2,
        "out": 1,
        "q_k_v": 3,
        "matrices": 2,
        "tokens": 0,
        "head": 1,
    }
    n = SimpleNamespace(
        **right
        | {"ratio": 0, "times": 1, "depth": 0, "biases": 0, "readers": 0}
        | changes
    )

    def multiplies(c):
        D = c.dim
        T = c.tokens + n.tokens
        M = round(c.dim * (n.ratio or c.mlp_ratio))
        patches = (
            (c.tokens + n.projected) * c.patch_size**2 * (n.channels or c.channels) * D
        )
        block = (
            T
            * ((n.q_k_v + n.out) * D * D + n.matrices * D * M + n.biases * (5 * D + M))
            + n.products * T * T * D
        )
        readers = c.tokens if n.readers else 1
        return n.times * (
            patches + (n.depth or c.depth) * block + n.head * readers * D * c.classes
        )

    multiplies.__name__ = "_".join(["multiplying", *changes])
    return multiplies


def weights_for_one_token(c):
    return counting()(c)


def walking_through(c):
    D = c.dim
    T = c.tokens
    K = c.dim // c.heads
    M = round(c.dim * c.mlp_ratio)
    total = (T - 1) * c.patch_size**2 * c.channels * D
    for _ in range(c.depth):
        total += T * D * 3 * D
        for _ in range(c.heads):
            total += T * K * T + T * T * K
        total += T * D * D + T * D * M + T * M * D
    return total + D * c.classes


def by_the_counter(c):
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        VisionTransformer(c)(torch.empty(1, c.channels, *c.sides))
    return counter.get_total_flops() / 2


def renaming(
    kernel="d c p1 p2 -> d (p1 p2 c)",
    order=("query", "key", "value"),
    cut=None,
    dim=0,
    keep=False,
):
    """A translation of names in which one thing or another is not as it should be."""

    def translate(weights):
        mine = {}
        for name, value in weights.items():
            if "qkv" in name:
                rows = (
                    cut(value)
                    if cut
                    else value.chunk(3, dim=dim if value.ndim == 2 else 0)
                )
                mine |= {
                    name.replace("qkv", part): part_rows
                    for part, part_rows in zip(order, rows, strict=True)
                }
                mine |= {name: value} if keep else {}
            else:
                mine[name] = rearrange(value, kernel) if value.ndim == 4 else value
        return mine

    return translate


def as_they_are(weights):
    return weights


def without_biases(weights):
    return {
        name: value
        for name, value in renaming()(weights).items()
        if "query.bias" not in name
    }


def two_blocks_only(weights):
    return {
        name: value
        for name, value in renaming()(weights).items()
        if "blocks.1." not in name
    }


def only_what_changed(weights):
    return {
        name: value
        for name, value in renaming()(weights).items()
        if "attention" in name
    }


def long_names(weights):
    return {
        name.replace("query", "q_proj"): value
        for name, value in renaming()(weights).items()
    }


def loaded_already(weights):
    return list(renaming()(weights).items())


def scaled_queries(weights):
    mine = renaming()(weights)
    return {
        name: value / 2 if "query" in name else value for name, value in mine.items()
    }


def in_place(weights):
    for name in list(weights):
        if ".qkv." in name:
            rows = weights.pop(name)
            dim = len(rows) // 3
            for number, part in enumerate(["query", "key", "value"]):
                weights[name.replace("qkv", part)] = rows[
                    number * dim : (number + 1) * dim
                ].clone()
    weights["embedder.projection.weight"] = (
        weights["embedder.projection.weight"].permute(0, 2, 3, 1).flatten(1)
    )
    return weights


def by_rearrange(weights):
    mine = dict(weights)
    kernel = mine.pop("embedder.projection.weight")
    mine["embedder.projection.weight"] = torch.stack(
        [one.permute(1, 2, 0).reshape(-1) for one in kernel]
    )
    for name in [name for name in weights if "qkv" in name]:
        q, k, v = rearrange(mine.pop(name), "(three d) ... -> three d ...", three=3)
        before, after = name.split("qkv")
        mine[f"{before}query{after}"] = q
        mine[f"{before}key{after}"] = k
        mine[f"{before}value{after}"] = v
    return mine


right_count = counting()

right_bill = multiplying()

right_names = renaming()


def channel_by_count(c):
    return right_count(c) + 3 * c.channels


def yielded(c):
    yield right_count(c)


def rows_of_a_square(c):
    rows = c.sides[0] // c.patch_size
    return (
        right_bill(c) + (rows**2 - c.tokens + 1) * c.patch_size**2 * c.channels * c.dim
    )


def with_a_prefix(weights):
    return {f"module.{name}": value for name, value in right_names(weights).items()}


def pairs_of_names(weights):
    yield from right_names(weights).items()


def in_halves(weights):
    return {name: value.half() for name, value in right_names(weights).items()}


def as_parameters(weights):
    return OrderedDict(
        (name, nn.Parameter(value)) for name, value in right_names(weights).items()
    )


WRONG = {
    "parameters": [
        (counting(depth=12), "right for ViT-B/16, but not for"),
        (counting(more=7), "7 too many; one block alone has 7,087,872"),
        (square_images_only, "raised TypeError"),
        (the_number_itself, "is a size of ViT-B/16 written in?"),
        (twice, "exactly twice the parameters"),
        (channel_by_count, "9 too many; one block alone has"),
        (yielded, "a whole number was expected"),
    ],
    "bill": [
        (multiplying(times=2), "exactly twice the multiply-adds"),
        (weights_for_one_token, "expected 17,563,828,224"),
        (rows_of_a_square, "right for ViT-B/16, but not for"),
    ],
    "renamed": [
        (in_place, "changed the dict that it was given"),
        (as_they_are, "qkv.weight is in your dict"),
        (
            renaming(keep=True),
            "is in your dict: the class has query, key and value in its place",
        ),
        (without_biases, "blocks.0.attention.query.bias is missing"),
        (two_blocks_only, "blocks.1."),
        (only_what_changed, "embedder.class_token is missing"),
        (long_names, "q_proj"),
        (loaded_already, "returned a list, a dict of tensors was expected"),
        (scaled_queries, "the values are not for blocks.0.attention.query.weight"),
        (with_a_prefix, "the class knows no 'module."),
        (pairs_of_names, "returned a generator, a dict of tensors was expected"),
        (in_halves, "returned torch.float16, expected torch.float32"),
    ],
}
RIGHT = {
    "parameters": [
        counting(),
        from_the_sum_of_parts,
        by_asking_the_machine,
        floats,
    ],
    "bill": [
        multiplying(),
        walking_through,
        by_the_counter,
    ],
    "renamed": [
        renaming(),
        by_rearrange,
        as_parameters,
    ],
}
