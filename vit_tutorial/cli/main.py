"""The command line: train, evaluate, probe, predict, attend, workbench, export,
download. A user's mistake is one line and exit code 2.
"""

import argparse
import inspect
import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from vit_tutorial import __version__
from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.cli.console import PROGRAM, in_words, one_line, say, typed
from vit_tutorial.cli.parser import ConfigFile, Parser, packaged_configs
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.files import user_word
from vit_tutorial.selfsup.config import DINOConfig, MaskingConfig
from vit_tutorial.training.config import TrainConfig

EXPLAINED = {  # the groups of flags, and whose docstring explains them
    "model": ViTConfig,
    "data": DataConfig,
    "training": TrainConfig,
    "training.augment": AugmentConfig,
    "training.mixing": MixingConfig,
    "training.masking": MaskingConfig,
    "training.dino": DINOConfig,
}


def make_parser(defaults: dict) -> Parser:
    """The parser of all commands; `defaults` are the settings of the run that the
    command goes on with or looks at.
    """
    parser = Parser(
        prog=PROGRAM,
        description="Train a Vision Transformer and look into it.",
        version=__version__,
    )
    commands = parser.add_subcommands(required=True, metavar="command")
    checkpoint: dict[str, Any] = {
        "type": str,
        "required": True,
        "help": "a run's folder, a .safetensors file in one, or a shipped name",
    }

    command = Parser(description="Train a model. What is said here overrides --config.")
    command.add_argument(
        "--config",
        action=ConfigFile,
        help=f"{', '.join(sorted(packaged_configs()))}, or the path of a YAML file",
    )
    command.add_argument("--out", type=str, required=True, help="folder of the run")
    command.add_argument(
        "--resume", action="store_true", help="go on with the run in --out"
    )
    command.add_argument(
        "--quiet",
        type=bool,
        default=False,
        help="true: no bar and no line an epoch; what goes wrong is said",
    )
    for name, settings in {
        "model": ViTConfig,
        "data": DataConfig,
        "training": TrainConfig,
    }.items():
        command.add_class_arguments(settings, name)
    command.add_argument(
        "--init",
        dest="training.init",
        default=argparse.SUPPRESS,
        type=str,
        help="start with the weights of this run; short for --training.init",
    )
    explain(command)
    command.set_defaults(defaults)
    commands.add_subcommand("train", command, help="train a model")

    command = Parser(
        description=(
            "Measure accuracy; the last line is a JSON object. --data defaults to that"
            " of the run."
        )
    )
    command.add_argument("--checkpoint", **checkpoint)
    command.add_argument("--split", choices=["train", "val", "test"], default="val")
    command.add_argument(
        "--detail",
        type=bool,
        default=False,
        help="true: also each class's accuracy, and which is taken for which",
    )
    command.add_argument("--device", type=str, default="auto")
    command.add_class_arguments(DataConfig, "data")
    explain(command)
    command.set_defaults({"data": defaults.get("data", {})})
    commands.add_subcommand("evaluate", command, help="measure a model's accuracy")

    command = Parser(
        description=(
            "Measure frozen features: a k-NN and a linear classifier learn from those"
            " of the training split. The last line is a JSON object. --data defaults to"
            " that of the run. Needs vit-tutorial[chapters]."
        )
    )
    command.add_argument("--checkpoint", **checkpoint)
    command.add_argument("--split", choices=["val", "test"], default="val")
    command.add_argument("--k", type=int, default=20, help="neighbours that vote")
    command.add_argument(
        "--tokens",
        choices=["cls", "mean"],
        default=None,
        help="whose features; default: as the model pools",
    )
    command.add_argument("--device", type=str, default="auto")
    command.add_class_arguments(DataConfig, "data")
    explain(command)
    command.set_defaults({"data": defaults.get("data", {})})
    commands.add_subcommand("probe", command, help="measure a model's features")

    command = Parser(
        description=(
            "Name what pictures show: a JSON object a line for each file. A file that"
            " cannot be read is a line on stderr, and exit code 2 at the end."
        )
    )
    command.add_argument("images", nargs="+", type=str, help="files of images")
    command.add_argument("--checkpoint", **checkpoint)
    command.add_argument("--topk", type=int, default=5, help="classes a picture")
    command.add_argument("--device", type=str, default="auto")
    commands.add_subcommand("predict", command, help="name what pictures show")

    command = Parser(
        description=(
            "Draw the attention of the class token over pictures, with the predicted"
            " class."
        )
    )
    command.add_argument("images", nargs="+", type=str, help="files of images")
    command.add_argument("--checkpoint", **checkpoint)
    command.add_argument(
        "--out", type=str, required=True, help="file of the figure: .png, .pdf, .svg"
    )
    command.add_argument(
        "--layer",
        type=int | None,
        default=None,
        help="counted from 0; default: the last",
    )
    command.add_argument(
        "--head",
        type=int | None,
        default=None,
        help="counted from 0; default: the mean over heads",
    )
    command.add_argument(
        "--rollout", action="store_true", help="through all layers, instead of one"
    )
    commands.add_subcommand("attend", command, help="draw attention over pictures")

    command = Parser(
        description=(
            "Write a page that holds the model and these pictures: there patches can be"
            " hidden, heads silenced and states copied, in any browser, offline."
        )
    )
    command.add_argument("images", nargs="+", type=str, help="files of images")
    command.add_argument("--checkpoint", **checkpoint)
    command.add_argument("--out", type=str, required=True, help="file of the page")
    commands.add_subcommand(
        "workbench", command, help="take a model apart in a browser"
    )

    command = Parser(
        description=(
            "Write a model for other programs: web is model.json and model.bin, which"
            " explorer/js/vit.js of this package loads in a browser; onnx is one file"
            " that takes pictures of any size, uint8, and gives logits and attention."
        )
    )
    command.add_argument("--checkpoint", **checkpoint)
    command.add_argument("--format", choices=["web", "onnx"], required=True)
    command.add_argument(
        "--out",
        type=str,
        required=True,
        help="web: folder of the files; onnx: the file of the model",
    )
    command.add_argument(
        "--dtype",
        choices=["float32", "float16"],
        default="float32",
        help="of the weights; float16, of web only, is half as large",
    )
    commands.add_subcommand("export", command, help="write a model for other programs")

    command = Parser(description="Download a data set.")
    command.add_argument("name", choices=["stl10"])
    command.add_argument("--root", type=str, default="data", help="folder to put it in")
    command.add_argument(
        "--unlabelled",
        type=bool,
        default=False,
        help="also the 100,000 images without labels: 2.6 GB to fetch, 3.1 GB to keep",
    )
    commands.add_subcommand("download", command, help="download a data set")
    return parser


def explain(command: Parser) -> None:
    """Show in --help what the docstrings say of the settings; jsonargparse takes only
    their first line.
    """
    for name, group in (command.groups or {}).items():
        words = (inspect.getdoc(EXPLAINED[name]) or "").partition("\n\n")[2]
        group.description = words.partition("Raises ValueError")[0]


def preparse(argv: list[str]) -> argparse.Namespace:
    """The run that a command is about, before everything is parsed: its defaults come
    from there.
    """
    parser = argparse.ArgumentParser(
        add_help=False, exit_on_error=False, allow_abbrev=False
    )
    for name in ("--out", "--checkpoint"):
        parser.add_argument(name, nargs="?")
    parser.add_argument("--resume", action="store_true")
    return parser.parse_known_args(argv)[0]


def known_settings(argv: list[str]) -> dict:
    """The settings of the run that is resumed or measured, the defaults of everything
    not said. What computes is imported only where there is such a run.
    """
    known = preparse(argv)
    measured = known.checkpoint if argv[:1] in (["evaluate"], ["probe"]) else None
    resumed = known.out if argv[:1] == ["train"] and known.resume else None
    if not measured and not resumed:
        return {}
    from vit_tutorial.training.checkpoint import find_weights, read_state
    from vit_tutorial.training.run import PARTS, read_run

    if resumed:
        run = read_state(Path(resumed))
    else:
        run = read_run(find_weights(str(measured)).parent)
    return {name: run.config[name] for name in PARTS}


def parser_for(argv: list[str]) -> Parser:
    """The parser of all commands, with the defaults for this one."""
    return make_parser(known_settings(argv))


def resume_hint(argv: list[str]) -> str:
    """What to tell a user who interrupted the command."""
    out = preparse(argv).out if argv[:1] == ["train"] else None
    if not out or not (Path(out) / "state.safetensors").is_file():
        return "interrupted"
    return (
        f"interrupted; go on with: {PROGRAM}"
        f" {typed(argv + ['--resume'] * ('--resume' not in argv))}"
    )


def config_first(argv: list[str]) -> list[str]:
    """Move --config to the front: the parser lets the later win, and what was typed
    shall win over a file.
    """
    for place, word in enumerate(argv):
        if word == "--config" or word.startswith("--config="):
            end = place + 1 + (word == "--config")
            return argv[:1] + argv[place:end] + argv[1:place] + argv[end:]
    return argv


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns its exit code: 0, 2 for a user's mistake, 130 when
    interrupted.

    Any error is one line; with VIT_TRACEBACK in the environment it is raised, to see
    where it comes from.
    """
    argv = [user_word(word) for word in (sys.argv[1:] if argv is None else argv)]
    for stream in (sys.stdout, sys.stderr):
        # a name that the terminal cannot show is no error
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        parser = parser_for(argv)
        settings = parser.instantiate(parser.parse_args(config_first(argv)))
        run = COMMANDS[settings.subcommand]
        code = run(settings[settings.subcommand])
    except KeyboardInterrupt:
        say("\n" + resume_hint(argv), "stderr")
        return 130
    except Exception as error:
        if os.environ.get("VIT_TRACEBACK"):
            raise
        line = one_line(in_words(error))
        tell_torchrun(line)
        say(line.rstrip(), "stderr")
        return 2
    return code or 0


def tell_torchrun(line: str) -> None:
    """Let torchrun, where it started this process, end its own report with our line."""
    path = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if path:
        Path(path).write_text(
            json.dumps({"message": line, "timestamp": int(time.time())}),
            encoding="utf-8",
        )


def run_command(name: str, settings: Namespace) -> int | None:
    """Carry out a command; its exit code, where that is not 0. What computes is
    imported only now: --help and a slip of the pen need not wait for it.
    """
    from vit_tutorial.cli import commands

    return getattr(commands, f"run_{name}")(settings)


COMMANDS = {
    name: partial(run_command, name)
    for name in (
        "train",
        "evaluate",
        "probe",
        "predict",
        "attend",
        "workbench",
        "export",
        "download",
    )
}
