"""The export for the browser: its files, its command, what it refuses."""

import json
import re

import numpy as np
import pytest
import torch
from engine import exported, run_of, unlike_fresh
from small import refused

from vit_tutorial.cli.main import main
from vit_tutorial.config import ViTConfig
from vit_tutorial.convert.web import export_web, web_tensors
from vit_tutorial.models import build_model
from vit_tutorial.training.checkpoint import load_checkpoint

SMALL = ViTConfig(8, 4, 3, 2, dim=7, depth=1, heads=1, embedder="manual")
FILES = {"model.json", "model.bin"}


def described(folder):
    return json.loads((folder / "model.json").read_text(encoding="utf-8"))


def read(folder):
    """The tensors of an export, as its description says they lie."""
    content = (folder / "model.bin").read_bytes()
    tensors = {}
    for name, one in described(folder)["tensors"].items():
        count = int(np.prod(one["shape"]))
        flat = np.frombuffer(content, one["dtype"], count, one["offset"])
        tensors[name] = torch.tensor(flat.reshape(one["shape"]))
    return tensors


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_command_writes_a_shipped_model(tmp_path, capsys, dtype):
    out = tmp_path / "new" / "web"
    words = ["export", "--checkpoint", "stacks", "--format", "web", "--out", str(out)]
    assert main([*words, "--dtype", dtype]) == 0
    assert {path.name for path in out.iterdir()} == FILES
    size = sum(path.stat().st_size for path in out.iterdir())
    said = capsys.readouterr().out
    assert said == f"{out}: model.json and model.bin, {dtype}, {size / 1e6:.2f} MB\n"
    model, run = load_checkpoint("stacks")
    found = described(out)
    assert found["format"] == 1
    assert found["config"]["dim"] == model.config.dim
    assert (found["classes"], found["mean"], found["std"]) == tuple(
        map(list, (run.classes, run.mean, run.std))
    )
    tensors = read(out)
    wanted = model.state_dict() | {"embedder.positions": model.embedder.positions}
    assert tensors.keys() == wanted.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, wanted[name].to(tensor.dtype))
    assert found["bytes"] == (out / "model.bin").stat().st_size


def test_tensors_begin_where_four_bytes_do_and_end_with_the_file(tmp_path):
    for dtype, size in (("float32", 4), ("float16", 2)):
        exported(SMALL, tmp_path, dtype=dtype)
        end = 0
        for one in described(tmp_path)["tensors"].values():
            assert one["offset"] % 4 == 0 and 0 <= one["offset"] - end < 4
            end = one["offset"] + size * int(np.prod(one["shape"]))
        assert end == (tmp_path / "model.bin").stat().st_size


def test_a_batch_norm_is_a_scale_and_an_offset():
    config = ViTConfig(8, 4, 3, 2, dim=8, depth=1, heads=1, embedder="hybrid")
    model = unlike_fresh(config)
    tensors = web_tensors(model)
    assert not any("running" in name or "num_batches" in name for name in tensors)
    x = torch.randn(2, 4, 3, 3)
    scale = tensors["embedder.stem.1.weight"][:, None, None]
    offset = tensors["embedder.stem.1.bias"][:, None, None]
    with torch.no_grad():
        torch.testing.assert_close(x * scale + offset, model.embedder.stem[1](x))


@pytest.mark.parametrize("name", ["layer-scale", "stochastic-depth-and-layer-scale"])
def test_factors_have_one_name(name):
    model = unlike_fresh(ViTConfig(8, 4, dim=8, depth=2, heads=1, name=name))
    factors = {key for key in web_tensors(model) if key.endswith("factors")}
    assert factors == {
        f"blocks.{block}.end{end}.factors" for block in (0, 1) for end in (1, 2)
    }


def test_an_export_takes_the_place_of_an_earlier_one(tmp_path):
    (tmp_path / "notes.txt").touch()
    exported(SMALL, tmp_path)
    exported(SMALL, tmp_path, dtype="float16")
    assert {path.name for path in tmp_path.iterdir()} == FILES | {"notes.txt"}
    assert {one["dtype"] for one in described(tmp_path)["tensors"].values()} == {
        "float16"
    }


@pytest.mark.parametrize("name", ["cnn", "resnet-small", "no-norm", "registers"])
def test_a_model_that_the_engine_does_not_know_is_refused(tmp_path, name):
    config = ViTConfig(16, 8, dim=16, depth=1, heads=1, name=name)
    with pytest.raises(ValueError, match=f"^the model is '{name}', the web format is"):
        export_web(build_model(config), run_of(config), tmp_path / "web")
    assert not (tmp_path / "web").exists()


@pytest.mark.parametrize(
    ("value", "dtype", "says"),
    [
        (1e5, "float16", "head.1.bias holds 100000, which float16 cannot"),
        (float("nan"), "float32", "head.1.bias holds nan, which float32 cannot"),
    ],
)
def test_values_that_do_not_fit_are_refused(tmp_path, value, dtype, says):
    model = unlike_fresh(SMALL)
    model.head[1].bias.data[0] = value
    with pytest.raises(ValueError, match=says):
        export_web(model, run_of(SMALL), tmp_path / "web", dtype)
    assert not (tmp_path / "web").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--checkpoint": "MISSING"}, "no checkpoint 'MISSING'"),
        ({"--checkpoint": None}, "checkpoint"),
        ({"--format": "pickle"}, "pickle"),
        ({"--format": None}, "format"),
        ({"--out": None}, "out"),
        ({"--out": ""}, "out is '', expected the folder of the files"),
        ({"--out": "file"}, "file is a file, expected a folder"),
        ({"--out": "file/web"}, "file"),
        ({"--dtype": "int8"}, "int8"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, capsys, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    settings = {"--checkpoint": "stacks", "--format": "web", "--out": "web"} | change
    words = [
        word
        for name, value in settings.items()
        if value is not None
        for word in (name, value)
    ]
    assert re.search(message, refused(capsys, "export", *words))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
