import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.utils.flop_counter import FlopCounterMode

from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.images import Normalization, normalise
from vit_tutorial.data.stl10 import STL10_CLASSES
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.files import write_file
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training import checkpoint
from vit_tutorial.training.checkpoint import (
    SHIPPED,
    load_checkpoint,
    load_snapshots,
    save_run,
)
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.run import History, Run, RunConfig

SIZES = {
    "image_size": 16,
    "patch_size": 8,
    "classes": 2,
    "dim": 16,
    "depth": 2,
    "heads": 2,
}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return VisionTransformer(ViTConfig(**SIZES))


@pytest.fixture
def run(tmp_path, model):
    config = RunConfig(
        model.config,
        DataConfig(name="folder"),
        TrainConfig(),
        ("cat", "dog"),
        Normalization(),
    )
    save_run(tmp_path, model, [], None, Run(config, History([{"epoch": 1}])))
    return tmp_path


@pytest.mark.parametrize("name", ["", "model.safetensors"])
def test_a_run_or_its_file_gives_back_model_and_record(run, model, name):
    loaded, record = load_checkpoint(run / name)
    images = torch.rand(2, 3, 16, 16)
    assert torch.equal(loaded(images), model.eval()(images)) and not loaded.training
    assert record.classes == record["classes"] == ("cat", "dog")
    assert (
        record.mean == (0.5,) * 3
        and record.std == (0.25,) * 3
        and record.history == [{"epoch": 1}]
    )
    assert record.config["data"]["name"] == "folder"


def test_the_state_for_resuming_is_no_checkpoint(run):
    with pytest.raises(
        ValueError, match=r"state\.safetensors is for resuming the run: give its folder"
    ) as error:
        load_checkpoint(run / "state.safetensors")
    assert str(error.value).endswith(str(run))


def test_half_precision_becomes_float32(run, model):
    save_file(
        {name: tensor.half() for name, tensor in model.state_dict().items()},
        run / "model.safetensors",
    )
    loaded, _ = load_checkpoint(run)
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32}
    torch.testing.assert_close(
        loaded.state_dict(), model.state_dict(), atol=1e-3, rtol=1e-3
    )


def test_double_precision_too_large_for_float32_is_refused(run, model):
    state = {
        name: tensor.double() if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    state["head.1.weight"][0, 0] = 1e300
    save_file(state, run / "model.safetensors")
    with pytest.raises(ValueError, match="damaged: head.1.weight holds values that ar"):
        load_checkpoint(run)


@pytest.fixture
def elsewhere(tmp_path_factory, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(folder := tmp_path_factory.mktemp("elsewhere"))
    return folder


@pytest.mark.parametrize("kind", ["model.safetensors", "state.safetensors", None])
def test_a_shipped_name_that_is_a_run_here_is_refused(
    run, elsewhere, monkeypatch, kind
):
    """Neither is measured in the other's name: ./NAME is the folder, and without a run
    there is no doubt.
    """
    monkeypatch.setattr(checkpoint, "SHIPPED", run.parent)
    here = elsewhere / run.name
    here.mkdir()
    if kind:
        (here / kind).write_bytes((run / "model.safetensors").read_bytes())
        with pytest.raises(
            ValueError,
            match=(
                rf"is a shipped model and a run's folder here: write \./{run.name} for"
            ),
        ):
            load_checkpoint(run.name)
    else:
        assert load_checkpoint(run.name)[1].classes == ("cat", "dog")
    (here / "model.safetensors").unlink(missing_ok=True)
    with pytest.raises(ValueError, match="holds no model"):
        load_checkpoint(f"./{run.name}")


def test_a_shipped_name_is_known_and_an_unknown_one_lists_them(
    run, elsewhere, monkeypatch
):
    monkeypatch.setattr(checkpoint, "SHIPPED", run.parent)
    assert load_checkpoint(run.name)[1].classes == ("cat", "dog")
    with pytest.raises(ValueError, match="no checkpoint ''"):
        load_checkpoint("")
    with pytest.raises(ValueError, match=rf"'nothing'.*{run.name}"):
        load_checkpoint("nothing")


def cut(text):
    return text[: len(text) // 2]


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("model.safetensors", None, "holds no model.safetensors"),
        ("model.safetensors", cut, "truncated or no safetensors file"),
        (
            "model.safetensors",
            lambda text: text[:-1],
            "truncated or no safetensors file",
        ),
        ("model.safetensors", lambda text: b"", "truncated or no safetensors file"),
        ("config.json", None, r"config\.json is missing"),
        ("config.json", cut, r"config\.json is broken"),
        ("config.json", lambda text: b"[]", r"config\.json is broken"),
        (
            "config.json",
            lambda text: re.sub(
                rb'"training": \{.*\n  \},', b'"training": 3,', text, flags=re.S
            ),
            "must hold settings",
        ),
        (
            "config.json",
            lambda text: b'{"model": {}, "data": {}}',
            r"config\.json is broken: it has no 'classes'",
        ),
        (
            "config.json",
            lambda text: text.replace(b'"dim"', b'"width"'),
            "holds an unknown setting: model.width",
        ),
        (
            "config.json",
            lambda text: text.replace(b'"dim": 16', b'"dim": 17'),
            "describes no model: dim 17 is not divis",
        ),
        (
            "config.json",
            lambda text: text.replace(b'"depth": 2', b'"depth": 3'),
            r"blocks\.2\S+ holds nothing, expected \(",
        ),
        (
            "config.json",
            lambda text: text.replace(b'"depth": 2', b'"depth": 1'),
            r"blocks\.1\S+ holds \(.*\), expected noth",
        ),
        (
            "config.json",
            lambda text: text.replace(b'"dim": 16', b'"dim": 32'),
            r"token holds \(1, 1, 16\), expected \(1, 1, 32",
        ),
        ("history.json", cut, r"history\.json is broken"),
    ],
)
def test_a_spoilt_run_is_refused_in_one_line(run, name, spoil, message):
    content = (run / name).read_bytes()
    (run / name).unlink()
    if spoil:
        (run / name).write_bytes(spoil(content))
    with pytest.raises(ValueError, match=message) as error:
        load_checkpoint(run)
    assert "\n" not in str(error.value) and str(run) in str(error.value)


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")  # unpickling would create the file


@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
@pytest.mark.parametrize(
    "write", [torch.save, lambda what, path: path.write_bytes(pickle.dumps(what))]
)
def test_a_pickle_is_refused_and_runs_no_code(run, name, write):
    path = run / name
    path.unlink(missing_ok=True)
    write(Bomb(run / "exploded"), path)
    with pytest.raises(ValueError, match="never loaded"):
        load_checkpoint(path)
    assert not (run / "exploded").exists()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_file(path, b"old")
    part = type(path).write_bytes

    def full(self, content):
        part(self, content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        write_file(path, b"new")
    assert error.value.filename == str(path)
    assert [file.name for file in tmp_path.iterdir()] == [
        "file"
    ] and path.read_bytes() == b"old"


def test_the_shipped_stacks_model_brings_its_snapshots():
    models = load_snapshots("stacks")
    assert list(models) == [0, 1, 2, 4, 6, 8, 12, 24]
    data = stacks(100, seed=9)
    images = normalise(
        data.images, *(load_checkpoint("stacks")[1][name] for name in ("mean", "std"))
    )
    with torch.no_grad():
        right = [
            (model(images).argmax(dim=1) == data.labels).sum().item()
            for model in models.values()
        ]
    assert right[0] < 30 and 50 < right[3] < 80 < right[6] and right[7] > 95


def test_the_shipped_photograph_model_fits_a_browser():
    """At most 8 MB and 1.2 GFLOP an image; its history ends where the record of its
    seed ends.
    """
    path = SHIPPED / "stl10" / "model.safetensors"
    model, record = load_checkpoint("stl10")
    assert path.stat().st_size <= 8e6
    # whole numbers count the batches of a batch norm
    numbers = [one for one in load_file(path).values() if one.is_floating_point()]
    assert {weight.dtype for weight in numbers} == {torch.float16}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        logits, weights = model(torch.zeros(1, 3, 96, 96), return_attention=True)
    assert logits.isfinite().all() and counter.get_total_flops() <= 1.2e9
    assert model.config.pool == "cls" and weights[0].shape == (1, 4, 145, 145)
    run = json.loads(
        (Path(__file__).parents[2] / "results" / "stl10.json").read_text(
            encoding="utf-8"
        )
    )["runs"][0]
    assert record.history[-1]["val_accuracy"] == run["val_accuracy"]
    assert record.classes == STL10_CLASSES and record.config["data"]["root"] == "data"
