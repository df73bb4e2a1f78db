"""Checks of chapter 01: images cut into patches, and the patch that holds a pixel."""

from collections.abc import Callable
from itertools import permutations

import torch
from einops import rearrange
from torch import Tensor

from vit_tutorial import patches
from vit_tutorial.checks.harness import (
    AND,
    NotSolved,
    Watching,
    ask,
    called,
    checked,
    compare,
    compare_gradients,
    distinct,
    for_each,
    listed,
    name_mistake,
    whole,
)

COLUMNS_FIRST = "the patches stand column after column, not row after row"
MIRRORED = (
    "the two axes inside a patch are swapped, so each patch is mirrored along its"
    " diagonal"
)
CHANNEL_FIRST = (
    "inside a patch the channel is not the last axis but the first: red, green and blue"
    " of a pixel lie far apart"
)
CHANNEL_BETWEEN = (
    "inside a patch the channel is not the last axis: it stands between the rows and"
    " the columns"
)
SPLIT = "a side splits into (patches, pixels of a patch), in this order"
UPRIGHT = (
    "each patch is a column of the result: the axis of patches comes before the axis of"
    " their values"
)
PATCHES = "a tensor of shape (B, N, P*P*C)"
NOT_FLAT = "a patch is not flat yet: merge its last three axes, (P, P, C), into one"
GRID = (
    "the patches are still a grid: merge its rows and columns into one axis of N"
    " patches"
)


def disorders(source: Tensor, axes: str, **sizes: int) -> dict[str, Tensor]:
    """What wrong orders make of `source`, whose axes are `axes` (y x p1 p2 c, perhaps
    b): sentence -> patches.
    """
    found = {}
    batch = "b" if "b" in axes else ""
    for outer in ("y x", "x y"):
        for inner in permutations(("p1", "p2", "c")):
            faults = {
                COLUMNS_FIRST: outer == "x y",
                MIRRORED: inner.index("p1") > inner.index("p2"),
                CHANNEL_FIRST: inner[0] == "c",
                CHANNEL_BETWEEN: inner[1] == "c",
                SPLIT: "(p1 y)" in axes,
            }
            if any(faults.values()):
                said = ", and ".join(fault for fault, there in faults.items() if there)
                found[said] = rearrange(
                    source, f"{axes} -> {batch} ({outer}) ({' '.join(inner)})", **sizes
                )
    return found


CUTS = {
    "reshape moves no value, it rules new lines through memory: split Y and X, move the"
    " axes, then merge": lambda images, want: images.reshape(want.shape),
    "the channel is last, but each patch is a run of pixels in reading order: split Y"
    " and X, each for itself": lambda images, want: images.movedim(1, -1).reshape(
        want.shape
    ),
    "the channel still stands before the patches: bring it behind the axes of a patch,"
    " then merge": lambda images, side, want: rearrange(
        images, "b c (y p1) (x p2) -> b (c y x p1 p2)", p1=side, p2=side
    ).reshape(want.shape),
    "the axes inside a patch stand before those of the grid: (B, y, x, P, P, C) is the"
    " order to merge": lambda images, side, want: rearrange(
        images, "b c (y p1) (x p2) -> b (p1 p2 y x c)", p1=side, p2=side
    ).reshape(want.shape),
    "the batch comes first, then the patches, (B, N, P*P*C)": lambda want: (
        want.transpose(0, 1)
    ),
    "the batch is merged into the patches, (B*N, P*P*C): keep B as the first"
    " axis": lambda want: want.flatten(0, 1),
    "only one image of the batch is left: keep B as the first axis": lambda want: want[
        0
    ],
    UPRIGHT: lambda want: want.mT,
    f"{UPRIGHT}, and {CHANNEL_FIRST}": lambda images, side: rearrange(
        images, "b c (y p1) (x p2) -> b (c p1 p2) (y x)", p1=side, p2=side
    ),
    NOT_FLAT: lambda want, side, channels: want.unflatten(2, (side, side, channels)),
    GRID: lambda want, grid: want.unflatten(1, grid),
}


def wrong_cuts(images: Tensor, side: int, want: Tensor) -> dict[str, Tensor]:
    """What the usual mistakes make of `images`: sentence -> patches."""
    batch, channels, rows, columns = images.shape
    lost = "the axis of the batch is gone: one image is a batch too, (1, N, P*P*C)"
    drawn = {"images": images, "side": side, "want": want, "channels": channels}
    return (
        ({lost: want[0]} if batch == 1 else {})
        | listed(CUTS, grid=(rows // side, columns // side), **drawn)
        | disorders(images, "b c (y p1) (x p2)", p1=side, p2=side)
        | disorders(images, "b c (p1 y) (p2 x)", p1=side, p2=side)
    )


@checked
def patchify(answer: Callable) -> str:
    """`my_patchify(images, patch_size)`: (B, C, Y, X) -> (B, N, P*P*C), row by row,
    channel last.
    """
    # 3 channels are a habit
    many, colours, rows, columns, side = (
        size for size in distinct(6, 2, 7) if size != 3
    )
    for batch, channels, *grid, square, told in (
        (many, colours, rows, columns, side, True),
        (1, colours, columns, rows, many, True),
        (many, 1, rows, columns, colours, True),
        (many, colours, 1, 1, colours, False),  # one patch
        (many, colours, rows, columns, 1, False),  # pixels as patches
    ):
        images = torch.randn(batch, channels, *(count * square for count in grid))
        case = f"images of shape {tuple(images.shape)} and patch_size {square}"
        want = patches.patchify(images, square)
        got = ask(answer, images, square, expected=PATCHES, case=case)
        mistakes = wrong_cuts(images, square, want) if told else None
        compare(answer, got, want, mistakes, case)
        if channels == 1:
            keeps_type(answer, images, want, square)
    batches = [torch.randn(many, colours, size, size) for size in (2, 12)]
    without_a_loop(answer, *batches, side=2)
    images.requires_grad_()
    case = "images that ask for a gradient"
    got = ask(answer, images, 1, expected=PATCHES, case=case)
    want = patches.patchify(images, 1)
    compare(answer, got, want)
    compare_gradients(answer, got, want, {"images": images})
    return f"{want.shape[1]} patches an image, every value where walking puts it"


def without_a_loop(answer: Callable, *batches: Tensor, side: int) -> None:
    """Raise NotSolved where the answer takes more steps for images of more patches."""
    steps = []
    for images in batches:
        with Watching() as watching:
            ask(
                answer,
                images,
                side,
                expected="a tensor",
                case=f"images of shape {tuple(images.shape)}",
            )
        steps.append(len(watching.seen))
    if steps[0] < steps[-1]:
        raise NotSolved(
            "the patches are right, but you walk from one to the next: cut all at once,"
            " without a loop; split Y and X, move the axes, then merge"
        )


def keeps_type(answer: Callable, images: Tensor, want: Tensor, *sizes: int) -> None:
    """Raise NotSolved unless the answer keeps the type of numbers: of float64, and of
    bytes where it takes them.
    """
    compare(
        answer,
        ask(
            answer, images.double(), *sizes, expected="a tensor", case="float64 images"
        ),
        want.double(),
    )
    shades = (
        torch.arange(images.numel())
        .remainder(256)
        .to(torch.uint8)
        .reshape(images.shape)
    )
    try:
        got = answer(shades, *sizes)
    except Exception:  # F.unfold, for one, takes no bytes
        return
    if not isinstance(got, Tensor) or got.dtype != torch.uint8:
        kind = getattr(got, "dtype", type(got).__name__)
        raise NotSolved(
            f"{called(answer)} returned {kind} for images of bytes, expected"
            " torch.uint8, the type of its input"
        )


WRONG_PLACES = {
    "a row of the grid holds columns // patch_size patches, and this counts one for"
    " each row above": lambda y, x, columns, side: y // side + x // side,
    "a row of the grid was counted in pixels: it holds columns // patch_size"
    " patches": lambda y, x, columns, side: y // side * columns + x // side,
    "y and x are swapped: y counts rows downwards, x columns to the"
    " right": lambda y, x, columns, side: x // side * (columns // side) + y // side,
    "this is the pixel's own number, the number of its patch is asked"
    " for": lambda y, x, columns, side: y * columns + x,
    "the pixels before it fill this many patches, but a patch is a square and no run of"
    " pixels": lambda y, x, columns, side: (y * columns + x) // side**2,
    "this counts from 1, and the first patch is number 0": lambda y, x, columns, side: (
        y // side * (columns // side) + x // side + 1
    ),
    "row and column are whole before you put them together: divide each with //, not"
    " their sum": lambda y, x, columns, side: int(
        y / side * (columns // side) + x / side
    ),
    "only the column of the patch: the rows of patches above it are"
    " missing": lambda y, x, columns, side: x // side,
    "only the row of the patch: the patches to its left are"
    " missing": lambda y, x, columns, side: y // side,
    "this is the pixel's place inside its patch, the patch's place in the sequence is"
    " asked for": lambda y, x, columns, side: y % side * side + x % side,
}


@checked
def which_patch(answer: Callable) -> str:
    """`patch_of(y, x, columns, patch_size)`: the index in the sequence of the patch
    that holds pixel (y, x).
    """
    places = []
    found = []
    name = called(answer)
    for _ in range(20):
        side, rows, columns = distinct(3, 4, 12)
        y, x = (int(torch.randint(count * side, ())) for count in (rows, columns))
        places.append((y, x, columns * side, side))
    side, rows, columns = distinct(3, 2, 12)
    first = (0, 0)
    last = (rows * side - 1, columns * side - 1)
    # pixels, and a column, as patches
    for wide, square in ((columns * side, side), (columns, 1), (side, side)):
        places += [
            (*first, wide, square),
            (last[0], min(last[1], wide - 1), wide, square),
        ]
    for place in places:
        got = ask(answer, *place, expected="the index of the patch")
        if isinstance(got, tuple | list):
            raise NotSolved(
                f"{name} returned {got}, one whole number was expected: row and column"
                " make one index"
            )
        found.append(whole(answer, got, "an index is an int, divide with //"))
    wanted = [
        y // side * (columns // side) + x // side for y, x, columns, side in places
    ]
    name_mistake(found, wanted, lambda: for_each(places, WRONG_PLACES))
    for (y, x, columns, side), index, want in zip(places, found, wanted, strict=True):
        if index != want:
            asked = f"y={y}, x={x}, columns={columns}, patch_size={side}"
            raise NotSolved(f"{name} returned {index} for {asked}, expected {want}")
    return f"{len(places)} pixels, each in its patch"


SQUARES = "c y x p1 p2 -> (y x) (p1 p2 c)"


def windows(image: Tensor, side: int, stride: int) -> Tensor:
    """A square every `stride` pixels: (C, Y, X) -> (C, y, x, P, P)."""
    return image.unfold(1, side, stride).unfold(2, side, stride)


SQUARE_MISTAKES = {
    "the squares lie side by side: from one left edge to the next are stride pixels,"
    " not patch_size": lambda image, side: rearrange(
        windows(image, side, side), SQUARES
    ),
    "stride is the step from one square to the next, not how far two of them"
    " overlap": lambda image, side, stride: rearrange(
        windows(image, side, max(side - stride, 1)), SQUARES
    ),
    "patch_size and stride are swapped": lambda image, stride, side: rearrange(
        windows(image, stride, side), SQUARES
    ),
    "the last row and column of squares are missing: the last edge that fits is Y -"
    " patch_size itself": lambda seen: rearrange(seen[:, :-1, :-1], SQUARES),
    "one image goes in, so no batch comes out: drop the first axis": lambda want: want[
        None
    ],
    f"drop the first axis, no batch comes out{AND}{CHANNEL_FIRST}": lambda seen: (
        rearrange(seen, "c y x p1 p2 -> 1 (y x) (c p1 p2)")
    ),
    "reshape moves no value: bring the channel behind the axes of the square first,"
    " then merge": lambda seen, want: seen.reshape(want.shape),
    UPRIGHT: lambda want: want.mT,
    f"{UPRIGHT}, and {CHANNEL_FIRST}": lambda seen: rearrange(
        seen, "c y x p1 p2 -> (c p1 p2) (y x)"
    ),
    NOT_FLAT: lambda want, side, image: want.unflatten(1, (side, side, len(image))),
    GRID: lambda want, seen: want.unflatten(0, seen.shape[1:3]),
}


def wrong_squares(
    image: Tensor, side: int, stride: int, want: Tensor
) -> dict[str, Tensor]:
    """What the usual mistakes make of `image`: sentence -> patches."""
    seen = windows(image, side, stride)
    drawn = {"image": image, "seen": seen, "side": side, "stride": stride, "want": want}
    return listed(SQUARE_MISTAKES, **drawn) | disorders(seen, "c y x p1 p2")


@checked
def overlap(answer: Callable) -> str:
    """`overlapping(image, patch_size, stride)`: (C, Y, X) -> (N, P*P*C), a square every
    `stride` pixels.
    """
    rows, columns, colours, side = distinct(4, 5, 8)
    expected = "a tensor of shape (N, P*P*C)"
    sizes = (
        (colours, side - 2, 0, rows, columns, side),
        (1, 2, 1, columns, rows, colours),
        (colours, side, 0, rows, columns, side),
        (colours, side + 2, 1, 2, 3, side),  # gaps between the squares
        (colours, 1, 0, 1, 1, side),  # one square
    )
    for channels, stride, rest, *grid, side in sizes:
        pixels = [side + stride * (count - 1) + rest for count in grid]
        image = torch.randn(channels, *pixels)
        size = tuple(image.shape)
        case = f"an image of shape {size}, patch_size {side} and stride {stride}"
        want = rearrange(windows(image, side, stride), SQUARES)
        got = ask(answer, image, side, stride, expected=expected, case=case)
        compare(answer, got, want, wrong_squares(image, side, stride, want), case)
    keeps_type(answer, image, want, side, stride)
    image.requires_grad_()
    case = "an image that asks for a gradient"
    got = ask(answer, image, side, stride, expected=expected, case=case)
    want = rearrange(windows(image, side, stride), SQUARES)
    compare(answer, got, want)
    compare_gradients(answer, got, want, {"image": image})
    return "every square that fits, row by row"
