"""The benchmarks' own machinery, on models that learn in a moment: records that are
kept, folds, ladders, latency.
"""

import json
import runpy
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from test_data import write_stl10

from vit_tutorial import VisionTransformer, ViTConfig
from vit_tutorial.augment.config import AugmentConfig
from vit_tutorial.model import count_parameters

ROOT = Path(__file__).parent.parent
# where the scripts lie that are run from the command line
sys.path.append(str(ROOT / "benchmarks"))

import folds  # noqa: E402
import latency  # noqa: E402
import record  # noqa: E402
import seeds  # noqa: E402
import sweep  # noqa: E402
import variants  # noqa: E402

TINY = [
    *(
        "training.epochs=1",
        "training.warmup_epochs=0",
        "training.batch_size=8",
        "model.patch_size=48",
        "model.dim=16",
    ),
    *("model.depth=1", "model.heads=2", "training.device=cpu"),
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
    """An empty folder for records and runs; the names of the runs that are trained are
    kept in `trained`.
    """
    (tmp_path / "results").mkdir()
    real = seeds.train
    trained = []
    for module in (seeds, sweep):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(sweep, "LOG", tmp_path / "results" / "LOG.md")
    monkeypatch.setattr(sys, "argv", ["benchmarks/seeds.py", "stacks"])
    monkeypatch.setattr(
        seeds, "train", lambda *given: (trained.append(given[3].name), real(*given))
    )
    return tmp_path, trained


def stored(desk, name):
    return json.loads(
        (desk[0] / "results" / f"{name}.json").read_text(encoding="utf-8")
    )


SCRIPTS = [
    path
    for path in sorted((ROOT / "benchmarks").glob("*.py"))
    if "__main__" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_help_explains_and_starts_nothing(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(path), run_name="__main__")
    assert end.value.code == 0 and capsys.readouterr().out.startswith("usage: ")


# ---- records of several seeds


def test_a_record_keeps_its_runs_and_gets_the_missing_ones(desk, capsys):
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
    assert "over 2 seeds" in capsys.readouterr().out
    # where the data lie changes nothing
    seeds.seeds("stacks", seeds=2, root="/elsewhere", set=DRAWN)
    assert stored(desk, "stacks") == record and len(desk[1]) == 2


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
    del (
        config["training"]["average"],
        config["training"]["strong"],
        config["data"]["fold"],
    )
    path.write_text(json.dumps(config), encoding="utf-8")
    seeds.seeds("stacks", seeds=1, set=DRAWN)
    assert (
        desk[1] == ["stacks-0"] and stored(desk, "stacks")["runs"] == expected["runs"]
    )


def test_a_run_that_was_cut_off_goes_on(desk, monkeypatch):
    def stop(row):
        raise KeyboardInterrupt

    monkeypatch.setattr(seeds, "print_row", stop)
    with pytest.raises(KeyboardInterrupt):
        seeds.seeds("stacks", seeds=1, set=[*DRAWN, "training.epochs=2"])
    path = desk[0] / "runs" / "stacks-0" / "history.json"
    first, *rest = json.loads(path.read_text(encoding="utf-8"))
    monkeypatch.setattr(seeds, "print_row", lambda row: None)
    seeds.seeds("stacks", seeds=1, set=[*DRAWN, "training.epochs=2"])
    assert not rest and json.loads(path.read_text(encoding="utf-8"))[0] == first
    assert len(stored(desk, "stacks")["runs"][0]["curves"]["val_loss"]) == 2


def test_another_model_is_built_and_recorded(desk):
    settings = [*DRAWN, "training.optimizer=adamw", "training.average=0.5"]
    seeds.seeds("stacks", seeds=1, build="cnn", set=settings)
    record = stored(desk, "stacks-cnn")
    assert record["config"]["build"] == "cnn" and desk[1] == ["stacks-cnn-0"]
    assert record["runs"][0]["parameters"] == count_parameters(
        variants.BUILDERS["cnn"](ViTConfig())
    )
    with pytest.raises(ValueError, match="made with build 'cnn', not 'vit'"):
        seeds.seeds("stacks", seeds=1, name="stacks-cnn", set=settings)


@pytest.mark.parametrize(
    ("content", "words", "found"),
    [
        ("{", ["stacks"], "is broken"),
        ("[]", ["stacks"], "is another benchmark's record: it has no 'config'"),
        (
            '{"steps": []}',
            ["stacks"],
            "is another benchmark's record: it has no 'config'",
        ),
        (
            '{"config": {"training": {"epochs": 3}}, "runs": []}',
            ["stacks"],
            "made with model.patch_size 8, not 16",
        ),
        (None, ["stacks", "--build", "resnet"], "build is 'resnet', expected one of"),
        (
            None,
            ["stacks", "--set", '["training.epochs=0"]'],
            "epochs is 0, expected at least 1",
        ),
        (
            None,
            ["stacks", "--build", "cnn"],
            "cnn has no blocks, whose matrices Muon takes",
        ),
        (None, ["nothing"], "no config 'nothing'"),
    ],
)
def test_a_mistake_is_one_line(desk, content, words, found, monkeypatch, capsys):
    if content is not None:
        (desk[0] / "results" / "stacks.json").write_text(content, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["seeds.py", *words])
    with pytest.raises(SystemExit) as stop:
        record.run(seeds.seeds)
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


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "vit_tutorial" / "configs").glob("*.yaml")),
    ids=lambda path: path.stem,
)
def test_records_are_of_the_recipes_that_ship(path):
    """Who changes a recipe trains it anew."""
    place = ROOT / "results" / path.name.replace(".yaml", ".json")
    if not place.exists():
        pytest.skip(f"{place.name} is not recorded yet")
    made = json.loads(place.read_text(encoding="utf-8"))
    seeds.refuse_others(
        place,
        made["config"],
        seeds.read_plan(path.stem, []),
        (*seeds.MAY_CHANGE, "training.seed", "data.split_seed"),
    )


def test_a_command_is_recorded_without_the_folders_of_this_machine(monkeypatch):
    words = [
        "--root",
        "/home/ada/data",
        "--out=/tmp/a b",
        "--set",
        '["model.dim=8"]',
        "runs/one",
    ]
    monkeypatch.setattr(sys, "argv", ["/home/ada/benchmarks/seeds.py", *words])
    command = record.circumstances("cpu", ["torch"])["command"]
    assert (
        command == "python benchmarks/seeds.py --root data '--out=a b' --set"
        " '[\"model.dim=8\"]' runs/one"
    )


# ---- folds


def test_outside_git_the_environment_tells_the_commit(tmp_path, monkeypatch):
    assert len(record.commit().rstrip("+")) == 12
    monkeypatch.setattr(record, "ROOT", tmp_path)
    assert record.commit() == "unknown"
    monkeypatch.setenv("VIT_COMMIT", "0123456789ab")
    assert record.commit() == "0123456789ab"


def test_runs_that_serve_twice_are_the_same_run():
    """As the table in CONTRIBUTING.md says."""
    steps = sweep.read_ladder(sweep.GPU, ["training.seed=0"])
    plain = ["model.embedder=convolutional"]
    cnn = ["training.optimizer=adamw", "training.average=0"]
    assert (
        steps["+ MixUp and CutMix"]
        == seeds.read_plan("stl10", [])
        == seeds.read_plan("stl10", ["data.fold=0"])
    )
    assert steps["without the stem"] == seeds.read_plan("stl10", plain)
    assert steps["ResNet-18"] == seeds.read_plan("stl10", cnn, "resnet18")


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


# ---- ladders


@pytest.mark.parametrize("name", sweep.LADDERS)
def test_every_step_is_a_valid_plan_that_differs_as_it_says(name):
    ladder = sweep.LADDERS[name]
    plans = sweep.read_ladder(ladder, [])
    base = sweep.bases(ladder)
    assert list(plans) == [step.name for step in ladder] and len(plans) == len(ladder)
    assert base[ladder[0].name] is None and base[ladder[2].name] == ladder[1].name
    for step in ladder[1:]:
        assert ladder.index(step) > list(plans).index(base[step.name])
        old, new = (
            seeds.flat(plans[which].settings())
            for which in (base[step.name], step.name)
        )
        expected = dict(step.change) | ({"build": step.build} if step.build else {})
        changed = {key: new[key] for key in new if new[key] != old[key]}
        assert changed and changed.items() <= expected.items()
        variants.BUILDERS[plans[step.name].build](
            replace(plans[step.name].model, dim=8, depth=1, heads=1)
        )


def test_the_laptops_ladder_starts_plain():
    plain = sweep.read_ladder(sweep.LAPTOP, [])["plain"]
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
    full = sweep.read_ladder(sweep.LAPTOP, ["training.seed=3"])["+ MixUp and CutMix"]
    assert asdict(full.training.strong) == {
        "three": 0.0,
        "erase": 0.0,
        "mixup": 0.8,
        "cutmix": 1.0,
    }
    assert (
        full.training.augment.crop == (0.35, 1.0)
        and full.model.embedder == "stem"
        and full.training.seed == 3
    )


def test_a_sweep_trains_the_steps_asked_for_and_goes_on(desk, capsys):
    log = (
        "# Log\n\n## One\n`benchmarks/sweep.py gpu`\n| plain | 9 % |\n\n## Two\n`python"
        " benchmarks/sweep.py laptop`\n"
    )
    sweep.LOG.write_text(
        log + "| step | prediction |\n|---|---|\n| plain | 36 % |\n", encoding="utf-8"
    )
    sweep.sweep("laptop", steps=["small CNN", "plain"], set=DRAWN)
    sweep.sweep("laptop", seeds=2, steps=["plain", "+ crop and flip"], set=DRAWN)
    assert desk[1] == [
        f"sweep-laptop-{name}"
        for name in (
            "plain-0",
            "small-cnn-0",
            "crop-and-flip-0",
            "plain-1",
            "crop-and-flip-1",
        )
    ]
    steps = stored(desk, "sweep-laptop")["steps"]
    assert [step["name"] for step in steps] == ["plain", "+ crop and flip", "small CNN"]
    assert [[run["seed"] for run in step["runs"]] for step in steps] == [
        [0, 1],
        [0, 1],
        [0],
    ]
    assert [step["prediction"] for step in steps] == ["36 %", "none", "none"]
    assert steps[1]["change"] == sweep.LAPTOP[1].change and steps[1]["after"] == "plain"
    assert steps[2]["build"] == "cnn" and not any(
        "confusion" in run for step in steps for run in step["runs"]
    )
    sweep.LOG.write_text(
        sweep.LOG.read_text(encoding="utf-8") + "| + crop and flip | 40 % |\n",
        encoding="utf-8",
    )
    capsys.readouterr()
    sweep.sweep("laptop", steps=["plain"], set=DRAWN)
    steps = stored(desk, "sweep-laptop")["steps"]
    assert len(desk[1]) == 5 and steps[1]["prediction"] == "40 %"
    gain = 100 * (steps[1]["mean"] - steps[0]["mean"])
    table = capsys.readouterr().out
    assert (
        f"+ crop and flip{steps[1]['mean']:19.1%}, seeds: 2, {gain:+.1f} on plain\n"
        in table
    )


def test_a_sweep_refuses_unknown_steps_and_other_settings(desk):
    with pytest.raises(ValueError, match="no step 'plane' in laptop, expected some of"):
        sweep.sweep("laptop", steps=["plane"])
    sweep.sweep("laptop", steps=["plain"], set=DRAWN)
    with pytest.raises(ValueError, match="made with model.dim 16, not 8"):
        sweep.sweep("laptop", steps=["plain"], set=[*DRAWN, "model.dim=8"])


# ---- latency


def test_latency_is_measured_and_recorded(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "latency.py",
            "stacks",
            "--images",
            "3",
            "--out",
            str(tmp_path / "latency.json"),
        ],
    )
    latency.main()
    made = json.loads((tmp_path / "latency.json").read_text(encoding="utf-8"))
    row = made["models"]["stacks"]
    assert (
        0
        < row["cpu"]["quartiles_ms"][0]
        <= row["cpu"]["median_ms"]
        <= row["cpu"]["quartiles_ms"][1]
    )
    assert (row["patch_size"], row["dim"], row["depth"]) == (
        16,
        96,
        4,
    ) and "stacks" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["latency.py", "nothing"])
    with pytest.raises(SystemExit):
        latency.main()
    assert capsys.readouterr().err.startswith("error: no checkpoint 'nothing'")
