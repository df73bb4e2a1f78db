"""The package's recipes without labels, and those that train on from them, fit."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small import write_stl10

from experiments.plans import read_plan
from experiments.self_supervision import STUDIES
from vit_tutorial.cli.parser import packaged_configs
from vit_tutorial.models import build_model
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.loop import train

PAIRS = [
    (recipe, study.recipe)
    for study in STUDIES.values()
    for recipe in sorted(set(study.methods.values()))
]
SMALL = ["training.epochs=1", "training.device=cpu", "training.warmup_epochs=0"]


def test_every_recipe_without_labels_is_studied():
    named = {one for one, _ in PAIRS} | {two for _, two in PAIRS}
    found = {name for name in packaged_configs() if read_plan(name, []).data}
    without = {n for n in found if read_plan(n, []).training.self_supervised}
    assert without | {n for n in found if n.startswith("finetune")} == named


@pytest.mark.parametrize(("recipe", "after"), PAIRS)
def test_a_run_goes_on_with_labels_from_one_without(
    recipe, after, tmp_path, monkeypatch
):
    write_stl10(tmp_path, monkeypatch, images=60, labels=60)
    torch.manual_seed(0)
    data = [f"data.root={tmp_path}", "data.train_images=20", "data.val_images=20"]
    changes = [*SMALL, *data, "training.batch_size=10"]
    first = read_plan(recipe, changes)
    _, run = train(first.model, first.data, first.training, tmp_path / "first")
    assert "val_knn_accuracy" in run.history[-1]
    second = read_plan(after, [*changes, f"training.init={tmp_path / 'first'}"])
    started = load_checkpoint(tmp_path / "first")[0].state_dict()
    fresh = build_model(second.model).state_dict()
    assert {name: value.shape for name, value in fresh.items()} == {
        name: value.shape for name, value in started.items()
    }
    training = replace(second.training, peak_lr=0.0, weight_decay=0.0)
    model, run = train(second.model, second.data, training, tmp_path / "second")
    # with a rate of 0 it ends where it started
    for name, value in model.state_dict().items():
        assert torch.allclose(value, started[name], atol=1e-6), name
    assert Path(run.config.training.init).name == "first"
