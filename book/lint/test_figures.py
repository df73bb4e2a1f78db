"""What chapter 10 and the README say of photographs is what the records say."""

import math

import pytest
import torch
from written import ROOT, chapter, recorded

TEXT = chapter("10_train_stl10")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_best_epoch_adds_up_to_two_points():
    runs = recorded("stl10-laptop")["runs"]
    gains = [
        100 * (max(run["curves"]["val_accuracy"]) - run["val_accuracy"]) for run in runs
    ]
    assert all(0 <= gain <= 2 for gain in gains) and "By up to two points" in TEXT


def test_the_plain_model_is_the_one_that_the_reader_guesses_about():
    settings = recorded("stl10-laptop")["config"]
    assert (
        settings["model"]["depth"],
        settings["model"]["dim"],
        settings["training"]["epochs"],
    ) == (6, 128, 40)
    assert "a plain ViT with six blocks, `D = 128`, forty epochs" in TEXT


def test_the_better_model_passes_its_best_and_falls():
    curves = [run["curves"]["val_accuracy"] for run in recorded("stl10-small")["runs"]]
    means = [100 * sum(scores) / len(curves) for scores in zip(*curves, strict=True)]
    assert f"its best, on the mean, at epoch {1 + means.index(max(means))} and" in TEXT
    assert (
        f"and loses {max(means) - means[-1]:.1f} points while training climbs" in TEXT
    )


def test_curves_cross_and_end_near_each_other_or_far_apart():
    for name, (least, most) in {
        "stl10-laptop": (0, 6),
        "stl10-small": (12, 30),
    }.items():
        for run in recorded(name)["runs"]:
            learnt = run["curves"]["train_accuracy"]
            known = run["curves"]["val_accuracy"]
            assert learnt[0] < known[0], name
            assert least < 100 * (learnt[-1] - known[-1]) < most, name


def test_only_the_first_step_of_the_ladder_knows_its_pictures_by_heart():
    first, *others = (
        step["runs"][0]["curves"]["train_accuracy"][-1]
        for step in recorded("ablations-laptop")["steps"].values()
    )
    assert (
        f"to know {100 * first:.0f} of 100 of the 4,000" in TEXT and max(others) < 0.75
    )


def test_what_the_steps_gave_is_what_the_record_says():
    steps = recorded("ablations-laptop")["steps"]
    gains = {
        name: 100 * (step["mean"] - steps[step["after"]]["mean"])
        for name, step in steps.items()
        if step["after"]
    }
    # of the difference of two of these accuracies
    error = 100 * math.sqrt(2 * 0.47 * 0.53 / 1000)
    assert round(error, 1) == 2.2 and "2.2 points; believe twice that" in TEXT
    assert {
        name: round(gain) for name, gain in gains.items() if abs(gain) > 2 * error
    } == {
        "+ crop and flip": 6,
        "+ convolutional stem": 11,
        "+ MixUp and CutMix": -13,
    }
    assert (
        "crop and flip give six points, the stem eleven, and mixing takes thirteen"
        in TEXT
    )
    assert (
        round(gains["small CNN"]) == 4
        and "The little CNN, four ahead, does not quite" in TEXT
    )
    assert abs(gains["+ moving average"]) < 1 and "nor does the average" in TEXT
    promised = [
        int(steps[name]["prediction"].split()[0])
        for name in ("+ Muon", "+ sin-cos positions")
    ]
    assert promised[0] - promised[1] == 5 and gains["+ Muon"] < 1.6


def test_the_plain_model_takes_cars_for_trucks_and_the_better_one_animals_for_animals():
    top = {}
    for name in ("stl10-laptop", "stl10-small"):
        record = recorded(name)
        counts = sum(
            torch.tensor(run["confusion"])
            for run in record["runs"]
            if "confusion" in run
        )
        places = (counts + counts.T).triu(1).flatten().topk(2).indices.tolist()
        classes = record["config"]["classes"]
        top[name] = [{classes[place // 10], classes[place % 10]} for place in places]
    assert top["stl10-laptop"][0] == {"car", "truck"}
    assert all(pair <= {"cat", "dog", "deer"} for pair in top["stl10-small"])
    # the row that the reader is sent to
    assert classes[int(counts.diagonal().argmin())] == "dog"


def test_the_longer_a_model_has_learnt_the_surer_it_is():
    for name in ("stl10-laptop", "stl10-small"):
        for bins in (
            run["calibration"] for run in recorded(name)["runs"] if "calibration" in run
        ):
            confidence, right, n = (
                torch.tensor(bins[key], dtype=torch.float64)
                for key in ("confidence", "accuracy", "n")
            )
            gap = n * (right - confidence)  # above 0 where the model is too modest
            assert gap[6:].sum() > 0 if name == "stl10-laptop" else gap.sum() < 0, name
            assert confidence[-1] < 0.94, name
            if name == "stl10-small":
                assert (gap < 0).sum() > (n > 0).sum() / 2
        # now of the last run, which is the one that the diagram shows
        assert (
            right[-1] == 1
            if name == "stl10-laptop"
            else abs(right[-1] - confidence[-1]) < 0.02
        )


@pytest.mark.parametrize(
    ("name", "place"),
    [("stl10-laptop", "runs/stl10-laptop-1"), ("stl10-small", "stl10-small")],
)
def test_the_table_of_the_readme_is_what_the_records_say(name, place):
    record = recorded(name)
    latency = recorded("latency")["models"][place]
    cells = (
        next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
        .strip("| ")
        .split(" | ")
    )
    clocks = [
        run["curves"]["seconds"] for run in record["runs"] if "seconds" in run["curves"]
    ]
    spread = f" ± {100 * record['spread']:.1f}" if record["spread"] else ""
    assert cells[2:6] == [
        str(len(record["runs"])),
        f"{100 * record['mean']:.1f}{spread}",
        f"{sum(map(sum, clocks)) / len(clocks) / 60:.0f} min of one CPU core",
        f"{latency['cpu']['median_ms']:.1f}",
    ]
    assert f"{latency['parameters'] / 1e6:.1f} M" in cells[1]
    assert f"{record['config']['training']['epochs']} epochs" in cells[1]
