"""Studies whose settings are constants: no run joins others that were made with other
settings, and each says its commit.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import (
    constants,
    data_efficiency,
    runner,
    scoreboard,
    training_bugs,
)
from vit_tutorial.augment.config import AugmentConfig

ROOT = Path(__file__).parents[2]
MODULES = (scoreboard, data_efficiency, training_bugs)
STUDIES = {
    "scoreboard": scoreboard.scoreboard,
    "data_efficiency": data_efficiency.data_efficiency,
    "training_bugs": training_bugs.training_bugs,
}


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with the results on file, where every run is right about a half."""
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    for module in MODULES:
        monkeypatch.setattr(module, "measure", lambda *given: {"val_accuracy": 0.5})
    for module in (scoreboard, data_efficiency):
        monkeypatch.setattr(module, "load_split", lambda *which: None)
    for name in STUDIES:
        content = (ROOT / "results" / f"{name}.json").read_bytes()
        (tmp_path / "results" / f"{name}.json").write_bytes(content)
    return tmp_path / "results"


def stored(desk, name):
    return json.loads((desk / f"{name}.json").read_text(encoding="utf-8"))


WIDER = replace(data_efficiency.CONFIG, dim=120)


@pytest.mark.parametrize(
    ("module", "constant", "value", "words"),
    [
        (scoreboard, "EPOCHS", 2, "epochs 20, not 2"),
        (scoreboard, "DIM", 48, "dim 96, not 48"),
        (data_efficiency, "SHOWN", 100, "images_an_epoch 2000, not 100"),
        (data_efficiency, "CONFIG", WIDER, "parameters.ViT 522442, not "),
        (training_bugs, "EPOCHS", 3, "epochs 25, not 3"),
        (training_bugs, "RATE", 1e-3, "rate 0.002, not 0.001"),
    ],
)
def test_runs_with_other_settings_are_refused(
    desk, monkeypatch, module, constant, value, words
):
    name = module.__name__.rpartition(".")[2]
    before = stored(desk, name)
    monkeypatch.setattr(module, constant, value)
    with pytest.raises(ValueError, match=f"{name}.json was made with {words}"):
        STUDIES[name](seeds=4)
    assert stored(desk, name) == before


def test_a_new_step_gives_no_other_the_settings_of_today(desk, monkeypatch):
    before = stored(desk, "scoreboard")
    before["steps"] = {"bag": before["steps"]["bag"]}
    (desk / "scoreboard.json").write_text(json.dumps(before), encoding="utf-8")
    monkeypatch.setattr(scoreboard, "EPOCHS", 2)
    with pytest.raises(ValueError, match="made with epochs 20, not 2: set it back or"):
        scoreboard.scoreboard(seeds=1, steps=["pixels"])
    assert stored(desk, "scoreboard") == before


def test_a_step_with_a_setting_of_its_own_is_refused(desk, monkeypatch):
    other = data_efficiency.Setting("ViT", 500, AugmentConfig(hue=0.25))
    monkeypatch.setitem(data_efficiency.STEPS, "ViT, 500", other)
    with pytest.raises(ValueError, match=r"with setting.augment.hue 0.0, not 0.25"):
        data_efficiency.data_efficiency(seeds=4)


@pytest.mark.parametrize("name", STUDIES)
def test_a_result_on_file_takes_another_seed(desk, name):
    """And says of the settings what it said before."""
    before = stored(desk, name)
    seeds = len(next(reversed(before["steps"].values()))["runs"]) + 1
    step = list(before["steps"])[-1]
    STUDIES[name](seeds=seeds, steps=[step])
    after = stored(desk, name)
    assert len(after["steps"][step]["runs"]) == seeds
    assert after.keys() >= before.keys()
    told = before.keys() - {"command", "commit", "device", "cores", "versions", "steps"}
    assert {key: after[key] for key in told} == {key: before[key] for key in told}
    for other in before["steps"].keys() - {step}:
        assert after["steps"][other] == before["steps"][other]


def test_a_model_that_a_new_record_tells_may_not_change(desk, monkeypatch):
    (desk / "training_bugs.json").unlink()
    training_bugs.training_bugs(steps=["healthy"])
    # as many weights as before: heads are told by the model alone
    other = replace(training_bugs.CONFIG, heads=2)
    monkeypatch.setattr(training_bugs, "CONFIG", other)
    with pytest.raises(ValueError, match=r"made with model.heads 4, not 2"):
        training_bugs.training_bugs(seeds=2, steps=["healthy"])


@pytest.mark.parametrize("name", STUDIES)
def test_a_run_says_the_commit_that_it_began_with(desk, monkeypatch, name):
    at = ["before"]
    monkeypatch.setattr(constants, "commit", lambda: at[-1])
    module = {each.__name__.rpartition(".")[2]: each for each in MODULES}[name]
    monkeypatch.setattr(
        module, "measure", lambda *given: at.append("after") or {"val_accuracy": 0.5}
    )
    steps = stored(desk, name)["steps"]
    step = list(steps)[-1]
    seeds = len(steps[step]["runs"]) + 1
    STUDIES[name](seeds=seeds, steps=[step])
    assert at == ["before", "after"]
    assert stored(desk, name)["steps"][step]["runs"][-1]["commit"] == "before"


def test_every_study_trains_and_measures(monkeypatch):
    monkeypatch.setattr(training_bugs, "EPOCHS", 1)
    monkeypatch.setattr(data_efficiency, "EPOCHS", 1)
    monkeypatch.setattr(data_efficiency, "SHOWN", 64)
    val = data_efficiency.load_split(
        replace(data_efficiency.DataConfig(), val_images=10, train_images=64), "val"
    )
    few = data_efficiency.Setting("CNN", 10)
    monkeypatch.setattr(scoreboard, "fit", lambda *given: None)
    for entry in (
        training_bugs.measure("healthy", 0),
        data_efficiency.measure(few, val, 0),
        scoreboard.measure("bag", val, 0),
    ):
        assert 0 <= entry["val_accuracy"] <= 1
