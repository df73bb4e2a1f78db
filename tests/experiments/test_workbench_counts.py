"""The count of what the workbench's buttons do, on few drawings."""

import json

import pytest
import torch

from experiments import interventions
from vit_tutorial.data.synthetic import STACKS_CLASSES


def test_a_pair_turned_round_is_another_class_or_a_twin():
    other = interventions.mirrored(STACKS_CLASSES)
    assert [other[place] for place in other] == list(range(10))
    assert STACKS_CLASSES[other[0]] == "horizontal/vertical"
    assert [place for place in range(10) if other[place] == place] == [8, 9]


def test_the_record_has_a_share_for_every_layer(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setattr(interventions, "ROOT", tmp_path)
    interventions.interventions(images=20)
    path = tmp_path / "results" / "interventions.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["images"] == 20 and result["whole"] == 1
    assert result["without_positions"]["pair"] == 1
    assert result["without_positions"]["right"] < 0.9
    assert len(result["attention_silent"]) == len(result["mlp_silent"]) == 4
    assert [len(layer) for layer in result["head_silent"]] == [4] * 4
    # read after the last layer, nothing is read early; copied there, all is copied
    assert len(result["lens"]) == 5 and result["lens"][-1] == result["whole"]
    first, *_, last = result["class_token_copied"]
    assert first["own"] == last["donor"] == pytest.approx(1)
    assert first["donor"] == last["own"] == 0


def test_one_drawing_has_no_other_to_copy_from(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    monkeypatch.setattr(interventions, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="images is 1, expected at least 2"):
        interventions.interventions(images=1)
    assert not list(tmp_path.iterdir())
    interventions.interventions(images=2)
    path = tmp_path / "results" / "interventions.json"
    assert "NaN" not in path.read_text(encoding="utf-8")
