"""The check of the attention formula (chapter 03)."""

from collections.abc import Callable

import torch
from torch import Tensor

from vit_tutorial.attention import attend as right_attend
from vit_tutorial.checks.core import (
    NotSolved,
    ask,
    called,
    checked,
    compare,
    compare_gradients,
    distinct,
    same,
)
from vit_tutorial.checks.slips import slips

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
    for front, dtype in zip(
        axes,
        [torch.float32, torch.float32, torch.float64] + 3 * [torch.float32],
        strict=True,
    ):
        shape = (*front, T, K)
        q, k, v = torch.randn(3, *shape, dtype=dtype)
        inputs = {
            "q": q.requires_grad_(),
            "k": k.requires_grad_(),
            "v": v.requires_grad_(),
        }
        case = f"q, k and v of shape {shape}"
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
        compare(
            answer,
            mine[1],
            weights,
            slips_of_weights(q, k),
            f"the weights, with {case}",
        )
        compare(
            answer,
            mine[0],
            mixed,
            slips_of_mixed(q, k, v, weights),
            f"the mixed values, with {case}",
        )
        compare_gradients(answer, mine[0], mixed, inputs)
        compare_gradients(answer, mine[1], weights, {"q": q, "k": k})
    return (
        "values, weights and gradients are those of the package, with any number of"
        " axes in front"
    )


def two(answer: Callable, got: object, expected: str) -> list[Tensor]:
    """The two tensors of a pair; NotSolved for anything else."""
    if (
        not isinstance(got, tuple | list)
        or len(got) != 2
        or not all(isinstance(value, Tensor) for value in got)
    ):
        inside = (
            f" of {', '.join(type(value).__name__ for value in got)}"
            if isinstance(got, tuple | list)
            else ""
        )
        raise NotSolved(
            f"{called(answer)} returned a {type(got).__name__}{inside}, {expected} was"
            " expected"
        )
    return list(got)


def slips_of_weights(q: Tensor, k: Tensor) -> dict[str, Tensor]:
    T = q.shape[-2]
    K = q.shape[-1]
    last = q.ndim - 1

    def form(
        turn: Callable = lambda q, k: q @ k.transpose(-2, -1),
        scale: float = K**-0.5,
        share: Callable | int = -1,
    ) -> Tensor:
        scores = turn(q, k) * scale
        return scores.softmax(dim=share) if isinstance(share, int) else share(scores)

    turned = {
        "the weights are turned: row i belongs to query i, and sums to 1": (
            form().transpose(-2, -1)
        )
    }
    return turned | slips(
        form,
        {
            "turn": {
                REVERSED: lambda q, k: k @ q.transpose(-2, -1),
                "k was reshaped, not turned: its numbers kept their order and ended in other tokens; k.transpose(-2, -1) makes columns of its rows": (
                    lambda q, k: q @ k.reshape(*k.shape[:-2], K, T)
                ),
                "the queries are compared with themselves": (
                    lambda q, k: q @ q.transpose(-2, -1)
                ),
                "the keys are compared with themselves": (
                    lambda q, k: k @ k.transpose(-2, -1)
                ),
            },
            "scale": {
                UNSCALED: 1.0,
                "the scores are divided by K, not by its root, or twice by the root": (
                    1 / K
                ),
                "the scores are multiplied by sqrt(K), they should be divided": K**0.5,
                "the root is of T, the number of tokens; it should be of K, the last axis": (
                    T**-0.5
                ),
                "the sign of the scores is turned: the best key should have the largest share": -(
                    K**-0.5
                ),
            },
            "share": {
                OVER_QUERIES: -2,
                **{
                    f"softmax ran over axis {axis} of {q.ndim}, which holds neither queries nor keys; use dim=-1": (
                        axis
                    )
                    for axis in range(last - 1)
                },
                "these are the scores: the softmax that makes shares of them is missing": (
                    lambda scores: scores
                ),
                "the division by sqrt(K) came after the softmax: it belongs to the scores, before they are shares": (
                    lambda scores: (scores * K**0.5).softmax(dim=-1) * K**-0.5
                ),
                "the shares of a row do not sum to 1: that is a sigmoid, softmax was expected": (
                    torch.sigmoid
                ),
                "each score is divided by the sum of its row: softmax sums their exponentials": (
                    lambda scores: scores / scores.sum(dim=-1, keepdim=True)
                ),
                "some keys are shut out, as in a causal mask: here every token may listen to all": (
                    lambda scores: (
                        scores + torch.full((T, T), -torch.inf).triu(1)
                    ).softmax(dim=-1)
                ),
                "these are logarithms of shares: softmax was expected, not log_softmax": lambda scores: (
                    scores.log_softmax(dim=-1)
                ),
            },
        },
    )


def slips_of_mixed(
    q: Tensor, k: Tensor, v: Tensor, weights: Tensor
) -> dict[str, Tensor]:
    root = q.shape[-1] ** 0.5
    scores = q @ k.transpose(-2, -1)
    return {
        "the weights are right, the mixing is not: each row of weights mixes the values; yours are turned": (
            weights.transpose(-2, -1) @ v
        ),
        "the weights are right, but they mix the keys: what is handed over are the values": (
            weights @ k
        ),
        "the weights are right, but they mix the queries: what is handed over are the values": (
            weights @ q
        ),
        "the values are mixed with the scores, not with their softmax": scores @ v,
        "the values are mixed with the scaled scores, not with their softmax": (
            scores @ v / root
        ),
        "the weights you return are right, the values are mixed with other ones, whose scores are not scaled": (
            scores.softmax(dim=-1) @ v
        ),
        "the mixed values are divided by sqrt(K) once more: the scale belongs to the scores alone": (
            weights @ v / root
        ),
        "the mixed values are turned: a row is a token, as in v": (
            (weights @ v).transpose(-2, -1)
        ),
        "the mixed values are turned, and each weight went to another value: weights @ v": (
            v.transpose(-2, -1) @ weights
        ),
        "the mixed values have the old ones added: a sum with what came in belongs to the block": (
            weights @ v + v
        ),
        "the values came back as they were: weights @ v mixes them": v,
    }
