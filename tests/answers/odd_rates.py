"""Answers on the schedule and the smoothed labels of chapter 06 that go wrong in ways
of their own.
"""

import cmath
import math

import torch
import torch.nn.functional as F

from answers.training import climbing, half, softening


def right_rate(step, steps, warmup, peak):
    return (
        peak * step / warmup
        if step < warmup
        else peak * half((step - warmup) / (steps - 1 - warmup))
    )


waiting = {}


def one_after_the_other(step, steps, warmup, peak):
    """Hands out the rates in their order and never looks at `step`."""
    row = waiting.setdefault((steps, warmup, peak), [])
    row.extend(
        []
        if row
        else [right_rate(number, steps, warmup, peak) for number in range(steps)]
    )
    return row.pop(0)


def in_degrees(step, steps, warmup):
    return (1 + math.cos(180 * (step - warmup) / (steps - 1 - warmup))) / 2


def a_step_too_soon(step, steps, warmup):
    return half((step - warmup + 1) / (steps - warmup))


def guarded_by_one(step, steps, warmup, peak):
    return right_rate(step, steps, max(warmup, 1), peak)


def product_of_both(step, steps, warmup, peak):
    return peak * half(step / (steps - 1)) * (min(1, step / warmup) if warmup else 1)


def one_rate_in_a_tuple(step, steps, warmup, peak):
    return (right_rate(step, steps, warmup, peak),)


def yielded(step, steps, warmup, peak):
    yield right_rate(step, steps, warmup, peak)


def looked_up(step, steps, warmup, peak):
    climb = torch.arange(warmup) / max(warmup, 1)
    return (
        peak
        * torch.cat(
            [climb, (1 + torch.linspace(0, math.pi, steps - warmup).cos()) / 2]
        )[step]
    )


def on_the_circle(step, steps, warmup, peak):
    turn = cmath.exp(1j * math.pi * (step - warmup) / (steps - 1 - warmup))
    return peak * (step / warmup if step < warmup else (1 + turn.real) / 2)


def classes_from_the_labels(logits, labels, smoothing):
    target = (1 - smoothing) * F.one_hot(labels) + smoothing / logits.shape[1]
    return -(target * logits.log_softmax(dim=1)).sum(dim=1).mean()


def each_gets_all(hard, smoothing, classes):
    return (1 - smoothing) * hard + smoothing


def always_a_tenth(logits, labels, smoothing):
    return F.cross_entropy(logits, labels, label_smoothing=0.1)


def every_column(logits, labels, smoothing):
    logs = logits.log_softmax(dim=1)
    return -(1 - smoothing) * logs[:, labels].mean() - smoothing * logs.mean()


def bounded_logarithm(logits):
    return (logits.softmax(dim=1) + 1e-9).log()


def spread_without_gradient(logits, labels, smoothing):
    logs = logits.log_softmax(dim=1)
    return (
        -(1 - smoothing) * logs.gather(1, labels[:, None]).mean()
        - smoothing * logs.detach().mean()
    )


def another_leaf(logits, labels, smoothing):
    return F.cross_entropy(
        logits.detach(), labels, label_smoothing=smoothing
    ).requires_grad_()


def one_axis_left(logits, labels, smoothing):
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)[None]


def shifted_in_place(logits, labels, smoothing):
    logits -= logits.max(dim=1, keepdim=True).values
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def scattered(logits, labels, smoothing):
    target = torch.full_like(logits, smoothing / logits.shape[1])
    target.scatter_(1, labels[:, None], 1 - smoothing + smoothing / logits.shape[1])
    return -(target * logits.log_softmax(dim=1)).sum() / len(logits)


def divergence_and_entropy(logits, labels, smoothing):
    target = (1 - smoothing) * F.one_hot(
        labels, logits.shape[1]
    ) + smoothing / logits.shape[1]
    apart = F.kl_div(logits.log_softmax(dim=1), target, reduction="batchmean")
    return apart + torch.special.entr(target).sum(dim=1).mean()


WRONG = {
    "schedule": [
        (one_after_the_other, "the rate is "),
        (climbing(in_degrees), "half a circle is pi, not 180"),
        (climbing(a_step_too_soon), "the fall starts a step early"),
        (guarded_by_one, "at the peak, at step 0, the rate is 0"),
        (product_of_both, "while it climbs, at step 1"),
        (one_rate_in_a_tuple, "returned a tuple, a number was expected"),
        (yielded, "returned a generator, a number was expected"),
    ],
    "smoothed": [
        (classes_from_the_labels, "classes_from_the_labels raised RuntimeError"),
        (
            softening(target=each_gets_all),
            "each gets smoothing / classes, not all of it",
        ),
        (always_a_tenth, "smoothing is what the argument says"),
        (every_column, "takes the columns of all labels"),
        (softening(logs=bounded_logarithm), "take log_softmax instead of a log of it"),
        (spread_without_gradient, "its gradient for logits is not"),
        (another_leaf, "cuts the gradient"),
        (one_axis_left, "returned shape (1,), expected ()"),
        (shifted_in_place, "changed its input in place"),
    ],
}
RIGHT = {
    "schedule": [looked_up, on_the_circle],
    "smoothed": [scattered, divergence_and_entropy],
}
