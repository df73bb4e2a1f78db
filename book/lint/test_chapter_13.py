"""What chapter 13 says of recorded runs is what the records say."""

import pytest
from written import chapter, recorded

TEXT = chapter("13_transfer")


@pytest.fixture(scope="module")
def sizes():
    """Accuracy in percent and multiply-adds, by the side in pixels."""
    rows = recorded("sizes-stl10")["sizes"]
    return {row["size"]: (100 * row["accuracy"], row["multiply_adds"]) for row in rows}


def test_the_sizes_are_the_recorded_ones(sizes):
    assert recorded("sizes-stl10")["trained_at"] == [64]
    assert "trained at 64 pixels" in TEXT and "at eight sizes" in TEXT
    assert len(sizes) == 8
    best = max(sizes, key=lambda side: sizes[side][0])
    assert f"At {best} pixels it is right in {sizes[best][0]:.1f} %" in TEXT
    assert f"at the 96 it is used at in {sizes[96][0]:.1f} %" in TEXT
    assert f"nearly five times the work of 80, in {sizes[160][0]:.1f} %" in TEXT
    assert round(sizes[160][1] / sizes[80][1]) == 5


def test_half_and_twice_the_size_cost_what_it_says(sizes):
    assert f"Half the size takes {sizes[64][0] - sizes[32][0]:.0f} points" in TEXT
    assert "twice the size takes nothing" in TEXT and sizes[128][0] > sizes[64][0]


def test_the_standard_error_is_that_of_as_many_images(sizes):
    share = sizes[80][0] / 100
    error = 100 * (share * (1 - share) / recorded("sizes-stl10")["images"]) ** 0.5
    assert f"one standard error of each is {error:.1f} points" in TEXT


def test_own_pre_training_gained_points():
    steps = recorded("self_supervision-stl10")["steps"]
    ends = {
        start: [run["val_accuracy"] for run in steps[f"{start}, all labels"]["runs"]]
        for start in ("mae", "scratch")
    }
    assert "gained points by it from no other picture" in TEXT
    assert min(ends["mae"]) > max(ends["scratch"])


def test_what_scratch_reaches_with_more_steps():
    run = recorded("self_supervision-stacks")["steps"]["scratch, 100 labels"]
    share = run["runs"][0]["val_accuracy"]
    assert f"reaches {100 * share:.1f} % with a hundred labels of the old" in TEXT
    plan = run["config"]
    steps = plan["training"]["epochs"] * (
        plan["data"]["train_images"] // plan["training"]["batch_size"]
    )
    assert "75 steps" in TEXT and "twelve times as many steps" in TEXT
    assert round(steps / 75) == 12
