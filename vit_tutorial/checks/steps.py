"""The check of a training step that takes its batch in parts (chapter 06)."""

import math
import weakref
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from vit_tutorial.checks.core import NotSolved, ask, checked, distinct
from vit_tutorial.checks.training import as_number


@dataclass(eq=False)
class Held:
    """What a part keeps for its backward pass, in a box of which one can tell whether it is still there."""

    value: Tensor


class Tiny(nn.Module):
    """A model that remembers how many images it was shown at a time, how many gradients came back, and what it holds.

    `held` are the boxes of the parts so far; `crowded` is set when a part is shown while another's are still there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Tanh(), nn.Linear(5, 4)).double()
        self.forget()

    def forget(self) -> None:
        """Begin another step."""
        self.shown: list[int] = []
        self.held: list[weakref.ref] = []
        self.returned, self.crowded = 0, False

    def watch(self) -> None:
        self.layers[-1].bias.register_hook(self.count)

    def count(self, gradient: Tensor) -> None:
        self.returned += 1

    def hold(self, value: Tensor) -> Held:
        box = Held(value)
        self.held.append(weakref.ref(box))
        return box

    def forward(self, images: Tensor) -> Tensor:
        self.shown.append(len(images))
        self.crowded = self.crowded or any(box() for box in self.held)
        with torch.autograd.graph.saved_tensors_hooks(self.hold, lambda box: box.value):
            return self.layers(images)


Batch = tuple[Tensor, Tensor]


def whole_step(model: nn.Module, optimizer: Optimizer, images: Tensor, labels: Tensor, parts: int) -> float:
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
) -> Callable:
    """A step in parts with something wrong in it: when it clears, when it corrects, how it weighs the parts."""

    def run(model: nn.Module, optimizer: Optimizer, images: Tensor, labels: Tensor, parts: int) -> None:
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
            loss = F.cross_entropy(logits.softmax(dim=-1) if softmax else logits, theirs)
            share = {"images": len(some) / len(images), "parts": 1 / len(pieces), "none": 1.0, "sum": float(len(some))}
            (loss * share[weigh]).backward()
            if step == "part":
                optimizer.step()
        if step == "step":
            optimizer.step()

    return run


WEIGHTS = ("images", "none", "parts")  # who makes one mistake often makes another: the parts are weighed in any way
WRONG_STEPS = {
    "gradients of the step before are still there: zero_grad once a step, before the first backward": [
        wrong_step(zero="never", weigh=weigh) for weigh in WEIGHTS
    ],
    "only the last part counts: zero_grad inside the loop throws the others away": [
        wrong_step(zero="part", weigh=weigh) for weigh in WEIGHTS
    ],
    "you correct after every part: one optimizer.step(), after the last": [
        wrong_step(zero, step="part", weigh=weigh) for zero in ("step", "part", "never") for weigh in WEIGHTS
    ],
    "each part counts alike, but the last is smaller: a part's share is its number of images over the batch's": [
        wrong_step(weigh="parts")
    ],
    "the gradients of the parts are added, so the sum is too long: weigh each part's loss by its share of the batch": [
        wrong_step(weigh="none")
    ],
    "a sum over the images is not a mean: divide by the number of images in the whole batch": [wrong_step(weigh="sum")],
    "cross_entropy takes logits and does the softmax itself: you did it twice": [
        wrong_step(softmax=True, weigh=weigh) for weigh in WEIGHTS
    ],
    "the optimizer's memory is lost: let the one you were given do the step, and make no other": [
        wrong_step(momentum=False, weigh=weigh) for weigh in WEIGHTS
    ],
    "images are left over: the batch does not divide evenly, and the last part holds the rest": [
        wrong_step(rest=False, weigh=weigh) for weigh in WEIGHTS
    ],
}


def after(step: Callable, model: nn.Module, batches: list[Batch], parts: int) -> Tensor:
    """The weights, in one row, that a copy of `model` has after one step on each batch."""
    model = deepcopy(model)
    optimizer = SGD(model.parameters(), lr=0.3, momentum=0.5)
    for images, labels in batches:
        step(model, optimizer, images, labels, parts)
    return row(model)


def compare_parts(model: Tiny, count: int, parts: int) -> None:
    """Raise NotSolved unless in its last step the model was shown the batch once, part by part."""
    shown = model.shown
    if shown == [count]:
        raise NotSolved(f"the model saw all {count} images at once; show it {parts} parts, one after the other")
    if len(shown) != parts or sum(shown) != count or max(shown) > math.ceil(count / parts):
        raise NotSolved(f"the model saw parts of {shown} images, expected {parts} parts of {count} images in all")
    if model.returned < parts:
        raise NotSolved("one backward for all: until then every part stays in memory; call backward after each part")
    if model.crowded:
        raise NotSolved(
            "a part is still in memory when the next one comes: backward without retain_graph=True frees it"
        )


def compare_movement(model: Tiny, start: Tiny) -> None:
    """Raise NotSolved when nothing was learnt."""
    if not model.shown:
        raise NotSolved("the model you were given was shown no image: the loss comes from model(some of the images)")
    if alike(row(model), row(start)):
        if not model.returned:
            raise NotSolved("the weights did not move, and no gradient was made: where is loss.backward()?")
        raise NotSolved(
            "the weights did not move: is optimizer.step() missing, or were the gradients cleared before it?"
        )


@checked
def accumulated(answer: Callable) -> str:
    """`answer(model, optimizer, images, labels, parts)`: one step on a batch in parts, equal to one on the whole."""
    parts, size = distinct(2, 3, 5)
    count = parts * size - 1  # the last part is smaller
    batches = [(torch.randn(count, 3, 2, 2).double(), torch.randint(4, (count,))) for _ in range(3)]
    start = Tiny()
    mine, reference = deepcopy(start), deepcopy(start)
    mine.watch()
    optimizer, theirs = (SGD(model.parameters(), lr=0.3, momentum=0.5) for model in (mine, reference))
    expected, case = "the mean loss of the batch", f"{count} images in {parts} parts"
    losses, wanted = [], []
    for images, labels in batches:
        mine.forget()
        got = ask(answer, mine, optimizer, images, labels, parts, expected=expected, case=case)
        losses.append(as_number(answer, got, expected))
        wanted.append(whole_step(reference, theirs, images, labels, parts))
    compare_movement(mine, start)
    if mine.shown == [count]:
        compare_parts(mine, count, parts)
    if not alike(row(mine), row(reference)):
        for sentence, steps in WRONG_STEPS.items():
            if any(alike(row(mine), after(step, start, batches, parts)) for step in steps):
                raise NotSolved(sentence)
        compare_parts(mine, count, parts)
        raise NotSolved(f"after {len(batches)} steps the weights are not those of steps on whole batches")
    compare_parts(mine, count, parts)
    if not mine.training or not all(parameter.requires_grad for parameter in mine.parameters()):
        raise NotSolved("the model was left in eval mode or frozen: leave it in the mode in which you got it")
    if not all(math.isclose(loss, want, rel_tol=1e-4) for loss, want in zip(losses, wanted, strict=True)):
        said = f"it returned {losses[0]:.3f}, the mean loss of all {count} images is {wanted[0]:.3f}"
        raise NotSolved(f"the weights are right, the loss is not: {said}")
    return f"{case} move the weights as the whole batch does"


def row(model: nn.Module) -> Tensor:
    """All weights, one after the other."""
    return nn.utils.parameters_to_vector(model.parameters()).detach()


def alike(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-6, atol=1e-7)  # in float64; in float32 a learner's weights would not do
