"""The checks of chapter 08: rollout, who looks at a patch, and how sharp a head is."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vit_tutorial.checks.core import NotSolved, ask, called, checked, compare, distinct, same
from vit_tutorial.checks.slips import slips

MIX_HEADS = "the heads are kept apart: average them first, over axis 1"
KEEP_BATCH = "keep B as the first axis"
UNHALVED = "your rows do not sum to 1: the identity was added and nothing halved, (mean + identity) / 2"
LEFT = "the layers are multiplied in the wrong order: a later layer stands on the left, step @ joint"
NO_RESIDUAL = "the residual is missing: half of each token is carried past the layer, (mean + identity) / 2"
LARGEST = "the largest head was taken at each place: the mean of the heads is asked for"


def drawn(depth: int, *sizes: int) -> list[Tensor]:
    """Uneven weights of `depth` layers, sizes B, H, T: rows sum to 1."""
    return [(2 * torch.randn(*sizes, sizes[-1])).softmax(dim=-1) for _ in range(depth)]


def ask_layers(answer: Callable, weights: list[Tensor], expected: str, case: str) -> object:
    """What the learner's function makes of a list of layers; NotSolved where it changed the list or a layer."""
    copies = [layer.clone() for layer in weights]
    got = ask(answer, copies, expected=expected, case=case)
    if len(copies) != len(weights) or not all(map(same, copies, weights)):
        raise NotSolved(f"{called(answer)} changed the weights that it was given: make new tensors")
    return got


def halve(mean: Tensor, eye: Tensor) -> Tensor:
    return (mean + eye) / 2


def by_sum(axis: int) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda mean, eye: (mean + eye) / (mean + eye).sum(dim=axis, keepdim=True)


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


def wrong_rollouts(weights: list[Tensor]) -> dict[str, Tensor]:
    """What the usual mistakes make of the weights: sentence -> maps."""
    right, steps = flow(weights), torch.stack([flow([layer]) for layer in weights])
    added, largest = (lambda layer: layer.sum(dim=1)), (lambda layer: layer.amax(dim=1))
    return slips(
        lambda **slip: flow(weights, **slip),
        {
            "heads": {
                "the heads are added, not averaged: a row of their sum is H, not 1": added,
                LARGEST: largest,
                "the images were averaged (axis 0), not the heads (axis 1)": lambda layer: layer.mean(dim=0),
                "only the first head went in: average over axis 1": lambda layer: layer[:, 0],
                "the weights are turned: rows are queries already, no transpose is needed": (
                    lambda layer: layer.mean(dim=1).mT
                ),
                MIX_HEADS: lambda layer: layer,
            },
            "step": {
                UNHALVED: lambda mean, eye: mean + eye,
                NO_RESIDUAL: lambda mean, eye: mean,
                "the columns sum to 1, the rows should: divide by the sum over the last axis": by_sum(-2),
            },
            "join": {LEFT: lambda step, joint: joint @ step},
        },
    ) | {
        "the heads are added: divided by its sum, a row keeps less than half of its own token; average them": (
            flow(weights, added, by_sum(-1))
        ),
        f"{LARGEST}, even if the rows are made to sum to 1": flow(weights, largest, by_sum(-1)),
        "the heads are averaged at the end: average them in each layer, before layers are multiplied": (
            flow(weights, heads=lambda layer: layer).mean(dim=1)
        ),
        "the steps are averaged, but they follow one another: multiply them": steps.mean(dim=0),
        "the steps are multiplied place by place; paths from token to token need @": steps.prod(dim=0),
        "this is the first layer alone: multiply the later ones onto it": steps[0],
        "this is the last layer alone: multiply it onto those before": steps[-1],
        "the first layer is missing": flow(weights[1:]),
        "the last layer is missing": flow(weights[:-1]),
        "the result is turned: its rows are the tokens at the end, its columns those of the input": right.mT,
        "this is the row of the class token, all rows are asked for": right[:, 0],
        "this is the row of the class token without its first entry, the whole matrix is asked for": right[:, 0, 1:],
        f"the images are averaged: {KEEP_BATCH}": right.mean(dim=0),
        f"only one image of the batch is left: {KEEP_BATCH}": right[0],
    }


@checked
def rollout(answer: Callable) -> str:
    """`my_rollout(weights)`: `depth` tensors (B, H, T, T) -> (B, T, T), whose rows sum to 1."""
    batch, heads, tokens, depth = distinct(4, 3, 6)
    for count, layers in ((batch, depth), (1, depth + 1), (batch, 2)):
        weights = drawn(layers, count, heads, tokens)
        case = f"{layers} layers of shape {tuple(weights[0].shape)}"
        got = ask_layers(answer, weights, "a tensor of shape (B, T, T)", case)
        compare(answer, got, flow(weights), wrong_rollouts(weights), case)
    return f"{depth} layers joined, rows sum to 1"


def wrong_gazes(layer: Tensor, patch: int, want: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of one layer: sentence -> (B, N)."""
    mean = layer.mean(dim=1)
    row = "this is what the patch itself looks at: rows are queries, and it is looked at here, so it is a column"
    return {
        row: mean[:, patch + 1, 1:],
        f"{row}; and token 0 is the class token, so patch n is token n + 1": mean[:, patch, 1:],
        "this is the patch before: token 0 is the class token, so patch n is token n + 1": mean[:, 1:, patch],
        "the class token is counted as a patch, among the queries and among the keys": mean[:, :-1, patch],
        "the class token's own row is among the answers: only patches are asked, (B, N)": mean[:, :, patch + 1],
        "the first N rows were taken, but row 0 is the class token's and the last patch is missing": (
            mean[:, :-1, patch + 1]
        ),
        MIX_HEADS: layer[:, :, 1:, patch + 1],
        "the images were averaged (axis 0), not the heads (axis 1)": layer.mean(dim=0)[:, 1:, patch + 1],
        "the heads are added, their mean is asked for": layer.sum(dim=1)[:, 1:, patch + 1],
        "only the first head was asked, the mean over heads is wanted": layer[:, 0, 1:, patch + 1],
        LARGEST: layer.amax(dim=1)[:, 1:, patch + 1],
        f"the images are averaged: {KEEP_BATCH}": want.mean(dim=0),
        f"only one image of the batch is left: {KEEP_BATCH}": want[0],
        "the values are divided by their sum, but a column has no sum to keep: each is a share of its own row": (
            want / want.sum(dim=1, keepdim=True)
        ),
        "the queries are averaged, one value for each patch that looks is asked for": want.mean(dim=1),
    }


@checked
def gaze(answer: Callable) -> str:
    """`my_gaze(layer, patch)`: weights (B, H, T, T) and the number of a patch -> (B, N), what each patch gives it."""
    batch, heads, tokens = distinct(3, 3, 8)
    for count, patch in ((batch, 1), (1, 0), (batch, tokens - 2)):
        (layer,) = drawn(1, count, heads, tokens)
        want, case = layer.mean(dim=1)[:, 1:, patch + 1], f"weights of shape {tuple(layer.shape)} and patch {patch}"
        got = ask(answer, layer, patch, expected="a tensor of shape (B, N)", case=case)
        compare(answer, got, want, wrong_gazes(layer, patch, want), case)
    return "each patch's attention to the one that is looked at"


def entropy(layer: Tensor) -> Tensor:
    """Of each row: (..., T, T) -> (..., T)."""
    return torch.special.entr(layer).sum(dim=-1)


def wrong_entropies(weights: list[Tensor], want: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of the weights: sentence -> (depth, H)."""
    batch, _, tokens, _ = weights[0].shape
    early = "was taken before the entropy: the entropy of a mean is larger than the mean entropy"
    return {
        "the sign is turned: logarithms of shares are negative, so the sum needs a minus": -want,
        "the logarithm has base 2: ln is asked for, torch.log": want / math.log(2),
        "the logarithm has base 10: ln is asked for, torch.log": want / math.log(10),
        "the entropies are divided by ln T: they should run from 0 to ln T": want / math.log(tokens),
        "a row's values are averaged: the entropy is their sum, over the last axis": want / tokens,
        "the entropies are added over the queries, their mean is asked for": want * tokens,
        "the entropies are added over the images, their mean is asked for": want * batch,
        "the entropies are added over images and queries, their mean is asked for": want * batch * tokens,
        "this is e to the entropy, the number of keys in use; the entropy itself is asked for": want.exp(),
        f"the mean over images {early}": torch.stack([entropy(layer.mean(dim=0)).mean(dim=1) for layer in weights]),
        f"the mean over queries {early}": torch.stack([entropy(layer.mean(dim=2)).mean(dim=0) for layer in weights]),
        f"the mean over images and queries {early}": torch.stack([entropy(la.mean(dim=(0, 2))) for la in weights]),
        f"the mean over heads {early}, and a value for each head is asked for": (
            torch.stack([entropy(layer.mean(dim=1)).mean() for layer in weights])
        ),
        "the heads are averaged, a value for each is asked for, (depth, H)": want.mean(dim=1),
        "the layers are averaged, a value for each is asked for, (depth, H)": want.mean(dim=0),
        "this is one number, a value for each layer and head is asked for, (depth, H)": want.mean(),
        "the axes are swapped: layers first, then heads": want.mT,
        "the images are kept apart, their mean is asked for": torch.stack([entropy(la).mean(dim=2) for la in weights]),
        "the queries are kept apart, their mean is asked for": torch.stack([entropy(la).mean(dim=0) for la in weights]),
        "images and queries are kept apart, their mean is asked for": torch.stack([entropy(la) for la in weights]),
        "the largest entropy was taken, the mean over images and queries is asked for": (
            torch.stack([entropy(layer).amax(dim=(0, 2)) for layer in weights])
        ),
        "this is the mean largest weight of a row, not its entropy": (
            torch.stack([layer.amax(dim=-1).mean(dim=(0, 2)) for layer in weights])
        ),
        "the class token's query is left out, all T queries count": (
            torch.stack([entropy(layer)[:, :, 1:].mean(dim=(0, 2)) for layer in weights])
        ),
        "only the class token's query was asked, the mean is over all T queries": (
            torch.stack([entropy(layer)[:, :, 0].mean(dim=0) for layer in weights])
        ),
    }


@checked
def sharpness(answer: Callable) -> str:
    """`my_sharpness(weights)`: `depth` tensors (B, H, T, T) -> the mean entropy of a row, (depth, H), in nats."""
    batch, heads, tokens, depth = distinct(4, 3, 8)
    hard = drawn(depth, batch, heads, tokens)
    for layer in hard:
        layer[..., 0, :] = torch.eye(tokens)[1]  # the first query gives all to one key
    cases = {
        "": drawn(depth, batch, heads, tokens),
        "one image and one layer": drawn(1, 1, heads, tokens),
        "weights some of which are exactly 0": hard,
    }
    for case, weights in cases.items():
        want = torch.stack([entropy(layer).mean(dim=(0, 2)) for layer in weights])
        got = ask_layers(answer, weights, "a tensor of shape (depth, H)", case or "weights of all layers")
        compare(answer, got, want, wrong_entropies(weights, want), case or None)
    return f"from 0, one key, to ln {tokens} = {math.log(tokens):.2f}, all keys alike"
