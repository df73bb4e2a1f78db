"""The checks of chapter 07: a crop that stays inside, a flip that moves mask and label, and how far a CNN sees."""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from vit_tutorial.checks.core import NotSolved, ask, called, checked, compare, distinct
from vit_tutorial.checks.slips import slips
from vit_tutorial.checks.training import as_number
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
}
WRONG_ORDERS = {
    "across comes first: x, y, width, height": (DOWN, ACROSS, HEIGHT, WIDTH),
    "the middles are swapped: x first, then y": (DOWN, ACROSS, WIDTH, HEIGHT),
    "the sizes are swapped: width first, then height": (ACROSS, DOWN, HEIGHT, WIDTH),
    "the middle comes first, then the size: x, y, width, height": (WIDTH, HEIGHT, ACROSS, DOWN),
    "across and down take turns: x, y, width, height": (ACROSS, WIDTH, DOWN, HEIGHT),
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
    order: Sequence[int] = range(4),
) -> Tensor:
    """Boxes (B, 4); the last three arguments are the places where one may slip."""
    width, height = size(area, aspect)
    values = [middle(across, width), middle(down, height), width, height]
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
            "corners are not asked for: the middle, then half the width and height": torch.stack(
                [x - width, y - height, x + width, y + height], dim=1
            ),
            "every image got the box of the first one: draw for each its own": want[:1].expand(batch, 4),
        }
        wrong = {"size": WRONG_SIZES, "middle": WRONG_MIDDLES, "order": WRONG_ORDERS}
        got = ask(answer, area, aspect, across, down, expected="a tensor of shape (B, 4)", case=f"{batch} images")
        compare(answer, got, want, mistakes | slips(form, wrong), f"{batch} images")
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
        got = ask(answer, images, masks, labels, flips, expected="three tensors: images, masks, labels", case=case)
        if not isinstance(got, tuple | list) or len(got) != 3:
            found = f"{len(got)} values" if isinstance(got, tuple | list) else f"a {type(got).__name__}"
            raise NotSolved(f"{called(answer)} returned {found}, three tensors were expected: images, masks, labels")
        compare(answer, got[0], turned(images, flips), wrong_turns(images, flips, "images"), f"images of {case}")
        compare(answer, got[1], turned(masks, flips), wrong_turns(masks, flips, "masks"), f"masks of {case}")
        want = torch.where(flips, SWAPPED[labels], labels)
        compare(answer, got[2], want, wrong_labels(labels, flips), f"labels of {case}")
    return "image, mask and label move together"


def jumps(strides: list[int]) -> list[int]:
    """The pixels from one place to the next in the input of each layer, and after the last."""
    return [math.prod(strides[:layer]) for layer in range(len(strides) + 1)]


def widened(kernels: list[int], strides: list[int], grow: Callable[[int, int, int], int], start: int = 1) -> int:
    """`grow(field, kernel, stride)` from `start`, layer by layer in the order given."""
    field = start
    for kernel, stride in zip(kernels, strides, strict=True):
        field = grow(field, kernel, stride)
    return field


def field_of(kernels: list[int], strides: list[int]) -> int:
    """How many pixels on a side one place after all layers has seen."""
    return 1 + sum((kernel - 1) * jump for kernel, jump in zip(kernels, jumps(strides), strict=False))


WRONG_FIELDS = {
    "strides do nothing here: after a stride of 2, neighbours stand 2 pixels apart": (
        lambda k, s: 1 + sum(kernel - 1 for kernel in k)
    ),
    "a layer's own stride counts only for those after it: its kernel lies on the places before it": (
        lambda k, s: 1 + sum((kernel - 1) * jump for kernel, jump in zip(k, jumps(s)[1:], strict=True))
    ),
    "the pixel you start from is missing: a kernel of 1 sees 1": lambda k, s: field_of(k, s) - 1,
    "each layer adds kernel - 1 places, and you added kernel": (
        lambda k, s: sum(kernel * jump for kernel, jump in zip(k, jumps(s), strict=False))
    ),
    "each layer adds kernel - 1 places, and you added kernel to the 1 you started from": (
        lambda k, s: 1 + sum(kernel * jump for kernel, jump in zip(k, jumps(s), strict=False))
    ),
    "only the stride just before counts here: strides multiply from layer to layer": (
        lambda k, s: 1 + sum((kernel - 1) * jump for kernel, jump in zip(k, [1, *s], strict=False))
    ),
    "each layer was spread by its own stride alone: those of all layers before it multiply": (
        lambda k, s: 1 + sum((kernel - 1) * jump for kernel, jump in zip(k, s, strict=True))
    ),
    "strides add up here: two of 2 are 4 pixels, three are 8, so multiply": (
        lambda k, s: 1 + sum((kernel - 1) * (1 + sum(s[:layer])) for layer, kernel in enumerate(k))
    ),
    "kernels do not multiply: each adds kernel - 1 places": lambda k, s: math.prod(k),
    "that is the distance between neighbours at the end, the product of the strides": lambda k, s: math.prod(s),
    "kernel times stride, multiplied through, counts pixels that nobody sees": (
        lambda k, s: math.prod(kernel * stride for kernel, stride in zip(k, s, strict=True))
    ),
    "you went through the layers from the first: with field = (field - 1) * stride + kernel start at the last": (
        lambda k, s: widened(k, s, lambda field, kernel, stride: (field - 1) * stride + kernel)
    ),
    "n places lie n - 1 steps apart: (field - 1) * stride + kernel": (
        lambda k, s: widened(k[::-1], s[::-1], lambda field, kernel, stride: field * stride + kernel)
    ),
    "that is how far it sees to one side: both sides and the pixel itself are asked for": (
        lambda k, s: (field_of(k, s) - 1) // 2
    ),
    "only the first layer was counted": lambda k, s: k[0],
    "only the last layer was counted": lambda k, s: k[-1],
}


@checked
def field(answer: Callable) -> str:
    """`my_field(kernels, strides)` -> how many pixels on a side one place has seen after these convolutions."""
    stacks = [([3, 3, 3, 3], [2, 2, 2, 2]), ([1], [3]), ([16], [16])]
    for layers in (2, 3, 3, 4, 5):
        stacks.append(([int(torch.randint(2, 8, ())) for _ in range(layers)], distinct(layers, 1, 6)))
    found = []
    for kernels, strides in stacks:
        got = ask(answer, list(kernels), list(strides), expected="a whole number of pixels")
        found.append(as_number(answer, got, "a whole number of pixels"))
    wanted = [field_of(*stack) for stack in stacks]
    for sentence, wrong in WRONG_FIELDS.items():
        if found != wanted and found == [wrong(*stack) for stack in stacks]:
            raise NotSolved(sentence)
    for (kernels, strides), got, want in zip(stacks, found, wanted, strict=True):
        if got != want:
            raise NotSolved(
                f"{called(answer)} returned {got:g} for kernels {kernels} and strides {strides}, expected {want}"
            )
    return f"{len(stacks)} stacks of convolutions; that of this chapter sees {wanted[0]} pixels"
