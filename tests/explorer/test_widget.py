"""The explorer in Python: its numbers, what it refuses, what it leaves as it was."""

import base64
import io
import json
import re
import zlib

import numpy as np
import pytest
import torch
from explorers import (
    CLASSES,
    GRID,
    IMAGES,
    MEAN,
    PATCH,
    STD,
    build,
    draw_images,
    see_without,
    wanted,
)
from PIL import Image
from torch import nn
from traitlets import TraitError

import vit_tutorial.explorer.widget
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.images import normalise
from vit_tutorial.explorer.encoding import run_model, unpack
from vit_tutorial.explorer.html import SCRIPT, STYLE, page
from vit_tutorial.explorer.widget import MOST_BYTES, explore
from vit_tutorial.interpret.attention import attention_maps, rollout
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import build_model


def test_floats_and_uint8_are_the_same_images():
    model = build()
    plain = explore(model, draw_images())
    floats = explore(model, normalise(draw_images(), MEAN, STD))
    assert (
        plain.pictures == floats.pictures
        and plain.views == floats.views
        and plain.metadata == floats.metadata
    )


def test_a_grey_model_in_double_precision_works():
    model = build(channels=1).double()
    explorer = explore(model, draw_images()[:, :1], mean=(0.5,), std=(0.25,))
    assert [len(picture) for picture in explorer.pictures] == IMAGES * [
        4 * GRID[0] * GRID[1] * PATCH**2
    ]
    explorer.add(draw_images()[0])
    red, green, blue = draw_images()[0].float()
    grey = torch.frombuffer(bytearray(explorer.pictures[2]), dtype=torch.uint8).reshape(
        *red.shape, 4
    )[..., 1]
    assert (grey - 0.299 * red - 0.587 * green - 0.114 * blue).abs().max() <= 0.51


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float64])
def test_a_model_of_another_precision_is_seen_as_it_would_be_in_single(precision, pool):
    """Only the model computes in its precision: seven layers of rollout in half would
    add up their roundings.
    """
    images = draw_images()
    model = build(pool, depth=7).to(precision)
    _, found = run_model(model, normalise(images, MEAN, STD))
    with torch.no_grad():
        _, maps = model(
            normalise(images, MEAN, STD).to(precision), return_attention=True
        )
    joint = rollout([one.float() for one in maps])
    joint = joint.mean(dim=1, keepdim=True) if pool == "mean" else joint
    torch.testing.assert_close(
        found[:, -1, -1, 0, 1:], joint[:, 0, -GRID[0] * GRID[1] :], atol=1e-6, rtol=1e-4
    )
    shown = explore(model, images, CLASSES, mean=MEAN, std=STD)
    shown.dropped = [3]
    shown.add(draw_images()[0])
    assert {"text/html", "image/png"} <= shown._repr_mimebundle_()[0].keys()


def test_a_class_name_is_no_formula_in_the_picture():
    shown = explore(build(), draw_images(), ["cost_$5_$10", "$a_$", "{$}^$"])
    assert shown._repr_mimebundle_()[0]["image/png"]


def test_the_models_stay_as_they_were():
    model = build(dropout=0.3).train()
    other = build(seed=1, dropout=0.3)
    model.blocks[1].eval()
    modes = [module.training for module in model.modules()]
    explorer = explore(
        model,
        normalise(draw_images(), MEAN, STD).requires_grad_(),
        snapshots={0: other, 1: model},
    )
    explorer.dropped = [1, 2]
    explorer.add(draw_images()[1])
    assert [
        module.training for module in model.modules()
    ] == modes and not other.training
    for module in [*model.modules(), *other.modules()]:
        assert not module._forward_hooks and not module._forward_pre_hooks
    assert all(
        parameter.grad is None and parameter.requires_grad
        for parameter in model.parameters()
    )
    assert all(view.requires_grad is False for view in explorer.view())


def test_the_bundle_holds_widget_page_and_picture():
    explorer = explore(build(), draw_images(), CLASSES)
    explorer.query = 7
    state = (
        "image=0, layer=3, head=-1, query=7, epoch=None, mode='raw', opacity=0.6,"
        " dropped=[]"
    )
    assert repr(explorer) == f"Explorer({state})"
    bundle, _ = explorer._repr_mimebundle_()
    assert (
        bundle["application/vnd.jupyter.widget-view+json"]["model_id"]
        == explorer.model_id
    )
    assert (
        "</script><!--" not in bundle["text/html"].replace("</script>\n", "")
        and "http" not in bundle["text/html"]
    )
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.width == 770 and len(picture.convert("RGB").getcolors(10**6)) > 100
    assert len(bundle["image/png"]) < 200_000
    explorer.dropped = [3]
    assert explorer._repr_mimebundle_()[0]["image/png"] != bundle["image/png"]


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_python_decodes_what_the_page_shows(pool):
    models = {epoch: build(pool, seed=epoch) for epoch in (0, 3)}
    explorer = explore(models[3], draw_images(), snapshots=models)
    states = [
        {"head": 2, "query": 5, "layer": 1},
        {"head": -1, "image": 1, "epoch": 0},
        {"mode": "rollout", "query": 0},
        {"dropped": [2, 24], "layer": 3},
        {"mode": "raw", "epoch": 3, "query": 7},
        {"query": 0},
    ]
    for state in states:
        for name, value in state.items():
            setattr(explorer, name, value)
        shares, maps = see_without(
            models[explorer.epoch], draw_images()[explorer.image], explorer.dropped
        )
        weights, tolerance = wanted(maps, explorer.state(), pool)
        assert (explorer.chosen()[0] - weights).abs().max() <= tolerance
        torch.testing.assert_close(explorer.view()[0], shares)
        if pool == "cls":
            assert explorer.chosen()[1] + float(weights.sum()) == pytest.approx(
                1, abs=1e-4
            )


def test_dropping_what_the_model_needs_moves_the_prediction_and_back():
    explorer = explore(build(), draw_images())
    before = explorer.view()[0]
    explorer.dropped = list(range(2, 25))
    assert (explorer.view()[0] - before).abs().max() > 0.01
    assert explorer.chosen()[0][1:].abs().max() == 0 and explorer.chosen()[0][0] > 0
    explorer.image = 1  # another image is whole
    assert explorer.dropped == []
    explorer.image = 0
    assert torch.equal(explorer.view()[0], before)


def test_a_picture_of_ones_own_comes_last_with_no_label():
    models = {epoch: build(seed=epoch) for epoch in (0, 1)}
    explorer = explore(models[1], draw_images(), CLASSES, [0, 1], snapshots=models)
    explorer.dropped = [4]
    explorer.add(draw_images(4)[3])
    assert (
        explorer.image,
        explorer.metadata["images"],
        explorer.metadata["labels"],
    ) == (
        2,
        3,
        [0, 1, None],
    )
    for epoch, model in models.items():
        explorer.epoch = epoch
        weights, tolerance = wanted(
            see_without(model, draw_images(4)[3], [])[1], explorer.state(), "cls"
        )
        assert (explorer.chosen()[0] - weights).abs().max() <= tolerance
    explorer.dropped = [1]  # of the new one, too
    assert explorer.chosen()[0][0] == 0
    for wrong in (draw_images()[0, :, 1:], draw_images()[0].float()):
        with pytest.raises(
            ValueError, match=r"the picture is .*, expected \(3, 32, 48\) of uint8"
        ):
            explorer.add(wrong)
    crowd = explore(build(), draw_images(64))
    with pytest.raises(ValueError, match="64 images are here, expected at most 64"):
        crowd.add(draw_images()[0])


def test_what_the_browser_sends_is_added_or_answered(monkeypatch):
    explorer = explore(build(), draw_images())
    said = []
    monkeypatch.setattr(explorer, "send", lambda *parts: said.append(parts))
    sent = draw_images(3)[2].movedim(0, -1).contiguous().numpy().tobytes()
    question = {"number": "a-1", "kind": "picture", "name": "cat.jpg"}
    explorer._handle_custom_msg(question, [memoryview(sent)])
    assert explorer.image == 2 and said.pop() == ({"number": "a-1"}, [])
    assert explorer.pictures[2] == explore(build(), draw_images(3)).pictures[2]
    explorer._handle_custom_msg(question, [memoryview(sent[1:])])
    error = "cat.jpg did not arrive as 48 x 32 pixels"
    assert explorer.image == 2
    assert said == [({"number": "a-1", "error": error}, [])]


def test_the_browser_is_sent_the_model_of_an_epoch_or_a_view(monkeypatch):
    models = {epoch: build(seed=epoch) for epoch in (0, 5)}
    explorer = explore(models[5], draw_images(), snapshots=models, mean=MEAN, std=STD)
    said = []
    monkeypatch.setattr(explorer, "send", lambda *parts: said.append(parts))
    explorer._handle_custom_msg({"number": "a-1", "kind": "model", "epoch": 0}, [])
    answer, (weights,) = said.pop()
    about = answer["description"]
    assert answer["number"] == "a-1" and len(weights) == about["bytes"]
    assert (tuple(about["mean"]), tuple(about["std"])) == (MEAN, STD)
    for name, tensor in models[0].state_dict().items():
        found = about["tensors"][name]
        values = np.frombuffer(weights, "<f4", tensor.numel(), found["offset"])
        assert (values.reshape(found["shape"]) == tensor.numpy()).all()
    asked = {"number": "a-2", "kind": "view", "image": 1, "epoch": 0, "dropped": [4]}
    explorer._handle_custom_msg(asked, [])
    explorer.image, explorer.epoch, explorer.dropped = 1, 0, [4]
    answer, (view,) = said.pop()
    f = explorer.metadata
    sizes = [f[name] for name in ("outputs", "layers", "heads", "patches")]
    found = unpack(view, *sizes, f["quantizationLevels"])
    assert answer == {"number": "a-2"}
    assert all(map(torch.equal, found, explorer.view()))
    assert not torch.equal(found[0], explore(models[0], draw_images()).view()[0])


def test_dropping_costs_nothing_before_it_is_asked_for(monkeypatch):
    explorer = explore(build(), draw_images())
    asked = []
    compute = explorer.source.without

    def without(*state):
        asked.append(state)
        return compute(*state)

    monkeypatch.setattr(explorer.source, "without", without)
    explorer.dropped = [1]
    explorer.dropped = [1, 2]
    explorer.query = 3
    assert asked == []
    assert explorer.chosen()[0][0] == 0
    assert asked == [([1, 2], 0, None)]


def own_class() -> VisionTransformer:
    model = build()
    model.__class__ = type("Mine", (VisionTransformer,), {})
    return model


@pytest.mark.parametrize(
    "model, images, says",
    [
        (build(), normalise(draw_images(), MEAN, STD), None),
        (build(), normalise(draw_images(), MEAN, STD).half(), None),
        (build(channels=1), draw_images()[:, :1], None),
        (own_class(), draw_images(), "the model is 'vit', the web format is of"),
        (build(dim=384, depth=5), draw_images(), "9 million parameters, expected at"),
        (build(), normalise(draw_images(), (0.3,) * 3, STD), "are not what their"),
        (build(), torch.rand(2, 3, 32, 48), "are not what their pictures become"),
    ],
)
def test_the_browser_computes_where_it_would_say_the_same(model, images, says):
    channels = images.shape[1]
    explorer = explore(model, images, mean=MEAN[:channels], std=STD[:channels])
    assert explorer.in_browser is (says is None)
    if says:
        with pytest.raises(ValueError, match=says):
            explorer.source.for_browser(None)


@pytest.mark.parametrize(
    "name, value",
    [
        ("image", 2),
        ("layer", 4),
        ("head", -2),
        ("query", 25),
        ("mode", "grad"),
        ("epoch", 1),
        ("opacity", 1.5),
        ("dropped", [25]),
        ("dropped", [1, 1]),
        ("dropped", list(range(1, 25))),
    ],
)
def test_a_choice_that_does_not_exist_is_refused(name, value):
    explorer = explore(build(), draw_images())
    before = explorer.state()
    with pytest.raises(TraitError, match=re.escape(str(value))):
        setattr(explorer, name, value)
    assert explorer.state() == before


def broken() -> VisionTransformer:
    model = build()
    nn.init.constant_(model.blocks[2].attention.qkv.weight, torch.nan)
    return model


@pytest.mark.parametrize(
    "wrong, says",
    [
        (
            dict(images=draw_images()[0]),
            r"images are \(3, 32, 48\), expected \(B, 3, 32, 48\)",
        ),
        (
            dict(images=draw_images()[..., :40]),
            r"images are \(2, 3, 32, 40\), expected \(B, 3, 32, 48\)",
        ),
        (dict(images=draw_images()[:0]), r"images are \(0, 3, 32, 48\)"),
        (dict(model=build_model(ViTConfig(name="cnn"))), "a CNN, which has no tokens"),
        (dict(images=draw_images().int()), "torch.int32, expected uint8 or"),
        (
            dict(images=draw_images()[:1].expand(1000, -1, -1, -1)),
            "1000 images, expected at most 64",
        ),
        (
            dict(model=build(depth=300), images=draw_images(40)),
            "40 images have 28.8 million .* 24: 33 of this model's",
        ),
        (dict(classes=["a", "b"]), "2 names of classes, expected 3"),
        (dict(labels=[0]), "1 labels, expected 2"),
        (dict(labels=torch.tensor([0, 3])), "labels run from 0 to 3, expected 0 to 2"),
        (dict(mean=(0.5,)), "1 means and 3 deviations, expected 3"),
        (
            dict(images=[draw_images()]),
            r"images are a list, expected a tensor \(B, 3, 32, 48\)",
        ),
        (dict(model=broken()), "not finite"),
        (dict(snapshots={0: build(), 1: broken()}), "not finite"),
        (
            dict(snapshots={}),
            r"snapshots are \{\}, expected a dict of at least one epoch",
        ),
        (dict(snapshots=[1, 2]), r"snapshots are \[1, 2\], expected a dict"),
        (
            dict(snapshots={"last": build()}),
            "a snapshot's epoch is 'last', expected a whole number",
        ),
        (
            dict(snapshots={4: build(depth=3)}),
            "the snapshot of epoch 4 has depth 3, expected 4 as",
        ),
        (
            dict(snapshots={4: "weights"}),
            "the snapshot of epoch 4 is a str, expected a model",
        ),
    ],
)
def test_wrong_use_is_named_in_one_line(wrong, says):
    with pytest.raises(ValueError, match=says) as caught:
        explore(**{"model": build(), "images": draw_images(), **wrong})
    assert "\n" not in str(caught.value)


def test_one_image_of_the_papers_base_size_fits_a_page():
    torch.manual_seed(0)
    model = VisionTransformer(
        ViTConfig(
            image_size=224, patch_size=16, dim=24, depth=12, heads=12, classes=1000
        )
    )
    for block in model.blocks:
        nn.init.normal_(block.attention.qkv.weight, std=0.4)
    explorer = explore(model, torch.rand(1, 3, 224, 224))
    data = (
        page(explorer)
        .partition('type="application/json">')[2]
        .partition("</script>")[0]
    )
    pieces = [base64.b64decode(text) for _, _, text in json.loads(data)["pieces"]]
    assert 1_000_000 < sum(map(len, pieces)) < MOST_BYTES
    assert [zlib.decompress(piece) for piece in pieces] == [
        explorer.pictures[0],
        explorer.views[0],
    ]
    assert 15 <= explorer.metadata["quantizationLevels"] < 255
    weights = attention_maps(
        model, normalise(explorer.source.images, (0,) * 3, (1,) * 3)
    )
    row = weights[-1].mean(dim=1)[0, 0, 1:]
    assert (explorer.chosen()[0] - row).abs().max() < 1 / 255


def test_where_less_fits_weights_are_kept_in_fewer_steps(monkeypatch):
    model = build()
    whole = explore(model, draw_images())
    monkeypatch.setattr(vit_tutorial.explorer.widget, "MOST_BYTES", 20_000)
    coarse = explore(model, draw_images())
    assert (
        whole.metadata["quantizationLevels"]
        == 255
        > coarse.metadata["quantizationLevels"]
    )
    exact, scale = wanted(
        attention_maps(model, normalise(draw_images(1), MEAN, STD)),
        whole.state(),
        "cls",
    )
    for explorer in (whole, coarse):
        assert (
            explorer.chosen()[0] - exact
        ).abs().max() <= 0.51 * 255 * scale / explorer.metadata["quantizationLevels"]
    monkeypatch.setattr(vit_tutorial.explorer.widget, "MOST_BYTES", 9_000)
    with pytest.raises(
        ValueError, match=r"2 images take 0\.0 MB on a page, .*: 1 of these images fit"
    ) as caught:
        explore(model, draw_images())
    assert len(explore(model, draw_images(1)).views) == 1 and "\n" not in str(
        caught.value
    )


def test_script_and_style_can_stand_in_a_page():
    for text in (SCRIPT, STYLE):
        assert (
            "</script" not in text
            and "</style" not in text
            and "<!--" not in text
            and "http" not in text
        )
