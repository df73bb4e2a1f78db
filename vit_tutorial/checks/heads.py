"""The checks of chapter 03 that take a layer apart: what each head adds, and which
biases are not needed.
"""

from collections.abc import Callable, Iterable
from itertools import permutations

import torch
from einops import rearrange
from torch import Tensor, nn

from vit_tutorial.attention import MultiHeadSelfAttention, attend
from vit_tutorial.checks.attention import OVER_QUERIES, UNSCALED, two
from vit_tutorial.checks.core import (
    NotSolved,
    ask,
    checked,
    compare,
    compare_gradients,
    distinct,
)
from vit_tutorial.checks.slips import slips
from vit_tutorial.checks.state import in_two_modes


def drawn_layer(
    B: int, H: int, T: int, K: int, dtype: torch.dtype
) -> tuple[MultiHeadSelfAttention, Tensor]:
    """A layer whose weights and biases are all fresh, and tokens (B, T, D) for it, D =
    H*K.
    """
    D = H * K
    layer = MultiHeadSelfAttention(D, H).to(dtype)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=D**-0.5 if parameter.ndim > 1 else 1.0)
    return in_two_modes(layer), torch.randn(B, T, D, dtype=dtype)


def drawn_sizes() -> list[tuple[int, int, int, int, torch.dtype]]:
    """B, H, T, K and the type of two layers; no size equals another, nor its own in the
    other layer.
    """
    B, H, K, *others = distinct(6, 2, 7)
    return [
        (B, H, 11, K, torch.float32),
        (others[0], others[1], 13, others[2], torch.float64),
    ]


@checked
def head_parts(answer: Callable) -> str:
    """my_head_parts(layer, tokens): (B, T, D) -> (B, H, T, D), what each head adds to
    the layer's output.
    """
    for B, H, T, K, dtype in [*drawn_sizes(), (1, 1, 1, 5, torch.float32)]:
        layer, tokens = drawn_layer(B, H, T, K, dtype)
        tokens.requires_grad_()
        sizes = f"B={B}, H={H}, T={T}, K={K}, D={H * K}"
        got = ask(
            answer,
            layer,
            tokens,
            expected="a tensor of shape (B, H, T, D)",
            case=sizes,
            noun="layer",
        )
        want = parts(layer, tokens)
        compare(
            answer, got, want, slips_of_parts(layer, tokens) if B > 1 else None, sizes
        )
        inputs = {"tokens": tokens}
        # the keys' bias has a gradient of 0, which single precision would blur
        if dtype == torch.float64:
            inputs |= {
                f"layer.{name}": value for name, value in layer.named_parameters()
            }
        compare_gradients(answer, got, want, inputs)
    return "the parts of all heads and one bias sum to the layer's output"


def parts(
    layer: MultiHeadSelfAttention,
    tokens: Tensor,
    split: str | None = "b t (three h k) -> three b h t k",
    roles: Iterable[str] = "qkv",
    mix: Callable = attend,
    columns: str | None = "d (h k) -> h k d",
    end: Callable = lambda parts: parts,
) -> Tensor:
    B, T, D = tokens.shape
    H = layer.heads
    joined = layer.qkv(tokens)
    if split is None:
        three = [role.reshape(B, H, T, D // H) for role in joined.chunk(3, dim=-1)]
    else:
        three = rearrange(joined, split, three=3, h=H)
    found = dict(zip(roles, three, strict=True))
    if columns is None:
        reads = rearrange(torch.eye(D, dtype=tokens.dtype), "(h k) d -> h k d", h=H)
    else:
        reads = rearrange(layer.out.weight, columns, h=H)
    return end(mix(found["q"], found["k"], found["v"])[0] @ reads)


def slips_of_parts(layer: MultiHeadSelfAttention, tokens: Tensor) -> dict[str, Tensor]:
    B, T, D = tokens.shape
    H = layer.heads
    bias = layer.out.bias

    def mix(scale: float, axis: int) -> Callable:
        return lambda q, k, v: (
            (q @ k.transpose(-2, -1) * scale).softmax(dim=axis) @ v,
            None,
        )

    def form(**choices: object) -> Tensor:
        return parts(layer, tokens, **choices)

    def split(joined: Tensor) -> Tensor:
        return rearrange(joined, "b t (three h k) -> three b h t k", three=3, h=H)

    q, k, v = split(layer.qkv(tokens))
    bare = attend(q, k, v)[0]
    columns = rearrange(layer.out.weight, "d (h k) -> h k d", h=H)
    found = {
        "these are the heads' answers before `out`: each still has to pass through its piece of layer.out.weight": (
            bare
        ),
        "this is the layer's output, with the bias: its parts were asked for, one a head": layer(
            tokens
        ),
        "the heads were joined by view or reshape: from (B, H, T, K) to (B, T, D) heads move behind tokens first": (
            rearrange(bare.reshape(B, T, D), "b t (h k) -> b h t k", h=H) @ columns
        ),
        "all parts are alike, a share of the whole: each head adds something of its own": (
            ((layer(tokens) - bias) / H)[:, None].expand(B, H, T, D)
        ),
        "the bias of layer.qkv is missing": (
            attend(*split(tokens @ layer.qkv.weight.T))[0] @ columns
        ),
        "the values' bias is missing: it is part of what a head says": (
            (bare - layer.qkv.bias.chunk(3)[2].reshape(H, 1, D // H)) @ columns
        ),
        "a head whose queries are silenced still says something, the plain mean of its values; it is missing here": (
            (bare - v.mean(dim=2, keepdim=True)) @ columns
        ),
        "these are K numbers a head: each head adds to all D numbers of a token": (
            bare.transpose(1, 2)
        ),
    }
    return found | slips(
        form,
        {
            "split": {
                "tokens and heads are mixed up: view or reshape to (B, H, T, K) cuts across tokens; split D into (h k) first, then move h in front of t": (
                    None
                ),
                "heads were split before roles: qkv's 3D numbers are in the order role, head, K": (
                    "b t (h three k) -> three b h t k"
                ),
                "D was split as (K, H): a head's numbers stand side by side, so it is (h k)": (
                    "b t (three k h) -> three b h t k"
                ),
            },
            "roles": {
                f"the order of roles in qkv is q, k, v, not {', '.join(order)}": order
                for order in permutations("qkv")
                if order != ("q", "k", "v")
            },
            "mix": {
                "the scores are divided by sqrt(D): a head's queries have K numbers": (
                    mix(D**-0.5, -1)
                ),
                UNSCALED: mix(1.0, -1),
                OVER_QUERIES: mix((D // H) ** -0.5, -2),
            },
            "columns": {
                "head h was given rows of layer.out.weight: it is stored (out, in), columns are what reads head h": (
                    "(h k) d -> h k d"
                ),
                "columns of layer.out.weight were dealt out in turn: a head's K columns stand side by side": (
                    "d (k h) -> h k d"
                ),
                "the answers were put side by side but not passed through layer.out.weight": (
                    None
                ),
            },
            "end": {
                "layer.out.bias is in every head's part: it belongs to none of them": (
                    lambda parts: parts + bias
                ),
                "layer.out.bias was shared out among the heads: it belongs to none of them": (
                    lambda parts: parts + bias / H
                ),
                "the axes are (B, T, H, D): heads come before tokens": (
                    lambda parts: parts.transpose(1, 2)
                ),
                "the axes are (H, B, T, D): the batch comes first": (
                    lambda parts: parts.transpose(0, 1)
                ),
                "the heads are summed already: keep them apart, (B, H, T, D)": (
                    lambda parts: parts.sum(dim=1)
                ),
                "each part is divided by H: the heads add up, they are not averaged": (
                    lambda parts: parts / H
                ),
            },
        },
    )


BY_HEAD = (
    "the bias was cut head by head: it stacks all of q, then all of k, then all of v"
)
BY_TURNS = (
    "every third number was taken: the bias stacks all of q, then all of k, then all"
    " of v"
)


@checked
def lean_biases(answer: Callable) -> str:
    """my_lean_biases(layer) -> a bias (3D,) for layer.qkv, two thirds of it zero, and
    one (D,) for layer.out.

    There is one such pair: scores tell any other bias of the queries, and shares that
    sum to 1 fix what `out` adds.
    """
    for B, H, T, K, dtype in drawn_sizes():
        layer, _ = drawn_layer(B, H, T, K, dtype)
        before = layer.state_dict()
        D = H * K
        pair = "a pair, qkv_bias of shape (3D,) and out_bias of shape (D,),"
        got = ask(
            answer,
            layer,
            expected=pair,
            case=f"a layer of width {D} with {H} heads",
            noun="layer",
        )
        qkv_bias, out_bias = (value.detach() for value in two(answer, got, pair))
        if (qkv_bias.shape, out_bias.shape) == ((D,), (3 * D,)):
            raise NotSolved(
                "the pair is the other way round: the bias of layer.qkv comes first"
            )
        if qkv_bias.shape != (3 * D,):
            raise NotSolved(
                f"the bias for layer.qkv has shape {tuple(qkv_bias.shape)}, expected"
                f" (3D,) = {(3 * D,)}"
            )
        q, k, v = before["qkv.bias"].chunk(3)
        zeros = torch.zeros(2 * D, dtype=dtype)
        by_head = rearrange(
            before["qkv.bias"], "(h three k) -> three (h k)", h=H, three=3
        )
        by_turns = rearrange(before["qkv.bias"], "(d three) -> three d", three=3)
        two_thirds_zero(qkv_bias)
        mistakes = {
            "the keys' bias was added to the queries': it needs no place at all": (
                torch.cat([q + k, zeros])
            ),
            "the values' bias was added to the queries': there it means something else": torch.cat(
                [q + v, zeros]
            ),
            "the keys' bias stands where the queries' was": torch.cat([k, zeros]),
            "the values' bias stands where the queries' was": torch.cat([v, zeros]),
            BY_HEAD: torch.cat([by_head[0], zeros]),
            BY_TURNS: torch.cat([by_turns[0], zeros]),
        }
        compare(
            answer, qkv_bias, torch.cat([q, zeros]), mistakes, "the bias of layer.qkv"
        )
        weight = before["out.weight"]
        out = before["out.bias"]
        mistakes = {
            "the values' bias is gone and nothing does its work: the shares of a row sum to 1, so it added the same vector to every token": (
                out
            ),
            "the values' bias passes through layer.out.weight before it meets layer.out.bias": (
                out + v
            ),
            "layer.out.weight is stored (out, in): a vector passes through it as weight @ vector": (
                out + v @ weight
            ),
            "the old bias of layer.out is lost: what comes is added to it": weight @ v,
            "the bias of layer.out is counted twice: layer.out(...) has added it already": (
                2 * out + weight @ v
            ),
            "the keys' bias was moved to layer.out: of queries, keys, values it is the second third": (
                out + weight @ k
            ),
            "the queries' bias was moved to layer.out: it is the values' that can go there": (
                out + weight @ q
            ),
            "both the keys' and the values' bias were moved to layer.out: the keys' did nothing": (
                out + weight @ (k + v)
            ),
            BY_HEAD: out + weight @ by_head[2],
            BY_TURNS: out + weight @ by_turns[2],
            "what the values' bias did is taken away once more: it is to be added": (
                out - weight @ v
            ),
        }
        compare(answer, out_bias, out + weight @ v, mistakes, "the bias of layer.out")
    return "every output is as before, with a third of the biases in qkv. Now say why"


def two_thirds_zero(qkv_bias: Tensor) -> None:
    """Raise NotSolved unless of the biases (3D,) those of the queries are left, and
    they alone.
    """
    thirds = zip(("queries", "keys", "values"), qkv_bias.chunk(3), strict=True)
    left = [name for name, third in thirds if third.any()]
    if left == ["queries", "values"]:
        raise NotSolved(
            "the keys' bias is gone, and rightly; one more third can go, if"
            " layer.out.bias does its work"
        )
    if "queries" not in left:
        raise NotSolved(
            "the queries' bias is gone: it adds another number to each key's score, so"
            " the shares change"
        )
    zeros = (qkv_bias == 0).sum().item()
    total = len(qkv_bias)
    if len(left) > 1 and zeros >= total // 3 * 2:
        raise NotSolved(
            "the zeros are scattered: the first D numbers are the queries', then come"
            " the keys', the values'"
        )
    if len(left) > 1:
        names = " and the ".join(left)
        raise NotSolved(
            f"{zeros} of {total} numbers are zero, {total // 3 * 2} were asked for: the"
            f" {names} are left"
        )
