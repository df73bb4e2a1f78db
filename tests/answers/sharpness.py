"""Answers to the exercise of chapter 08 on the entropy of heads, wrong and right, as
learners write them.
"""

import functools
import math

import numpy as np
import torch
from einops import rearrange


def mean_entropy(layer):
    return torch.special.entr(layer).sum(dim=-1)


def sharp(reading):
    """An answer to `my_sharpness` that makes of each layer what `reading` says."""

    @functools.wraps(reading)
    def answer(weights):
        return torch.stack([reading(layer) for layer in weights])

    return answer


@sharp
def no_minus(layer):
    return torch.special.xlogy(layer, layer).sum(dim=-1).mean(dim=(0, 2))


@sharp
def bits(layer):
    return mean_entropy(layer).mean(dim=(0, 2)) / math.log(2)


@sharp
def shares_of_the_most(layer):
    return mean_entropy(layer).mean(dim=(0, 2)) / math.log(layer.shape[-1])


@sharp
def values_averaged(layer):
    return torch.special.entr(layer).mean(dim=(0, 2, 3))


@sharp
def queries_added(layer):
    return mean_entropy(layer).sum(dim=2).mean(dim=0)


@sharp
def images_averaged_first(layer):
    return mean_entropy(layer.mean(dim=0)).mean(dim=1)


@sharp
def queries_averaged_first(layer):
    return mean_entropy(layer.mean(dim=2)).mean(dim=0)


@sharp
def heads_averaged_first(layer):
    return mean_entropy(layer.mean(dim=1)).mean()


@sharp
def heads_averaged(layer):
    return mean_entropy(layer).mean()


@sharp
def images_apart(layer):
    return mean_entropy(layer).mean(dim=2)


@sharp
def class_token_only(layer):
    return mean_entropy(layer)[:, :, 0].mean(dim=0)


@sharp
def bare_logarithm(layer):
    return -(layer * layer.log()).sum(dim=-1).mean(dim=(0, 2))


def axes_swapped(weights):
    return heads_right(weights).T


def a_list(weights):
    return [mean_entropy(layer).mean(dim=(0, 2)) for layer in weights]


@sharp
def heads_right(layer):
    return mean_entropy(layer).mean(dim=(0, 2))


@sharp
def by_clamping(layer):
    return -(layer * layer.clamp(min=1e-12).log()).sum(dim=(0, 2, 3)) / (
        layer.shape[0] * layer.shape[2]
    )


@sharp
def by_distributions(layer):
    rows = rearrange(layer, "b h q k -> h (b q) k").double()
    return torch.distributions.Categorical(probs=rows).entropy().mean(dim=1).float()


def by_numpy(weights):
    table = np.stack([layer.numpy() for layer in weights]).astype(np.float64)
    logs = np.log(table, out=np.zeros_like(table), where=table > 0)
    return torch.from_numpy(-(table * logs).sum(-1).mean((1, 3))).float()


WRONG = {
    "sharpness": [
        (no_minus, "needs a minus"),
        (bits, "base 2"),
        (shares_of_the_most, "divided by ln T"),
        (values_averaged, "their sum, over the last axis"),
        (queries_added, "added over the queries"),
        (images_averaged_first, "the mean over images was taken before the entropy"),
        (queries_averaged_first, "the mean over queries was taken before the entropy"),
        (heads_averaged_first, "the mean over heads was taken before the entropy"),
        (heads_averaged, "heads are averaged"),
        (images_apart, "images are kept apart"),
        (class_token_only, "only the class token's query"),
        (bare_logarithm, "not finite for weights some of which are exactly 0"),
        (axes_swapped, "swapped: layers first"),
        (a_list, "returned a list"),
    ],
}

RIGHT = {
    "sharpness": [heads_right, by_clamping, by_distributions, by_numpy],
}
