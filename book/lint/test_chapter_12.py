"""What chapter 12 says of recorded runs without labels is what the record says."""

from math import floor
from statistics import mean, median

from written import chapter, recorded

TEXT = chapter("12_self_supervision")


def test_the_neighbours_of_photographs_are_right_as_often_as_it_says():
    runs = recorded("self_supervision-stl10")["steps"]["mae"]["runs"]
    near = mean(100 * run["val_accuracy"] for run in runs)
    plane = mean(100 * run["linear"] for run in runs)
    assert f"are right in {near:.0f} of 100, a linear probe in {plane:.0f}" in TEXT
    assert 4.5 < near / 10 < plane / 10 < 5.7 and "about five times chance" in TEXT


def test_what_a_start_without_labels_gives_is_what_it_says():
    steps = recorded("self_supervision-stl10")["steps"]
    tuned, scratch = (steps[f"{name}, all labels"] for name in ("mae", "scratch"))
    epochs = [step["config"]["training"]["epochs"] for step in (tuned, scratch)]
    assert epochs == [40, 80] and "for 40 epochs" in TEXT and "for 80." in TEXT
    assert [len(step["runs"]) for step in (tuned, scratch, steps["mae"])] == [3] * 3
    ends = [
        mean(100 * run["val_accuracy"] for run in s["runs"]) for s in (tuned, scratch)
    ]
    # halves are rounded up, as readers do
    ends = [floor(10 * end + 0.5 + 1e-9) / 10 for end in ends]
    assert f"right in {ends[0]:.1f} %, the other in {ends[1]:.1f} %" in TEXT
    assert "four points for having looked" in TEXT
    assert round(ends[0] - ends[1]) == 4
    gains = [
        100 * (one["val_accuracy"] - other["val_accuracy"])
        for one, other in zip(tuned["runs"], scratch["runs"], strict=True)
    ]
    said = "The gain was {:.1f}, {:.1f} and {:.1f} points with the three seeds"
    assert said.format(*gains) in TEXT and min(gains) > 0
    assert "ahead, by three points" in TEXT and round(gains[0]) == 3
    curves = [
        [
            mean(each)
            for each in zip(
                *(run["curves"]["val_accuracy"] for run in s["runs"]), strict=True
            )
        ]
        for s in (tuned, scratch)
    ]
    passed = next(at for at, one in enumerate(curves[1], 1) if one >= curves[0][4])
    assert "After five epochs" in TEXT and f"was after {passed}." in TEXT
    # as many minutes, to a few per cent
    minutes = [
        median(run["seconds"] for run in s["runs"]) / 60 for s in (tuned, scratch)
    ]
    assert all(29 < each < 33 for each in minutes) and "take half an hour" in TEXT


def test_what_it_says_of_the_other_methods():
    steps = recorded("self_supervision-stl10")["steps"]
    firsts = {name: step["runs"][0] for name, step in steps.items()}
    assert "With 40 or 400 labels every start is ahead" in TEXT
    errors = {}  # how many standard errors each start is ahead
    for labels in (40, 400):
        few = {
            start: firsts[f"{start}, {labels} labels"]["val_accuracy"]
            for start in ("scratch", "simmim", "mae", "dino")
        }
        assert min(few, key=lambda start: few[start]) == "scratch"
        base = few.pop("scratch")
        for start, share in few.items():
            error = ((base * (1 - base) + share * (1 - share)) / 1000) ** 0.5
            errors[start, labels] = (share - base) / error
    # of the last, 400
    said = "only MAE's seven points with 400 clearly pass twice the standard error"
    assert said in TEXT and round(100 * (few["mae"] - base)) == 7
    assert errors.pop(("mae", 400)) > 3 and max(errors.values()) < 2.05
    scratch = firsts["scratch, all labels"]
    share = 100 * scratch["val_accuracy"]
    said = f"the same seed reaches {share:.1f} % from scratch"
    assert said in TEXT and scratch["seed"] == 0
    for method in ("simmim", "dino"):
        assert [run["seed"] for run in steps[f"{method}, all labels"]["runs"]] == [0]
        assert (
            firsts[f"{method}, all labels"]["val_accuracy"] <= (scratch["val_accuracy"])
        )
    minutes = firsts["dino, all labels"]["seconds"] / scratch["seconds"]
    assert "DINO takes twice as long" in TEXT and 1.8 < minutes < 2.4


def test_what_it_says_of_stacks():
    steps = recorded("self_supervision-stacks")["steps"]
    assert all(len(step["runs"]) == 1 for step in steps.values())
    ends = {
        name: f"{100 * step['runs'][0]['val_accuracy']:.1f}"
        for name, step in steps.items()
    }
    said = "from scratch 20 of them bring {} % and 100 bring {}; after MAE it is {} and"
    names = ("scratch, 20 labels", "scratch, 100 labels", "mae, 20 labels")
    assert said.format(*(ends[name] for name in names)) in TEXT
    assert f"and {ends['mae, 100 labels']}, after SimMIM and DINO less" in TEXT
    for method in ("simmim", "dino"):
        for labels in (20, 100):
            mae = float(ends[f"mae, {labels} labels"])
            assert float(ends[f"{method}, {labels} labels"]) < mae


def test_what_it_says_of_heads_on_stacks():
    steps = recorded("self_supervision-stacks")["steps"]
    area = steps["dino"]["runs"][0]["object_area"]

    def times(step):
        return [mass / area for mass in steps[step]["runs"][0]["object_mass"]]

    assert "with two to three and a half times what its area" in TEXT
    assert all(1.95 < ratio < 3.55 for ratio in times("scratch, all labels"))
    assert "DINO's hardly more" in TEXT
    assert all(1 < ratio < 1.1 for ratio in times("dino"))
    even = steps["dino"]["runs"][0]["curves"]["train_entropy"][-1]
    assert f"with an entropy of {int(100 * even)} %" in TEXT


def test_the_recorded_run_is_the_one_described():
    step = recorded("self_supervision-stl10")["steps"]["mae"]
    model, training = step["config"]["model"], step["config"]["training"]
    assert (model["patch_size"], model["embedder"]) == (8, "convolutional")
    assert (training["epochs"], training["resolution"]) == (80, [64])
    assert training["masking"]["ratio"] == 0.75
    steps = recorded("self_supervision-stl10")["steps"]
    epochs = {
        method: steps[method]["config"]["training"]["epochs"]
        for method in ("mae", "simmim", "dino")
    }
    assert "80 epochs of MAE, 40 of SimMIM and 40 of DINO on the 4,000" in TEXT
    assert list(epochs.values()) == [80, 40, 40] and "images at 64 pixels" in TEXT
    asked = step["runs"][0]["curves"]["val_knn_accuracy"]
    assert len(asked) == 8 and training["knn_every"] == 10
