"""The check of a flip that moves mask and label with the image (chapter 07)."""

from collections.abc import Callable

import torch
from torch import Tensor

from vit_tutorial.checks.core import NotSolved, ask, called, checked, compare, distinct
from vit_tutorial.data.synthetic import STACKS

SWAPPED = torch.tensor([STACKS.index((below, above)) for above, below in STACKS])

ADVICE = (
    "clone it first, or choose with torch.where (images[flips] = ... writes into what"
    " you were given)"
)


def turned(values: Tensor, flips: Tensor) -> Tensor:
    return torch.where(flips[:, None, None, None], values.flip(-2), values)


def wrong_turns(values: Tensor, flips: Tensor, what: str) -> dict[str, Tensor]:
    """What the usual mistakes make of images or masks (B, C, Y, X): sentence ->
    tensor.
    """
    chosen = flips[:, None, None, None]
    return {
        f"the {what} stand as they stood: move them with the rest": values,
        f"all {what} are upside down: only those that flips marks": values.flip(-2),
        f"the wrong {what} are upside down: True means flip": turned(values, ~flips),
        f"the {what} are mirrored left to right: rows are dim -2, columns dim -1": (
            torch.where(chosen, values.flip(-1), values)
        ),
        f"all {what} are mirrored left to right: flip rows, dim -2, and only where flips says so": values.flip(
            -1
        ),
        f"the {what} are turned by half a circle: flip their rows alone, dim -2": (
            torch.where(chosen, values.flip(-2, -1), values)
        ),
        f"the channels of the {what} changed places: rows are dim -2": torch.where(
            chosen, values.flip(1), values
        ),
        f"the {what} of the batch changed places: rows are dim -2": values.flip(0),
        f"only the {what} that were flipped are left: keep the others, in their places": values.flip(
            -2
        )[flips],
        f"the {what} that were flipped stand first: keep all in their places": (
            torch.cat([values.flip(-2)[flips], values[~flips]])
        ),
        f"only the first plane of the {what} is turned: all along axis 1 go with it": (
            torch.cat([turned(values, flips)[:, :1], values[:, 1:]], dim=1)
        ),
    }


def wrong_labels(labels: Tensor, flips: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of labels (B,): sentence -> tensor."""

    def where(new: Tensor) -> Tensor:
        return torch.where(flips, new, labels)

    return {
        "the labels stayed: upside down, the lower texture is the upper one, and the class another": (
            labels
        ),
        "all labels moved: only those of the images that were flipped": SWAPPED[labels],
        "the labels of the wrong images moved: True means flip": torch.where(
            flips, labels, SWAPPED[labels]
        ),
        "a twin upside down is the same twin: classes 8 and 9 keep their labels": where(
            labels ^ 1
        ),
        "that reads the list of classes from its end: swap within a pair, (0, 1), (2, 3), (4, 5), (6, 7)": where(
            9 - labels
        ),
        "each class became its successor: swap within a pair, there and back": where(
            (labels + 1) % 10
        ),
        "each class became the next: swap within a pair, there and back": where(
            labels + 1
        ),
        "the labels changed places within the batch: swap the class, not the image": (
            labels.flip(0)
        ),
        "these are the classes of all flipped images alone: keep the others, in their places": SWAPPED[
            labels
        ][flips],
    }


def in_their_order(answer: Callable, got: object, *inputs: Tensor) -> None:
    """Raise NotSolved unless `got` are three, of the types of images, masks and
    labels.
    """
    if not isinstance(got, tuple | list) or len(got) != 3:
        found = (
            f"{len(got)} values"
            if isinstance(got, tuple | list)
            else f"a {type(got).__name__}"
        )
        raise NotSolved(
            f"{called(answer)} returned {found}, three tensors were expected: images,"
            " masks, labels"
        )
    types, right = (
        [str(getattr(value, "dtype", "")) for value in row] for row in (got, inputs)
    )
    if types != right and sorted(types) == sorted(right):
        raise NotSolved("the three come back in another order: images, masks, labels")


@checked
def upside_down(answer: Callable) -> str:
    """`my_turn(images, masks, labels, flips)` -> the three, some of them upside down,
    with their new class.
    """
    channels, kinds, rows, columns, extra = distinct(5, 2, 9)
    for labels, flips, case in (
        (torch.arange(20) % 10, torch.arange(20) >= 10, "every class, flipped and not"),
        (torch.randint(8, (1,)), torch.tensor([True]), "one image"),
        (
            torch.randint(10, (extra,)),
            torch.zeros(extra, dtype=torch.bool),
            "a batch in which nothing is flipped",
        ),
        (
            torch.randint(10, (extra,)),
            torch.ones(extra, dtype=torch.bool),
            "a batch in which all are flipped",
        ),
    ):
        order = torch.randperm(len(labels))
        labels = labels[order]
        flips = flips[order]
        images = torch.randint(
            256, (len(labels), channels, rows, columns), dtype=torch.uint8
        )
        masks = torch.rand(len(labels), kinds, rows, columns) < 0.5
        expected = "a triple of tensors (images, masks, labels)"
        inputs = (images, masks, labels, flips)
        got = ask(answer, *inputs, expected=expected, case=case, advice=ADVICE)
        in_their_order(answer, got, images, masks, labels)
        compare(
            answer,
            got[0],
            turned(images, flips),
            wrong_turns(images, flips, "images"),
            f"images of {case}",
        )
        compare(
            answer,
            got[1],
            turned(masks, flips),
            wrong_turns(masks, flips, "masks"),
            f"masks of {case}",
        )
        want = torch.where(flips, SWAPPED[labels], labels)
        compare(answer, got[2], want, wrong_labels(labels, flips), f"labels of {case}")
        ask(answer, *inputs, expected=expected, case=case, apart=True)
    return "image, mask and label move together"
