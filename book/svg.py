"""Drawing in SVG: the shapes that the book's diagrams are made of, and the colours that
carry their meaning.

Text stays text. A light panel lies behind each drawing, so that it reads the same on a
dark page.
"""

from collections.abc import Callable, Sequence
from math import hypot
from xml.etree import ElementTree

INK = "#1F2328"
FAINT = "#57606A"
PANEL = "#FFFFFF"
EDGE = "#D0D7DE"
PAPER = "#F3F4F6"
SANS = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"
MONO = "Menlo, Consolas, DejaVu Sans Mono, Liberation Mono, monospace"
# how large a drawing stands on a wide page; a phone shrinks it to its own width
ZOOM = 1.25

Point = tuple[float, float]
Fill = str | Callable[[int, int], str]  # one colour, or the colour of a row and column


def blend(colour: str, share: float) -> str:
    """A tint: `share` of a colour (#RRGGBB), the rest white."""
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(
        f"{round(share * part + (1 - share) * 255):02X}" for part in parts
    )


class Drawing:
    """A drawing of `width` x `height` units, 13 of which are the height of a text; y
    runs downwards.
    """

    def __init__(self, title: str, description: str, width: int, height: int) -> None:
        self.root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {width} {height}",
                "width": f"{width * ZOOM:g}",
                "height": f"{height * ZOOM:g}",
                "role": "img",
                "aria-labelledby": "title desc",
                "font-family": SANS,
                "fill": INK,
            },
        )
        self.add("title", title, id="title")
        self.add("desc", description, id="desc")
        self.rect(0.5, 0.5, width - 1, height - 1, PANEL, EDGE, radius=10)

    def add(
        self, tag: str, words: str | None = None, **attributes: str | float
    ) -> None:
        """One more element; an underscore in the name of an attribute stands for a
        hyphen.
        """
        written = {
            name.replace("_", "-"): (
                value if isinstance(value, str) else f"{round(value, 2):g}"
            )
            for name, value in attributes.items()
        }
        ElementTree.SubElement(self.root, tag, written).text = words

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        edge: str = "none",
        radius: float = 0,
        line: float = 1,
    ) -> None:
        self.add(
            "rect",
            x=x,
            y=y,
            width=width,
            height=height,
            rx=radius,
            fill=fill,
            stroke=edge,
            stroke_width=line,
        )

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float = 13,
        anchor: str = "middle",
        colour: str = INK,
        bold: bool = False,
        code: bool = False,
    ) -> None:
        """Words in one line around the height `y`; names of tensors and sizes as
        `code`.
        """
        looks = ({"font_family": MONO} if code else {}) | (
            {"font_weight": "bold"} if bold else {}
        )
        self.add(
            "text",
            words,
            x=x,
            y=y + 0.35 * size,
            font_size=size,
            text_anchor=anchor,
            fill=colour,
            **looks,
        )

    def line(
        self, *points: Point, colour: str = INK, width: float = 1.5, head: bool = True
    ) -> None:
        """A line through points, with an arrow's head at its end."""
        if head:
            (x0, y0), (x1, y1) = points[-2:]
            size = 4 + 2 * width
            length = hypot(x1 - x0, y1 - y0)
            dx = size * (x1 - x0) / length
            dy = size * (y1 - y0) / length
            corners = [
                (x1, y1),
                (x1 - dx + dy / 2, y1 - dy - dx / 2),
                (x1 - dx - dy / 2, y1 - dy + dx / 2),
            ]
            self.add("polygon", points=listed(corners), fill=colour)
            points = (*points[:-1], (x1 - dx, y1 - dy))
        self.add(
            "polyline",
            points=listed(points),
            fill="none",
            stroke=colour,
            stroke_width=width,
        )

    def svg(self) -> str:
        """The text of the file, an element a line."""
        children = [
            ElementTree.tostring(child, encoding="unicode") for child in self.root
        ]
        # so that the first line is an opening tag, whatever comes after
        self.root.text = ""
        opening = ElementTree.tostring(self.root, encoding="unicode").partition(">")[0]
        return "\n".join([f"{opening}>", *children, "</svg>"]) + "\n"


def listed(points: Sequence[Point]) -> str:
    return " ".join(f"{round(x, 2):g},{round(y, 2):g}" for x, y in points)


def tensor(
    drawing: Drawing,
    place: Point,
    shape: tuple[int, int],
    cell: Point,
    fill: Fill,
    left: str = "",
    top: str = "",
    name: str = "",
    edge: str = FAINT,
    grid: bool = True,
) -> Point:
    """A rectangle of cells at its upper left corner `place`, its sides labelled and its
    name below.

    Returns its lower right corner.
    """
    x, y = place
    rows, columns = shape
    across, down = cell
    cells: dict[str, list[str]] = {}  # by colour, so that each colour is one path
    for row in range(rows):
        for column in range(columns):
            colour = fill if isinstance(fill, str) else fill(row, column)
            corner = f"M{x + column * across:g} {y + row * down:g}"
            cells.setdefault(colour, []).append(
                f"{corner}h{across:g}v{down:g}h{-across:g}z"
            )
    for colour, squares in cells.items():
        drawing.add(
            "path", d="".join(squares), fill=colour, shape_rendering="crispEdges"
        )
    width = columns * across
    height = rows * down
    if grid:
        lines = [f"M{x:g} {y + row * down:g}h{width:g}" for row in range(1, rows)]
        lines += [
            f"M{x + column * across:g} {y:g}v{height:g}" for column in range(1, columns)
        ]
        drawing.add("path", d="".join(lines), stroke=PANEL, stroke_width=1)
    drawing.rect(x, y, width, height, "none", edge, line=1.3)
    if left:
        drawing.text(x - 6, y + height / 2, left, 12, "end", FAINT, code=True)
    if top:
        drawing.text(x + width / 2, y - 9, top, 12, colour=FAINT, code=True)
    if name:
        drawing.text(x + width / 2, y + height + 13, name, 13)
    return x + width, y + height


def box(
    drawing: Drawing,
    middle: Point,
    size: Point,
    words: str,
    fill: str = PANEL,
    stripes: Sequence[str] = (),
) -> None:
    """A layer: a named box. Attention wears the colours of its query, key and value as
    stripes.
    """
    x, y = middle
    width, height = size
    drawing.rect(
        x - width / 2, y - height / 2, width, height, fill, INK, radius=5, line=1.3
    )
    for at, colour in enumerate(stripes):
        drawing.rect(
            x - width / 2 + 6 + 6 * at,
            y - height / 2 + 6,
            4,
            height - 12,
            colour,
            radius=1.5,
        )
    if words:
        drawing.text(x + 9 * bool(stripes), y, words)


def plus(drawing: Drawing, x: float, y: float) -> None:
    """Where two tensors are added."""
    drawing.add("circle", cx=x, cy=y, r=9, fill=PANEL, stroke=INK, stroke_width=1.3)
    drawing.add(
        "path",
        d=f"M{x - 5:g} {y:g}h10M{x:g} {y - 5:g}v10",
        stroke=INK,
        stroke_width=1.5,
    )
