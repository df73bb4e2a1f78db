"""Attention over picture files: read as in training, looked at few at a time, drawn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox, TransformedBbox
from PIL import Image
from torch import Tensor

from vit_tutorial.config import ViTConfig
from vit_tutorial.fonts import fitted, literal
from vit_tutorial.interpret.attention import select_attention
from vit_tutorial.interpret.attribution import patch_relevance
from vit_tutorial.model import VisionTransformer
from vit_tutorial.plots import WIDTH
from vit_tutorial.predict import read_picture
from vit_tutorial.training.run import Run, RunConfig

DPI = 150
DPI_OF_MANY = 100
TALLEST = 2**16 - 1  # pixels: taller figures Matplotlib cannot draw
BATCH = 16  # pictures whose attention is in memory at once
# pixels for the line below, and between pictures
FOOT = 36
GAP = 4
OPACITY = 0.6  # of the attention over a picture


def read_all(
    paths: Sequence[str], config: RunConfig
) -> tuple[Tensor, list[str], list[str]]:
    """Pictures as in training, (n, C, Y, X) uint8, and their paths; a line for each
    that is no picture.

    Raises what reading the only picture raises, and ValueError when none of several can
    be read, or when they are too many for a figure.
    """
    model = config.model
    most = most_pictures(model.sides)
    if len(paths) > most:
        raise ValueError(
            f"{len(paths)} pictures do not fit into a figure, expected at most {most}"
        )
    images = []
    read = []
    lines = []
    for path in paths:
        try:
            image = read_picture(path, config)
        except (ValueError, OSError) as error:
            if len(paths) == 1:
                raise
            lines.append(f"left out: {error}")
        else:
            images.append(image)
            read.append(path)
    if not images:
        raise ValueError(
            f"none of {len(paths)} pictures can be read; the first: {lines[0]}"
        )
    return torch.stack(images), read, lines


def check_choice(
    model: ViTConfig, layer: int | None, head: int | None, through: bool
) -> None:
    """Raise ValueError for a layer or head the model lacks, or one beside a rollout."""
    choices = {"layer": (layer, model.depth), "head": (head, model.heads)}
    for name, (value, count) in choices.items():
        if value is not None and through:
            expected = "--rollout goes through all layers and heads"
            raise ValueError(f"{expected}, but --{name} was given, too")
        if value is not None and not 0 <= value < count:
            raise ValueError(
                f"{name} is {value}, but the model has {name}s 0 to {count - 1}"
            )


@torch.no_grad()
def look_at(
    model: VisionTransformer,
    images: Tensor,
    run: Run,
    layer: int | None,
    head: int | None,
    through: bool,
) -> tuple[Tensor, list[str]]:
    """The attention asked for, (n, N), and what each picture is taken for, in words;
    of a model that was trained without labels nothing.

    Without a class token it is the mean over queries.
    """
    weights = []
    titles = []
    for part in images.split(BATCH):
        logits, maps = model(run.normalization(part), return_attention=True)
        for share, label in zip(*logits.softmax(dim=1).max(dim=1), strict=True):
            named = not run.config.training.self_supervised
            titles.append(f"{run.classes[label]}\n{share:.0%}" if named else "")
        chosen = select_attention(maps, layer, head, through)
        weights.append(patch_relevance(model, chosen))
    return torch.cat(weights), titles


def name_of(
    model: ViTConfig, layer: int | None, head: int | None, through: bool
) -> str:
    """What is drawn, in words."""
    whose = {"cls": " of the class token", "mean": ", mean over queries"}
    what = f"attention{whose[model.pool]}"
    if through:
        return f"{what}: rollout through all layers"
    which = "mean over heads" if head is None else f"head {head}"
    return f"{what}: layer {model.depth - 1 if layer is None else layer}, {which}"


def most_pictures(sides: tuple[int, int]) -> int:
    """How many pictures of `sides` fit into a figure of two columns."""
    return 2 * ((TALLEST - FOOT) // cell(sides, DPI_OF_MANY, 2)[0])


def cell(sides: tuple[int, int], dpi: int, columns: int) -> tuple[int, int]:
    """Height and width of what an image of `sides` takes in a figure, in pixels."""
    width = WIDTH * dpi // (2 * columns)
    return max(2 * GAP, round(width * sides[0] / sides[1])), width


def draw_attention(
    images: Tensor, weights: Tensor, grid: tuple[int, int], titles: list[str], name: str
) -> Figure:
    """Each image, and beside it the image under its attention (N,) with its title."""
    columns = min(2, len(images))
    rows = -(-len(images) // columns)
    dpi = DPI if rows <= 20 else DPI_OF_MANY
    height, width = cell((images.shape[-2], images.shape[-1]), dpi, columns)
    tall = rows * height + FOOT
    wide = 2 * columns * width
    strips = np.full((rows, height, wide, 3), 255, np.uint8)
    figure = Figure(figsize=(wide / dpi, tall / dpi), dpi=dpi)
    box = {"facecolor": "black", "alpha": 0.6, "linewidth": 0}
    look: dict[str, Any] = {
        "fontsize": 11 if columns == 1 else 8,
        "color": "white",
        "bbox": box,
    }
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        top = row * height
        left = 2 * column * width
        for shown in (plain(image), covered(image, weights[place], grid)):
            there = strips[row, GAP:, left : left + width - GAP]
            size = there.shape[1::-1]
            there[:] = np.asarray(
                Image.fromarray(shown).resize(size, Image.Resampling.NEAREST)
            )
            left += width
        if not titles[place]:
            continue
        corner = (left - 0.96 * width) / wide, 1 - (top + 0.95 * height) / tall
        text = figure.text(*corner, literal(titles[place]), **look)
        own = (
            (left - width) / wide,
            1 - (top + height) / tall,
            width / wide,
            height / tall,
        )
        text.set_clip_box(TransformedBbox(Bbox.from_bounds(*own), figure.transFigure))
        text.set_clip_on(True)
    # strips, for hundreds of axes take minutes, and one tall picture takes gigabytes
    for row, strip in enumerate(strips):
        figure.figimage(strip, yo=tall - (row + 1) * height, origin="upper")
    figure.text(0.5, 6 / tall, f"{name} (yellow: most)", fontsize=8, ha="center")
    return fitted(figure)


def plain(image: Tensor) -> np.ndarray:
    """An image (1 or 3, Y, X) uint8 as (Y, X, 3)."""
    return image.expand(3, -1, -1).movedim(0, -1).numpy()


def covered(image: Tensor, weight: Tensor, grid: tuple[int, int]) -> np.ndarray:
    """An image under its attention (N,), viridis from 0 to the largest: (Y, X, 3)."""
    side = image.shape[-1] // grid[1]
    share = (weight / weight.max().clamp(min=1e-30)).reshape(grid).numpy()
    veil = 255 * colormaps["viridis"](np.kron(share, np.ones((side, side))))[..., :3]
    return ((1 - OPACITY) * plain(image) + OPACITY * veil).round().astype(np.uint8)
