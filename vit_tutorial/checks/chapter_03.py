"""Checks of chapter 03: the attention formula, what each head adds, and which biases
are not needed.
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import permutations

import torch
from einops import rearrange
from torch import Tensor

from vit_tutorial.attention import MultiHeadSelfAttention
from vit_tutorial.attention import attend as right_attend
from vit_tutorial.checks.harness import (
    NotSolved,
    ask,
    checked,
    combined,
    compare,
    compare_gradients,
    distinct,
    listed,
    randomize,
    same,
    two,
)
from vit_tutorial.checks.state import in_two_modes

REVERSED = (
    "queries and keys have changed places: a row belongs to the one who asks, scores ="
    " q @ k.transpose(-2, -1)"
)
OVER_QUERIES = "your rows do not sum to 1: softmax ran over the queries; use dim=-1"
UNSCALED = "the scores are not divided by sqrt(K)"


@checked
def attend(answer: Callable) -> str:
    """my_attend(q, k, v), three tensors (..., T, K) -> mixed (..., T, K) and weights
    (..., T, T).
    """
    *leading, T, K = distinct(5, 3, 7)
    # an axis of length 1 stays, too
    axes = [(), leading[:1], leading[:2], leading, [1], [1, 1]]
    for front in axes:
        dtype = torch.float64 if front == leading[:2] else torch.float32
        compare_attention(answer, *torch.randn(3, *front, T, K, dtype=dtype))
    return (
        "values, weights and gradients are those of the package, with any number of"
        " axes in front"
    )


def compare_attention(answer: Callable, q: Tensor, k: Tensor, v: Tensor) -> None:
    """Raise NotSolved unless of q, k and v come the package's values, weights and
    gradients.
    """
    inputs = {
        name: value.requires_grad_()
        for name, value in zip("qkv", (q, k, v), strict=True)
    }
    case = f"q, k and v of shape {tuple(q.shape)}"
    pair = "a pair, mixed of shape (..., T, K) and weights of shape (..., T, T),"
    got = ask(answer, q, k, v, expected=pair, case=case)
    mixed, weights = right_attend(q, k, v)
    if isinstance(got, Tensor) and same(got, mixed):
        raise NotSolved(
            "these are the mixed values; return the weights beside them, as a pair"
        )
    mine = two(answer, got, pair)
    if mine[0].shape == weights.shape and mine[1].shape == mixed.shape:
        raise NotSolved(
            "the pair is the other way round: the mixed values come first, then the"
            " weights"
        )
    mistakes = wrong_weights(q, k)
    compare(answer, mine[1], weights, mistakes, f"the weights, with {case}")
    mistakes = wrong_mixes(q, k, v, weights)
    compare(answer, mine[0], mixed, mistakes, f"the mixed values, with {case}")
    compare_gradients(answer, mine[0], mixed, inputs)
    compare_gradients(answer, mine[1], weights, {"q": q, "k": k})


WEIGHTS = {
    "turn": {
        REVERSED: lambda q, k: k @ q.mT,
        "k was reshaped, not turned: its numbers kept their order and ended in other"
        " tokens; k.transpose(-2, -1) makes columns of its rows": lambda q, k: (
            q @ k.reshape(k.mT.shape)
        ),
        "the queries are compared with themselves": lambda q, k: q @ q.mT,
        "the keys are compared with themselves": lambda q, k: k @ k.mT,
    },
    "scale": {
        UNSCALED: lambda T, K: 1.0,
        "the scores are divided by K, not by its root, or twice by the"
        " root": lambda T, K: 1 / K,
        "the scores are multiplied by sqrt(K), they should be divided": lambda T, K: (
            K**0.5
        ),
        "the root is of T, the number of tokens; it should be of K, the last"
        " axis": lambda T, K: T**-0.5,
        "the sign of the scores is turned: the best key should have the largest"
        " share": lambda T, K: -(K**-0.5),
    },
    "share": {
        OVER_QUERIES: lambda scores, K: scores.softmax(dim=-2),
        "these are the scores: the softmax that makes shares of them is"
        " missing": lambda scores, K: scores,
        "the division by sqrt(K) came after the softmax: it belongs to the scores,"
        " before they are shares": lambda scores, K: (
            (scores * K**0.5).softmax(dim=-1) * K**-0.5
        ),
        "the shares of a row do not sum to 1: that is a sigmoid, softmax was"
        " expected": lambda scores, K: scores.sigmoid(),
        "each score is divided by the sum of its row: softmax sums their"
        " exponentials": lambda scores, K: scores / scores.sum(dim=-1, keepdim=True),
        "some keys are shut out, as in a causal mask: here every token may listen to"
        " all": lambda scores, K: (
            scores + torch.full_like(scores, -torch.inf).triu(1)
        ).softmax(dim=-1),
        "these are logarithms of shares: softmax was expected, not"
        " log_softmax": lambda scores, K: scores.log_softmax(dim=-1),
    },
}


def shares(
    q: Tensor,
    k: Tensor,
    turn: Callable = lambda q, k: q @ k.mT,
    scale: Callable = lambda T, K: K**-0.5,
    share: Callable = lambda scores, K: scores.softmax(dim=-1),
) -> Tensor:
    """The weights; the last three arguments are the places where one may slip."""
    return share(turn(q, k) * scale(*q.shape[-2:]), q.shape[-1])


def wrong_weights(q: Tensor, k: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of queries and keys: sentence -> weights."""
    axes = {
        f"softmax ran over axis {axis} of {q.ndim}, which holds neither queries nor"
        " keys; use dim=-1": lambda scores, K, axis=axis: scores.softmax(dim=axis)
        for axis in range(q.ndim - 2)
    }
    turned = "the weights are turned: row i belongs to query i, and sums to 1"
    table = WEIGHTS | {"share": WEIGHTS["share"] | axes}
    return {turned: shares(q, k).mT} | combined(partial(shares, q, k), table)


MIXED = {
    "the weights are right, the mixing is not: each row of weights mixes the values;"
    " yours are turned": lambda weights, v: weights.transpose(-2, -1) @ v,
    "the weights are right, but they mix the keys: what is handed over are the"
    " values": lambda weights, k: weights @ k,
    "the weights are right, but they mix the queries: what is handed over are the"
    " values": lambda weights, q: weights @ q,
    "the values are mixed with the scores, not with their softmax": lambda scores, v: (
        scores @ v
    ),
    "the values are mixed with the scaled scores, not with their"
    " softmax": lambda scores, v, root: scores @ v / root,
    "the weights you return are right, the values are mixed with other ones, whose"
    " scores are not scaled": lambda scores, v: scores.softmax(dim=-1) @ v,
    "the mixed values are divided by sqrt(K) once more: the scale belongs to the scores"
    " alone": lambda weights, v, root: weights @ v / root,
    "the mixed values are turned: a row is a token, as in v": lambda weights, v: (
        weights @ v
    ).transpose(-2, -1),
    "the mixed values are turned, and each weight went to another value: weights"
    " @ v": lambda v, weights: v.transpose(-2, -1) @ weights,
    "the mixed values have the old ones added: a sum with what came in belongs to the"
    " block": lambda weights, v: weights @ v + v,
    "the values came back as they were: weights @ v mixes them": lambda v: v,
}


def wrong_mixes(q: Tensor, k: Tensor, v: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of the values: sentence -> mixed values."""
    root = q.shape[-1] ** 0.5
    scores = q @ k.mT
    return listed(MIXED, k=k, q=q, root=root, scores=scores, v=v, weights=weights)


# ---- a layer taken apart


def drawn_layer(
    B: int, H: int, T: int, K: int, dtype: torch.dtype
) -> tuple[MultiHeadSelfAttention, Tensor]:
    """A layer whose weights and biases are all fresh, and tokens (B, T, D) for it, D =
    H*K.
    """
    D = H * K
    layer = MultiHeadSelfAttention(D, H).to(dtype)
    randomize(layer)
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
        case = f"B={B}, H={H}, T={T}, K={K}, D={H * K}"
        expected = "a tensor of shape (B, H, T, D)"
        got = ask(answer, layer, tokens, expected=expected, case=case, noun="layer")
        want = head_outputs(layer, tokens)
        mistakes = wrong_parts(layer, tokens) if B > 1 else None
        compare(answer, got, want, mistakes, case)
        inputs = {"tokens": tokens}
        # the keys' bias has a gradient of 0, which single precision would blur
        if dtype == torch.float64:
            weights = layer.named_parameters()
            inputs |= {f"layer.{name}": value for name, value in weights}
        compare_gradients(answer, got, want, inputs)
    return "the parts of all heads and one bias sum to the layer's output"


def split(joined: Tensor, heads: int, order: str = "three h k") -> Tensor:
    """Queries, keys and values: (B, T, 3D) -> (3, B, H, T, K)."""
    return rearrange(joined, f"b t ({order}) -> three b h t k", three=3, h=heads)


def by_view(joined: Tensor, heads: int) -> Tensor:
    B, T, _ = joined.shape
    return torch.stack([role.reshape(B, heads, T, -1) for role in joined.chunk(3, -1)])


def columns_of(layer: MultiHeadSelfAttention, order: str = "d (h k)") -> Tensor:
    """What of layer.out.weight reads which head: (H, K, D)."""
    return rearrange(layer.out.weight, f"{order} -> h k d", h=layer.heads)


def mixed_by(scale: Callable[[Tensor], float], axis: int = -1) -> Callable:
    return lambda q, k, v: ((q @ k.mT * scale(q)).softmax(dim=axis) @ v, None)


def head_outputs(
    layer: MultiHeadSelfAttention,
    tokens: Tensor,
    cut: Callable = split,
    roles: Iterable[str] = "qkv",
    mix: Callable = right_attend,
    columns: Callable = columns_of,
    end: Callable = lambda parts, layer: parts,
) -> Tensor:
    """What each head adds; the last five arguments are the places to slip."""
    three = cut(layer.qkv(tokens), layer.heads)
    found = dict(zip(roles, three, strict=True))
    return end(mix(found["q"], found["k"], found["v"])[0] @ columns(layer), layer)


PARTS = {
    "cut": {
        "tokens and heads are mixed up: view or reshape to (B, H, T, K) cuts across"
        " tokens; split D into (h k) first, then move h in front of t": by_view,
        "heads were split before roles: qkv's 3D numbers are in the order role,"
        " head, K": partial(split, order="h three k"),
        "D was split as (K, H): a head's numbers stand side by side, so it is (h"
        " k)": partial(split, order="three k h"),
    },
    "roles": {
        f"the order of roles in qkv is q, k, v, not {', '.join(order)}": order
        for order in permutations("qkv")
        if order != ("q", "k", "v")
    },
    "mix": {
        "the scores are divided by sqrt(D): a head's queries have K numbers": mixed_by(
            lambda q: (q.shape[1] * q.shape[-1]) ** -0.5
        ),
        UNSCALED: mixed_by(lambda q: 1.0),
        OVER_QUERIES: mixed_by(lambda q: q.shape[-1] ** -0.5, axis=-2),
    },
    "columns": {
        "head h was given rows of layer.out.weight: it is stored (out, in), columns are"
        " what reads head h": partial(columns_of, order="(h k) d"),
        "columns of layer.out.weight were dealt out in turn: a head's K columns stand"
        " side by side": partial(columns_of, order="d (k h)"),
        "the answers were put side by side but not passed through"
        " layer.out.weight": lambda layer: rearrange(
            torch.eye(len(layer.out.weight)).to(layer.out.weight),
            "(h k) d -> h k d",
            h=layer.heads,
        ),
    },
    "end": {
        "layer.out.bias is in every head's part: it belongs to none of"
        " them": lambda parts, layer: parts + layer.out.bias,
        "layer.out.bias was shared out among the heads: it belongs to none of"
        " them": lambda parts, layer: parts + layer.out.bias / layer.heads,
        "the axes are (B, T, H, D): heads come before tokens": lambda parts, layer: (
            parts.transpose(1, 2)
        ),
        "the axes are (H, B, T, D): the batch comes first": lambda parts, layer: (
            parts.transpose(0, 1)
        ),
        "the heads are summed already: keep them apart, (B, H, T,"
        " D)": lambda parts, layer: parts.sum(dim=1),
        "each part is divided by H: the heads add up, they are not"
        " averaged": lambda parts, layer: parts / layer.heads,
    },
}
OTHER_PARTS = {
    "these are the heads' answers before `out`: each still has to pass through its"
    " piece of layer.out.weight": lambda bare: bare,
    "this is the layer's output, with the bias: its parts were asked for, one a"
    " head": lambda layer, tokens: layer(tokens),
    "the heads were joined by view or reshape: from (B, H, T, K) to (B, T, D) heads"
    " move behind tokens first": lambda bare, columns, tokens: (
        rearrange(bare.reshape(tokens.shape), "b t (h k) -> b h t k", h=len(columns))
        @ columns
    ),
    "all parts are alike, a share of the whole: each head adds something of its"
    " own": lambda layer, tokens, bare: (
        (layer(tokens) - layer.out.bias) / layer.heads
    )[:, None].expand(-1, layer.heads, -1, -1),
    "the bias of layer.qkv is missing": lambda layer, tokens, columns: (
        right_attend(*split(tokens @ layer.qkv.weight.T, layer.heads))[0] @ columns
    ),
    "the values' bias is missing: it is part of what a head"
    " says": lambda layer, bare, columns: (
        (bare - layer.qkv.bias.chunk(3)[2].reshape(layer.heads, 1, -1)) @ columns
    ),
    "a head whose queries are silenced still says something, the plain mean of its"
    " values; it is missing here": lambda bare, v, columns: (
        (bare - v.mean(dim=2, keepdim=True)) @ columns
    ),
    "these are K numbers a head: each head adds to all D numbers of a"
    " token": lambda bare: bare.transpose(1, 2),
}


def wrong_parts(layer: MultiHeadSelfAttention, tokens: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of a layer: sentence -> parts."""
    q, k, v = split(layer.qkv(tokens), layer.heads)
    bare = right_attend(q, k, v)[0]
    columns = columns_of(layer)
    others = listed(
        OTHER_PARTS, layer=layer, tokens=tokens, bare=bare, v=v, columns=columns
    )
    return others | combined(partial(head_outputs, layer, tokens), PARTS)


BY_HEAD = (
    "the bias was cut head by head: it stacks all of q, then all of k, then all of v"
)
BY_TURNS = (
    "every third number was taken: the bias stacks all of q, then all of k, then all"
    " of v"
)


QKV_BIASES = {
    "the keys' bias was added to the queries': it needs no place at"
    " all": lambda q, k, zeros: torch.cat([q + k, zeros]),
    "the values' bias was added to the queries': there it means something"
    " else": lambda q, v, zeros: torch.cat([q + v, zeros]),
    "the keys' bias stands where the queries' was": lambda k, zeros: torch.cat(
        [k, zeros]
    ),
    "the values' bias stands where the queries' was": lambda v, zeros: torch.cat(
        [v, zeros]
    ),
    BY_HEAD: lambda by_head, zeros: torch.cat([by_head[0], zeros]),
    BY_TURNS: lambda by_turns, zeros: torch.cat([by_turns[0], zeros]),
}


OUT_BIASES = {
    "the values' bias is gone and nothing does its work: the shares of a row sum to 1,"
    " so it added the same vector to every token": lambda out: out,
    "the values' bias passes through layer.out.weight before it meets"
    " layer.out.bias": lambda out, v: out + v,
    "layer.out.weight is stored (out, in): a vector passes through it as weight @"
    " vector": lambda out, v, weight: out + v @ weight,
    "the old bias of layer.out is lost: what comes is added to it": lambda weight, v: (
        weight @ v
    ),
    "the bias of layer.out is counted twice: layer.out(...) has added it"
    " already": lambda out, weight, v: 2 * out + weight @ v,
    "the keys' bias was moved to layer.out: of queries, keys, values it is the second"
    " third": lambda out, weight, k: out + weight @ k,
    "the queries' bias was moved to layer.out: it is the values' that can go"
    " there": lambda out, weight, q: out + weight @ q,
    "both the keys' and the values' bias were moved to layer.out: the keys' did"
    " nothing": lambda out, weight, k, v: out + weight @ (k + v),
    BY_HEAD: lambda out, weight, by_head: out + weight @ by_head[2],
    BY_TURNS: lambda out, weight, by_turns: out + weight @ by_turns[2],
    "what the values' bias did is taken away once more: it is to be"
    " added": lambda out, weight, v: out - weight @ v,
}


@checked
def lean_biases(answer: Callable) -> str:
    """my_lean_biases(layer) -> a bias (3D,) for layer.qkv, two thirds of it zero, and
    one (D,) for layer.out.

    There is one such pair: scores tell any other bias of the queries, and shares that
    sum to 1 fix what `out` adds.
    """
    for B, H, T, K, dtype in drawn_sizes():
        layer, _ = drawn_layer(B, H, T, K, dtype)
        D = H * K
        pair = "a pair, qkv_bias of shape (3D,) and out_bias of shape (D,),"
        case = f"a layer of width {D} with {H} heads"
        got = ask(answer, layer, expected=pair, case=case, noun="layer")
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
        two_thirds_zero(qkv_bias)
        given = layer.state_dict()
        bias = given["qkv.bias"]
        q, k, v = bias.chunk(3)
        drawn = {
            "q": q,
            "k": k,
            "v": v,
            "zeros": torch.zeros_like(bias[D:]),
            "weight": given["out.weight"],
            "out": given["out.bias"],
            "by_head": rearrange(bias, "(h three k) -> three (h k)", h=H, three=3),
            "by_turns": rearrange(bias, "(d three) -> three d", three=3),
        }
        want = torch.cat([q, drawn["zeros"]])
        mistakes = listed(QKV_BIASES, **drawn)
        compare(answer, qkv_bias, want, mistakes, "the bias of layer.qkv")
        want = drawn["out"] + drawn["weight"] @ v
        mistakes = listed(OUT_BIASES, **drawn)
        compare(answer, out_bias, want, mistakes, "the bias of layer.out")
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
