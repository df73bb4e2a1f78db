"""What chapter 12 says of recorded runs without labels is what the record says."""

from math import floor
from statistics import mean, median

from written import chapter, recorded

TEXT = chapter("12_self_supervision")


def test_the_neighbours_of_photographs_are_right_as_often_as_it_says():
    runs = recorded("self_supervision-stl10")["steps"]["mae"]["runs"]
    near = mean(100 * run["val_accuracy"] for run in runs)
    plane = mean(100 * run["linear"] for run in runs)
    assert f"are right in {near:.0f} of 100, the probe in {plane:.0f}, four" in TEXT
    assert 4 < near / 10 < plane / 10 < 6 and "four to five times chance" in TEXT


def test_what_a_start_without_labels_gives_is_what_it_says():
    steps = recorded("self_supervision-stl10")["steps"]
    tuned, scratch = (steps[f"{name}, all labels"] for name in ("mae", "scratch"))
    epochs = [step["config"]["training"]["epochs"] for step in (tuned, scratch)]
    assert epochs == [40, 80] and "for 40 epochs" in TEXT and "for 80." in TEXT
    assert [len(step["runs"]) for step in steps.values()] == [3, 3, 3]
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
    # nothing else has been run
    assert set(steps) == {"mae", "mae, all labels", "scratch, all labels"}


def test_the_recorded_run_is_the_one_described():
    step = recorded("self_supervision-stl10")["steps"]["mae"]
    model, training = step["config"]["model"], step["config"]["training"]
    assert (model["patch_size"], model["embedder"]) == (8, "convolutional")
    assert (training["epochs"], training["resolution"]) == (80, [64])
    assert training["masking"]["ratio"] == 0.75 and "three quarters hidden" in TEXT
    assert "80 epochs of MAE at 64 pixels" in TEXT
    asked = step["runs"][0]["curves"]["val_knn_accuracy"]
    assert len(asked) == 8 and training["knn_every"] == 10
