"""What many tests start from: a model and a recipe that take a moment, files in
STL-10's layout, and how a run is stopped, compared and counted.
"""

import hashlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from vit_tutorial.augment.config import AugmentConfig
from vit_tutorial.cli.main import main
from vit_tutorial.config import ViTConfig
from vit_tutorial.data import stl10
from vit_tutorial.training import checkpoint, loop
from vit_tutorial.training.config import TrainConfig

MODEL = ViTConfig(
    image_size=16, patch_size=8, classes=2, dim=16, depth=2, heads=2, dropout=0.1
)
TRAIN = TrainConfig(
    epochs=4,
    batch_size=8,
    device="cpu",
    augment=AugmentConfig(crop=(0.5, 1.0), flip=True, brightness=0.3),
)
# Ends a process at once, whatever it is doing. Windows has no signals: there any number
# does, and becomes the exit code.
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
KILLED = int(KILL) if os.name == "nt" else -KILL  # the exit code
# of a whole command
TINY = {
    "model": {"image_size": 96, "patch_size": 48, "dim": 16, "depth": 2, "heads": 2},
    "data": {"name": "stacks", "train_images": 40, "val_images": 30},
    "training": {"epochs": 1, "batch_size": 20, "device": "cpu"},
}


def refused(capsys, *arguments):
    """Run a command that is to end with exit code 2 and one line on stderr; the
    line.
    """
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as error:
        code = error.code
    said = capsys.readouterr()
    assert code == 2 and said.out == ""
    assert (
        said.err.startswith("error: ")
        and said.err.count("\n") == 1
        and said.err.endswith("\n")
    )
    return said.err


def write_stl10(root, monkeypatch, images=20, labels=20):
    """Files of the official layout; returns the images as (N, 3, rows, columns)."""
    folder = root / "stl10_binary"
    folder.mkdir()
    generator = np.random.default_rng(0)
    pictures = generator.integers(256, size=(images, 3, 96, 96), dtype=np.uint8)
    numbers = np.arange(labels, dtype=np.uint8) % 10 + 1
    table = {}
    for split in ("train", "test"):
        contents = {
            "X": pictures.transpose(0, 1, 3, 2).tobytes(),
            "y": numbers.tobytes(),
        }
        for part, content in contents.items():
            (folder / f"{split}_{part}.bin").write_bytes(content)
            table[f"{split}_{part}.bin"] = (
                len(content),
                hashlib.md5(content).hexdigest(),
            )
    monkeypatch.setattr(stl10, "STL10_FILES", table)
    return torch.from_numpy(pictures)


def link(path: Path, target: str | Path) -> None:
    """Make a link; the test is skipped without the right to, which Windows wants."""
    try:
        path.symlink_to(target)
    except OSError as error:
        if os.name != "nt":
            raise
        pytest.skip(f"no links here: {error}")


def timeless(history):
    return [
        {name: value for name, value in row.items() if name != "seconds"}
        for row in history
    ]


def stop_at(monkeypatch, step, error):
    """Let the step number `step` of the run raise."""
    train_step = loop.train_step
    calls = []

    def stopping(*arguments):
        calls.append(1)
        if len(calls) == step:
            raise error
        return train_step(*arguments)

    monkeypatch.setattr(loop, "train_step", stopping)


def stop_after_files(monkeypatch, files):
    """Let the run be interrupted when it has written so many files."""
    write_file = checkpoint.write_file
    written = []

    def cut(path, content):
        write_file(path, content)
        written.append(path)
        if len(written) == files:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write_file", cut)


def spent(run: nn.Module, *inputs: torch.Tensor, **options: bool) -> int:
    """Multiply-adds."""
    with FlopCounterMode(display=False) as counter:
        run(*inputs, **options)
    return counter.get_total_flops() // 2
