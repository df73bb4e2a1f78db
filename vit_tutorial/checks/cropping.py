"""The check of a crop that stays inside the image (chapter 07)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from vit_tutorial.checks.core import NotSolved, ask, checked, compare, distinct, same
from vit_tutorial.checks.slips import slips

ACROSS, DOWN, WIDTH, HEIGHT = range(4)

# area, and the aspect as a share of what fits: a box as large as the image, tiny ones,
# as wide or as high as it goes
EXTREMES = ((1.0, 0.5), (0.98, 0.5), (0.9, -1.0), (0.01, 0.5), (0.05, 1.0), (0.3, -1.0))

WRONG_SIZES = {
    "aspect is width over height: your boxes are tall where they should be wide": (
        lambda area, aspect: (
            (area / aspect).sqrt(),
            (area * aspect).sqrt(),
        )
    ),
    "area is a share of the area: a side is the square root of it": (
        lambda area, aspect: (area * aspect, area / aspect)
    ),
    "the image reaches from -1 to 1, half its width is 1: do not halve the sides": (
        lambda area, aspect: (
            (area * aspect).sqrt() / 2,
            (area / aspect).sqrt() / 2,
        )
    ),
    "half the width and half the height are asked for, these are the whole ones": (
        lambda area, aspect: (
            (area * aspect).sqrt() * 2,
            (area / aspect).sqrt() * 2,
        )
    ),
    "aspect stretches the width by its root and shrinks the height by it, or the area changes": lambda area, aspect: (
        area.sqrt() * aspect,
        area.sqrt() / aspect,
    ),
    "aspect changes the width alone, so the area is not what was asked for": (
        lambda area, aspect: (
            area.sqrt() * aspect,
            area.sqrt(),
        )
    ),
    "aspect is ignored: these boxes are squares": lambda area, aspect: (
        area.sqrt(),
        area.sqrt(),
    ),
}
WRONG_MIDDLES = {
    "these are the left and the upper side of a box, its middle is asked for": (
        lambda place, half: place * (1 - half) - half
    ),
    "these are the right and the lower side of a box, its middle is asked for": (
        lambda place, half: place * (1 - half) + half
    ),
    "the boxes leave the image: a box may move by what its size leaves free": (
        lambda place, half: place
    ),
    "a box may move by what is free, 1 - width; you move it by its width": (
        lambda place, half: place * half
    ),
    "a box of half width w may move by 1 - w; you let it move too far": (
        lambda place, half: place * (1 - half / 2)
    ),
    "a box of half width w may move by 1 - w; you hold it back": (
        lambda place, half: place * (1 - half) / 2
    ),
    "the middle is measured from the middle of the image, from -1 to 1, not from its corner": (
        lambda place, half: (place + 1) / 2 * (1 - half)
    ),
    "clamping piles the boxes up at the border: scale x and y by the room that is free": lambda place, half: (
        torch.minimum(torch.maximum(place, half - 1), 1 - half)
    ),
    "every box sits in the middle: x and y say where in its free room it stands": (
        lambda place, half: 0 * place
    ),
    "each box moves by what its own size leaves free, not by what the largest leaves": (
        lambda place, half: place * (1 - half.max())
    ),
    "a box of half width w may move by 1 - w, you have 1 + w": (
        lambda place, half: place * (1 + half)
    ),
    "a box of half width w may move by 1 - w, you have 2 - w, as if the image reached from -2 to 2": (
        lambda place, half: place * (2 - half)
    ),
    "x - w is the left side of a box whose middle is x: x * (1 - w) is the middle that keeps it inside": (
        lambda place, half: place - half
    ),
}
WRONG_DICE = {
    "x and y have changed places: x says where a box stands across, y how far down": (
        1,
        0,
    )
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
    "the middle comes first, then the size: x, y, width, height": (
        WIDTH,
        HEIGHT,
        ACROSS,
        DOWN,
    ),
    "across and down take turns: x, y, width, height": (ACROSS, WIDTH, DOWN, HEIGHT),
    "the middle comes first, then the size; yours take turns: x, y, width, height": (
        WIDTH,
        ACROSS,
        HEIGHT,
        DOWN,
    ),
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
    dice: Sequence[int] = (0, 1),
    room: Sequence[int] = (0, 1),
    sign: Sequence[int] = (1, 1),
    order: Sequence[int] = range(4),
) -> Tensor:
    """Boxes (B, 4); the last six arguments are the places where one may slip."""
    halves = size(area, aspect)
    places = (across, down)
    values = [
        sign[axis] * middle(places[dice[axis]], halves[room[axis]]) for axis in range(2)
    ]
    values += halves
    return torch.stack([values[index] for index in order], dim=1)


def dealt(batch: int | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Area, aspect, x and y of boxes that fit into the image, (B,) each; of None, those
    of the extremes.
    """
    across, down = 2 * torch.rand(2, batch or len(EXTREMES)) - 1
    if batch is None:
        area, aspect = torch.tensor(EXTREMES).unbind(1)
        across[:2], down[:2] = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    else:
        # none of them is a square
        area = 0.05 + 0.9 * torch.rand(batch)
        aspect = 0.1 + 0.9 * torch.rand(batch)
        aspect *= torch.where(torch.rand(batch) < 0.5, -1.0, 1.0)
    return area, (-area.log() * aspect).exp(), across, down


@checked
def boxes(answer: Callable) -> str:
    """`my_boxes(area, aspect, x, y)`: four (B,) -> (B, 4), middle x, y and half width
    and height, as in `draw`.
    """
    (many,) = distinct(1, 5, 9)
    for count in (many, None, 1, 4):  # of 4 the two axes of the result are equal
        area, aspect, across, down = dealt(count)
        batch = len(area)
        form = partial(boxed, area, aspect, across, down)
        want = form()
        x, y, width, height = want.unbind(1)
        mistakes = {
            "the axes are swapped: a row is an image's box, stack along dim=1": want.T,
            "the image is measured from -1 to 1, yours from 0 to 1: its middle is 0, half its width is 1": torch.stack(
                [(x + 1) / 2, (y + 1) / 2, width / 2, height / 2], dim=1
            ),
            "corners are not asked for: the middle, then half the width and height": (
                torch.stack([x - width, y - height, x + width, y + height], dim=1)
            ),
            "the four sides are not asked for: the middle, then half the width and height": torch.stack(
                [x - width, x + width, y - height, y + height], dim=1
            ),
            "a corner and the whole sides are not asked for: the middle, then half the width and height": torch.stack(
                [x - width, y - height, 2 * width, 2 * height], dim=1
            ),
            "every image got the box of the first one: draw for each its own": (
                want[:1].expand(batch, 4)
            ),
        }
        places = {
            "size": WRONG_SIZES,
            "middle": WRONG_MIDDLES,
            "dice": WRONG_DICE,
            "room": WRONG_ROOMS,
        }
        places |= {"sign": WRONG_SIGNS, "order": WRONG_ORDERS}
        case = f"{batch} image{'s' * (batch > 1)}"
        got = ask(
            answer,
            area,
            aspect,
            across,
            down,
            expected="a tensor of shape (B, 4)",
            case=case,
        )
        wrong = mistakes | slips(form, places)
        name_the_box(got, want, wrong, (area, aspect, across, down))
        compare(answer, got, want, wrong, case)
    return "every box keeps its area and its aspect and stays inside"


def name_the_box(
    got: object, want: Tensor, wrong: Mapping[str, Tensor], dice: Sequence[Tensor]
) -> None:
    """Raise NotSolved with the dice of a box that is wrong among right ones, where no
    mistake explains all boxes.
    """
    told = (
        not isinstance(got, Tensor)
        or got.shape != want.shape
        or got.dtype != want.dtype
        or len(want) == 1
    )
    if (
        told
        or not got.isfinite().all()
        or any(same(got, value) for value in wrong.values())
    ):
        return
    off = (got - want).abs()
    row = int(off.amax(dim=1).argmax())
    if off[row].max() < 1e-3 or not any(
        same(mine, right) for mine, right in zip(got, want, strict=True)
    ):
        return
    place = int(off[row].argmax())
    what = (
        "the middle across",
        "the middle down",
        "half the width",
        "half the height",
    )[place]
    values = zip(("area", "aspect", "x", "y"), dice, strict=True)
    box = ", ".join(f"{name} {value[row]:.3g}" for name, value in values)
    raise NotSolved(
        f"not every box is wrong, but that of {box} is: {what} is"
        f" {got[row, place]:.4g}, expected {want[row, place]:.4g}"
    )
