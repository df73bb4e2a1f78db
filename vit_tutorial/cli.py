"""The command line: train, evaluate, attend, download. A user's mistake is one line and exit code 2."""

import argparse
import inspect
import io
import json
import shlex
import sys
from pathlib import Path

import torch
from jsonargparse import Namespace
from matplotlib.figure import Figure
from torch import Tensor

from vit_tutorial.augment import AugmentConfig
from vit_tutorial.checkpoint import find_weights, load_checkpoint, read_record, write_file
from vit_tutorial.config import ViTConfig
from vit_tutorial.data import DataConfig, load_split, normalise, read_image
from vit_tutorial.download import download_stl10
from vit_tutorial.fonts import fitted, literal
from vit_tutorial.look import attention_maps, rollout
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.parser import ConfigFile, Parser, one_line, plainly
from vit_tutorial.plots import WIDTH, overlay, picture
from vit_tutorial.processes import rank
from vit_tutorial.strong import StrongConfig
from vit_tutorial.train import TrainConfig, evaluate, pick_device, train

PROGRAM = "python -m vit_tutorial"
EXPLAINED = {  # the groups of flags, and whose docstring explains them
    "model": ViTConfig,
    "data": DataConfig,
    "training": TrainConfig,
    "training.augment": AugmentConfig,
    "training.strong": StrongConfig,
}


def make_parser(defaults: dict) -> Parser:
    """The parser of all commands; `defaults` are the settings of the run that the command goes on with or looks at."""
    parser = Parser(prog=PROGRAM, description="Train a Vision Transformer and look into it.")
    commands = parser.add_subcommands(required=True, metavar="command")
    checkpoint = {
        "type": str,
        "required": True,
        "help": "a run's folder, a .safetensors file in one, or a shipped name",
    }

    command = Parser(description="Train a model. What is said here overrides --config.")
    command.add_argument(
        "--config",
        action=ConfigFile,
        help="stacks, stacks-decoys, stl10, stl10-laptop, stl10-seed, stl10-small, or the path of a YAML file",
    )
    command.add_argument("--out", type=str, required=True, help="folder of the run")
    command.add_argument("--resume", action="store_true", help="go on with the run in --out")
    for name, settings in {"model": ViTConfig, "data": DataConfig, "training": TrainConfig}.items():
        command.add_class_arguments(settings, name)
    explain(command)
    command.set_defaults(defaults)
    commands.add_subcommand("train", command, help="train a model")

    command = Parser(
        description="Measure accuracy; the last line is a JSON object. --data defaults to that of the run."
    )
    command.add_argument("--checkpoint", **checkpoint)
    command.add_argument("--split", choices=["train", "val", "test"], default="val")
    command.add_argument("--device", type=str, default="auto")
    command.add_class_arguments(DataConfig, "data")
    explain(command)
    command.set_defaults({"data": defaults.get("data", {})})
    commands.add_subcommand("evaluate", command, help="measure a model's accuracy")

    command = Parser(description="Draw the attention of the class token over pictures, with the predicted class.")
    command.add_argument("images", nargs="+", type=str, help="files of images")
    command.add_argument("--checkpoint", **checkpoint)
    command.add_argument("--out", type=str, required=True, help="file of the figure: .png, .pdf, .svg")
    command.add_argument("--layer", type=int | None, default=None, help="counted from 0; default: the last")
    command.add_argument("--head", type=int | None, default=None, help="counted from 0; default: the mean over heads")
    command.add_argument("--rollout", action="store_true", help="through all layers, instead of one")
    commands.add_subcommand("attend", command, help="draw attention over pictures")

    command = Parser(description="Download a data set.")
    command.add_argument("name", choices=["stl10"])
    command.add_argument("--root", type=str, default="data", help="folder to put it in")
    commands.add_subcommand("download", command, help="download a data set")
    return parser


def explain(command: Parser) -> None:
    """Show in --help what the docstrings say of the settings; jsonargparse takes only their first line."""
    for name, group in command.groups.items():
        words = inspect.getdoc(EXPLAINED[name]).partition("\n\n")[2]
        group.description = words.partition("Raises ValueError")[0]


def peek(argv: list[str]) -> argparse.Namespace:
    """The run that a command is about, before everything is parsed: its defaults come from there."""
    parser = argparse.ArgumentParser(add_help=False, exit_on_error=False, allow_abbrev=False)
    for name in ("--out", "--checkpoint"):
        parser.add_argument(name, nargs="?")
    parser.add_argument("--resume", action="store_true")
    return parser.parse_known_args(argv)[0]


def known_run(argv: list[str]) -> Path | None:
    """The folder of the run that is resumed or evaluated: its settings are the defaults of everything not said."""
    known = peek(argv)
    if argv[:1] == ["evaluate"] and known.checkpoint:
        return find_weights(known.checkpoint).parent
    if argv[:1] == ["train"] and known.resume and known.out and (Path(known.out) / "config.json").is_file():
        return Path(known.out)
    return None


def parser_for(argv: list[str]) -> Parser:
    """The parser of all commands, with the defaults for this one."""
    folder = known_run(argv)
    if folder is None:
        return make_parser({})
    config = read_record(folder).config
    try:
        return make_parser({name: config.get(name, {}) for name in ("model", "data", "training")})
    except KeyError as error:  # from set_defaults
        raise ValueError(f"{folder / 'config.json'} holds an unknown setting: {plainly(error.args[0])}") from error


def how_to_go_on(argv: list[str]) -> str:
    """What to tell a user who interrupted the command."""
    if argv[0] != "train" or not (Path(peek(argv).out) / "state.safetensors").is_file():
        return "interrupted"
    return f"interrupted; go on with: {PROGRAM} {shlex.join(argv + ['--resume'] * ('--resume' not in argv))}"


def config_first(argv: list[str]) -> list[str]:
    """Move --config to the front: the parser lets the later win, and what was typed shall win over a file."""
    for place, word in enumerate(argv):
        if word == "--config" or word.startswith("--config="):
            end = place + 1 + (word == "--config")
            return argv[:1] + argv[place:end] + argv[1:place] + argv[end:]
    return argv


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns its exit code: 0, 2 for a user's mistake, 130 when interrupted."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        parser = parser_for(argv)
        settings = parser.instantiate(parser.parse_args(config_first(argv)))
        COMMANDS[settings.subcommand](settings[settings.subcommand])
    except KeyboardInterrupt:
        print("\n" + how_to_go_on(argv), file=sys.stderr)
        return 130
    except (ValueError, OSError, FloatingPointError, torch.OutOfMemoryError, argparse.ArgumentError) as error:
        sys.stderr.write(one_line(error))
        return 2
    return 0


def run_train(settings: Namespace) -> None:
    model, record = train(
        settings.model, settings.data, settings.training, settings.out, settings.resume, report=print_row
    )
    if rank() > 0:
        return
    print(f"The run is in {settings.out}: {count_parameters(model):,} parameters after epoch {len(record.history)}.")
    print(f"Measure it with: {PROGRAM} evaluate --checkpoint {shlex.quote(settings.out)} --split val")


def print_row(row: dict) -> None:
    parts = [
        f"{part} loss {row[part + '_loss']:.3f} accuracy {row[part + '_accuracy']:6.1%}" for part in ("train", "val")
    ]
    print(
        f"epoch {row['epoch']:3}: {', '.join(parts)}, rate {row['learning_rate']:.1e}, {row['seconds']:.0f} s",
        flush=True,
    )


def run_evaluate(settings: Namespace) -> None:
    model, record = load_checkpoint(settings.checkpoint, pick_device(settings.device))
    data = load_split(settings.data, settings.split)
    if data.classes != record.classes:
        raise ValueError(f"the data have classes {data.classes}, the model was trained for {record.classes}")
    scores = evaluate(model, data, record.mean, record.std)
    about = {"checkpoint": settings.checkpoint, "data": settings.data.name, "split": settings.split}
    print(json.dumps(scores | about | {"epochs": len(record.history)}))


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
    print(f"{settings.out}: {name}, over {len(images)} image{'s' * (len(images) > 1)}")


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


COMMANDS = {"train": run_train, "evaluate": run_evaluate, "attend": run_attend, "download": run_download}
