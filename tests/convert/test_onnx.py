"""The export to ONNX: another program computes the same from pictures of any size, and
what cannot be exported is refused.
"""

import json
import re
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from engine import run_of, unlike_fresh
from small import refused
from torch import nn

from vit_tutorial.cli.main import main
from vit_tutorial.config import ViTConfig
from vit_tutorial.convert import onnx as export
from vit_tutorial.convert.onnx import export_onnx, fit, fit_in_onnx, onnx_model
from vit_tutorial.data.images import middle, resize
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.models import MODELS, build_model
from vit_tutorial.resolution import AtResolution
from vit_tutorial.training.checkpoint import load_checkpoint, save_run

SMALL = ViTConfig(16, 8, classes=4, dim=8, depth=1, heads=2, embedder="manual")
# of rows and columns, not square: what is mixed up shows
SHAPE = (24, 56)
# one shade more or less in one pixel is ten times as much
ROUNDING = 1e-5


def program(content):
    """Another program's function of images: (n, C, Y, X) uint8 to its outputs."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images.numpy()})


def random_images(count, sides, channels=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (count, channels, *sides)
    return torch.randint(256, shape, generator=generator, dtype=torch.uint8)


@torch.no_grad()
def expect_equal(found, model, run, images):
    """That the outputs of a program are those of the model."""
    normalised = run.normalization(resize(images, model.config.sides))
    logits, attention = model(normalised, return_attention=True)
    for one, other in zip(found, (logits, torch.stack(attention, 1)), strict=True):
        assert one.shape == other.shape and abs(one - other.numpy()).max() < ROUNDING


@pytest.mark.parametrize("name", ["stacks", "stl10"])
def test_the_command_writes_a_shipped_model_that_computes_the_same(
    name, tmp_path, capsys
):
    out = tmp_path / "model.onnx"
    words = ["export", "--checkpoint", name, "--format", "onnx", "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr()
    assert said.out == f"{out}: onnx, {out.stat().st_size / 1e6:.2f} MB\n"
    assert said.err == "" and [path.name for path in tmp_path.iterdir()] == [out.name]
    onnx.checker.check_model(str(out), full_check=True)
    model, run = load_checkpoint(name)
    compute = program(out.read_bytes())
    twenty = stacks(20, seed=5).images
    for images in (twenty, twenty[:1], twenty[:7], twenty[:2, :, 10:70, :90]):
        expect_equal(compute(images), model, run, images)


def test_the_file_says_what_it_takes_and_what_its_numbers_mean(tmp_path):
    model = unlike_fresh(SMALL)
    run = run_of(SMALL)
    path = tmp_path / "model.onnx"
    assert export_onnx(model, run, path) == path.stat().st_size
    found = onnx.load(path)
    said = {entry.key: json.loads(entry.value) for entry in found.metadata_props}
    assert said.keys() == {"classes", "mean", "std", "config"}
    assert (said["classes"], said["mean"], said["std"]) == tuple(
        map(list, (run.classes, run.mean, run.std))
    )
    assert ViTConfig(**said["config"]) == SMALL
    shapes = {
        value.name: [
            dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim
        ]
        for value in (*found.graph.input, *found.graph.output)
    }
    assert shapes == {
        "images": ["batch", 3, "rows", "columns"],
        "logits": ["batch", 4],
        "attention": ["batch", 1, 2, 5, 5],
    }
    # where the package lay is nobody's business
    assert b".py" not in path.read_bytes()


@pytest.mark.parametrize("name", [name for name in MODELS if "net" not in name])
def test_every_model_computes_the_same(name):
    config = ViTConfig(SHAPE, 8, classes=4, dim=16, depth=1, heads=2, name=name)
    model = unlike_fresh(config)
    run = run_of(config)
    proto = onnx_model(model, run)
    onnx.checker.check_model(proto, full_check=True)
    compute = program(proto.SerializeToString())
    for count, sides in ((1, SHAPE), (3, (50, 37))):
        images = random_images(count, sides)
        if name != "cnn":
            expect_equal(compute(images), model, run, images)
            continue
        with torch.no_grad():
            wanted = model(run.normalization(resize(images, SHAPE))).numpy()
        (found,) = compute(images)
        assert abs(found - wanted).max() < ROUNDING


@pytest.mark.parametrize("name", ["resnet-small", "resnet18"])
def test_a_residual_network_computes_the_same(name):
    config = ViTConfig(16, 8, classes=4, name=name)
    torch.manual_seed(0)
    model = build_model(config).eval()
    run = run_of(config)
    images = random_images(2, (30, 21))
    with torch.no_grad():
        wanted = model(run.normalization(resize(images, 16))).numpy()
    (found,) = program(onnx_model(model, run).SerializeToString())(images)
    assert abs(found - wanted).max() < ROUNDING * max(1, abs(wanted).max())


@pytest.mark.parametrize(
    "changes",
    [
        {"embedder": "convolutional", "pool": "mean", "positions": "sincos"},
        {"embedder": "stem", "channels": 1},
        {"embedder": "hybrid", "dropout": 0.5},
    ],
    ids=lambda changes: changes["embedder"],
)
def test_every_embedder_computes_the_same(changes):
    settings = {"classes": 4, "dim": 8, "depth": 1, "heads": 2} | changes
    config = ViTConfig(SHAPE, 8, **settings)
    model = unlike_fresh(config).train()  # as a training loop leaves it
    run = run_of(config)
    compute = program(onnx_model(model, run).SerializeToString())
    assert model.training
    images = random_images(2, SHAPE, config.channels)
    expect_equal(compute(images), model.eval(), run, images)


class Pixels(nn.Module):
    def forward(self, images):
        return fit(images, *SHAPE)


@pytest.fixture(scope="module")
def fitted():
    """The graph's resizing alone: (n, C, Y, X) uint8 -> (n, C, *SHAPE) uint8."""
    written = torch.onnx.export(
        Pixels().eval(),
        (random_images(2, (3, 4)),),
        input_names=["images"],
        dynamic_shapes=({axis: torch.export.Dim.DYNAMIC for axis in (0, 2, 3)},),
        custom_translation_table={torch.ops.vit_tutorial.fit.default: fit_in_onnx},
        opset_version=18,
        dynamo=True,
        verbose=False,
    )
    compute = program(written.model_proto.SerializeToString())
    return lambda images: torch.from_numpy(compute(images)[0])


@pytest.mark.parametrize(
    "sides",
    [
        SHAPE,
        (48, 112),  # half: many means lie midway between two shades
        (240, 560),
        (25, 56),
        (24, 57),
        (1, 1),
        (1, 90),
        (90, 1),
        (7, 5),
        (61, 203),
        (301, 99),
    ],
)
def test_the_graph_resizes_as_the_package_does(fitted, sides):
    images = random_images(2, sides)
    found = fitted(images)
    wanted = resize(images, SHAPE)
    assert found.dtype == torch.uint8
    if sides == SHAPE:
        assert torch.equal(found, images)
    exact = F.interpolate(
        middle(images, SHAPE).double(), size=SHAPE, mode="bilinear", antialias=True
    )
    tie = ((exact - exact.floor()) - 0.5).abs() < 1e-3
    assert torch.equal(found[~tie], wanted[~tie])
    assert (found.int() - wanted.int()).abs().max() <= 1
    assert tie.float().mean() < 0.1


def test_the_model_that_is_exported_stays_as_it_was():
    model = unlike_fresh(SMALL).double().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    onnx_model(model, run_of(SMALL))
    assert model.training and all(
        torch.equal(value, before[name]) for name, value in model.state_dict().items()
    )


def test_an_export_takes_the_place_of_an_earlier_one_or_leaves_it(
    tmp_path, monkeypatch
):
    path = tmp_path / "model.onnx"
    path.write_text("earlier", encoding="utf-8")
    broken = unlike_fresh(SMALL)
    broken.head[1].bias.data[0] = np.nan
    with pytest.raises(ValueError, match="^head.1.bias holds values that are not fin"):
        export_onnx(broken, run_of(SMALL), path)
    assert path.read_text(encoding="utf-8") == "earlier"
    empty = onnx.ModelProto(producer_name="nobody")
    monkeypatch.setattr(export, "onnx_model", lambda *arguments: empty)
    assert export_onnx(broken, run_of(SMALL), path) == path.stat().st_size
    whole = path.read_bytes()
    assert onnx.load(path) == empty

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match=re.escape(str(path))):
        export_onnx(broken, run_of(SMALL), path)
    assert path.read_bytes() == whole
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_models_that_cannot_be_exported_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    with pytest.raises(ValueError, match="^the model is 'Linear', expected one of "):
        export_onnx(nn.Linear(2, 2), run_of(SMALL), path)
    with pytest.raises(ValueError, match="^the model is a AtResolution, expected the"):
        export_onnx(AtResolution(unlike_fresh(SMALL), 32), run_of(SMALL), path)
    with pytest.raises(ValueError, match=r"^embedder\.\w+ is on the meta device"):
        export_onnx(unlike_fresh(SMALL).to("meta"), run_of(SMALL), path)
    large = unlike_fresh(SMALL).double()
    large.head[1].bias.data[1] = 1e300
    with pytest.raises(ValueError, match=r"^head\.1\.bias holds values that are not f"):
        export_onnx(large, run_of(SMALL), path)
    monkeypatch.setattr(export, "LARGEST", 1000)
    with pytest.raises(ValueError, match=r"^the model holds [\d,]+ bytes, .* 1,000"):
        export_onnx(unlike_fresh(SMALL), run_of(SMALL), path)
    assert not list(tmp_path.iterdir())


def test_the_checkpoint_itself_is_not_written_over(tmp_path, capsys):
    model, run = load_checkpoint("stacks")
    save_run(tmp_path, model, [], None, run)
    out = tmp_path / "model.safetensors"
    whole = out.read_bytes()
    for checkpoint in (tmp_path, out):
        words = ["--checkpoint", checkpoint, "--format", "onnx", "--out", out]
        line = refused(capsys, "export", *words)
        assert line == f"error: out is {out}, which is the checkpoint itself\n"
    assert out.read_bytes() == whole


@pytest.mark.parametrize("missing", ["onnx", "onnxscript"])
def test_what_is_not_installed_is_one_line(tmp_path, capsys, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    out = tmp_path / "model.onnx"
    line = refused(
        capsys, "export", "--checkpoint", "stacks", "--format", "onnx", "--out", out
    )
    assert line == (
        f"error: {missing} is not installed: pip install 'vit-tutorial[onnx]'\n"
    )
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--out": ""}, "out is '', expected the file of the model"),
        ({"--out": "."}, "is a folder, expected the file of the model"),
        ({"--out": "none/model.onnx"}, "lies in none, which is no folder"),
        ({"--dtype": "float16"}, "dtype is float16, the onnx format has float32"),
        ({"--checkpoint": "MISSING"}, "no checkpoint 'MISSING'"),
    ],
)
def test_a_slip_on_the_command_line_is_one_line(
    tmp_path, capsys, monkeypatch, change, message
):
    monkeypatch.chdir(tmp_path)
    settings = {"--checkpoint": "stacks", "--format": "onnx", "--out": "m.onnx"}
    words = [word for pair in (settings | change).items() for word in pair]
    assert message in refused(capsys, "export", *words)
    assert not list(tmp_path.iterdir())
