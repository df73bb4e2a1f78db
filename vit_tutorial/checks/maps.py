"""The checks of chapter 08: rollout, who looks at a patch, and how sharp a head is."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vit_tutorial.checks.core import AND, ask, checked, compare, distinct
from vit_tutorial.checks.slips import slips

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
LARGEST = "the largest head was taken at each place: the mean of the heads is asked for"


def drawn(depth: int, *sizes: int) -> list[Tensor]:
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
    right = flow(weights)
    steps = torch.stack([flow([layer]) for layer in weights])
    added = lambda layer: layer.sum(dim=1)
    largest = lambda layer: layer.amax(dim=1)
    return (
        squeezed(right)
        | slips(
            lambda **slip: flow(weights, **slip),
            {
                "heads": {
                    "the heads are added, not averaged: a row of their sum is H, not 1": (
                        added
                    ),
                    LARGEST: largest,
                    "the images were averaged (axis 0), not the heads (axis 1)": (
                        lambda layer: layer.mean(dim=0)
                    ),
                    "only the first head went in: average over axis 1": (
                        lambda layer: layer[:, 0]
                    ),
                    "the weights are turned: rows are queries already, no transpose is needed": (
                        lambda layer: layer.mean(dim=1).mT
                    ),
                    MIX_HEADS: lambda layer: layer,
                },
                "step": {
                    UNHALVED: lambda mean, eye: mean + eye,
                    NO_RESIDUAL: lambda mean, eye: mean,
                    "the columns sum to 1, the rows should: divide by the sum over the last axis": by_sum(
                        -2
                    ),
                    "1 was added everywhere: torch.eye is 1 on the diagonal alone": (
                        lambda mean, eye: (mean + 1) / 2
                    ),
                },
                "join": {LEFT: lambda step, joint: joint @ step},
            },
        )
        | {
            "the heads are added: divided by its sum, a row keeps less than half of its own token; average them": flow(
                weights, added, by_sum(-1)
            ),
            f"{LARGEST}, even if the rows are made to sum to 1": flow(
                weights, largest, by_sum(-1)
            ),
            "the heads are averaged at the end: average them in each layer, before layers are multiplied": (
                flow(weights, heads=lambda layer: layer).mean(dim=1)
            ),
            "the steps are averaged, but they follow one another: multiply them": (
                steps.mean(dim=0)
            ),
            "the steps are multiplied place by place; paths from token to token need @": steps.prod(
                dim=0
            ),
            "the residual goes past each layer, not once past all of them": halve(
                flow(weights, step=lambda mean, eye: mean), torch.eye(right.shape[-1])
            ),
            "the residual goes past each layer, not past the first alone": (
                flow(weights[1:], step=lambda mean, eye: mean) @ steps[0]
            ),
            "this is the first layer alone: multiply the later ones onto it": steps[0],
            "this is the last layer alone: multiply it onto those before": steps[-1],
            "the first layer is missing": flow(weights[1:]),
            "the last layer is missing": flow(weights[:-1]),
            "the result is turned: its rows are the tokens at the end, its columns those of the input": (
                right.mT
            ),
            "this is the row of the class token, all rows are asked for": right[:, 0],
            "this is the row of the class token without its first entry, the whole matrix is asked for": right[
                :, 0, 1:
            ],
            f"the images are averaged: {KEEP_BATCH}": right.mean(dim=0),
            f"only one image of the batch is left: {KEEP_BATCH}": right[0],
        }
    )


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
        weights = drawn(layers, count, heads + more, tokens)
        case = f"{layers} layers of shape {tuple(weights[0].shape)}"
        got = ask(answer, weights, expected="a tensor of shape (B, T, T)", case=case)
        compare(
            answer,
            got,
            flow(weights),
            wrong_rollouts(weights) if layers > 1 else None,
            case,
        )
    return f"{depth} layers joined, rows sum to 1"


def wrong_gazes(layer: Tensor, patch: int, want: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of one layer: sentence -> (B, N)."""
    mean = layer.mean(dim=1)
    row = (
        "this is what the patch itself looks at: rows are queries, and it is looked at"
        " here, so it is a column"
    )
    among = layer[:, :, 1:, 1:] / layer[:, :, 1:, 1:].sum(dim=-1, keepdim=True)
    others = torch.arange(want.shape[1]) != patch
    return squeezed(want) | {
        row: mean[:, patch + 1, 1:],
        f"{row}{AND}token 0 is the class token, so patch n is token n + 1": mean[
            :, patch, 1:
        ],
        "this is the patch before: token 0 is the class token, so patch n is token n + 1": mean[
            :, 1:, patch
        ],
        "the class token is counted as a patch, among the queries and among the keys": (
            mean[:, :-1, patch]
        ),
        "the class token's own row is among the answers: only patches are asked, (B, N)": mean[
            :, :, patch + 1
        ],
        "the first N rows were taken, but row 0 is the class token's and the last patch is missing": mean[
            :, :-1, patch + 1
        ],
        MIX_HEADS: layer[:, :, 1:, patch + 1],
        "the images were averaged (axis 0), not the heads (axis 1)": layer.mean(dim=0)[
            :, 1:, patch + 1
        ],
        "the heads are added, their mean is asked for": layer.sum(dim=1)[
            :, 1:, patch + 1
        ],
        "only the first head was asked, the mean over heads is wanted": layer[
            :, 0, 1:, patch + 1
        ],
        LARGEST: layer.amax(dim=1)[:, 1:, patch + 1],
        "the shares are made to sum to 1 over the patches: leave them as they are, the class token has its own": among.mean(
            dim=1
        )[..., patch],
        "the mean of the heads is made to sum to 1 over the patches: leave it as it is": (
            mean[:, 1:, patch + 1] / mean[:, 1:, 1:].sum(dim=-1)
        ),
        "the patch's look at itself is left out, it counts with the others": want[
            :, others
        ],
        "the patch's look at itself is set to 0, it counts with the others": (
            want * others
        ),
        "this is what each patch gives the class token: patch n is column n + 1": mean[
            :, 1:, 0
        ],
        "the axes are swapped: images first, then patches": want.mT,
        f"the images are averaged: {KEEP_BATCH}": want.mean(dim=0),
        f"only one image of the batch is left: {KEEP_BATCH}": want[0],
        "the values are divided by their sum, but a column has no sum to keep: each is a share of its own row": (
            want / want.sum(dim=1, keepdim=True)
        ),
        "the queries are averaged, one value for each patch that looks is asked for": (
            want.mean(dim=1)
        ),
    }


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
        (layer,) = drawn(1, count, heads, tokens + more)
        want = layer.mean(dim=1)[:, 1:, patch + 1]
        case = f"weights of shape {tuple(layer.shape)} and patch {patch}"
        got = ask(answer, layer, patch, expected="a tensor of shape (B, N)", case=case)
        compare(answer, got, want, wrong_gazes(layer, patch, want), case)
    return "each patch's attention to the one that is looked at"


def entropy(layer: Tensor) -> Tensor:
    """Of each row: (..., T, T) -> (..., T)."""
    return torch.special.entr(layer).sum(dim=-1)


def wrong_entropies(weights: list[Tensor], want: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of the weights: sentence -> (depth, H)."""
    batch, _, tokens, _ = weights[0].shape
    few = lambda layer, keys: layer[..., keys:]
    some = [entropy(layer) for layer in weights]
    early = (
        "was taken before the entropy: the entropy of a mean is larger than the mean"
        " entropy"
    )
    return squeezed(want) | {
        "the sign is turned: logarithms of shares are negative, so the sum needs a minus": (
            -want
        ),
        "the logarithm has base 2: ln is asked for, torch.log": want / math.log(2),
        "the logarithm has base 10: ln is asked for, torch.log": want / math.log(10),
        "the entropies are divided by ln T: they should run from 0 to ln T": (
            want / math.log(tokens)
        ),
        "a row's values are averaged: the entropy is their sum, over the last axis": (
            want / tokens
        ),
        "the entropies are added over the queries, their mean is asked for": (
            want * tokens
        ),
        "the entropies are added over the images, their mean is asked for": (
            want * batch
        ),
        "the entropies are added over images and queries, their mean is asked for": (
            want * batch * tokens
        ),
        "this is e to the entropy, the number of keys in use; the entropy itself is asked for": (
            want.exp()
        ),
        f"the mean over images {early}": torch.stack(
            [entropy(layer.mean(dim=0)).mean(dim=1) for layer in weights]
        ),
        f"the mean over queries {early}": torch.stack(
            [entropy(layer.mean(dim=2)).mean(dim=0) for layer in weights]
        ),
        f"the mean over images and queries {early}": torch.stack(
            [entropy(la.mean(dim=(0, 2))) for la in weights]
        ),
        f"the mean over heads {early}, and a value for each head is asked for": (
            torch.stack([entropy(layer.mean(dim=1)).mean() for layer in weights])
        ),
        "the heads are averaged, a value for each is asked for, (depth, H)": want.mean(
            dim=1
        ),
        "the layers are averaged, a value for each is asked for, (depth, H)": want.mean(
            dim=0
        ),
        "this is one number, a value for each layer and head is asked for, (depth, H)": (
            want.mean()
        ),
        "the axes are swapped: layers first, then heads": want.mT,
        "the images are kept apart, their mean is asked for": torch.stack(
            [entropy(la).mean(dim=2) for la in weights]
        ),
        "the queries are kept apart, their mean is asked for": torch.stack(
            [entropy(la).mean(dim=0) for la in weights]
        ),
        "images and queries are kept apart, their mean is asked for": torch.stack(
            [entropy(la) for la in weights]
        ),
        "the largest entropy was taken, the mean over images and queries is asked for": torch.stack(
            [entropy(layer).amax(dim=(0, 2)) for layer in weights]
        ),
        "this is the mean largest weight of a row, not its entropy": torch.stack(
            [layer.amax(dim=-1).mean(dim=(0, 2)) for layer in weights]
        ),
        "the class token's query is left out, all T queries count": torch.stack(
            [entropy(layer)[:, :, 1:].mean(dim=(0, 2)) for layer in weights]
        ),
        "the class token's key is left out, all T keys count": torch.stack(
            [entropy(few(layer, 1)).mean(dim=(0, 2)) for layer in weights]
        ),
        "queries whose weights hold a 0 are left out: 0 ln 0 is 0, and they count": (
            torch.stack(
                [(-(la * la.log()).sum(dim=-1)).nanmean(dim=(0, 2)) for la in weights]
            )
        ),
        "these are shares already: no softmax": torch.stack(
            [entropy(layer.softmax(dim=-1)).mean(dim=(0, 2)) for layer in weights]
        ),
        "the entropy is what ln T lacks here: return the entropy itself": (
            math.log(tokens) - want
        ),
        "the mean ran over images and heads: a value for each head is asked for, axes 0 and 2": torch.stack(
            [one.mean(dim=(0, 1)) for one in some]
        ),
        "only the first image was asked": torch.stack(
            [one[0].mean(dim=-1) for one in some]
        ),
        "only the last layer is there, a row for each is asked for, (depth, H)": want[
            -1
        ],
        "only the last layer is there, a row for each layer is asked for, (depth, H)": (
            want[-1:]
        ),
        "the layers are joined to one row, (depth, H) is asked for: torch.stack": (
            want.flatten()
        ),
        "only the class token's query was asked, the mean is over all T queries": (
            torch.stack([entropy(layer)[:, :, 0].mean(dim=0) for layer in weights])
        ),
    }


@checked
def sharpness(answer: Callable) -> str:
    """`my_sharpness(weights)`: `depth` tensors (B, H, T, T) -> the mean entropy of a
    row, (depth, H), in nats.
    """
    batch, heads, tokens, depth = distinct(4, 3, 8)
    hard = drawn(depth, batch, heads, tokens)
    for layer in hard:
        layer[..., 1, :] = torch.eye(tokens)[1]  # one query gives all to one key
    cases = {
        "": drawn(depth, batch, heads, tokens),
        "one image and one layer": drawn(1, 1, heads, tokens),
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
