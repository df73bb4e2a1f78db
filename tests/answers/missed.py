"""Slips that the checks once accepted: what they do to a model or an input, and work
left to the library.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers.capstone import but, but_after
from answers.steps import stepping
from answers.tokens import moved
from answers.turns import by_where
from vit_tutorial.attention import attend


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


def by_gather_with_class(model, images, kept):
    rows = torch.cat([torch.zeros(len(kept), 1, dtype=torch.long), kept + 1], dim=1)
    return classify(model, model.embedder(images).gather(1, rows[..., None]))


def asleep(model, images, kept):
    model.eval()
    patches = torch.take_along_dim(
        model.embedder(images)[:, 1:], kept[..., None], dim=1
    )
    return classify(model, torch.cat([model.embedder(images)[:, :1], patches], dim=1))


# what the text excludes


def by_the_library(logits, labels, smoothing):
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


def by_the_layer(logits, labels, smoothing):
    return nn.CrossEntropyLoss(label_smoothing=smoothing)(logits, labels)


def by_its_parts(logits, labels, smoothing):
    logs = logits.log_softmax(dim=1)
    return (1 - smoothing) * F.nll_loss(logs, labels) - smoothing * logs.mean()


def gathered_from_the_first(logits, labels, smoothing):
    logs = logits.log_softmax(dim=1)
    return (
        -(1 - smoothing) * logs.gather(1, labels[None]).mean() - smoothing * logs.mean()
    )


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
        (by_gather_with_class, "gather takes no more of a token than its index holds"),
        (asleep, "left the model in eval mode"),
    ],
    "smoothed": [
        (by_the_library, "cross_entropy did the work"),
        (by_the_layer, "cross_entropy did the work"),
        (gathered_from_the_first, "labels[None] takes all labels from the first image"),
        (gathered_flat, "gather wants a column of labels"),
    ],
    "layer_norm": [(normed_by_the_library, "layer_norm did the work")],
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
}
RIGHT = {
    "smoothed": [by_its_parts],
    "accumulated": [
        lambda *given: torch.tensor(right_step(*given)),
        lambda *given: np.float32(right_step(*given)),
    ],
}
