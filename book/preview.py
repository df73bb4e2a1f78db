"""Draw what stands for the book elsewhere: python book/preview.py writes
book/static/favicon.svg, of a browser's tab, and book/static/preview.png, where an
address of the site is shared.
"""

import io
import sys
from pathlib import Path

import torch
from head import PREVIEW, SIDES, TITLE
from language import VIRIDIS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from svg import INK, PANEL

from vit_tutorial import attention_maps, load_checkpoint
from vit_tutorial.data.images import normalise
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.files import write_file
from vit_tutorial.plots import overlay, picture

STATIC = Path(__file__).resolve().parent / "static"
# attention over nine patches: one of them is meant
WEIGHTS = ((0.3, 0.5, 0.35), (0.4, 0.6, 1.0), (0.25, 0.4, 0.3))
# a picture of the landing page
IMAGES = 6
SEED = 12
IMAGE = 3
DPI = 100


def favicon() -> str:
    """Nine patches in 32 x 32 units, lit as a class token would."""
    rects = [
        f'<rect x="{1 + 10.5 * column:g}" y="{1 + 10.5 * row:g}" width="9" height="9"'
        f' rx="1.5" fill="{VIRIDIS[round(255 * weight)]}"/>'
        for row, weights in enumerate(WEIGHTS)
        for column, weight in enumerate(weights)
    ]
    frame = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    return "\n".join([frame, *rects, "</svg>"]) + "\n"


def preview() -> bytes:
    """A PNG of 1200 x 630 pixels: a drawing, where the class token of the shipped model
    looks in the last layer (mean over heads), and a row of its patches.
    """
    model, run = load_checkpoint("stacks")
    data = stacks(IMAGES, seed=SEED)
    image = data.images[IMAGE]
    weights = attention_maps(model, normalise(image[None], run.mean, run.std))[-1]
    rows, columns = model.config.grid
    width, height = SIDES
    figure = Figure(
        figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PANEL, layout="none"
    )

    def axes(left: float, top: float, side: float) -> Axes:
        """A square of so many pixels, without a frame."""
        place = (left / width, 1 - (top + side) / height, side / width, side / height)
        axis = figure.add_axes(place)
        axis.axis("off")
        return axis

    shown = axes(50, 50, 530)
    looks = weights[0, :, 0, 1:].mean(dim=0)
    overlay(shown, image, looks, (rows, columns), 0.5)
    size = model.config.patch_size
    for patch in range(rows * columns):
        row, column = divmod(patch, columns)
        corner = (column * size - 0.5, row * size - 0.5)
        shown.add_patch(Rectangle(corner, size, size, fill=False, edgecolor="white"))
    most = int(looks.argmax()) // columns  # the row of the patch it looks at most
    for at in range(columns):
        patch = image[:, most * size :, at * size :][:, :size, :size]
        axes(630 + 88 * at, 466, 76).imshow(picture(patch))
    first, second = TITLE.removeprefix("The ").split(", ")
    for text, points, top in ((first, 37, 150), (second, 30, 215)):
        figure.text(630 / width, 1 - top / height, text, fontsize=points, color=INK)
    said = "Patches, attention, training:\nread it, run it, question it."
    figure.text(
        630 / width, 1 - 360 / height, said, fontsize=20, color=INK, linespacing=1.5
    )
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def main(folder: Path) -> None:
    torch.set_num_threads(1)  # the same sums, the same picture
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "favicon.svg", favicon().encode())
    write_file(folder / PREVIEW, preview())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else STATIC)
