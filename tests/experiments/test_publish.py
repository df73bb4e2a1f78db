"""A finished run becomes a model of the package."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small import MODEL, TRAIN
from torch.testing import assert_close

from experiments import publish
from vit_tutorial.data.datasets import load_split
from vit_tutorial.training import checkpoint
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.loop import train


@pytest.fixture
def published(data, tmp_path, monkeypatch):
    """A run of one epoch, and the folder that stands for the package's."""
    train(MODEL, data, replace(TRAIN, epochs=1), tmp_path / "run")
    for module in (publish, checkpoint):
        monkeypatch.setattr(module, "SHIPPED", tmp_path / "checkpoints")
    return tmp_path


def test_a_shipped_run_is_loaded_by_name(published, data, capsys):
    publish.publish(published / "run", "mine", root=data.root)
    model, record = load_checkpoint("mine")
    original, whole = load_checkpoint(published / "run")
    assert record.history == whole.history and record.classes == whole.classes
    assert_close(model.state_dict(), original.state_dict(), atol=1e-3, rtol=1e-3)
    weights = load_file(published / "checkpoints" / "mine" / "model.safetensors")
    assert {weight.dtype for weight in weights.values()} == {torch.float16}
    # no folder of this machine
    assert record.config["data"]["root"] == "data" != Path(data.root).name
    assert str(published) not in (
        published / "checkpoints" / "mine" / "config.json"
    ).read_text(encoding="utf-8")
    before, after = capsys.readouterr().out.splitlines()
    count = len(load_split(data, "val"))
    assert before.startswith(
        f"{whole.history[-1]['val_accuracy']:.1%} of {count} images"
    ) and after.endswith(": mine")


def test_an_unfinished_run_is_not_shipped(published):
    config = json.loads((published / "run" / "config.json").read_text(encoding="utf-8"))
    config["training"]["epochs"] = 3
    (published / "run" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(
        ValueError, match="has 1 of its 3 epochs, expected a finished run"
    ):
        publish.publish(published / "run", "mine")
    assert not (published / "checkpoints").exists()


def test_without_data_to_judge_it_by_nothing_is_left(published):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        publish.publish(published / "run", "mine", root=str(published / "nowhere"))
    assert not (published / "checkpoints").exists()


def test_a_run_is_shipped_from_its_file_too_and_without_the_folders_it_learned_from(
    published, data
):
    path = published / "run" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["training"] |= {"teacher": "/home/me/runs/cnn", "init": "/home/me/mae"}
    path.write_text(json.dumps(config), encoding="utf-8")
    source = published / "run" / "model.safetensors"
    publish.publish(source, "mine", root=data.root)
    made = load_checkpoint("mine")[1]
    assert made.history == load_checkpoint(source)[1].history
    training = made.config.training
    assert (training.teacher, training.init) == ("cnn", "mae")


def test_a_large_model_is_not_shipped(published, monkeypatch):
    monkeypatch.setattr(publish, "LARGEST", 0.01)
    with pytest.raises(
        ValueError, match=r"holds 0 MB in half precision, expected at most 0\.01"
    ):
        publish.publish(published / "run", "mine")
    assert not (published / "checkpoints").exists()
