"""The explorer where no kernel runs: a page that needs nothing else, and a picture."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from vit_tutorial.explorer.choices import Choices
from vit_tutorial.explorer.encoding import MOST_BYTES, deflate
from vit_tutorial.explorer.output import piece
from vit_tutorial.fonts import fitted, literal
from vit_tutorial.plots import QUERY, WIDTH, overlay

SCRIPT, STYLE = (
    (Path(__file__).parent / name).read_text(encoding="utf-8")
    for name in ("bundle/explorer.js", "explorer.css")
)


def page(explorer: Choices, with_model: bool = True) -> str:
    """The explorer as one piece of HTML that needs nothing else: data and script
    inline, several fit on a page.

    The model of the epoch shown is there, too, where it fits, so that the page can
    compute: a megabyte that a page may do without.
    """
    f = explorer.metadata
    state = {**explorer.state(), "dropped": []}
    here = explorer.image * len(f["epochs"]) + f["epochs"].index(explorer.epoch)
    pieces = [
        (name, at)
        for name in ("pictures", "views")
        for at in range(len(getattr(explorer, name)))
    ]
    # what is shown first
    pieces.sort(
        key=lambda which: which not in (("pictures", explorer.image), ("views", here))
    )
    packed = [(name, at, deflate(getattr(explorer, name)[at])) for name, at in pieces]
    room = MOST_BYTES - sum(len(content) for _, _, content in packed)
    data = {
        "metadata": f,
        "state": state,
        "pieces": [(name, at, base64_text(content)) for name, at, content in packed],
        "model": carried(explorer, room) if with_model else None,
    }
    need = "The sliders over this model's attention need JavaScript."
    return piece("explorer", data, need)


def carried(explorer: Choices, room: int) -> dict | None:
    """The model that the page computes with: that of the epoch shown, its matrices in
    half precision.

    None where its weights take more than `room` bytes, or the browser's engine cannot
    compute it; then nothing can be dropped there.
    """
    try:
        about, weights = explorer.source.for_browser(explorer.epoch, "mixed")
    except ValueError:
        return None
    packed = deflate(weights)
    if len(packed) > room:
        return None
    return {
        "epoch": explorer.epoch,
        "description": about,
        "weights": base64_text(packed),
    }


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def picture(explorer: Choices) -> bytes:
    """The chosen map as a PNG: on the image, and alone with its scale."""
    f = explorer.metadata
    weights, kept = explorer.chosen()
    height, width = f["size"]
    rows, columns = f["grid"]
    image = (
        np.frombuffer(explorer.pictures[explorer.image], np.uint8)
        .reshape(height, width, 4)[..., :3]
        .copy()
    )
    tall = WIDTH * 0.44 * height / width + 0.8
    figure = Figure(
        figsize=(WIDTH, tall), dpi=110, layout="constrained", facecolor="white"
    )
    left, right = figure.subplots(1, 2)
    overlay(
        left,
        torch.tensor(image).movedim(-1, 0),
        weights,
        (rows, columns),
        explorer.opacity,
    )
    frame = (-0.5, width - 0.5, height - 0.5, -0.5)
    drawn = right.imshow(
        weights.reshape(rows, columns).numpy(), vmin=0, cmap="viridis", extent=frame
    )
    figure.colorbar(drawn, ax=right, shrink=0.85)
    right.axis("off")
    looks: list[tuple[int, dict[str, Any]]] = [
        (patch, {"facecolor": "#8C8C8C", "edgecolor": "white", "hatch": "///"})
        for patch in explorer.dropped
    ]
    if explorer.query:  # white edges show on any colour
        edges = (("white", 4), (QUERY, 2))
        looks += [
            (explorer.query, {"fill": False, "edgecolor": edge, "linewidth": thick})
            for edge, thick in edges
        ]
    for patch, look in looks:
        row, column = divmod(patch - 1, columns)
        corner = (column * width / columns - 0.5, row * height / rows - 0.5)
        sides = (width / columns, height / rows)
        for axis in (left, right):
            axis.add_patch(Rectangle(corner, *sides, **look))
    figure.suptitle(literal(_title(explorer, kept)), fontsize=9)
    file = io.BytesIO()
    # the same picture, the same bytes
    fitted(figure).savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _title(explorer: Choices, kept: float) -> str:
    """What the picture shows, in two lines."""
    f = explorer.metadata
    through = explorer.mode == "rollout"
    probability, guess = explorer.view()[0].max(dim=0)
    name = f["classes"][guess] if f["classes"] else f"class {guess}"
    head = (
        "rollout"
        if through
        else "mean over heads"
        if explorer.head < 0
        else f"head {explorer.head}"
    )
    row, column = divmod(explorer.query - 1, f["grid"][1])
    patch = f"patch row {row + 1}, column {column + 1}"
    query = (
        patch
        if explorer.query
        else "class token"
        if f["classToken"]
        else "mean over queries"
    )
    token = f" (class token: {kept:.3f})" if f["classToken"] else ""
    epoch = "" if explorer.epoch is None else f" after epoch {explorer.epoch}"
    lacking = f", {len(explorer.dropped)} patches dropped" if explorer.dropped else ""
    where = (
        f"layer {explorer.layer + 1} of {f['layers']}, {head}, query: {query}{token}"
    )
    return (
        f"image {explorer.image + 1} of {f['images']}{epoch}{lacking}: {name},"
        f" {probability:.0%}\n{where}"
    )
