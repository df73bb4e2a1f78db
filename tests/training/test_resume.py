import errno
import json
import math
import os
import shlex
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save
from small import (
    KILL,
    KILLED,
    MODEL,
    TRAIN,
    link,
    stop_after_files,
    stop_at,
    timeless,
)

from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.cli.main import main
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training import checkpoint
from vit_tutorial.training import loop as module
from vit_tutorial.training.checkpoint import load_checkpoint, load_snapshots
from vit_tutorial.training.loop import train


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The history and the weights of a run that nothing interrupts."""
    model, record = train(MODEL, data, TRAIN, tmp_path_factory.mktemp("whole"))
    return timeless(record.history), model.state_dict()


def test_another_seed_is_another_run(data, whole, tmp_path):
    other = timeless(train(MODEL, data, replace(TRAIN, seed=1), tmp_path)[1].history)
    assert other != whole[0] and len(other) == len(whole[0])


@pytest.mark.parametrize(("step", "rows"), [(2, 0), (7, 1), (13, 3)])
def test_a_resumed_run_is_the_same_run(data, whole, tmp_path, monkeypatch, step, rows):
    with monkeypatch.context() as patch:
        stop_at(patch, step, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            train(MODEL, data, TRAIN, tmp_path)
    assert len(load_checkpoint(tmp_path)[1].history) == rows
    assert (
        timeless(train(MODEL, data, TRAIN, tmp_path, resume=True)[1].history)
        == whole[0]
    )
    # nothing is left to do
    assert (
        timeless(train(MODEL, data, TRAIN, tmp_path, resume=True)[1].history)
        == whole[0]
    )


def test_a_resumed_run_keeps_statistics_averages_and_what_it_learns_from(
    data, tmp_path, monkeypatch
):
    """The hybrid with batch norms, Muon for its convolutions, two resolutions, a share
    of mixed images and a teacher.
    """
    train(MODEL, data, replace(TRAIN, epochs=1), tmp_path / "teacher")
    model = replace(MODEL, embedder="hybrid")
    config = replace(
        TRAIN,
        optimizer="muon",
        ema_decay=0.9,
        resolution=(8, 16),
        teacher=str(tmp_path / "teacher"),
        mixing=MixingConfig(mixup=0.8, share=0.5),
    )
    config = replace(config, snapshots=(2,))
    straight, run = train(model, data, config, tmp_path / "straight")
    early = load_snapshots(tmp_path / "straight")[2].state_dict()
    counter = "embedder.stem.1.num_batches_tracked"
    assert 0 < early[counter] < straight.state_dict()[counter]
    with monkeypatch.context() as patch:
        stop_at(patch, 7, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            train(model, data, config, tmp_path / "cut")
    resumed, same = train(model, data, config, tmp_path / "cut", resume=True)
    assert timeless(same.history) == timeless(run.history)
    torch.testing.assert_close(
        resumed.state_dict(), straight.state_dict(), rtol=0, atol=0
    )


@pytest.mark.parametrize(("snapshots", "rows"), [((), 2), ((3,), 3)])
def test_a_run_written_now_and_then_is_the_same_run(
    data, whole, tmp_path, monkeypatch, snapshots, rows
):
    config = replace(TRAIN, save_every=2, snapshots=snapshots)
    with monkeypatch.context() as patch:
        stop_at(patch, 16, KeyboardInterrupt())  # in the fourth epoch
        with pytest.raises(KeyboardInterrupt):
            train(MODEL, data, config, tmp_path)
    assert len(load_checkpoint(tmp_path)[1].history) == rows
    # may change, and the last epoch is written whatever it is
    config = replace(config, save_every=3)
    assert (
        timeless(train(MODEL, data, config, tmp_path, resume=True)[1].history)
        == whole[0]
    )
    assert timeless(load_checkpoint(tmp_path)[1].history) == whole[0]


def test_snapshots_are_kept_through_a_stop_and_come_back_in_order(
    data, tmp_path, monkeypatch
):
    config = replace(TRAIN, snapshots=(2, 0, 1))
    with monkeypatch.context() as patch:
        stop_at(patch, 7, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            train(MODEL, data, config, tmp_path)
    model, _ = train(MODEL, data, config, tmp_path, resume=True)
    models = load_snapshots(tmp_path)
    assert list(models) == [0, 1, 2, 4] and not any(
        other.training for other in models.values()
    )
    torch.manual_seed(10_000 * config.seed)
    first = VisionTransformer(MODEL)
    for name, expected in [(0, first), (4, model)]:
        torch.testing.assert_close(
            models[name].state_dict(), expected.state_dict(), atol=1e-3, rtol=1e-3
        )
    weights = [other.blocks[0].attention.qkv.weight for other in models.values()]
    assert not any(
        torch.equal(one, next_)
        for one, next_ in zip(weights, weights[1:], strict=False)
    )


def test_a_run_without_snapshots_says_how_to_keep_some(data, tmp_path):
    train(MODEL, data, replace(TRAIN, epochs=1), tmp_path)
    with pytest.raises(ValueError, match=r"no snapshots.*--training\.snapshots"):
        load_snapshots(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "muon"},
        {"ema_decay": 0.9},
        {
            "augment": AugmentConfig(three_augment=0.5, random_erasing=0.5),
            "mixing": MixingConfig(cutmix=1.0),
        },
    ],
)
def test_any_resumed_run_is_the_same_run(data, tmp_path, monkeypatch, changes):
    config = replace(TRAIN, epochs=2, **changes)
    expected = timeless(train(MODEL, data, config, tmp_path / "whole")[1].history)
    with monkeypatch.context() as patch:
        stop_at(patch, 6, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            train(MODEL, data, config, tmp_path / "cut")
    assert (
        timeless(train(MODEL, data, config, tmp_path / "cut", resume=True)[1].history)
        == expected
    )


ENDED = """
import os, signal, sys
from vit_tutorial.cli import main as cli
from vit_tutorial.training import loop as train
# a shell's job in the background ignores SIGINT
signal.signal(signal.SIGINT, signal.default_int_handler)
train_step, calls = train.train_step, []
def killed(*arguments):
    calls.append(1)
    if len(calls) == 7:  # in the middle of the second epoch
        if {number} == signal.SIGINT:
            signal.raise_signal(signal.SIGINT)
        os.kill(os.getpid(), {number})
    return train_step(*arguments)
train.train_step = killed
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("number", [KILL, signal.SIGINT])
def test_a_killed_process_is_resumed(data, whole, tmp_path, number):
    yaml = tmp_path / "config.yaml"
    yaml.write_text(
        "model: {image_size: 16, patch_size: 8, classes: 2, dim: 16, depth: 2, heads:"
        f" 2, dropout: 0.1}}\ndata: {{name: folder, root: {data.root}, image_size:"
        " 12}\ntraining: {epochs: 4, batch_size: 8, device: cpu, augment: {crop:"
        " [0.5, 1], flip: true, brightness: 0.3}}\n",
        encoding="utf-8",
    )
    arguments = ["train", "--config", str(yaml), "--out", str(tmp_path / "run")]
    command = [sys.executable, "-c", ENDED.format(number=int(number)), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, encoding="utf-8"
    )
    if number == signal.SIGINT:
        assert done.returncode == 130
        found, said = done.stderr.split("\n", 1)
        assert found.startswith(f"{data.root}: 2 classes ('bright', 'dark'); train: ")
        assert (
            said.split()
            == "interrupted; go on with: python -m vit_tutorial"
            f" {shlex.join(arguments)} --resume".split()
        )
    else:
        assert done.returncode == KILLED
    assert done.stdout.startswith("epoch   1:") and done.stdout.count("\n") == 1
    assert (
        timeless(train(MODEL, data, TRAIN, tmp_path / "run", resume=True)[1].history)
        == whole[0]
    )


# four at the start, four in each of four epochs
@pytest.mark.parametrize("files", range(1, 20))
def test_a_kill_between_two_files_does_no_harm(
    data, whole, tmp_path, monkeypatch, files
):
    history, weights = whole
    with monkeypatch.context() as patch:
        stop_after_files(patch, files)
        with pytest.raises(KeyboardInterrupt):
            train(MODEL, data, TRAIN, tmp_path)
    if files >= 4:  # history.json is the last to be written
        assert len(load_checkpoint(tmp_path)[1].history) == files // 4 - 1
    model, record = train(MODEL, data, TRAIN, tmp_path, resume=True)
    assert timeless(record.history) == history
    kept, read = load_checkpoint(tmp_path)
    assert timeless(read.history) == history
    for found in (model, kept):
        torch.testing.assert_close(found.state_dict(), weights, rtol=0, atol=0)


def test_a_state_alone_is_enough_to_go_on(data, whole, tmp_path, capsys):
    train(MODEL, data, TRAIN, tmp_path)
    for path in tmp_path.glob("*"):
        if path.is_file() and path.name != "state.safetensors":
            path.unlink()
    assert main(["train", "--resume", "--out", str(tmp_path)]) == 0
    assert timeless(load_checkpoint(tmp_path)[1].history) == whole[0]


def test_a_full_disk_keeps_the_last_good_checkpoint(data, whole, tmp_path, monkeypatch):
    write_bytes = type(tmp_path).write_bytes
    written = []

    def full(self, content):
        written.append(self)
        if len(written) > 6:  # the first epoch's state is the fifth file
            write_bytes(self, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write_bytes(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(type(tmp_path), "write_bytes", full)
        with pytest.raises(OSError, match=r"No space left on device.*config\.json"):
            train(MODEL, data, TRAIN, tmp_path)
    assert not list(tmp_path.glob(".*.part"))
    assert (
        timeless(train(MODEL, data, TRAIN, tmp_path, resume=True)[1].history)
        == whole[0]
    )


@pytest.mark.parametrize(
    ("part", "field", "value", "message"),
    [
        ("model", "depth", 3, r"model\.depth was 2 and is now 3"),
        ("data", "image_size", 10, r"data\.image_size was 12 and is now 10"),
        (
            "training",
            "peak_lr",
            1e-3,
            r"training\.peak_lr was 0\.002 and is now 0\.001",
        ),
        (
            "training",
            "augment",
            AugmentConfig(),
            r"training\.augment\.crop was \[0\.5, 1\.0\] and is now \[1\.0, 1\.0\]",
        ),
    ],
)
def test_a_resumed_run_keeps_its_settings(data, tmp_path, part, field, value, message):
    settings = {"model": MODEL, "data": data, "training": replace(TRAIN, epochs=1)}
    train(*settings.values(), tmp_path)
    settings[part] = replace(settings[part], **{field: value})
    with pytest.raises(ValueError, match=message):
        train(*settings.values(), tmp_path, resume=True)


@pytest.mark.parametrize(("value", "refused"), [(0.0, False), (0.5, True)])
def test_a_setting_that_a_run_is_older_than_was_at_its_default(
    data, tmp_path, value, refused
):
    train(MODEL, data, replace(TRAIN, epochs=1), tmp_path)
    path = tmp_path / "state.safetensors"
    tensors, texts = checkpoint.read_tensors(path)
    config = json.loads(texts["config"])
    del config["training"]["ema_decay"]
    del config["training"]["mixing"]
    del config["data"]["fold"]
    del config["model"]["name"]
    path.write_bytes(save(tensors, texts | {"config": json.dumps(config)}))
    changed = replace(TRAIN, epochs=1, ema_decay=value)
    with (
        pytest.raises(ValueError, match=r"ema_decay was 0\.0 and is now 0\.5")
        if refused
        else nullcontext()
    ):
        train(MODEL, data, changed, tmp_path, resume=True)


def test_the_data_and_the_device_may_move(data, tmp_path):
    config = replace(TRAIN, epochs=1)
    train(MODEL, data, config, tmp_path / "run")
    link(tmp_path / "moved", data.root)
    moved = replace(data, root=str(tmp_path / "moved"))
    assert (
        len(
            train(
                MODEL,
                moved,
                replace(config, device="auto"),
                tmp_path / "run",
                resume=True,
            )[1].history
        )
        == 1
    )


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(
    data, whole, tmp_path, monkeypatch
):
    train_step = module.train_step
    calls = []

    def breaking(*arguments):
        calls.append(1)
        loss, hits = train_step(*arguments)
        return (loss * math.nan if len(calls) == 11 else loss), hits

    with monkeypatch.context() as patch:
        patch.setattr(module, "train_step", breaking)
        with pytest.raises(FloatingPointError, match="nan at epoch 3, step 3"):
            train(MODEL, data, TRAIN, tmp_path)
    assert timeless(load_checkpoint(tmp_path)[1].history) == whole[0][:2]
    assert (
        timeless(train(MODEL, data, TRAIN, tmp_path, resume=True)[1].history)
        == whole[0]
    )


def test_an_absurd_rate_stops_the_run_too(data, tmp_path):
    with pytest.raises(FloatingPointError, match=r"loss is (nan|inf)"):
        train(
            MODEL,
            data,
            replace(
                TRAIN,
                peak_lr=1e6,
                warmup_start_lr=1e6,
                grad_clip_norm=0.0,
                weight_decay=1e3,
            ),
            tmp_path,
        )
    assert load_checkpoint(tmp_path)[0](torch.zeros(1, 3, 16, 16)).isfinite().all()
