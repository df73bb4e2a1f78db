"""Answers to "One number for the diagram" of chapter 10, wrong and right."""

import math

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


def slipping(**slip):
    def answer(chances, labels, bins):
        return bin_by_bin(chances, labels, bins, **slip)

    answer.__name__ = "_".join(slip)
    return answer


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


def mean_over_filled_bins(chances, labels, bins):
    far, n = filled_bins(chances, labels, bins)
    return far[n > 0].mean()


def mean_over_all_bins(chances, labels, bins):
    return filled_bins(chances, labels, bins)[0].mean()


def sum_over_bins(chances, labels, bins):
    return filled_bins(chances, labels, bins)[0].sum()


def divided_by_bins(chances, labels, bins):
    far, n = filled_bins(chances, labels, bins)
    return (far * n).sum() / bins


def worst_bin(chances, labels, bins):
    return filled_bins(chances, labels, bins)[0].max()


def image_by_image(chances, labels, bins):
    sure, answer = chances.max(dim=1)
    return ((answer == labels).float() - sure).abs().mean()


def two_means(chances, labels, bins):
    sure, answer = chances.max(dim=1)
    return abs(sure.mean() - (answer == labels).float().mean())


def always_ten(chances, labels, bins):
    return by_the_package(chances, labels, 10)


def edges_without_one_more(chances, labels, bins):
    sure, answer = chances.max(dim=1)
    edges = torch.linspace(0, 1, bins) if bins > 1 else torch.tensor([0.0, 1.0])
    error = 0.0
    for low, high in zip(edges[:-1], edges[1:], strict=True):
        inside = (sure > low) & (sure <= high)
        if inside.any():
            right = (answer == labels)[inside].float()
            error += inside.float().mean() * abs(right.mean() - sure[inside].mean())
    return error


def one_is_lost(chances, labels, bins):
    sure, answer = chances.max(dim=1)
    error = 0.0
    for number in range(bins):
        inside = (sure >= number / bins) & (sure < (number + 1) / bins)
        if inside.any():
            right = (answer == labels)[inside].float()
            error += inside.float().mean() * abs(right.mean() - sure[inside].mean())
    return error


def every_class_counts(chances, labels, bins):
    hits = F.one_hot(labels, chances.shape[1]).flatten()
    pairs = torch.stack([1 - chances.flatten(), chances.flatten()], dim=1)
    place = (pairs[:, 1] * bins).long().clamp(max=bins - 1)
    apart = place.bincount(pairs[:, 1] - hits, minlength=bins)
    return apart.abs().sum() / len(hits)


def between_least_and_largest(chances, labels, bins):
    sure = chances.numpy().max(axis=1)
    answer = chances.argmax(dim=1) == labels
    edges = np.histogram_bin_edges(sure, bins)
    if sure.min() == sure.max():
        return float(abs(answer.double().mean() - sure.mean()))
    place = np.minimum(np.digitize(sure, edges) - 1, bins - 1)
    apart = np.bincount(place, answer.numpy() - sure, minlength=bins)
    return np.abs(apart).sum() / len(sure)


def equally_many(chances, labels, bins):
    sure, answer = chances.max(dim=1)
    place = sure.argsort().argsort() * bins // len(sure)
    apart = place.bincount((answer == labels).float() - sure, minlength=bins)
    return apart.abs().sum() / len(sure)


def no_abs_and_label(chances, labels, bins):
    return bin_by_bin(
        chances,
        labels,
        bins,
        sure=lambda chances, labels: chances[torch.arange(len(labels)), labels],
        gap=lambda right, sure: right.mean() - sure.mean(),
    )


def index_beyond_the_last_bin(chances, labels, bins):
    sums = torch.zeros(bins)
    for row, label in zip(chances, labels, strict=True):
        sums[int(row.max() * bins)] += (row.argmax() == label).float() - row.max()
    return sums.abs().sum() / len(labels)


def in_per_cent(chances, labels, bins):
    return 100 * by_the_package(chances, labels, bins)


def each_bin(chances, labels, bins):
    return filled_bins(chances, labels, bins)[0]


def normed_in_place(chances, labels, bins):
    chances /= 2 * chances.sum(dim=1, keepdim=True)
    return by_the_package(chances, labels, bins)


def of_label(chances, labels):
    return chances.gather(1, labels[:, None])[:, 0]


WRONG = {
    "calibration_error": [
        (nan_of_empty_bins, "the mean of an empty bin is 0/0"),
        (mean_over_filled_bins, "each bin counts alike: weigh"),
        (mean_over_all_bins, "each bin counts alike, empty ones too"),
        (sum_over_bins, "the bins are added up"),
        (divided_by_bins, "not by that of bins"),
        (worst_bin, "this is the worst bin"),
        (image_by_image, "a distance within each image was taken"),
        (two_means, "the means over all images cancel"),
        (slipping(sure=of_label), "that of the label was taken"),
        (every_class_counts, "every class was binned"),
        (
            slipping(
                place=lambda sure, bins: (sure * bins).round().clamp(max=bins - 1)
            ),
            "bins were rounded to",
        ),
        (
            slipping(place=lambda sure, bins: (sure * bins).round()),
            "and whoever rounds up to bins is lost",
        ),
        (one_is_lost, "a confidence of 1 belongs to the last bin"),
        (index_beyond_the_last_bin, "raised IndexError"),
        (between_least_and_largest, "not from the least to the largest confidence"),
        (equally_many, "bins are equally wide"),
        (always_ten, "here there are always ten"),
        (edges_without_one_more, "bins + 1 edges"),
        (slipping(numbers=lambda bins: range(bins - 1)), "the last bin is missing"),
        (
            slipping(gap=lambda right, sure: right.mean() - sure.mean()),
            "a distance has no sign, abs()",
        ),
        (
            slipping(gap=lambda right, sure: (right.mean() - sure.mean()) ** 2),
            "the distances are squared",
        ),
        (no_abs_and_label, "that of the label was taken; and too sure in one bin"),
        (in_per_cent, "a share is asked for, from 0 to 1"),
        (each_bin, "returned a Tensor, a number was expected"),
        (normed_in_place, "changed its input in place"),
        (lambda chances, labels, bins: 0.05, "returned 0.05 for"),
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
}
