"""Answers to the exercises of chapter 06, wrong and right, as learners write them."""

import cmath
import copy
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


def squared(step, steps, warmup):
    return half((step - warmup) / (steps - 1 - warmup)) ** 2


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


def ten_classes(hard, smoothing, classes):
    return (1 - smoothing) * hard + smoothing / 10


def as_a_float(losses):
    return -losses.sum(dim=1).mean().item()


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


def stepping(**changes):
    """A step in parts in which one thing or another is not as it should be."""

    def my_step(model, optimizer, images, labels, parts):
        total = 0.0
        losses = []
        if changes.get("clear") is None:
            optimizer.zero_grad()
        for some, theirs in zip(images.chunk(parts), labels.chunk(parts), strict=True):
            if changes.get("clear") == "part":
                optimizer.zero_grad()
            logits = model(some).softmax(dim=1) if "softmax" in changes else model(some)
            mean = F.cross_entropy(logits, theirs)
            share = changes.get("share", lambda mine, all, parts: mine / all)(
                len(some), len(images), parts
            )
            (mean * share).backward()
            total += mean.item() * share
            losses.append(mean.item())
            if changes.get("step") == "part":
                optimizer.step()
        if changes.get("step") is None:
            optimizer.step()
        return changes.get("result", lambda total, losses: total)(total, losses)

    my_step.__name__ = "_".join(["stepping", *changes])
    return my_step


def whole_batch(model, optimizer, images, labels, parts):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def no_backward(model, optimizer, images, labels, parts):
    optimizer.zero_grad()
    total = sum(
        F.cross_entropy(model(some), theirs, reduction="sum").item()
        for some, theirs in zip(images.chunk(parts), labels.chunk(parts), strict=True)
    )
    optimizer.step()
    return total / len(images)


def clears_before_the_step(model, optimizer, images, labels, parts):
    for some, theirs in zip(images.chunk(parts), labels.chunk(parts), strict=True):
        loss = F.cross_entropy(model(some), theirs) * len(some) / len(images)
        loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss


def without_gradients(model, optimizer, images, labels, parts):
    with torch.no_grad():
        return stepping()(model, optimizer, images, labels, parts)


def drops_the_rest(model, optimizer, images, labels, parts):
    size = len(images) // parts
    optimizer.zero_grad()
    for number in range(parts):
        rows = slice(number * size, (number + 1) * size)
        loss = F.cross_entropy(model(images[rows]), labels[rows]) / parts
        loss.backward()
    optimizer.step()
    return loss


def squared_error(model, optimizer, images, labels, parts):
    optimizer.zero_grad()
    for some, theirs in zip(images.chunk(parts), labels.chunk(parts), strict=True):
        logits = model(some)
        loss = F.mse_loss(logits, F.one_hot(theirs, logits.shape[1]).to(logits))
        loss.backward()
    optimizer.step()
    return loss


def one_image_at_a_time(model, optimizer, images, labels, parts):
    optimizer.zero_grad()
    total = 0
    for some, theirs in zip(images.split(1), labels.split(1), strict=True):
        loss = F.cross_entropy(model(some), theirs) / len(images)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


def joined_logits(model, optimizer, images, labels, parts):
    logits = torch.cat([model(some) for some in images.chunk(parts)])
    loss = F.cross_entropy(logits, labels)
    model.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def clears_at_the_end(model, optimizer, images, labels, parts):
    total = torch.zeros((), dtype=torch.float64)
    for some, theirs in zip(
        torch.tensor_split(images, parts),
        torch.tensor_split(labels, parts),
        strict=True,
    ):
        loss = F.cross_entropy(model(some), theirs, reduction="sum") / len(images)
        loss.backward()
        total += loss.detach()
    optimizer.step()
    optimizer.zero_grad()
    return total


def sums(model, optimizer, images, labels, parts):
    optimizer.zero_grad()
    return clears_at_the_end(model, optimizer, images, labels, parts)


def divided_at_the_end(net, optim, x, y, n):
    net.zero_grad(set_to_none=False)
    losses = []
    for rows in torch.arange(len(x)).chunk(n):
        loss = -net(x[rows]).log_softmax(-1).gather(1, y[rows, None]).sum()
        loss.backward()
        losses.append(loss.item())
    for parameter in net.parameters():
        parameter.grad /= len(x)
    optim.step()
    return np.sum(losses) / len(x)


def left_in_eval_mode(model, optimizer, images, labels, parts):
    model.eval()
    return stepping()(model, optimizer, images, labels, parts)


def graphs_kept(model, optimizer, images, labels, parts):
    optimizer.zero_grad()
    losses = []
    for some, theirs in zip(images.chunk(parts), labels.chunk(parts), strict=True):
        losses.append(F.cross_entropy(model(some), theirs) * len(some) / len(images))
        losses[-1].backward(retain_graph=True)
    optimizer.step()
    return sum(losses).item()


def another_optimizer(model, optimizer, images, labels, parts):
    return stepping()(
        model,
        torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"]),
        images,
        labels,
        parts,
    )


def by_hand(model, optimizer, images, labels, parts):
    total = stepping(step="never")(model, optimizer, images, labels, parts)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= optimizer.param_groups[0]["lr"] * parameter.grad
    return total


def trains_a_copy(model, optimizer, images, labels, parts):
    return stepping()(copy.deepcopy(model), optimizer, images, labels, parts)


def stops_after_the_first(model, optimizer, images, labels, parts):
    return stepping()(
        model, optimizer, images.chunk(parts)[0], labels.chunk(parts)[0], 1
    )


def parts_of_so_many(model, optimizer, images, labels, parts):
    return stepping()(model, optimizer, images, labels, -(-len(images) // parts))


def with_a_closure(model, optimizer, images, labels, parts):
    return optimizer.step(
        lambda: stepping(step="never")(model, optimizer, images, labels, parts)
    )


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
        (climbing(squared), "on the way down, at step"),
        (climb_includes_the_peak, "raised ZeroDivisionError"),
        (all_at_once, "returned a list, a number was expected"),
        (one_after_the_other, "the rate is "),
        (guarded_by_one, "at the peak, at step 0, the rate is 0"),
        (product_of_both, "while it climbs, at step 1"),
        (one_rate_in_a_tuple, "returned a tuple, a number was expected"),
        (yielded, "returned a generator, a number was expected"),
    ],
    "smoothed": [
        (softening(target=ten_classes), "not always 10"),
        (softening(reduce=as_a_float), "returned a float, a tensor"),
        (classes_from_the_labels, "classes_from_the_labels raised RuntimeError"),
        (softening(logs=bounded_logarithm), "take log_softmax instead of a log of it"),
        (spread_without_gradient, "its gradient for logits is not"),
        (another_leaf, "cuts the gradient"),
        (one_axis_left, "returned shape (1,), expected ()"),
        (shifted_in_place, "changed its input in place"),
    ],
    "accumulated": [
        (stepping(clear="never"), "gradients of the step before are still there"),
        (clears_at_the_end, "gradients of the step before are still there"),
        (stepping(clear="part"), "only the last part counts"),
        (stepping(step="part"), "you correct after every part"),
        (
            stepping(clear="part", step="part", share=lambda mine, all, parts: 1),
            "you correct after every part",
        ),
        (
            stepping(share=lambda mine, all, parts: 1 / parts),
            "each part counts alike, but the last is smaller",
        ),
        (
            stepping(share=lambda mine, all, parts: 1),
            "weigh each part's loss by its share",
        ),
        (
            stepping(share=lambda mine, all, parts: mine),
            "a sum over the images is not a mean",
        ),
        (stepping(softmax=True), "cross_entropy takes logits"),
        (stepping(step="never"), "is optimizer.step() missing"),
        (
            stepping(result=lambda total, losses: losses[-1]),
            "the weights are right, the loss is not",
        ),
        (
            stepping(result=lambda total, losses: sum(losses)),
            "the weights are right, the loss is not",
        ),
        (
            stepping(result=lambda total, losses: losses),
            "returned a list, the mean loss of the batch was expected",
        ),
        (stepping(result=lambda total, losses: None), "returned None"),
        (whole_batch, "images at once"),
        (no_backward, "where is loss.backward()?"),
        (clears_before_the_step, "were the gradients cleared before it?"),
        (joined_logits, "until then every part stays in memory"),
        (without_gradients, "raised RuntimeError"),
        (drops_the_rest, "images are left over"),
        (squared_error, "the weights are not those of steps on whole batches"),
        (one_image_at_a_time, "the model saw parts of [1, 1"),
        (left_in_eval_mode, "was shown images all in eval mode"),
        (graphs_kept, "a part is still in memory when the next one comes"),
        (another_optimizer, "the optimizer's memory is lost"),
        (by_hand, "the optimizer's memory is lost"),
        (trains_a_copy, "the model you were given was shown no image"),
        (stops_after_the_first, "the model saw parts of ["),
        (parts_of_so_many, "the model saw parts of ["),
    ],
}
RIGHT = {
    "schedule": [
        in_tensors,
        by_sine_squared,
        by_pytorch,
        climbing(lambda s, S, w: half((s - w) / (S - 1 - w))),
        looked_up,
        on_the_circle,
    ],
    "smoothed": [
        two_shares,
        with_logsumexp,
        image_by_image,
        scattered,
        divergence_and_entropy,
    ],
    "accumulated": [
        stepping(),
        sums,
        divided_at_the_end,
        with_a_closure,
    ],
}
