"""Checks of chapter 08: rollout, who looks at a patch, and how sharp a head is."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from vit_tutorial.checks.harness import (
    AND,
    ask,
    checked,
    combined,
    compare,
    distinct,
    listed,
)

MIX_HEADS = "the heads are kept apart: average them first, over axis 1"
KEEP_BATCH = "keep B as the first axis"
UNHALVED = (
    "your rows do not sum to 1: the identity was added and nothing halved, (mean +"
    " identity) / 2"
)
LEFT = (
    "the layers are multiplied in the wrong order: a later layer stands on the left,"
    " step @ joint"
)
NO_RESIDUAL = (
    "the residual is missing: half of each token is carried past the layer, (mean +"
    " identity) / 2"
)
AS_A_QUERY = (
    "this is what the patch itself looks at: rows are queries, and it is looked at"
    " here, so it is a column"
)
EARLY = (
    "was taken before the entropy: the entropy of a mean is larger than the mean"
    " entropy"
)
LARGEST = "the largest head was taken at each place: the mean of the heads is asked for"


def attention_weights(depth: int, *sizes: int) -> list[Tensor]:
    """Uneven weights of `depth` layers, sizes B, H, T: rows sum to 1."""
    return [(2 * torch.randn(*sizes, sizes[-1])).softmax(dim=-1) for _ in range(depth)]


def squeezed(want: Tensor) -> dict[str, Tensor]:
    """What becomes of a first axis of length 1, under the sentence that tells it from a
    mean.
    """
    lost = (
        "an axis of length 1 went lost, as it does in squeeze(): keep the first axis, B"
        " or depth, even where it is 1"
    )
    return {lost: want.squeeze(0)} if len(want) == 1 else {}


def halve(mean: Tensor, eye: Tensor) -> Tensor:
    return (mean + eye) / 2


def by_sum(axis: int) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda mean, eye: (mean + eye) / (mean + eye).sum(dim=axis, keepdim=True)


def added(layer: Tensor) -> Tensor:
    return layer.sum(dim=1)


def largest(layer: Tensor) -> Tensor:
    return layer.amax(dim=1)


def flow(
    weights: list[Tensor],
    heads: Callable[[Tensor], Tensor] = lambda layer: layer.mean(dim=1),
    step: Callable[[Tensor, Tensor], Tensor] = halve,
    join: Callable[[Tensor, Tensor], Tensor] = lambda step, joint: step @ joint,
) -> Tensor:
    """Rollout, any of its three moves exchanged."""
    joint = torch.eye(weights[0].shape[-1])
    for layer in weights:
        joint = join(step(heads(layer), torch.eye(layer.shape[-1])), joint)
    return joint


ROLLOUTS = {
    "heads": {
        "the heads are added, not averaged: a row of their sum is H, not 1": added,
        LARGEST: largest,
        "the images were averaged (axis 0), not the heads (axis 1)": lambda layer: (
            layer.mean(dim=0)
        ),
        "only the first head went in: average over axis 1": lambda layer: layer[:, 0],
        "the weights are turned: rows are queries already, no transpose is"
        " needed": lambda layer: layer.mean(dim=1).mT,
        MIX_HEADS: lambda layer: layer,
    },
    "step": {
        UNHALVED: lambda mean, eye: mean + eye,
        NO_RESIDUAL: lambda mean, eye: mean,
        "the columns sum to 1, the rows should: divide by the sum over the last"
        " axis": by_sum(-2),
        "1 was added everywhere: torch.eye is 1 on the diagonal"
        " alone": lambda mean, eye: (mean + 1) / 2,
    },
    "join": {LEFT: lambda step, joint: joint @ step},
}
OTHER_ROLLOUTS = {
    "the heads are added: divided by its sum, a row keeps less than half of its own"
    " token; average them": lambda weights: flow(weights, added, by_sum(-1)),
    f"{LARGEST}, even if the rows are made to sum to 1": lambda weights: flow(
        weights, largest, by_sum(-1)
    ),
    "the heads are averaged at the end: average them in each layer, before layers are"
    " multiplied": lambda weights: flow(weights, heads=lambda layer: layer).mean(dim=1),
    "the steps are averaged, but they follow one another: multiply"
    " them": lambda steps: steps.mean(dim=0),
    "the steps are multiplied place by place; paths from token to token"
    " need @": lambda steps: steps.prod(dim=0),
    "the residual goes past each layer, not once past all of"
    " them": lambda weights, eye: halve(
        flow(weights, step=lambda mean, eye: mean), eye
    ),
    "the residual goes past each layer, not past the first"
    " alone": lambda weights, steps: (
        flow(weights[1:], step=lambda mean, eye: mean) @ steps[0]
    ),
    "this is the first layer alone: multiply the later ones onto it": lambda steps: (
        steps[0]
    ),
    "this is the last layer alone: multiply it onto those before": lambda steps: steps[
        -1
    ],
    "the first layer is missing": lambda weights: flow(weights[1:]),
    "the last layer is missing": lambda weights: flow(weights[:-1]),
    "the result is turned: its rows are the tokens at the end, its columns those of the"
    " input": lambda want: want.mT,
    "this is the row of the class token, all rows are asked for": lambda want: want[
        :, 0
    ],
    "this is the row of the class token without its first entry, the whole matrix is"
    " asked for": lambda want: want[:, 0, 1:],
    f"the images are averaged: {KEEP_BATCH}": lambda want: want.mean(dim=0),
    f"only one image of the batch is left: {KEEP_BATCH}": lambda want: want[0],
}


def wrong_rollouts(weights: list[Tensor], want: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of the weights: sentence -> maps."""
    steps = torch.stack([flow([layer]) for layer in weights])
    eye = torch.eye(want.shape[-1])
    others = listed(OTHER_ROLLOUTS, weights=weights, want=want, steps=steps, eye=eye)
    return squeezed(want) | combined(partial(flow, weights), ROLLOUTS) | others


@checked
def rollout(answer: Callable) -> str:
    """`my_rollout(weights)`: `depth` tensors (B, H, T, T) -> (B, T, T), whose rows sum
    to 1.
    """
    batch, heads, tokens, depth = distinct(4, 3, 6)
    # no number is a habit
    for count, layers, more in (
        (batch, depth, 0),
        (1, depth + 2, 2),
        (batch, 2, 1),
        (2, 1, 0),
    ):
        weights = attention_weights(layers, count, heads + more, tokens)
        want = flow(weights)
        case = f"{layers} layers of shape {tuple(weights[0].shape)}"
        got = ask(answer, weights, expected="a tensor of shape (B, T, T)", case=case)
        mistakes = wrong_rollouts(weights, want) if layers > 1 else None
        compare(answer, got, want, mistakes, case)
    return f"{depth} layers joined, rows sum to 1"


GAZES = {
    AS_A_QUERY: lambda mean, patch: mean[:, patch + 1, 1:],
    f"{AS_A_QUERY}{AND}token 0 is the class token, so patch n is token n"
    " + 1": lambda mean, patch: mean[:, patch, 1:],
    "this is the patch before: token 0 is the class token, so patch n is token n"
    " + 1": lambda mean, patch: mean[:, 1:, patch],
    "the class token is counted as a patch, among the queries and among the"
    " keys": lambda mean, patch: mean[:, :-1, patch],
    "the class token's own row is among the answers: only patches are asked, (B,"
    " N)": lambda mean, patch: mean[:, :, patch + 1],
    "the first N rows were taken, but row 0 is the class token's and the last patch is"
    " missing": lambda mean, patch: mean[:, :-1, patch + 1],
    MIX_HEADS: lambda layer, patch: layer[:, :, 1:, patch + 1],
    "the images were averaged (axis 0), not the heads (axis 1)": lambda layer, patch: (
        layer.mean(dim=0)[:, 1:, patch + 1]
    ),
    "the heads are added, their mean is asked for": lambda layer, patch: layer.sum(
        dim=1
    )[:, 1:, patch + 1],
    "only the first head was asked, the mean over heads is"
    " wanted": lambda layer, patch: layer[:, 0, 1:, patch + 1],
    LARGEST: lambda layer, patch: layer.amax(dim=1)[:, 1:, patch + 1],
    "the shares are made to sum to 1 over the patches: leave them as they are, the"
    " class token has its own": lambda among, patch: among.mean(dim=1)[..., patch],
    "the mean of the heads is made to sum to 1 over the patches: leave it as it"
    " is": lambda mean, patch: mean[:, 1:, patch + 1] / mean[:, 1:, 1:].sum(dim=-1),
    "the patch's look at itself is left out, it counts with the"
    " others": lambda want, others: want[:, others],
    "the patch's look at itself is set to 0, it counts with the"
    " others": lambda want, others: want * others,
    "this is what each patch gives the class token: patch n is column n"
    " + 1": lambda mean: mean[:, 1:, 0],
    "the axes are swapped: images first, then patches": lambda want: want.mT,
    f"the images are averaged: {KEEP_BATCH}": lambda want: want.mean(dim=0),
    f"only one image of the batch is left: {KEEP_BATCH}": lambda want: want[0],
    "the values are divided by their sum, but a column has no sum to keep: each is a"
    " share of its own row": lambda want: want / want.sum(dim=1, keepdim=True),
    "the queries are averaged, one value for each patch that looks is asked"
    " for": lambda want: want.mean(dim=1),
}


def wrong_gazes(layer: Tensor, patch: int, want: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of one layer: sentence -> (B, N)."""
    mean = layer.mean(dim=1)
    among = layer[:, :, 1:, 1:] / layer[:, :, 1:, 1:].sum(dim=-1, keepdim=True)
    others = torch.arange(want.shape[1]) != patch
    return squeezed(want) | listed(
        GAZES,
        among=among,
        layer=layer,
        mean=mean,
        others=others,
        patch=patch,
        want=want,
    )


@checked
def gaze(answer: Callable) -> str:
    """`my_gaze(layer, patch)`: weights (B, H, T, T) and the number of a patch -> (B,
    N), what each patch gives it.
    """
    batch, heads, tokens = distinct(3, 3, 8)
    # also more than 36
    for count, patch, more in (
        (batch, 1, 0),
        (1, 0, 0),
        (batch, tokens - 2, 0),
        (2, tokens, 40),
    ):
        (layer,) = attention_weights(1, count, heads, tokens + more)
        want = layer.mean(dim=1)[:, 1:, patch + 1]
        case = f"weights of shape {tuple(layer.shape)} and patch {patch}"
        got = ask(answer, layer, patch, expected="a tensor of shape (B, N)", case=case)
        compare(answer, got, want, wrong_gazes(layer, patch, want), case)
    return "each patch's attention to the one that is looked at"


def entropy(layer: Tensor) -> Tensor:
    """Of each row: (..., T, T) -> (..., T)."""
    return torch.special.entr(layer).sum(dim=-1)


ENTROPIES = {
    "the sign is turned: logarithms of shares are negative, so the sum needs a"
    " minus": lambda want: -want,
    "the logarithm has base 2: ln is asked for, torch.log": lambda want: (
        want / math.log(2)
    ),
    "the logarithm has base 10: ln is asked for, torch.log": lambda want: (
        want / math.log(10)
    ),
    "the entropies are divided by ln T: they should run from 0 to"
    " ln T": lambda want, tokens: want / math.log(tokens),
    "a row's values are averaged: the entropy is their sum, over the last"
    " axis": lambda want, tokens: want / tokens,
    "the entropies are added over the queries, their mean is asked"
    " for": lambda want, tokens: want * tokens,
    "the entropies are added over the images, their mean is asked"
    " for": lambda want, batch: want * batch,
    "the entropies are added over images and queries, their mean is asked"
    " for": lambda want, batch, tokens: want * batch * tokens,
    "this is e to the entropy, the number of keys in use; the entropy itself is asked"
    " for": lambda want: want.exp(),
    f"the mean over images {EARLY}": lambda weights: torch.stack(
        [entropy(layer.mean(dim=0)).mean(dim=1) for layer in weights]
    ),
    f"the mean over queries {EARLY}": lambda weights: torch.stack(
        [entropy(layer.mean(dim=2)).mean(dim=0) for layer in weights]
    ),
    f"the mean over images and queries {EARLY}": lambda weights: torch.stack(
        [entropy(la.mean(dim=(0, 2))) for la in weights]
    ),
    f"the mean over heads {EARLY}, and a value for each head is asked"
    " for": lambda weights: torch.stack(
        [entropy(layer.mean(dim=1)).mean() for layer in weights]
    ),
    "the heads are averaged, a value for each is asked for, (depth, H)": lambda want: (
        want.mean(dim=1)
    ),
    "the layers are averaged, a value for each is asked for, (depth, H)": lambda want: (
        want.mean(dim=0)
    ),
    "this is one number, a value for each layer and head is asked for, (depth,"
    " H)": lambda want: want.mean(),
    "the axes are swapped: layers first, then heads": lambda want: want.mT,
    "the images are kept apart, their mean is asked for": lambda weights: torch.stack(
        [entropy(la).mean(dim=2) for la in weights]
    ),
    "the queries are kept apart, their mean is asked for": lambda weights: torch.stack(
        [entropy(la).mean(dim=0) for la in weights]
    ),
    "images and queries are kept apart, their mean is asked for": lambda weights: (
        torch.stack([entropy(la) for la in weights])
    ),
    "the largest entropy was taken, the mean over images and queries is asked"
    " for": lambda weights: torch.stack(
        [entropy(layer).amax(dim=(0, 2)) for layer in weights]
    ),
    "this is the mean largest weight of a row, not its entropy": lambda weights: (
        torch.stack([layer.amax(dim=-1).mean(dim=(0, 2)) for layer in weights])
    ),
    "the class token's query is left out, all T queries count": lambda weights: (
        torch.stack([entropy(layer)[:, :, 1:].mean(dim=(0, 2)) for layer in weights])
    ),
    "the class token's key is left out, all T keys count": lambda weights: torch.stack(
        [entropy(layer[..., 1:]).mean(dim=(0, 2)) for layer in weights]
    ),
    "queries whose weights hold a 0 are left out: 0 ln 0 is 0, and they"
    " count": lambda weights: torch.stack(
        [(-(la * la.log()).sum(dim=-1)).nanmean(dim=(0, 2)) for la in weights]
    ),
    "these are shares already: no softmax": lambda weights: torch.stack(
        [entropy(layer.softmax(dim=-1)).mean(dim=(0, 2)) for layer in weights]
    ),
    "the entropy is what ln T lacks here: return the entropy"
    " itself": lambda tokens, want: math.log(tokens) - want,
    "the mean ran over images and heads: a value for each head is asked for, axes 0"
    " and 2": lambda some: torch.stack([one.mean(dim=(0, 1)) for one in some]),
    "only the first image was asked": lambda some: torch.stack(
        [one[0].mean(dim=-1) for one in some]
    ),
    "only the last layer is there, a row for each is asked for, (depth,"
    " H)": lambda want: want[-1],
    "only the last layer is there, a row for each layer is asked for, (depth,"
    " H)": lambda want: want[-1:],
    "the layers are joined to one row, (depth, H) is asked for:"
    " torch.stack": lambda want: want.flatten(),
    "only the class token's query was asked, the mean is over all T"
    " queries": lambda weights: torch.stack(
        [entropy(layer)[:, :, 0].mean(dim=0) for layer in weights]
    ),
}


def wrong_entropies(weights: list[Tensor], want: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of the weights: sentence -> (depth, H)."""
    batch, _, tokens, _ = weights[0].shape
    drawn = {
        "weights": weights,
        "want": want,
        "some": [entropy(layer) for layer in weights],
        "batch": batch,
        "tokens": tokens,
    }
    return squeezed(want) | listed(ENTROPIES, **drawn)


@checked
def sharpness(answer: Callable) -> str:
    """`my_sharpness(weights)`: `depth` tensors (B, H, T, T) -> the mean entropy of a
    row, (depth, H), in nats.
    """
    batch, heads, tokens, depth = distinct(4, 3, 8)
    hard = attention_weights(depth, batch, heads, tokens)
    for layer in hard:
        layer[..., 1, :] = torch.eye(tokens)[1]  # one query gives all to one key
    cases = {
        "": attention_weights(depth, batch, heads, tokens),
        "one image and one layer": attention_weights(1, 1, heads, tokens),
        "weights some of which are exactly 0": hard,
    }
    for case, weights in cases.items():
        want = torch.stack([entropy(layer).mean(dim=(0, 2)) for layer in weights])
        got = ask(
            answer,
            weights,
            expected="a tensor of shape (depth, H)",
            case=case or "weights of all layers",
        )
        compare(answer, got, want, wrong_entropies(weights, want), case or None)
    return f"from 0, one key, to ln {tokens} = {math.log(tokens):.2f}, all keys alike"
