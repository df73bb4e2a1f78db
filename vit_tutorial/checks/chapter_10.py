"""Checks of chapter 10: a calibration error, and the interval of a difference."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from vit_tutorial.checks.harness import (
    NotSolved,
    as_number,
    ask,
    called,
    checked,
    combined,
    distinct,
    listed,
    name_mistake,
)

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
    kept = where < bins  # what a mistake puts beyond the last bin is lost
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
ERROR_MISTAKES = {
    "sure": {
        "a confidence is the probability of the model's answer, the largest; that of"
        " the label was taken": of_the_label,
        "every class was binned: an image counts once, with its answer": of_every_class,
    },
    "place": {
        f"{ROUNDED}, so cut off": lambda sure, bins: (
            (sure * bins).round().clamp(max=bins - 1)
        ),
        f"{ROUNDED}, and whoever rounds up to bins is lost": lambda sure, bins: (
            sure * bins
        ).round(),
        "a confidence of 1 belongs to the last bin, these images are"
        " lost": lambda sure, bins: (sure * bins).floor(),
        "bins run from 0 to 1, not from the least to the largest"
        " confidence": between_the_extremes,
        "bins are equally wide, yours hold equally many images": of_equal_size,
        "the last bin is missing": lambda sure, bins: (
            cut_off(sure, bins) + (cut_off(sure, bins) == bins - 1)
        ),
    },
    "gap": {
        "a distance within each image was taken: first the means of a bin, then their"
        " distance": lambda right, sure, apart, middle: apart,
        f"{CANCELLED}: a distance has no sign,"
        " abs()": lambda right, sure, apart, middle: right - sure,
        f"{CANCELLED}: a distance has no sign, whichever is taken from the"
        " other": lambda right, sure, apart, middle: sure - right,
        "a bin's confidence is the mean of its images, not the middle of the"
        " bin": lambda right, sure, apart, middle: (right - middle).abs(),
        "the distances are squared": lambda right, sure, apart, middle: (
            (right - sure) ** 2
        ),
        "this is how often a bin is right: how sure it is has"
        " gone": lambda right, sure, apart, middle: right,
    },
    "join": {
        f"each bin counts alike: {ALIKE}": lambda gaps, sizes, n, bins: gaps.mean(),
        "each bin counts alike, empty ones too:"
        f" {ALIKE}": lambda gaps, sizes, n, bins: gaps.sum() / bins,
        f"the bins are added up: {ALIKE}": lambda gaps, sizes, n, bins: gaps.sum(),
        "this is the sum over all images: divide by their"
        " number": lambda gaps, sizes, n, bins: (gaps * sizes).sum(),
        "divide by the number of images, not by that of"
        " bins": lambda gaps, sizes, n, bins: (gaps * sizes).sum() / bins,
        "this is the worst bin: the mean is asked for": lambda gaps, sizes, n, bins: (
            gaps.max()
        ),
        "this is the root of a mean of squares: the mean distance is asked"
        " for": lambda gaps, sizes, n, bins: by_images(gaps**2, sizes, n, bins).sqrt(),
        "this is in per cent: a share is asked for, from 0"
        " to 1": lambda gaps, sizes, n, bins: 100 * by_images(gaps, sizes, n, bins),
    },
}
OTHER_ERRORS = {
    "the means over all images cancel: take the distance in each bin": overall,
    "bins is an argument: here there are always ten": lambda chances, labels, bins: (
        error_of(chances, labels, 10)
    ),
    "bins of them have bins + 1 edges, so yours are one too"
    " few": lambda chances, labels, bins: error_of(chances, labels, max(bins - 1, 1)),
}


def predictions(n: int, classes: int, bins: int, known: float) -> tuple[Tensor, Tensor]:
    """Made-up probabilities and labels of a model that knows a share of the answers and
    is right by chance on some of the others.

    One image is given the probability 1, and wrongly; no other confidence lies on the
    edge of a bin, which belongs to either side.
    """
    chances = torch.empty(0, classes)
    while len(chances) < n:
        more = (1.5 * torch.randn(2 * n, classes)).softmax(dim=1)
        place = more.amax(dim=1) * bins
        chances = torch.cat([chances, more[(place - place.round()).abs() > 1e-3]])[:n]
    guess = torch.randint(classes, (n,))
    labels = torch.where(torch.rand(n) < known, chances.argmax(dim=1), guess)
    chances[0] = F.one_hot((labels[0] + 1) % classes, classes)
    order = torch.randperm(n)
    return chances[order], labels[order]


def fits(got: Tensor, want: Tensor) -> bool:
    return torch.allclose(got, want, rtol=1e-3, atol=1e-5)


def wrong_errors(drawn: list[tuple]) -> dict[str, Tensor]:
    """What the usual mistakes make of all that was drawn: sentence -> errors."""

    def of_all(error: Callable = error_of, **mistake: Callable) -> Tensor:
        return torch.tensor([error(*given, **mistake) for given in drawn]).double()

    others = {said: of_all(error) for said, error in OTHER_ERRORS.items()}
    return others | combined(of_all, ERROR_MISTAKES)


@checked
def calibration_error(answer: Callable) -> str:
    """`my_error(chances, labels, bins)`: (n, classes), (n,) -> a number."""
    (classes,) = distinct(1, 3, 6)
    (n,) = distinct(1, 150, 200)
    cases = [(n, classes, 10), (n, 10, 15), (n, classes, 1), (1, 4, 10), (40, 2, 7)]
    # sure of too much in all but the second, so that a lost sign can be told
    known = (0.2, 0.95, 0.4, 0.4, 0.4)
    drawn = [
        (*predictions(*case, share), case[-1])
        for case, share in zip(cases, known, strict=True)
    ]
    found = []
    for (count, kinds, bins), given in zip(cases, drawn, strict=True):
        case = f"{count} image{'s' * (count > 1)} of {kinds} classes in {bins} bins"
        got = ask(answer, *given, expected="a number", case=case)
        found.append(as_number(answer, got, "a number"))
        if math.isnan(found[-1]):
            raise NotSolved(
                f"{called(answer)} returned nan for {case}: the mean of an empty bin is"
                " 0/0, so leave out bins without images"
            )
    got = torch.tensor(found).double()
    want = torch.tensor([error_of(*given) for given in drawn]).double()
    name_mistake(got, want, lambda: wrong_errors(drawn), fits)
    if fits(got, want):
        return f"{100 * want[0]:.1f} points on {n} made-up predictions in ten bins"
    worst = int((got - want).abs().argmax())
    count, kinds, bins = cases[worst]
    raise NotSolved(
        f"{called(answer)} returned {found[worst]:.4g} for {count} predictions of"
        f" {kinds} classes in {bins} bins, expected {want[worst]:.4g}"
    )


# ---- the interval of a difference


N = 500  # images; both models are right on some, only one of them on others
BOTH = 230
FEWER = 30
MORE = 51
DRAWS = 8_000  # then a percentile is off by 0.03 standard errors
SLACK = 0.2  # standard errors; a bound of 90 % instead of 95 is 0.3 off
Z = 1.96

PAIR = "a pair of numbers, low and high"
SAME_IMAGES = (
    "a model against itself has the interval (0, 0): draw the images once for both,"
    " yours were judged on images of their own"
)
ALL_ONCE = (
    "every resample holds all images once, so nothing varies: draw with replacement,"
    " torch.randint, not torch.randperm"
)
SIGN = "the first model's accuracy is taken from the second's, not the other way round"


def answers_of(both: int, only_first: int, only_second: int, n: int) -> list[Tensor]:
    """Which images the first and the second model get right, in random order."""
    kinds = [(1, 1)] * both + [(1, 0)] * only_first + [(0, 1)] * only_second
    kinds += [(0, 0)] * (n - len(kinds))
    return list(torch.tensor(kinds).bool()[torch.randperm(n)].T)


def ask_interval(
    answer: Callable, first: Tensor, second: Tensor, draws: int, case: str
) -> Tensor:
    """What the learner's function returns, as (2,): low and high."""
    got = ask(answer, first, second, draws, expected=PAIR, case=case)
    if not isinstance(got, tuple | list | Tensor) and not hasattr(got, "tolist"):
        raise NotSolved(
            f"{called(answer)} returned a {type(got).__name__}, {PAIR}, was expected:"
            " a standard error is half of an interval at best"
        )
    ends = list(got) if getattr(got, "ndim", 1) else [got]
    if len(ends) != 2:
        raise NotSolved(
            f"{called(answer)} returned {len(ends)} values, {PAIR}, expected"
        )
    low, high = (as_number(answer, end, PAIR) for end in ends)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise NotSolved(f"{called(answer)} returned ({low}, {high}) for {case}")
    return torch.tensor([low, high], dtype=torch.float64)


def spread(only_first: int, only_second: int, n: int) -> float:
    """The standard error of the difference on the same images."""
    mean = (only_second - only_first) / n
    return math.sqrt(((only_first + only_second) / n - mean**2) / n)


def alone(right: int, n: int) -> float:
    """The standard error of one accuracy."""
    return math.sqrt(right / n * (1 - right / n) / n)


FEW = "draws says how many resamples there are, each of n images: yours are swapped"
ONE = "model's accuracy, that of the difference is asked for"
# `right` and `errors` are the accuracies and their standard errors, of each model
OTHER_INTERVALS = {
    f"this is the interval of the first {ONE}": lambda right, errors: around(
        right[0], errors[0]
    ),
    f"this is the interval of the second {ONE}": lambda right, errors: around(
        right[1], errors[1]
    ),
    "only images on which the two disagree were drawn: draw from"
    " all": lambda share, within: around(share, within),
    "these are percentiles over single images: take the accuracy of a resample"
    " first": lambda: (
        -1.0,
        1.0,
    ),
    "a share is asked for, not a number of images": lambda want: tuple(
        N * end for end in want
    ),
    "a share is asked for, not per cent": lambda want: tuple(100 * end for end in want),
}


def around(middle: float, width: float, factor: float = Z) -> tuple[float, float]:
    return middle - factor * width, middle + factor * width


def wrong_intervals(a: int, b: int) -> dict[str, tuple[float, float]]:
    """What the usual mistakes give where only the first is right on `a` images, and
    only the second on `b`: sentence -> (low, high).
    """
    mean = (b - a) / N
    error = spread(a, b, N)
    share = (b - a) / (a + b)
    errors = alone(BOTH + a, N), alone(BOTH + b, N)
    mistakes = {
        "middle": {
            SIGN: -mean,
            "the interval is centred on 0, where chance alone would put it: that of the"
            " difference lies around the difference": 0.0,
        },
        "factor": {
            "this is one standard error to either side, which covers 68 %; cut 2.5 %"
            " off at either end": 1.0,
            "this covers 90 %: cut 2.5 % off at either end, not 5 %": 1.645,
            "this covers 99 %: cut 2.5 % off at either end": 2.576,
        },
        "width": {FEW: error * math.sqrt(N / DRAWS)},
    }
    return combined(partial(around, middle=mean, width=error), mistakes) | listed(
        OTHER_INTERVALS,
        mean=mean,
        errors=errors,
        right=((BOTH + a) / N, (BOTH + b) / N),
        share=share,
        within=math.sqrt((1 - share**2) / (a + b)),
        want=around(mean, error),
    )


def compare_intervals(answer: Callable, got: Tensor, a: int, b: int) -> None:
    """Raise NotSolved unless `got` is about the interval that one expects."""
    mean = (b - a) / N
    error = spread(a, b, N)
    low, high = got.tolist()
    want = around(mean, error)

    def fits(got: Tensor, ends: Sequence[float]) -> bool:
        wide = max(1, abs(ends[1] - ends[0]) / (2 * Z * error))
        return (got - torch.tensor(ends)).abs().max() < SLACK * error * wide

    if low > high:
        raise NotSolved("the lower end comes first: its percentile is 2.5, then 97.5")
    if high - low < 0.1 * error and abs(low - mean) < 0.1 * error:
        raise NotSolved(
            "the spread of the resamples is the standard error already: it is not"
            " divided by the root of their number"
        )
    if low < mean - 2.9 * error and high > mean + 2.9 * error and high < 0.5:
        raise NotSolved(
            "these are the smallest and the largest difference: cut 2.5 % off at"
            " either end"
        )
    name_mistake(got, want, lambda: wrong_intervals(a, b), fits)
    if not fits(got, want):
        raise NotSolved(
            f"{called(answer)} returned ({low:.3f}, {high:.3f}) where the second model"
            f" is better by {mean:.3f}, about ({want[0]:.3f}, {want[1]:.3f}) was"
            " expected"
        )


@checked
def paired_bootstrap(answer: Callable) -> str:
    """`my_interval(first, second, draws)`: two (n,) of True and False -> low, high."""
    more_first = bool(torch.rand(()) < 0.5)
    a, b = (MORE, FEWER) if more_first else (FEWER, MORE)
    first, second = answers_of(BOTH, a, b, N)
    itself = ask_interval(answer, first, first.clone(), 200, "a model against itself")
    if itself.abs().max() > 1e-6 and abs(itself.mean()) < 0.1:
        raise NotSolved(SAME_IMAGES)
    case = f"two models, {N} images and {DRAWS} draws"
    got = ask_interval(answer, first, second, DRAWS, case)
    if abs(got[1] - got[0]) < 1e-9:
        again = [ask_interval(answer, first, second, 9, case) for _ in range(6)]
        if all((ends - (b - a) / N).abs().max() < 1e-6 for ends in [got, *again]):
            raise NotSolved(ALL_ONCE)
        raise NotSolved("all resamples are one: draw new images for each")
    compare_intervals(answer, got, a, b)
    low, high = ask_interval(answer, first, second, 1, "a single draw")
    if low != high:
        raise NotSolved(
            "draws is an argument: one draw has one difference, no interval"
        )
    pair = answers_of(20, 0, 2, 50)  # of 2 in 50 often none is drawn, and never -1
    case = "models that differ on two images"
    low = ask_interval(answer, *pair, 1000, case)[0].item()
    if abs(low) > 1e-6:
        raise NotSolved(
            f"the lower end is {low:.3f} where the second model is never behind: take"
            " percentiles of the resamples, not their mean and 1.96 standard errors"
        )
    wider = math.hypot(alone(BOTH + a, N), alone(BOTH + b, N)) / spread(a, b, N)
    return f"drawn apart, the interval would be {wider:.1f} times as wide"
