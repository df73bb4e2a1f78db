"""What chapter 07 says of its recorded runs, and the one model that it shares with the
benchmark.
"""

import ast
import json
import math
import re
from pathlib import Path
from statistics import mean

import pytest

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "notebooks" / "07_generalising.md"


def steps(name: str) -> dict:
    path = ROOT / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))["steps"]


def definition(name: str, source: str) -> str | None:
    found = [
        node for node in ast.parse(source).body if getattr(node, "name", None) == name
    ]
    return ast.unparse(found[0]) if found else None


def test_the_recorded_runs_say_what_the_chapter_says():
    found = steps("data_efficiency")
    for step in found.values():
        assert [run["seed"] for run in step["runs"]] == list(range(len(step["runs"])))
        assert step["mean"] == pytest.approx(
            mean(run["val_accuracy"] for run in step["runs"]), abs=1e-4
        )
        assert all(
            run["val_accuracy"] == run["curves"]["val_accuracy"][-1]
            for run in step["runs"]
        )
    score = {name: step["mean"] for name, step in found.items()}
    for model in ("ViT", "CNN"):  # by heart, cured by augmentation and by more pictures
        assert score[f"{model}, 500"] < 0.65
        for run in found[f"{model}, 500"]["runs"]:
            assert run["curves"]["train_accuracy"][-1] > 0.99
        assert (
            min(
                score[f"{model}, {more}"]
                for more in ("500, augmented", "2000", "fresh")
            )
            > 0.85
        )
    assert (
        score["ViT, 500, upside down"]
        < 0.6
        < 0.85
        < score["ViT, 500, upside down, labels moved"]
    )


def test_the_panels_stand_in_the_order_of_the_answer():
    text = CHAPTER.read_text(encoding="utf-8")
    places = [
        int(place)
        for place in re.search(
            r"list\(panels\)\[place\] for place in \(([\d, ]+)\)", text
        )[1].split(",")
    ]
    answers = [
        re.sub(r"<.*?>", "", name)
        for name in re.findall(r"<strong>[A-F], (.*?):</strong>", text)
    ]
    assert answers == [
        list(steps("training_bugs"))[place] for place in places
    ] and sorted(places) == list(range(6))


def test_each_bug_shows_the_symptom_that_the_chapter_names():
    runs = {
        name: step["runs"][0]["curves"] for name, step in steps("training_bugs").items()
    }
    guess = math.log(10)
    healthy, softmax, dropout = (
        runs[name]
        for name in (
            "healthy",
            "softmax before the loss",
            "dropout left on in evaluation",
        )
    )
    below = {
        name: sum(
            val < train
            for val, train in zip(run["val_loss"], run["train_loss"], strict=True)
        )
        for name, run in runs.items()
    }
    assert healthy["val_accuracy"][-1] > 0.95 and below["healthy"] == 25
    assert (
        below["dropout left on in evaluation"] < 20
        and dropout["val_accuracy"][-1] > 0.85
    )
    assert min(softmax["train_loss"] + softmax["val_loss"]) > math.log(math.e + 9) - 1
    assert softmax["val_accuracy"][-1] > 0.85
    assert all(
        abs(loss - guess) < 0.06 for loss in runs["shuffled labels"]["train_loss"]
    )
    assert runs["learning rate times 100"]["train_loss"][0] > guess + 1
    wild = runs["no zero_grad"]["train_loss"]
    assert abs(wild[0] - guess) < 0.1 and wild[-1] > guess + 0.5
