"""Checks of chapter 11: a gap and its error, a start that looks trained, and many
comparisons counted together.
"""

from collections.abc import Callable
from functools import partial
from itertools import combinations

import torch
from torch import Tensor

from vit_tutorial.checks.harness import (
    AND,
    NotSolved,
    as_number,
    ask,
    called,
    checked,
    combined,
    compare,
    distinct,
    listed,
    name_mistake,
    same,
    told_apart,
    two,
)
from vit_tutorial.training import metrics

# ---- a gap and its standard error


NUMBERS = "a pair of numbers, gap and error,"
# what PyTorch and NumPy say where the runs of both sides are taken for pairs
UNPAIRED = dict.fromkeys(
    ("must match the size", "could not be broadcast", "equal size"),
    "the runs of both sides are no pairs, and may differ in number",
)


def of_means(first: Tensor, second: Tensor) -> Tensor:
    return second.mean() - first.mean()


def by_runs(spread: Tensor, n: int, other: int) -> Tensor:
    return spread / n


def root_of_sum(a: Tensor, b: Tensor) -> Tensor:
    return (a + b).sqrt()


def measured(
    first: Tensor,
    second: Tensor,
    gap: Callable = of_means,
    vary: Callable = torch.var,
    share: Callable = by_runs,
    join: Callable = root_of_sum,
) -> Tensor:
    """Gap and error (2,) in float64; the last four arguments are places to slip."""
    first, second = first.double(), second.double()
    n, m = len(first), len(second)
    a, b = share(vary(first), n, m), share(vary(second), m, n)
    return torch.stack([gap(first, second), join(a, b)])


SQUARES = "divide each variance by its own number of runs:"
ONE_SIDE = "both sides vary, yours is the error of the"
GAPS = {
    "gap": {
        "the gap is second minus first, yours is turned": lambda first, second: (
            first.mean() - second.mean()
        ),
        "a gap has a sign, below 0 where the second runs are worse: no"
        " abs": lambda first, second: of_means(first, second).abs(),
        "accuracies are shares, and so is their gap: yours is in per"
        " cent": lambda first, second: 100 * of_means(first, second),
        "the gap is a difference: yours is divided by the mean of the"
        " first": lambda first, second: of_means(first, second) / first.mean(),
        "compare the means, not the best run of each": lambda first, second: (
            second.max() - first.max()
        ),
        "compare the means, not the medians": lambda first, second: (
            second.quantile(0.5) - first.quantile(0.5)
        ),
        "compare the means, you took the sums": lambda first, second: (
            second.sum() - first.sum()
        ),
    },
    "vary": {
        "the variance of n runs divides by n - 1, yours by n (correction=0, the"
        " habit of NumPy)": partial(torch.var, correction=0),
        "squares add up, you put standard deviations in the place of"
        " variances": torch.std,
        "the squares are taken around the mean, yours around 0": lambda runs: (
            runs.square().sum() / (len(runs) - 1)
        ),
    },
    "share": {
        "this is how far single runs spread: the mean of n runs varies less, divide"
        " each variance by n": lambda spread, n, other: spread,
        f"{SQUARES} you divided by its root": lambda spread, n, other: spread / n**0.5,
        f"{SQUARES} you divided by its square, as std / n"
        " would": lambda spread, n, other: spread / n**2,
        f"{SQUARES} you divided by n - 1 once more": lambda spread, n, other: (
            spread / (n - 1)
        ),
        f"{SQUARES} you took that of the other side": lambda spread, n, other: (
            spread / other
        ),
        f"{SQUARES} you took all runs of both sides": lambda spread, n, other: (
            spread / (n + other)
        ),
        f"{SQUARES} you multiplied": lambda spread, n, other: spread * n,
    },
    "join": {
        "errors do not add up, their squares do: the root comes last": lambda a, b: (
            a.sqrt() + b.sqrt()
        ),
        "the root of each was taken, and once more of their sum: one root, at the"
        " end": lambda a, b: (a.sqrt() + b.sqrt()).sqrt(),
        "this is the square of the error: its root is missing": lambda a, b: a + b,
        f"{ONE_SIDE} first": lambda a, b: a.sqrt(),
        f"{ONE_SIDE} second": lambda a, b: b.sqrt(),
        f"{ONE_SIDE} larger": lambda a, b: torch.maximum(a, b).sqrt(),
        "both errors add to that of the gap, you took their mean": lambda a, b: (
            (a.sqrt() + b.sqrt()) / 2
        ),
        "the squares of both errors add up, you took their mean": lambda a, b: (
            (a + b) / 2
        ).sqrt(),
        "the gap is a difference, its variance is a sum: you took one from the"
        " other": lambda a, b: (a - b).abs().sqrt(),
        "errors do not take away from each other: add their squares": lambda a, b: (
            a.sqrt() - b.sqrt()
        ).abs(),
    },
}
OTHER_GAPS = {
    "the gap comes first, then its error": lambda gap, error: (error, gap),
    "this pools both variances (Student): each side keeps its own here, divided by its"
    " own number of runs (Welch)": lambda gap, a, b, n, m: (
        gap,
        (((n - 1) * a + (m - 1) * b) / (n + m - 2) * (1 / n + 1 / m)) ** 0.5,
    ),
    "this gives both sides the mean of both variances: each keeps its"
    " own": lambda gap, a, b, n, m: (gap, ((a + b) / 2 * (1 / n + 1 / m)) ** 0.5),
    "the runs of both were thrown together, so the gap itself counts as"
    " spread": lambda gap, runs, n, m: (gap, runs.std().item() / (n + m) ** 0.5),
    "this is the spread of all runs of both, not the error of the"
    " gap": lambda gap, runs: (gap, runs.std().item()),
    "this is t, the gap in standard errors: the error itself is"
    " asked for": lambda gap, error: (gap, gap / error),
    "this is half the width of an interval of 95 %: one standard error is asked"
    " for": lambda gap, error: (gap, 1.96 * error),
    "accuracies are shares: your gap and error are in per cent": lambda gap, error: (
        100 * gap,
        100 * error,
    ),
    "accuracies are shares, and so is the error: yours is in per"
    " cent": lambda gap, error: (gap, 100 * error),
    "the mean of the second runs is no gap: take off that of the"
    " first": lambda gap, error, mean: (mean, error),
}


def wrong_gaps(first: Tensor, second: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of two groups of runs: sentence -> gap and error."""
    gap, error = measured(first, second).tolist()
    a, b = (runs.double().var().item() for runs in (first, second))
    others = listed(
        OTHER_GAPS,
        gap=gap,
        error=error,
        a=a,
        b=b,
        n=len(first),
        m=len(second),
        runs=torch.cat([first, second]).double(),
        mean=second.double().mean().item(),
    )
    found = {said: torch.tensor(pair).double() for said, pair in others.items()}
    return found | combined(partial(measured, first, second), GAPS)


def drawn_runs(n: int, m: int, better: bool, dtype: torch.dtype) -> tuple:
    """Accuracies (n,), (m,) of two groups of runs; the better ones spread more."""
    spreads = (0.04, 0.08) if better else (0.08, 0.04)
    first, second = (
        0.6 + spread * torch.randn(count, dtype=dtype)
        for spread, count in zip(spreads, (n, m), strict=True)
    )
    gap = (0.05 + 0.1 * torch.rand(()).item()) * (1 if better else -1)
    return first, second + of_means(second, first) + gap


def told_runs(n: int, m: int) -> tuple[list[tuple], Tensor, dict[str, Tensor]]:
    """Two groups of runs, twice: once the second are worse, once better; the right gaps
    and errors (2, 2), and those of the usual mistakes, no two alike.
    """
    while True:
        drawn = [
            drawn_runs(n, m, False, torch.float32),
            drawn_runs(m, n, True, torch.float64),
        ]
        want = torch.stack([measured(*runs) for runs in drawn])
        wrong = [wrong_gaps(*runs) for runs in drawn]
        mistakes = {
            said: torch.stack([one[said] for one in wrong]) for said in wrong[0]
        }
        single = [value for said, value in mistakes.items() if AND not in said]
        if told_apart([want, *single]):
            return drawn, want, mistakes


def ask_difference(
    answer: Callable, first: Tensor, second: Tensor, case: str
) -> Tensor:
    """What the learner's function returns, as (2,): gap and error."""
    got = ask(answer, first, second, expected=NUMBERS, case=case, clues=UNPAIRED)
    values = got.tolist() if hasattr(got, "tolist") else got
    if not isinstance(values, tuple | list):
        raise NotSolved(
            f"{called(answer)} returned one {type(got).__name__}, {NUMBERS} was"
            " expected"
        )
    if len(values) != 2:
        raise NotSolved(
            f"{called(answer)} returned {len(values)} values, {NUMBERS} was expected"
        )
    return torch.tensor(
        [as_number(answer, value, "a number in each place") for value in values]
    ).double()


@checked
def difference(answer: Callable) -> str:
    """`my_difference(first, second)`: accuracies (n,), (m,) -> gap and error."""
    n, m = distinct(2, 4, 8)
    drawn, want, mistakes = told_runs(n, m)
    cases = [f"{len(a)} and {len(b)} runs" for a, b in drawn]
    found = [
        ask_difference(answer, *runs, case)
        for runs, case in zip(drawn, cases, strict=True)
    ]
    name_mistake(torch.stack(found), want, lambda: mistakes, same)
    for case, runs in (
        (f"{m} runs a side", drawn_runs(m, m, True, torch.float32)),
        ("two runs a side", drawn_runs(2, 2, False, torch.float32)),
        ("first runs that are all alike", (torch.full((3,), 0.625), drawn[0][1])),
    ):
        cases.append(case)
        drawn.append(runs)
        found.append(ask_difference(answer, *runs, case))
    for case, runs, got in zip(cases, drawn, found, strict=True):
        right = measured(*runs)
        for name, mine, value in zip(("gap", "error"), got, right, strict=True):
            if not same(mine, value):
                raise NotSolved(
                    f"{called(answer)} returned {mine:.4g} as the {name} of {case},"
                    f" expected {value:.4g}"
                )
    gap, error = want[1].tolist()
    return f"a gap of {100 * gap:.1f} points is {gap / error:.1f} standard errors"


# ---- a start that looks trained


FACTORS = "a pair, W_q and W_k, each (D, rank),"
TURNED = "a column is one of the rank directions, each of the two is (D, rank)"


def best(left: Tensor, values: Tensor, right: Tensor, rank: int) -> tuple:
    """What is to be kept: (D, rank), (rank,) and (D, rank)."""
    return left[:, :rank], values[:rank], right[:, :rank]


def summed(noise: Tensor) -> Tensor:
    return 0.7 * noise + 0.7 * torch.eye(len(noise), dtype=noise.dtype)


def product_of(
    noise: Tensor,
    rank: int,
    target: Callable = summed,
    choose: Callable = best,
    power: Callable = lambda values: values,
) -> Tensor:
    """W_q W_k^T in float64; the last three arguments are places to slip.

    In the type of the noise, as in another singular vectors may have another sign,
    which does not matter but to mistakes.
    """
    left, values, rows = torch.linalg.svd(target(noise))
    left, values, right = (
        part.double() for part in choose(left, values, rows.mT, rank)
    )
    return left * power(values) @ right.mT


WHERE = "0.7 noise + 0.7 I is to be met:"
ROOTS = "each of the two takes the square roots of the singular values:"
PRODUCTS = {
    "target": {
        f"{WHERE} the identity is missing": lambda noise: 0.7 * noise,
        f"{WHERE} you took the identity off": lambda noise: (
            0.7 * (noise - torch.eye(len(noise)))
        ),
        f"{WHERE} the identity has the factor 1": lambda noise: (
            0.7 * noise + torch.eye(len(noise))
        ),
        f"{WHERE} the noise has the factor 1": lambda noise: (
            noise + 0.7 * torch.eye(len(noise))
        ),
        f"{WHERE} both have the factor 1": lambda noise: noise + torch.eye(len(noise)),
        f"{WHERE} 0.4 noise - 0.4 I is for values and output": lambda noise: (
            0.4 * (noise - torch.eye(len(noise)))
        ),
        f"{WHERE} 0.4 is the factor of values and output": lambda noise: (
            0.4 * (noise + torch.eye(len(noise)))
        ),
        f"{WHERE} the noise comes with variance 1/D, you divided by the root of D once"
        " more": lambda noise: summed(noise / len(noise) ** 0.5),
        f"{WHERE} the noise comes with variance 1/D, you divided by D once"
        " more": lambda noise: summed(noise / len(noise)),
        f"{WHERE} the noise comes with variance 1/D, you multiplied it by the root of"
        " D": lambda noise: summed(noise * len(noise) ** 0.5),
        f"{WHERE} 0.7 was added to every value, the identity is 1 on the diagonal"
        " alone": lambda noise: 0.7 * noise + 0.7,
        f"{WHERE} the noise was multiplied by the identity, only its diagonal is"
        " left": lambda noise: 0.7 * noise * torch.eye(len(noise)),
        f"{WHERE} you made it symmetric": lambda noise: (
            (summed(noise) + summed(noise).mT) / 2
        ),
    },
    "choose": {
        "the largest singular values count, you kept the"
        " smallest": lambda left, values, right, rank: (
            left[:, -rank:],
            values[-rank:],
            right[:, -rank:],
        ),
        "the largest singular value comes first, you left it"
        " out": lambda left, values, right, rank: (
            left[:, 1 : rank + 1],
            values[1 : rank + 1],
            right[:, 1 : rank + 1],
        ),
        "rank singular values count, you kept one"
        " less": lambda left, values, right, rank: best(left, values, right, rank - 1),
        "the product is turned, W_k W_q^T is right: W_q is of the left singular"
        " vectors": lambda left, values, right, rank: best(right, values, left, rank),
        "svd returns V^T: its rows are singular vectors, yours are its"
        " columns": lambda left, values, right, rank: best(
            left, values, right.mT, rank
        ),
        "the columns of U are singular vectors, yours are its"
        " rows": lambda left, values, right, rank: best(left.mT, values, right, rank),
        "svd returns U and V^T, of both you took the wrong"
        " axis": lambda left, values, right, rank: best(
            left.mT, values, right.mT, rank
        ),
        "both are of U: W_k is of V, the right singular"
        " vectors": lambda left, values, right, rank: best(left, values, left, rank),
        "both are of V: W_q is of U, the left singular"
        " vectors": lambda left, values, right, rank: best(right, values, right, rank),
    },
    "power": {
        f"{ROOTS} yours take them whole, so the product has their"
        " squares": torch.square,
        f"{ROOTS} yours have none of them": torch.ones_like,
        f"{ROOTS} one has the root, the other none": torch.sqrt,
        f"{ROOTS} one has the root, the other all": lambda values: values**1.5,
        f"{ROOTS} you divided by them": torch.reciprocal,
    },
}
OTHER_PRODUCTS = {
    "the first columns alone were kept: take the singular value"
    " decomposition": lambda target, rank: torch.cat(
        [target[:, :rank], torch.zeros_like(target[:, rank:])], dim=1
    ),
    "eigh is for symmetric matrices, this one is not: take svd": lambda target, rank: (
        eigen(target)(rank, largest=True)
    ),
    "eigh is for symmetric matrices, and the smallest come first: take"
    " svd": lambda target, rank: eigen(target)(rank, largest=False),
    "the product is right, but for the 0.7: multiply before the roots": lambda want: (
        0.7 * want
    ),
    "the product is right, but for the sign": lambda want: -want,
}


def eigen(target: Tensor) -> Callable:
    """From a rank to the product of eigenvectors as if `target` were symmetric."""
    values, vectors = torch.linalg.eigh(target)

    def product(rank: int, largest: bool) -> Tensor:
        kept = slice(-rank, None) if largest else slice(rank)
        return vectors[:, kept] * values[kept] @ vectors[:, kept].mT

    return product


def wrong_products(noise: Tensor, rank: int) -> dict[str, Tensor]:
    """What the usual mistakes make of noise (D, D): sentence -> W_q W_k^T."""
    form = partial(product_of, noise, rank)
    others = listed(
        OTHER_PRODUCTS, target=summed(noise.double()), rank=rank, want=form()
    )
    return others | combined(form, PRODUCTS)


def drawn_noise(D: int, rank: int, dtype: torch.dtype, told: bool = False) -> Tensor:
    """Noise (D, D) of variance 1/D whose closest product of a rank is clear; where it
    is to be `told`, no two mistakes come to the same.
    """
    while True:
        noise = torch.randn(D, D, dtype=dtype) / D**0.5
        values = torch.linalg.svdvals(summed(noise.double()))
        if rank < D and values[rank - 1] - values[rank] < 0.05:
            continue
        mistakes = wrong_products(noise, rank) if told else {}
        single = [value for said, value in mistakes.items() if AND not in said]
        if told_apart([product_of(noise, rank), *single]):
            return noise


def ask_factors(
    answer: Callable, noise: Tensor, rank: int, case: str
) -> tuple[Tensor, Tensor]:
    """What the learner's function makes of noise; NotSolved unless both are (D, rank),
    of its type.
    """
    D = len(noise)
    q, k = two(answer, ask(answer, noise, rank, expected=FACTORS, case=case), FACTORS)
    shapes = tuple(q.shape), tuple(k.shape)
    if rank < D and shapes == ((rank, D), (rank, D)):
        raise NotSolved(f"{TURNED}: yours are turned")
    if rank < D and shapes == ((D, rank), (rank, D)):
        raise NotSolved(f"{TURNED}: you returned W_k^T")
    if rank < D and shapes == ((D, D), (D, D)):
        raise NotSolved(
            f"{TURNED}: yours are of full rank, keep the largest singular values"
        )
    for name, got in (("W_q", q), ("W_k", k)):
        if got.shape != (D, rank):
            raise NotSolved(
                f"{called(answer)} returned {name} of shape {tuple(got.shape)},"
                f" expected {(D, rank)} for {case}"
            )
        if got.dtype != noise.dtype:
            raise NotSolved(
                f"{called(answer)} returned {name} of {got.dtype}, expected"
                f" {noise.dtype}, the type of the noise"
            )
        if not torch.isfinite(got).all():
            raise NotSolved(
                f"{called(answer)} returned {name} with numbers that are not finite:"
                " singular values are never below 0, but eigenvalues may be"
            )
    return q.detach().double(), k.detach().double()


def check_split(q: Tensor, k: Tensor) -> None:
    """Raise NotSolved unless both factors have the same singular values."""
    mine, theirs = torch.linalg.svdvals(q), torch.linalg.svdvals(k)
    for whole, bare, names in ((mine, theirs, "qk"), (theirs, mine, "kq")):
        if same(bare, torch.ones_like(bare)) and not same(whole, bare):
            raise NotSolved(
                f"the product is right, but W_{names[0]} took all of the singular"
                f" values and W_{names[1]} none: the square roots belong to each"
            )
    if not same(mine, theirs):
        raise NotSolved(
            "the product is right, but not evenly split: the singular values of W_q"
            f" are {shown(mine)}, those of W_k {shown(theirs)}; the square roots belong"
            " to each"
        )


def shown(values: Tensor) -> str:
    return ", ".join(f"{value:.3g}" for value in values)


@checked
def mimetic(answer: Callable) -> str:
    """`my_mimetic(noise, rank)`: noise (D, D) of variance 1/D -> W_q, W_k (D, rank)."""
    D, other = distinct(2, 7, 10)
    (rank,) = distinct(1, 3, 5)
    for width, kept, dtype in (
        (D, rank, torch.float32),
        (other, 2, torch.float64),
        (other, 1, torch.float32),
        (D, D, torch.float32),
    ):
        noise = drawn_noise(width, kept, dtype, told=kept == rank)
        case = f"noise of shape {(width, width)} and rank {kept}"
        q, k = ask_factors(answer, noise, kept, case)
        got, want = q @ k.mT, product_of(noise, kept)
        if kept == rank:
            name_mistake(got, want, partial(wrong_products, noise, kept), same)
        if not same(got, want):
            again, other_k = ask_factors(answer, noise, kept, case)
            if not same(again @ other_k.mT, got):
                raise NotSolved(
                    "the product is another one at each call: the noise is given, draw"
                    " none"
                )
            apart = (got - want).norm() / want.norm()
            raise NotSolved(
                "W_q W_k^T is not the closest to 0.7 noise + 0.7 I that its rank"
                f" allows: it is {apart:.0%} off for {case}"
            )
        check_split(q, k)
    return (
        f"of {D} x {D} values {rank} directions are kept, half of each on either side"
    )


# ---- many comparisons, counted together


STANDS = "a tensor of shape (m,), True where a difference stands"
ONE_BY_ONE = {
    "is ambiguous": "p is compared value by value, a tensor of many has no one truth",
}
M = 12
TABLES = 40


def divisors(p: Tensor) -> Tensor:
    """What the level is divided by for the smallest p, the next and so on: m to 1."""
    return torch.arange(p.shape[-1], 0, -1)


def up_to_first(passes: Tensor) -> Tensor:
    """The passes before the first failure."""
    return passes.int().cumprod(dim=-1).bool()


def from_the_largest(passes: Tensor) -> Tensor:
    """All up to the last pass."""
    return ~up_to_first(~passes.flip(-1)).flip(-1)


def put_back(order: Tensor, stands: Tensor) -> Tensor:
    return torch.empty_like(stands).scatter(-1, order, stands)


def holm_of(
    p: Tensor,
    level: Tensor,
    sort: Callable = torch.argsort,
    divide: Callable = divisors,
    stop: Callable = up_to_first,
    back: Callable = put_back,
) -> Tensor:
    """Which differences of each table stand: (tables, m), (tables, 1) -> (tables, m);
    the last four arguments are the places to slip.
    """
    order = sort(p)
    passes = p.gather(-1, order) <= level / divide(p)
    return back(order, stop(passes))


HELD = "the smallest p is held against level/m, the next against level/(m - 1):"
STOP = "from the first p that is too large on none stands:"
BACK = "the answer is in the order of p:"
LUCK = "nothing is corrected: of many comparisons some pass by luck"
RULES = {
    "sort": {
        "p has to be sorted, the smallest is held against level/m": lambda p: (
            torch.arange(p.shape[-1]).expand(p.shape)
        ),
        "begin with the smallest p, not with the largest": partial(
            torch.argsort, descending=True
        ),
    },
    "divide": {
        LUCK: torch.ones_like,
        f"{HELD} you held all against level/m (Bonferroni), so too few"
        " stand": lambda p: p.shape[-1],
        f"{HELD} your divisors are one too large": lambda p: divisors(p) + 1,
        f"{HELD} your divisors are one too small": lambda p: divisors(p) - 1,
        f"{HELD} your divisors run the other way": lambda p: divisors(p).flip(0),
    },
    "stop": {
        f"{STOP} you went on": lambda passes: passes,
        f"{STOP} you came from the largest and stopped where one does"
        " (Hochberg)": from_the_largest,
        f"{STOP} you let that one stand, too": lambda passes: torch.cat(
            [torch.ones_like(passes[:, :1]), up_to_first(passes)[:, :-1]], dim=-1
        ),
        f"{STOP} the one before it does, you left it out": lambda passes: torch.cat(
            [up_to_first(passes)[:, 1:], torch.zeros_like(passes[:, :1])], dim=-1
        ),
        f"{STOP} where all are small enough there is no first, and argmax says"
        " 0": lambda passes: up_to_first(passes) & ~passes.all(dim=-1, keepdim=True),
    },
    "back": {
        f"{BACK} yours is in the order of the sorted ones": lambda order, stands: (
            stands
        ),
        f"{BACK} write out[order] = stands, you read"
        " stands[order]": lambda order, stands: stands.gather(-1, order),
        "True says that a difference stands, yours says that it"
        " falls": lambda order, stands: ~put_back(order, stands),
    },
}
OTHER_RULES = {
    "the level is an argument, here it is always 0.05": lambda p: holm_of(p, 0.05),
    "this is the rule of Benjamini and Hochberg, which holds p against k/m of the"
    " level: of what stands some may be false": lambda p, level: holm_of(
        p,
        level,
        divide=lambda p: p.shape[-1] / divisors(p).flip(0),
        stop=from_the_largest,
    ),
    "p is held against k/m of the level, k its rank (Benjamini and Hochberg); Holm's"
    " is level/(m - k), k from 0": lambda p, level: holm_of(
        p, level, divide=lambda p: p.shape[-1] / divisors(p).flip(0)
    ),
    "the level is divided: 1 - (1 - level)^(1/(m - k)) is Sidak's, a little"
    " larger": lambda p, level: holm_of(
        p, level, divide=lambda p: level / (1 - (1 - level) ** (1 / divisors(p)))
    ),
    "argsort says which p has a rank, not which rank a p has: that is the argsort of"
    " the argsort": lambda p, level: p <= level / (p.shape[-1] - p.argsort(dim=-1)),
    "the smallest p alone is judged: go on with the next": lambda p, want: (
        want & (p == p.amin(dim=-1, keepdim=True))
    ),
    "all stand where the smallest p does: go on one by one": lambda want: want.any(
        dim=-1, keepdim=True
    ).expand_as(want),
}


def wrong_rules(p: Tensor, level: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of tables of p: sentence -> (tables, m) of bool."""
    form = partial(holm_of, p, level)
    others = listed(OTHER_RULES, p=p, level=level, want=form())
    return others | combined(form, RULES)


def drawn_p(m: int, standing: int, level: float) -> Tensor:
    """p (m,) of which so many stand, none of them close to what it is held against."""
    bounds = level / torch.arange(m, 0, -1)
    while True:
        factors = 0.3 * 40 ** torch.rand(m)
        factors[:standing] = 0.3 + 0.69 * torch.rand(standing)
        # a little more than allowed, so that laxer rules are told
        width = 0.016 if torch.rand(()) < 0.5 else 0.5
        factors[standing : standing + 1] = 1.004 + width * torch.rand(())
        p = (bounds * factors).clamp(max=1).sort().values
        clear = ((p / bounds - 1).abs() > 2e-3).all()
        if clear and (p <= bounds).int().cumprod(dim=0).sum() == standing:
            return p[torch.randperm(m)]


def told_tables() -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """p (tables, m), levels (tables, 1) and what each mistake makes of them, no two
    alike. The first table stands whole, of the second nothing does.
    """
    while True:
        chances = torch.tensor([0.01, 0.02, 0.1, 0.2])
        level = chances[torch.randint(4, (TABLES, 1))].double()
        standing = torch.randint(M + 1, (TABLES,))
        standing[:2] = torch.tensor([M, 0])
        rows = [
            drawn_p(M, int(s), float(row))
            for s, row in zip(standing, level, strict=True)
        ]
        p = torch.stack(rows).double()
        mistakes = wrong_rules(p, level)
        single = [value for said, value in mistakes.items() if AND not in said]
        pairs = combinations([holm_of(p, level), *single], 2)
        if not any(torch.equal(one, other) for one, other in pairs):
            return p, level, mistakes


def ask_holm(answer: Callable, p: Tensor, level: float) -> Tensor:
    """What the learner's function returns, (m,) of bool; NotSolved for other forms."""
    case = f"{len(p)} p and level {level:.3g}"
    got = ask(answer, p, level, expected=STANDS, case=case, clues=ONE_BY_ONE)
    want = right_rule(p, level)
    if isinstance(got, Tensor) and got.dtype == want.dtype and got.shape == want.shape:
        return got
    if isinstance(got, Tensor) and got.is_floating_point() and adjusted(p, got):
        raise NotSolved(
            "these are adjusted p: compare them with the level, True or False is asked"
            " for"
        )
    if (
        isinstance(got, Tensor)
        and got.dtype == torch.int64
        and got.ndim == 1
        and (got.shape != want.shape or (got > 1).any())
    ):
        raise NotSolved(
            "these are places: True or False is asked for at each place of p"
        )
    compare(answer, got, want, case=case)
    return got


def adjusted(p: Tensor, got: Tensor) -> bool:
    """Whether these are the p times their divisors, made monotonous or not."""
    values, order = p.sort()
    raised = values * divisors(p)
    forms = (raised, raised.cummax(dim=0).values, len(p) * values)
    forms += tuple(form.clamp(max=1) for form in forms)
    return any(same(got, put_back(order, form)) for form in forms)


def right_rule(p: Tensor, level: float) -> Tensor:
    return torch.tensor(metrics.holm(p.tolist(), level))


@checked
def holm(answer: Callable) -> str:
    """`my_holm(p, level)`: (m,), a number -> which differences stand, (m,) of bool."""
    p, level, mistakes = told_tables()
    levels = level[:, 0].tolist()
    rows = [row.float() for row in p]
    found = [ask_holm(answer, *given) for given in zip(rows, levels, strict=True)]
    got, want = torch.stack(found), holm_of(p, level)
    name_mistake(got, want, lambda: mistakes, torch.equal)
    (m,) = distinct(1, 4, 9)
    for count, standing, chance in ((m, m // 2, 0.05), (1, 1, 0.1), (1, 0, 0.1)):
        rows.append(drawn_p(count, standing, chance).double())
        levels.append(chance)
        found.append(ask_holm(answer, rows[-1], chance))
    for values, chance, mine in zip(rows, levels, found, strict=True):
        right = right_rule(values, chance)
        if not mine.equal(right):
            numbers = ", ".join(f"{value:.2g}" for value in values)
            raise NotSolved(
                f"{called(answer)} lets {places(mine)} stand of p = [{numbers}] at"
                f" level {chance}, expected {places(right)}"
            )
    lucky = (p <= level).sum() - want.sum()
    return f"{int(want.sum())} of {want.numel()} stand, {lucky} more without Holm"


def places(stands: Tensor) -> str:
    """ "0, 3" for the places of what stands."""
    return ", ".join(map(str, stands.nonzero()[:, 0].tolist())) or "none"
