"""The check of a training step that takes its batch in parts (chapter 06)."""

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

from vit_tutorial.checks.core import NotSolved, ask, checked, distinct
from vit_tutorial.checks.state import in_two_modes, stance
from vit_tutorial.checks.training import as_number

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


def wrong_step(
    zero: str = "step",
    step: str = "step",
    weigh: str = "images",
    softmax: bool = False,
    rest: bool = True,
    momentum: bool = True,
    clip: Callable | None = None,
) -> Callable:
    """A step in parts with something wrong in it: when it clears, when it corrects, how
    it weighs the parts.
    """

    def run(
        model: nn.Module,
        optimizer: Optimizer,
        images: Tensor,
        labels: Tensor,
        parts: int,
    ) -> None:
        size = math.ceil(len(images) / parts) if rest else len(images) // parts
        pieces = list(zip(images.split(size), labels.split(size), strict=True))
        pieces = pieces if rest else pieces[:parts]
        if not momentum:
            optimizer.state.clear()
        if zero == "step":
            optimizer.zero_grad()
        for some, theirs in pieces:
            if zero == "part":
                optimizer.zero_grad()
            logits = model(some)
            loss = F.cross_entropy(
                logits.softmax(dim=-1) if softmax else logits, theirs
            )
            share = {
                "images": len(some) / len(images),
                "parts": 1 / len(pieces),
                "none": 1.0,
                "sum": float(len(some)),
            }
            (loss * share[weigh]).backward()
            if step == "part":
                optimizer.step()
        if clip:
            clip(model.parameters())
        if step == "step":
            optimizer.step()
        if zero == "after":
            optimizer.zero_grad()

    return run


# who makes one mistake often makes another: the parts are weighed in any way
WEIGHTS = ("images", "none", "parts")
WRONG_STEPS = {
    "gradients of the step before are still there: zero_grad once a step, before the first backward": [
        wrong_step(zero=zero, weigh=weigh)
        for zero in ("never", "after")
        for weigh in WEIGHTS
    ],
    "only the last part counts: zero_grad inside the loop throws the others away": [
        wrong_step(zero="part", weigh=weigh) for weigh in WEIGHTS
    ],
    "you correct after every part: one optimizer.step(), after the last": [
        wrong_step(zero, step="part", weigh=weigh)
        for zero in ("step", "part", "never")
        for weigh in WEIGHTS
    ],
    "each part counts alike, but the last is smaller: a part's share is its number of images over the batch's": [
        wrong_step(weigh="parts")
    ],
    "the gradients of the parts are added, so the sum is too long: weigh each part's loss by its share of the batch": [
        wrong_step(weigh="none")
    ],
    "a sum over the images is not a mean: divide by the number of images in the whole batch": [
        wrong_step(weigh="sum")
    ],
    "cross_entropy takes logits and does the softmax itself: you did it twice": [
        wrong_step(softmax=True, weigh=weigh) for weigh in WEIGHTS
    ],
    "the optimizer's memory is lost: let the one you were given do the step, and make no other": [
        wrong_step(momentum=False, weigh=weigh) for weigh in WEIGHTS
    ],
    "images are left over: the batch does not divide evenly, and the last part holds the rest": [
        wrong_step(rest=False, weigh=weigh) for weigh in WEIGHTS
    ],
    "the gradient is clipped: it goes into the step as long as it is": [
        wrong_step(clip=partial(clip, **{bound: most}))
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
    wanted = []
    given = []
    left = []
    for batch, training in zip(batches, (True, False, True), strict=True):
        mine.steps.append(Seen())
        given.append(stance(in_two_modes(mine, training)))
        inputs = (mine, optimizer, batch.images, batch.labels, batch.parts)
        got = ask(answer, *inputs, expected=expected, case=str(batch), free=[mine])
        left.append(stance(mine))
        losses.append(as_number(answer, got, expected))
        wanted.append(whole_step(reference, theirs, batch.images, batch.labels))
    steps = list(zip(mine.steps[1:], batches, strict=True))
    compare_movement(mine, start)
    if all(seen.shown == [len(batch.images)] for seen, batch in steps):
        compare_parts(*steps[0])
    if not alike(row(mine), row(reference)):
        for sentence, wrong in WRONG_STEPS.items():
            if any(alike(row(mine), after(step, start, batches)) for step in wrong):
                raise NotSolved(sentence)
    for seen, batch in steps:
        compare_parts(seen, batch)
    if not alike(row(mine), row(reference)):
        raise NotSolved(
            f"after {len(batches)} steps the weights are not those of steps on whole"
            " batches"
        )
    for states in zip(given, left, mine.steps[1:], strict=True):
        compare_modes(*states)
    if rates(optimizer) != rates(theirs):
        raise NotSolved(
            "the optimizer's settings were changed: its rate is not for a step to set"
        )
    if not all(
        math.isclose(loss, want, rel_tol=1e-4)
        for loss, want in zip(losses, wanted, strict=True)
    ):
        said = (
            f"it returned {losses[0]:.3f}, the mean loss of all"
            f" {len(batches[0].images)} images is {wanted[0]:.3f}"
        )
        raise NotSolved(f"the weights are right, the loss is not: {said}")
    return f"{batches[0]} move the weights as the whole batch does"


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
