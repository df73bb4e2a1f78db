"""The workbench: models and pictures on a page where a reader changes something and
sees the answer change. Nothing but the browser computes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor

from vit_tutorial.convert.web import web_model
from vit_tutorial.data.images import normalise
from vit_tutorial.explorer.encoding import deflate, pixels
from vit_tutorial.explorer.html import base64_text
from vit_tutorial.explorer.output import piece
from vit_tutorial.explorer.policy import ALONE, policy_tag
from vit_tutorial.explorer.widget import COLOURS, check_images, check_names
from vit_tutorial.interpret.attribution import ATTRIBUTIONS
from vit_tutorial.model import VisionTransformer

# a browser computes no gradients: these maps come with a picture
GRADIENT_MAPS = ("gradient x attention", "input gradient")


@dataclass(frozen=True)
class Subject:
    """A model and pictures for it: images (B, C, Y, X), uint8, of its size.

    `name` stands in links to the page, `title` and the images' `titles` are what a
    reader sees; classes, labels, mean and std are those of `explore`. Where the model
    lies beside the page, `address` is that of the script with it (`model_script`),
    relative to the page. With `paints` a reader can paint stacks for it.

    Raises ValueError for images, titles, names or labels that do not fit the model or
    in number.
    """

    name: str
    title: str
    model: VisionTransformer
    images: Tensor
    titles: Sequence[str]
    classes: Sequence[str] | None = None
    labels: Sequence[int] | None = None
    mean: Sequence[float] = (0.5,) * 3
    std: Sequence[float] = (0.25,) * 3
    address: str | None = None
    paints: bool = False

    def __post_init__(self) -> None:
        check_images(self.model.config, self.images)
        check_names(self.model.config, len(self.images), self.classes, self.labels)
        if self.images.dtype != torch.uint8:
            raise ValueError(f"images are of {self.images.dtype}, expected uint8")
        if len(self.titles) != len(self.images):
            raise ValueError(
                f"{len(self.titles)} titles, expected {len(self.images)}, one per image"
            )


def workbench(subjects: Sequence[Subject]) -> str:
    """The workbench as one piece of HTML: data, script and style inline, and every
    model that has no address of its own.
    """
    data = {"colours": COLOURS, "subjects": [described(each) for each in subjects]}
    return piece("workbench", data, "The workbench needs JavaScript.")


def document(title: str, content: str) -> str:
    """A page of its own, which follows the reader's theme. Nothing comes into it from
    elsewhere, and nothing leaves it.
    """
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
{policy_tag(content, ALONE)}
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
:root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}
body {{ max-width: 64rem; margin: 1rem auto; padding: 0 1rem; }}
</style>
{content}
"""


def described(subject: Subject) -> dict:
    """What the page knows of a subject."""
    c = subject.model.config
    model = packed_model(subject)
    return {
        "name": subject.name,
        "title": subject.title,
        "layers": c.depth,
        "heads": c.heads,
        "patches": c.grid[0] * c.grid[1],
        "grid": c.grid,
        "size": c.sides,
        "channels": c.channels,
        "outputs": c.classes,
        "classes": None if subject.classes is None else list(subject.classes),
        "classToken": c.pool == "cls",
        "bytes": len(model["weights"]),
        "address": subject.address,
        "paints": subject.paints,
        "model": None if subject.address else model,
        "pictures": pictures(subject),
    }


def packed_model(subject: Subject) -> dict:
    """A model in half precision, but for its vectors. Raises ValueError for one that
    the browser's engine does not know.
    """
    about, weights = web_model(subject.model, None, subject.mean, subject.std, "mixed")
    return {"description": about, "weights": base64_text(deflate(weights))}


def model_script(subject: Subject) -> str:
    """The script at a subject's address: a page from the disk may load a script, and
    fetch nothing.
    """
    name = json.dumps(subject.name)
    content = json.dumps(packed_model(subject), separators=(",", ":"))
    return f"(globalThis.vitModels ??= {{}})[{name}] = {content};\n"


def pictures(subject: Subject) -> list[dict]:
    """Each picture's title, pixels and label, and the maps of what its class rests on,
    (N,) from 0 to 255.
    """
    images = normalise(subject.images, subject.mean, subject.std)
    scores = {
        name: ATTRIBUTIONS[name](subject.model, images).clamp(min=0)
        for name in GRADIENT_MAPS
    }
    levels = {
        name: (255 * score / score.amax(dim=1, keepdim=True).clamp(min=1e-30))
        .round()
        .int()
        .tolist()
        for name, score in scores.items()
    }
    labels = [None] * len(images) if subject.labels is None else subject.labels
    return [
        {
            "title": title,
            "pixels": base64_text(deflate(shown)),
            "label": None if label is None else int(label),
            "scores": {name: levels[name][at] for name in levels},
        }
        for at, (title, shown, label) in enumerate(
            zip(subject.titles, pixels(subject.images), labels, strict=True)
        )
    ]
