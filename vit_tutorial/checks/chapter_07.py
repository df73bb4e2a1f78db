"""Checks of chapter 07: a crop inside the image, a flip that moves mask and label, and
how far a CNN sees.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from vit_tutorial.checks.harness import (
    NotSolved,
    ask,
    called,
    checked,
    combined,
    compare,
    distinct,
    for_each,
    listed,
    name_mistake,
    same,
    whole,
)
from vit_tutorial.data.synthetic import STACKS

ACROSS, DOWN, WIDTH, HEIGHT = range(4)

# area, and the aspect as a share of what fits: a box as large as the image, tiny ones,
# as wide or as high as it goes
EXTREMES = ((1.0, 0.5), (0.98, 0.5), (0.9, -1.0), (0.01, 0.5), (0.05, 1.0), (0.3, -1.0))

WRONG_SIZES = {
    "aspect is width over height: your boxes are tall where they should be"
    " wide": lambda area, aspect: (
        (area / aspect).sqrt(),
        (area * aspect).sqrt(),
    ),
    "area is a share of the area: a side is the square root of"
    " it": lambda area, aspect: (
        area * aspect,
        area / aspect,
    ),
    "the image reaches from -1 to 1, half its width is 1: do not halve the"
    " sides": lambda area, aspect: (
        (area * aspect).sqrt() / 2,
        (area / aspect).sqrt() / 2,
    ),
    "half the width and half the height are asked for, these are the whole"
    " ones": lambda area, aspect: (
        (area * aspect).sqrt() * 2,
        (area / aspect).sqrt() * 2,
    ),
    "aspect stretches the width by its root and shrinks the height by it, or the area"
    " changes": lambda area, aspect: (
        area.sqrt() * aspect,
        area.sqrt() / aspect,
    ),
    "aspect changes the width alone, so the area is not what was asked"
    " for": lambda area, aspect: (
        area.sqrt() * aspect,
        area.sqrt(),
    ),
    "aspect is ignored: these boxes are squares": lambda area, aspect: (
        area.sqrt(),
        area.sqrt(),
    ),
}
WRONG_MIDDLES = {
    "these are the left and the upper side of a box, its middle is asked"
    " for": lambda place, half: place * (1 - half) - half,
    "these are the right and the lower side of a box, its middle is asked"
    " for": lambda place, half: place * (1 - half) + half,
    "the boxes leave the image: a box may move by what its size leaves"
    " free": lambda place, half: place,
    "a box may move by what is free, 1 - width; you move it by its"
    " width": lambda place, half: place * half,
    "a box of half width w may move by 1 - w; you let it move too"
    " far": lambda place, half: place * (1 - half / 2),
    "a box of half width w may move by 1 - w; you hold it back": lambda place, half: (
        place * (1 - half) / 2
    ),
    "the middle is measured from the middle of the image, from -1 to 1, not from its"
    " corner": lambda place, half: (place + 1) / 2 * (1 - half),
    "clamping piles the boxes up at the border: scale x and y by the room that is"
    " free": lambda place, half: torch.minimum(
        torch.maximum(place, half - 1), 1 - half
    ),
    "every box sits in the middle: x and y say where in its free room it"
    " stands": lambda place, half: 0 * place,
    "each box moves by what its own size leaves free, not by what the largest"
    " leaves": lambda place, half: place * (1 - half.max()),
    "a box of half width w may move by 1 - w, you have 1 + w": lambda place, half: (
        place * (1 + half)
    ),
    "a box of half width w may move by 1 - w, you have 2 - w, as if the image reached"
    " from -2 to 2": lambda place, half: place * (2 - half),
    "x - w is the left side of a box whose middle is x: x * (1 - w) is the middle that"
    " keeps it inside": lambda place, half: place - half,
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


# what the usual mistakes make of right boxes (B, 4) and of their columns
OTHER_BOXES = {
    "the axes are swapped: a row is an image's box, stack along dim=1": lambda want: (
        want.T
    ),
    "the image is measured from -1 to 1, yours from 0 to 1: its middle is 0, half its"
    " width is 1": lambda x, y, width, height: torch.stack(
        [(x + 1) / 2, (y + 1) / 2, width / 2, height / 2], dim=1
    ),
    "corners are not asked for: the middle, then half the width and"
    " height": lambda x, y, width, height: torch.stack(
        [x - width, y - height, x + width, y + height], dim=1
    ),
    "the four sides are not asked for: the middle, then half the width and"
    " height": lambda x, y, width, height: torch.stack(
        [x - width, x + width, y - height, y + height], dim=1
    ),
    "a corner and the whole sides are not asked for: the middle, then half the width"
    " and height": lambda x, y, width, height: torch.stack(
        [x - width, y - height, 2 * width, 2 * height], dim=1
    ),
    "every image got the box of the first one: draw for each its own": lambda want: (
        want[:1].expand_as(want)
    ),
}
BOXES = {
    "size": WRONG_SIZES,
    "middle": WRONG_MIDDLES,
    "dice": WRONG_DICE,
    "room": WRONG_ROOMS,
    "sign": WRONG_SIGNS,
    "order": WRONG_ORDERS,
}


def wrong_boxes(dice: Sequence[Tensor], want: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of area, aspect, x and y: sentence -> boxes."""
    columns = dict(zip(("x", "y", "width", "height"), want.unbind(1), strict=True))
    return listed(OTHER_BOXES, want=want, **columns) | combined(
        partial(boxed, *dice), BOXES
    )


@checked
def boxes(answer: Callable) -> str:
    """`my_boxes(area, aspect, x, y)`: four (B,) -> (B, 4), middle x, y and half width
    and height, as in `draw`.
    """
    (many,) = distinct(1, 5, 9)
    for count in (many, None, 1, 4):  # of 4 the two axes of the result are equal
        dice = dealt(count)
        batch = len(dice[0])
        case = f"{batch} image{'s' * (batch > 1)}"
        got = ask(answer, *dice, expected="a tensor of shape (B, 4)", case=case)
        want = boxed(*dice)
        wrong = wrong_boxes(dice, want)
        name_the_box(got, want, wrong, dice)
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


# ---- a flip that moves mask and label


SWAPPED = torch.tensor([STACKS.index((below, above)) for above, below in STACKS])

ADVICE = (
    "clone it first, or choose with torch.where (images[flips] = ... writes into what"
    " you were given)"
)


def turned(values: Tensor, flips: Tensor) -> Tensor:
    return torch.where(flips[:, None, None, None], values.flip(-2), values)


TURNS = {
    "the {what} stand as they stood: move them with the rest": lambda values: values,
    "all {what} are upside down: only those that flips marks": lambda values: (
        values.flip(-2)
    ),
    "the wrong {what} are upside down: True means flip": lambda values, flips: turned(
        values, ~flips
    ),
    "the {what} are mirrored left to right: rows are dim -2, columns dim"
    " -1": lambda chosen, values: torch.where(chosen, values.flip(-1), values),
    "all {what} are mirrored left to right: flip rows, dim -2, and only where flips"
    " says so": lambda values: values.flip(-1),
    "the {what} are turned by half a circle: flip their rows alone, dim"
    " -2": lambda chosen, values: torch.where(chosen, values.flip(-2, -1), values),
    "the channels of the {what} changed places: rows are dim"
    " -2": lambda chosen, values: torch.where(chosen, values.flip(1), values),
    "the {what} of the batch changed places: rows are dim -2": lambda values: (
        values.flip(0)
    ),
    "only the {what} that were flipped are left: keep the others, in their"
    " places": lambda values, flips: values.flip(-2)[flips],
    "the {what} that were flipped stand first: keep all in their"
    " places": lambda values, flips: torch.cat(
        [values.flip(-2)[flips], values[~flips]]
    ),
    "only the first plane of the {what} is turned: all along axis 1 go with"
    " it": lambda values, flips: torch.cat(
        [turned(values, flips)[:, :1], values[:, 1:]], dim=1
    ),
}


def wrong_turns(values: Tensor, flips: Tensor, what: str) -> dict[str, Tensor]:
    """What the usual mistakes make of images or masks (B, C, Y, X): sentence ->
    tensor.
    """
    chosen = flips[:, None, None, None]
    found = listed(TURNS, values=values, flips=flips, chosen=chosen)
    return {said.format(what=what): value for said, value in found.items()}


LABELS = {
    "the labels stayed: upside down, the lower texture is the upper one, and the class"
    " another": lambda labels: labels,
    "all labels moved: only those of the images that were flipped": lambda labels: (
        SWAPPED[labels]
    ),
    "the labels of the wrong images moved: True means flip": lambda flips, labels: (
        torch.where(flips, labels, SWAPPED[labels])
    ),
    "a twin upside down is the same twin: classes 8 and 9 keep their"
    " labels": lambda where, labels: where(labels ^ 1),
    "that reads the list of classes from its end: swap within a pair, (0, 1), (2, 3),"
    " (4, 5), (6, 7)": lambda where, labels: where(9 - labels),
    "each class became its successor: swap within a pair, there and"
    " back": lambda where, labels: where((labels + 1) % 10),
    "each class became the next: swap within a pair, there and"
    " back": lambda where, labels: where(labels + 1),
    "the labels changed places within the batch: swap the class, not the"
    " image": lambda labels: labels.flip(0),
    "these are the classes of all flipped images alone: keep the others, in their"
    " places": lambda labels, flips: SWAPPED[labels][flips],
}


def wrong_labels(labels: Tensor, flips: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of labels (B,): sentence -> tensor."""

    def where(new: Tensor) -> Tensor:
        return torch.where(flips, new, labels)

    return listed(LABELS, flips=flips, labels=labels, where=where)


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
    some = torch.randint(10, (extra,))
    none = torch.zeros(extra, dtype=torch.bool)
    for labels, flips, case in (
        (torch.arange(20) % 10, torch.arange(20) >= 10, "every class, flipped and not"),
        (torch.randint(8, (1,)), torch.tensor([True]), "one image"),
        (some, none, "a batch in which nothing is flipped"),
        (some, ~none, "a batch in which all are flipped"),
    ):
        order = torch.randperm(len(labels))
        size = (len(labels), channels, rows, columns)
        images = torch.randint(256, size, dtype=torch.uint8)
        masks = torch.rand(len(labels), kinds, rows, columns) < 0.5
        compare_turn(answer, images, masks, labels[order], flips[order], case)
    return "image, mask and label move together"


def compare_turn(
    answer: Callable,
    images: Tensor,
    masks: Tensor,
    labels: Tensor,
    flips: Tensor,
    case: str,
) -> None:
    """Raise NotSolved unless the three are turned where `flips` says so."""
    expected = "a triple of tensors (images, masks, labels)"
    inputs = (images, masks, labels, flips)
    got = ask(answer, *inputs, expected=expected, case=case, advice=ADVICE)
    in_their_order(answer, got, images, masks, labels)
    for mine, given, what in zip(got, inputs, ("images", "masks"), strict=False):
        mistakes = wrong_turns(given, flips, what)
        compare(answer, mine, turned(given, flips), mistakes, f"{what} of {case}")
    want = torch.where(flips, SWAPPED[labels], labels)
    compare(answer, got[2], want, wrong_labels(labels, flips), f"labels of {case}")
    ask(answer, *inputs, expected=expected, case=case, apart=True)


# ---- how far a CNN sees


def jumps(strides: list[int]) -> list[int]:
    """The pixels from one place to the next in the input of each layer, and after the
    last.
    """
    return [math.prod(strides[:layer]) for layer in range(len(strides) + 1)]


def widened(
    kernels: list[int], strides: list[int], grow: Callable[[int, int, int], int]
) -> int:
    """`grow(field, kernel, stride)` from 1, layer by layer in the order given."""
    field = 1
    for kernel, stride in zip(kernels, strides, strict=True):
        field = grow(field, kernel, stride)
    return field


def field_of(kernels: list[int], strides: list[int]) -> int:
    """How many pixels on a side one place after all layers has seen."""
    return 1 + sum(
        (kernel - 1) * jump
        for kernel, jump in zip(kernels, jumps(strides), strict=False)
    )


WRONG_FIELDS = {
    "strides do nothing here: after a stride of 2, neighbours stand 2 pixels"
    " apart": lambda k, s: 1 + sum(kernel - 1 for kernel in k),
    "a layer's own stride counts only for those after it: its kernel lies on the places"
    " before it": lambda k, s: (
        1
        + sum((kernel - 1) * jump for kernel, jump in zip(k, jumps(s)[1:], strict=True))
    ),
    "the pixel you start from is missing: a kernel of 1 sees 1": lambda k, s: (
        field_of(k, s) - 1
    ),
    "each layer adds kernel - 1 places, and you added kernel": lambda k, s: sum(
        kernel * jump for kernel, jump in zip(k, jumps(s), strict=False)
    ),
    "each layer adds kernel - 1 places, and you added kernel to the 1 you started"
    " from": lambda k, s: (
        1 + sum(kernel * jump for kernel, jump in zip(k, jumps(s), strict=False))
    ),
    "only the stride just before counts here: strides multiply from layer to"
    " layer": lambda k, s: (
        1 + sum((kernel - 1) * jump for kernel, jump in zip(k, [1, *s], strict=False))
    ),
    "each layer was spread by its own stride alone: those of all layers before it"
    " multiply": lambda k, s: (
        1 + sum((kernel - 1) * jump for kernel, jump in zip(k, s, strict=True))
    ),
    "strides add up here: two of 2 are 4 pixels, three are 8, so"
    " multiply": lambda k, s: (
        1 + sum((kernel - 1) * (1 + sum(s[:layer])) for layer, kernel in enumerate(k))
    ),
    "kernels do not multiply: each adds kernel - 1 places": lambda k, s: math.prod(k),
    "that is the distance between neighbours at the end, the product of the"
    " strides": lambda k, s: math.prod(s),
    "kernel times stride, multiplied through, counts pixels that nobody"
    " sees": lambda k, s: math.prod(
        kernel * stride for kernel, stride in zip(k, s, strict=True)
    ),
    "the layers count from the wrong end: both lists begin with the first layer; with"
    " seen += (kernel - 1) * apart go from the first to the last, with field = (field -"
    " 1) * stride + kernel from the last to the first": lambda k, s: field_of(
        k[::-1], s[::-1]
    ),
    "n places lie n - 1 steps apart: (field - 1) * stride + kernel": lambda k, s: (
        widened(k[::-1], s[::-1], lambda field, kernel, stride: field * stride + kernel)
    ),
    "that is how far it sees to one side: both sides and the pixel itself are asked"
    " for": lambda k, s: (field_of(k, s) - 1) // 2,
    "one side is asked for, this is the area": lambda k, s: field_of(k, s) ** 2,
    "one pixel too many: the first kernel sees kernel pixels, not kernel"
    " + 1": lambda k, s: field_of(k, s) + 1,
    "the last layer is missing": lambda k, s: field_of(k[:-1], s[:-1]),
    "the first layer is missing": lambda k, s: field_of(k[1:], s[1:]),
    "the kernels are added: each adds kernel - 1 places, as far apart as the strides"
    " before have put them": lambda k, s: sum(k),
    "the kernels come from the last layer, the strides from the first: both lists begin"
    " with the first layer": lambda k, s: field_of(k[::-1], s),
    "the strides come from the last layer, the kernels from the first: both lists begin"
    " with the first layer": lambda k, s: field_of(k, s[::-1]),
    "the first kernel is right, and each later layer was spread by its own stride:"
    " those before it multiply": lambda k, s: (
        k[0]
        + sum(
            (kernel - 1) * stride for kernel, stride in zip(k[1:], s[1:], strict=True)
        )
    ),
    "all kernels count: here each is as large as the first": lambda k, s: field_of(
        [k[0]] * len(k), s
    ),
    "all strides count: here each is as large as the first": lambda k, s: field_of(
        k, [s[0]] * len(s)
    ),
    "only the first layer was counted": lambda k, s: k[0],
    "only the last layer was counted": lambda k, s: k[-1],
}


@checked
def field(answer: Callable) -> str:
    """`my_field(kernels, strides)` -> how many pixels on a side one place has seen
    after these convolutions.
    """
    stacks = [([3, 3, 3, 3], [2, 2, 2, 2]), ([1], [3]), ([16], [16])]
    for layers in (2, 3, 3, 4, 5):
        # none larger than its kernel, or pixels between those seen would be skipped
        strides = distinct(layers, 1, 6)
        stacks.append(
            (
                [max(2, stride + int(torch.randint(0, 4, ()))) for stride in strides],
                strides,
            )
        )
    found = []
    for kernels, strides in stacks:
        got = ask(answer, kernels, strides, expected="a whole number of pixels")
        found.append(
            whole(
                answer,
                got,
                "a number of pixels is an int: begin with 1, not 1.0, and divide"
                " with //",
            )
        )
    wanted = [field_of(*stack) for stack in stacks]
    name_mistake(found, wanted, lambda: for_each(stacks, WRONG_FIELDS))
    for (kernels, strides), got, want in zip(stacks, found, wanted, strict=True):
        if got != want:
            raise NotSolved(
                f"{called(answer)} returned {got} for kernels {kernels} and strides"
                f" {strides}, expected {want}"
            )
    return (
        f"{len(stacks)} stacks of convolutions; that of this chapter sees {wanted[0]}"
        " pixels"
    )
