"""The diagrams' one visual language: what has which colour, the small picture, and the
small numbers.

A patch is its pixels; the class token is orange, a query blue, a key green, a value
pink, the residual stream grey; heads are tints of one violet; attention is in viridis.
"""

from collections.abc import Callable
from math import exp, sin

from matplotlib import colormaps, colors
from svg import FAINT, INK, PANEL, Drawing, Point, blend, tensor

from vit_tutorial.plots import HEAD, KEY, QUERY, RESIDUAL, VALUE

# units, of every drawing: text of 13 of them is still 10 pixels high on a phone
WIDTH = 460
STREAM = blend(RESIDUAL, 0.6)
ROLES = (QUERY, KEY, VALUE)
TINTS = {name: blend(colour, 0.55) for name, colour in zip("qkv", ROLES, strict=True)}
HEADS = [blend(HEAD, share) for share in (0.85, 0.62, 0.42, 0.24)]
VIRIDIS = [colors.to_hex(colour).upper() for colour in colormaps["viridis"].colors]

# pixels of the small picture and of its patches, and how many patches it has
SIDE = 12
PATCH = 4
N = 9
# where attention is drawn
T = 5
D = 12
H = 4
K = 3
Q_ROWS = [(2, 0, 1), (0, 2, 1), (1, 1, 0), (2, 2, -1), (-1, 1, 2)]
K_ROWS = [(1, 0, 1), (0, 2, 0), (2, -1, 1), (1, 1, 2), (-1, 1, 1)]


def pixel(row: int, column: int) -> str:
    """The small picture: a stack of two tiles, stripes above checks, as in the data of
    the book.
    """
    if 1 <= row < 11 and 4 <= column < 9:
        odd = column % 2 if row < 6 else (row + column) % 2
        return "#8C2D3F" if odd else "#F0DCC0"
    if (row - 8.5) ** 2 + (column - 1) ** 2 < 2.5:
        return "#E8B4A0"  # a disc as a decoy
    return blend("#3F6B7A", 0.45 + 0.02 * (row + column))


def patch_at(patch: int, row: int, column: int) -> str:
    """A pixel of a patch."""
    return pixel(
        patch // (SIDE // PATCH) * PATCH + row, patch % (SIDE // PATCH) * PATCH + column
    )


def flat_pixel(patch: int, place: int) -> str:
    """The same pixels, one after the other."""
    return patch_at(patch, *divmod(place, PATCH))


def first_row(first: str, others: str) -> Callable[[int, int], str]:
    return lambda row, column: first if row == 0 else others


def position_colour(row: int, column: int) -> str:
    """Waves down the columns: no two rows are the same."""
    return blend(INK, 0.36 + 0.24 * sin(row * 0.3 ** (column / 2) + column))


def scores(head: int = 0) -> list[list[int]]:
    """q k^T of the small numbers above; the heads differ in which query meets which
    key.
    """
    queries = [Q_ROWS[(token + 2 * head) % T] for token in range(T)]
    keys = [K_ROWS[(token * (head + 1) + head) % T] for token in range(T)]
    return [
        [sum(a * b for a, b in zip(q, k, strict=True)) for k in keys] for q in queries
    ]


def score_colour(row: int, column: int) -> str:
    return blend(INK, 0.2 + 0.1 * scores()[row][column])


def weights(head: int = 0) -> list[list[float]]:
    """softmax(q k^T / sqrt(K)), each row over the keys."""
    rows = [[exp(score / K**0.5) for score in row] for row in scores(head)]
    return [[value / sum(row) for value in row] for row in rows]


def attention_colour(head: int = 0) -> Callable[[int, int], str]:
    shares = weights(head)
    return lambda row, column: VIRIDIS[round(255 * shares[row][column])]


def step(drawing: Drawing, y: float, number: int, words: str) -> None:
    """The heading of a part: what happens here."""
    drawing.add("circle", cx=24, cy=y, r=9, fill=INK)
    drawing.text(24, y, str(number), 12, colour=PANEL, bold=True)
    drawing.text(40, y, words, 13, "start", bold=True)


def mark(drawing: Drawing, place: Point, size: Point) -> None:
    """Frame what belongs to one query."""
    drawing.rect(*place, *size, "none", PANEL, line=5)
    drawing.rect(*place, *size, "none", QUERY, line=2.5)


def scale(drawing: Drawing, place: Point) -> None:
    """The scale of attention, from 0 to 1."""
    x, y = place
    tensor(
        drawing,
        (x + 12, y),
        (1, 32),
        (4, 10),
        lambda row, column: VIRIDIS[8 * column + 4],
        edge="none",
        grid=False,
    )
    drawing.text(x + 2, y + 5, "0", 12, colour=FAINT)
    drawing.text(x + 150, y + 5, "1", 12, colour=FAINT)


def head_colour(row: int, column: int) -> str:
    return HEADS[column // K]
