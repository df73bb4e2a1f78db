"""Answers to "Is the better one better?" of chapter 10, wrong and right."""

import random

import numpy as np
import torch

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


def with_numpy(first, second, draws):
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


def one_standard_error(first, second, draws):
    apart = differences(first, second, draws)
    return (apart.mean() - apart.std()).item(), (apart.mean() + apart.std()).item()


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


def first_minus_second(first, second, draws):
    return at_once(second, first, draws)


def five_per_cent_each(first, second, draws):
    return quantiles_of(differences(first, second, draws), 0.05, 0.95)


def half_per_cent_each(first, second, draws):
    return quantiles_of(differences(first, second, draws), 0.005, 0.995)


def extremes(first, second, draws):
    apart = differences(first, second, draws)
    return apart.min().item(), apart.max().item()


def of_the_second(first, second, draws):
    return quantiles_of(differences(torch.zeros_like(first), second, draws))


def centred(first, second, draws):
    apart = differences(first, second, draws)
    return quantiles_of(apart - apart.mean())


def ends_subtracted(first, second, draws):
    ours, theirs = (
        quantiles_of(differences(torch.zeros_like(one), one, draws))
        for one in (first, second)
    )
    return theirs[0] - ours[1], theirs[1] - ours[0]


def single_images(first, second, draws):
    return quantiles_of(second.float() - first.float())


def axes_swapped(first, second, draws):
    return quantiles_of(
        differences(
            first, second, draws, torch.randint(len(first), (len(first), draws))
        )
    )


def disagreements(first, second, draws):
    unlike = first != second
    return at_once(first[unlike], second[unlike], draws) if unlike.any() else (0.0, 0.0)


def in_points(first, second, draws):
    return 100 * at_once(first, second, draws)


def in_images(first, second, draws):
    return len(first) * at_once(first, second, draws)


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
    "paired_bootstrap": [
        (images_of_their_own, "draw the images once for both"),
        (without_replacement, "torch.randint, not torch.randperm"),
        (drawn_once, "all resamples are one"),
        (one_standard_error, "this is one standard error to either side"),
        (the_standard_error, "returned a float, a pair of numbers"),
        (of_the_mean, "it is not divided by the root of their number"),
        (bell, "take percentiles of the resamples"),
        (high_first, "the lower end comes first"),
        (first_minus_second, "is taken from the second's"),
        (five_per_cent_each, "this covers 90 %"),
        (half_per_cent_each, "this covers 99 %"),
        (extremes, "the smallest and the largest difference"),
        (of_the_second, "the interval of the second model's accuracy"),
        (centred, "centred on 0"),
        (ends_subtracted, "draw the images once for both"),
        (single_images, "percentiles over single images"),
        (axes_swapped, "yours are swapped"),
        (disagreements, "only images on which the two disagree"),
        (in_points, "not per cent"),
        (in_images, "not a number of images"),
        (always_many, "one draw has one difference"),
        (mean_of_bool, "mean_of_bool raised"),
        (all_differences, "returned 200 values"),
        (guessed, "about ("),
    ],
}
RIGHT = {
    "paired_bootstrap": [
        at_once,
        one_draw_after_another,
        with_numpy,
        by_sorting,
        by_counts,
    ]
}
