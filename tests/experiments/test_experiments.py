"""The studies' runner, on models that learn in a moment: results that are kept and
completed, folds, ladders; and every result on file is complete.
"""

import json
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock, Timeout
from small import write_stl10

from experiments import (
    ablations,
    data_efficiency,
    deck,
    folds,
    ladder,
    plans,
    runner,
    scoreboard,
    seeds,
    sizes,
    training_bugs,
)
from experiments.results import commit, run, strip_paths
from vit_tutorial import VisionTransformer, ViTConfig
from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.model import count_parameters
from vit_tutorial.models import CNN, build_model

ROOT = Path(__file__).parents[2]
TINY = [
    "training.epochs=1",
    "training.warmup_epochs=0",
    "training.batch_size=8",
    "model.patch_size=48",
    "model.dim=16",
    "model.depth=1",
    "model.heads=2",
    "training.device=cpu",
]
DRAWN = [
    *TINY,
    "data.name=stacks",
    "data.train_images=16",
    "data.val_images=20",
    "training.snapshots=[]",
]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder for results and runs; the names of the runs that are trained are
    kept in `trained`.
    """
    (tmp_path / "results").mkdir()
    real = plans.train
    trained = []
    for module in (runner, plans, ladder):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(ladder, "LOG", tmp_path / "results" / "LOG.md")
    monkeypatch.setattr(sys, "argv", ["experiments/seeds.py", "stacks"])
    monkeypatch.setattr(
        plans, "train", lambda *given: (trained.append(given[3].name), real(*given))
    )
    return tmp_path, trained


def stored(desk, name):
    return json.loads(
        (desk[0] / "results" / f"{name}.json").read_text(encoding="utf-8")
    )


# ---- results of several seeds


def test_a_result_keeps_its_runs_and_gets_the_missing_ones(desk, capsys):
    seeds.seeds("stacks", seeds=1, set=DRAWN)
    first = stored(desk, "stacks")["runs"]
    seeds.seeds("stacks", seeds=2, set=DRAWN)
    record = stored(desk, "stacks")
    assert desk[1] == ["stacks-0", "stacks-1"] and record["runs"][:1] == first
    scores = [run["val_accuracy"] for run in record["runs"]]
    assert record["mean"] == pytest.approx(sum(scores) / 2, abs=1e-4)
    assert record["spread"] == pytest.approx(
        abs(scores[0] - scores[1]) / 2**0.5, abs=1e-4
    )
    assert "seeds: 2" in capsys.readouterr().out
    # where the data lie changes nothing
    seeds.seeds("stacks", seeds=2, root="/elsewhere", set=DRAWN)
    assert stored(desk, "stacks") == record and len(desk[1]) == 2


def test_nobody_else_writes_a_result_between_reading_and_writing(desk, monkeypatch):
    held = []
    write = runner.write_result

    def watching(path, result):
        with pytest.raises(Timeout):
            FileLock(desk[0] / "runs" / "stacks.lock", timeout=0).acquire()
        held.append(path.stem)
        write(path, result)

    monkeypatch.setattr(runner, "write_result", watching)
    seeds.seeds("stacks", seeds=1, set=DRAWN)
    assert held == ["stacks"]


def test_nobody_else_trains_a_run_meanwhile(desk, monkeypatch):
    """Another process that needs it waits and finds it trained."""
    train = plans.train

    def watching(*given):
        with pytest.raises(Timeout):
            FileLock(desk[0] / "runs" / "stacks-0.lock", timeout=0).acquire()
        return train(*given)

    monkeypatch.setattr(plans, "train", watching)
    seeds.seeds("stacks", seeds=1, set=DRAWN)
    assert desk[1] == ["stacks-0"]


def test_a_run_is_of_the_commit_that_its_training_began_with(desk, monkeypatch):
    train = plans.train
    at = ["before"]
    monkeypatch.setattr(plans, "commit", lambda: at[-1])
    monkeypatch.setattr(
        plans, "train", lambda *given: (at.append("after"), train(*given))
    )
    seeds.seeds("stacks", seeds=1, set=DRAWN)
    assert at == ["before", "after"]
    assert stored(desk, "stacks")["runs"][0]["commit"] == "before"


def test_seeds_share_a_teacher_wherever_it_lies(desk):
    teacher = desk[0] / "elsewhere" / "teacher"
    plans.trained(plans.read_plan(None, DRAWN), teacher)
    settings = [*DRAWN, f"training.teacher={teacher}"]
    for count in (1, 2):
        seeds.seeds("stacks", seeds=count, set=settings)
    assert desk[1] == ["teacher", "stacks-0", "stacks-1"]
    assert stored(desk, "stacks")["config"]["training"]["teacher"] == "teacher"
    with pytest.raises(ValueError, match=r"training.teacher 'teacher', not '.*other'"):
        seeds.seeds("stacks", set=[*DRAWN, f"training.teacher={teacher}/other"])


def test_a_run_is_told_by_its_curves_tables_and_size(desk):
    seeds.seeds(
        "stacks", seeds=1, root="/some/where/data", set=[*DRAWN, "training.epochs=2"]
    )
    record = stored(desk, "stacks")
    (run,) = record["runs"]
    history = json.loads(
        (desk[0] / "runs" / "stacks-0" / "history.json").read_text(encoding="utf-8")
    )
    assert run["curves"] == {
        name: [round(row[name], 4) for row in history]
        for name in history[0]
        if name not in ("epoch", "learning_rate")
    }
    assert run["val_accuracy"] == history[-1]["val_accuracy"] and run["seed"] == 0
    assert run["best_accuracy"] == max(run["curves"]["val_accuracy"])
    right = sum(row[label] for label, row in enumerate(run["confusion"]))
    assert [sum(row) for row in run["confusion"]] == [2] * 10 and right / 20 == run[
        "val_accuracy"
    ]
    bins = run["calibration"]
    assert sum(bins["n"]) == 20 and all(len(values) == 10 for values in bins.values())
    assert sum(
        n * share for n, share in zip(bins["n"], bins["accuracy"], strict=True)
    ) == pytest.approx(right, abs=0.01)
    assert run["parameters"] == count_parameters(
        VisionTransformer(ViTConfig(**record["config"]["model"]))
    )
    assert (
        record["config"]["data"]["root"] == "data"
        and len(record["config"]["classes"]) == 10
    )
    assert "/some" not in json.dumps(record)


def test_a_finished_run_is_measured_and_not_trained(desk):
    """Also one that is older than some settings: they are at their defaults."""
    seeds.seeds("stacks", seeds=1, set=DRAWN)
    expected = stored(desk, "stacks")
    (desk[0] / "results" / "stacks.json").unlink()
    path = desk[0] / "runs" / "stacks-0" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    del config["training"]["ema_decay"]
    del config["training"]["mixing"]
    del config["data"]["fold"]
    del config["model"]["name"]
    path.write_text(json.dumps(config), encoding="utf-8")
    seeds.seeds("stacks", seeds=1, set=DRAWN)
    assert (
        desk[1] == ["stacks-0"] and stored(desk, "stacks")["runs"] == expected["runs"]
    )


def test_a_run_that_was_cut_off_goes_on(desk, monkeypatch):
    def stop(row):
        raise KeyboardInterrupt

    monkeypatch.setattr(plans, "print_row", stop)
    with pytest.raises(KeyboardInterrupt):
        seeds.seeds("stacks", seeds=1, set=[*DRAWN, "training.epochs=2"])
    path = desk[0] / "runs" / "stacks-0" / "history.json"
    first, *rest = json.loads(path.read_text(encoding="utf-8"))
    monkeypatch.setattr(plans, "print_row", lambda row: None)
    seeds.seeds("stacks", seeds=1, set=[*DRAWN, "training.epochs=2"])
    assert not rest and json.loads(path.read_text(encoding="utf-8"))[0] == first
    assert len(stored(desk, "stacks")["runs"][0]["curves"]["val_loss"]) == 2


def test_another_model_is_built_and_recorded(desk):
    settings = [*DRAWN, "training.optimizer=adamw", "training.ema_decay=0.5"]
    seeds.seeds("stacks", seeds=1, set=[*settings, "model.name=cnn"])
    record = stored(desk, "stacks-cnn")
    assert record["config"]["model"]["name"] == "cnn" and desk[1] == ["stacks-cnn-0"]
    assert record["runs"][0]["parameters"] == count_parameters(CNN(ViTConfig()))
    with pytest.raises(ValueError, match="made with model.name 'cnn', not 'vit'"):
        seeds.seeds("stacks", seeds=1, name="stacks-cnn", set=settings)


@pytest.mark.parametrize(
    ("content", "words", "found"),
    [
        ("{", ["stacks"], "is broken"),
        ("[]", ["stacks"], "is another command's result: it has no 'config'"),
        (
            '{"config": {"training": {"epochs": 3}}, "runs": []}',
            ["stacks"],
            "made with model.patch_size 8, not 16",
        ),
        (
            None,
            ["stacks", "--set", '["model.name=resnet"]'],
            "name is 'resnet', expected one of",
        ),
        (
            None,
            ["stacks", "--set", '["training.epochs=0"]'],
            "epochs is 0, expected at least 1",
        ),
        (
            None,
            ["stacks", "--set", '["model.name=cnn"]'],
            "has no blocks, whose matrices Muon takes",
        ),
        (None, ["nothing"], "no config 'nothing'"),
        (None, ["stacks", "--seeds", "0"], "expected at least 1 seed"),
        (None, ["stacks", "--sed", "3"], "unrecognized arguments: --sed"),
    ],
)
def test_a_mistake_is_one_line(desk, content, words, found, monkeypatch, capsys):
    if content is not None:
        (desk[0] / "results" / "stacks.json").write_text(content, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["seeds.py", *words])
    with pytest.raises(SystemExit) as stop:
        run(seeds.seeds)
    message = capsys.readouterr().err
    assert (
        stop.value.code == 2
        and found in message
        and message.count("\n") == 1
        and not desk[1]
    )


def test_weights_that_are_not_the_recorded_ones_are_refused(desk):
    seeds.seeds("stacks", seeds=1, set=DRAWN)
    (desk[0] / "results" / "stacks.json").unlink()
    path = desk[0] / "runs" / "stacks-0" / "history.json"
    path.write_text(
        json.dumps(
            [json.loads(path.read_text(encoding="utf-8"))[0] | {"val_accuracy": 1.0}]
        ),
        encoding="utf-8",
    )
    with pytest.raises(ValueError, match="its history says 100.0%"):
        seeds.seeds("stacks", seeds=1, set=DRAWN)


# ---- folds


def test_each_fold_is_trained_once(desk, monkeypatch):
    write_stl10(desk[0], monkeypatch, images=50, labels=50)
    folds.folds("stl10-laptop", root=str(desk[0]), set=TINY)
    record = stored(desk, "stl10-laptop-folds")
    assert [run["fold"] for run in record["runs"]] == [0, 1, 2, 3, 4] and len(
        desk[1]
    ) == 5
    assert {run["seed"] for run in record["runs"]} == {0}
    folds.folds("stl10-laptop", root=str(desk[0]), set=TINY)
    assert len(desk[1]) == 5
    with pytest.raises(ValueError, match="stacks is drawn and has no folds"):
        folds.folds("stacks")


def test_a_model_is_judged_at_other_sizes_by_the_images_its_run_held_out(
    desk, monkeypatch
):
    write_stl10(desk[0], monkeypatch, images=50, labels=50)
    monkeypatch.setattr(sizes, "ROOT", desk[0])
    load, judged = sizes.load_split, []
    monkeypatch.setattr(
        sizes,
        "load_split",
        lambda data, split: judged.append((data.fold, split)) or load(data, split),
    )
    plan = plans.read_plan("stl10-laptop", [*TINY, f"data.root={desk[0]}"])
    for fold in (0, 1):
        out = desk[0] / f"fold-{fold}"
        held_out = replace(plan, data=replace(plan.data, fold=fold))
        plans.trained(held_out, out)
        sizes.sizes(str(desk[0]), str(out), sizes=(96, 144))
        own, _ = stored(desk, f"sizes-fold-{fold}")["sizes"]
        history = json.loads((out / "history.json").read_text(encoding="utf-8"))
        assert own["accuracy"] == pytest.approx(history[-1]["val_accuracy"])
    assert judged == [(0, "val"), (1, "val")]


# ---- ladders


@pytest.mark.parametrize("name", ladder.LADDERS)
def test_every_step_is_a_valid_plan_that_differs_as_it_says(name):
    rungs = ladder.LADDERS[name]
    steps = ladder.read_ladder(rungs, [])
    base = ladder.bases(rungs)
    assert list(steps) == [step.name for step in rungs] and len(steps) == len(rungs)
    assert base[rungs[0].name] is None
    assert base[rungs[2].name] == (rungs[2].after or rungs[1].name)
    for step in rungs[1:]:
        assert rungs.index(step) > list(steps).index(base[step.name])
        old, new = (
            plans.flat(steps[which].settings())
            for which in (base[step.name], step.name)
        )
        changed = {key: new[key] for key in new if new[key] != old[key]}
        assert changed and changed.items() <= step.change.items()
        build_model(replace(steps[step.name].model, dim=8, depth=1, heads=1))


def test_the_laptops_ladder_starts_plain():
    plain = ladder.read_ladder(ladder.LAPTOP, [])["plain"]
    assert (
        plain.training.augment == AugmentConfig()
        and plain.training.optimizer == "adamw"
    )
    assert (
        plain.model.dim,
        plain.model.depth,
        plain.model.patch_size,
        plain.training.epochs,
    ) == (128, 4, 16, 20)
    full = ladder.read_ladder(ladder.LAPTOP, ["training.seed=3"])["+ MixUp and CutMix"]
    assert full.training.mixing == MixingConfig(mixup=0.8, cutmix=1.0)
    assert (
        full.training.augment.crop == (0.35, 1.0)
        and full.model.embedder == "stem"
        and full.training.seed == 3
    )


def test_a_ladder_trains_the_steps_asked_for_and_goes_on(desk, capsys):
    log = (
        "# Log\n\n## One\n`experiments/ladder.py trials`\n| plain | 9 % |\n\n"
        "## Two\n`python experiments/ablations.py laptop`\n"
    )
    ladder.LOG.write_text(
        log + "| step | prediction |\n|---|---|\n| plain | 36 % |\n", encoding="utf-8"
    )
    ladder.ladder("laptop", steps=["small CNN", "plain"], set=DRAWN)
    ladder.ladder("laptop", seeds=2, steps=["plain", "+ crop and flip"], set=DRAWN)
    assert desk[1] == [
        f"ladder-laptop-{name}"
        for name in (
            "plain-0",
            "small-cnn-0",
            "crop-and-flip-0",
            "plain-1",
            "crop-and-flip-1",
        )
    ]
    steps = stored(desk, "ladder-laptop")["steps"]
    assert list(steps) == ["plain", "+ crop and flip", "small CNN"]
    found = [[run["seed"] for run in step["runs"]] for step in steps.values()]
    assert found == [[0, 1], [0, 1], [0]]
    assert [step["prediction"] for step in steps.values()] == ["36 %", "none", "none"]
    second = steps["+ crop and flip"]
    assert second["change"] == ladder.LAPTOP[1].change
    assert (
        second["after"] == "plain"
        and steps["small CNN"]["config"]["model"]["name"] == "cnn"
    )
    ladder.LOG.write_text(
        ladder.LOG.read_text(encoding="utf-8") + "| + crop and flip | 40 % |\n",
        encoding="utf-8",
    )
    capsys.readouterr()
    ladder.ladder("laptop", steps=["plain"], set=DRAWN)
    steps = stored(desk, "ladder-laptop")["steps"]
    second = steps["+ crop and flip"]
    assert len(desk[1]) == 5 and second["prediction"] == "40 %"
    gain = 100 * (second["mean"] - steps["plain"]["mean"])
    table = capsys.readouterr().out
    scores = f"{second['mean']:.1%} ± {second['spread']:.1%}"
    assert re.search(rf"{scores} +seeds: 2, \{gain:+.1f} on plain\n", table)


def test_a_ladder_refuses_unknown_steps_and_other_settings(desk):
    with pytest.raises(
        ValueError, match="no step 'plane' in ladder-laptop, expected some of"
    ):
        ladder.ladder("laptop", steps=["plane"])
    ladder.ladder("laptop", steps=["plain"], set=DRAWN)
    with pytest.raises(ValueError, match="made with model.dim 16, not 8"):
        ladder.ladder("laptop", steps=["plain"], set=[*DRAWN, "model.dim=8"])


# ---- results on file

COMMANDS = {
    "seeds": seeds.seeds,
    "ladder": ladder.ladder,
    "scoreboard": scoreboard.scoreboard,
    "data_efficiency": data_efficiency.data_efficiency,
    "training_bugs": training_bugs.training_bugs,
}
# as results made before the studies moved name their commands
OLD = {
    "sweep": "ladder",
    "generalising": "data_efficiency",
    "illness": "training_bugs",
}


def recorded_commands():
    """The results that a study has made: file, study, words of the command."""
    found = []
    for path in sorted((ROOT / "results").glob("*.json")):
        command = json.loads(path.read_text(encoding="utf-8"))["command"]
        _, script, *words = shlex.split(command)
        if "--set" in words:  # the last option; an old command lacks its quotes
            start = words.index("--set") + 1
            words[start:] = [" ".join(words[start:])]
        study = OLD.get(Path(script).stem, Path(script).stem)
        if study in COMMANDS:
            found.append(pytest.param(path.name, study, words, id=path.stem))
    return found


@pytest.mark.parametrize(("name", "study", "words"), recorded_commands())
def test_a_result_on_file_is_complete(desk, name, study, words, monkeypatch):
    """The command that made it trains nothing and leaves it as it is: who changes a
    recipe trains it anew.
    """

    def refuse(*given):
        raise AssertionError("nothing is left to measure")

    content = (ROOT / "results" / name).read_bytes()
    (desk[0] / "results" / name).write_bytes(content)
    log = (ROOT / "results" / "LOG.md").read_text(encoding="utf-8")
    ladder.LOG.write_text(log, encoding="utf-8")
    for module in (plans, scoreboard, data_efficiency, training_bugs):
        monkeypatch.setattr(module, "measure", refuse)
    monkeypatch.setattr(sys, "argv", [study, *words])
    run(COMMANDS[study])
    assert (desk[0] / "results" / name).read_bytes() == content


def test_a_result_shows_no_folder_of_the_machine(desk, tmp_path):
    """Neither of the data nor of the runs that a run learns or starts from."""
    plan = plans.read_plan(None, DRAWN)
    plans.trained(plan, tmp_path / "run")
    other = str(tmp_path / "other")
    changes = [f"training.teacher={other}", f"training.init={other}", "data.root=/a/b"]
    shown = plans.shown_config(
        plans.read_plan(None, [*DRAWN, *changes]), tmp_path / "run"
    )
    assert shown["training"]["teacher"] == shown["training"]["init"] == "other"
    assert str(tmp_path) not in json.dumps(shown) and shown["data"]["root"] == "b"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("/home/me/data", "data"),
        ("--root=/home/me/my data", "--root=my data"),
        ("[/home/me/runs/a, stl10, /b/c]", "[a, stl10, c]"),
        (
            '["training.teacher=/home/me/run", "training.epochs=3"]',
            '["training.teacher=run", "training.epochs=3"]',
        ),
        ('["mae, all labels", "a / b"]', '["mae, all labels", "a / b"]'),
        ("runs/stl10-0", "runs/stl10-0"),
    ],
)
def test_a_command_shows_no_folder_of_the_machine(word, shown):
    assert strip_paths(word) == shown


def test_no_seed_is_what_is_said_to_be_too_few(desk):
    with pytest.raises(ValueError, match="expected at least 1 seed"):
        ladder.ladder("laptop", seeds=0, steps=["plain"])


def test_a_study_keeps_what_it_knows_and_measures_the_rest(desk, monkeypatch):
    board = ROOT / "results" / "scoreboard.json"
    before = json.loads(board.read_text(encoding="utf-8"))["steps"]
    removed = before["bag"]["runs"].pop()
    path = desk[0] / "results" / "scoreboard.json"
    path.write_text(json.dumps({"steps": before}), encoding="utf-8")
    asked = []

    def measure(name, val, seed):
        asked.append((name, seed))
        # meanwhile another process has written
        other = {"other": {"mean": 0.5, "spread": None, "runs": []}}
        path.write_text(json.dumps({"steps": before | other}), encoding="utf-8")
        return {"val_accuracy": removed["val_accuracy"]}

    monkeypatch.setattr(scoreboard, "measure", measure)
    scoreboard.scoreboard(steps=["pixels", "bag"])
    assert asked == [("bag", 2)]
    whole = json.loads(board.read_text(encoding="utf-8"))["steps"]
    found = stored(desk, "scoreboard")["steps"]
    assert found["bag"]["runs"][2].pop("commit") == commit()
    assert found.pop("other")["mean"] == 0.5 and found == whole


def test_a_run_that_another_process_has_stored_meanwhile_counts_once(desk):
    jobs = [
        runner.Job("a", 0, lambda: {"val_accuracy": 0.2}),
        runner.Job("a", 1, lambda: {"val_accuracy": 0.4}),
    ]

    def beaten():
        runner.complete("shared", jobs)
        return {"val_accuracy": 0.4}

    runner.complete("shared", [jobs[0], runner.Job("a", 1, beaten)])
    step = stored(desk, "shared")["steps"]["a"]
    assert [run["seed"] for run in step["runs"]] == [0, 1]
    assert step["mean"] == pytest.approx(0.3)
    assert step["spread"] == pytest.approx(0.1414, abs=1e-4)


@pytest.mark.parametrize("study", [seeds, folds, ladder, ablations])
def test_a_result_names_the_device_of_its_settings(study, monkeypatch):
    """And not the one that would be picked where none is given."""
    names = []

    def complete(*given, device, **options):
        names.append(device)
        return {"steps": {}}

    monkeypatch.setattr(study, "complete", complete)
    monkeypatch.setattr(ladder, "write_result", lambda *given: None)
    monkeypatch.setattr(
        study,
        "pick_device",
        lambda name: torch.device({"auto": "cuda"}.get(name, name)),
    )
    small = deck.Deck("stacks", "stacks", {"training.device": "cpu"}, ())
    monkeypatch.setattr(ablations, "read_deck", lambda name: small)
    recipe = {folds: "stl10-laptop", ladder: "laptop"}.get(study, "stacks")
    settings = {} if study is ablations else {"set": ["training.device=cpu"]}
    getattr(study, study.__name__.rpartition(".")[2])(recipe, **settings)
    assert names == ["cpu"]
