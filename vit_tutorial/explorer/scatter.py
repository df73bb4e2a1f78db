"""Points in the plane, coloured by class, that a reader points at to see the image
behind each.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from vit_tutorial.explorer.html import base64_text
from vit_tutorial.explorer.output import Output, piece, png
from vit_tutorial.fonts import literal
from vit_tutorial.plots import (
    CLASS_TOKEN,
    HEAD,
    KEY,
    OTHERS,
    QUERY,
    RESIDUAL,
    VALUE,
    WIDTH,
    picture,
)

THUMB = 48  # pixels of a thumbnail's longer side: at 32 the tiles of stacks are grey
# at half the resolution for colours, the default, they lose theirs
JPEG = {"quality": 50, "subsampling": 0}
MOST_POINTS = 2000  # of more, a drawing of nodes lags behind the pointer
# a class has the next colour and the next marker: as 8 and 5 have no common divisor,
# the first 40 differ
COLOURS = (
    QUERY,
    CLASS_TOKEN,
    KEY,
    VALUE,
    *OTHERS,
    RESIDUAL,
    HEAD,
)
MARKERS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "X"}
MOST_CLASSES = len(COLOURS) * len(MARKERS)


def scatter(
    places: Tensor | np.ndarray,
    labels: Tensor | Sequence[int],
    classes: Sequence[str],
    images: Tensor | None = None,
    title: str = "",
) -> Output:
    """Points at `places` (n, 2) of the classes `labels` (n,), which number `classes`; a
    reader points at one, or walks with the arrow keys, and sees its class and image.

    Both axes have one unit, so distances can be compared. `images` (n, 3, Y, X), uint8,
    become thumbnails of at most 48 pixels a side. Raises ValueError for numbers that
    differ, other shapes or types, places that are not finite, labels outside the
    classes, no points or more than 2000, and more than 40 classes.
    """
    points, numbers = _check(places, labels, classes, images)
    names = [str(name) for name in classes]
    data = {
        "title": title,
        "places": within(points).numpy().round(4).tolist(),
        "labels": numbers.tolist(),
        "classes": names,
        "looks": looks(len(names)),
        "sheet": None if images is None else sheet(images),
    }
    html = piece("scatter", data, "The points need JavaScript to be pointed at.")
    figure = _figure(points, numbers, names, title)
    said = f"scatter({len(points)} points of {len(names)} classes)"
    return Output(html, png(figure), said)


def looks(count: int) -> list[tuple[str, str]]:
    """Colour and marker of each of so many classes, no two alike."""
    markers = list(MARKERS)
    return [
        (COLOURS[at % len(COLOURS)], markers[at % len(markers)]) for at in range(count)
    ]


def within(points: Tensor) -> Tensor:
    """Points (n, 2) moved into the unit square's middle: the longer extent from 0 to 1,
    the other in the same unit.
    """
    low = points.amin(dim=0)
    high = points.amax(dim=0)
    span = (high - low).max()
    return 0.5 + (points - (low + high) / 2) / torch.where(span > 0, span, 1)


def sheet(images: Tensor) -> dict[str, Any]:
    """Thumbnails of images (n, 3, Y, X) side by side in one image, in rows of
    `columns`: a PNG, or a JPEG where that is smaller.
    """
    thumbs = []
    for image in images.detach().cpu():
        thumb = Image.fromarray(picture(image))
        thumb.thumbnail((THUMB, THUMB), Image.Resampling.LANCZOS)
        thumbs.append(thumb)
    width, height = thumbs[0].size
    columns = round(len(thumbs) ** 0.5)
    whole = Image.new("RGB", (columns * width, -(-len(thumbs) // columns) * height))
    for at, thumb in enumerate(thumbs):
        row, column = divmod(at, columns)
        whole.paste(thumb, (column * width, row * height))
    packed = {"png": _packed(whole, "png"), "jpeg": _packed(whole, "jpeg", **JPEG)}
    kind = min(packed, key=lambda kind: len(packed[kind]))
    return {
        "address": f"data:image/{kind};base64,{base64_text(packed[kind])}",
        "columns": columns,
        "size": [height, width],
    }


def _packed(image: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, format=kind, optimize=True, **options)
    return file.getvalue()


def _check(
    places: Tensor | np.ndarray,
    labels: Tensor | Sequence[int],
    classes: Sequence[str],
    images: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """The places as (n, 2) in double precision, and the labels (n,), on the CPU."""
    points = _tensor("places", places)
    numbers = _tensor("labels", labels)
    count = len(points) if points.ndim else 0
    if points.shape != (count, 2) or not 1 <= count <= MOST_POINTS:
        raise ValueError(
            f"places are {tuple(points.shape)}, expected (n, 2) with n from 1 to"
            f" {MOST_POINTS}"
        )
    if points.is_complex() or not points.isfinite().all():
        raise ValueError("places are not finite numbers, expected two per point")
    whole = numbers.dtype not in (torch.bool, torch.complex64, torch.complex128)
    if numbers.is_floating_point() or not whole or numbers.ndim != 1:
        raise ValueError(
            f"labels are {tuple(numbers.shape)} of {numbers.dtype}, expected whole"
            " numbers (n,)"
        )
    if len(numbers) != count:
        raise ValueError(f"{len(numbers)} labels, expected {count}, one per point")
    if not 1 <= len(classes) <= MOST_CLASSES:
        raise ValueError(f"{len(classes)} classes, expected 1 to {MOST_CLASSES}")
    low = int(numbers.min())
    high = int(numbers.max())
    if low < 0 or high >= len(classes):
        raise ValueError(
            f"labels run from {low} to {high}, expected 0 to {len(classes) - 1}"
        )
    if images is not None:
        _check_images(images, count)
    return points.double(), numbers.long()


def _tensor(name: str, values: Any) -> Tensor:
    try:
        return torch.as_tensor(values).detach().cpu()
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"{name} are a {type(values).__name__}, expected a tensor of numbers"
        ) from None


def _check_images(images: Tensor, count: int) -> None:
    if not isinstance(images, Tensor):
        raise ValueError(
            f"images are a {type(images).__name__}, expected a tensor (n, 3, Y, X)"
        )
    if images.dtype != torch.uint8:
        raise ValueError(f"images are of {images.dtype}, expected uint8")
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
        raise ValueError(f"images are {tuple(images.shape)}, expected (n, 3, Y, X)")
    if len(images) != count:
        raise ValueError(f"{len(images)} images, expected {count}, one per point")


def _figure(points: Tensor, labels: Tensor, names: list[str], title: str) -> Figure:
    """The points by class, with a legend."""
    figure = Figure(
        figsize=(WIDTH, 5), dpi=110, layout="constrained", facecolor="white"
    )
    axis = figure.subplots()
    for at, (colour, marker) in enumerate(looks(len(names))):
        x, y = points[labels == at].T.numpy()
        axis.scatter(
            x,
            y,
            s=26,
            c=colour,
            marker=MARKERS[marker],
            edgecolors="#24292F",
            linewidths=0.5,
            label=literal(names[at]),
        )
    axis.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
    axis.set_title(literal(title))
    figure.legend(loc="outside right upper", frameon=False)
    return figure
