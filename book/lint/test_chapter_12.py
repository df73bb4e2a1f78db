"""What chapter 12 says of recorded runs without labels is what the record says."""

from statistics import mean

from written import chapter, recorded

TEXT = chapter("12_self_supervision")


def test_the_neighbours_of_photographs_are_right_as_often_as_it_says():
    runs = recorded("self_supervision-stl10")["steps"]["mae"]["runs"]
    near = mean(100 * run["val_accuracy"] for run in runs)
    plane = mean(100 * run["linear"] for run in runs)
    assert f"are right in {near:.0f} of 100, the probe in {plane:.0f}, four" in TEXT
    assert 4 < near / 10 < plane / 10 < 6 and "four to five times chance" in TEXT
    scratch = recorded("self_supervision-stl10")["steps"]["scratch, all labels"]
    assert scratch["config"]["training"]["epochs"] == 80 and len(scratch["runs"]) == 1
    assert "80 epochs with all labels" in TEXT
    assert f"is right in {100 * scratch['mean']:.1f} %" in TEXT


def test_the_recorded_run_is_the_one_described():
    step = recorded("self_supervision-stl10")["steps"]["mae"]
    model, training = step["config"]["model"], step["config"]["training"]
    assert (model["patch_size"], model["embedder"]) == (8, "convolutional")
    assert (training["epochs"], training["resolution"]) == (80, [64])
    assert training["masking"]["ratio"] == 0.75 and "three quarters hidden" in TEXT
    assert "80 epochs of MAE at 64 pixels" in TEXT
    asked = step["runs"][0]["curves"]["val_knn_accuracy"]
    assert len(asked) == 8 and training["knn_every"] == 10
