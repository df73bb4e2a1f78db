"""Folders of transformers whose config or weights are damaged: refused in one line,
before a model is built.
"""

import json
import random

import pytest
import torch
import transformers
from safetensors.torch import load, save

from vit_tutorial import convert

SIZES = {
    "hidden_size": 12,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 6,
    "patch_size": 3,
    "num_labels": 3,
}
BAD = (None, 0, -1, 10**6, 10**30, 1e308, "", "a\nb", [], [1], {}, {"a\nb": 1})


@pytest.fixture(params=["ViTForImageClassification", "Dinov2WithRegistersModel"])
def folder(request, tmp_path):
    """A model as transformers writes it."""
    theirs = getattr(transformers, request.param)
    theirs(theirs.config_class(**SIZES)).save_pretrained(tmp_path)
    return tmp_path


def refuses(folder) -> bool:
    """Whether the folder is refused, in one line."""
    try:
        convert.from_huggingface(str(folder), classes=3)
    except (ValueError, OSError) as error:
        assert "\n" not in str(error) and len(str(error)) < 600
        return True
    return False


def unbuilt(monkeypatch):
    """Nothing may be loaded from now on."""

    def load_it(*_, **__):
        raise AssertionError("a model was built")

    monkeypatch.setattr(transformers.PreTrainedModel, "from_pretrained", load_it)


def test_any_value_of_a_config_is_fit_or_refused(folder):
    path = folder / "config.json"
    config = json.loads(path.read_bytes())
    assert not refuses(folder)
    chance = random.Random(0)
    refusals = 0
    for name in config:
        for value in chance.sample(BAD, 3):
            path.write_text(json.dumps(config | {name: value}), encoding="utf-8")
            refusals += refuses(folder)
    assert refusals > len(config)


def test_a_config_that_is_none_or_far_too_large_is_refused_unbuilt(folder, monkeypatch):
    path = folder / "config.json"
    text = path.read_text(encoding="utf-8")
    unbuilt(monkeypatch)
    config = json.loads(text)
    contents = ["", "{", "[]", "3", "[" * 10**5, '{"a": 1, "a": 1}']
    contents += [json.dumps({"architectures": what}) for what in (3, "ViT", [3], [[]])]
    for changes in (
        {"num_hidden_layers": 10**6},
        {"num_hidden_layers": 10**30},
        {"num_labels": 10**9},
        {"hidden_size": 12 * 10**4},
        {"image_size": 3 * 10**5},
        {"hidden_size": -12},
        {"patch_size": 0},
        {"num_attention_heads": 0},
    ):
        contents.append(json.dumps(config | changes))
    for content in contents:
        path.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError) as error:
            convert.from_huggingface(str(folder))
        assert str(folder) in str(error.value) and "\n" not in str(error.value), content


def test_damaged_weights_are_refused_unbuilt(folder, monkeypatch):
    path = folder / "model.safetensors"
    content = path.read_bytes()
    unbuilt(monkeypatch)
    tensors = load(content)
    first = min(tensors)
    spoilt = [content[:length] for length in (0, 7, 8, 100, len(content) - 1)]
    spoilt += [b"PK" + content[2:], b"\x80\x02" + content[2:], save({})]
    for tensor in (
        torch.full_like(tensors[first], float("nan")),
        tensors[first].double() + 1e300,
        tensors[first].int(),
        tensors[first].bool(),
        torch.zeros(2 * 10**7, dtype=torch.float16),
    ):
        spoilt.append(save(tensors | {first: tensor}, {"format": "pt"}))
    for number, one in enumerate(spoilt):
        path.write_bytes(one)
        with pytest.raises(ValueError, match=r"model\.safetensors") as error:
            convert.from_huggingface(str(folder))
        assert "\n" not in str(error.value), number
