"""Attention under sliders, live in a notebook; `html.py` makes the page and the picture
of it.
"""

import base64
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
import traitlets
from matplotlib import colormaps
from torch import Tensor

from vit_tutorial.config import ViTConfig
from vit_tutorial.data.images import normalise, to_device_of
from vit_tutorial.explorer.choices import Choices
from vit_tutorial.explorer.encoding import (
    MOST_BYTES,
    Source,
    deflate,
    pack,
    pixels,
    run_model,
)
from vit_tutorial.explorer.html import SCRIPT, STYLE, page, picture
from vit_tutorial.interpret.attention import require_tokens
from vit_tutorial.model import VisionTransformer

MOST_IMAGES = 64
# of all images, epochs, layers and heads: far more than a page can hold
MOST_WEIGHTS = 24_000_000
# how far a normalised image may be from its picture: a tenth of a shade or so
SAME = 2e-3
# steps from 0 to a row's largest weight: as many as fit a page
QUANTIZATION_LEVELS = (255, 191, 127, 95, 63, 47, 31, 23, 15)
COLOURS = (
    (255 * colormaps["viridis"](range(256)))
    .round()
    .astype(np.uint8)
    .view("<u4")
    .ravel()
    .tolist()
)


# of a message to the view: what it says, and the bytes beside it
Answer = tuple[dict, list[bytes]]


class Explorer(Choices):
    """A map of attention for an image, a layer, a head (-1: their mean) and a query (0:
    class token, 1 to N: patches).

    With mean pooling query 0 is the mean over queries. `mode` is "raw" or "rollout"
    (through the layers up to `layer`), `epoch` that of the snapshot, `opacity` that of
    the weights on the image, `dropped` the patches the model does not get to see. These
    traits and the view follow each other. `views` holds `encoding.pack`, image by image
    and in each epoch by epoch. What is seen without the dropped patches, view and
    kernel compute each for itself: the view by the engine that pages have
    (`in_browser`), or else by asking the kernel.
    """

    in_browser = traitlets.Bool().tag(sync=True)

    _esm = SCRIPT
    _css = STYLE

    def __init__(self, source: Source, **traits) -> None:
        self.source = source
        super().__init__(**traits)
        self.on_msg(lambda _widget, content, buffers: _answer(self, content, buffers))

    @traitlets.observe("image")
    def _restore(self, _change: dict) -> None:
        self.dropped = []  # another image is whole again

    def add(self, picture: Tensor) -> None:
        """Append a picture (3, Y, X), uint8 RGB of the model's size, and move to it.
        Raises ValueError, one line.
        """
        count = self.metadata["images"]
        labels = self.metadata["labels"]
        if count >= MOST_IMAGES:
            raise ValueError(
                f"{count} images are here, expected at most {MOST_IMAGES}: there is no"
                " room for another"
            )
        shown, views = self.source.append(picture)
        with self.hold_sync():  # one message to the view
            self.metadata = {
                **self.metadata,
                "images": count + 1,
                "labels": labels and [*labels, None],
            }
            self.pictures = [*self.pictures, shown]
            self.views = [*self.views, *views]
            self.image = count

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        bundle, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {
            **bundle,
            "text/html": page(self),
            "image/png": base64.b64encode(picture(self)).decode(),
        }, metadata


def _in_browser(source: Source, epoch: int | None) -> bool:
    """Whether the browser's engine can compute with the model of this epoch."""
    try:
        source.for_browser(epoch)
    except ValueError:
        return False
    return True


def _answer(explorer: Explorer, content: dict, buffers: list[memoryview]) -> None:
    """Answer a question of the view (`js/explorer/kernel.js`) by its number, or say in
    one line why not.
    """
    try:
        said, sent = QUESTIONS[content["kind"]](explorer, content, buffers)
    except (ValueError, RuntimeError) as error:  # the latter of a reader's own model
        said, sent = {"error": str(error).partition("\n")[0]}, []
    explorer.send({"number": content["number"], **said}, sent)


def _take(explorer: Explorer, content: dict, buffers: list[memoryview]) -> Answer:
    """Append a picture from the browser, RGB bytes."""
    height, width = explorer.metadata["size"]
    if len(buffers) != 1 or len(buffers[0]) != 3 * height * width:
        raise ValueError(
            f"{content.get('name')} did not arrive as {width} x {height} pixels"
        )
    values = torch.from_numpy(np.frombuffer(buffers[0], np.uint8).copy())
    explorer.add(values.reshape(height, width, 3).movedim(-1, 0))
    return {}, []


def _send_model(explorer: Explorer, content: dict, _buffers: list) -> Answer:
    """The model of an epoch, for the browser's engine."""
    about, weights = explorer.source.for_browser(content["epoch"])
    return {"description": about}, [weights]


def _send_view(explorer: Explorer, content: dict, _buffers: list) -> Answer:
    """The view of an image without some patches, where the engine cannot compute it."""
    asked = (content[name] for name in ("dropped", "image", "epoch"))
    return {}, [explorer.source.without(*asked)]


QUESTIONS = {"picture": _take, "model": _send_model, "view": _send_view}


def explore(
    model: VisionTransformer,
    images: Tensor,
    classes: Sequence[str] | None = None,
    labels: Sequence[int] | Tensor | None = None,
    mean: Sequence[float] = (0.5,) * 3,
    std: Sequence[float] = (0.25,) * 3,
    snapshots: dict[int, VisionTransformer] | None = None,
) -> Explorer:
    """Look into `model` at images (B, C, Y, X): uint8, normalised here by `mean` and
    `std`, or normalised floats.

    `classes` are the names of the model's classes, `labels` the true class of each
    image. `snapshots` are models of the same config by epoch; a slider moves through
    them, and they are shown in place of `model`, the last one first. A model with mean
    pooling has no class token: in its place stands the mean over queries. Dropped
    patches and own pictures are computed when asked for, with the models as they then
    are; a browser that computes asks for a model once. All models stay as they were. A
    page holds 3 MB; where much must fit, weights are kept in fewer than 255 steps, and
    the view says so. Raises ValueError for a model without tokens, for images, names,
    labels or snapshots that do not fit the model or in number, for more than a page can
    hold (64 images at most), and for weights that are not finite.
    """
    c = require_tokens(model).config
    mean = tuple(mean)
    std = tuple(std)
    check_images(c, images)
    check_names(c, len(images), classes, labels)
    if not len(mean) == len(std) == c.channels:
        raise ValueError(
            f"{len(mean)} means and {len(std)} deviations, expected {c.channels} of"
            " each"
        )
    models: dict[int | None, VisionTransformer] = (
        {None: model} if snapshots is None else _check_snapshots(c, snapshots)
    )
    patches = c.grid[0] * c.grid[1]
    weights = (
        len(images) * len(models) * c.depth * (c.heads + 1) * (1 + patches) * patches
    )
    if weights > MOST_WEIGHTS:
        most = MOST_WEIGHTS * len(images) // weights
        raise ValueError(
            f"{len(images)} images have {weights / 1e6:.1f} million weights, expected"
            f" at most {MOST_WEIGHTS / 1e6:.0f}: {most} of this model's images fit"
        )
    images = images.detach()
    if images.dtype == torch.uint8:
        shown = images
        images = normalise(images, mean, std)
    else:
        offset, scale = (
            to_device_of(images, torch.tensor(values)[:, None, None])
            for values in (mean, std)
        )
        shown = (255 * (images * scale + offset)).round().clamp(0, 255).to(torch.uint8)
    pictures = pixels(shown)
    quantization_levels, views = _fit(
        pictures, [run_model(each, images) for each in models.values()]
    )
    metadata = {
        "images": len(images),
        "layers": c.depth,
        "heads": c.heads,
        "patches": patches,
        "grid": c.grid,
        "size": c.sides,
        "channels": c.channels,
        "epochs": list(models),
        "quantizationLevels": quantization_levels,
        "classToken": c.pool == "cls",
        "outputs": c.classes,
        "classes": None if classes is None else list(classes),
        "labels": None if labels is None else [int(label) for label in labels],
        "colours": COLOURS,
    }
    # half precision may round them; other means and deviations, or finer shades, differ
    # by more
    exact = torch.allclose(
        normalise(shown, mean, std), images.float(), rtol=0, atol=SAME
    )
    source = Source(models, images, mean, std, quantization_levels, exact)
    last = list(models)[-1]
    return Explorer(
        source,
        metadata=metadata,
        pictures=pictures,
        views=views,
        layer=c.depth - 1,
        epoch=last,
        in_browser=_in_browser(source, last),
    )


def check_images(config: ViTConfig, images: Tensor) -> None:
    c = config
    expected = f"(B, {', '.join(map(str, (c.channels, *c.sides)))})"
    if not isinstance(images, Tensor):
        raise ValueError(
            f"images are a {type(images).__name__}, expected a tensor {expected}"
        )
    if (
        images.ndim != 4
        or images.shape[1:] != (c.channels, *c.sides)
        or not len(images)
    ):
        raise ValueError(f"images are {tuple(images.shape)}, expected {expected}")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ValueError(
            f"images are of {images.dtype}, expected uint8 or normalised floats"
        )
    if c.channels not in (1, 3):
        raise ValueError(
            f"images have {c.channels} channels, expected 1 (grey) or 3 (colour) to"
            " show them"
        )
    if len(images) > MOST_IMAGES:
        raise ValueError(f"{len(images)} images, expected at most {MOST_IMAGES}")


def check_names(
    config: ViTConfig,
    count: int,
    classes: Sequence | None,
    labels: Sequence[int] | Tensor | None,
) -> None:
    if classes is not None and len(classes) != config.classes:
        raise ValueError(
            f"{len(classes)} names of classes, expected {config.classes}, as many as"
            " the model tells apart"
        )
    if labels is not None and len(labels) != count:
        raise ValueError(f"{len(labels)} labels, expected {count}, one per image")
    if labels is not None and not all(0 <= label < config.classes for label in labels):
        raise ValueError(
            f"labels run from {min(labels)} to {max(labels)}, expected 0 to"
            f" {config.classes - 1}"
        )


def _check_snapshots(
    config: ViTConfig, snapshots: dict[int, VisionTransformer]
) -> dict[int | None, VisionTransformer]:
    """The snapshots in the order of their epochs."""
    if not isinstance(snapshots, dict) or not snapshots:
        raise ValueError(
            f"snapshots are {snapshots!r:.60}, expected a dict of at least one epoch"
            " and its model"
        )
    for epoch, model in snapshots.items():
        if type(epoch) is not int or epoch < 0:
            raise ValueError(
                f"a snapshot's epoch is {epoch!r}, expected a whole number of at"
                " least 0"
            )
        if not hasattr(model, "config"):
            raise ValueError(
                f"the snapshot of epoch {epoch} is a {type(model).__name__}, expected a"
                " model"
            )
        for name, expected in vars(config).items():
            if (found := getattr(model.config, name, None)) != expected:
                raise ValueError(
                    f"the snapshot of epoch {epoch} has {name} {found!r}, expected"
                    f" {expected!r} as the model"
                )
    return dict(sorted(snapshots.items()))


def _fit(
    pictures: list[bytes], seen: list[tuple[Tensor, Tensor]]
) -> tuple[int, list[bytes]]:
    """The most levels that fit a page, and the views at these. Raises ValueError when
    even the fewest do not fit.
    """
    own = [len(deflate(picture)) for picture in pictures]
    hopeful: float = max(QUANTIZATION_LEVELS)
    count = sum(weights[..., 1:].numel() for _, weights in seen)
    for quantization_levels in QUANTIZATION_LEVELS:
        if quantization_levels > hopeful and quantization_levels > min(
            QUANTIZATION_LEVELS
        ):
            continue
        by_epoch = [
            pack(probabilities, weights, quantization_levels)
            for probabilities, weights in seen
        ]
        views = [list(one) for one in zip(*by_epoch, strict=True)]  # image by image
        sizes = [
            size + sum(len(deflate(view)) for view in one)
            for size, one in zip(own, views, strict=True)
        ]
        if sum(sizes) <= MOST_BYTES:
            return quantization_levels, [view for one in views for view in one]
        # half the levels save a bit at most
        hopeful = quantization_levels / 2 ** (8 * (sum(sizes) - MOST_BYTES) / count)
    most = sum(total <= MOST_BYTES for total in accumulate(sizes))
    raise ValueError(
        f"{len(pictures)} images take {sum(sizes) / 1e6:.1f} MB on a page, expected at"
        f" most {MOST_BYTES / 1e6:.0f}: {most} of these images fit"
    )
