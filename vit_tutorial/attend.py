"""Attention over picture files: read as in training, looked at few at a time, drawn."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from torch import Tensor

from vit_tutorial.checkpoint import Record
from vit_tutorial.config import ViTConfig
from vit_tutorial.data import normalise, read_image, resize, sides_of, sized_for
from vit_tutorial.fonts import fitted, literal
from vit_tutorial.look import rollout
from vit_tutorial.model import VisionTransformer
from vit_tutorial.plots import WIDTH, overlay, picture
from vit_tutorial.recipe import DataConfig

DPI = 150
TALLEST = 2**16 - 1  # pixels: taller figures Matplotlib cannot draw
BATCH = 16  # pictures whose attention is in memory at once
FOOT, GAP = 0.25, 0.03  # inches, for the line below and between pictures


def read_all(paths: Sequence[str], model: ViTConfig, record: Record) -> tuple[Tensor, list[str]]:
    """Pictures as in training, (n, C, Y, X) uint8; a line for each that is no picture.

    Raises what reading the only picture raises, and ValueError when none of several can
    be read, or when they are too many for a figure.
    """
    most = most_pictures(model.sides)
    if len(paths) > most:
        raise ValueError(f"{len(paths)} pictures do not fit into a figure, expected at most {most}")
    sides = sides_of(sized_for(DataConfig(**record.config["data"]), model).image_size)
    images, lines = [], []
    for path in paths:
        try:
            image = read_image(path, sides, model.channels)
        except (ValueError, OSError) as error:
            if len(paths) == 1:
                raise
            lines.append(f"left out: {error}")
        else:
            images.append(resize(image[None], model.sides)[0])
    if not images:
        raise ValueError(f"none of {len(paths)} pictures can be read; the first: {lines[0]}")
    return torch.stack(images), lines


def check_choice(model: ViTConfig, layer: int | None, head: int | None, through: bool) -> None:
    """Raise ValueError for a layer or head the model lacks, or one beside a rollout."""
    choices = {"layer": (layer, model.depth), "head": (head, model.heads)}
    for name, (value, count) in choices.items():
        if value is not None and through:
            expected = "--rollout goes through all layers and heads"
            raise ValueError(f"{expected}, but --{name} was given, too")
        if value is not None and not 0 <= value < count:
            raise ValueError(f"{name} is {value}, but the model has {name}s 0 to {count - 1}")


@torch.no_grad()
def look_at(
    model: VisionTransformer,
    images: Tensor,
    record: Record,
    layer: int | None,
    head: int | None,
    through: bool,
) -> tuple[Tensor, list[str]]:
    """The attention asked for, (n, N), and what each picture is taken for, in words.

    Without a class token it is the mean over queries.
    """
    weights, titles = [], []
    for part in images.split(BATCH):
        inputs = normalise(part, record.mean, record.std)
        logits, maps = model(inputs, return_attention=True)
        for share, label in zip(*logits.softmax(dim=1).max(dim=1), strict=True):
            titles.append(f"{record.classes[label]}\n{share:.0%}")
        if through:
            chosen = rollout(maps)
        else:
            chosen = maps[-1 if layer is None else layer]
            chosen = chosen.mean(dim=1) if head is None else chosen[:, head]
        by_token = model.config.pool == "cls"
        weights.append(chosen[:, 0, 1:] if by_token else chosen.mean(dim=1))
    return torch.cat(weights), titles


def name_of(model: ViTConfig, layer: int | None, head: int | None, through: bool) -> str:
    """What is drawn, in words."""
    whose = {"cls": " of the class token", "mean": ", mean over queries"}
    what = f"attention{whose[model.pool]}"
    if through:
        return f"{what}: rollout through all layers"
    which = "mean over heads" if head is None else f"head {head}"
    return f"{what}: layer {model.depth - 1 if layer is None else layer}, {which}"


def most_pictures(sides: tuple[int, int]) -> int:
    """How many pictures of `sides` fit into a figure of two columns."""
    height = WIDTH / 4 * sides[0] / sides[1]
    return 2 * int((TALLEST / DPI - FOOT) / height)


def draw_attention(images: Tensor, weights: Tensor, grid: tuple[int, int], titles: list[str], name: str) -> Figure:
    """Each image, and beside it the image under its attention (N,) with its title."""
    columns = min(2, len(images))
    rows = -(-len(images) // columns)
    width = WIDTH / 2 / columns
    height = width * images.shape[-2] / images.shape[-1]
    tall = rows * height + FOOT
    figure = Figure(figsize=(WIDTH, tall), dpi=DPI)
    figure.text(0.5, 0.04 / tall, f"{name} (yellow: most)", fontsize=8, ha="center", va="bottom")

    def axis_at(place: int, row: int) -> object:
        bottom = FOOT + (rows - 1 - row) * height
        inches = (place * width + GAP, bottom + GAP, width - 2 * GAP, height - 2 * GAP)
        axis = figure.add_axes([inches[0] / WIDTH, inches[1] / tall, inches[2] / WIDTH, inches[3] / tall])
        axis.axis("off")
        return axis

    for number, (image, weight, title) in enumerate(zip(images, weights, titles, strict=True)):
        row, column = divmod(number, columns)
        plain, covered = axis_at(2 * column, row), axis_at(2 * column + 1, row)
        plain.imshow(picture(image), cmap="gray" if len(image) == 1 else None)
        overlay(covered, image, weight, grid)
        covered.text(
            0.04,
            0.05,
            literal(title),
            transform=covered.transAxes,
            fontsize=11 if columns == 1 else 8,
            color="white",
            clip_on=True,
            bbox={"facecolor": "black", "alpha": 0.6, "linewidth": 0},
        )
    return fitted(figure)
