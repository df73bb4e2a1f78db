"""Checks of chapter 06: the schedule, smoothed labels, and a step in parts."""

import math
import weakref
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import SGD, Optimizer

from vit_tutorial.checks.harness import (
    NotSolved,
    Watching,
    among,
    as_number,
    ask,
    checked,
    compare,
    compare_gradients,
    distinct,
    listed,
    name_mistake,
    told_apart,
)
from vit_tutorial.checks.state import in_two_modes, stance
from vit_tutorial.training.schedule import learning_rate


def half(share: float) -> float:
    """Half a cosine, from 1 at 0 to 0 at 1."""
    return (1 + math.cos(math.pi * share)) / 2


def late(step: int, warmup: int, steps: int) -> float:
    """The fall of whoever starts it a step late."""
    return half(max(0.0, (step - warmup - 1) / max(steps - warmup - 2, 1)))


# of a step: `done`, the share of the fall, and `rise`, that of the climb
FALLS = {
    "the last step is steps - 1, since the first is 0: your rate never"
    " reaches 0": lambda step, warmup, steps: half((step - warmup) / (steps - warmup)),
    "after the peak steps - 1 - warmup steps are left, not"
    " steps": lambda step, warmup, steps: half((step - warmup) / steps),
    "after the peak steps - 1 - warmup steps are left, not steps"
    " - 1": lambda step, warmup, steps: half((step - warmup) / (steps - 1)),
    "the cosine starts at the peak, not at step 0: subtract warmup above and"
    " below": lambda step, steps: half(step / (steps - 1)),
    "the cosine starts at the peak, not at step 0: subtract warmup above, below,"
    " and 1": lambda step, steps: half(step / steps),
    "that is a whole cosine, down and up again: half of one goes from 0 to"
    " pi": lambda done: half(2 * done),
    "cosine runs from 1 to -1, your rate goes below 0: add 1 and halve": lambda done: (
        2 * half(done) - 1
    ),
    "1 + cos runs from 2 to 0, your fall starts at twice the peak: halve"
    " it": lambda done: 2 * half(done),
    "cos takes radians: without pi it hardly falls": lambda done: half(done / math.pi),
    "cos takes radians: half a circle is pi, not 180": lambda done: half(
        180 / math.pi * done
    ),
    "that is a quarter of a cosine, from 0 to pi/2: half of one goes to"
    " pi": lambda done: math.cos(math.pi / 2 * done),
    "1 - cos climbs, from 0 on: the fall needs 1 + cos": lambda done: 1 - half(done),
    "after the peak your rate falls in a straight line, half a cosine was asked"
    " for": lambda done: 1 - done,
    "after the peak your rate stays where it is: half a cosine takes it"
    " to 0": lambda done: 1.0,
    "the fall starts a step early: at step warmup the rate is the"
    " peak": lambda step, warmup, steps: half((step - warmup + 1) / (steps - warmup)),
    "the fall starts a step late: at step warmup the rate is the peak, one later it is"
    " below": late,
}
CLIMBS = {
    "there is no climb: the peak stands from step 0 on": lambda rise: 1.0,
    "there is no climb: before step warmup the rate stays 0": lambda rise: 0.0,
    "step 0 has rate 0: the line is step / warmup, not (step + 1) /"
    " warmup": lambda step, warmup: (step + 1) / max(warmup, 1),
    "the climb arrives a step early: the line is step / warmup": lambda step, warmup: (
        step / max(warmup - 1, 1)
    ),
    "the climb arrives a step late: the line is step / warmup": lambda step, warmup: (
        step / (warmup + 1)
    ),
    "the climb is a share of the warm-up, step / warmup, not of all"
    " steps": lambda step, steps: step / steps,
    "the warm-up is a straight line, yours is a cosine": lambda rise: half(1 - rise),
}
NO_WARMUP = "there is no warm-up: before step warmup the rate climbs from 0 in a line"


def wrong_rates(steps: int, warmup: int) -> dict[str, list[float]]:
    """What the usual mistakes make of the rates, for a peak of 1: sentence -> rates."""
    columns: dict[str, list[float]] = {}
    for step in range(steps):
        rise = step / max(warmup, 1)
        done = (step - warmup) / (steps - 1 - warmup)
        right = rise if step < warmup else half(done)
        table = CLIMBS if step < warmup else FALLS
        drawn = {"step": step, "steps": steps, "warmup": warmup}
        row = {
            NO_WARMUP: half(step / (steps - 1)),
            **dict.fromkeys(FALLS | CLIMBS, right),
        }
        row |= listed(table, rise=rise, done=done, **drawn)
        for said, rate in row.items():
            columns.setdefault(said, []).append(rate)
    return columns


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
        compare_rates(answer, warmup, steps, peak)
    return (
        "the corners and all steps between them are right, with and without a warm-up"
    )


def compare_rates(answer: Callable, warmup: int, steps: int, peak: float) -> None:
    """Raise NotSolved unless the answer gives the right rate at every step."""
    case = f"steps={steps}, warmup={warmup}, peak={peak:.2g}"
    rates = [0.0] * steps
    # in any order, so that nobody counts the calls
    for step in torch.randperm(steps).tolist():
        given = (step, steps, warmup, peak)
        got = ask(answer, *given, expected="a number", case=f"step={step}, {case}")
        rates[step] = as_number(answer, got, "a number") / peak
    wanted = [
        learning_rate(step, steps, warmup, 0.0, peak, 0.0) / peak
        for step in range(steps)
    ]
    whatever = f"the peak is missing: your rate climbs to 1, whatever peak is ({case})"
    missing = {whatever: [rate / peak for rate in wanted]}
    name_mistake(rates, wanted, lambda: missing | wrong_rates(steps, warmup), close)
    for step, (rate, want) in enumerate(zip(rates, wanted, strict=True)):
        if not close([rate], [want]):
            part = "at the peak" if step == warmup else "on the way down"
            part = "while it climbs" if step < warmup else part
            raise NotSolved(
                f"{part}, at step {step}, the rate is {peak * rate:.6g}, expected"
                f" {peak * want:.6g} ({case})"
            )


def close(rates: list[float], wanted: list[float]) -> bool:
    """Of shares of the peak."""
    return all(
        math.isclose(got, want, rel_tol=1e-5, abs_tol=1e-7)
        for got, want in zip(rates, wanted, strict=True)
    )


MEAN = "a tensor without axes (the mean loss)"
COLUMN = {
    "same number of dimensions": "gather wants a column of labels, (B, 1): labels[:,"
    " None]"
}
# what the exercise is to be solved without
ALL_DONE = (F.cross_entropy, torch._C._nn.cross_entropy_loss)


def mean_loss(target: Tensor, logs: Tensor) -> Tensor:
    return -(target * logs).sum(dim=1).mean()


# s is the smoothing, C the number of classes; `hard` and `soft` are targets (B, C)
LOSSES = {
    "smoothing does nothing: this is the loss of the bare labels": lambda hard, logs: (
        mean_loss(hard, logs)
    ),
    "what you spread goes to all classes, the right one too: it gets smoothing /"
    " classes back": lambda hard, logs, s, C: mean_loss(
        (1 - s) * hard + s / C * (1 - hard), logs
    ),
    "what you spread goes to all classes, the right one too: smoothing / classes"
    " each": lambda hard, logs, s, C: mean_loss(
        (1 - s) * hard + s / (C - 1) * (1 - hard), logs
    ),
    "the right class gives up what is spread: 1 - smoothing, and its share of the"
    " rest": lambda hard, logs, s, C: mean_loss(hard + s / C, logs),
    "smoothing is spread over the classes: each gets smoothing / classes, not all of"
    " it": lambda hard, logs, s: mean_loss((1 - s) * hard + s, logs),
    "each image has one label: labels[None] takes all labels from the first image;"
    " labels[:, None] is a column": lambda logs, labels, s: (
        -(1 - s) * logs.gather(1, labels[None]).mean() - s * logs.mean()
    ),
    "the classes are as many as the logits of an image, not always"
    " 10": lambda hard, logs, s: mean_loss((1 - s) * hard + s / 10, logs),
    "smoothing is what the argument says, not always 0.1": lambda hard, logs, C: (
        mean_loss(0.9 * hard + 0.1 / C, logs)
    ),
    "each image has one label: logs[:, labels] takes the columns of all labels for"
    " each; gather takes its own": lambda logs, labels, s: (
        -(1 - s) * logs[:, labels].mean() - s * logs.mean()
    ),
    "you smoothed what the model says; smooth the target": lambda hard, logits, s, C: (
        mean_loss(hard, ((1 - s) * logits.softmax(dim=1) + s / C).log())
    ),
    "you softened the wrong way round: the right class keeps 1 -"
    " smoothing": lambda hard, logs, s, C: mean_loss(s * hard + (1 - s) / C, logs),
    "softmax ran over the batch: each image has its own probabilities,"
    " dim=1": lambda soft, logits: mean_loss(soft, logits.log_softmax(dim=0)),
    "you took the softmax of a softmax: log_softmax takes the"
    " logits": lambda soft, logits: mean_loss(soft, logits.softmax(1).log_softmax(1)),
    "the loss is the logarithm's: you weighed the probabilities"
    " themselves": lambda soft, logits: mean_loss(soft, logits.softmax(dim=1)),
    "the logits are not logarithms of probabilities yet: log_softmax makes them"
    " so": lambda soft, logits: mean_loss(soft, logits),
    "the sign: a logarithm of a probability is below 0, a loss above": lambda want: (
        -want
    ),
    "logarithms to base 2: the loss uses the natural one": lambda want: (
        want / math.log(2)
    ),
    "one loss an image is right, and the mean over the batch is"
    " missing": lambda soft, logs: -(soft * logs).sum(dim=1),
    "you summed over the batch: take the mean": lambda want, labels: want * len(labels),
    "you took the mean over the classes, too: over them it is a sum": lambda want, C: (
        want / C
    ),
    "you left out the target's own entropy: that is the divergence, the loss is not 0"
    " at its best": lambda want, soft: (
        want - mean_loss(soft, soft.clamp_min(1e-30).log())
    ),
}


def wrong_losses(logits: Tensor, labels: Tensor, smoothing: float) -> dict[str, Tensor]:
    """What the usual mistakes make of the loss: sentence -> loss."""
    classes = logits.shape[1]
    logs = logits.log_softmax(dim=1)
    hard = F.one_hot(labels, classes).to(logits)
    soft = (1 - smoothing) * hard + smoothing / classes
    given = {"logits": logits, "labels": labels, "s": smoothing, "C": classes}
    want = mean_loss(soft, logs)
    return listed(LOSSES, logs=logs, hard=hard, soft=soft, want=want, **given)


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
    loud = (
        "loud logits: softmax rounds to 0, so take log_softmax instead of a log of it"
    )
    bare = "smoothing = 1, where nothing of the label is left but its share"
    shortcuts = []
    for count, smoothing, loudness, case in (
        (batch, some, 2.0, None),
        (batch, 0.0, 2.0, "smoothing = 0, where 0 ln 0 counts as 0"),
        (batch, 1.0, 2.0, bare),
        (batch, 0.1, 500.0, loud),
        (1, some, 2.0, "one image"),
    ):
        logits, labels, want, mistakes = smoothing_batch(
            count, classes, smoothing, loudness, told=case is None
        )
        given = (logits, labels, smoothing)
        with Watching() as watching:
            got = ask(answer, *given, expected=MEAN, case=case, clues=COLUMN)
        shortcuts += [function for function in watching.seen if function in ALL_DONE]
        compare(answer, got, want, mistakes, case)
        compare_gradients(answer, got, want, {"logits": logits})
    if shortcuts:
        raise NotSolved(
            "the numbers are right, but cross_entropy did the work: do it without, from"
            " log_softmax"
        )
    return "PyTorch's own label_smoothing says the same, and so do the gradients"


# ---- a step in parts


LOUD = 20  # so that the gradient is longer than any bound one would clip it at


@dataclass(eq=False)
class Held:
    """What a part keeps for its backward pass, in a box of which one can tell whether
    it is still there.
    """

    value: Tensor


@dataclass
class Seen:
    """What happened in one step: images shown at a time, the mode of each part then,
    gradients that came back.

    `held` are the boxes of the parts so far; `crowded` is set when a part is shown
    while another's are still there.
    """

    shown: list[int] = field(default_factory=list)
    modes: list[dict[str, bool]] = field(default_factory=list)
    held: list[weakref.ref] = field(default_factory=list)
    returned: int = 0
    crowded: bool = False


class Tiny(nn.Module):
    """A model that remembers, in `steps`, what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 4)
        ).double()
        self.steps: list[Seen] = [Seen()]

    def watch(self) -> None:
        self.layers[-1].bias.register_hook(self.count)

    def count(self, gradient: Tensor) -> None:
        self.steps[-1].returned += 1

    def hold(self, value: Tensor) -> Held:
        box = Held(value)
        self.steps[-1].held.append(weakref.ref(box))
        return box

    def forward(self, images: Tensor) -> Tensor:
        seen = self.steps[-1]
        seen.shown.append(len(images))
        seen.modes.append(stance(self)["modes"])
        seen.crowded = seen.crowded or any(box() for box in seen.held)
        with torch.autograd.graph.saved_tensors_hooks(self.hold, lambda box: box.value):
            return LOUD * self.layers(images)


@dataclass(frozen=True)
class Batch:
    """Images and labels, and the number of parts in which they are to be shown."""

    images: Tensor
    labels: Tensor
    parts: int

    def __str__(self) -> str:
        return f"{len(self.images)} images in {self.parts} parts"


def drawn_batch() -> Batch:
    """The last part is smaller than the others."""
    parts, size = distinct(2, 3, 5)
    count = parts * size - 1
    return Batch(
        torch.randn(count, 3, 2, 2).double(), torch.randint(4, (count,)), parts
    )


def begun(start: Tiny) -> tuple[Tiny, Optimizer]:
    """A copy of a model, with the gradients that a step before has left, and its
    optimiser.
    """
    model = deepcopy(start)
    for mine, theirs in zip(model.parameters(), start.parameters(), strict=True):
        mine.grad = theirs.grad.clone()
    return model, SGD(model.parameters(), lr=0.03, momentum=0.5)


def whole_step(
    model: nn.Module, optimizer: Optimizer, images: Tensor, labels: Tensor
) -> float:
    """The right answer in one go: what the step in parts must equal."""
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@dataclass(frozen=True)
class Steps:
    """A step in parts with something wrong in it: when it clears, when it corrects, how
    it weighs the parts.
    """

    zero: str = "step"
    step: str = "step"
    weigh: str = "images"
    softmax: bool = False
    rest: bool = True
    momentum: bool = True
    clip: Callable | None = None

    def __call__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        images: Tensor,
        labels: Tensor,
        parts: int,
    ) -> None:
        if not self.momentum:
            optimizer.state.clear()
        if self.zero == "step":
            optimizer.zero_grad()
        size = math.ceil(len(images) / parts) if self.rest else len(images) // parts
        pieces = list(zip(images.split(size), labels.split(size), strict=True))
        for some, theirs in pieces if self.rest else pieces[:parts]:
            if self.zero == "part":
                optimizer.zero_grad()
            logits = model(some)
            logits = logits.softmax(dim=-1) if self.softmax else logits
            share = {"images": len(some) / len(images), "sum": len(some), "none": 1}
            weight = share.get(self.weigh, 1 / parts)
            (weight * F.cross_entropy(logits, theirs)).backward()
            if self.step == "part":
                optimizer.step()
        if self.clip:
            self.clip(model.parameters())
        if self.step == "step":
            optimizer.step()
        if self.zero == "after":
            optimizer.zero_grad()


# who makes one mistake often makes another: the parts are weighed in any way
WEIGHTS = ("images", "none", "parts")
WRONG_STEPS = {
    "gradients of the step before are still there: zero_grad once a step, before the"
    " first backward": [
        Steps(zero, weigh=weigh) for zero in ("never", "after") for weigh in WEIGHTS
    ],
    "only the last part counts: zero_grad inside the loop throws the others away": [
        Steps("part", weigh=weigh) for weigh in WEIGHTS
    ],
    "you correct after every part: one optimizer.step(), after the last": [
        Steps(zero, "part", weigh)
        for zero in ("step", "part", "never")
        for weigh in WEIGHTS
    ],
    "each part counts alike, but the last is smaller: a part's share is its number of"
    " images over the batch's": [Steps(weigh="parts")],
    "the gradients of the parts are added, so the sum is too long: weigh each part's"
    " loss by its share of the batch": [Steps(weigh="none")],
    "a sum over the images is not a mean: divide by the number of images in the whole"
    " batch": [Steps(weigh="sum")],
    "cross_entropy takes logits and does the softmax itself: you did it twice": [
        Steps(softmax=True, weigh=weigh) for weigh in WEIGHTS
    ],
    "the optimizer's memory is lost: let the one you were given do the step, and make"
    " no other": [Steps(momentum=False, weigh=weigh) for weigh in WEIGHTS],
    "images are left over: the batch does not divide evenly, and the last part holds"
    " the rest": [Steps(rest=False, weigh=weigh) for weigh in WEIGHTS],
    "the gradient is clipped: it goes into the step as long as it is": [
        Steps(clip=partial(clip, **{bound: most}))
        for clip, bound in (
            (clip_grad_norm_, "max_norm"),
            (clip_grad_value_, "clip_value"),
        )
        for most in (0.1, 0.5, 1.0, 5.0)
    ],
}


def after(step: Callable, start: Tiny, batches: list[Batch]) -> Tensor:
    """The weights, in one row, that a copy of `start` has after one step on each
    batch.
    """
    model, optimizer = begun(start)
    for batch in batches:
        step(model, optimizer, batch.images, batch.labels, batch.parts)
    return row(model)


def compare_parts(seen: Seen, batch: Batch) -> None:
    """Raise NotSolved unless in a step the model was shown the batch once, part by
    part.
    """
    shown = seen.shown
    count = len(batch.images)
    parts = batch.parts
    if shown == [count]:
        raise NotSolved(
            f"the model saw all {count} images at once; show it {parts} parts, one"
            " after the other"
        )
    if (
        len(shown) != parts
        or sum(shown) != count
        or max(shown) > math.ceil(count / parts)
    ):
        raise NotSolved(
            f"the model saw parts of {shown} images, expected {parts} parts of {count}"
            " images in all"
        )
    if seen.returned < parts:
        raise NotSolved(
            "one backward for all: until then every part stays in memory; call backward"
            " after each part"
        )
    if seen.crowded:
        raise NotSolved(
            "a part is still in memory when the next one comes: backward without"
            " retain_graph=True frees it"
        )


def compare_movement(model: Tiny, start: Tiny) -> None:
    """Raise NotSolved when nothing was learnt."""
    if not any(seen.shown for seen in model.steps):
        raise NotSolved(
            "the model you were given was shown no image: the loss comes from"
            " model(some of the images)"
        )
    if not any(seen.returned for seen in model.steps):
        raise NotSolved("no gradient was made: where is loss.backward()?")
    if alike(row(model), row(start)):
        raise NotSolved(
            "the weights did not move: is optimizer.step() missing, or were the"
            " gradients cleared before it?"
        )


def compare_modes(given: dict[str, dict], left: dict[str, dict], seen: Seen) -> None:
    """Raise NotSolved unless every part of the model was, and still is, in the mode in
    which it was given.
    """
    if left["learns"] != given["learns"]:
        raise NotSolved(
            "a part of the model was left frozen: leave requires_grad as it was"
        )
    for modes, when in [
        *((modes, "was shown images") for modes in seen.modes),
        (left["modes"], "was left"),
    ]:
        if modes != given["modes"]:
            word = "train" if modes[""] else "eval"
            whole = len(set(modes.values())) == 1
            raise NotSolved(
                f"the model {when} {'all ' * whole}in {word} mode: leave each part in"
                " the mode it is in"
            )


@checked
def accumulated(answer: Callable) -> str:
    """`answer(model, optimizer, images, labels, parts)`: one step on a batch in parts,
    equal to one on the whole.
    """
    start = Tiny()
    batches = [drawn_batch() for _ in range(3)]
    for parameter in start.parameters():
        parameter.grad = torch.randn_like(parameter)
    mine, optimizer = begun(start)
    reference, theirs = begun(start)
    mine.watch()
    expected = "the mean loss of the batch"
    losses = []
    states = []
    for batch, training in zip(batches, (True, False, True), strict=True):
        mine.steps.append(Seen())
        given = stance(in_two_modes(mine, training))
        inputs = (mine, optimizer, batch.images, batch.labels, batch.parts)
        got = ask(answer, *inputs, expected=expected, case=str(batch), free=[mine])
        states.append((given, stance(mine), mine.steps[-1]))
        loss = as_number(answer, got, expected)
        losses.append((loss, whole_step(reference, theirs, batch.images, batch.labels)))
    compare_steps(mine, reference, start, batches)
    for state in states:
        compare_modes(*state)
    if rates(optimizer) != rates(theirs):
        raise NotSolved(
            "the optimizer's settings were changed: its rate is not for a step to set"
        )
    if not all(math.isclose(loss, want, rel_tol=1e-4) for loss, want in losses):
        raise NotSolved(
            f"the weights are right, the loss is not: it returned {losses[0][0]:.3f},"
            f" the mean loss of all {len(batches[0].images)} images is"
            f" {losses[0][1]:.3f}"
        )
    return f"{batches[0]} move the weights as the whole batch does"


def compare_steps(
    mine: Tiny, reference: Tiny, start: Tiny, batches: list[Batch]
) -> None:
    """Raise NotSolved unless the weights are those of steps on whole batches, and each
    batch was shown part by part.
    """
    steps = list(zip(mine.steps[1:], batches, strict=True))
    compare_movement(mine, start)
    if all(seen.shown == [len(batch.images)] for seen, batch in steps):
        compare_parts(*steps[0])
    made, want = (row(model) for model in (mine, reference))

    def mistakes() -> dict[str, list[Tensor]]:
        return {
            said: [after(step, start, batches) for step in wrong]
            for said, wrong in WRONG_STEPS.items()
        }

    name_mistake(made, [want], mistakes, among(alike))
    for seen, batch in steps:
        compare_parts(seen, batch)
    if not alike(made, want):
        raise NotSolved(
            f"after {len(batches)} steps the weights are not those of steps on whole"
            " batches"
        )


def rates(optimizer: Optimizer) -> list[dict[str, object]]:
    return [
        {name: value for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]


def row(model: nn.Module) -> Tensor:
    """All weights, one after the other."""
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def alike(one: Tensor, other: Tensor) -> bool:
    # in float64; in float32 a learner's weights would not do
    return torch.allclose(one, other, rtol=1e-6, atol=1e-7)
