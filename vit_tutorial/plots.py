"""Figures in one shared style: readable at phone width, safe for colour-blind eyes."""

from collections.abc import Mapping, Sequence
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from vit_tutorial.fonts import fitted, literal
from vit_tutorial.training.metrics import confusion

# one colour, one meaning, in every chapter
CLASS_TOKEN = "#E69F00"
QUERY = "#0072B2"
KEY = "#009E73"
VALUE = "#CC79A7"
RESIDUAL = "#8C8C8C"
OTHERS = ("#D55E00", "#56B4E9")  # where more are needed; the first marks predictions
HEAD = "#6A3D9A"  # heads, and layers, are tints of it
WIDTH = 7  # inches; wider figures shrink to unreadable on a phone


def use_style() -> None:
    """Set Matplotlib up for the book: light ground on any page, no top and right
    spines, 110 dots an inch.
    """
    plt.rcParams.update(
        {
            "figure.dpi": 110,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": plt.cycler(
                color=[QUERY, CLASS_TOKEN, KEY, VALUE, *OTHERS, RESIDUAL]
            ),
            "image.cmap": "viridis",
            "image.interpolation": "nearest",
            "legend.frameon": False,
        }
    )


def picture(image: Tensor) -> np.ndarray:
    """An image for `imshow`: (C, Y, X) uint8, or floats from 0 to 1 -> (Y, X, C)."""
    shown = image.detach().cpu()
    if shown.is_floating_point():
        shown = shown.float().clamp(0, 1)
    return shown.movedim(0, -1).squeeze(-1).numpy()


def show_images(
    images: Tensor | Sequence[Tensor],
    titles: Sequence[str] | None = None,
    columns: int = 6,
    width: float = WIDTH,
) -> Figure:
    """A grid of images, each (C, Y, X) as for `picture`, with a title above each.
    Raises ValueError for no images.
    """
    if len(images) == 0:
        raise ValueError("there are no images to show, expected at least 1")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    size = width / columns
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(width, rows * (size + 0.25 * bool(titles))),
        squeeze=False,
    )
    for axis in axes.flat:
        axis.axis("off")
    for index, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        axis.imshow(picture(image), cmap="gray" if image.shape[0] == 1 else None)
        if titles:
            axis.set_title(literal(titles[index]), fontsize=9)
    return fitted(figure)


def show_matrix(
    matrix: Tensor,
    title: str = "",
    rows: str = "",
    columns: str = "",
    labels: Sequence[str] | None = None,
) -> Figure:
    """A matrix (R, S) in viridis with its scale; small ones carry their numbers."""
    values = matrix.detach().cpu().float().numpy()
    figure, axis = plt.subplots(figsize=(4.2, 3.4))
    drawn = axis.imshow(values)
    if max(values.shape) <= 6:
        middle = (values.max() + values.min()) / 2
        for (row, column), value in np.ndenumerate(values):
            axis.text(
                column,
                row,
                f"{value:.2f}",
                ha="center",
                va="center",
                color="black" if value > middle else "white",
            )
    axis.set(title=literal(title), ylabel=rows, xlabel=columns)
    if labels:
        names = [literal(label) for label in labels]
        axis.set_xticks(range(values.shape[1]), names, rotation=45, ha="right")
        axis.set_yticks(range(values.shape[0]), names)
    figure.colorbar(drawn, shrink=0.85)
    return fitted(figure)


def show_curves(
    curves: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    title: str = "",
    start: int = 1,
) -> Figure:
    """Named curves over their index, counted from `start`."""
    figure, axis = plt.subplots(figsize=(WIDTH, 3.2))
    for name, values in curves.items():
        axis.plot(range(start, start + len(values)), values, label=name)
    axis.set(xlabel=xlabel, ylabel=ylabel, title=literal(title))
    axis.legend(axis.lines, [literal(name) for name in curves])
    return fitted(figure)


def overlay(
    axis: plt.Axes,
    image: Tensor,
    weights: Tensor,
    grid: tuple[int, int],
    opacity: float = 0.6,
) -> None:
    """Lay attention (N,) over `grid` on an image (C, Y, X): patches in viridis, scaled
    from 0 to the largest weight.
    """
    rows, columns = image.shape[-2:]
    axis.imshow(picture(image))
    axis.imshow(
        weights.detach().cpu().float().reshape(grid).numpy(),
        alpha=opacity,
        extent=(-0.5, columns - 0.5, rows - 0.5, -0.5),
        vmin=0,
    )
    axis.axis("off")


def scoreboard(scores: Mapping[str, float], ceiling: float | None = None) -> Figure:
    """Validation accuracy (fractions) step by step, newest last; `ceiling` draws a
    dashed line.
    """
    names = [literal(name) for name in scores]
    figure, axis = plt.subplots(figsize=(WIDTH, 0.42 * len(names) + 0.9))
    bars = axis.barh(
        names,
        [100 * score for score in scores.values()],
        color=[RESIDUAL] * (len(names) - 1) + [QUERY],
    )
    axis.bar_label(
        bars,
        fmt="%.0f %%",
        padding=4,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )
    if ceiling is not None:
        axis.axvline(100 * ceiling, color=CLASS_TOKEN, linestyle="--", zorder=2)
        axis.text(
            100 * ceiling + 1, -0.75, "parts without order", color="black", fontsize=8
        )
    axis.invert_yaxis()
    axis.set(xlim=(0, 108), xlabel="validation accuracy, %")
    axis.set_title("The scoreboard on stacks", loc="left")
    return fitted(figure)


def show_grids(grids: Mapping[str, Tensor], columns: int = 3) -> Figure:
    """Named grids of values (R, S), each at most 1, all in one scale; sizes may
    differ. Raises ValueError for no grids.
    """
    if not grids:
        raise ValueError("there are no grids to show, expected at least 1")
    rows = -(-len(grids) // columns)
    lowest = min(grid.min().item() for grid in grids.values())
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, 2.5 * rows), squeeze=False
    )
    for axis in axes.flat[len(grids) :]:
        axis.axis("off")
    for axis, (name, grid) in zip(axes.flat, grids.items(), strict=False):
        drawn = axis.imshow(grid.detach().cpu().float().numpy(), vmin=lowest, vmax=1)
        axis.set(xticks=[], yticks=[])
        axis.set_title(literal(name), fontsize=9)
    figure.colorbar(drawn, ax=axes, shrink=0.8)
    return fitted(figure)


def show_patches(patches: Tensor, grid: tuple[int, int], channels: int = 3) -> Figure:
    """Flat patches (N, P*P*C) drawn apart, in their places on `grid`, each with its
    number in the sequence.
    """
    rows, columns = grid
    side = round((patches.shape[1] / channels) ** 0.5)
    size = WIDTH / columns
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, rows * (size + 0.18)), squeeze=False
    )
    for number, (axis, patch) in enumerate(zip(axes.flat, patches, strict=True)):
        axis.imshow(picture(patch.reshape(side, side, channels).movedim(-1, 0)))
        axis.set_title(str(number), fontsize=8, pad=2, y=-0.16)
        axis.axis("off")
    return fitted(figure)


def show_maps(
    maps: Tensor,
    images: Tensor | None = None,
    grid: tuple[int, int] = (6, 6),
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    mark: int | None = None,
) -> Figure:
    """Attention maps (R, S, N) in R rows and S columns, over one image (C, Y, X) or one
    a column (S, C, Y, X).

    Each map is scaled from 0 to its own largest weight, written beneath it. `mark`
    frames the query's patch.
    """
    down, across = maps.shape[:2]
    size = min(WIDTH / across, 2.2)
    figure, axes = plt.subplots(
        down, across, figsize=(size * across, (size + 0.1) * down), squeeze=False
    )
    for (row, column), axis in np.ndenumerate(axes):
        weights = maps[row, column]
        if images is None:
            axis.imshow(weights.detach().cpu().float().reshape(grid).numpy(), vmin=0)
        else:
            overlay(axis, images if images.ndim == 3 else images[column], weights, grid)
            axis.axis("on")
        axis.set(xticks=[], yticks=[])
        axis.set_xlabel(f"0 to {weights.max():.2g}", fontsize=8, labelpad=2)
        if column == 0:
            axis.set_ylabel(literal(rows[row]) if rows else f"layer {row + 1}")
        if row == 0:
            axis.set_title(
                literal(columns[column]) if columns else f"head {column}", fontsize=9
            )
        if mark is not None:
            side = 1 if images is None else images.shape[-1] / grid[1]
            corner = (mark % grid[1] * side - 0.5, mark // grid[1] * side - 0.5)
            axis.add_patch(
                plt.Rectangle(
                    corner, side, side, fill=False, color="white", linewidth=2
                )
            )
    return fitted(figure)


def show_ladder(rungs: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Pairs of tensors that should be equal, the first lowest: the largest value and
    the largest difference of each.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 0.35 * len(rungs) + 1))
    sizes = [one.abs().max().item() for one, _ in rungs.values()]
    # 0 has no place on a log
    apart = [
        max((one - other).abs().max().item(), 1e-18) for one, other in rungs.values()
    ]
    axis.hlines(range(len(rungs)), apart, sizes, color="#DDDDDD", zorder=0)
    axis.plot(apart, range(len(rungs)), "o", color=QUERY, label="largest difference")
    axis.plot(sizes, range(len(rungs)), "o", color=RESIDUAL, label="largest value")
    axis.set_yticks(range(len(rungs)), [literal(rung) for rung in rungs])
    axis.set_xscale("log")
    axis.set_xticks(
        [1e-18, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1],
        ["equal", *(f"$10^{{{n}}}$" for n in range(-15, 1, 3))],
    )
    axis.set(xlim=(3e-19, 1e3), ylim=(-0.6, len(rungs) - 0.4))
    figure.legend(loc="outside upper center", ncols=2)
    return fitted(figure)


def show_confusion(
    labels: Tensor, guesses: Mapping[str, Tensor], classes: Sequence[str]
) -> Figure:
    """A confusion matrix per series of guesses (N,): rows are the labels (N,), each in
    shares that sum to 1.
    """
    count = len(classes)
    names = [literal(name) for name in classes]
    figure, axes = plt.subplots(
        1,
        len(guesses),
        figsize=(WIDTH, 1.2 + 5 / len(guesses)),
        sharey=True,
        squeeze=False,
    )
    for axis, (title, guess) in zip(axes[0], guesses.items(), strict=True):
        counts = confusion(F.one_hot(guess, count), labels)
        drawn = axis.imshow(_shares(counts), vmin=0, vmax=1)
        axis.set_xticks(range(count), names, rotation=90, fontsize=8)
        axis.set_yticks(range(count), names, fontsize=8)
        axis.set(title=literal(title), xlabel="the model says")
    axes[0, 0].set_ylabel("what is there")
    figure.colorbar(drawn, ax=axes, shrink=0.6, label="share of the row")
    return fitted(figure)


def show_counts(counts: Tensor, classes: Sequence[str]) -> Figure:
    """A confusion matrix of counts (classes, classes): rows are what is there, the
    colour is the share of the row.
    """
    shares = _shares(counts)
    figure, axis = plt.subplots(figsize=(6, 5.4))
    drawn = axis.imshow(shares, vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts.numpy()):
        colour = "black" if shares[row, column] > 0.5 else "white"
        axis.text(column, row, str(count), ha="center", va="center", color=colour)
    names = [literal(name) for name in classes]
    axis.set_xticks(range(len(classes)), names, rotation=90)
    axis.set_yticks(range(len(classes)), names)
    axis.set(xlabel="the model says", ylabel="what is there")
    figure.colorbar(drawn, shrink=0.7, label="share of the row")
    return fitted(figure)


def _shares(counts: Tensor) -> np.ndarray:
    """Rows of counts, each in shares that sum to 1; a row of zeros stays one."""
    return (counts.double() / counts.sum(dim=1, keepdim=True).clamp(min=1)).numpy()


def show_reliability(runs: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """How often models are right where they are so sure, and below how many images
    stand behind each point.

    Each run has the mean "confidence", the "accuracy" and the number of images "n" of
    every bin; bins without an image are left out. Bars are Wilson's interval (1927) of
    one standard error, which has a length even where all are right; on the dashed line
    a model is as often right as it says.
    """
    figure, axes = plt.subplots(
        2,
        len(runs),
        figsize=(min(WIDTH, 1 + 3.2 * len(runs)), 4.4),
        height_ratios=(3, 1),
        sharex=True,
        sharey="row",
        squeeze=False,
    )
    for (upper, lower), (name, bins) in zip(axes.T, runs.items(), strict=True):
        sure, right, n = (
            np.array(bins[key])[np.array(bins["n"]) > 0]
            for key in ("confidence", "accuracy", "n")
        )
        upper.plot([0, 1], [0, 1], color=RESIDUAL, linestyle="--", linewidth=1)
        middle = (right + 0.5 / n) / (1 + 1 / n)
        half = np.sqrt((right * (1 - right) + 0.25 / n) / n) / (1 + 1 / n)
        # rounding can lead below
        around = np.maximum([right - middle + half, middle + half - right], 0)
        upper.errorbar(sure, right, around, fmt="o", color=QUERY, clip_on=False)
        lower.bar(sure, n, width=0.06, color=RESIDUAL)
        upper.set(title=literal(name), xlim=(0, 1), ylim=(0, 1))
        lower.set(xlabel="how sure the model is")
        lower.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes[0, 0].set_ylabel("how often it is right")
    axes[1, 0].set_ylabel("images")
    return fitted(figure)


def show_bands(
    groups: Mapping[str, Sequence[Sequence[float]]], xlabel: str, ylabel: str
) -> Figure:
    """Named groups of curves of equal length, counted from 1: the mean of each group,
    and a band from least to most.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.4))
    for (name, curves), line in zip(
        groups.items(), ["-", "--", ":", "-."] * len(groups), strict=False
    ):
        values = np.array(curves)
        steps = range(1, values.shape[1] + 1)
        (drawn,) = axis.plot(steps, values.mean(axis=0), line, label=name)
        axis.fill_between(
            steps,
            values.min(axis=0),
            values.max(axis=0),
            color=drawn.get_color(),
            alpha=0.25,
            linewidth=0,
        )
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.legend(axis.lines, [literal(name) for name in groups])
    return fitted(figure)


def show_steps(
    steps: Mapping[str, Sequence[float]], after: Mapping[str, str | None], images: int
) -> Figure:
    """Validation accuracies (fractions) of one or more runs a step, the first step on
    top, in per cent.

    Small dots are runs; large ones their means, with one standard error of `images`
    images each way. Beside each stands what it gained on the step it comes `after`; for
    the first, which comes after None, its own mean.
    """
    means = {name: 100 * float(np.mean(scores)) for name, scores in steps.items()}
    errors = [float(np.sqrt(mean * (100 - mean) / images)) for mean in means.values()]
    figure, axis = plt.subplots(figsize=(WIDTH, 0.36 * len(steps) + 0.9))
    axis.errorbar(
        list(means.values()),
        range(len(steps)),
        xerr=errors,
        fmt="o",
        color=QUERY,
        markersize=8,
        capsize=4,
    )
    for row, ((name, scores), error) in enumerate(
        zip(steps.items(), errors, strict=True)
    ):
        if len(scores) > 1:
            axis.plot(
                [100 * score for score in scores],
                [row] * len(scores),
                "o",
                color=RESIDUAL,
                markersize=4,
            )
        base = after[name]
        end = max(means[name] + error, *(100 * score for score in scores))
        gain = (
            f"{means[name]:.1f} %"
            if base is None
            else f"{means[name] - means[base]:+.1f}"
        )
        axis.text(end + 0.6, row, gain, va="center")
    axis.set_yticks(range(len(steps)), [literal(name) for name in steps])
    axis.grid(axis="y", alpha=0.3)
    axis.margins(x=0.12)
    axis.set(xlabel="validation accuracy, %")
    axis.invert_yaxis()
    return fitted(figure)


def plot_cards(cards: Sequence[dict]) -> Figure:
    """Recorded runs and what was predicted of them: one panel per card, one row per
    arm, the number at the right the mean with its spread, in per cent.

    A card is as `explorer.deck.deck` takes it. Dots are runs, bars their means; the
    diamond is the prediction, in the row of the arm that it was about.
    """
    titles = [literal(fill(str(card["question"]), 62)) for card in cards]
    counts = [len(card["arms"]) for card in cards]
    lines = sum(title.count("\n") + 1 for title in titles)
    figure, axes = plt.subplots(
        len(cards),
        figsize=(WIDTH, 0.3 * sum(counts) + 0.2 * lines + 0.15 * len(cards) + 0.9),
        height_ratios=counts,
        sharex=True,
        squeeze=False,
    )
    for axis, card, title in zip(axes[:, 0], cards, titles, strict=True):
        _draw_card(axis, card)
        axis.set_title(title, loc="left", fontsize=10)
    axes[-1, 0].set_xlabel("validation accuracy (%)")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=3
    )
    return fitted(figure)


def _draw_card(axis: plt.Axes, card: dict) -> None:
    """The rows of a card, the first arm on top."""
    arms = card["arms"]
    names = [arm["name"] for arm in arms]
    runs = [
        (100 * run["val_accuracy"], row)
        for row, arm in enumerate(arms)
        for run in arm["runs"]
    ]
    means = [100 * arm["mean"] for arm in arms]
    axis.plot(
        means,
        range(len(arms)),
        "|",
        color=QUERY,
        markersize=12,
        markeredgewidth=2.5,
        label="mean",
    )
    axis.plot(*zip(*runs, strict=True), "o", color=RESIDUAL, markersize=4, label="run")
    axis.plot(
        100 * card["prediction"],
        names.index(card["asked"]),
        "D",
        color=OTHERS[0],
        fillstyle="none",
        markersize=8,
        markeredgewidth=1.5,
        label="predicted before",
    )
    for row, (arm, mean) in enumerate(zip(arms, means, strict=True)):
        several = len(arm["runs"]) > 1
        spread = f" ± {100 * arm['spread']:.1f}" if several else ""
        axis.text(
            1.03,
            row,
            f"{mean:.1f}{spread}",
            transform=axis.get_yaxis_transform(),
            va="center",
        )
    axis.set_yticks(range(len(arms)), [literal(fill(str(n), 24)) for n in names])
    axis.set(xlim=(0, 100), ylim=(len(arms) - 0.5, -0.5))
    axis.grid(axis="x", alpha=0.3)
    for line in axis.lines:
        line.set_clip_on(False)  # marks at 0 and 100 are whole
