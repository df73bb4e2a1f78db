"""Two checks of chapter 07: a crop that stays inside, and a flip that moves mask and label."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from vit_tutorial.checks.core import NotSolved, ask, called, checked, compare, distinct
from vit_tutorial.checks.slips import slips
from vit_tutorial.drawn import STACKS

ACROSS, DOWN, WIDTH, HEIGHT = range(4)

WRONG_SIZES = {
    "aspect is width over height: your boxes are tall where they should be wide": lambda area, aspect: (
        (area / aspect).sqrt(),
        (area * aspect).sqrt(),
    ),
    "area is a share of the area: a side is the square root of it": lambda area, aspect: (area * aspect, area / aspect),
    "the image reaches from -1 to 1, half its width is 1: do not halve the sides": lambda area, aspect: (
        (area * aspect).sqrt() / 2,
        (area / aspect).sqrt() / 2,
    ),
    "half the width and half the height are asked for, these are the whole ones": lambda area, aspect: (
        (area * aspect).sqrt() * 2,
        (area / aspect).sqrt() * 2,
    ),
    "aspect stretches the width by its root and shrinks the height by it, or the area changes": lambda area, aspect: (
        area.sqrt() * aspect,
        area.sqrt() / aspect,
    ),
    "aspect changes the width alone, so the area is not what was asked for": lambda area, aspect: (
        area.sqrt() * aspect,
        area.sqrt(),
    ),
    "aspect is ignored: these boxes are squares": lambda area, aspect: (area.sqrt(), area.sqrt()),
}
WRONG_MIDDLES = {
    "the boxes leave the image: a box may move by what its size leaves free": lambda place, half: place,
    "a box may move by what is free, 1 - width; you move it by its width": lambda place, half: place * half,
    "a box of half width w may move by 1 - w; you let it move too far": lambda place, half: place * (1 - half / 2),
    "a box of half width w may move by 1 - w; you hold it back": lambda place, half: place * (1 - half) / 2,
    "the middle is measured from the middle of the image, from -1 to 1, not from its corner": (
        lambda place, half: (place + 1) / 2 * (1 - half)
    ),
    "clamping piles the boxes up at the border: scale x and y by the room that is free": (
        lambda place, half: torch.minimum(torch.maximum(place, half - 1), 1 - half)
    ),
    "every box sits in the middle: x and y say where in its free room it stands": lambda place, half: 0 * place,
    "a box of half width w may move by 1 - w, you have 1 + w": lambda place, half: place * (1 + half),
    "a box of half width w may move by 1 - w, you have 2 - w, as if the image reached from -2 to 2": (
        lambda place, half: place * (2 - half)
    ),
    "x - w is the left side of a box whose middle is x: x * (1 - w) is the middle that keeps it inside": (
        lambda place, half: place - half
    ),
}
ROOM = "how far a box may move across depends on its width, and down on its height"
WRONG_ROOMS = {
    f"{ROOM}: here it is the other way round": (1, 0),
    f"{ROOM}: here the width counts for both": (0, 0),
    f"{ROOM}: here the height counts for both": (1, 1),
}
WRONG_SIGNS = {
    "y grows downwards, 1 is the bottom: yours is turned": (1, -1),
    "x grows to the right: yours is turned": (-1, 1),
    "x grows to the right and y downwards: yours are turned": (-1, -1),
}
WRONG_ORDERS = {
    "across comes first: x, y, width, height": (DOWN, ACROSS, HEIGHT, WIDTH),
    "the middles are swapped: x first, then y": (DOWN, ACROSS, WIDTH, HEIGHT),
    "the sizes are swapped: width first, then height": (ACROSS, DOWN, HEIGHT, WIDTH),
    "the middle comes first, then the size: x, y, width, height": (WIDTH, HEIGHT, ACROSS, DOWN),
    "across and down take turns: x, y, width, height": (ACROSS, WIDTH, DOWN, HEIGHT),
    "the middle comes first, then the size; yours take turns: x, y, width, height": (WIDTH, ACROSS, HEIGHT, DOWN),
}


def sides(area: Tensor, aspect: Tensor) -> tuple[Tensor, Tensor]:
    return (area * aspect).sqrt(), (area / aspect).sqrt()


def middles(place: Tensor, half: Tensor) -> Tensor:
    return place * (1 - half)


def boxed(
    area: Tensor,
    aspect: Tensor,
    across: Tensor,
    down: Tensor,
    size: Callable = sides,
    middle: Callable = middles,
    room: Sequence[int] = (0, 1),
    sign: Sequence[int] = (1, 1),
    order: Sequence[int] = range(4),
) -> Tensor:
    """Boxes (B, 4); the last five arguments are the places where one may slip."""
    halves = size(area, aspect)
    values = [sign[axis] * middle(place, halves[room[axis]]) for axis, place in enumerate((across, down))]
    values += halves
    return torch.stack([values[index] for index in order], dim=1)


@checked
def boxes(answer: Callable) -> str:
    """`my_boxes(area, aspect, x, y)`: four (B,) -> (B, 4), middle x, y and half width and height, as in `draw`."""
    (many,) = distinct(1, 5, 9)
    for batch in (many, 1, 4):  # of 4 the two axes of the result are equal
        area, across, down = 0.2 + 0.4 * torch.rand(batch), *(2 * torch.rand(2, batch) - 1)
        aspect = (0.1 + 0.3 * torch.rand(batch)).exp() ** torch.where(torch.rand(batch) < 0.5, -1.0, 1.0)

        form = partial(boxed, area, aspect, across, down)
        want = form()
        x, y, width, height = want.unbind(1)
        mistakes = {
            "the axes are swapped: a row is an image's box, stack along dim=1": want.T,
            "the image is measured from -1 to 1, yours from 0 to 1: its middle is 0, half its width is 1": torch.stack(
                [(x + 1) / 2, (y + 1) / 2, width / 2, height / 2], dim=1
            ),
            "corners are not asked for: the middle, then half the width and height": torch.stack(
                [x - width, y - height, x + width, y + height], dim=1
            ),
            "every image got the box of the first one: draw for each its own": want[:1].expand(batch, 4),
        }
        places = {"size": WRONG_SIZES, "middle": WRONG_MIDDLES, "room": WRONG_ROOMS, "sign": WRONG_SIGNS}
        case = f"{batch} image{'s' * (batch > 1)}"
        got = ask(answer, area, aspect, across, down, expected="a tensor of shape (B, 4)", case=case)
        compare(answer, got, want, mistakes | slips(form, places | {"order": WRONG_ORDERS}), case)
    return "every box keeps its area and its aspect and stays inside"


SWAPPED = torch.tensor([STACKS.index((below, above)) for above, below in STACKS])


def turned(values: Tensor, flips: Tensor) -> Tensor:
    return torch.where(flips[:, None, None, None], values.flip(-2), values)


def wrong_turns(values: Tensor, flips: Tensor, what: str) -> dict[str, Tensor]:
    """What the usual mistakes make of images or masks (B, C, Y, X): sentence -> tensor."""
    chosen = flips[:, None, None, None]
    return {
        f"the {what} stand as they stood: move them with the rest": values,
        f"all {what} are upside down: only those that flips marks": values.flip(-2),
        f"the wrong {what} are upside down: True means flip": turned(values, ~flips),
        f"the {what} are mirrored left to right: rows are dim -2, columns dim -1": torch.where(
            chosen, values.flip(-1), values
        ),
        f"all {what} are mirrored left to right: flip rows, dim -2, and only where flips says so": values.flip(-1),
        f"the {what} are turned by half a circle: flip their rows alone, dim -2": torch.where(
            chosen, values.flip(-2, -1), values
        ),
        f"the channels of the {what} changed places: rows are dim -2": torch.where(chosen, values.flip(1), values),
        f"the {what} of the batch changed places: rows are dim -2": values.flip(0),
        f"only the {what} that were flipped are left: keep the others, in their places": values.flip(-2)[flips],
        f"the {what} that were flipped stand first: keep all in their places": torch.cat(
            [values.flip(-2)[flips], values[~flips]]
        ),
        f"only the first plane of the {what} is turned: all along axis 1 go with it": torch.cat(
            [turned(values, flips)[:, :1], values[:, 1:]], dim=1
        ),
    }


def wrong_labels(labels: Tensor, flips: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of labels (B,): sentence -> tensor."""

    def where(new: Tensor) -> Tensor:
        return torch.where(flips, new, labels)

    return {
        "the labels stayed: upside down, the lower texture is the upper one, and the class another": labels,
        "all labels moved: only those of the images that were flipped": SWAPPED[labels],
        "the labels of the wrong images moved: True means flip": torch.where(flips, labels, SWAPPED[labels]),
        "a twin upside down is the same twin: classes 8 and 9 keep their labels": where(labels ^ 1),
        "that reads the list of classes from its end: swap within a pair, (0, 1), (2, 3), (4, 5), (6, 7)": where(
            9 - labels
        ),
        "each class became its successor: swap within a pair, there and back": where((labels + 1) % 10),
        "each class became the next: swap within a pair, there and back": where(labels + 1),
        "the labels changed places within the batch: swap the class, not the image": labels.flip(0),
        "these are the classes of all flipped images alone: keep the others, in their places": SWAPPED[labels][flips],
    }


@checked
def upside_down(answer: Callable) -> str:
    """`my_turn(images, masks, labels, flips)` -> the three, some of them upside down, with their new class."""
    channels, kinds, rows, columns, extra = distinct(5, 2, 9)
    for labels, flips, case in (
        (torch.arange(20) % 10, torch.arange(20) >= 10, "every class, flipped and not"),
        (torch.randint(8, (1,)), torch.tensor([True]), "one image"),
        (torch.randint(10, (extra,)), torch.zeros(extra, dtype=torch.bool), "a batch in which nothing is flipped"),
    ):
        order = torch.randperm(len(labels))
        labels, flips = labels[order], flips[order]
        images = torch.randint(256, (len(labels), channels, rows, columns), dtype=torch.uint8)
        masks = torch.rand(len(labels), kinds, rows, columns) < 0.5
        expected = "a triple of tensors (images, masks, labels)"
        got = ask(answer, images, masks, labels, flips, expected=expected, case=case)
        if not isinstance(got, tuple | list) or len(got) != 3:
            found = f"{len(got)} values" if isinstance(got, tuple | list) else f"a {type(got).__name__}"
            raise NotSolved(f"{called(answer)} returned {found}, three tensors were expected: images, masks, labels")
        types, right = ([str(getattr(value, "dtype", "")) for value in row] for row in (got, (images, masks, labels)))
        if types != right and sorted(types) == sorted(right):
            raise NotSolved("the three come back in another order: images, masks, labels")
        compare(answer, got[0], turned(images, flips), wrong_turns(images, flips, "images"), f"images of {case}")
        compare(answer, got[1], turned(masks, flips), wrong_turns(masks, flips, "masks"), f"masks of {case}")
        want = torch.where(flips, SWAPPED[labels], labels)
        compare(answer, got[2], want, wrong_labels(labels, flips), f"labels of {case}")
    return "image, mask and label move together"
