"""The checks of chapter 09's exercises: the area of deletion, and a score that has to
beat contrast.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import cache

import torch
from torch import Tensor

from vit_tutorial.checks.core import (
    NotSolved,
    ask,
    called,
    checked,
    compare,
    distinct,
    same,
    told_apart,
)
from vit_tutorial.checks.dropping import drawn_model
from vit_tutorial.checks.state import in_two_modes
from vit_tutorial.data.images import normalise
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.interpret.attribution import attribute_contrast
from vit_tutorial.interpret.faithfulness import faithfulness
from vit_tutorial.interpret.interventions import drop_patches
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.checkpoint import load_checkpoint

KEEP_BATCH = "keep B: one area for each image"
# always the same pictures, so that an answer always gets the same verdict
SEED = 909
COUNT = 64
# Of these pictures: rollout is 0.036 better than contrast in deletion and 0.092 in
# insertion; the patches' variance, which asks no model either, 0.009 worse and 0.027
# better.
MARGIN = 0.02


def logits_left(model: VisionTransformer, images: Tensor, order: Tensor) -> Tensor:
    """Logits (B, N + 1, classes) with 0, 1, ... N patches taken away, the first of
    `order` (B, N) first.
    """
    counts = range(order.shape[1] + 1)
    return torch.stack(
        [drop_patches(model, images, order[:, count:]) for count in counts], dim=1
    )


def area(heights: Tensor) -> Tensor:
    """Mean height of curves (B, S): (B,)."""
    return torch.trapezoid(heights, dim=1) / (heights.shape[1] - 1)


def wrong_areas(
    model: VisionTransformer, images: Tensor, scores: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    """What the usual mistakes make of the scores: sentence -> areas."""
    order = scores.argsort(dim=1, descending=True)
    logits = logits_left(model, images, order)
    back, alike = (
        logits_left(model, images, o)
        for o in (order.flip(1), order[:1].expand_as(order))
    )
    ranks = logits_left(model, images, order.argsort(dim=1))
    pick = labels[:, None, None]

    def follow(values: Tensor, wanted: Tensor = pick) -> Tensor:
        return values.gather(2, wanted.expand(-1, values.shape[1], 1))[..., 0]

    chances = follow(logits.softmax(dim=2))
    steps = chances.shape[1] - 1
    guess = logits[:, :1].argmax(dim=2, keepdim=True)
    return {
        "the lowest scores went first, which is the area of insertion: sort descending": area(
            follow(back.softmax(dim=2))
        ),
        "every image lost its patches in the order of the first one": area(
            follow(alike.softmax(dim=2))
        ),
        "argsort tells which patch comes first; you sorted twice, or took ranks for patches": area(
            follow(ranks.softmax(dim=2))
        ),
        "the points are averaged, but those at the ends count half: torch.trapezoid": (
            chances.mean(dim=1)
        ),
        "the points are averaged, and the first, with all patches, is missing": (
            chances[:, 1:].mean(dim=1)
        ),
        "the points are averaged, and the last, with no patch, is missing": (
            chances[:, :-1].mean(dim=1)
        ),
        "the heights are added: divide by the number of steps, N": (
            area(chances) * steps
        ),
        "divide by the number of steps, N, not by that of points, N + 1": (
            area(chances) * steps / (steps + 1)
        ),
        "the last point is missing: in the end no patch is left, the class token alone": area(
            chances[:, :-1]
        ),
        "the first point is missing: at the start all patches are there": area(
            chances[:, 1:]
        ),
        "these are logits, follow the probability: softmax over the classes": area(
            follow(logits)
        ),
        "these are logarithms of probabilities, follow the probability itself": area(
            follow(logits.log_softmax(dim=2))
        ),
        "the softmax runs over the images, not over the classes: dim=1 of (B, classes)": area(
            follow(logits.softmax(dim=0))
        ),
        "you followed the class the model names at first: labels say which one": area(
            follow(logits.softmax(dim=2), guess)
        ),
        "you followed the largest probability at each step: labels say which class": (
            area(logits.softmax(dim=2).amax(dim=2))
        ),
        "this is how far the probability falls, the area beneath the curve is asked for": area(
            chances[:, :1] - chances
        ),
        "this is the area above the curve, the one beneath it is asked for": (
            1 - area(chances)
        ),
        f"the images are averaged: {KEEP_BATCH}": area(chances).mean(),
        "this is the curve, its mean height is asked for": chances,
    }


def right_area(
    model: VisionTransformer, images: Tensor, scores: Tensor, labels: Tensor
) -> Tensor:
    order = scores.argsort(dim=1, descending=True)
    chances = logits_left(model, images, order).softmax(dim=2)
    return area(
        chances.gather(2, labels[:, None, None].expand(-1, chances.shape[1], 1))[..., 0]
    )


def drawn_trial(count: int) -> tuple[tuple, Tensor, dict[str, Tensor]]:
    """A model with images, scores and labels to ask about; the right areas; and what
    the usual mistakes give.
    """
    while True:
        rows, columns, side = distinct(3, 3, 5)
        model = in_two_modes(drawn_model(rows, columns, side), training=count == 1)
        # unsure, so that every patch moves the probability
        model.head[-1].weight.mul_(0.3)
        images = torch.randn(count, 3, rows * side, columns * side)
        scores = torch.randn(count, rows * columns)
        given = (model, images, scores, torch.randint(model.config.classes, (count,)))
        want = right_area(*given)
        mistakes = wrong_areas(*given)
        if count == 1 or told_apart([want, *mistakes.values()]):
            return given, want, mistakes


@checked
def deletion_area(answer: Callable) -> str:
    """`my_deletion_area(model, images, scores, labels)`: mean height (B,), patches
    leaving one by one.
    """
    for count in (3, 1):
        given, want, mistakes = drawn_trial(count)
        case = f"{count} image{'s' * (count > 1)} of {given[2].shape[1]} patches"
        got = ask(answer, *given, expected="areas of shape (B,)", case=case)
        compare(answer, got, want, mistakes, case)
    return (
        "patches left one by one, the best first, and the curve's mean height is right"
    )


@cache
def standing_trial() -> tuple[
    VisionTransformer, Tensor, Tensor, Tensor, tuple[Tensor, Tensor]
]:
    """The model, its images and answers, their contrast and the areas of that."""
    model, record = load_checkpoint("stacks-decoys")
    model.requires_grad_(False)
    images = normalise(
        stacks(COUNT, SEED, decoys="patterned").images, record.mean, record.std
    )
    contrast = attribute_contrast(model, images)
    return (
        model,
        images,
        model(images).argmax(dim=1),
        contrast,
        faithfulness(model, images, contrast).areas(),
    )


@checked
def own_score(answer: Callable) -> str:
    """`my_score(model, images, labels)`: (B, N), to beat contrast in both areas on
    `stacks` with patterned decoys.
    """
    model, images, labels, contrast, theirs = standing_trial()
    lent = deepcopy(model)  # what an answer does to it must not reach the next one
    got = ask(
        answer,
        lent,
        images,
        labels,
        expected="scores of shape (B, N)",
        case=f"{COUNT} images",
    )
    if not isinstance(got, Tensor):
        raise NotSolved(
            f"{called(answer)} returned a {type(got).__name__}, scores of shape (B, N)"
            " were expected"
        )
    if got.shape != contrast.shape:
        raise NotSolved(
            f"{called(answer)} returned shape {tuple(got.shape)}, expected"
            f" {tuple(contrast.shape)}: (B, N)"
        )
    if not got.isfinite().all():
        raise NotSolved(f"{called(answer)} returned numbers that are not finite")
    got = got.detach()
    mine = faithfulness(model, images, got).areas()
    deletion, insertion = (
        (ours - floor).mean().item() for ours, floor in zip(mine, theirs, strict=True)
    )
    said = (
        f"beside contrast's, its deletion area is {deletion:+.3f}, its insertion area"
        f" {insertion:+.3f}"
    )
    if (got == got[:, :1]).all():
        raise NotSolved(
            "all patches of an image have the same score: it prefers nothing"
        )
    if same(got, contrast):
        raise NotSolved(
            "this is contrast itself, and it has to be beaten: ask the model"
        )
    # what insertion does for a map, deletion does for its opposite
    if (mine[0] - mine[1]).mean() > 0.1:
        raise NotSolved(
            "turned round it would be better: high scores are for patches that matter"
            f" ({said})"
        )
    if deletion > -MARGIN and insertion < MARGIN:
        raise NotSolved(
            f"contrast is as good or better in both: {said}; {MARGIN} better is asked"
            " for in each"
        )
    if deletion > -MARGIN:
        raise NotSolved(
            f"it finds patches that suffice, but misses others that matter: {said};"
            f" deletion has to be {MARGIN} less"
        )
    if insertion < MARGIN:
        raise NotSolved(
            f"taking its patches away hurts, but they do not suffice: {said}; insertion"
            f" has to be {MARGIN} more"
        )
    return said
