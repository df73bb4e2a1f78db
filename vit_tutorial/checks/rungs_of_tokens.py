"""The capstone's rungs up to attention: each listens to one part of the model while the
others are silent.
"""

from collections.abc import Callable
from itertools import permutations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vit_tutorial.checks.ladder import (
    Wrong,
    changed,
    compare_models,
    even_attention,
    mixed,
    quiet_blocks,
    quiet_mlp,
    restacked,
    sizes,
    softmax_mix,
)
from vit_tutorial.model import VisionTransformer


def read_at(place: int, roll: int = 0) -> Wrong:
    """The head reads another token, or the first of tokens whose places are shifted."""

    def wrong(model: VisionTransformer, images: Tensor) -> Tensor:
        model.embedder.positions.copy_(model.embedder.positions.roll(roll, dims=1))
        return model.head(model.embedder(images)[:, place])

    return wrong


def no_place(model: VisionTransformer, start: int, end: int | None) -> None:
    model.embedder.positions[:, start:end] = 0


def without_norm(model: VisionTransformer) -> None:
    model.head[0] = nn.Identity()


def normed_last(block: nn.Module, x: Tensor) -> Tensor:
    x = block.norm1(x + block.attention(x))
    return block.norm2(x + block.mlp(x))


def normed_after(block: nn.Module, x: Tensor) -> Tensor:
    x = x + block.norm1(block.attention(x))
    return x + block.norm2(block.mlp(x))


def class_token(answer: Callable) -> None:
    mistakes = {
        "the norm before the last linear layer is missing": changed(without_norm),
        "the stream itself is normed: norm what goes into attention and MLP, and add what comes out to the plain x": restacked(
            normed_last
        ),
        "the norms come after attention and MLP: they come before, x + attention(norm1(x))": restacked(
            normed_after
        ),
        "a residual is missing: what attention and MLP find is added to x": restacked(
            lambda block, x: 0 * x
        ),
        "the class token has a place too: positions are added after it was put in front": changed(
            lambda model: no_place(model, 0, 1)
        ),
        "the class token stands last, and takes the last place: it stands first": (
            read_at(0, roll=1)
        ),
        "the head reads the last token: the class token is the first": read_at(-1),
        "the head reads the first patch: the class token stands before it": read_at(1),
        "the head reads the mean of all tokens: it reads the class token": (
            lambda model, images: model.head(model.embedder(images).mean(dim=1))
        ),
        "the head reads the mean of the patches: it reads the class token": (
            lambda model, images: model.head(model.embedder(images)[:, 1:].mean(dim=1))
        ),
        "these are probabilities: return logits, the loss does the softmax": (
            lambda model, images: model(images).softmax(dim=1)
        ),
        "these are logarithms of probabilities: return logits, the loss does the softmax": (
            lambda model, images: model(images).log_softmax(dim=1)
        ),
    }
    compare_models(answer, sizes(depth=2), quiet_blocks, mistakes)


def reorder(pattern: str, back: str) -> Callable[[VisionTransformer], None]:
    """A kernel that is read in another order than it was written."""

    def change(model: VisionTransformer) -> None:
        kernel = model.embedder.projection.weight
        names = {"c": kernel.shape[1], "p1": kernel.shape[2], "p2": kernel.shape[3]}
        other = rearrange(
            rearrange(kernel, f"d c p1 p2 -> d ({pattern})"),
            f"d ({back}) -> d c p1 p2",
            **names,
        )
        kernel.copy_(other.clone())

    return change


def cut_by_view(model: VisionTransformer, images: Tensor) -> Tensor:
    rows = images.reshape(len(images), model.config.tokens - 1, -1)
    kernel = model.embedder.projection
    model.embedder.project = lambda images: F.linear(
        rows, kernel.weight.flatten(1), kernel.bias
    )
    return model(images)


def columns_first(model: VisionTransformer) -> None:
    places = model.embedder.positions
    rows = model.config.grid[0]
    places[:, 1:] = rearrange(places[:, 1:], "b (y x) d -> b (x y) d", y=rows).clone()


def other_orders() -> dict[str, Wrong]:
    """Queries, keys and values taken for one another."""

    def change(order: tuple[int, ...]) -> Callable[[VisionTransformer], None]:
        def reordered(model: VisionTransformer) -> None:
            for block in model.blocks:
                for joint in (block.attention.qkv.weight, block.attention.qkv.bias):
                    joint.copy_(
                        torch.cat([joint.chunk(3)[part] for part in order]).clone()
                    )

        return reordered

    return {
        f"your q, k, v are our {', '.join('qkv'[part] for part in order)}: qkv stacks q, then k, then v": changed(
            change(order)
        )
        for order in permutations(range(3))
        if order != (0, 1, 2)
    } | {
        "q, k and v take turns in your rows: qkv stacks all of q, then all of k, then all of v": mixed(
            split="b t (h k three) -> three b h t k"
        )
    }


def turned_out(model: VisionTransformer) -> None:
    for block in model.blocks:
        block.attention.out.weight.copy_(block.attention.out.weight.mT.clone())


def no_bias(model: VisionTransformer) -> None:
    nn.init.zeros_(model.embedder.projection.bias)


ATTENTION = {
    "the class token hears no patch: a ViT has no causal mask, and PyTorch's own layers need batch_first=True": mixed(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)
    ),
    "the block does not run, or what attention finds is not added to x": restacked(
        lambda block, x: x
    ),
    "attention's output matrix is transposed: PyTorch keeps a linear map as (out, in)": changed(
        turned_out
    ),
    "the norm before attention is missing": restacked(
        lambda block, x: x + block.attention(x)
    ),
    "what goes into attention passes norm1, in your model norm2": restacked(
        lambda block, x: x + block.attention(block.norm2(x))
    ),
}


def patches(answer: Callable) -> None:
    layout = "the numbers of a patch and of the kernel have to stand in one order"
    mistakes = {
        f"{layout}: flatten leaves a kernel as (c p1 p2), your patches are (p1 p2 c)": (
            changed(reorder("c p1 p2", "p1 p2 c"))
        ),
        f"{layout}: your kernel is (p1 p2 c), your patches are (c p1 p2)": changed(
            reorder("p1 p2 c", "c p1 p2")
        ),
        "rows and columns changed places within each patch": changed(
            reorder("c p2 p1", "c p1 p2")
        ),
        "a view cuts images into runs of pixels, not into squares: split both sides, then bring the axes together": (
            cut_by_view
        ),
        "the patches are read column by column: go row by row, as the positions do": (
            changed(columns_first)
        ),
        "rows and columns of the image changed places": lambda model, images: model(
            images.mT
        ),
        "the bias of the patch projection is missing": changed(no_bias),
        "the positions are missing: add them to the tokens": changed(
            lambda model: no_place(model, 0, None)
        ),
        "the patches got no places": changed(lambda model: no_place(model, 1, None)),
    }
    compare_models(
        answer, sizes(), even_attention, mistakes | ATTENTION | other_orders()
    )


def louder(factor: Callable[[int, int], float]) -> Wrong:
    """Scores that are too large or too small, by a factor of K and D."""

    def change(model: VisionTransformer) -> None:
        D = model.config.dim
        H = model.config.heads
        for block in model.blocks:
            for joint in (block.attention.qkv.weight, block.attention.qkv.bias):
                joint[:D] *= factor(D // H, D)

    return changed(change)


def attention(answer: Callable) -> None:
    mistakes = {
        "the scores are not divided by the root of K": louder(lambda K, D: K**0.5),
        "the scores are divided twice by the root of K, or once by K": louder(
            lambda K, D: K**-0.5
        ),
        "softmax ran over the queries: each query's weights over the keys sum to 1, dim=-1": mixed(
            lambda q, k, v: softmax_mix(q, k, v, dim=-2)
        ),
        "softmax ran over the heads: take the last axis, the keys": mixed(
            lambda q, k, v: softmax_mix(q, k, v, dim=1)
        ),
        "softmax ran over the batch: take the last axis, the keys": mixed(
            lambda q, k, v: softmax_mix(q, k, v, dim=0)
        ),
        "the softmax is missing": mixed(
            lambda q, k, v: q @ k.mT / q.shape[-1] ** 0.5 @ v
        ),
    }
    compare_models(answer, sizes(), quiet_mlp, mistakes | ATTENTION | other_orders())


def heads(answer: Callable) -> None:
    joint = "b t (three h k) -> three b h t k"
    merged = "b h t k -> b t (h k)"

    def by_view(joint: Tensor, heads: int) -> list[Tensor]:
        return [
            part.reshape(len(part), heads, part.shape[1], -1)
            for part in joint.chunk(3, dim=-1)
        ]

    mistakes = {
        "a view is no transpose: split D into (h k) first, then bring the heads in front of the tokens": mixed(
            split=by_view
        ),
        "a view is no transpose: bring the heads behind the tokens, then merge them to (h k)": mixed(
            merge=lambda values: values.reshape(len(values), values.shape[2], -1)
        ),
        "two views are no transposes: the heads go in front of the tokens and come back behind them": mixed(
            split=by_view,
            merge=lambda values: values.reshape(len(values), values.shape[2], -1),
        ),
        "D is split into (k h): a head's numbers stand side by side, (h k)": mixed(
            split="b t (three k h) -> three b h t k", merge="b h t k -> b t (k h)"
        ),
        "D is split into (k h): a head's numbers stand side by side, (h k); merged they do": mixed(
            split="b t (three k h) -> three b h t k"
        ),
        "the heads are merged as (k h): a head's numbers stand side by side, (h k)": (
            mixed(merge="b h t k -> b t (k h)")
        ),
        "q, k and v are cut out head by head: qkv stacks all of q, then all of k, then all of v": mixed(
            split="b t (h three k) -> three b h t k"
        ),
        "there is one head of D numbers: split it into config.heads": mixed(
            split=lambda qkv, heads: rearrange(qkv, joint, three=3, h=1), merge=merged
        ),
        "the scores are divided by the root of D: a head has K = D/H numbers": louder(
            lambda K, D: (K / D) ** 0.5
        ),
        "softmax ran over the heads: take the last axis, the keys": mixed(
            lambda q, k, v: softmax_mix(q, k, v, dim=1)
        ),
    }
    compare_models(answer, sizes(heads=3), quiet_mlp, mistakes)
