"""The checks of chapter 06: the schedule and smoothed labels. That of the step in parts
is in steps.py.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vit_tutorial.checks.core import (
    NotSolved,
    Watching,
    ask,
    called,
    checked,
    compare,
    compare_gradients,
    distinct,
    told_apart,
)
from vit_tutorial.training.schedule import learning_rate


def as_number(answer: Callable, got: object, what: str) -> float:
    """A number or a tensor of one number as a float; anything else raises NotSolved."""
    try:
        if isinstance(got, str):
            raise TypeError
        return float(got.detach() if isinstance(got, Tensor) else got)
    except (TypeError, ValueError, RuntimeError):
        raise NotSolved(
            f"{called(answer)} returned a {type(got).__name__}, {what} was expected"
        ) from None


def wrong_rates(
    steps: int, warmup: int
) -> dict[str, tuple[Callable[[int], float], Callable[[int], float]]]:
    """What likely mistakes make of the climb and of the fall, for a peak of 1, under
    the sentences that name them.
    """
    last = steps - 1
    climb = max(warmup, 1)

    def done(step: float) -> float:
        return (step - warmup) / (last - warmup)

    def half(share: float) -> float:
        return (1 + math.cos(math.pi * share)) / 2

    def rise(step: int) -> float:
        return step / climb

    def fall(step: int) -> float:
        return half(done(step))

    late = (last - warmup) / (last - warmup - 1)
    falls = {
        "the last step is steps - 1, since the first is 0: your rate never reaches 0": (
            lambda s: half((s - warmup) / (steps - warmup))
        ),
        "after the peak steps - 1 - warmup steps are left, not steps": lambda s: half(
            (s - warmup) / steps
        ),
        "after the peak steps - 1 - warmup steps are left, not steps - 1": (
            lambda s: half((s - warmup) / last)
        ),
        "the cosine starts at the peak, not at step 0: subtract warmup above and below": lambda s: (
            half(s / last)
        ),
        "the cosine starts at the peak, not at step 0: subtract warmup above, below, and 1": lambda s: (
            half(s / steps)
        ),
        "that is a whole cosine, down and up again: half of one goes from 0 to pi": (
            lambda s: half(2 * done(s))
        ),
        "cosine runs from 1 to -1, your rate goes below 0: add 1 and halve": (
            lambda s: 2 * fall(s) - 1
        ),
        "1 + cos runs from 2 to 0, your fall starts at twice the peak: halve it": (
            lambda s: 2 * fall(s)
        ),
        "cos takes radians: without pi it hardly falls": lambda s: half(
            done(s) / math.pi
        ),
        "cos takes radians: half a circle is pi, not 180": lambda s: half(
            180 / math.pi * done(s)
        ),
        "that is a quarter of a cosine, from 0 to pi/2: half of one goes to pi": (
            lambda s: math.cos(math.pi / 2 * done(s))
        ),
        "1 - cos climbs, from 0 on: the fall needs 1 + cos": lambda s: 1 - fall(s),
        "after the peak your rate falls in a straight line, half a cosine was asked for": (
            lambda s: 1 - done(s)
        ),
        "after the peak your rate stays where it is: half a cosine takes it to 0": (
            lambda s: 1.0
        ),
        "the fall starts a step early: at step warmup the rate is the peak": (
            lambda s: half((s - warmup + 1) / (steps - warmup))
        ),
        "the fall starts a step late: at step warmup the rate is the peak, one later it is below": lambda s: (
            half(max(0.0, late * (done(s) - done(warmup + 1))))
        ),
    }
    climbs = {
        "there is no climb: the peak stands from step 0 on": lambda s: 1.0,
        "there is no climb: before step warmup the rate stays 0": lambda s: 0.0,
        "step 0 has rate 0: the line is step / warmup, not (step + 1) / warmup": (
            lambda s: (s + 1) / climb
        ),
        "the climb arrives a step early: the line is step / warmup": (
            lambda s: s / max(warmup - 1, 1)
        ),
        "the climb arrives a step late: the line is step / warmup": (
            lambda s: s / (warmup + 1)
        ),
        "the climb is a share of the warm-up, step / warmup, not of all steps": (
            lambda s: s / steps
        ),
        "the warm-up is a straight line, yours is a cosine": lambda s: half(
            1 - rise(s)
        ),
    }
    neither = {
        "there is no warm-up: before step warmup the rate climbs from 0 in a line": (
            (lambda s: half(s / last),) * 2
        )
    }
    with_rise = {sentence: (rise, wrong) for sentence, wrong in falls.items()}
    return (
        neither
        | with_rise
        | {sentence: (wrong, fall) for sentence, wrong in climbs.items()}
    )


@checked
def schedule(answer: Callable) -> str:
    """`answer(step, steps, warmup, peak)` -> the rate: a line from 0 to `peak`, then
    half a cosine to 0.
    """
    some = torch.rand(4).tolist()
    warm, rest, long = distinct(3, 8, 30)
    for warmup, steps, peak in (
        (warm, warm + rest, 0.1 + 0.8 * some[0]),
        (0, long, 2 + some[1]),
        (1, 3, 0.1 + 0.8 * some[2]),
        (long, long + 2, 1e-4 * (1 + some[3])),
    ):
        case = f"steps={steps}, warmup={warmup}, peak={peak:.2g}"
        rates = [0.0] * steps
        # in any order, so that nobody counts the calls
        for step in torch.randperm(steps).tolist():
            got = ask(
                answer,
                step,
                steps,
                warmup,
                peak,
                expected="a number",
                case=f"step={step}, {case}",
            )
            rates[step] = as_number(answer, got, "a number")
        wanted = [
            learning_rate(step, steps, warmup, 0.0, peak, 0.0) for step in range(steps)
        ]
        rates, wanted = ([rate / peak for rate in row] for row in (rates, wanted))
        if close(rates, wanted):
            continue
        if close([peak * rate for rate in rates], wanted):
            raise NotSolved(
                f"the peak is missing: your rate climbs to 1, whatever peak is ({case})"
            )
        for sentence, (climb, fall) in wrong_rates(steps, warmup).items():
            if close(
                rates,
                [(climb if step < warmup else fall)(step) for step in range(steps)],
            ):
                raise NotSolved(sentence)
        step = next(
            step
            for step in range(steps)
            if not close(rates[step : step + 1], wanted[step : step + 1])
        )
        part = (
            "while it climbs"
            if step < warmup
            else "at the peak"
            if step == warmup
            else "on the way down"
        )
        got = peak * rates[step]
        want = peak * wanted[step]
        raise NotSolved(
            f"{part}, at step {step}, the rate is {got:.6g}, expected {want:.6g}"
            f" ({case})"
        )
    return (
        "the corners and all steps between them are right, with and without a warm-up"
    )


def close(rates: list[float], wanted: list[float]) -> bool:
    """Of shares of the peak."""
    return all(
        math.isclose(got, want, rel_tol=1e-5, abs_tol=1e-7)
        for got, want in zip(rates, wanted, strict=True)
    )


MEAN = "a tensor without axes (the mean loss)"
COLUMN = {
    "same number of dimensions": (
        "gather wants a column of labels, (B, 1): labels[:, None]"
    )
}
# what the exercise is to be solved without
ALL_DONE = (F.cross_entropy, torch._C._nn.cross_entropy_loss)


def wrong_losses(logits: Tensor, labels: Tensor, smoothing: float) -> dict[str, Tensor]:
    """What a likely mistake makes of the loss, under the sentence that names it."""
    classes = logits.shape[1]
    logs = logits.log_softmax(dim=1)
    hard = F.one_hot(labels, classes).to(logits)
    soft = (1 - smoothing) * hard + smoothing / classes
    entropy = -(soft * soft.clamp_min(1e-30).log()).sum(dim=1).mean()
    others = (1 - smoothing) * hard + smoothing / (classes - 1) * (1 - hard)
    right_loses = (1 - smoothing) * hard + smoothing / classes * (1 - hard)
    added = hard + smoothing / classes
    all_of_it = (1 - smoothing) * hard + smoothing
    tenth = 0.9 * hard + 0.1 / classes
    smoothed_guess = (
        (1 - smoothing) * logits.softmax(dim=1) + smoothing / classes
    ).log()

    def loss(target: Tensor, logs: Tensor = logs) -> Tensor:
        return -(target * logs).sum(dim=1).mean()

    return {
        "smoothing does nothing: this is the loss of the bare labels": loss(hard),
        "what you spread goes to all classes, the right one too: it gets smoothing / classes back": loss(
            right_loses
        ),
        "what you spread goes to all classes, the right one too: smoothing / classes each": loss(
            others
        ),
        "the right class gives up what is spread: 1 - smoothing, and its share of the rest": loss(
            added
        ),
        "smoothing is spread over the classes: each gets smoothing / classes, not all of it": loss(
            all_of_it
        ),
        "each image has one label: labels[None] takes all labels from the first image; labels[:, None] is a column": (
            -(1 - smoothing) * logs.gather(1, labels[None]).mean()
            - smoothing * logs.mean()
        ),
        "smoothing is what the argument says, not always 0.1": loss(tenth),
        "each image has one label: logs[:, labels] takes the columns of all labels for each; gather takes its own": (
            -(1 - smoothing) * logs[:, labels].mean() - smoothing * logs.mean()
        ),
        "you smoothed what the model says; smooth the target": loss(
            hard, smoothed_guess
        ),
        "you softened the wrong way round: the right class keeps 1 - smoothing": loss(
            smoothing * hard + (1 - smoothing) / classes
        ),
        "softmax ran over the batch: each image has its own probabilities, dim=1": loss(
            soft, logits.log_softmax(dim=0)
        ),
        "you took the softmax of a softmax: log_softmax takes the logits": loss(
            soft, logits.softmax(1).log_softmax(1)
        ),
        "the loss is the logarithm's: you weighed the probabilities themselves": loss(
            soft, logits.softmax(dim=1)
        ),
        "the logits are not logarithms of probabilities yet: log_softmax makes them so": loss(
            soft, logits
        ),
        "the sign: a logarithm of a probability is below 0, a loss above": -loss(soft),
        "logarithms to base 2: the loss uses the natural one": loss(soft) / math.log(2),
        "one loss an image is right, and the mean over the batch is missing": (
            -(soft * logs).sum(dim=1)
        ),
        "you summed over the batch: take the mean": loss(soft) * len(logits),
        "you took the mean over the classes, too: over them it is a sum": (
            loss(soft) / classes
        ),
        "you left out the target's own entropy: that is the divergence, the loss is not 0 at its best": (
            loss(soft) - entropy
        ),
    }


def smoothing_batch(
    count: int, classes: int, smoothing: float, loudness: float, told: bool
) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
    """Logits, labels, the right loss, and where mistakes are to be `told`, their
    losses, no two alike by chance.

    Elsewhere no image is of the last class: how many classes there are is told by the
    logits, not by the labels.
    """
    while True:
        logits = (loudness * torch.randn(count, classes)).requires_grad_()
        labels = torch.randint(classes - 1, (count,))
        labels[0] = classes - 1 if told else classes - 2
        want = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        mistakes = wrong_losses(logits, labels, smoothing) if told else {}
        if told_apart([want, *mistakes.values()]):
            return logits, labels, want, mistakes


@checked
def smoothed(answer: Callable) -> str:
    """`answer(logits, labels, smoothing)` -> the mean loss against smoothed labels, a
    tensor without axes.
    """
    batch, classes = distinct(2, 3, 9)
    # from 0.4 on two mistakes may come to the same: it takes 3 classes
    some = 0.2 + 0.15 * torch.rand(()).item()
    shortcuts = []
    for count, smoothing, loudness, case in (
        (batch, some, 2.0, None),
        (batch, 0.0, 2.0, "smoothing = 0, where 0 ln 0 counts as 0"),
        (
            batch,
            1.0,
            2.0,
            "smoothing = 1, where nothing of the label is left but its share",
        ),
        (
            batch,
            0.1,
            500.0,
            (
                "loud logits: softmax rounds to 0, so take log_softmax instead of a log"
                " of it"
            ),
        ),
        (1, some, 2.0, "one image"),
    ):
        logits, labels, want, mistakes = smoothing_batch(
            count, classes, smoothing, loudness, told=case is None
        )
        with Watching() as watching:
            got = ask(
                answer,
                logits,
                labels,
                smoothing,
                expected=MEAN,
                case=case,
                clues=COLUMN,
            )
        shortcuts += [function for function in watching.seen if function in ALL_DONE]
        compare(answer, got, want, mistakes, case)
        compare_gradients(answer, got, want, {"logits": logits})
    if shortcuts:
        raise NotSolved(
            "the numbers are right, but cross_entropy did the work: do it without, from"
            " log_softmax"
        )
    return "PyTorch's own label_smoothing says the same, and so do the gradients"
