"""Figures in one shared style: readable at phone width, safe for colour-blind eyes."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

# one colour, one meaning, in every chapter
CLASS_TOKEN, QUERY, KEY, VALUE, RESIDUAL = "#E69F00", "#0072B2", "#009E73", "#CC79A7", "#8C8C8C"
WIDTH = 7  # inches; wider figures shrink to unreadable on a phone


def use_style() -> None:
    """Set Matplotlib up for the book: light ground on any page, no top and right spines, 110 dots an inch."""
    plt.rcParams.update(
        {
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": plt.cycler(color=[QUERY, CLASS_TOKEN, KEY, VALUE, "#D55E00", "#56B4E9", RESIDUAL]),
            "image.cmap": "viridis",
            "image.interpolation": "nearest",
            "legend.frameon": False,
        }
    )


def picture(image: Tensor) -> np.ndarray:
    """An image for `imshow`: (C, Y, X) uint8, or floats from 0 to 1 -> (Y, X, C)."""
    shown = image.detach().cpu()
    if shown.is_floating_point():
        shown = shown.clamp(0, 1)
    return shown.movedim(0, -1).squeeze(-1).numpy()


def show_images(
    images: Tensor | Sequence[Tensor], titles: Sequence[str] | None = None, columns: int = 6, width: float = WIDTH
) -> Figure:
    """A grid of images, each (C, Y, X) as for `picture`, with a title above each."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    size = width / columns
    figure, axes = plt.subplots(rows, columns, figsize=(width, rows * (size + 0.25 * bool(titles))), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for index, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        axis.imshow(picture(image), cmap="gray" if image.shape[0] == 1 else None)
        if titles:
            axis.set_title(titles[index], fontsize=9)
    return figure


def show_matrix(
    matrix: Tensor, title: str = "", rows: str = "", columns: str = "", labels: Sequence[str] | None = None
) -> Figure:
    """A matrix (R, S) in viridis with its scale; small ones carry their numbers."""
    values = matrix.detach().cpu().float().numpy()
    figure, axis = plt.subplots(figsize=(4.2, 3.4))
    drawn = axis.imshow(values)
    if max(values.shape) <= 6:
        middle = (values.max() + values.min()) / 2
        for (row, column), value in np.ndenumerate(values):
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", color="black" if value > middle else "white")
    axis.set(title=title, ylabel=rows, xlabel=columns)
    if labels:
        axis.set_xticks(range(values.shape[1]), labels, rotation=45, ha="right")
        axis.set_yticks(range(values.shape[0]), labels)
    figure.colorbar(drawn, shrink=0.85)
    return figure


def show_curves(curves: Mapping[str, Sequence[float]], xlabel: str, ylabel: str, title: str = "") -> Figure:
    """Named curves over their index, each labelled at its end."""
    figure, axis = plt.subplots(figsize=(WIDTH, 3.2))
    for name, values in curves.items():
        axis.plot(range(1, len(values) + 1), values, label=name)
    axis.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axis.legend()
    return figure


def overlay(axis: plt.Axes, image: Tensor, weights: Tensor, grid: tuple[int, int], opacity: float = 0.6) -> None:
    """Lay attention (N,) over `grid` on an image (C, Y, X): each patch in viridis, scaled from 0 to its largest weight."""
    rows, columns = image.shape[-2:]
    axis.imshow(picture(image))
    axis.imshow(
        weights.detach().cpu().float().reshape(grid), alpha=opacity, extent=(-0.5, columns - 0.5, rows - 0.5, -0.5), vmin=0
    )
    axis.axis("off")


def scoreboard(scores: Mapping[str, float], ceiling: float | None = None) -> Figure:
    """Validation accuracy (fractions) step by step, newest last; `ceiling` draws a dashed line."""
    names = list(scores)
    figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(names) + 0.9))
    bars = axis.barh(names, [100 * score for score in scores.values()], color=[RESIDUAL] * (len(names) - 1) + [QUERY])
    axis.bar_label(bars, fmt="%.0f %%", padding=3)
    if ceiling is not None:
        axis.axvline(100 * ceiling, color=CLASS_TOKEN, linestyle="--")
        axis.text(100 * ceiling + 1, -0.75, "parts without order", color="black", fontsize=8)
    axis.invert_yaxis()
    axis.set(xlim=(0, 108), xlabel="validation accuracy, %", title="The scoreboard on stacks")
    return figure
