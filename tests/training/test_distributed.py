import json
import os
import subprocess
import sys

import pytest
import torch

from vit_tutorial.training import distributed

ARGUMENTS = [
    *(
        "train",
        "--data.name=stacks",
        "--data.train_images=48",
        "--data.val_images=30",
        "--model.patch_size=48",
    ),
    *(
        "--model.dim=16",
        "--model.depth=1",
        "--model.heads=2",
        "--training.epochs=2",
        "--training.device=cpu",
    ),
    *(
        "--training.snapshots=[0, 2]",
        "--training.augment.flip=true",
        "--training.augment.crop=[0.5, 1]",
    ),
]


def run(out, *arguments, processes=1):
    """What the command says, and the history of its run."""
    launcher = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
    ] * (processes > 1)
    command = [
        sys.executable,
        *launcher,
        "-m",
        "vit_tutorial",
        *ARGUMENTS,
        "--out",
        str(out),
        *arguments,
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        encoding="utf-8",
    )
    history = (
        json.loads((out / "history.json").read_text(encoding="utf-8"))
        if (out / "history.json").is_file()
        else None
    )
    return done, history


def test_two_processes_learn_what_one_learns(tmp_path):
    # with AdamW for what is no matrix of a block
    settings = ("--training.optimizer=muon", "--training.batch_size=16")
    _, alone = run(tmp_path / "one", *settings)
    done, together = run(tmp_path / "two", *settings, processes=2)
    assert done.returncode == 0, done.stderr
    assert (
        done.stdout.count("epoch   1")
        == done.stdout.count("epoch   2")
        == done.stdout.count("The run is in")
        == 1
    )
    assert len(alone) == len(together) == 2
    for one, two in zip(alone, together, strict=True):
        for name in set(one) - {"seconds"}:
            assert two[name] == pytest.approx(one[name], rel=1e-4), name
    assert sorted(path.name for path in (tmp_path / "two" / "snapshots").iterdir()) == [
        "epoch-000.safetensors",
        "epoch-002.safetensors",
    ]


def test_a_batch_that_cannot_be_shared_is_refused_in_one_line(tmp_path):
    done, history = run(tmp_path, "--training.batch_size=15", processes=2)
    assert done.returncode != 0 and not history
    line = "error: a batch of 15 images cannot be shared evenly by 2 processes\n"
    assert line in done.stderr
    # torchrun's own report, a screen long, ends with it
    assert f"traceback : {line}" in done.stderr[-1000:]
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("device", "there", "backend"),
    [("cuda", True, "nccl"), ("cuda", False, "gloo"), ("cpu", True, "gloo")],
)
def test_gpus_talk_by_nccl_where_there_is_one(device, there, backend, monkeypatch):
    """Windows has none."""
    library = distributed.distributed
    asked = []
    monkeypatch.setattr(library, "is_torchelastic_launched", lambda: True)
    monkeypatch.setattr(library, "is_nccl_available", lambda: there)
    monkeypatch.setattr(library, "init_process_group", asked.append)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(distributed.atexit, "register", lambda call: None)
    distributed.init_process_group(torch.device(device))
    assert asked == [backend]
