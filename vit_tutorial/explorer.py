"""Attention under sliders: live in a notebook, on a page without kernel or server, and as a picture."""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets
from matplotlib import colormaps, colors
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from vit_tutorial.data import normalise
from vit_tutorial.look import attention_maps, rollout
from vit_tutorial.model import VisionTransformer
from vit_tutorial.plots import QUERY, WIDTH, overlay

MOST_IMAGES = 64
MOST_BYTES = 3_000_000  # of a page: larger ones open slowly on a phone
SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
BUFFERS = ("pixels", "weights", "scales", "kept")
NUMBERS = {"image": "images", "layer": "layers", "head": "heads", "query": "queries"}  # a trait: how many there are


class Explorer(anywidget.AnyWidget):
    """A map of attention for an image, a layer, a head (-1: their mean) and a query (0: class token, 1 to N: patches).

    With mean pooling query 0 is the mean over queries. `mode` is "raw" or "rollout" (through the layers up to `layer`).
    These traits and the view follow each other. What `facts` and the buffers hold is written in `explorer.js`.
    """

    _esm = SCRIPT
    facts = traitlets.Dict().tag(sync=True)
    pixels, weights, scales, kept = (traitlets.Bytes().tag(sync=True) for _ in BUFFERS)
    image, layer, query = (traitlets.Int().tag(sync=True) for _ in range(3))
    head = traitlets.Int(-1).tag(sync=True)
    mode = traitlets.Enum(("raw", "rollout"), "raw").tag(sync=True)

    @traitlets.validate(*NUMBERS)
    def _check(self, proposal: dict) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        lowest, count = -1 if name == "head" else 0, self.facts[NUMBERS[name]]
        if not lowest <= value < count:
            raise traitlets.TraitError(f"{name} is {value}, expected {lowest} to {count - 1}")
        return value

    def state(self) -> dict:
        """What is chosen now."""
        return {name: getattr(self, name) for name in (*NUMBERS, "mode")}

    def chosen(self) -> tuple[Tensor, float]:
        """The weights shown now, as the view decodes them: (N,) on the patches, and the one on the class token."""
        f = self.facts
        shape = (f["images"], f["layers"], f["heads"] + 1, f["queries"])
        maps = [f["heads"]] if self.mode == "rollout" else range(f["heads"]) if self.head < 0 else [self.head]
        index = (self.image, self.layer, list(maps), self.query)
        levels = np.frombuffer(self.weights, np.uint8).reshape(*shape, -1)[index]
        scales, kept = (np.frombuffer(b, np.float32).reshape(shape)[index] for b in (self.scales, self.kept))
        return torch.from_numpy(levels * scales[:, None] / 255).mean(dim=0), float(kept.mean())

    def __repr__(self) -> str:
        return f"Explorer({', '.join(f'{name}={value!r}' for name, value in self.state().items())})"

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        bundle, metadata = super()._repr_mimebundle_(**kwargs)
        return {**bundle, "text/html": page(self), "image/png": base64.b64encode(picture(self)).decode()}, metadata


def explore(
    model: VisionTransformer,
    images: Tensor,
    classes: Sequence[str] | None = None,
    labels: Sequence[int] | Tensor | None = None,
    mean: Sequence[float] = (0.5,) * 3,
    std: Sequence[float] = (0.25,) * 3,
) -> Explorer:
    """Look into `model` at images (B, C, Y, X): uint8, normalised here by `mean` and `std`, or normalised floats.

    `classes` are the names of the model's classes, `labels` the true class of each image. The model stays as it was.
    Raises ValueError for images that do not fit the model, names or labels that do not fit in number, more than a page
    can hold (64 images, 3 MB), and weights that are not finite.
    """
    _check_input(model, images, classes, labels)
    if not len(mean) == len(std) == model.config.channels:
        raise ValueError(f"{len(mean)} means and {len(std)} deviations, expected {model.config.channels} of each")
    images = images.detach()
    if images.dtype == torch.uint8:
        shown, images = images, normalise(images, tuple(mean), tuple(std))
    else:  # undo (image - mean) / std: it is a normalisation too
        shown = normalise(images, tuple(-m / s for m, s in zip(mean, std, strict=True)), tuple(1 / s for s in std))
        shown = (255 * shown).round().clamp(0, 255).to(torch.uint8)
    logits, weights = _forward(model, images)
    rows, kept = _rows(weights, model.config.pool == "cls")
    scales = rows.amax(dim=-1)
    levels = (255 * rows / scales.clamp(min=1e-30)[..., None]).round()
    probabilities, guesses = logits.softmax(dim=-1).max(dim=-1)
    facts = {
        "images": len(images), "layers": len(weights), "heads": model.config.heads, "queries": rows.shape[-2],
        "grid": model.config.grid, "size": tuple(images.shape[-2:]), "classToken": model.config.pool == "cls",
        "classes": None if classes is None else list(classes),
        "labels": None if labels is None else [int(label) for label in labels],
        "predictions": [[int(guess), float(share)] for guess, share in zip(guesses, probabilities, strict=True)],
        "colours": [colors.to_hex(colour) for colour in colormaps["viridis"].colors],
    }  # fmt: skip
    shown = shown.cpu().expand(-1, 3, -1, -1).movedim(1, -1)
    buffers = (shown, levels.to(torch.uint8), scales, kept)
    packed = {name: tensor.contiguous().numpy().tobytes() for name, tensor in zip(BUFFERS, buffers, strict=True)}
    return Explorer(facts=facts, layer=len(weights) - 1, **packed)


def _check_input(model: VisionTransformer, images: Tensor, classes: Sequence | None, labels: Sequence | None) -> None:
    c, (rows, columns) = model.config, model.config.grid
    expected = (c.channels, rows * c.patch_size, columns * c.patch_size)
    if not isinstance(images, Tensor):
        raise ValueError(
            f"images are a {type(images).__name__}, expected a tensor (B, {', '.join(map(str, expected))})"
        )
    if images.ndim != 4 or images.shape[1:] != expected or not len(images):
        raise ValueError(f"images are {tuple(images.shape)}, expected (B, {', '.join(map(str, expected))})")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ValueError(f"images are of {images.dtype}, expected uint8 or normalised floats")
    if c.channels not in (1, 3):
        raise ValueError(f"images have {c.channels} channels, expected 1 (grey) or 3 (colour) to show them")
    if classes is not None and len(classes) != c.classes:
        raise ValueError(f"{len(classes)} names of classes, expected {c.classes}, as many as the model tells apart")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"{len(labels)} labels, expected {len(images)}, one an image")
    if labels is not None and not all(0 <= label < c.classes for label in labels):
        raise ValueError(f"labels run from {min(labels)} to {max(labels)}, expected 0 to {c.classes - 1}")
    if len(images) > MOST_IMAGES:
        raise ValueError(f"{len(images)} images, expected at most {MOST_IMAGES}")
    patches = rows * columns
    one = 3 * patches * c.patch_size**2 + c.depth * (c.heads + 1) * (1 + patches) * (patches + 8)  # bytes
    room = (MOST_BYTES - len(SCRIPT) - 10_000) * 3 // 4  # base64 writes 3 bytes as 4 letters
    if len(images) * one > room:
        raise ValueError(
            f"{len(images)} images take {4 / 3 * len(images) * one / 1e6:.1f} MB on a page, expected at most "
            f"{MOST_BYTES / 1e6:.0f}: {room // one} of this model's images fit"
        )


def _forward(model: VisionTransformer, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Logits and weights, float32 on the CPU, of one forward pass that leaves the model as it was."""
    seen = []
    hook = model.register_forward_hook(lambda _module, _inputs, output: seen.append(output[0]))
    try:
        weights = attention_maps(model, images.to(next(model.parameters())))
    finally:
        hook.remove()
    logits, *weights = (tensor.detach().float().cpu() for tensor in (seen[0], *weights))
    if not all(tensor.isfinite().all() for tensor in (logits, *weights)):
        raise ValueError("the model's logits or weights are not finite for these images, expected numbers")
    return logits, weights


def _rows(weights: list[Tensor], class_token: bool) -> tuple[Tensor, Tensor]:
    """What each query gives to the patches (B, depth, H + 1, 1 + N, N) and to the class token (B, depth, H + 1, 1 + N).

    The map after the heads is the rollout; without a class token the first query is the mean over queries.
    """
    joint = torch.stack([rollout(weights[: layer + 1]) for layer in range(len(weights))], dim=1)
    maps = torch.cat([torch.stack(weights, dim=1), joint[:, :, None]], dim=2)  # (B, depth, H + 1, T, T)
    if class_token:
        return maps[..., 1:], maps[..., 0]
    maps = torch.cat([maps.mean(dim=-2, keepdim=True), maps], dim=-2)
    return maps, torch.zeros(maps.shape[:-1])


def page(explorer: Explorer) -> str:
    """The explorer as one piece of HTML that needs nothing else: data and script inline, several fit on a page."""
    packed = {name: base64.b64encode(getattr(explorer, name)).decode() for name in BUFFERS}
    data = json.dumps({"facts": {**explorer.facts, "state": explorer.state()}, **packed}, separators=(",", ":"))
    data = data.replace("<", "\\u003c")  # a class may be called </script>
    return (
        f'<div class="vit-explorer"><script type="application/json">{data}</script>'
        "<noscript>The sliders over this model's attention need JavaScript.</noscript></div>\n"
        f'<script type="module">\n{SCRIPT}\nmountNext();\n</script>'
    )


def picture(explorer: Explorer) -> bytes:
    """The chosen map as a PNG: on the image, and alone with its scale."""
    f, (weights, kept) = explorer.facts, explorer.chosen()
    height, width = f["size"]
    rows, columns = f["grid"]
    image = np.frombuffer(explorer.pixels, np.uint8).reshape(-1, height, width, 3)[explorer.image]
    tall = WIDTH * 0.44 * height / width + 0.8
    figure = Figure(figsize=(WIDTH, tall), dpi=110, layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    overlay(left, torch.tensor(image).movedim(-1, 0), weights, (rows, columns))
    frame = (-0.5, width - 0.5, height - 0.5, -0.5)
    drawn = right.imshow(weights.reshape(rows, columns).numpy(), vmin=0, cmap="viridis", extent=frame)
    figure.colorbar(drawn, ax=right, shrink=0.85)
    right.axis("off")
    if explorer.query:
        row, column = divmod(explorer.query - 1, columns)
        corner, sides = (column * width / columns - 0.5, row * height / rows - 0.5), (width / columns, height / rows)
        for axis in (left, right):
            for colour, thick in (("white", 4), (QUERY, 2)):  # white edges show on any colour
                axis.add_patch(Rectangle(corner, *sides, fill=False, color=colour, linewidth=thick))
    figure.suptitle(_title(explorer, kept), fontsize=9)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})  # the same picture, the same bytes
    return file.getvalue()


def _title(explorer: Explorer, kept: float) -> str:
    """What the picture shows, in two lines."""
    f, through = explorer.facts, explorer.mode == "rollout"
    guess, probability = f["predictions"][explorer.image]
    name = f["classes"][guess] if f["classes"] else f"class {guess}"
    head = "rollout" if through else "mean over heads" if explorer.head < 0 else f"head {explorer.head}"
    row, column = divmod(explorer.query - 1, f["grid"][1])
    patch = f"patch row {row + 1}, column {column + 1}"
    query = patch if explorer.query else "class token" if f["classToken"] else "mean over queries"
    token = f" (class token: {kept:.3f})" if f["classToken"] else ""
    where = f"layer {explorer.layer + 1} of {f['layers']}, {head}, query: {query}{token}"
    return f"image {explorer.image + 1} of {f['images']}: {name}, {probability:.0%}\n{where}"
