"""Runs without labels in the same loop: rows, files, resuming, several processes."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from small import KILL, KILLED, MODEL, TRAIN, refused, stop_at, timeless
from test_distributed import run as run_command
from torch import Generator

from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.data.images import ImageSet, Normalization
from vit_tutorial.selfsup.config import DINOConfig, MaskingConfig
from vit_tutorial.selfsup.dino import DINO
from vit_tutorial.selfsup.probes import features, knn
from vit_tutorial.training.batches import multi_crop_batches
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.learners import make_learner
from vit_tutorial.training.loop import train

PLAIN = replace(
    TRAIN,
    masking=MaskingConfig(ratio=0.5, decoder_dim=16),
    dino=DINOConfig(
        outputs=16, hidden=16, bottleneck=8, local_crops=2, local_size=8, momentum=0.9
    ),
)
METHODS = ("simmim", "mae", "dino")
CROP = {"crop": "[0.5,1.0]"}  # on the command line
CROPPED = AugmentConfig(crop=(0.5, 1.0))


def of(method, **settings):
    return replace(PLAIN, objective=method, **settings)


@pytest.fixture(scope="module", params=METHODS)
def whole(request, data, tmp_path_factory):
    """The method, the history and the weights of a run that nothing interrupts."""
    folder = tmp_path_factory.mktemp(request.param)
    model, run = train(MODEL, data, of(request.param), folder)
    return request.param, run, model.state_dict(), folder


def test_a_row_holds_losses_what_is_watched_and_the_neighbours(whole, data):
    method, run, _, folder = whole
    watched = {"train_deviation", "train_entropy"}
    if method != "dino":
        watched.remove("train_entropy")
    for row in run.history:
        assert set(row) == watched | {
            *("epoch", "train_loss", "val_loss", "learning_rate", "seconds"),
            "val_knn_accuracy",
        }
        assert 0 < row["train_deviation"] < 1.5
    model, _ = load_checkpoint(folder)
    normalization = Normalization(data.mean, data.std)
    sets = [load_split(data, name) for name in ("train", "val")]
    bank, queries = (features(model, each, normalization) for each in sets)
    found = knn(bank, sets[0].labels, queries)
    hits = (found == sets[1].labels).float().mean().item()
    assert run.history[-1]["val_knn_accuracy"] == pytest.approx(hits)


def test_what_is_kept_is_the_backbone_and_the_state_keeps_the_rest(whole):
    method, _, weights, folder = whole
    stored = load_file(folder / "model.safetensors")
    assert stored.keys() == weights.keys()
    assert all(torch.equal(stored[name], weights[name]) for name in stored)
    state = load_file(folder / "state.safetensors")
    # the teacher of DINO, the encoder of the others
    inside = {f"model/backbone.{name}": value for name, value in stored.items()}
    assert all(torch.equal(state[name], value) for name, value in inside.items())
    rest = {name.split(".")[0] for name in state if name.startswith("model/")}
    assert len(rest) > 2 and "model/backbone" in rest


@pytest.mark.parametrize("step", [2, 7, 13])
def test_a_resumed_run_is_the_same_run(whole, data, tmp_path, monkeypatch, step):
    method, run, weights, _ = whole
    with monkeypatch.context() as patch:
        stop_at(patch, step, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            train(MODEL, data, of(method), tmp_path)
    model, same = train(MODEL, data, of(method), tmp_path, resume=True)
    assert timeless(same.history) == timeless(run.history)
    resumed = model.state_dict()
    assert all(torch.equal(resumed[name], weights[name]) for name in weights)


ENDED = """
import os, sys
from vit_tutorial.cli import main as cli
from vit_tutorial.training import loop
step, calls = loop.train_step, []
def killed(*arguments):
    calls.append(1)
    if len(calls) == 10:
        os.kill(os.getpid(), {number})
    return step(*arguments)
loop.train_step = killed
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_killed_pre_training_is_resumed(whole, data, tmp_path):
    method, run, _, folder = whole
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    parts = {name: settings[name] for name in ("model", "data", "training")}
    yaml = tmp_path / "config.yaml"
    yaml.write_text(json.dumps(parts), encoding="utf-8")  # JSON is YAML
    arguments = ["train", "--config", str(yaml), "--out", str(tmp_path / "run")]
    code = ENDED.format(number=int(KILL))
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == KILLED, done.stderr
    _, same = train(MODEL, data, of(method), tmp_path / "run", resume=True)
    assert timeless(same.history) == timeless(run.history)


def test_labels_play_no_part(whole, data, tmp_path, monkeypatch):
    """The same run, its training labels shuffled, has the same losses."""
    method, run, _, _ = whole
    from vit_tutorial.training import loop

    read = loop.load_on

    def shuffled(device, config, split, epoch=0):
        found = read(device, config, split, epoch)
        return replace(found, labels=found.labels.flip(0))

    monkeypatch.setattr(loop, "load_on", shuffled)
    _, other = train(MODEL, data, of(method), tmp_path)
    for one, two in zip(run.history, other.history, strict=True):
        for name in ("train_loss", "val_loss", "train_deviation"):
            assert one[name] == two[name]


def test_neighbours_are_asked_as_often_as_wanted(data, tmp_path):
    _, run = train(MODEL, data, of("mae", knn_every=3), tmp_path)
    asked = [row["epoch"] for row in run.history if "val_knn_accuracy" in row]
    assert asked == [3, 4]
    _, run = train(MODEL, data, of("mae", knn_every=0), tmp_path / "never")
    assert not any("val_knn_accuracy" in row for row in run.history)


def test_training_at_other_resolutions_and_with_an_average(data, tmp_path):
    plan = of("mae", resolution=(8, 16), ema_decay=0.9, epochs=2)
    masking = replace(plan.masking, ratio=0.25)
    model = replace(MODEL, patch_size=4)
    _, run = train(model, data, replace(plan, masking=masking), tmp_path)
    assert len(run.history) == 2


def test_two_processes_distil_what_one_distils(tmp_path):
    settings = (
        *("--training.objective=dino", "--training.batch_size=16"),
        *("--training.dino.local_size=48", "--training.dino.outputs=16"),
        *("--training.dino.hidden=16", "--training.dino.bottleneck=8"),
    )
    _, alone = run_command(tmp_path / "one", *settings)
    done, together = run_command(tmp_path / "two", *settings, processes=2)
    assert done.returncode == 0, done.stderr
    for one, two in zip(alone, together, strict=True):
        for name in ("train_loss", "train_entropy", "val_loss", "learning_rate"):
            assert two[name] == pytest.approx(one[name], rel=1e-4), name


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"label_smoothing": 0.1}, "sees no labels, but label_smoothing is 0.1"),
        ({"mixing": MixingConfig(mixup=0.8)}, "sees no labels, but mixing is"),
        ({"teacher": "stacks"}, "sees no labels, but teacher is stacks"),
        ({"ema_decay": 0.9, "augment": CROPPED}, "ema_decay is 0.9, expected 0"),
        ({"objective": "moco"}, "objective is 'moco', expected one of"),
        ({"knn_every": -1}, "knn_every is -1"),
        ({"layer_decay": 0.5}, "layer_decay is 0.5, expected 1"),
        ({}, r"augment.crop is \(1.0, 1.0\), expected a least share below 1"),
    ],
)
def test_settings_that_need_labels_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        TrainConfig(**{"objective": "dino"} | settings)


@pytest.mark.parametrize(
    ("model", "training", "said"),
    [
        ({"name": "cnn"}, {}, "objective 'mae' needs a Vision Transformer"),
        ({}, {"masking": {"ratio": 0.01}}, "a ratio of 0.01 hides 0 of 4 squares"),
        ({}, {"masking": {"ratio": 1.5}}, "ratio is 1.5, expected 0 < ratio < 1"),
        ({"embedder": "stem"}, {}, "the embedder 'stem' sees beyond a patch"),
        # found before the first epoch at that size
        ({}, {"resolution": "[16,8]"}, "a ratio of 0.75 hides 1 of 1 squares"),
        (
            {},
            {"resolution": "[16,8]", "objective": "dino", "augment": CROP},
            "dino.local_size is 32, expected a multiple of patch_size 8, at most the"
            " image's 8",
        ),
        (
            {},
            {"objective": "dino", "augment": CROP, "dino": {"local_size": 24}},
            "dino.local_size is 24, expected a multiple of patch_size 8, at most",
        ),
        (
            {},
            {"objective": "dino", "augment": CROP, "dino": {"local_size": 12}},
            "dino.local_size is 12, expected a multiple of patch_size 8, at most",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(
    data, tmp_path, capsys, model, training, said
):
    words = ["train", "--out", tmp_path / "run", "--data.name=folder"]
    words += [f"--data.root={data.root}", "--training.objective=mae"]
    for part, settings in (("model", model), ("training", training)):
        for name, value in settings.items():
            if isinstance(value, dict):
                words += [f"--{part}.{name}.{k}={v}" for k, v in value.items()]
            else:
                words.append(f"--{part}.{name}={value}")
    sizes = {"image_size": 16, "patch_size": 8, "classes": 2, "dim": 16, "heads": 2}
    words += [f"--model.{name}={value}" for name, value in sizes.items()]
    assert said in refused(capsys, *words)
    assert not os.path.exists(tmp_path / "run")


def test_what_comes_back_can_be_trained_on(whole):
    _, _, _, folder = whole
    model, _ = load_checkpoint(folder)
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_of_one_is_a_batch(method, data, tmp_path):
    plan = of(method, batch_size=1, epochs=1)
    few = replace(data, labelled=2)
    model, run = train(MODEL, few, plan, tmp_path)
    assert run.history[0]["train_deviation"] == 0
    assert all(weight.requires_grad for weight in model.parameters())


def test_labels_are_read_once_a_run(data, tmp_path, monkeypatch):
    from vit_tutorial.training import loop

    read = loop.labelled_bank
    calls = []
    monkeypatch.setattr(loop, "labelled_bank", lambda c: calls.append(1) or read(c))
    train(MODEL, data, of("mae"), tmp_path)
    assert calls == [1]


def test_a_rate_that_is_too_high_is_named_before_features_are(data, tmp_path):
    with pytest.raises(FloatingPointError, match="loss is|lower peak_lr"):
        train(MODEL, data, of("mae", peak_lr=1e6, grad_clip_norm=0), tmp_path)


def test_a_model_without_labels_is_no_teacher(whole, data, tmp_path):
    _, _, _, folder = whole
    with pytest.raises(ValueError, match="was trained without labels and names no"):
        train(MODEL, data, replace(TRAIN, teacher=str(folder)), tmp_path)


@pytest.mark.parametrize("method", METHODS)
def test_validation_hides_and_crops_alike_after_every_epoch(method, data, tmp_path):
    # what moves without a step of the optimiser is DINO's centre
    still = of(
        method, peak_lr=0.0, knn_every=0, dino=replace(PLAIN.dino, centering=False)
    )
    _, run = train(MODEL, data, still, tmp_path)
    assert len({row["val_loss"] for row in run.history}) == 1


def test_a_learner_is_told_how_much_of_the_run_is_done(data, tmp_path, monkeypatch):
    told = []
    after_step = DINO.after_step

    def listen(self, done, mean):
        told.append(done)
        after_step(self, done, mean)

    monkeypatch.setattr(DINO, "after_step", listen)
    with monkeypatch.context() as patch:
        stop_at(patch, 7, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            train(MODEL, data, of("dino"), tmp_path)
    train(MODEL, data, of("dino"), tmp_path, resume=True)
    # four epochs of four steps, the second begun twice
    steps = [*range(1, 7), *range(5, 17)]
    assert told == pytest.approx([step / 16 for step in steps])


def test_large_crops_hold_much_and_small_ones_little_of_the_same_images():
    ramp = torch.linspace(0, 255, 40).expand(6, 3, 40, 40).to(torch.uint8)
    images = ImageSet(ramp, torch.zeros(6, dtype=torch.int64), ("a",))
    dino = DINOConfig(local_crops=3, local_size=8, local_area=(0.05, 0.1))
    scale = Normalization((0.0,) * 3, (1.0,) * 3)
    ((large, small),) = multi_crop_batches(
        images, 6, 16, AugmentConfig(crop=(0.9, 1.0)), dino, scale, Generator()
    )
    assert large.shape == (6, 2, 3, 16, 16) and small.shape == (6, 3, 3, 8, 8)
    # how much of the ramp from 0 to 1 a crop spans is how wide it is
    wide, narrow = (
        crops.amax((2, 3, 4)) - crops.amin((2, 3, 4)) for crops in (large, small)
    )
    assert wide.min() > 0.75 and 0.1 < narrow.min() and narrow.max() < 0.37
    assert not torch.equal(large[:, 0], large[:, 1])


def test_the_parts_of_a_learner_are_in_the_optimisers_once(data):
    from vit_tutorial.model import VisionTransformer
    from vit_tutorial.training.optimizers import make_optimizers

    for method in METHODS:
        config = of(method, optimizer="muon")
        learner = make_learner(VisionTransformer(MODEL), config)
        taken = [
            id(weight)
            for optimizer in make_optimizers(learner, config)
            for group in optimizer.param_groups
            for weight in group["params"]
        ]
        trained = {id(p) for p in learner.parameters() if p.requires_grad}
        assert len(taken) == len(set(taken)) and set(taken) == trained


@pytest.mark.parametrize(
    "objective",
    [
        {"objective": "dino", "dino": DINOConfig(outputs=10**6, bottleneck=10**4)},
        {"objective": "dino", "dino": DINOConfig(hidden=10**4, local_size=8)},
        {"objective": "mae", "masking": MaskingConfig(decoder_dim=10**4)},
    ],
)
def test_a_learner_too_large_for_the_machine_is_refused(
    data, tmp_path, monkeypatch, objective
):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 10**9 // 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    config = replace(TRAIN, augment=AugmentConfig(crop=(0.5, 1.0)), **objective)
    with pytest.raises(ValueError, match=r"the model needs [\d,]+ GB, this machine"):
        train(MODEL, data, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
