"""Three tokens in the plane, to be dragged: scores, softmax and mix follow, live and on
a page without a kernel.
"""

import base64
import io
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

import anywidget
import torch
import traitlets
from matplotlib import colormaps, colors
from matplotlib.figure import Figure
from torch import Tensor

from vit_tutorial.explorer.output import piece
from vit_tutorial.plots import QUERY, VALUE, WIDTH

LIMIT = 3  # the plane reaches from -3 to 3 on both axes
SCRIPT, STYLE = (
    (Path(__file__).parent / name).read_text(encoding="utf-8")
    for name in ("bundle/attention_toy.js", "attention_toy.css")
)
TRAITS = ("tokens", "scale", "softmax_dim", "query_index")


class Tokens(anywidget.AnyWidget):
    """Three points, each query, key and value at once: T = 3, K = D = 2.

    `tokens` are [[x, y] three times]; `scale` multiplies the dot products (1/8 to 32);
    softmax runs `softmax_dim` "keys" or, which is wrong, "queries"; `query_index` is
    the token that is followed. These traits and the view follow each other.
    """

    _esm = SCRIPT
    _css = STYLE
    metadata = traitlets.Dict().tag(sync=True)
    tokens: traitlets.List = traitlets.List().tag(sync=True)
    scale = traitlets.Float(2**-0.5).tag(sync=True)
    softmax_dim = traitlets.Enum(("keys", "queries"), "keys").tag(sync=True)
    query_index = traitlets.Int(0, min=0, max=2).tag(sync=True)

    @traitlets.validate("scale")
    def _check_scale(self, proposal: dict) -> float:
        if not 1 / 8 <= proposal["value"] <= 32:
            raise traitlets.TraitError(
                f"scale is {proposal['value']}, expected 1/8 to 32"
            )
        return proposal["value"]

    @traitlets.validate("tokens")
    def _check_tokens(self, proposal: dict) -> list[list[float]]:
        value = proposal["value"]
        points = [
            point
            for point in value
            if isinstance(point, list | tuple) and len(point) == 2
        ]
        inside = all(
            isinstance(at, int | float) and isfinite(at) and abs(at) <= LIMIT
            for p in points
            for at in p
        )
        if not len(value) == len(points) == 3 or not inside:
            raise traitlets.TraitError(
                f"tokens are {value}, expected three points (x, y) from -{LIMIT} to"
                f" {LIMIT}"
            )
        return [[float(at) for at in point] for point in points]

    @property
    def scores(self) -> Tensor:
        """Queries (rows) times keys (columns), scaled: (3, 3)."""
        tokens = torch.tensor(self.tokens, dtype=torch.float64)
        return tokens @ tokens.T * self.scale

    @property
    def weights(self) -> Tensor:
        """Softmax of the scores, over the keys unless `softmax_dim` says
        otherwise: (3, 3).
        """
        return self.scores.softmax(dim=-1 if self.softmax_dim == "keys" else 0)

    @property
    def mixed(self) -> Tensor:
        """The values, mixed by the weights: (3, 2)."""
        return self.weights @ torch.tensor(self.tokens, dtype=torch.float64)

    def __repr__(self) -> str:
        return (
            f"Tokens({', '.join(f'{name}={getattr(self, name)!r}' for name in TRAITS)})"
        )

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        bundle, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {
            **bundle,
            "text/html": page(self),
            "image/png": base64.b64encode(picture(self)).decode(),
        }, metadata


def drag_tokens(
    tokens: Tensor | Sequence[Sequence[float]] = ((2.0, 0.0), (1.5, 1.0), (0.0, 2.0)),
    scale: float = 2**-0.5,
) -> Tokens:
    """Drag three tokens (3, 2) in the plane and watch scores, weights and mixed values
    follow.

    `scale` multiplies the dot products: 1/sqrt(K) unless given, 1 for none. Raises
    ValueError for other shapes, points outside the plane (-3 to 3) and scales outside
    1/8 to 32.
    """
    points = (
        tokens.tolist()
        if isinstance(tokens, Tensor)
        else [list(point) for point in tokens]
    )
    viridis = [colors.to_hex(colour) for colour in colormaps["viridis"](range(256))]
    try:
        return Tokens(
            metadata={"limit": LIMIT, "colours": viridis}, tokens=points, scale=scale
        )
    except traitlets.TraitError as error:
        raise ValueError(str(error)) from None


def page(shown: Tokens) -> str:
    """The widget as one piece of HTML that needs nothing else: data and script inline,
    several fit on a page.
    """
    data = {**shown.metadata, **{name: getattr(shown, name) for name in TRAITS}}
    need = "The three tokens need JavaScript to be dragged."
    return piece("tokens", data, need, files="attention_toy")


def picture(shown: Tokens) -> bytes:
    """The tokens (solid), their mixes (hollow) and the weights as a PNG."""
    figure = Figure(
        figsize=(WIDTH, 3.4), dpi=110, layout="constrained", facecolor="white"
    )
    plane, table = figure.subplots(1, 2)
    for token, (old, new) in enumerate(
        zip(shown.tokens, shown.mixed.tolist(), strict=True)
    ):
        query_index = token == shown.query_index
        solid = {
            "arrowstyle": "-|>",
            "color": QUERY if query_index else "#57606A",
            "linewidth": 1.8,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        hollow = {
            "width": 7,
            "headwidth": 15,
            "headlength": 14,
            "facecolor": "none",
            "edgecolor": VALUE if query_index else "#AFB8C1",
        }
        plane.annotate("", old, (0, 0), arrowprops=solid)
        plane.annotate(
            "", new, (0, 0), arrowprops=hollow | {"linewidth": 1.6, "shrink": 0}
        )
        plane.annotate(
            str(token), old, (4, 4), textcoords="offset points", color=solid["color"]
        )
    plane.set(
        xlim=(-LIMIT, LIMIT),
        ylim=(-LIMIT, LIMIT),
        aspect="equal",
        title="tokens, and their mixes (hollow)",
    )
    plane.grid(color="#E6E9ED")
    plane.set_axisbelow(True)
    drawn = table.imshow(shown.weights.numpy(), vmin=0, vmax=1, cmap="viridis")
    for row, weights in enumerate(shown.weights.tolist()):
        for column, weight in enumerate(weights):
            ink = "black" if weight > 0.435 else "white"
            table.text(
                column, row, f"{weight:.2f}", ha="center", va="center", color=ink
            )
    table.set(
        xticks=range(3),
        yticks=range(3),
        xlabel="key",
        ylabel="query",
        title=f"weights: softmax over {shown.softmax_dim}",
    )
    figure.colorbar(drawn, ax=table, shrink=0.85)
    file = io.BytesIO()
    # the same picture, the same bytes
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
