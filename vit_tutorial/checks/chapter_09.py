"""Checks of chapter 09: images without some of their patches, the area of deletion, and
a score that has to beat contrast.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial

import torch
from torch import Tensor

from vit_tutorial.checks.harness import (
    AND,
    NotSolved,
    ask,
    called,
    checked,
    compare,
    distinct,
    listed,
    same,
    told_apart,
)
from vit_tutorial.checks.state import in_two_modes
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.images import normalise
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.interpret import interventions
from vit_tutorial.interpret.attribution import attribute_contrast
from vit_tutorial.interpret.faithfulness import faithfulness
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.checkpoint import load_checkpoint

SHIFT = "token 0 is the class token, so patch n is token n + 1"
PLACES = (
    "the places are wrong: a patch keeps its own position, and yours got those of the"
    " first tokens"
)
EXPAND = (
    "gather takes no more of a token than its index holds: index.expand(-1, -1, D), or"
    " take_along_dim"
)
NARROW = {
    "match except in dimension": EXPAND,
    "normalized_shape": EXPAND,
    "last dim": EXPAND,
}
KEEP_CLASS = (
    "the class token is missing: it comes first, and the answer is read from it"
)


def drawn_model(rows: int, columns: int, side: int) -> VisionTransformer:
    """A small model with fresh weights, loud enough that every patch and place
    counts.
    """
    config = ViTConfig(
        image_size=(rows * side, columns * side),
        patch_size=side,
        dim=24,
        depth=2,
        heads=3,
        classes=7,
    )
    model = VisionTransformer(config).eval().requires_grad_(False)
    torch.nn.init.normal_(model.embedder.projection.weight, std=0.3)
    torch.nn.init.normal_(model.embedder.positions)
    torch.nn.init.normal_(model.embedder.class_token)
    torch.nn.init.normal_(model.head[-1].weight)
    return model


def pick(tokens: Tensor, rows: Tensor) -> Tensor:
    """Rows (B, n) of tokens (B, T, D): (B, n, D)."""
    return torch.stack(
        [image[chosen] for image, chosen in zip(tokens, rows, strict=True)]
    )


DROPS = {
    f"the patches before were kept: {SHIFT}": lambda read, first, tokens, kept: read(
        first, pick(tokens, kept)
    ),
    KEEP_CLASS + AND + SHIFT: lambda read, tokens, kept: read(pick(tokens, kept)),
    KEEP_CLASS: lambda read, left: read(left),
    "the class token stands last, but the answer is read from the first"
    " place": lambda read, first, left: read(left, first),
    "the class token's own position is missing: take it, too, from"
    " model.embedder": lambda read, bare_first, left: read(bare_first, left),
    PLACES: lambda read, joined, places: read(joined + places[:, : joined.shape[1]]),
    "the tokens have no places: take them from model.embedder, which adds the"
    " positions": lambda read, joined: read(joined),
    "the patches in kept were dropped, and the others"
    " kept": lambda read, first, patches, others: read(first, pick(patches, others)),
    "every image keeps the patches of the first one: kept has a row for"
    " each": lambda read, first, patches, kept: read(first, patches[:, kept[0]]),
    "the dropped patches are painted in grey, and still there: leave their tokens"
    " out": lambda model, images, window: model(images * window),
    "the dropped patches are painted in the mean of the image, and still there: leave"
    " their tokens out": lambda model, images, window: model(
        images * window + images.mean(dim=(2, 3), keepdim=True) * (1 - window)
    ),
    "the tokens of the dropped patches are a mean, and still there: leave them"
    " out": lambda read, first, patches, there: read(
        first, torch.where(there, patches, patches.mean(dim=1, keepdim=True))
    ),
    "the first patches are there, as many as kept has: its numbers say"
    " which": lambda read, first, patches, kept: read(
        first, patches[:, : kept.shape[1]]
    ),
    "the positions are added twice: model.embedder has added"
    " them": lambda read, first, left, places: read(
        torch.cat([first, left], dim=1) + places[:, : 1 + left.shape[1]]
    ),
    "patch n has row n + 1 of the positions, row 0 is the class"
    " token's": lambda read, first, bare, places, kept: read(
        first, pick(bare, kept) + pick(places, kept)
    ),
    "the tokens of the dropped patches are zeros, and still there: leave them"
    " out": lambda read, first, patches, there: read(first, there * patches),
    "the dropped patches are still there, all of them": lambda model, images: model(
        images
    ),
    "this is the answer without any patch": lambda read, first: read(first),
    "these are probabilities, the logits are asked for: leave the softmax"
    " out": lambda want: want.softmax(dim=1),
    "these are logarithms of probabilities, the logits are asked for": lambda want: (
        want.log_softmax(dim=1)
    ),
    "these are the classes, the logits are asked for: leave the argmax"
    " out": lambda want: want.argmax(dim=1),
}


def wrong_drops(
    model: VisionTransformer, images: Tensor, kept: Tensor, want: Tensor
) -> dict[str, Tensor]:
    """What the usual mistakes make of the images: sentence -> logits."""
    embedder = model.embedder
    batch = len(images)
    tokens = embedder(images)
    bare = embedder.project(images)
    bare_first = embedder.class_token.expand(batch, -1, -1)
    gone = torch.ones(batch, bare.shape[1], dtype=torch.bool).scatter(1, kept, False)
    side = model.config.patch_size
    window = (~gone).view(batch, 1, *model.config.grid).float()

    def read(*parts: Tensor) -> Tensor:
        return model.classify(model.encode(torch.cat(parts, dim=1)))

    return listed(
        DROPS,
        read=read,
        model=model,
        images=images,
        kept=kept,
        want=want,
        tokens=tokens,
        first=tokens[:, :1],
        patches=tokens[:, 1:],
        left=pick(tokens[:, 1:], kept),
        bare=bare,
        bare_first=bare_first,
        joined=torch.cat([bare_first, pick(bare, kept)], dim=1),
        places=embedder.positions.expand(batch, -1, -1),
        others=gone.nonzero()[:, 1].view(batch, -1),
        there=~gone[..., None],
        window=window.repeat_interleave(side, 2).repeat_interleave(side, 3),
    )


@checked
def drop_patches(answer: Callable) -> str:
    """`my_drop_patches(model, images, kept)`: logits (B, classes) with only the patches
    `kept` (B, n) there.
    """
    batch, rows, columns, side = distinct(4, 3, 6)
    for count, more, without in (
        (batch, 0, rows * columns // 2),
        (1, 0, rows * columns - 1),
        (batch, 4, 1),
    ):
        # in the end more than 36 patches
        rows = rows + more
        columns = columns + more
        keep = rows * columns - without
        model = drawn_model(rows, columns, side)
        in_two_modes(model.requires_grad_(count > 1))
        images = torch.randn(count, 3, rows * side, columns * side)
        # in no order, others for each image
        kept = torch.rand(count, rows * columns).argsort(dim=1)[:, :keep]
        many = f"{count} image{'s' * (count > 1)}"
        case = f"{many} of {rows * columns} patches, {keep} of them kept"
        given = (model, images, kept)
        expected = "logits of shape (B, classes)"
        got = ask(answer, *given, expected=expected, case=case, clues=NARROW)
        want = interventions.drop_patches(*given)
        compare(answer, got, want, wrong_drops(*given, want), case)
    return "the patches left out are no tokens any more, the others kept their places"


# ---- the area of deletion, and a score to beat contrast


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
        [
            interventions.drop_patches(model, images, order[:, count:])
            for count in counts
        ],
        dim=1,
    )


def area(heights: Tensor) -> Tensor:
    """Mean height of curves (B, S): (B,)."""
    return torch.trapezoid(heights, dim=1) / (heights.shape[1] - 1)


AREAS = {
    "the lowest scores went first, which is the area of insertion: sort"
    " descending": lambda follow, back: area(follow(back.softmax(dim=2))),
    "every image lost its patches in the order of the first"
    " one": lambda follow, alike: area(follow(alike.softmax(dim=2))),
    "argsort tells which patch comes first; you sorted twice, or took ranks for"
    " patches": lambda follow, ranks: area(follow(ranks.softmax(dim=2))),
    "the points are averaged, but those at the ends count half:"
    " torch.trapezoid": lambda chances: chances.mean(dim=1),
    "the points are averaged, and the first, with all patches, is"
    " missing": lambda chances: chances[:, 1:].mean(dim=1),
    "the points are averaged, and the last, with no patch, is"
    " missing": lambda chances: chances[:, :-1].mean(dim=1),
    "the heights are added: divide by the number of steps, N": lambda want, steps: (
        want * steps
    ),
    "divide by the number of steps, N, not by that of points, N"
    " + 1": lambda want, steps: want * steps / (steps + 1),
    "the last point is missing: in the end no patch is left, the class token"
    " alone": lambda chances: area(chances[:, :-1]),
    "the first point is missing: at the start all patches are there": lambda chances: (
        area(chances[:, 1:])
    ),
    "these are logits, follow the probability: softmax over the"
    " classes": lambda follow, logits: area(follow(logits)),
    "these are logarithms of probabilities, follow the probability"
    " itself": lambda follow, logits: area(follow(logits.log_softmax(dim=2))),
    "the softmax runs over the images, not over the classes: dim=1 of (B,"
    " classes)": lambda follow, logits: area(follow(logits.softmax(dim=0))),
    "you followed the class the model names at first: labels say which"
    " one": lambda logits: area(
        followed(logits.softmax(dim=2), logits[:, 0].argmax(dim=1))
    ),
    "you followed the largest probability at each step: labels say which"
    " class": lambda logits: area(logits.softmax(dim=2).amax(dim=2)),
    "this is how far the probability falls, the area beneath the curve is asked"
    " for": lambda chances: area(chances[:, :1] - chances),
    "this is the area above the curve, the one beneath it is asked for": lambda want: (
        1 - want
    ),
    f"the images are averaged: {KEEP_BATCH}": lambda want: want.mean(),
    "this is the curve, its mean height is asked for": lambda chances: chances,
}


def followed(values: Tensor, labels: Tensor) -> Tensor:
    """Of values (B, S, classes) those of one class an image: (B, S)."""
    index = labels[:, None, None].expand(-1, values.shape[1], 1)
    return values.gather(2, index)[..., 0]


def wrong_areas(
    model: VisionTransformer, images: Tensor, scores: Tensor, labels: Tensor
) -> dict[str, Tensor]:
    """What the usual mistakes make of the scores: sentence -> areas."""
    order = scores.argsort(dim=1, descending=True)
    logits, back, alike, ranks = (
        logits_left(model, images, some)
        for some in (
            order,
            order.flip(1),
            order[:1].expand_as(order),
            order.argsort(dim=1),
        )
    )
    chances = followed(logits.softmax(dim=2), labels)
    return listed(
        AREAS,
        follow=partial(followed, labels=labels),
        logits=logits,
        back=back,
        alike=alike,
        ranks=ranks,
        chances=chances,
        want=area(chances),
        steps=chances.shape[1] - 1,
    )


def right_area(
    model: VisionTransformer, images: Tensor, scores: Tensor, labels: Tensor
) -> Tensor:
    order = scores.argsort(dim=1, descending=True)
    return area(followed(logits_left(model, images, order).softmax(dim=2), labels))


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
        faithfulness(model, images, contrast).auc(),
    )


@checked
def own_score(answer: Callable) -> str:
    """`my_score(model, images, labels)`: (B, N), to beat contrast in both areas on
    `stacks` with patterned decoys.
    """
    model, images, labels, contrast, theirs = standing_trial()
    lent = deepcopy(model)  # what an answer does to it must not reach the next one
    expected = "scores of shape (B, N)"
    case = f"{COUNT} images"
    got = ask(answer, lent, images, labels, expected=expected, case=case)
    name = called(answer)
    if not isinstance(got, Tensor):
        raise NotSolved(
            f"{name} returned a {type(got).__name__}, {expected} were expected"
        )
    if got.shape != contrast.shape:
        raise NotSolved(
            f"{name} returned shape {tuple(got.shape)}, expected"
            f" {tuple(contrast.shape)}: (B, N)"
        )
    if not got.isfinite().all():
        raise NotSolved(f"{name} returned numbers that are not finite")
    got = got.detach()
    if (got == got[:, :1]).all():
        raise NotSolved(
            "all patches of an image have the same score: it prefers nothing"
        )
    if same(got, contrast):
        raise NotSolved(
            "this is contrast itself, and it has to be beaten: ask the model"
        )
    return compare_areas(faithfulness(model, images, got).auc(), theirs)


def compare_areas(mine: tuple[Tensor, Tensor], theirs: tuple[Tensor, Tensor]) -> str:
    """How much better the areas of deletion and insertion are than contrast's;
    NotSolved where it is not enough.
    """
    deletion, insertion = (
        (ours - floor).mean().item() for ours, floor in zip(mine, theirs, strict=True)
    )
    said = (
        f"beside contrast's, its deletion area is {deletion:+.3f}, its insertion area"
        f" {insertion:+.3f}"
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
