"""What chapter 10 and the README say of photographs is what the records say."""

import math
import re
from statistics import mean

import pages
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from written import ROOT, chapter, recorded

from experiments.plans import Plan, flat
from vit_tutorial import VisionTransformer, ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.training.config import TrainConfig

TEXT = chapter("10_train_stl10")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def settings_of(name):
    """All settings of a recorded recipe; one that is younger is at its default."""
    config = recorded(name)["config"]
    defaults = Plan(ViTConfig(), DataConfig(), TrainConfig()).settings()
    return flat(defaults) | flat({part: config[part] for part in defaults})


def differences(one, other):
    """The settings in which two recorded recipes differ."""
    first, second = settings_of(one), settings_of(other)
    found = {name for name in first | second if first.get(name) != second.get(name)}
    return found - {"data.root", "training.seed"}  # those of the last run


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


def test_the_headline_passes_the_claim_by_as_much_as_it_says():
    shares = [run["val_accuracy"] for run in recorded("stl10")["runs"]]
    assert len(shares) == 3 and max(shares) - min(shares) < 0.01
    assert "three seeds agree within a point" in TEXT
    share = mean(shares)
    past = 100 * share - 80.6
    # each of 1,000 images, however many seeds
    error = 100 * math.sqrt(2 * share * (1 - share) / 1000)
    (its,) = recorded("stl10-seed")["runs"]
    said = f"Its own recipe ends at {100 * its['val_accuracy']:.1f} % here, one seed."
    assert said in TEXT
    assert (
        f"{past:.1f} points past the playground's 80.6 %, {past / error:.1f} standard"
        f" errors of a difference ({error:.1f})" in TEXT
    )


def test_half_of_the_pictures_mixed_are_too_few():
    (run,) = recorded("stl10-half-mixed")["runs"]
    curves = run["curves"]
    scores = curves["val_accuracy"]
    assert (
        f"Half mixed passes its best at epoch {1 + scores.index(max(scores))}" in TEXT
    )
    fall = 100 * (max(scores) - scores[-1])
    climb = 100 * curves["train_accuracy"][-1]
    assert (
        f"loses {fall:.1f} points while training climbs, to {climb:.0f} % once mixing"
        " ends" in TEXT
    )
    losses = curves["val_loss"]
    assert min(losses) == min(losses[85:110]) and max(losses[120:135]) > min(losses)


def test_all_pictures_mixed_slow_the_fall():
    (half,), seeds = (
        [run["curves"]["val_accuracy"] for run in recorded(name)["runs"]]
        for name in ("stl10-half-mixed", "stl10")
    )
    whole = [mean(scores) for scores in zip(*seeds, strict=True)]
    behind = [
        1 + epoch
        for epoch, (one, other) in enumerate(zip(half, whole, strict=True))
        if other <= one
    ]
    assert f"All mixed is ahead from epoch {behind[-1] + 1} on" in TEXT
    fall = 100 * (max(whole) - whole[-1])
    assert fall < 0.2 and "within a fifth of a point of its best" in TEXT
    early = [epoch for epoch in range(1, 99) if epoch not in behind]
    assert 60 in behind and 98 in behind and 99 not in behind and len(early) <= 5
    assert "leads nearly always until epoch 98, all mixed at the end" in TEXT
    gain = 100 * (whole[-1] - half[-1])
    error = 100 * math.sqrt(sum(p * (1 - p) / 1000 for p in (half[-1], whole[-1])))
    said = f"It ends {gain:.1f} points higher, with a standard error of {error:.1f}"
    assert said in TEXT and 0 < gain < 2 * error


def test_the_pages_say_how_far_each_fell_from_its_best():
    half, whole = (
        [run["curves"]["val_accuracy"] for run in recorded(name)["runs"]]
        for name in ("stl10-half-mixed", "stl10")
    )
    falls = [f"{100 * (max(scores) - scores[-1]):.1f}" for scores in half + whole]
    said = (
        f"lost {falls[0]} points from its best epoch to its last with half of its"
        f" pictures mixed; with all of them its three seeds lost {falls[1]}, {falls[2]}"
        f" and {falls[3]}."
    )
    assert said in pages.flat("troubleshooting")
    together = [mean(scores) for scores in zip(*whole, strict=True)]
    gain = 100 * (together[-1] - half[0][-1])
    said = (
        f"stands {gain:.1f} points above half of them mixed, and its mean has lost a"
        f" tenth of a point from its best instead of {falls[0]}; three seeds against"
        " one"
    )
    assert said in pages.flat("teaching")
    assert 0.05 < 100 * (max(together) - together[-1]) < 0.15


def test_the_two_recipes_differ_in_nothing_but_mixing():
    names = ("stl10-half-mixed", "stl10")
    half, whole = map(settings_of, names)
    assert differences(*names) == {"training.mixing.share"}
    assert [one["training.mixing.share"] for one in (half, whole)] == [0.5, 1]
    last = whole["training.epochs"] - whole["training.mixup_off_epochs"]
    assert f"mixing ends at epoch {last}." in TEXT


def test_validation_lies_above_training_where_the_text_says():
    for name in ("stl10-laptop", "stl10-half-mixed", "stl10"):
        for run in recorded(name)["runs"]:
            learnt = run["curves"]["train_accuracy"]
            known = run["curves"]["val_accuracy"]
            assert learnt[0] < known[0], name
            if name == "stl10-laptop":
                assert 0 < 100 * (learnt[-1] - known[-1]) < 6


def test_only_the_first_step_of_the_ladder_knows_its_pictures_by_heart():
    first, *others = (
        step["runs"][0]["curves"]["train_accuracy"][-1]
        for step in recorded("ladder-laptop")["steps"].values()
    )
    assert (
        f"to know {100 * first:.0f} of 100 of the 4,000" in TEXT and max(others) < 0.75
    )


def test_what_the_steps_gave_is_what_the_record_says():
    steps = recorded("ladder-laptop")["steps"]
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


def test_the_plain_model_takes_cars_for_trucks_and_the_others_animals_for_animals():
    pairs = {}
    shares = {}
    for name in ("stl10-laptop", "stl10-small", "stl10"):
        record = recorded(name)
        counts = sum(
            torch.tensor(run["confusion"])
            for run in record["runs"]
            if "confusion" in run
        )
        both = (counts + counts.T).triu(1)
        places = both.flatten().topk(2).indices.tolist()
        classes = record["config"]["classes"]
        pairs[name] = [{classes[place // 10], classes[place % 10]} for place in places]
        shares[name] = both[classes.index("car"), classes.index("truck")] / counts.sum()
    assert pairs["stl10-laptop"][0] == {"car", "truck"}
    animals = {"bird", "cat", "deer", "dog", "horse", "monkey"}
    assert all(
        pair <= animals for name in ("stl10-small", "stl10") for pair in pairs[name]
    )
    assert shares["stl10-laptop"] > shares["stl10-small"] > shares["stl10"]
    # the row that the reader is sent to
    assert classes[int(counts.diagonal().argmin())] == "dog"


def test_who_is_surer_than_right():
    for name in ("stl10-laptop", "stl10-small", "stl10"):
        for bins in (
            run["calibration"] for run in recorded(name)["runs"] if "calibration" in run
        ):
            confidence, right, n = (
                torch.tensor(bins[key], dtype=torch.float64)
                for key in ("confidence", "accuracy", "n")
            )
            gap = n * (right - confidence)  # above 0 where the model is too modest
            if name == "stl10-small":
                assert gap.sum() < 0 and (gap < 0).sum() > (n > 0).sum() / 2
            else:
                assert gap[6:].min() > 0
            assert confidence[-1] < 0.94, name
            # by more than the plain model
            assert name != "stl10" or gap.sum() > 0.05 * n.sum()


def test_a_small_resnet_is_not_told_from_the_vit_behind_a_cnn():
    share, other = (recorded(n)["mean"] for n in ("stl10-resnet-small", "stl10"))
    assert f"by the same recipe: {100 * share:.1f} %" in TEXT
    assert abs(share - other) < math.sqrt(2 * share * (1 - share) / 1000)
    assert differences("stl10", "stl10-resnet-small") == {"model.name"}
    assert settings_of("stl10-resnet-small")["model.name"] == "resnet-small"


def test_a_teacher_brings_the_plain_model_nearer():
    steps = recorded("self_supervision-stl10")["steps"]
    (taught,) = steps["mae, all labels, taught"]["runs"]
    alone = steps["mae, all labels"]["runs"][0]
    assert taught["seed"] == alone["seed"] == 0
    settings = steps["mae, all labels, taught"]["config"]
    assert settings["training"]["teacher"] == "stl10"
    assert settings["model"]["embedder"] == "convolutional"  # one stride of a patch
    assert settings["model"]["patch_size"] == 8 and "8 pixels a side" in TEXT
    one, other = (run["val_accuracy"] for run in (taught, alone))
    gain = 100 * (one - other)
    error = 100 * math.sqrt(sum(p * (1 - p) / 1000 for p in (one, other)))
    teacher = recorded("stl10")["runs"][0]["val_accuracy"]
    assert 0.3 < gain / 100 / (teacher - other) < 0.4
    said = (
        f"With the same seed {100 * one:.1f} % taught, {100 * other:.1f} alone:"
        f" {gain:.1f} points, {gain / error:.1f} standard errors of a difference, and a"
        f" third of the way to its teacher's {100 * teacher:.1f} ("
    )
    assert said in TEXT
    assert f"MAE's start reaches {100 * one:.1f} %" in chapter("12_self_supervision")
    assert f"taught by `stl10`, reach {100 * one:.1f} %, one seed" in README
    minutes = sum(recorded("stl10")["runs"][0]["curves"]["seconds"]) / 60
    said = f"the third {taught['seconds'] / 60:.0f} minutes beside its teacher's"
    assert f"{said} {minutes:.0f}, the last 80" in chapter("13_transfer")


def test_the_estimate_for_a_graphics_card_counts_the_products_of_stl10():
    config = recorded("stl10")["config"]
    training = config["training"]
    (side,) = training["resolution"]
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model = VisionTransformer(ViTConfig(**config["model"] | {"image_size": side}))
        model(torch.empty(1, 3, side, side), return_attention=True)
    # three passes, one forward and two back
    work = 3 * counter.get_total_flops() * 4000 * training["epochs"] / 1e15
    said = (
        f"the {work:.2f} PFLOP of products in `stl10` (chapter 10) are {100 * work:.0f}"
    )
    assert f"{said} seconds at a sustained 10 TFLOP/s" in README


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("stl10-laptop", "runs/stl10-laptop-0"),
        ("stl10-small", "runs/stl10-small-0"),
        ("stl10", "stl10"),
        ("stl10-half-hour", "-"),
        ("stl10-seed", "-"),
        ("stl10-resnet-small", "-"),
    ],
)
def test_the_table_of_the_readme_is_what_the_records_say(name, place):
    record = recorded(name)
    latency = recorded("latency")["models"].get(place)
    # the command tells rows of one recipe apart
    named = re.compile(rf"\| `(?:{name} (?!.*--name)|.*--name {name} )")
    (row,) = [line for line in README.splitlines() if named.search(line)]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    clocks = [
        run["curves"]["seconds"] for run in record["runs"] if "seconds" in run["curves"]
    ]
    spread = f" ± {100 * record['spread']:.1f}" if record["spread"] else ""
    assert cells[2:6] == [
        str(len(record["runs"])),
        f"{100 * record['mean']:.1f}{spread}",
        f"{sum(map(sum, clocks)) / len(clocks) / 60:.0f} min of one CPU core",
        f"{latency['cpu']['median_ms']:.1f}" if latency else "",
    ]
    parameters = record["runs"][-1]["parameters"] / 1e6
    assert f"{parameters:.1f} M" in cells[1]
    assert f"{record['config']['training']['epochs']} epochs" in cells[1]
