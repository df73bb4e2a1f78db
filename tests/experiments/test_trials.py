"""The benchmark behind chapter 09: measures by hand, and records of several models of
one set.
"""

import json
import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
import torch
from small import MODEL, TRAIN, write_stl10
from torch.testing import assert_close

from experiments import faithfulness
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.training.loop import train

DRAWN = DataConfig(name="stacks", decoys="patterned", train_images=16, val_images=20)


def test_how_alike_two_maps_are_by_hand():
    one = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0, 0.0]])
    other = torch.tensor([[5.0, 4.0, 0.0, 1.0, 2.0, 3.0]])
    assert_close(faithfulness.top_alike(one, other, count=3), torch.tensor([2 / 3]))
    assert_close(
        faithfulness.ranks_alike(one, one**3), torch.ones(1, dtype=torch.float64)
    )
    assert_close(
        faithfulness.ranks_alike(one, -one), -torch.ones(1, dtype=torch.float64)
    )


def test_a_band_of_several_models_is_of_their_mean():
    found = faithfulness.over_models(
        [torch.tensor([0.0, 0.2]), torch.tensor([0.4, 0.6])]
    )
    assert (found["mean"], found["models"]) == (0.3, [0.1, 0.5])
    assert (found["low"], found["high"]) == (0.2, 0.4)


@pytest.mark.parametrize(
    ("name", "field", "others"),
    [
        ("stacks", "split_seed", (0, 1)),  # of training images alone
        ("stl10", "root", ("here", "there")),
    ],
)
def test_what_runs_on_the_same_images_may_differ_in(
    name, field, others, tmp_path, monkeypatch
):
    write_stl10(tmp_path, monkeypatch, images=50, labels=50)
    runs = [
        SimpleNamespace(config={"data": asdict(DataConfig(name, **{field: value}))})
        for value in others
    ]
    root = None if name == "stacks" else str(tmp_path)
    data, images = faithfulness.shared_data(runs, root)
    assert data.name == name and len(images) == (1000 if name == "stacks" else 10)


@pytest.mark.parametrize(
    ("name", "field", "others"),
    [
        ("stl10", "split_seed", (0, 1)),
        ("folder", "root", ("cats", "dogs")),
        ("stacks", "decoys", ("plain", "patterned")),
    ],
)
def test_runs_that_were_judged_by_other_images_are_refused(name, field, others):
    runs = [
        SimpleNamespace(config={"data": asdict(DataConfig(name, **{field: value}))})
        for value in others
    ]
    one, other = others
    found = f"data.{field} is {other!r} in one run and {one!r} in another"
    with pytest.raises(ValueError, match=found):
        faithfulness.shared_data(runs, None)


def test_the_recipe_of_patterned_decoys_draws_them():
    expected = stacks(20, 1, decoys="patterned")
    assert torch.equal(load_split(DRAWN, "val").images, expected.images)
    with pytest.raises(ValueError, match="decoys is 'none', expected one of"):
        DataConfig(decoys="none")


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two runs of one epoch on patterned decoys and one on plain ones."""
    places = []
    for seed, data in enumerate([DRAWN, DRAWN, replace(DRAWN, decoys="plain")]):
        places.append(str(tmp_path / f"run-{seed}"))
        model = replace(MODEL, image_size=96, patch_size=24, classes=10)
        train(
            model,
            data,
            replace(TRAIN, epochs=1, seed=seed, augment=type(TRAIN.augment)()),
            tmp_path / f"run-{seed}",
        )
    monkeypatch.setattr(faithfulness, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["experiments/faithfulness.py"])
    return places, tmp_path


def test_a_record_holds_every_score_beside_what_knows_no_model(runs):
    places, folder = runs
    faithfulness.measure_faithfulness(places[:2], images=4, steps=2)
    record = json.loads(
        (folder / "results" / "faithfulness-stacks-decoys.json").read_text(
            encoding="utf-8"
        )
    )
    assert [model["name"] for model in record["models"]] == [
        "run-0",
        "run-1",
    ] and record["n"] == 4
    rows = record["scores"]
    assert {
        "contrast (no model)",
        "random",
        "the mask itself",
        "rollout",
        "rollout, untrained",
    } <= set(rows)
    for row in rows.values():
        areas = [row[part] for part in ("deletion_area", "insertion_area", "saco")]
        assert all(
            area["low"] <= area["mean"] <= area["high"] and len(area["models"]) == 2
            for area in areas
        )
        assert len(row["deletion"]["mean"]) == len(record["kept"])
    assert record["over"]["rollout"]["contrast (no model)"]["saco"][
        "models"
    ] == pytest.approx(
        [
            a - b
            for a, b in zip(
                rows["rollout"]["saco"]["models"],
                rows["contrast (no model)"]["saco"]["models"],
                strict=True,
            )
        ],
        abs=2e-4,
    )
    assert record["masks"]["pointing"]["contrast (no model)"]["models"][
        0
    ] == pytest.approx(
        record["masks"]["pointing"]["contrast (no model)"]["models"][1]
    )  # it asked neither
    assert "contrast (no model)" not in record["sanity"]


def test_models_of_different_sets_are_not_mixed(runs):
    with pytest.raises(
        ValueError, match="data.decoys is 'plain' in one run and 'patterned' in another"
    ):
        faithfulness.measure_faithfulness(runs[0], images=4)
