"""The check of chapter 10 that compares two models: a paired bootstrap."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vit_tutorial.checks.core import NotSolved, ask, called, checked
from vit_tutorial.checks.slips import slips
from vit_tutorial.checks.training import as_number

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


def wrong_intervals(a: int, b: int) -> dict[str, tuple[float, float]]:
    """What the usual mistakes give where only the first is right on `a` images, and
    only the second on `b`: sentence -> (low, high)."""
    mean = (b - a) / N
    error = spread(a, b, N)
    share = (b - a) / (a + b)
    errors = alone(BOTH + a, N), alone(BOTH + b, N)
    of_each = {"first": (BOTH + a) / N, "second": (BOTH + b) / N}
    within = math.sqrt((1 - share**2) / (a + b))

    def around(middle: float = mean, factor: float = Z, width: float = error) -> tuple:
        return middle - factor * width, middle + factor * width

    few = "draws says how many resamples there are, each of n images: yours are swapped"
    found = slips(
        around,
        {
            "middle": {
                SIGN: -mean,
                "the interval is centred on 0, where chance alone would put it: that of the difference lies around the difference": (
                    0.0
                ),
            },
            "factor": {
                "this is one standard error to either side, which covers 68 %; cut 2.5 % off at either end": (
                    1.0
                ),
                "this covers 90 %: cut 2.5 % off at either end, not 5 %": 1.645,
                "this covers 99 %: cut 2.5 % off at either end": 2.576,
            },
            "width": {
                SAME_IMAGES: math.hypot(*errors),
                few: error * math.sqrt(N / DRAWS),
            },
        },
    )
    found |= {
        f"this is the interval of the {name} model's accuracy, that of the difference is asked for": around(
            of_each[name], width=width
        )
        for name, width in zip(of_each, errors, strict=True)
    }
    apart = "the two models' intervals were subtracted: subtract within each resample"
    return found | {
        apart: around(width=sum(errors)),
        f"{apart}, then take percentiles": around(width=errors[1] - errors[0]),
        "only images on which the two disagree were drawn: draw from all": around(
            share, width=within
        ),
        "these are percentiles over single images: take the accuracy of a resample first": (
            -1.0,
            1.0,
        ),
        "a share is asked for, not a number of images": tuple(N * x for x in around()),
        "a share is asked for, not per cent": tuple(100 * x for x in around()),
    }


def compare_intervals(answer: Callable, got: Tensor, a: int, b: int) -> None:
    mean = (b - a) / N
    error = spread(a, b, N)
    low, high = got.tolist()
    want = torch.tensor([mean - Z * error, mean + Z * error]).double()
    if (got - want).abs().max() < SLACK * error:
        return
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
    for sentence, ends in wrong_intervals(a, b).items():
        slack = SLACK * error * max(1, abs(ends[1] - ends[0]) / (2 * Z * error))
        if (got - torch.tensor(ends).double()).abs().max() < slack:
            raise NotSolved(sentence)
    raise NotSolved(
        f"{called(answer)} returned ({low:.3f}, {high:.3f}) where the second model is"
        f" better by {mean:.3f}, about ({want[0]:.3f}, {want[1]:.3f}) was expected"
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
