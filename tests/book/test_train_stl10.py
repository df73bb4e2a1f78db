"""Chapter 10 in its three ways: from records, as a training on tiny photographs, and as
it is committed.
"""

import io
import json
import math
import re
import shlex
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
import yaml
from small import spent, stop_at, timeless, write_stl10

from experiments.plans import read_plan
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.stl10 import STL10_CLASSES
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training import loop as training
from vit_tutorial.training.checkpoint import load_checkpoint

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "notebooks" / "10_train_stl10.md"
SETTINGS = {
    "model": {"image_size": 96, "patch_size": 48, "dim": 16, "depth": 1, "heads": 2},
    "data": {"name": "stl10"},
    "training": {
        "epochs": 2,
        "batch_size": 10,
        "device": "cpu",
        "label_smoothing": 0.1,
    },
}
STRONG = {
    "model": SETTINGS["model"] | {"embedder": "stem"},
    "data": SETTINGS["data"],
    "training": (
        SETTINGS["training"]
        | {
            "ema_decay": 0.9,
            "mixing": {"mixup": 0.8, "cutmix": 1.0},
        }
    ),
}

LOW = STRONG | {"training": STRONG["training"] | {"resolution": [48]}}

TRAINS = "trained = train("  # in the cell that trains


def cells(kind: str) -> list[str]:
    return [
        cell.source
        for cell in jupytext.read(CHAPTER, fmt="md:myst").cells
        if cell.cell_type == kind
    ]


@cache
def prose() -> str:
    return " ".join("\n".join(cells("markdown")).split())


def write_records(folder: Path) -> None:
    """Made-up records: two short runs, the first one as an older record holds it,
    without seconds and tables.
    """
    curves = {"train_accuracy": [0.2, 0.4], "val_accuracy": [0.3, 0.35]}
    bins = {
        "confidence": [0.0] * 9 + [0.95],
        "accuracy": [0.0] * 9 + [1.0],
        "n": [0] * 9 + [1000],
    }
    tables = {
        "confusion": (100 * torch.eye(10, dtype=torch.int64)).tolist(),
        "calibration": bins,
    }
    old = {"seed": 0, "val_accuracy": 0.35, "curves": curves}
    new = {
        "seed": 1,
        "val_accuracy": 0.35,
        "curves": curves | {"seconds": [1.0, 1.0]},
    } | tables
    step = {"change": {}, "prediction": "30 to 40", "mean": 0.35, "runs": [new]}
    records = {
        "stl10-laptop": {
            "config": SETTINGS | {"classes": STL10_CLASSES},
            "runs": [old, new],
        },
        "stl10-small": {"config": STRONG | {"classes": STL10_CLASSES}, "runs": [new]},
        "stl10": {"config": LOW | {"classes": STL10_CLASSES}, "runs": [new]},
        "stl10-half-mixed": {
            "config": LOW | {"classes": STL10_CLASSES},
            "runs": [new],
        },
        "ladder-laptop": {
            "steps": {
                "plain": step | {"after": None},
                "+ stem": step | {"after": "plain"},
            }
        },
    }
    for name, record in records.items():
        (folder / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")


def run(changes: dict[str, str], until: str = "") -> tuple[dict, str]:
    """Execute the cells in order, changed, as far as the one that holds `until`: what
    they define, what they print.
    """
    names = {}
    out = io.StringIO()
    with redirect_stdout(out):
        for source in cells("code"):
            for old, new in changes.items():
                source = source.replace(old, new)
            exec(compile(source, "chapter 10", "exec"), names)
            if until and until in source:
                break
    return names, out.getvalue()


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder like the repository's, with made-up records; the current folder is the
    notebooks'.
    """
    for name in ("notebooks", "results", "data"):
        (tmp_path / name).mkdir()
    write_records(tmp_path / "results")
    monkeypatch.chdir(tmp_path / "notebooks")
    plt.switch_backend("Agg")
    with plt.rc_context():
        yield tmp_path
    plt.close("all")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The chapter from made-up records, where whatever would read, fetch or train
    raises: names, output, figures.
    """

    def refuse(*_):
        raise AssertionError("the records are enough")

    desk = tmp_path_factory.mktemp("desk")
    for name in ("notebooks", "results", "data"):
        (desk / name).mkdir()
    write_records(desk / "results")
    plt.switch_backend("Agg")
    with pytest.MonkeyPatch.context() as patch, plt.rc_context():
        for name in (
            "data.datasets.read_stl10",
            "data.stl10_download.download_stl10",
            "training.loop.train",
            "training.loop.train_epoch",
        ):
            patch.setattr(f"vit_tutorial.{name}", refuse)
        patch.setattr("socket.socket.connect", refuse)
        patch.chdir(desk / "notebooks")
        names, out = run({})
        figures = len(plt.get_fignums())
        plt.close("all")
    return names, out, figures, sorted(path.name for path in desk.rglob("*"))


@pytest.fixture
def photographs(desk, monkeypatch):
    """Forty noise images in STL-10's files, and a recipe for a model that learns in a
    moment.
    """
    write_stl10(desk / "data", monkeypatch, images=40, labels=40)
    # YAML holds JSON
    (desk / "tiny.yaml").write_text(json.dumps(STRONG), encoding="utf-8")
    return {"REAL = False": "REAL = True", '"stl10-laptop"  #': '"../tiny.yaml"  #'}


def test_from_the_records_nothing_is_read_fetched_or_trained(told):
    names, out, figures, files = told
    assert "stl10-laptop: 35.0, 35.0 % (mean 35.0, spread 0.0)" in out
    assert "stl10-small: 35.0 % (one seed)" in out
    assert "stl10: 35.0 % (one seed)" in out
    assert "0 minutes a run, 4000 images a second" in out
    assert re.search(r"^\+ stem +30 to 40 +35\.0 % +40\.0 %$", out, re.MULTILINE)
    assert "sure of 95 % on average, right on 100 %" in out
    assert not names["REAL"] and figures == 8
    assert files == [
        "data",
        "ladder-laptop.json",
        "notebooks",
        "results",
        "stl10-half-mixed.json",
        "stl10-laptop.json",
        "stl10-small.json",
        "stl10.json",
    ]


def test_for_real_it_estimates_trains_and_shows_the_photographs(
    desk, photographs, monkeypatch
):
    names, out = run(photographs)
    assert re.search(
        r"^about \d+\.\d minutes on cpu for the 2 epochs that are left$",
        out,
        re.MULTILINE,
    )
    assert len(re.findall(r"^epoch +[12]: train loss", out, re.MULTILINE)) == 2
    history = load_checkpoint(desk / "runs" / "tiny-0")[1].history
    assert (
        names["records"]["tiny"]["runs"][0]["val_accuracy"]
        == history[-1]["val_accuracy"]
    )
    assert names["counts"].sum() == 10  # a validation image of each class
    assert len(plt.get_fignums()) == 10
    images = [
        axis.images
        for number in plt.get_fignums()[-2:]
        for axis in plt.figure(number).axes
    ]
    # six mistakes, then under their attention
    assert [len(shown) for shown in images] == [1] * 6 + [2] * 6
    # once more, after a restart: what is finished is only loaded
    monkeypatch.setattr(training, "train_step", None)
    _, out = run(photographs, until=TRAINS)
    assert (
        "about 0.0 minutes on cpu for the 0 epochs that are left" in out
        and "epoch   1" not in out
    )


def test_an_interrupted_run_goes_on_as_if_it_had_not_stopped(
    desk, photographs, monkeypatch
):
    run(photographs, until=TRAINS)
    whole = timeless(load_checkpoint(desk / "runs" / "tiny-0")[1].history)
    (desk / "runs" / "tiny-0").rename(desk / "whole")
    with monkeypatch.context() as patch:
        # four steps to time, three of the first epoch
        stop_at(patch, 4 + 3 + 2, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            run(photographs, until=TRAINS)
    assert len(load_checkpoint(desk / "runs" / "tiny-0")[1].history) == 1
    _, out = run(photographs, until=TRAINS)
    assert (
        "for the 1 epochs that are left" in out
        and "epoch   1" not in out
        and "epoch   2" in out
    )
    assert timeless(load_checkpoint(desk / "runs" / "tiny-0")[1].history) == whole


def test_photographs_that_are_not_there_are_fetched(desk, photographs, monkeypatch):
    (desk / "data" / "stl10_binary").rename(desk / "elsewhere")
    asked = []

    def fetch(root):
        asked.append(root)
        (desk / "elsewhere").rename(desk / "data" / "stl10_binary")

    monkeypatch.setattr("vit_tutorial.data.stl10_download.download_stl10", fetch)
    names, _ = run(photographs, until="download_stl10(settings")
    assert asked == ["../data"] and len(names["val"]) == 10


def test_no_photograph_is_in_the_committed_notebook():
    """It ran from the records, where nothing reads photographs; the cells that would
    show some are empty.
    """
    notebook = nbformat.read(CHAPTER.with_suffix(".ipynb"), as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code[0].source.startswith("REAL = False")
    real = [
        cell
        for cell in code
        if "if REAL:" in cell.source and "else:" not in cell.source
    ]
    assert len(real) == 4 and not [output for cell in real for output in cell.outputs]


# ---- what the chapter says


def test_standard_errors_are_the_computed_ones(told):
    assert "1000 images: 1.6 points by the formula, 1.6 in 1,000 tries" in told[1]
    assert (
        "1.6 points: each answer is a coin" in prose()
        and "half the error takes four times the images" in prose()
    )
    assert math.sqrt(0.25 / 1000) == pytest.approx(0.0158, abs=1e-4)


def test_a_token_of_the_stem_sees_what_the_chapter_says(told):
    fields = told[0]["fields"]
    sides = {
        name: int((seen.max(dim=0).values > 0.05).sum())
        for name, seen in fields.items()
    }
    assert sides == {"ConvolutionalPatchEmbedder": 12, "ConvolutionalStem": 15}
    assert (
        "<summary>Our answer</summary>15: a kernel of 3" in prose()
        and "each pixel is seen once, with its own patch" in prose()
    )
    # and nothing else
    assert fields["ConvolutionalPatchEmbedder"].count_nonzero() == 144
    assert fields["ConvolutionalStem"].all()  # a trace of everything


def test_the_average_remembers_as_many_steps_as_the_chapter_says():
    training = yaml.safe_load(
        (ROOT / "vit_tutorial" / "configs" / "stl10.yaml").read_text(encoding="utf-8")
    )["training"]
    steps = 1 / (1 - training["ema_decay"])
    assert f"A decay of {training['ema_decay']}, as in `stl10`," in prose()
    assert round(steps) == 500 and "= 500 steps, eight epochs" in prose()
    assert round(steps / (4000 // training["batch_size"])) == 8


def test_objects_have_the_sizes_that_the_chapter_says(told):
    recipe = yaml.safe_load(
        (ROOT / "vit_tutorial" / "configs" / "stl10.yaml").read_text(encoding="utf-8")
    )
    least, most = recipe["training"]["augment"]["crop"]
    assert told[0]["crops"].crop == (least, most) == (0.25, 1)
    assert recipe["training"]["resolution"] == [64]
    # of a crop whose area is drawn evenly: the mean of 1 / the root of the area
    wide = 2 * (math.sqrt(most) - math.sqrt(least)) / (most - least)
    larger = ((64 / 96) ** 2 - least) / (most - least)
    assert (
        f"trained at 96 pixels: {wide:.2f} times as wide on average, wider in 100 % of"
        in told[1]
    )
    assert (
        f"trained at 64 pixels: {wide * 64 / 96:.2f} times as wide on average, wider in"
        f" {100 * larger:.0f} % of the crops" in told[1]
    )
    assert f"on average they have {wide * 64 / 96:.2f} of their width" in prose()
    assert (round(larger, 2), round(wide, 2)) == (0.26, 1.33)
    assert "In a quarter of the crops" in prose() and "a third wider" in prose()


def test_the_parts_of_a_model_cost_what_the_chapter_says(told):
    costs = {}
    for recipe in ("stl10-laptop", "stl10-small", "stl10"):
        path = ROOT / "vit_tutorial" / "configs" / f"{recipe}.yaml"
        config = ViTConfig(**yaml.safe_load(path.read_text(encoding="utf-8"))["model"])
        costs[recipe] = told[0]["products_of"](config)
        whole = spent(
            VisionTransformer(config), torch.empty(1, 3, 96, 96), return_attention=True
        )
        assert sum(costs[recipe].values()) == whole
    plain = costs["stl10-laptop"]
    assert plain["MLP"] > sum(plain.values()) / 2
    assert costs["stl10"]["embedder"] > sum(plain.values())


def test_numbers_of_the_exercises_and_of_the_class_are_right():
    teaching = (ROOT / "book" / "teaching.md").read_text(encoding="utf-8")
    assert 2 * 0.6 * 0.4 / 4800 == pytest.approx(0.01**2) and "n = 4,800" in teaching
    points = [(200, 0.35, 0.30), (300, 0.55, 0.60), (500, 0.85, 0.80)]
    sure, right, far = (
        sum(n * value for n, *_, value in rows) / 1000
        for rows in (
            [(n, s) for n, s, _ in points],
            [(n, r) for n, _, r in points],
            [(n, abs(s - r)) for n, s, r in points],
        )
    )
    assert (round(sure, 3), round(right, 3), round(far, 3)) == (0.66, 0.64, 0.05)
    assert (
        "200 images, sure of 35 %, right on 30 %; 300, 55 and 60 %; 500, 85 and 80 %"
        in prose()
    )
    assert (
        "sure of 66 % and right on 64 %" in prose()
        and "*expected calibration error* is five points" in prose()
    )


def test_runs_that_are_named_in_class_end_where_the_record_says():
    runs = json.loads(
        (ROOT / "results" / "stl10-small.json").read_text(encoding="utf-8")
    )["runs"]
    ends = [f"{100 * run['curves']['train_accuracy'][-1]:.0f}" for run in runs]
    said = (
        f"runs of `stl10-small` end at {', '.join(ends[:-1])} and {ends[-1]} % in"
        " training"
    )
    assert said in (ROOT / "book" / "teaching.md").read_text(encoding="utf-8")


def test_commands_of_what_is_missing_can_be_run():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    commands = re.findall(
        r"^    (python (?:benchmarks|experiments)/[^#\n]*)", text, re.MULTILINE
    )
    planned = [shlex.split(command) for command in commands]
    assert len({" ".join(words) for words in planned}) == len(planned) >= 7
    for _, script, *words in planned:
        assert (ROOT / script).is_file()
        if script.endswith("seeds.py"):
            changes = (
                json.loads(words[words.index("--set") + 1]) if "--set" in words else []
            )
            read_plan(words[0], changes)
