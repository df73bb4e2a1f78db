"""Runs whose pictures stay on the disk: the curve of memory, and no process left."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from small import KILL, KILLED, MODEL, TRAIN, stop_at, timeless

from vit_tutorial.data import on_disk
from vit_tutorial.selfsup.config import DINOConfig
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.loop import train

DINO = DINOConfig(outputs=16, hidden=16, bottleneck=8, local_crops=2, local_size=8)


@pytest.mark.parametrize(
    "changes", [{"ema_decay": 0.9}, {"objective": "dino", "dino": DINO}]
)
def test_a_run_with_workers_cut_and_resumed_is_the_run_in_memory(
    data, tmp_path, monkeypatch, changes
):
    """To the last digit, and with another number of workers after the cut."""
    config = replace(TRAIN, epochs=2, **changes)
    model, run = train(MODEL, data, config, tmp_path / "memory")
    with monkeypatch.context() as patch:
        stop_at(patch, 6, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            train(MODEL, replace(data, workers=2), config, tmp_path / "disk")
    assert not multiprocessing.active_children()
    on = replace(data, workers=1)
    again, same = train(MODEL, on, config, tmp_path / "disk", resume=True)
    assert timeless(same.history) == timeless(run.history)
    assert same.config.images == run.config.images
    weights = again.state_dict()
    for name, weight in model.state_dict().items():
        assert torch.equal(weights[name], weight), name


def test_a_file_that_is_no_picture_is_refused_before_anything_is_written(
    data, tmp_path
):
    for name in ("a", "b"):
        (tmp_path / "flat" / name).mkdir(parents=True)
        (tmp_path / "flat" / name / "0.png").write_bytes(b"no picture")
        (tmp_path / "flat" / name / "1.png").write_bytes(b"no picture")
    flat = replace(data, root=str(tmp_path / "flat"), workers=1)
    with pytest.raises(ValueError, match=r"\.png cannot be read as an image"):
        train(MODEL, flat, TRAIN, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_config_from_before_there_were_workers_is_read(data, tmp_path):
    train(MODEL, data, replace(TRAIN, epochs=1), tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    assert config["data"].pop("workers") == 0
    path.write_text(json.dumps(config), encoding="utf-8")
    assert load_checkpoint(tmp_path)[1].config.data.workers == 0


STOPPED = """
import multiprocessing, os, signal, sys
from torch.utils.data._utils import worker
from vit_tutorial.cli import main as cli
from vit_tutorial.training import loop
worker.MP_STATUS_CHECK_INTERVAL = 0.1  # seconds, between looks at the parent
# a shell's job in the background ignores SIGINT
signal.signal(signal.SIGINT, signal.default_int_handler)
step, calls = loop.train_step, []
def stopped(*arguments):
    calls.append(1)
    if len(calls) == 2:
        print(len(multiprocessing.active_children()), "processes", flush=True)
        if {number} == signal.SIGINT:
            os.killpg(0, signal.SIGINT)  # as a terminal does
        else:
            os.kill(os.getpid(), {number})
    return step(*arguments)
loop.train_step = stopped
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(on_disk.START != "fork", reason="signals of Linux")
@pytest.mark.parametrize("number", [KILL, signal.SIGINT])
def test_a_stopped_run_leaves_no_process_and_no_traceback(data, tmp_path, number):
    """What a process holds open as long as it lives is the pipe that we wait for."""
    words = {
        "model.image_size": 16,
        "model.patch_size": 8,
        "model.classes": 2,
        "model.dim": 16,
        "model.depth": 1,
        "model.heads": 2,
        "data.name": "folder",
        "data.root": data.root,
        "data.workers": 2,
        "training.batch_size": 4,
        "training.device": "cpu",
    }
    arguments = [f"--{name}={value}" for name, value in words.items()]
    command = [sys.executable, "-c", STOPPED.format(number=int(number)), "train"]
    done = subprocess.run(
        [*command, *arguments, "--out", str(tmp_path / "run"), "--quiet", "true"],
        capture_output=True,
        text=True,
        timeout=60,
        encoding="utf-8",
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.stdout == "2 processes\n"
    said = done.stderr.splitlines()
    assert said[0].startswith(f"{data.root}: 2 classes")
    if number == signal.SIGINT:
        assert done.returncode == 130 and len(said) == 3
        assert not said[1] and said[2].startswith("interrupted; go on with: ")
    else:
        assert done.returncode == KILLED and len(said) == 1
