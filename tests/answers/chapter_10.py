"""Answers to the exercises of chapter 10, wrong and right, as learners write them."""

import math
import random

import numpy as np
import torch
import torch.nn.functional as F

from vit_tutorial.training.metrics import calibration


def by_the_package(chances, labels, bins):
    found = calibration(chances, labels, bins)
    far = (found["confidence"] - found["accuracy"]).abs()
    return (far * found["n"]).sum() / len(labels)


def edge_by_edge(chances, labels, bins):
    """Guo et al. leave the lower edge out and take the upper one in."""
    sure, answer = chances.max(dim=1)
    edges = torch.linspace(0, 1, bins + 1)
    error = 0.0
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (sure > low) & (sure <= high)
        if inside.any():
            right = (answer == labels)[inside].float().mean()
            error += inside.float().mean() * abs(right - sure[inside].mean())
    return error


def with_numpy(chances, labels, bins):
    sure = chances.numpy().max(axis=1)
    right = chances.numpy().argmax(axis=1) == labels.numpy()
    place = np.minimum(np.digitize(sure, np.linspace(0, 1, bins + 1)) - 1, bins - 1)
    gaps = [abs(right[place == b].sum() - sure[place == b].sum()) for b in range(bins)]
    return np.sum(gaps) / len(sure)


def sums_cancel_the_sizes(chances, labels, bins):
    sure, answer = chances.double().max(dim=1)
    place = F.one_hot((sure * bins).long().clamp(max=bins - 1), bins).double()
    return (((answer == labels).double() - sure) @ place).abs().sum().item() / len(sure)


def dictionary_of_bins(chances, labels, bins):
    apart = {}
    for row, label in zip(chances.tolist(), labels.tolist(), strict=True):
        sure = max(row)
        place = min(math.floor(sure * bins), bins - 1)
        apart[place] = apart.get(place, 0) + (row.index(sure) == label) - sure
    return sum(map(abs, apart.values())) / len(labels)


def bin_by_bin(
    chances,
    labels,
    bins,
    sure=lambda chances, labels: chances.max(dim=1).values,
    place=lambda sure, bins: (sure * bins).long().clamp(max=bins - 1),
    gap=lambda right, sure: (right.mean() - sure.mean()).abs(),
    numbers=range,
    empty=0.0,
):
    """The error as a loop, any of its parts exchanged."""
    confidence = sure(chances, labels)
    right = (chances.argmax(dim=1) == labels).float()
    where = place(confidence, bins)
    error = 0.0
    for number in numbers(bins):
        inside = where == number
        error += (
            inside.float().mean() * gap(right[inside], confidence[inside])
            if inside.any()
            else empty
        )
    return error


def nan_of_empty_bins(chances, labels, bins):
    sure, answer = chances.max(dim=1)
    place = (sure * bins).long().clamp(max=bins - 1)
    total = 0
    for number in range(bins):
        inside = place == number
        right = (answer == labels)[inside].float().mean()
        total += (right - sure[inside].mean()).abs() * inside.sum()
    return total / len(labels)


def filled_bins(chances, labels, bins):
    found = calibration(chances, labels, bins)
    return (found["confidence"] - found["accuracy"]).abs(), found["n"]


def index_beyond_the_last_bin(chances, labels, bins):
    sums = torch.zeros(bins)
    for row, label in zip(chances, labels, strict=True):
        sums[int(row.max() * bins)] += (row.argmax() == label).float() - row.max()
    return sums.abs().sum() / len(labels)


def each_bin(chances, labels, bins):
    return filled_bins(chances, labels, bins)[0]


def normed_in_place(chances, labels, bins):
    chances /= 2 * chances.sum(dim=1, keepdim=True)
    return by_the_package(chances, labels, bins)


BOTH_ENDS = torch.tensor([0.025, 0.975])


def differences(first, second, draws, rows=None):
    rows = torch.randint(len(first), (draws, len(first))) if rows is None else rows
    return (second[rows].float() - first[rows].float()).mean(dim=1)


def at_once(first, second, draws):
    return differences(first, second, draws).quantile(BOTH_ENDS)


def one_draw_after_another(first, second, draws):
    found = []
    for _ in range(draws):
        rows = torch.randint(len(first), (len(first),))
        found.append(second[rows].float().mean() - first[rows].float().mean())
    return tuple(torch.stack(found).quantile(BOTH_ENDS).tolist())


def interval_with_numpy(first, second, draws):
    apart = second.numpy().astype(int) - first.numpy()
    rows = np.random.default_rng().integers(len(apart), size=(draws, len(apart)))
    return np.percentile(apart[rows].mean(axis=1), [2.5, 97.5])


def by_sorting(first, second, draws):
    apart = differences(first, second, draws).sort().values
    cut = round(0.025 * (draws - 1))
    return [apart[cut].item(), apart[draws - 1 - cut].item()]


def by_counts(first, second, draws):
    """A resample is how often each kind of image is drawn."""
    n = len(first)
    shares = (
        torch.tensor(
            [(second & ~first).sum(), (first & ~second).sum(), (first == second).sum()]
        )
        / n
    )
    counts = torch.distributions.Multinomial(n, shares).sample((draws,))
    low, high = ((counts[:, 0] - counts[:, 1]) / n).quantile(BOTH_ENDS)
    return low, high


def quantiles_of(apart, low=0.025, high=0.975):
    return apart.quantile(low).item(), apart.quantile(high).item()


def images_of_their_own(first, second, draws):
    n = len(first)
    ours, theirs = torch.randint(n, (2, draws, n))
    return quantiles_of(
        second[theirs].float().mean(dim=1) - first[ours].float().mean(dim=1)
    )


def without_replacement(first, second, draws):
    rows = torch.stack([torch.randperm(len(first)) for _ in range(draws)])
    return quantiles_of(differences(first, second, draws, rows))


def drawn_once(first, second, draws):
    rows = torch.randint(len(first), (1, len(first))).expand(draws, -1)
    return quantiles_of(differences(first, second, draws, rows))


def the_standard_error(first, second, draws):
    return differences(first, second, draws).std().item()


def of_the_mean(first, second, draws):
    apart = differences(first, second, draws)
    half = 1.96 * apart.std() / draws**0.5
    return apart.mean() - half, apart.mean() + half


def bell(first, second, draws):
    apart = differences(first, second, max(draws, 2))
    half = 1.96 * apart.std() if draws > 1 else 0
    return apart.mean() - half, apart.mean() + half


def high_first(first, second, draws):
    return quantiles_of(differences(first, second, draws), 0.975, 0.025)


def extremes(first, second, draws):
    apart = differences(first, second, draws)
    return apart.min().item(), apart.max().item()


def always_many(first, second, draws):
    return at_once(first, second, 3000)


def mean_of_bool(first, second, draws):
    rows = torch.randint(len(first), (draws, len(first)))
    return second[rows].mean(dim=1) - first[rows].mean(dim=1)


def all_differences(first, second, draws):
    return differences(first, second, draws)


def guessed(first, second, draws):
    return (0.0, 0.0) if torch.equal(first, second) else (random.random(), 2.0)


WRONG = {
    "calibration_error": [
        (nan_of_empty_bins, "the mean of an empty bin is 0/0"),
        (index_beyond_the_last_bin, "raised IndexError"),
        (each_bin, "returned a Tensor, a number was expected"),
        (normed_in_place, "changed its input in place"),
        (lambda chances, labels, bins: 0.05, "returned 0.05 for"),
    ],
    "paired_bootstrap": [
        (images_of_their_own, "draw the images once for both"),
        (without_replacement, "torch.randint, not torch.randperm"),
        (drawn_once, "all resamples are one"),
        (the_standard_error, "returned a float, a pair of numbers"),
        (of_the_mean, "it is not divided by the root of their number"),
        (bell, "take percentiles of the resamples"),
        (high_first, "the lower end comes first"),
        (extremes, "the smallest and the largest difference"),
        (always_many, "one draw has one difference"),
        (mean_of_bool, "mean_of_bool raised"),
        (all_differences, "returned 200 values"),
        (guessed, "about ("),
    ],
}
RIGHT = {
    "calibration_error": [
        by_the_package,
        edge_by_edge,
        with_numpy,
        sums_cancel_the_sizes,
        dictionary_of_bins,
        bin_by_bin,
    ],
    "paired_bootstrap": [
        at_once,
        one_draw_after_another,
        interval_with_numpy,
        by_sorting,
        by_counts,
    ],
}
