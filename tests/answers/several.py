"""Answers to exercises of several chapters whose mistakes were once missed."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers.capstone import but, but_after
from answers.chapter_02 import Right, moved
from answers.chapter_05 import counting, multiplying, renaming
from answers.chapter_06 import stepping
from answers.chapter_07 import by_where, forwards
from vit_tutorial.attention import attend
from vit_tutorial.training.schedule import learning_rate


def classify(model, tokens):
    """Logits from tokens."""
    return model.classify(model.encode(tokens))


right_step = stepping()

SWAP = torch.tensor([1, 0, 3, 2, 5, 4, 7, 6, 8, 9])


# the mode of a model, its gradients and its optimizer


def trains_first(model, optimizer, images, labels, parts):
    model.train()
    return right_step(model, optimizer, images, labels, parts)


def trains_and_restores(model, optimizer, images, labels, parts):
    before = model.training
    total = trains_first(model, optimizer, images, labels, parts)
    model.train(before)
    return total


def sleeps_and_wakes(model, optimizer, images, labels, parts):
    before = model.training
    model.eval()
    total = right_step(model, optimizer, images, labels, parts)
    model.train(before)
    return total


def unasked(change):
    """A step before whose end something is done with the model's gradients, or the
    optimizer.
    """

    def my_step(model, optimizer, images, labels, parts):
        total = stepping(step="never")(model, optimizer, images, labels, parts)
        change(model, optimizer)
        optimizer.step()
        return total

    return my_step


clipped = unasked(
    lambda model, optimizer: nn.utils.clip_grad_norm_(model.parameters(), 1.0)
)

clipped_each = unasked(
    lambda model, optimizer: nn.utils.clip_grad_value_(model.parameters(), 0.5)
)


def slower_each_time(model, optimizer, images, labels, parts):
    total = right_step(model, optimizer, images, labels, parts)
    optimizer.param_groups[0]["lr"] *= 1 - 1e-9
    return total


def by_gather(model, images, kept):
    tokens = model.embedder(images)
    return classify(
        model, torch.cat([tokens[:, :1], tokens.gather(1, kept[..., None] + 1)], dim=1)
    )


def asleep(model, images, kept):
    model.eval()
    patches = torch.take_along_dim(
        model.embedder(images)[:, 1:], kept[..., None], dim=1
    )
    return classify(model, torch.cat([model.embedder(images)[:, :1], patches], dim=1))


# what the text excludes


def by_the_library(logits, labels, smoothing):
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def by_its_parts(logits, labels, smoothing):
    logs = logits.log_softmax(dim=1)
    return (1 - smoothing) * F.nll_loss(logs, labels) - smoothing * logs.mean()


def gathered_flat(logits, labels, smoothing):
    logs = logits.log_softmax(dim=1)
    return -(1 - smoothing) * logs.gather(1, labels).mean() - smoothing * logs.mean()


def normed_by_the_library(x, gamma, beta, epsilon):
    return F.layer_norm(x, x.shape[-1:], gamma, beta, epsilon)


def width_of(rounding):
    return lambda self, c: setattr(
        self,
        "blocks",
        nn.ModuleList(self.block(wide(c, rounding)) for _ in range(c.depth)),
    )


def wide(c, rounding):
    hidden = rounding(c.dim * c.mlp_ratio)
    return type("Sizes", (), vars(c) | {"mlp_ratio": hidden / c.dim})


def mixes_by_ours(self, images):
    attend(*torch.zeros(3, 1, 1))
    return super(Borrower, self).forward(images)


Borrower = but("Borrower", forward=mixes_by_ours)


# what was given


def written_into(images, masks, labels, flips):
    images[flips] = images[flips].flip(-2)
    masks[flips] = masks[flips].flip(-2)
    return images, masks, torch.where(flips, SWAP[labels], labels)


def the_same_ones(images, masks, labels, flips):
    return (
        by_where(images, masks, labels, flips)
        if flips.any()
        else (images, masks, labels)
    )


def returned_as_it_was(old, image_size):
    return old


right_count = counting()

right_bill = multiplying()

right_names = renaming()


def named(name, answer):
    answer.__name__ = name
    return answer


# extremes


def limited(least, most):
    def my_boxes(area, aspect, x, y):
        width, height = (
            value.clamp(least, most)
            for value in ((area * aspect).sqrt(), (area / aspect).sqrt())
        )
        return torch.stack([x * (1 - width), y * (1 - height), width, height], dim=1)

    return my_boxes


def never_above_one(step, steps, warmup, peak):
    return min(1.0, learning_rate(step, steps, warmup, 0.0, peak, 0.0))


def never_below(step, steps, warmup, peak):
    return max(1e-7, learning_rate(step, steps, warmup, 0.0, peak, 0.0))


def two_columns_at_least(y, x, columns, patch_size):
    return y // patch_size * max(2, columns // patch_size) + x // patch_size


def rounded(rounding):
    def changed(right, unit):
        return lambda c: (
            right(c)
            + unit(c)
            * c.depth
            * (rounding(c.dim * c.mlp_ratio) - round(c.dim * c.mlp_ratio))
        )

    count = changed(right_count, lambda c: 2 * c.dim + 1)
    cost = changed(right_bill, lambda c: 2 * c.tokens * c.dim)
    return named(f"count_{rounding.__name__}", count), named(
        f"cost_{rounding.__name__}", cost
    )


(count_up, cost_up), (count_down, cost_down), (count_broken, cost_broken) = map(
    rounded, (math.ceil, int, float)
)


class PlacesAtZero(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        nn.init.zeros_(self.positions)


class ClassAtRandom(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        nn.init.normal_(self.class_token, std=0.02)


# axes


# right, in another form


def seen_pixels(kernels, strides):
    """Counts the pixels with a gradient, as one may: none is skipped where no stride is
    larger than its kernel.
    """
    line = torch.zeros(1, 1, 5000, requires_grad=True)
    places = line
    for kernel, stride in zip(kernels, strides, strict=True):
        places = F.conv1d(places, torch.ones(1, 1, kernel) / kernel, stride=stride)
    return int(torch.autograd.grad(places[0, 0, 0], line)[0].count_nonzero())


def in_double(weights):
    return {name: value.double() for name, value in right_names(weights).items()}


def in_numpy(weights):
    return {name: value.numpy() for name, value in right_names(weights).items()}


WRONG = {
    "accumulated": [
        (trains_first, "was shown images all in train mode"),
        (trains_and_restores, "was shown images all in train mode"),
        (sleeps_and_wakes, "was shown images all in eval mode"),
        (clipped, "the gradient is clipped"),
        (clipped_each, "the gradient is clipped"),
        (slower_each_time, "the optimizer's settings were changed"),
    ],
    "drop_patches": [
        (by_gather, "gather takes no more of a token than its index holds"),
        (asleep, "left the model in eval mode"),
    ],
    "smoothed": [
        (by_the_library, "cross_entropy did the work"),
        (gathered_flat, "gather wants a column of labels"),
    ],
    "layer_norm": [
        (normed_by_the_library, "layer_norm did the work"),
    ],
    "my_vit": [
        (Borrower, "rung 1 of 17, a class: attend is used in your class"),
        (
            but_after("RoundedUp", width_of(math.ceil)),
            "the MLP is round(c.dim * c.mlp_ratio) wide, yours is rounded up",
        ),
        (
            but_after("CutOff", width_of(int)),
            "the MLP is round(c.dim * c.mlp_ratio) wide, yours is cut off",
        ),
    ],
    "upside_down": [
        (
            written_into,
            "changed its input in place: clone it first, or choose with torch.where",
        ),
        (the_same_ones, "returned a tensor that it was given, not a new one"),
    ],
    "enlarge": [
        (returned_as_it_was, "this is the old embedder"),
        (
            lambda old, size: moved(old.train(), size),
            "left the old embedder in train mode",
        ),
    ],
    "parameters": [
        (count_broken, "the MLP is round(c.dim * c.mlp_ratio) wide"),
    ],
    "bill": [
        (cost_broken, "the MLP is round(c.dim * c.mlp_ratio) wide"),
    ],
    "boxes": [
        (named("at_most", limited(0, 0.9)), "not every box is wrong, but that of area"),
    ],
    "schedule": [
        (never_above_one, "expected 2."),
        (never_below, ", the rate is 1e-07, expected "),
    ],
    "which_patch": [
        (two_columns_at_least, "for y="),
    ],
    "registers": [
        (PlacesAtZero, "a position starts with"),
        (ClassAtRandom, "the class token starts with"),
    ],
    "field": [
        (
            lambda kernels, strides: np.float64(forwards(kernels, strides)),
            "a float64: a number of pixels is an int",
        ),
        (
            lambda kernels, strides: (
                forwards(kernels, strides) == 1 or forwards(kernels, strides)
            ),
            "returned True, a bool",
        ),
    ],
    "renamed": [
        (in_numpy, "is a ndarray, a tensor was expected"),
    ],
}
RIGHT = {
    "smoothed": [
        by_its_parts,
    ],
    "accumulated": [
        lambda *given: torch.tensor(right_step(*given)),
        lambda *given: np.float32(right_step(*given)),
    ],
    "field": [
        seen_pixels,
        lambda kernels, strides: np.int64(forwards(kernels, strides)),
    ],
    "renamed": [
        in_double,
    ],
    "schedule": [
        lambda *sizes: np.float64(learning_rate(*sizes[:3], 0.0, sizes[3], 0.0)),
    ],
    "parameters": [
        lambda c: np.int64(right_count(c)),
    ],
    "which_patch": [
        lambda y, x, columns, side: torch.tensor(
            y // side * (columns // side) + x // side
        ),
    ],
}
