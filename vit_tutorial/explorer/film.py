"""A film: pictures of one thing as it changes, a slider and a button to play them."""

import io
from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from vit_tutorial.explorer.html import base64_text
from vit_tutorial.explorer.output import Output, piece, png
from vit_tutorial.fonts import literal
from vit_tutorial.plots import WIDTH, picture


def film(frames: Sequence[Tensor], names: Sequence[str], title: str = "") -> Output:
    """Frames (3, Y, X), uint8, of one size, that a reader slides through or plays;
    each has a name, such as "epoch 4".

    They go into the page as PNGs: flat colours cost next to nothing, noise up to 4
    bytes a pixel. The picture holds the first frame, the middle one and the last.
    Raises ValueError for no frames, other shapes or types, and names that differ in
    number.
    """
    _check(frames, names)
    shown = [frame.detach().cpu() for frame in frames]
    labels = [str(name) for name in names]
    data = {
        "title": title,
        "names": labels,
        "frames": [base64_text(packed(frame)) for frame in shown],
        "width": shown[0].shape[2],
    }
    html = piece("film", data, "The film needs JavaScript.")
    span = f"{len(labels)} frames, {labels[0]} to {labels[-1]}"
    return Output(html, png(_figure(shown, labels, title)), f"film({span})")


def packed(frame: Tensor) -> bytes:
    """A frame (3, Y, X) as a PNG."""
    file = io.BytesIO()
    Image.fromarray(picture(frame)).save(file, format="png", optimize=True)
    return file.getvalue()


def _check(frames: Sequence[Tensor], names: Sequence[str]) -> None:
    if len(frames) == 0:
        raise ValueError("no frames, expected at least one")
    if len(names) != len(frames):
        raise ValueError(f"{len(names)} names, expected {len(frames)}, one a frame")
    for at, frame in enumerate(frames):
        if not isinstance(frame, Tensor):
            raise ValueError(
                f"frame {at} is a {type(frame).__name__}, expected a tensor (3, Y, X)"
            )
        if frame.dtype != torch.uint8:
            raise ValueError(f"frame {at} is of {frame.dtype}, expected uint8")
        if frame.ndim != 3 or frame.shape[0] != 3 or not frame.numel():
            raise ValueError(f"frame {at} is {tuple(frame.shape)}, expected (3, Y, X)")
        if frame.shape != frames[0].shape:
            raise ValueError(
                f"frame {at} is {tuple(frame.shape)}, expected"
                f" {tuple(frames[0].shape)} as the first"
            )


def _figure(frames: list[Tensor], names: list[str], title: str) -> Figure:
    """The first frame, the middle one and the last, side by side."""
    chosen = sorted({0, (len(frames) - 1) // 2, len(frames) - 1})
    height, width = frames[0].shape[1:]
    tall = WIDTH / len(chosen) * height / width + 0.3 + 0.3 * bool(title)
    figure = Figure(
        figsize=(WIDTH, tall), dpi=110, layout="constrained", facecolor="white"
    )
    for axis, at in zip(
        figure.subplots(1, len(chosen), squeeze=False)[0], chosen, strict=True
    ):
        axis.imshow(picture(frames[at]))
        axis.set_title(literal(names[at]), fontsize=9)
        axis.axis("off")
    if title:
        figure.suptitle(literal(title), fontsize=10)
    return figure
