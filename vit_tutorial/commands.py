"""What each command does, once its words are understood."""

import io
import json
import math
import os
import shlex
from pathlib import Path

import torch
from jsonargparse import Namespace
from matplotlib.figure import Figure
from torch import Tensor

from vit_tutorial.checkpoint import load_checkpoint, shipped_names, write_file
from vit_tutorial.console import PROGRAM, print_row, say
from vit_tutorial.data import load_split, normalise, read_image
from vit_tutorial.download import download_stl10
from vit_tutorial.fonts import fitted, literal
from vit_tutorial.look import attention_maps, rollout
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.plots import WIDTH, overlay, picture
from vit_tutorial.processes import rank
from vit_tutorial.train import evaluate, pick_device, train


def run_train(settings: Namespace) -> None:
    model, record = train(
        settings.model, settings.data, settings.training, settings.out, settings.resume, report=print_row
    )
    if rank() > 0:
        return
    say(f"The run is in {settings.out}: {count_parameters(model):,} parameters after epoch {len(record.history)}.")
    place = os.path.join(os.curdir, settings.out) if settings.out in shipped_names() else settings.out
    say(f"Measure it with: {PROGRAM} evaluate --checkpoint {shlex.quote(place)} --split val")


def run_evaluate(settings: Namespace) -> None:
    model, record = load_checkpoint(settings.checkpoint, pick_device(settings.device))
    data = load_split(settings.data, settings.split)
    if data.classes != record.classes:
        raise ValueError(f"the data have classes {data.classes}, the model was trained for {record.classes}")
    scores = evaluate(model, data, record.mean, record.std)
    if not math.isfinite(scores["loss"]):
        raise FloatingPointError(f"the loss is {scores['loss']}: the weights of {settings.checkpoint} are of no use")
    about = {"checkpoint": settings.checkpoint, "data": settings.data.name, "split": settings.split}
    say(json.dumps(scores | about | {"epochs": len(record.history)}))


def run_attend(settings: Namespace) -> None:
    if not Path(settings.out).parent.is_dir():
        raise ValueError(f"--out is {settings.out}, but there is no folder {Path(settings.out).parent}")
    model, record = load_checkpoint(settings.checkpoint)
    size = model.config.image_size
    size = (size, size) if isinstance(size, int) else size
    images = torch.stack([read_image(Path(path), size, model.config.channels) for path in settings.images])
    inputs = normalise(images, record.mean, record.std)
    with torch.no_grad():
        best, classes = model(inputs).softmax(dim=1).max(dim=1)
    weights, name = chosen_attention(model, attention_maps(model, inputs), settings)
    titles = [f"{record.classes[label]}\n{share:.0%}" for label, share in zip(classes, best, strict=True)]
    figure, file = draw_attention(images, weights, model.config.grid, titles, name), io.BytesIO()
    figure.savefig(file, format=Path(settings.out).suffix[1:] or "png")
    write_file(Path(settings.out), file.getvalue())
    say(f"{settings.out}: {name}, over {len(images)} image{'s' * (len(images) > 1)}")


def chosen_attention(model: VisionTransformer, maps: list[Tensor], settings: Namespace) -> tuple[Tensor, str]:
    """The attention the user asked for, (B, N), and its name. Without a class token it is the mean over queries."""
    for name, count in {"layer": len(maps), "head": model.config.heads}.items():
        if settings[name] is not None and settings.rollout:
            raise ValueError(f"--rollout goes through all layers and heads, but --{name} was given, too")
        if settings[name] is not None and not 0 <= settings[name] < count:
            raise ValueError(f"{name} is {settings[name]}, but the model has {name}s 0 to {count - 1}")
    layer = len(maps) - 1 if settings.layer is None else settings.layer
    if settings.rollout:
        weights, name = rollout(maps), "rollout through all layers"
    elif settings.head is None:
        weights, name = maps[layer].mean(dim=1), f"layer {layer}, mean over heads"
    else:
        weights, name = maps[layer][:, settings.head], f"layer {layer}, head {settings.head}"
    if model.config.pool == "cls":
        return weights[:, 0, 1:], f"attention of the class token: {name}"
    return weights.mean(dim=1), f"attention, mean over queries: {name}"


def draw_attention(images: Tensor, weights: Tensor, grid: tuple[int, int], titles: list[str], name: str) -> Figure:
    """Each image, and beside it the image under its attention (N,) with the prediction written on it."""
    columns = min(2, len(images))
    rows = -(-len(images) // columns)
    height = WIDTH / 2 / columns * images.shape[-2] / images.shape[-1]
    figure = Figure(figsize=(WIDTH, rows * height + 0.25), dpi=150, layout="constrained")
    figure.supxlabel(f"{name} (yellow: most)", fontsize=8)
    axes = figure.subplots(rows, 2 * columns, squeeze=False).reshape(-1, 2)
    for axis in axes.flat:
        axis.axis("off")
    for (plain, covered), image, weight, title in zip(axes, images, weights, titles, strict=False):
        plain.imshow(picture(image), cmap="gray" if len(image) == 1 else None)
        overlay(covered, image, weight, grid)
        covered.text(0.04, 0.05, literal(title), transform=covered.transAxes, fontsize=11 if columns == 1 else 8,
                     color="white", clip_on=True,
                     bbox={"facecolor": "black", "alpha": 0.6, "linewidth": 0})  # fmt: skip
    return fitted(figure)


def run_download(settings: Namespace) -> None:
    download_stl10(settings.root)
