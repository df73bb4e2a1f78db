"""Records, weights and states that are damaged or changed by other hands: refused in
one line, nothing in silence.
"""

import json
import math
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save, save_file
from small import MODEL, TRAIN, link, refused

from vit_tutorial.config import ViTConfig
from vit_tutorial.files import write_file
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.training.checkpoint import SHIPPED, load_checkpoint, read_tensors
from vit_tutorial.training.loop import train
from vit_tutorial.training.memory import matrix_values


@pytest.fixture
def stacks(tmp_path):
    """A copy of the shipped model, to be damaged."""
    return shutil.copytree(SHIPPED / "stacks", tmp_path / "copy")


def edit(path, *keys, value):
    """Change one value of a JSON file."""
    content = inner = json.loads(path.read_text(encoding="utf-8"))
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("keys", "values"),
    [
        (("model", "depth"), [10**9, 10**6, 0, None, "4", 4.5]),
        (("model", "dim"), [10**6, 10**12, 10**400, 1e30, -96]),
        (("model", "classes"), [10**12, 11, 9]),
        (("model", "mlp_ratio"), [10**400, 10**6, math.nan]),
        (("model", "image_size"), [[96, 10**6], 10**6, []]),
        (("model", "patch_size"), [10**6, 32]),
        (("model",), [3, None, [], {}, {"width": 3}]),
        (("data",), [None, {"name": 3}, {"fold": -1}, "stacks"]),
        (("training",), [None, [], {"epochs": 0}, {"speed": 1}]),
        (
            ("std",),
            [[0, 1, 1], [-1, 1, 1], [0.25], [], None, 0.25, [math.nan] * 3, ["a"] * 3],
        ),
        (
            ("mean",),
            [[math.nan] * 3, [math.inf] * 3, [None], [[0.5] * 3], {"a": 1}, [True] * 3],
        ),
        (("classes",), [["a", "b", "c"], [1] * 10, "abcdefghij", None, {}, []]),
    ],
)
def test_a_config_that_cannot_be_is_refused_at_once(stacks, keys, values):
    original = (stacks / "config.json").read_text(encoding="utf-8")
    for value in values:
        (stacks / "config.json").write_text(original, encoding="utf-8")
        edit(stacks / "config.json", *keys, value=value)
        with pytest.raises(
            ValueError, match=r"config\.json|another architecture"
        ) as error:
            load_checkpoint(stacks)
        assert "\n" not in str(error.value) and len(str(error.value)) < 500


ROW = {"epoch": 1, "val_loss": 0.5}


@pytest.mark.parametrize(
    "history",
    [
        "3",
        "null",
        "{}",
        "[3]",
        "[null]",
        "[[]]",
        "[" * 5000,
        "\x00",
        json.dumps([{**ROW, "val_loss": math.nan}]),
        json.dumps([ROW, ROW]),
        json.dumps([{"val_loss": 0.5}]),
        json.dumps([{**ROW, "note": "a"}]),
    ],
)
def test_a_history_that_is_none_is_refused(stacks, history):
    (stacks / "history.json").write_text(history, encoding="utf-8")
    with pytest.raises(ValueError, match=r"history\.json is broken") as error:
        load_checkpoint(stacks)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrapper", ["_orig_mod.", "module."])
def test_names_from_a_wrapped_model_are_known(stacks, wrapper):
    weights = load_file(stacks / "model.safetensors")
    save_file(
        {wrapper + name: weight for name, weight in weights.items()},
        stacks / "model.safetensors",
    )
    assert torch.equal(
        load_checkpoint(stacks)[0].head[1].weight,
        load_checkpoint("stacks")[0].head[1].weight,
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda weight: weight * math.nan, "not finite"),
        (lambda weight: weight.int(), r"torch\.int32, expected torch\.float32"),
        (lambda weight: weight[:-1].clone(), r"expected \(10, 96\)"),
    ],
)
def test_weights_that_are_no_numbers_are_refused(stacks, spoil, message):
    weights = load_file(stacks / "model.safetensors")
    weights["head.1.weight"] = spoil(weights["head.1.weight"])
    save_file(weights, stacks / "model.safetensors")
    with pytest.raises(ValueError, match=message):
        load_checkpoint(stacks)


def test_what_was_read_does_not_follow_the_file(stacks):
    path = stacks / "model.safetensors"
    tensors, _ = read_tensors(path)
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    with path.open("rb+") as file:
        file.write(bytes(path.stat().st_size))
    assert all(torch.equal(tensors[name], tensor) for name, tensor in before.items())


def test_a_planted_link_is_not_followed(tmp_path):
    (tmp_path / "target").write_text("precious", encoding="utf-8")
    link(tmp_path / ".file.part", tmp_path / "target")
    write_file(tmp_path / "file", b"new")
    assert (tmp_path / "target").read_text(encoding="utf-8") == "precious" and (
        tmp_path / "file"
    ).read_bytes() == b"new"
    assert not (tmp_path / "file").is_symlink()


@pytest.mark.parametrize("embedder", ["convolutional", "manual", "stem"])
@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"patch_size": 12, "dim": 384, "mlp_ratio": 2.5},
        {"patch_size": 32, "depth": 1},
    ],
)
def test_matrices_are_counted_without_a_model(embedder, sizes):
    config = ViTConfig(embedder=embedder, **sizes)
    assert (
        0
        <= count_parameters(VisionTransformer(config)) / matrix_values(config) - 1
        < 0.02
    )


def test_the_width_of_an_mlp_is_rounded_as_the_block_does():
    config = ViTConfig(dim=16, depth=4, heads=1, mlp_ratio=0.1)  # 2 values, not 1
    counted = sum(
        weight.numel()
        for name, weight in VisionTransformer(config).named_parameters()
        if weight.ndim > 1 and not name.endswith("class_token")
    )
    assert matrix_values(config) == counted


@pytest.fixture
def run(data, tmp_path):
    """A run of one epoch of four: its folder, and how to go on with it."""
    train(MODEL, data, replace(TRAIN, epochs=1), tmp_path / "run")
    return tmp_path / "run", lambda: train(
        MODEL, data, replace(TRAIN, epochs=1), tmp_path / "run", resume=True
    )


def without(part):
    return lambda tensors: {
        name: tensor for name, tensor in tensors.items() if part not in name
    }


def changed(tensors):
    name = next(name for name in tensors if name.startswith("0/"))
    return tensors | {name: tensors[name] + 1e-6}


def reshaped(tensors):
    name = next(name for name in tensors if name.endswith("exp_avg"))
    return tensors | {name: torch.zeros(7)}


def as_it_is(tensors):
    return tensors


@pytest.mark.parametrize(
    ("spoil", "texts", "message"),
    [
        (without("0/"), {}, "its values are not those that were written"),
        (changed, {}, "its values are not those that were written"),
        (as_it_is, {"history": "[]"}, "its values are not those that were written"),
        (without("0/"), {"digest": None}, "lacks the state of optimizer 0"),
        (
            without("0/3/exp_avg"),
            {"digest": None},
            "parts of the state of optimizer 0 are missing",
        ),
        (reshaped, {"digest": None}, r"of \(7,\) fits no parameter"),
        (without("model/head"), {"digest": None}, "another architecture"),
        (as_it_is, {"config": "{"}, "is broken"),
        (as_it_is, {"config": "[" * 5000}, "is broken"),
        (as_it_is, {"config": None}, "is not the state of a run"),
        (as_it_is, {"history": "3"}, "is broken"),
        (as_it_is, {"history": "[{}]"}, "is broken"),
    ],
)
def test_a_damaged_state_is_not_resumed(run, capsys, spoil, texts, message):
    folder, resume = run
    path = folder / "state.safetensors"
    tensors, old = read_tensors(path)
    new = {name: text for name, text in (old | texts).items() if text is not None}
    path.write_bytes(save(spoil(tensors), new))
    with pytest.raises(ValueError, match=message) as error:
        resume()
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    assert path.name in refused(
        capsys, "train", "--resume", "--out", folder, "--training.device", "cpu"
    )


@pytest.mark.parametrize("content", [None, b"{", b"[]\n"])
@pytest.mark.parametrize("name", ["history.json", "model.safetensors"])
def test_what_follows_from_the_state_is_written_anew(run, name, content):
    folder, resume = run
    before = (folder / name).read_bytes()
    (
        (folder / name).unlink()
        if content is None
        else (folder / name).write_bytes(content)
    )
    resume()
    assert (folder / name).read_bytes() == before


def test_an_edited_config_is_told(run, data):
    folder, resume = run
    edit(folder / "config.json", "training", "peak_lr", value=1e-3)
    with pytest.raises(
        ValueError,
        match=(
            r"config\.json: a resumed run keeps its settings: training\.peak_lr was"
            r" 0\.002"
        ),
    ):
        resume()
    (folder / "config.json").unlink()
    resume()
    assert (
        json.loads((folder / "config.json").read_text(encoding="utf-8"))["training"][
            "peak_lr"
        ]
        == 2e-3
    )
