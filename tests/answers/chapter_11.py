"""Answers to the exercises of chapter 11, wrong and right, as learners write them."""

import math
import statistics

import numpy as np
import torch
from scipy import stats

from vit_tutorial.initialisation import factorised
from vit_tutorial.training import metrics

# ---- a gap and its error


def by_torch(first, second):
    gap = second.mean() - first.mean()
    return gap, (first.var() / len(first) + second.var() / len(second)).sqrt()


def by_standard_errors(first, second):
    errors = [runs.std() / len(runs) ** 0.5 for runs in (first, second)]
    return second.mean() - first.mean(), torch.hypot(*errors)


def by_numpy(first, second):
    first, second = first.numpy(), second.numpy()
    squares = [np.var(runs, ddof=1) / runs.size for runs in (first, second)]
    return second.mean() - first.mean(), np.sqrt(sum(squares))


def by_statistics(first, second):
    first, second = first.tolist(), second.tolist()
    gap = statistics.mean(second) - statistics.mean(first)
    return [
        gap,
        math.hypot(*(statistics.stdev(r) / len(r) ** 0.5 for r in (first, second))),
    ]


def by_loops(first, second):
    means, total = [], 0.0
    for runs in (first, second):
        mean = sum(runs) / len(runs)
        squares = sum((run - mean) ** 2 for run in runs)
        total += squares / (len(runs) - 1) / len(runs)
        means.append(mean)
    return means[1] - means[0], total**0.5


def by_scipy(first, second):
    return np.array(
        [
            second.numpy().mean() - first.numpy().mean(),
            np.hypot(stats.sem(first.numpy()), stats.sem(second.numpy())),
        ]
    )


def by_the_package(first, second):
    return metrics.difference(first.tolist(), second.tolist())[:2]


def stacked(first, second):
    return torch.stack(by_torch(first, second))


def by_population(first, second):
    """(n - 1) n may come in any order."""
    squares = [r.var(correction=0) / (len(r) - 1) for r in (first, second)]
    return second.mean() - first.mean(), sum(squares) ** 0.5


def erring(error, gap=lambda first, second: second.mean() - first.mean()):
    def my_difference(first, second):
        return gap(first, second), error(first, second)

    return my_difference


def right_error(first, second):
    return by_torch(first, second)[1]


def gapped(gap):
    return erring(right_error, gap)


def each(part, join=lambda a, b: (a + b) ** 0.5):
    """An error of a part of each side."""
    return erring(lambda first, second: join(part(first), part(second)))


def square(runs):
    return runs.var() / len(runs)


def pooled(first, second):
    n, m = len(first), len(second)
    s = ((n - 1) * first.var() + (m - 1) * second.var()) / (n + m - 2)
    return (s / n + s / m).sqrt()


def paired(first, second):
    apart = second - first
    return apart.mean(), apart.std() / len(apart) ** 0.5


def sorted_in_place(first, second):
    first[:] = first.sort().values
    return by_torch(first, second)


def with_p(first, second):
    return metrics.difference(first.tolist(), second.tolist())


def in_words(first, second):
    return tuple(f"{value:.3f}" for value in by_torch(first, second))


# ---- a start that looks trained


def target_of(noise):
    return 0.7 * noise + 0.7 * torch.eye(len(noise), dtype=noise.dtype)


def by_factors(noise, rank):
    return factorised(target_of(noise), rank)


def by_svd(noise, rank):
    left, values, rows = torch.linalg.svd(target_of(noise))
    roots = values[:rank].sqrt()
    return left[:, :rank] * roots, rows[:rank].T * roots


def by_diagonals(noise, rank):
    left, values, rows = torch.linalg.svd(target_of(noise))
    root = torch.diag(values[:rank]) ** 0.5
    return left[:, :rank] @ root, (root @ rows[:rank]).T


def by_numpy_svd(noise, rank):
    left, values, rows = np.linalg.svd(0.7 * (noise.numpy() + np.eye(len(noise))))
    q, k = left * np.sqrt(values), rows.T * np.sqrt(values)
    return [torch.tensor(part[:, :rank]).to(noise) for part in (q, k)]


def rotated(noise, rank):
    """Any rotation of both leaves the product as it is."""
    turn = torch.linalg.qr(torch.randn(rank, rank, dtype=noise.dtype)).Q
    return tuple(part @ turn for part in by_svd(noise, rank))


def by_eigenvectors(noise, rank):
    """Of A A^T, in double precision."""
    target = target_of(noise.double())
    squares, vectors = torch.linalg.eigh(target @ target.T)
    left = vectors[:, -rank:]
    roots = squares[-rank:] ** 0.25
    return (left * roots).to(noise), (target.T @ left / roots).to(noise)


def by_loop(noise, rank):
    left, values, right = torch.svd(target_of(noise))
    q, k = torch.zeros(2, len(noise), rank, dtype=noise.dtype)
    for n in range(rank):
        q[:, n] = -left[:, n] * values[n] ** 0.5
        k[:, n] = -right[:, n] * values[n] ** 0.5
    return q, k


def starting(
    target=target_of,
    left=lambda u, s, vh, r: u[:, :r],
    right=lambda u, s, vh, r: vh[:r].T,
    values=lambda s, r: s[:r],
    powers=(0.5, 0.5),
    end=lambda q, k: (q, k),
):
    def my_mimetic(noise, rank):
        u, s, vh = torch.linalg.svd(target(noise))
        kept = values(s, rank)
        q = left(u, s, vh, rank) * kept ** powers[0]
        k = right(u, s, vh, rank) * kept ** powers[1]
        return end(q, k)

    return my_mimetic


def eye(noise):
    return torch.eye(len(noise), dtype=noise.dtype)


def by_eigh(noise, rank):
    values, vectors = torch.linalg.eigh(target_of(noise))
    q = vectors[:, -rank:] * values[-rank:].abs().sqrt()
    return q, q * values[-rank:].sign()


def own_noise(noise, rank):
    return by_svd(torch.randn_like(noise) / len(noise) ** 0.5, rank)


def first_columns(noise, rank):
    return target_of(noise)[:, :rank], eye(noise)[:, :rank]


def added_in_place(noise, rank):
    noise += eye(noise)
    return by_svd(noise - eye(noise), rank)


# ---- many comparisons


def as_in_the_package(p, level):
    return torch.tensor(metrics.holm(p.tolist(), level))


def by_cumprod(p, level):
    values, order = p.sort()
    passes = values <= level / torch.arange(len(p), 0, -1)
    stands = torch.zeros(len(p), dtype=torch.bool)
    stands[order] = passes.int().cumprod(0).bool()
    return stands


def by_adjusted(p, level):
    values, order = p.double().sort()
    raised = (values * torch.arange(len(p), 0, -1)).cummax(dim=0).values
    return raised[order.argsort()] <= level


def by_ranks(p, level):
    ranks = p.argsort().argsort()
    passes = p < level / (len(p) - ranks)
    first = p[~passes].min() if (~passes).any() else math.inf
    return p < first


def by_removing(p, level):
    stands = torch.zeros_like(p, dtype=torch.bool)
    left = set(range(len(p)))
    while left:
        least = min(left, key=lambda place: p[place])
        if p[least] * len(left) > level:
            break
        stands[least] = True
        left.remove(least)
    return stands


def by_numpy_sort(p, level):
    values = p.numpy()
    order = np.argsort(values)
    fails = np.flatnonzero(values[order] > level / np.arange(len(p), 0, -1))
    stands = np.zeros(len(p), dtype=bool)
    stands[order[: fails[0] if fails.size else None]] = True
    return torch.from_numpy(stands)


def by_pairs(p, level):
    """How many are smaller, one p at a time; all that are smaller have to stand."""
    smaller = (p[:, None] > p).sum(dim=1)
    fails = p > level / (len(p) - smaller)
    return ~((p[:, None] >= p) & fails).any(dim=1)


def judging(
    divide=lambda m, k: m - k,
    stop=lambda passes: passes.int().cumprod(0).bool(),
    back=lambda order, stands: stands[order.argsort()],
    sort=lambda p: p.argsort(),
    level_of=lambda level: level,
):
    def my_holm(p, level):
        order = sort(p)
        limits = level_of(level) / divide(len(p), torch.arange(len(p)))
        return back(order, stop(p[order] <= limits))

    return my_holm


def last_of(passes):
    places = passes.nonzero()
    return torch.arange(len(passes)) <= (places.max() if len(places) else -1)


def by_argmax(passes):
    return torch.arange(len(passes)) < (~passes).int().argmax()


def one_more(passes):
    return torch.arange(len(passes)) <= passes.int().cumprod(0).sum()


def one_less(passes):
    return torch.arange(len(passes)) < passes.int().cumprod(0).sum() - 1


def sidak(p, level):
    values, order = p.sort()
    limits = 1 - (1 - level) ** (1 / torch.arange(len(p), 0, -1))
    return (values <= limits).int().cumprod(0).bool()[order.argsort()]


def adjusted_ones(p, level):
    values, order = p.sort()
    return (values * torch.arange(len(p), 0, -1))[order.argsort()]


def bonferroni_ones(p, level):
    return (p * len(p)).clamp(max=1)


def compared_at_once(p, level):
    return [True] if p <= level else [False]


def scaled_in_place(p, level):
    p *= len(p)
    return by_cumprod(p / len(p), level)


def counted(p, level):
    return by_cumprod(p, level).sum()


def smallest_alone(p, level):
    stands = torch.zeros(len(p), dtype=torch.bool)
    stands[p.argmin()] = p.min() <= level / len(p)
    return stands


WRONG = {
    "difference": [
        (gapped(lambda a, b: a.mean() - b.mean()), "yours is turned"),
        (gapped(lambda a, b: (a.mean() - b.mean()).abs()), "no abs"),
        (gapped(lambda a, b: 100 * (b.mean() - a.mean())), "yours is in per cent"),
        (gapped(lambda a, b: b.mean() / a.mean() - 1), "by the mean of the first"),
        (gapped(lambda a, b: b.max() - a.max()), "not the best run of each"),
        (gapped(lambda a, b: np.median(b) - np.median(a)), "not the medians"),
        (gapped(lambda a, b: b.sum() - a.sum()), "you took the sums"),
        (gapped(lambda a, b: b.mean()), "the mean of the second runs is no gap"),
        (each(lambda runs: np.var(runs.numpy()) / len(runs)), "yours by n"),
        (each(lambda runs: runs.std() / len(runs)), "you put standard deviations"),
        (each(lambda runs: runs.var()), "this is how far single runs spread"),
        (each(lambda runs: runs.var() / len(runs) ** 0.5), "divided by its root"),
        (each(lambda runs: (runs.std() / len(runs)) ** 2), "divided by its square"),
        (each(lambda runs: runs.var() / (len(runs) - 1)), "by n - 1 once more"),
        (each(lambda runs: (runs**2).sum() / (len(runs) - 1) / len(runs)), "around 0"),
        (erring(lambda a, b: (a.var() / len(b) + b.var() / len(a)) ** 0.5), "other"),
        (
            erring(lambda a, b: ((a.var() + b.var()) / (len(a) + len(b))) ** 0.5),
            "you took all runs of both sides",
        ),
        (each(square, lambda a, b: a**0.5 + b**0.5), "errors do not add up"),
        (each(square, lambda a, b: a + b), "its root is missing"),
        (each(square, lambda a, b: a**0.5), "yours is the error of the first"),
        (each(square, lambda a, b: b**0.5), "yours is the error of the second"),
        (each(square, lambda a, b: max(a, b) ** 0.5), "the error of the larger"),
        (each(square, lambda a, b: ((a + b) / 2) ** 0.5), "you took their mean"),
        (each(square, lambda a, b: abs(a - b) ** 0.5), "its variance is a sum"),
        (erring(pooled), "this pools both variances (Student)"),
        (erring(lambda a, b: torch.cat([a, b]).std()), "the spread of all runs"),
        (
            erring(lambda a, b: torch.cat([a, b]).std() / (len(a) + len(b)) ** 0.5),
            "the runs of both were thrown together",
        ),
        (
            erring(lambda a, b: (b.mean() - a.mean()) / right_error(a, b)),
            "this is t, the gap in standard errors",
        ),
        (erring(lambda a, b: 1.96 * right_error(a, b)), "an interval of 95 %"),
        (lambda a, b: [100 * x for x in by_torch(a, b)], "your gap and error are in"),
        (lambda a, b: by_torch(a, b)[::-1], "the gap comes first, then its error"),
        (
            erring(
                lambda a, b: (a.var(correction=0) / len(a) + b.var() / len(b)) ** 0.5
            ),
            "as the error of",
        ),
        (
            gapped(
                lambda a, b: (
                    a.mean() - b.mean() if len(a) == len(b) else b.mean() - a.mean()
                )
            ),
            "as the gap of",
        ),
        (
            lambda a, b: (
                a.mean() - b.mean(),
                (a.var(correction=0) / len(a) + b.var(correction=0) / len(b)) ** 0.5,
            ),
            "yours is turned; and the variance of n runs divides by n - 1",
        ),
        (paired, "the runs of both sides are no pairs"),
        (right_error, "a pair of numbers, gap and error, was expected"),
        (with_p, "returned 3 values"),
        (in_words, "returned a str, a number in each place was expected"),
        (sorted_in_place, "changed its input in place"),
    ],
    "mimetic": [
        (starting(lambda z: 0.7 * z), "the identity is missing"),
        (starting(lambda z: 0.7 * z - 0.7 * eye(z)), "you took the identity off"),
        (starting(lambda z: 0.7 * z + eye(z)), "the identity has the factor 1"),
        (starting(lambda z: z + 0.7 * eye(z)), "the noise has the factor 1"),
        (starting(lambda z: z + eye(z)), "both have the factor 1"),
        (starting(lambda z: 0.4 * z - 0.4 * eye(z)), "is for values and output"),
        (starting(lambda z: 0.4 * z + 0.4 * eye(z)), "factor of values and output"),
        (
            starting(lambda z: target_of(z / len(z) ** 0.5)),
            "you divided by the root of D once more",
        ),
        (starting(lambda z: target_of(z / len(z))), "you divided by D once more"),
        (starting(lambda z: target_of(z * len(z) ** 0.5)), "you multiplied it by"),
        (starting(lambda z: 0.7 * z + 0.7), "0.7 was added to every value"),
        (starting(lambda z: 0.7 * z * eye(z)), "only its diagonal is left"),
        (
            starting(
                left=lambda u, s, vh, r: u[:, -r:],
                right=lambda u, s, vh, r: vh[-r:].T,
                values=lambda s, r: s[-r:],
            ),
            "you kept the smallest",
        ),
        (
            starting(right=lambda u, s, vh, r: vh[:, :r]),
            "svd returns V^T: its rows are singular vectors",
        ),
        (
            starting(left=lambda u, s, vh, r: u[:r].T),
            "the columns of U are singular vectors",
        ),
        (
            starting(
                left=lambda u, s, vh, r: u[:r].T, right=lambda u, s, vh, r: vh[:, :r]
            ),
            "of both you took the wrong axis",
        ),
        (starting(right=lambda u, s, vh, r: u[:, :r]), "both are of U"),
        (starting(left=lambda u, s, vh, r: vh[:r].T), "both are of V"),
        (starting(end=lambda q, k: (k, q)), "the product is turned"),
        (starting(powers=(1, 1)), "so the product has their squares"),
        (starting(powers=(0, 0)), "yours have none of them"),
        (starting(powers=(0.5, 0)), "one has the root, the other none"),
        (starting(powers=(1, 0.5)), "one has the root, the other all"),
        (starting(powers=(1, 0)), "W_q took all of the singular values and W_k none"),
        (starting(powers=(0, 1)), "W_k took all of the singular values and W_q none"),
        (starting(powers=(0.75, 0.25)), "not evenly split"),
        (starting(end=lambda q, k: (2 * q, k / 2)), "not evenly split"),
        (starting(end=lambda q, k: (1.1 * q, k)), "it is 10% off for noise of shape"),
        (starting(end=lambda q, k: (-q, k)), "right, but for the sign"),
        (
            starting(lambda z: z + eye(z), end=lambda q, k: (0.7 * q, 0.7 * k)),
            "right, but for the 0.7: multiply before the roots",
        ),
        (
            starting(lambda z: 0.7 * z, powers=(1, 1)),
            "the identity is missing; and each of the two takes the square roots",
        ),
        (starting(end=lambda q, k: (q.T, k.T)), "yours are turned"),
        (starting(end=lambda q, k: (q, k.T)), "you returned W_k^T"),
        (lambda z, r: by_svd(z, len(z)), "yours are of full rank"),
        (lambda z, r: by_svd(z, r - 1 or 1), "returned W_q of shape"),
        (starting(end=lambda q, k: q @ k.T), "a pair, W_q and W_k"),
        (starting(end=lambda q, k: (q.float(), k.float())), "of torch.float32"),
        (starting(end=lambda q, k: (q / 0, k)), "numbers that are not finite"),
        (by_eigh, "eigh is for symmetric matrices"),
        (own_noise, "the noise is given, draw none"),
        (first_columns, "the first columns alone were kept"),
        (added_in_place, "changed its input in place"),
    ],
    "holm": [
        (lambda p, level: p <= level, "nothing is corrected"),
        (lambda p, level: p < level / len(p), "against level/m (Bonferroni)"),
        (judging(lambda m, k: m - k + 1), "your divisors are one too large"),
        (judging(lambda m, k: m - k - 1), "your divisors are one too small"),
        (judging(lambda m, k: k + 1), "your divisors run the other way"),
        (judging(lambda m, k: m / (k + 1)), "p is held against k/m of the level"),
        (
            judging(lambda m, k: m / (k + 1), stop=last_of),
            "this is the rule of Benjamini and Hochberg",
        ),
        (judging(stop=lambda passes: passes), "none stands: you went on"),
        (judging(stop=last_of), "you came from the largest"),
        (judging(stop=one_more), "you let that one stand, too"),
        (judging(stop=one_less), "the one before it does, you left it out"),
        (judging(stop=by_argmax), "argmax says 0"),
        (judging(back=lambda order, stands: stands), "the order of the sorted ones"),
        (judging(back=lambda order, s: s[order]), "you read stands[order]"),
        (judging(back=lambda order, s: ~s[order.argsort()]), "says that it falls"),
        (judging(sort=lambda p: torch.arange(len(p))), "p has to be sorted"),
        (judging(sort=lambda p: (-p).argsort()), "not with the largest"),
        (judging(level_of=lambda level: 0.05), "here it is always 0.05"),
        (sidak, "is Sidak's, a little larger"),
        (
            lambda p, level: p <= level / (len(p) - p.argsort()),
            "that is the argsort of the argsort",
        ),
        (smallest_alone, "the smallest p alone is judged"),
        (
            lambda p, level: (p.min() <= level / len(p)).expand(len(p)),
            "all stand where the smallest p does",
        ),
        (
            judging(stop=lambda passes: passes, back=lambda order, stands: stands),
            "you went on; and the answer is in the order of p",
        ),
        (adjusted_ones, "these are adjusted p"),
        (bonferroni_ones, "these are adjusted p"),
        (counted, "(), expected (12,)"),
        (lambda p, level: by_cumprod(p, level).nonzero()[:, 0], "these are places"),
        (lambda p, level: by_cumprod(p, level).float(), "expected torch.bool"),
        (lambda p, level: by_cumprod(p, level).tolist(), "returned a list, a tensor"),
        (compared_at_once, "p is compared value by value"),
        (lambda p, level: by_cumprod(p, level * 1.3), " stand of p = ["),
        (lambda p, level: by_cumprod(p, level) if len(p) > 1 else p > 1, "expected 0"),
        (scaled_in_place, "changed its input in place"),
        (lambda p, level: None, "returned None, a tensor of shape (m,)"),
    ],
}
RIGHT = {
    "difference": [
        by_torch,
        by_standard_errors,
        by_numpy,
        by_statistics,
        by_loops,
        by_scipy,
        by_the_package,
        stacked,
        by_population,
    ],
    "mimetic": [
        by_svd,
        by_factors,
        by_diagonals,
        by_numpy_svd,
        rotated,
        by_eigenvectors,
        by_loop,
        starting(),
    ],
    "holm": [
        by_cumprod,
        as_in_the_package,
        by_adjusted,
        by_ranks,
        by_removing,
        by_numpy_sort,
        by_pairs,
        judging(),
    ],
}
