"""The checks of chapter 10: a calibration error, and the interval of a difference."""

import math
from collections.abc import Callable
from functools import partial
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor

from vit_tutorial.checks.core import NotSolved, ask, called, checked, distinct
from vit_tutorial.checks.slips import slips
from vit_tutorial.checks.training import as_number

# ---- the calibration error


def of_the_answer(chances: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How sure the model is of its answer, and whether that is right: (n,) each."""
    sure, answer = chances.max(dim=1)
    return sure, (answer == labels).double()


def of_the_label(chances: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    right = of_the_answer(chances, labels)[1]
    return chances.gather(1, labels[:, None])[:, 0], right


def of_every_class(chances: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    truth = F.one_hot(labels, chances.shape[1]).double()
    return chances.flatten(), truth.flatten()


def cut_off(sure: Tensor, bins: int) -> Tensor:
    return (sure * bins).floor().clamp(max=bins - 1)


def between_the_extremes(sure: Tensor, bins: int) -> Tensor:
    least, most = sure.aminmax()
    return cut_off((sure - least) / (most - least).clamp(min=1e-12), bins)


def of_equal_size(sure: Tensor, bins: int) -> Tensor:
    return sure.argsort().argsort() * bins // len(sure)


def gap_of(right: Tensor, sure: Tensor, apart: Tensor, middle: Tensor) -> Tensor:
    return (right - sure).abs()


def by_images(gaps: Tensor, sizes: Tensor, n: int, bins: int) -> Tensor:
    return (gaps * sizes).sum() / n


def error_of(
    chances: Tensor,
    labels: Tensor,
    bins: int,
    sure: Callable = of_the_answer,
    place: Callable = cut_off,
    gap: Callable = gap_of,
    join: Callable = by_images,
) -> float:
    """The calibration error; the last four arguments are the places to slip."""
    confidence, right = sure(chances.double(), labels)
    where = place(confidence, bins).long()
    kept = where < bins  # what a slip puts beyond the last bin is lost
    where, sizes = where[kept], where[kept].bincount(minlength=bins)
    rows = (right, confidence, (right - confidence).abs())
    sums = [where.bincount(row[kept], minlength=bins) for row in rows]
    means = [row / sizes.clamp(min=1) for row in sums]
    gaps = gap(*means, (torch.arange(bins) + 0.5) / bins)
    filled = sizes > 0
    if not filled.any():
        return 0.0
    return join(gaps[filled], sizes[filled], len(confidence), bins).item()


def overall(chances: Tensor, labels: Tensor, bins: int) -> float:
    return error_of(chances, labels, 1)


ROUNDED = "bins were rounded to: of ten bins 0.87 lies in that from 0.8 to 0.9"
CANCELLED = "too sure in one bin and not sure enough in another cancelled"
ALIKE = "weigh a bin by its share of the images"
ERROR_SLIPS = {
    "sure": {
        "a confidence is the probability of the model's answer, the largest; that of the label was taken": (
            of_the_label
        ),
        "every class was binned: an image counts once, with its answer": of_every_class,
    },
    "place": {
        f"{ROUNDED}, so cut off": (
            lambda sure, bins: (sure * bins).round().clamp(max=bins - 1)
        ),
        f"{ROUNDED}, and whoever rounds up to bins is lost": (
            lambda sure, bins: (sure * bins).round()
        ),
        "a confidence of 1 belongs to the last bin, these images are lost": (
            lambda sure, bins: (sure * bins).floor()
        ),
        "bins run from 0 to 1, not from the least to the largest confidence": (
            between_the_extremes
        ),
        "bins are equally wide, yours hold equally many images": of_equal_size,
        "the last bin is missing": (
            lambda sure, bins: cut_off(sure, bins) + (cut_off(sure, bins) == bins - 1)
        ),
    },
    "gap": {
        "a distance within each image was taken: first the means of a bin, then their distance": (
            lambda right, sure, apart, middle: apart
        ),
        f"{CANCELLED}: a distance has no sign, abs()": (
            lambda right, sure, apart, middle: right - sure
        ),
        f"{CANCELLED}: a distance has no sign, whichever is taken from the other": (
            lambda right, sure, apart, middle: sure - right
        ),
        "a bin's confidence is the mean of its images, not the middle of the bin": (
            lambda right, sure, apart, middle: (right - middle).abs()
        ),
        "the distances are squared": (
            lambda right, sure, apart, middle: (right - sure) ** 2
        ),
        "this is how often a bin is right: how sure it is has gone": (
            lambda right, sure, apart, middle: right
        ),
    },
    "join": {
        f"each bin counts alike: {ALIKE}": lambda gaps, sizes, n, bins: gaps.mean(),
        f"each bin counts alike, empty ones too: {ALIKE}": (
            lambda gaps, sizes, n, bins: gaps.sum() / bins
        ),
        f"the bins are added up: {ALIKE}": lambda gaps, sizes, n, bins: gaps.sum(),
        "this is the sum over all images: divide by their number": (
            lambda gaps, sizes, n, bins: (gaps * sizes).sum()
        ),
        "divide by the number of images, not by that of bins": (
            lambda gaps, sizes, n, bins: (gaps * sizes).sum() / bins
        ),
        "this is the worst bin: the mean is asked for": (
            lambda gaps, sizes, n, bins: gaps.max()
        ),
        "this is the root of a mean of squares: the mean distance is asked for": (
            lambda gaps, sizes, n, bins: by_images(gaps**2, sizes, n, bins).sqrt()
        ),
        "this is in per cent: a share is asked for, from 0 to 1": (
            lambda gaps, sizes, n, bins: 100 * by_images(gaps, sizes, n, bins)
        ),
    },
}
OTHER_ERRORS = {
    "the means over all images cancel: take the distance in each bin": overall,
    "bins is an argument: here there are always ten": (
        lambda chances, labels, bins: error_of(chances, labels, 10)
    ),
    "bins of them have bins + 1 edges, so yours are one too few": (
        lambda chances, labels, bins: error_of(chances, labels, max(bins - 1, 1))
    ),
}


def predictions(n: int, classes: int, bins: int) -> tuple[Tensor, Tensor]:
    """Made-up probabilities and labels of a model that is right about half of the time.

    One image is given the probability 1, and wrongly; no other confidence lies on the
    edge of a bin, which belongs to either side.
    """
    chances = torch.empty(0, classes)
    while len(chances) < n:
        more = (1.5 * torch.randn(2 * n, classes)).softmax(dim=1)
        place = more.amax(dim=1) * bins
        chances = torch.cat([chances, more[(place - place.round()).abs() > 1e-3]])[:n]
    guess = torch.randint(classes, (n,))
    labels = torch.where(torch.rand(n) < 0.4, chances.argmax(dim=1), guess)
    chances[0] = F.one_hot((labels[0] + 1) % classes, classes)
    order = torch.randperm(n)
    return chances[order], labels[order]


def fits(got: Tensor, want: Tensor) -> bool:
    return torch.allclose(got, want, rtol=1e-3, atol=1e-5)


@checked
def calibration_error(answer: Callable) -> str:
    """`my_error(chances, labels, bins)`: (n, classes), (n,) -> a number."""
    (classes,) = distinct(1, 3, 6)
    (n,) = distinct(1, 150, 200)
    cases = [(n, classes, 10), (n, 10, 15), (n, classes, 1), (1, 4, 10), (40, 2, 7)]
    drawn = [(*predictions(*case), case[-1]) for case in cases]
    found = []
    for (count, kinds, bins), inputs in zip(cases, drawn, strict=True):
        case = f"{count} image{'s' * (count > 1)} of {kinds} classes in {bins} bins"
        got = ask(answer, *inputs, expected="a number", case=case)
        found.append(as_number(answer, got, "a number"))
        if math.isnan(found[-1]):
            raise NotSolved(
                f"{called(answer)} returned nan for {case}: the mean of an empty bin is"
                " 0/0, so leave out bins without images"
            )

    def of_all(error: Callable) -> Tensor:
        return torch.tensor([error(*inputs) for inputs in drawn]).double()

    got = torch.tensor(found).double()
    want = of_all(error_of)
    if fits(got, want):
        return f"{100 * want[0]:.1f} points on {n} made-up predictions in ten bins"
    tables = [{place: wrong} for place, wrong in ERROR_SLIPS.items()]
    tables.append(ERROR_SLIPS)  # two at once, where none alone fits
    wrong = ({sentence: of_all(error)} for sentence, error in OTHER_ERRORS.items())
    named = (slips(lambda **slip: of_all(partial(error_of, **slip)), t) for t in tables)
    for rows in chain(wrong, named):
        for sentence, values in rows.items():
            if fits(got, values):
                raise NotSolved(sentence)
    worst = int((got - want).abs().argmax())
    count, kinds, bins = cases[worst]
    raise NotSolved(
        f"{called(answer)} returned {found[worst]:.4g} for {count} predictions of"
        f" {kinds} classes in {bins} bins, expected {want[worst]:.4g}"
    )
