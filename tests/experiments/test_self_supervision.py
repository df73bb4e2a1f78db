"""The study of learning without labels, on models that learn in a moment."""

import json
import sys
from dataclasses import replace

import pytest
import yaml

from experiments import plans, runner, self_supervision
from experiments.self_supervision import Study
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.interpret.attention import attention_maps
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.run import read_run

TINY = {
    "model": {"patch_size": 24, "dim": 16, "depth": 2, "heads": 2},
    "data": {"name": "stacks", "train_images": 60, "val_images": 40},
    "training": {
        "epochs": 2,
        "batch_size": 20,
        "device": "cpu",
        "warmup_epochs": 0,
        "augment": {"crop": [0.5, 1.0]},
        "dino": {"local_size": 48, "outputs": 16, "hidden": 16, "bottleneck": 8},
    },
}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study of two methods, in an empty folder; results are read from there."""
    (tmp_path / "results").mkdir()
    for module in (runner, plans, self_supervision):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["experiments/self_supervision.py", "stacks"])
    recipes = {}
    for name, objective in {
        "mae": "mae",
        "dino, no centring": "dino",
        "finetune": "classification",
    }.items():
        recipes[name] = str(tmp_path / f"{objective}.yaml")
        training = TINY["training"] | {"objective": objective}
        text = yaml.safe_dump(TINY | {"training": training})
        (tmp_path / f"{objective}.yaml").write_text(text, encoding="utf-8")
    finetune = recipes.pop("finetune")
    made = Study(recipes, finetune, {20: (2, 3), 0: (1, 2)})
    monkeypatch.setitem(self_supervision.STUDIES, "stacks", made)

    def read():
        path = tmp_path / "results" / "self_supervision-stacks.json"
        return json.loads(path.read_text(encoding="utf-8"))["steps"]

    return tmp_path, read


def test_every_step_is_trained_once_and_kept(study, capsys):
    folder, read = study
    self_supervision.self_supervision("stacks", seeds=2)
    steps = read()
    assert set(steps) == {
        *("mae", "dino, no centring", "scratch, 20 labels", "mae, 20 labels"),
        *("scratch, all labels", "mae, all labels"),
    }
    for step in steps.values():
        assert [run["seed"] for run in step["runs"]] == [0, 1]
        for run in step["runs"]:
            assert len(run["object_mass"]) == 2 and 0 < run["object_area"] < 1
    for run in steps["mae"]["runs"]:
        assert 0 <= run["linear"] <= 1
        assert run["curves"]["val_knn_accuracy"][-1] == pytest.approx(
            run["val_accuracy"], abs=1e-3
        )
    collapsed = steps["dino, no centring"]
    assert collapsed["config"]["training"]["dino"]["centering"] is False
    assert len(collapsed["runs"][0]["curves"]["train_entropy"]) == 2
    epochs = {
        name: len(step["runs"][0]["curves"]["val_accuracy"])
        for name, step in steps.items()
        if name.endswith("labels")
    }
    assert epochs == {
        "scratch, 20 labels": 3,
        "mae, 20 labels": 2,
        "scratch, all labels": 2,
        "mae, all labels": 1,
    }
    before = capsys.readouterr().out.count("epoch")
    assert before == 2 * (2 + 2 + 3 + 2 + 2 + 1)
    self_supervision.self_supervision("stacks", seeds=2)
    assert "epoch" not in capsys.readouterr().out and read() == steps


def test_fine_tuning_starts_from_the_run_of_its_seed_and_counts_its_time(study):
    folder, read = study
    self_supervision.self_supervision("stacks", 1, steps=["mae, 20 labels"])
    steps = read()
    assert list(steps) == ["mae, 20 labels"]  # the pre-training lies in runs/
    first = folder / "runs" / "self_supervision-stacks-mae-0"
    second = folder / "runs" / "self_supervision-stacks-mae-20-labels-0"
    made = read_run(second).config
    assert made.training.init == str(first) and made.data.labelled == 20
    spent = [row["seconds"] for out in (first, second) for row in read_run(out).history]
    assert steps["mae, 20 labels"]["runs"][0]["seconds"] == pytest.approx(
        sum(spent), abs=0.2
    )


def test_with_all_labels_some_learn_from_a_teacher_too(study, monkeypatch):
    folder, read = study
    made = replace(self_supervision.STUDIES["stacks"], teacher="stacks")
    monkeypatch.setitem(self_supervision.STUDIES, "stacks", made)
    self_supervision.self_supervision("stacks", 1)
    steps = read()
    taught = {name for name in steps if name.endswith("taught")}
    assert taught == {"scratch, all labels, taught", "mae, all labels, taught"}
    for name in taught:
        alone = steps[name.removesuffix(", taught")]
        assert steps[name]["config"]["training"]["teacher"] == "stacks"
        assert alone["config"]["training"]["teacher"] == ""
        same = ("init", "epochs")
        assert [steps[name]["config"]["training"][key] for key in same] == [
            alone["config"]["training"][key] for key in same
        ]
        losses = [s["runs"][0]["curves"]["train_loss"] for s in (steps[name], alone)]
        assert losses[0] != losses[1]


def test_the_share_on_the_object_is_a_sum_over_its_pixels(study):
    folder, read = study
    self_supervision.self_supervision("stacks", 1, steps=["mae"])
    run = read()["mae"]["runs"][0]
    model, made = load_checkpoint(folder / "runs" / "self_supervision-stacks-mae-0")
    val = load_split(DataConfig(val_images=40), "val")
    maps = attention_maps(model, made.normalization(val.images))[-1]
    for head in range(2):
        total = 0.0
        for image in range(40):
            for patch in range(16):
                row, column = divmod(patch, 4)
                square = val.masks[
                    image, 0, 24 * row : 24 * row + 24, 24 * column : 24 * column + 24
                ]
                weight = maps[image, head, 0, 1 + patch]
                rest = maps[image, head, 0, 1:].sum()
                total += (weight / rest * square.float().mean()).item()
        assert run["object_mass"][head] == pytest.approx(total / 40, abs=2e-4)


def test_a_result_of_other_settings_is_refused(study):
    folder, read = study
    self_supervision.self_supervision("stacks", 1, steps=["mae"])
    path = folder / "mae.yaml"
    text = path.read_text(encoding="utf-8").replace("epochs: 2", "epochs: 3")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"training.epochs 2, not 3"):
        self_supervision.self_supervision("stacks", 2, steps=["mae"])
