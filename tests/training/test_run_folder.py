"""The folder of a run: one at a time, one only, and a way out where it cannot be."""

import errno
import os
from dataclasses import replace

import pytest
from filelock import FileLock
from small import MODEL, TRAIN, stop_after_files, stop_at

from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.loop import train


def test_one_folder_holds_one_run(data, tmp_path):
    with pytest.raises(ValueError, match="holds no run to resume"):
        train(MODEL, data, TRAIN, tmp_path, resume=True)
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(ValueError, match="another process is training in"),
    ):
        train(MODEL, data, TRAIN, tmp_path)
    train(MODEL, data, replace(TRAIN, epochs=1), tmp_path)
    before = (tmp_path / "state.safetensors").read_bytes()
    with pytest.raises(ValueError, match="already holds a run: resume it"):
        train(MODEL, data, TRAIN, tmp_path)
    assert (tmp_path / "state.safetensors").read_bytes() == before


def test_a_run_that_fails_in_its_first_epoch_blocks_no_folder(
    data, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        stop_at(patch, 2, RuntimeError("out of memory"))
        with pytest.raises(RuntimeError):
            train(
                replace(MODEL, depth=1), data, replace(TRAIN, snapshots=(0,)), tmp_path
            )
    assert len(train(MODEL, data, replace(TRAIN, epochs=2), tmp_path)[1].history) == 2
    assert load_checkpoint(tmp_path)[0].config == MODEL
    assert not (tmp_path / "snapshots").exists()  # they were another model's


@pytest.mark.parametrize("files", range(1, 4))
def test_a_run_killed_in_the_place_of_another_is_resumed(
    data, tmp_path, monkeypatch, files
):
    """Another that failed in its first epoch, with other settings: its files would
    refuse them.
    """
    with monkeypatch.context() as patch:
        stop_at(patch, 2, RuntimeError("out of memory"))
        with pytest.raises(RuntimeError):
            train(replace(MODEL, depth=1), data, TRAIN, tmp_path)
        stop_after_files(patch, files)
        with pytest.raises(KeyboardInterrupt):
            train(MODEL, data, TRAIN, tmp_path)
    assert len(train(MODEL, data, TRAIN, tmp_path, resume=True)[1].history) == 4
    assert load_checkpoint(tmp_path)[0].config == MODEL


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOLCK, os.strerror(errno.ENOLCK)), NotImplementedError("no flock")],
)
def test_a_folder_that_cannot_be_locked_is_named_with_a_way_out(
    data, tmp_path, monkeypatch, error
):
    def fail(self):
        raise error

    monkeypatch.setattr(FileLock, "acquire", fail)
    with pytest.raises(
        ValueError,
        match=(
            r"cannot be locked: (No locks available|no flock); choose a folder on"
            r" another"
        ),
    ):
        train(MODEL, data, TRAIN, tmp_path)


@pytest.mark.parametrize("out", ["", "  "])
def test_a_run_needs_a_folder(data, tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="expected the folder of the run"):
        train(MODEL, data, TRAIN, out)
    assert not list(tmp_path.iterdir())
