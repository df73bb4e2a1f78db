"""Answers on the schedule and the smoothed labels of chapter 06: wrong ones, with what
must be said, and right ones.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR


def half(share):
    return (1 + math.cos(math.pi * share)) / 2


def climbing(fall):
    """A rate with the right climb, and what is told of the fall: fall(step, steps,
    warmup), for a peak of 1.
    """

    def my_rate(step, steps, warmup, peak):
        return (
            peak * step / warmup if step < warmup else peak * fall(step, steps, warmup)
        )

    my_rate.__name__ = fall.__name__
    return my_rate


def falling(climb):
    """A rate with the right fall, and what is told of the climb: climb(step, steps,
    warmup), for a peak of 1.
    """

    def my_rate(step, steps, warmup, peak):
        if step < warmup:
            return peak * climb(step, steps, warmup)
        return peak * half((step - warmup) / (steps - 1 - warmup))

    my_rate.__name__ = climb.__name__
    return my_rate


def never_zero(step, steps, warmup):
    return half((step - warmup) / (steps - warmup))


def from_step_zero(step, steps, warmup):
    return half(step / (steps - 1))


def over_all_steps(step, steps, warmup):
    return half((step - warmup) / steps)


def whole_cosine(step, steps, warmup):
    return half(2 * (step - warmup) / (steps - 1 - warmup))


def below_zero(step, steps, warmup):
    return math.cos(math.pi * (step - warmup) / (steps - 1 - warmup))


def not_halved(step, steps, warmup):
    return 1 + math.cos(math.pi * (step - warmup) / (steps - 1 - warmup))


def in_half_turns(step, steps, warmup):
    return (1 + math.cos((step - warmup) / (steps - 1 - warmup))) / 2


def quarter(step, steps, warmup):
    return math.cos(math.pi / 2 * (step - warmup) / (steps - 1 - warmup))


def upside_down(step, steps, warmup):
    return 1 - half((step - warmup) / (steps - 1 - warmup))


def straight(step, steps, warmup):
    return 1 - (step - warmup) / (steps - 1 - warmup)


def squared(step, steps, warmup):
    return half((step - warmup) / (steps - 1 - warmup)) ** 2


def from_one(step, steps, warmup):
    return (step + 1) / warmup


def a_step_early(step, steps, warmup):
    return step / (warmup - 1) if warmup > 1 else 0


def of_all_steps(step, steps, warmup):
    return step / steps


def at_the_peak(step, steps, warmup):
    return 1


def no_warmup(step, steps, warmup, peak):
    return peak * half(step / (steps - 1))


def peak_of_one(step, steps, warmup, peak):
    return (
        step / warmup if step < warmup else half((step - warmup) / (steps - 1 - warmup))
    )


def climb_includes_the_peak(step, steps, warmup, peak):
    if step <= warmup:
        return peak * step / warmup
    return peak * half((step - warmup) / (steps - 1 - warmup))


def all_at_once(step, steps, warmup, peak):
    return [peak * half(number / (steps - 1)) for number in range(steps)]


def in_tensors(step, steps, warmup, peak):
    rate = torch.tensor(float(peak))
    if step < warmup:
        return rate * step / warmup
    return (
        rate
        * (
            1
            + torch.cos(torch.tensor(torch.pi * (step - warmup) / (steps - 1 - warmup)))
        )
        / 2
    )


def by_sine_squared(s, S, w, top):
    return np.float64(top) * (
        s / w if s < w else np.sin(np.pi / 2 * (S - 1 - s) / (S - 1 - w)) ** 2
    )


def by_pytorch(step, steps, warmup, peak):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(()))], lr=peak)
    fall = CosineAnnealingLR(optimizer, steps - 1 - warmup)
    if warmup:
        climb = LinearLR(optimizer, 1e-12, 1.0, warmup)
        schedule = SequentialLR(optimizer, [climb, fall], [warmup])
    else:
        schedule = fall
    for _ in range(step):
        optimizer.step()
        schedule.step()
    return schedule.get_last_lr()[0]


def softening(target=None, logs=None, reduce=None):
    """A loss with another target, other logarithms or another mean than it should
    have.
    """

    def smooth_loss(logits, labels, smoothing):
        classes = logits.shape[1]
        hard = F.one_hot(labels, classes).to(logits)
        soft = (
            target(hard, smoothing, classes)
            if target
            else (1 - smoothing) * hard + smoothing / classes
        )
        losses = soft * (logs(logits) if logs else logits.log_softmax(dim=1))
        return reduce(losses) if reduce else -losses.sum(dim=1).mean()

    smooth_loss.__name__ = next(
        change.__name__ for change in (target, logs, reduce) if change
    )
    return smooth_loss


def bare_labels(hard, smoothing, classes):
    return hard


def to_the_others(hard, smoothing, classes):
    return (1 - smoothing) * hard + smoothing / (classes - 1) * (1 - hard)


def right_class_left_out(hard, smoothing, classes):
    return (1 - smoothing) * hard + smoothing / classes * (1 - hard)


def only_added(hard, smoothing, classes):
    return hard + smoothing / classes


def wrong_way_round(hard, smoothing, classes):
    return smoothing * hard + (1 - smoothing) / classes


def ten_classes(hard, smoothing, classes):
    return (1 - smoothing) * hard + smoothing / 10


def over_the_batch(logits):
    return logits.log_softmax(dim=0)


def probabilities(logits):
    return logits.softmax(dim=1)


def bare_logits(logits):
    return logits


def softmax_twice(logits):
    return logits.softmax(dim=1).log_softmax(dim=1)


def log_of_softmax(logits):
    return logits.softmax(dim=1).log()


def base_two(logits):
    return logits.log_softmax(dim=1) / math.log(2)


def cut_off(logits):
    return logits.detach().log_softmax(dim=1)


def one_an_image(losses):
    return -losses.sum(dim=1)


def summed(losses):
    return -losses.sum()


def over_the_classes_too(losses):
    return -losses.mean()


def no_sign(losses):
    return losses.sum(dim=1).mean()


def as_a_float(losses):
    return -losses.sum(dim=1).mean().item()


def divergence(logits, labels, smoothing):
    target = (
        F.one_hot(labels, logits.shape[1]) * (1 - smoothing)
        + smoothing / logits.shape[1]
    )
    return F.kl_div(logits.log_softmax(dim=1), target, reduction="batchmean")


def two_shares(logits, labels, smoothing):
    logs = F.log_softmax(logits, dim=-1)
    right = logs[torch.arange(len(labels)), labels].mean()
    return -((1 - smoothing) * right + smoothing * logs.mean())


def with_logsumexp(scores, y, amount):
    scores = scores.double()
    right = scores.gather(1, y[:, None])[:, 0]
    mean = scores.mean(dim=1)
    return (
        (scores.logsumexp(dim=1) - (1 - amount) * right - amount * mean).mean().float()
    )


def image_by_image(logits, labels, smoothing):
    losses = []
    for row, label in zip(logits, labels, strict=True):
        target = torch.full_like(row, smoothing / len(row))
        target[label] += 1 - smoothing
        losses.append(torch.dot(target, row.logsumexp(dim=0) - row))
    return torch.stack(losses).mean()


WRONG = {
    "schedule": [
        (climbing(never_zero), "your rate never reaches 0"),
        (climbing(from_step_zero), "the cosine starts at the peak, not at step 0"),
        (climbing(over_all_steps), "steps - 1 - warmup steps are left, not steps"),
        (climbing(whole_cosine), "half of one goes from 0 to pi"),
        (climbing(below_zero), "your rate goes below 0: add 1 and halve"),
        (climbing(not_halved), "halve it"),
        (climbing(in_half_turns), "without pi"),
        (climbing(quarter), "a quarter of a cosine"),
        (climbing(upside_down), "1 - cos climbs"),
        (climbing(straight), "a straight line"),
        (climbing(squared), "on the way down, at step"),
        (falling(from_one), "step 0 has rate 0"),
        (falling(a_step_early), "the climb arrives a step early"),
        (falling(of_all_steps), "step / warmup, not of all steps"),
        (falling(at_the_peak), "there is no climb"),
        (no_warmup, "there is no warm-up"),
        (peak_of_one, "the peak is missing"),
        (climb_includes_the_peak, "raised ZeroDivisionError"),
        (all_at_once, "returned a list, a number was expected"),
    ],
    "smoothed": [
        (softening(target=bare_labels), "smoothing does nothing"),
        (softening(target=to_the_others), "smoothing / classes each"),
        (softening(target=right_class_left_out), "it gets smoothing / classes back"),
        (softening(target=only_added), "1 - smoothing, and its share of the rest"),
        (softening(target=wrong_way_round), "the wrong way round"),
        (softening(target=ten_classes), "the values are not"),
        (softening(logs=over_the_batch), "softmax ran over the batch"),
        (softening(logs=probabilities), "the probabilities themselves"),
        (softening(logs=bare_logits), "not logarithms of probabilities yet"),
        (softening(logs=softmax_twice), "the softmax of a softmax"),
        (softening(logs=log_of_softmax), "take log_softmax instead of a log of it"),
        (softening(logs=base_two), "the loss uses the natural one"),
        (softening(logs=cut_off), "cuts the gradient"),
        (softening(reduce=one_an_image), "the mean over the batch is missing"),
        (softening(reduce=summed), "you summed over the batch"),
        (softening(reduce=over_the_classes_too), "over the classes, too"),
        (softening(reduce=no_sign), "the sign"),
        (softening(reduce=as_a_float), "returned a float, a tensor"),
        (divergence, "the target's own entropy"),
    ],
}
RIGHT = {
    "schedule": [
        in_tensors,
        by_sine_squared,
        by_pytorch,
        climbing(lambda s, S, w: half((s - w) / (S - 1 - w))),
    ],
    "smoothed": [two_shares, with_logsumexp, image_by_image],
}
