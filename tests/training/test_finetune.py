"""A run that starts with another's weights, learns slower further down, or in part not
at all.
"""

import math
import re
import shutil
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from small import MODEL, TRAIN, stop_at, timeless
from torch.optim import AdamW
from torch.testing import assert_close

from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.images import Normalization
from vit_tutorial.embedding import sincos_positions
from vit_tutorial.models import MODELS, build_model, is_transformer
from vit_tutorial.training.checkpoint import (
    load_checkpoint,
    load_snapshots,
    optimizer_state,
    save_run,
)
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.finetune import freeze, start_from, thaw
from vit_tutorial.training.loop import train, train_step
from vit_tutorial.training.objectives import Classification
from vit_tutorial.training.optimizers import Muon, make_optimizers
from vit_tutorial.training.run import Run, RunConfig

NORMALIZATION = Normalization((0.5,) * 3, (0.25,) * 3)
CLASSES = ("bright", "dark")  # those of the folder `data`
HYBRID = replace(MODEL, embedder="hybrid")
TRANSFORMERS = [name for name in MODELS if is_transformer(ViTConfig(name=name))]


def written(folder, config=MODEL, classes=CLASSES, normalization=NORMALIZATION):
    """A run whose weights are random, all of them; the path."""
    torch.manual_seed(1)
    model = build_model(replace(config, classes=len(classes)))
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.1, 1)
    folder.mkdir()
    settings = RunConfig(model.config, DataConfig(), TRAIN, classes, normalization)
    save_run(folder, model, [], None, Run(settings))
    return str(folder)


def fresh(config=MODEL):
    torch.manual_seed(2)
    return build_model(config)


def values(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize(
    ("config", "last"),
    [
        (MODEL, "head.1"),
        (replace(HYBRID, pool="mean", positions="sincos"), "head.1"),
        (replace(MODEL, name="stochastic-depth-and-layer-scale"), "head.1"),
        (replace(MODEL, name="cnn"), "head"),
        (replace(MODEL, name="resnet-small"), "head"),
        (replace(MODEL, name="resnet18"), "fc"),
    ],
)
@pytest.mark.parametrize(
    ("classes", "kept"),
    [(CLASSES, False), (CLASSES[::-1], True), (("a", "b", "c"), True)],
)
def test_all_is_taken_but_the_layer_for_other_classes(
    tmp_path, config, last, classes, kept
):
    path = written(tmp_path / "run", config, classes)
    model = fresh(config)
    before = values(model)
    start_from(model, path, CLASSES, NORMALIZATION)
    theirs = load_checkpoint(path)[0].state_dict()
    own = {f"{last}.weight", f"{last}.bias"} if kept else set()
    assert own <= before.keys()
    for name, value in model.state_dict().items():
        source = before if name in own else theirs
        assert torch.equal(value, source[name]), name
        # or the test could not tell them apart
        assert name in own or "num_batches" in name or not value.equal(before[name])


def test_learnt_positions_are_stretched_over_another_grid(tmp_path):
    """From 2 x 4 patches to 4 x 3: what only depends on the row still does, and
    grows from row to row, and all stays between the two that were given.
    """
    config = replace(MODEL, image_size=(16, 32))
    path = written(tmp_path / "run", config)
    model, _ = load_checkpoint(path)
    with torch.no_grad():
        model.embedder.positions[0, 0] = -7.0
        model.embedder.positions[0, 1:5] = 1.0
        model.embedder.positions[0, 5:] = 2.0
    other = load_checkpoint(path)[1]
    save_run(tmp_path / "run", model, [], None, other)
    longer = fresh(replace(MODEL, image_size=(32, 24)))
    start_from(longer, path, CLASSES, NORMALIZATION)
    found = longer.embedder.positions.detach()[0]
    assert found.shape == (13, 16) and (found[0] == -7).all()
    rows = found[1:].view(4, 3, 16)
    assert_close(rows, rows[:, :1, :1].expand_as(rows))
    assert rows[:, 0, 0].diff().min() > 0.1
    assert_close(rows[:, 0, 0] + rows[:, 0, 0].flip(0), torch.full((4,), 3.0))
    assert torch.equal(longer.blocks[0].mlp[0].weight, model.blocks[0].mlp[0].weight)


def test_sines_and_cosines_are_those_of_the_models_own_grid(tmp_path):
    config = replace(MODEL, positions="sincos")
    path = written(tmp_path / "run", config)
    model = fresh(replace(config, image_size=32))
    start_from(model, path, CLASSES, NORMALIZATION)
    assert torch.equal(model.embedder.positions, sincos_positions((4, 4), 16))
    assert model.embedder.projection.weight.min() >= 0.1


@pytest.mark.parametrize(
    ("changes", "name", "theirs", "own"),
    [
        ({"name": "layer-scale"}, "name", "'vit'", "'layer-scale'"),
        ({"name": "cnn"}, "name", "'vit'", "'cnn'"),
        ({"patch_size": 4}, "patch_size", "8", "4"),
        ({"channels": 1}, "channels", "3", "1"),
        ({"dim": 8, "depth": 3}, "dim", "16", "8"),
        ({"depth": 3, "heads": 4}, "depth", "2", "3"),
        ({"heads": 4}, "heads", "2", "4"),
        ({"mlp_ratio": 2.0}, "mlp_ratio", "4.0", "2.0"),
        ({"pool": "mean"}, "pool", "'cls'", "'mean'"),
        ({"positions": "sincos"}, "positions", "'learned'", "'sincos'"),
        ({"embedder": "manual"}, "embedder", "'convolutional'", "'manual'"),
        ({"norm_eps": 1e-12}, "norm_eps", "1e-06", "1e-12"),
    ],
)
def test_another_architecture_is_refused_by_its_first_setting(
    tmp_path, changes, name, theirs, own
):
    path = written(tmp_path / "run")
    model = fresh(replace(MODEL, **changes))
    before = values(model)
    with pytest.raises(ValueError) as caught:
        start_from(model, path, CLASSES, NORMALIZATION)
    assert str(caught.value) == (
        f"{path} has model.{name} {theirs}, but the model that is to start from it has"
        f" {own}"
    )
    assert_close(values(model), before, rtol=0, atol=0)


def test_of_a_cnn_only_name_and_channels_count(tmp_path):
    path = written(tmp_path / "run", replace(MODEL, name="cnn"))
    model = fresh(replace(MODEL, name="cnn", dim=8, depth=3, image_size=32))
    start_from(model, path, CLASSES, NORMALIZATION)
    assert model.layers[0].weight.min() >= 0.1
    for changes in ({"name": "resnet-small"}, {"name": "cnn", "channels": 1}):
        other = fresh(replace(MODEL, **changes))
        with pytest.raises(ValueError, match=r"has model\.(name 'cnn'|channels 3), "):
            start_from(other, path, CLASSES, NORMALIZATION)


@pytest.mark.parametrize("field", ["mean", "std"])
def test_another_normalisation_is_refused_with_both_and_what_to_give(tmp_path, field):
    path = written(tmp_path / "run")
    own = replace(NORMALIZATION, **{field: (0.1, 0.2, 0.3)})
    with pytest.raises(ValueError) as caught:
        start_from(fresh(), path, CLASSES, own)
    assert str(caught.value) == (
        f"{path} was trained with mean [0.5, 0.5, 0.5] and std [0.25, 0.25, 0.25], the"
        f" data have {list(own.mean)} and {list(own.std)}: give data.mean and data.std"
        " the run's values"
    )


@pytest.mark.parametrize("broken", [False, True])
def test_a_run_that_is_missing_or_broken_is_load_checkpoints_own_line(tmp_path, broken):
    path = tmp_path / "run"
    if broken:
        written(path)
        file = path / "model.safetensors"
        file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ValueError) as expected:
        load_checkpoint(path)
    with pytest.raises(ValueError, match=re.escape(str(expected.value))):
        start_from(fresh(), path, CLASSES, NORMALIZATION)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("layer_decay", 0.0),
        ("layer_decay", -0.5),
        ("layer_decay", 1.5),
        ("layer_decay", math.nan),
        ("freeze", -1),
        ("freeze", 0.5),
        ("init", 3),
    ],
)
def test_a_setting_that_cannot_be_is_named(field, value):
    with pytest.raises(ValueError, match=rf"^{field} is {re.escape(str(value))}, exp"):
        TrainConfig(**{field: value})


# parameters of a model of one block, in the order that states are saved in, by numbers:
# written down from the groups before there was a layer_decay
EMBEDDER = ["embedder.class_token", "embedder.positions", "embedder.projection.bias"]
MATRICES = [
    f"blocks.0.{name}.weight"
    for name in ("attention.qkv", "attention.out", "mlp.0", "mlp.3")
]
BLOCK = [
    f"blocks.0.{name}"
    for name in (
        "norm1.weight",
        "norm1.bias",
        "attention.qkv.bias",
        "attention.out.bias",
        "norm2.weight",
        "norm2.bias",
        "mlp.0.bias",
        "mlp.3.bias",
    )
]
OTHERS = [*EMBEDDER, *BLOCK, "head.0.weight", "head.0.bias", "head.1.bias"]
ENDS = ["embedder.projection.weight", "head.1.weight"]
OLD_LAYOUT = {
    "adamw": [[[ENDS[0], *MATRICES, ENDS[1]], OTHERS]],
    "muon": [[MATRICES], [ENDS, OTHERS]],
}
OLD_GROUPS = {
    "adamw": [[{"weight_decay": 0.05}, {"weight_decay": 0.0}]],
    "muon": [
        [{"weight_decay": 0.05, "lr_scale": 4.0}],
        [{"weight_decay": 0.05}, {"weight_decay": 0.0}],
    ],
}


@pytest.mark.parametrize("optimizer", OLD_LAYOUT)
def test_a_state_saved_before_there_was_a_layer_decay_is_taken_up(tmp_path, optimizer):
    model = fresh(replace(MODEL, depth=1))
    weights = dict(model.named_parameters())
    tensors = {}
    for number, groups in enumerate(OLD_LAYOUT[optimizer]):
        make = Muon if optimizer == "muon" and number == 0 else AdamW
        old = make([{"params": [weights[name] for name in names]} for names in groups])
        for place, name in enumerate(sum(groups, [])):
            weights[name].grad = torch.full_like(weights[name], place + 1.0)
        old.step()
        for index, state in old.state_dict()["state"].items():
            for name, value in state.items():  # as `save_run` names them
                tensors[f"{number}/{index}/{name}"] = value
        old.zero_grad()
    config = replace(TRAIN, optimizer=optimizer)
    optimizers = make_optimizers(model, config)
    assert len(optimizers) == len(OLD_LAYOUT[optimizer])
    for number, (new, groups) in enumerate(
        zip(optimizers, OLD_LAYOUT[optimizer], strict=True)
    ):
        state = optimizer_state(tensors, number, new, tmp_path)
        groups_now = new.state_dict()["param_groups"]
        new.load_state_dict({"state": state, "param_groups": groups_now})
        memory = "momentum_buffer" if isinstance(new, Muon) else "exp_avg"
        share = 0.05 if isinstance(new, Muon) else 0.1  # of the first gradient
        for place, name in enumerate(sum(groups, [])):
            found = new.state[weights[name]][memory]
            assert_close(found, torch.full_like(found, share * (place + 1)))
        for group, settings in zip(
            new.param_groups, OLD_GROUPS[optimizer][number], strict=True
        ):
            said = {"weight_decay", "lr_scale"} & group.keys()
            assert {name: group[name] for name in said} == settings


def expected_scale(name, depth, decay):
    """The convention of MAE's and BEiT's code: an id a layer, 0 to depth + 1."""
    if name.startswith("embedder."):
        layer = 0
    elif name.startswith("blocks."):
        layer = int(name.split(".")[1]) + 1
    else:
        layer = depth + 1
    return decay ** (depth + 1 - layer)


@pytest.mark.parametrize("frozen", [0, 1])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("config", [MODEL, HYBRID, replace(MODEL, name="layer-scale")])
def test_each_layer_has_its_rate_and_what_is_frozen_is_in_no_group(
    config, optimizer, frozen
):
    config = replace(config, depth=3)
    model = fresh(config)
    freeze(model, frozen)
    settings = replace(
        TRAIN, optimizer=optimizer, layer_decay=0.7, muon_lr_scale=5.0, weight_decay=0.3
    )
    names = {id(weight): name for name, weight in model.named_parameters()}
    plain = make_optimizers(model, replace(settings, layer_decay=1.0))
    expected = {}
    for made in plain:
        for group in made.param_groups:
            for weight in group["params"]:
                name = names[id(weight)]
                factor = 5.0 if isinstance(made, Muon) else 1.0
                scale = factor * expected_scale(name, 3, 0.7)
                expected[name] = (type(made), group["weight_decay"], scale)
    kept = ("embedder.", "blocks.0.") if frozen else ()
    assert set(expected) == {
        name for name in names.values() if not name.startswith(kept)
    }
    found = {}
    for made in make_optimizers(model, settings):
        for group in made.param_groups:
            for weight in group["params"]:
                name = names[id(weight)]
                assert name not in found
                scale = pytest.approx(group["lr_scale"])
                found[name] = (type(made), group["weight_decay"], scale)
    assert found == expected


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_with_rates_by_layer_every_weight_learns(name, optimizer):
    """What a variant has besides embedder, blocks and head learns as the embedder."""
    model = fresh(replace(MODEL, name=name))
    config = replace(TRAIN, optimizer=optimizer, layer_decay=0.5, muon_lr_scale=1.0)
    scales = {
        id(weight): group["lr_scale"]
        for made in make_optimizers(model, config)
        for group in made.param_groups
        for weight in group["params"]
    }
    for title, weight in model.named_parameters():
        if not title.startswith(("blocks.", "head.")):
            title = f"embedder.{title}"
        assert scales.pop(id(weight)) == expected_scale(title, 2, 0.5), title
    assert not scales


def test_the_first_step_of_a_layer_is_as_long_as_its_rate():
    """AdamW's first step is the rate, up or down, for every weight with a gradient."""
    model = fresh(replace(MODEL, dropout=0.0))
    config = replace(TRAIN, layer_decay=0.5, weight_decay=0.0)
    before = values(model)
    optimizers = make_optimizers(model, config)
    images = torch.randn(4, 3, 16, 16)
    labels = torch.tensor([0, 1, 1, 0])
    train_step(model, images, labels, Classification(), optimizers, 0.01)
    steps = {"embedder": 0.125, "blocks.0": 0.25, "blocks.1": 0.5, "head": 1.0}
    for name, value in model.state_dict().items():
        step = next(step for start, step in steps.items() if name.startswith(start))
        longest = (value - before[name]).abs().max().item()
        assert longest == pytest.approx(0.01 * step, rel=0.01), name


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_with_all_blocks_frozen_adamw_takes_the_head_alone(name, optimizer):
    model = fresh(replace(HYBRID, name=name))
    freeze(model, 2)
    config = replace(TRAIN, optimizer=optimizer, layer_decay=0.5)
    (made,) = make_optimizers(model, config)
    assert isinstance(made, AdamW)
    taken = [weight for group in made.param_groups for weight in group["params"]]
    assert set(map(id, taken)) == set(map(id, model.head.parameters()))
    assert {group["lr_scale"] for group in made.param_groups} == {1.0}


def test_a_frozen_part_drops_nothing_out_and_a_copy_is_its_own():
    model = fresh(replace(HYBRID, dropout=0.5, name="stochastic-depth"))
    freeze(model, 1)
    images = torch.randn(4, 3, 16, 16)
    copy = deepcopy(model)
    for each in (model, copy):
        each.train()
        assert each.blocks[1].training and not each.blocks[0].training
        features = [each.blocks[0](each.embed(images)) for _ in range(2)]
        assert torch.equal(*features) and not features[0].requires_grad
        assert not torch.equal(*(each.blocks[1](features[0]) for _ in range(2)))
        assert each.embedder.train() is each.embedder


@pytest.mark.parametrize("frozen", [0, 2])
def test_a_thawed_model_learns_as_before(frozen):
    model = fresh(replace(HYBRID, name="registers"))
    freeze(model, frozen)
    thaw(model)
    assert all(weight.requires_grad for weight in model.parameters())
    for mode in (True, False):
        model.train(mode)
        assert all(part.training is mode for part in model.modules())


def test_nothing_frozen_is_a_model_as_it_was():
    for config in (HYBRID, replace(MODEL, name="cnn")):
        model = fresh(config)
        freeze(model, 0)
        assert all(part.training for part in model.train().modules())
        assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        (MODEL, {"freeze": 3}, "freeze is 3, but the model has 2 blocks"),
        (
            replace(MODEL, name="cnn"),
            {"freeze": 1},
            "freeze is 1, which needs the blocks of a Vision Transformer, but the model"
            " is a CNN: expected 0",
        ),
        (
            replace(MODEL, name="resnet-small"),
            {"layer_decay": 0.5},
            "layer_decay is 0.5, which needs the layers of a Vision Transformer, but"
            " the model is a SmallResNet: expected 1",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_refused_before_anything_is_written(
    data, tmp_path, config, changes, message
):
    with pytest.raises(ValueError, match=re.escape(message)):
        train(config, data, replace(TRAIN, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("frozen", [1, 2])
def test_in_training_nothing_frozen_changes_buffers_included(
    data, tmp_path, optimizer, frozen
):
    path = written(tmp_path / "run", HYBRID, ("a", "b", "c"))
    config = replace(
        TRAIN,
        epochs=1,
        optimizer=optimizer,
        weight_decay=1.0,
        ema_decay=0.9,
        resolution=(16, 24),
        init=path,
        freeze=frozen,
    )
    model, _ = train(HYBRID, data, config, tmp_path / "tuned")
    assert all(weight.requires_grad for weight in model.parameters())
    assert all(part.training for part in model.train().modules())
    kept = load_checkpoint(tmp_path / "tuned")[0].state_dict()
    theirs = load_checkpoint(path)[0].state_dict()
    start = ("embedder.", *(f"blocks.{index}." for index in range(frozen)))
    assert "embedder.stem.1.running_mean" in theirs
    for found in (model.state_dict(), kept):
        for name, value in found.items():
            if name.startswith(start):
                assert torch.equal(value, theirs[name]), name
            elif not name.startswith("head.1."):
                assert not torch.equal(value, theirs[name]), name


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_resumed_run_needs_the_run_it_started_from_no_more(
    data, tmp_path, monkeypatch, optimizer
):
    path = written(tmp_path / "run", HYBRID)
    config = replace(
        TRAIN,
        epochs=3,
        optimizer=optimizer,
        ema_decay=0.9,
        init=path,
        layer_decay=0.7,
        freeze=1,
    )
    straight, run = train(HYBRID, data, config, tmp_path / "straight")
    with monkeypatch.context() as patch:
        stop_at(patch, 7, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            train(HYBRID, data, config, tmp_path / "cut")
    shutil.rmtree(path)
    resumed, same = train(HYBRID, data, config, tmp_path / "cut", resume=True)
    assert timeless(same.history) == timeless(run.history)
    assert_close(resumed.state_dict(), straight.state_dict(), rtol=0, atol=0)
    for field, value in {"init": "other", "layer_decay": 0.8, "freeze": 0}.items():
        changed = replace(config, **{field: value})
        with pytest.raises(ValueError, match=rf"training\.{field} was "):
            train(HYBRID, data, changed, tmp_path / "cut", resume=True)


def test_a_run_that_starts_from_another_begins_with_its_weights(data, tmp_path):
    path = written(tmp_path / "run")
    config = replace(TRAIN, epochs=1, snapshots=(0,), init=path)
    train(MODEL, data, config, tmp_path / "tuned")
    first = load_snapshots(tmp_path / "tuned")[0].state_dict()  # in half precision
    assert_close(first, load_checkpoint(path)[0].state_dict(), atol=1e-3, rtol=1e-3)
