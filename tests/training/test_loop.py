import math
import re
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from small import MODEL, TRAIN

from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.data.images import ImageSet, Normalization
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import MODELS
from vit_tutorial.training import distributed
from vit_tutorial.training import loop as module
from vit_tutorial.training.checkpoint import load_checkpoint, read_tensors
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.loop import fit, train
from vit_tutorial.training.metrics import compute_logits, evaluate
from vit_tutorial.training.objectives import Classification
from vit_tutorial.training.optimizers import make_optimizers, parameter_groups
from vit_tutorial.training.schedule import learning_rate


def test_the_schedule_climbs_in_a_line_and_falls_along_a_cosine():
    rates = [learning_rate(step, 111, 10, 1e-7, 1e-3, 1e-6) for step in range(111)]
    assert rates[0] == 1e-7 and rates[10] == max(rates) == 1e-3
    assert rates[5] == pytest.approx((1e-7 + 1e-3) / 2)
    assert rates[60] == pytest.approx((1e-3 + 1e-6) / 2)  # half way down
    assert rates[110] == pytest.approx(1e-6)
    assert learning_rate(0, 1, 0, 0.0, 1.0, 0.0) == 1.0  # a run of one step
    # one that ends while it warms up
    assert learning_rate(4, 5, 10, 0.0, 1.0, 0.0) == pytest.approx(0.4)


@pytest.mark.parametrize("embedder", ["convolutional", "manual", "stem"])
def test_matrices_decay_and_nothing_else(embedder):
    model = VisionTransformer(replace(MODEL, embedder=embedder))
    decayed, others = parameter_groups(model, 0.3)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert decayed["weight_decay"] == 0.3 and others["weight_decay"] == 0
    layers = ("attention.qkv", "attention.out", "mlp.0", "mlp.3")
    expected = {
        f"blocks.{block}.{layer}.weight" for block in (0, 1) for layer in layers
    }
    expected |= {"embedder.projection.weight", "head.1.weight"}
    expected |= (
        {f"embedder.stem.{layer}.weight" for layer in (0, 3, 6)}
        if embedder == "stem"
        else set()
    )
    assert {names[id(p)] for p in decayed["params"]} == expected
    assert len(decayed["params"]) + len(others["params"]) == len(names)
    assert {"embedder.class_token", "embedder.positions"} <= {
        names[id(p)] for p in others["params"]
    }


def test_muon_takes_the_matrices_of_the_blocks():
    model = VisionTransformer(MODEL)
    config = replace(TRAIN, optimizer="muon", muon_lr_scale=10.0)
    muon, adamw = make_optimizers(model, config)
    assert len(muon.param_groups[0]["params"]) == 8
    taken = [
        p
        for optimizer in (muon, adamw)
        for group in optimizer.param_groups
        for p in group["params"]
    ]
    assert len(taken) == len(set(map(id, taken))) == len(list(model.parameters()))
    images = torch.randn(2, 3, 16, 16)
    labels = torch.tensor([0, 1])
    objective = Classification()
    module.train_step(model, images, labels, objective, [muon, adamw], 1e-3)
    assert (
        muon.param_groups[0]["lr"]
        == config.muon_lr_scale * adamw.param_groups[0]["lr"]
        == 1e-2
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("warmup_epochs", -1),
        ("weight_decay", -1.0),
        ("grad_clip_norm", -1.0),
        ("ema_decay", 1.0),
        ("ema_decay", -0.5),
        ("mixup_off_epochs", -1),
        ("seed", -1),
        ("peak_lr", math.nan),
        ("min_lr", -1e-3),
        ("warmup_start_lr", math.inf),
        ("label_smoothing", 1.0),
        ("optimizer", "sgd"),
        ("snapshots", (1, -1)),
    ],
)
def test_a_bad_setting_is_named_with_its_value(field, value):
    with pytest.raises(ValueError, match=f"{field} is '?{re.escape(str(value))}"):
        TrainConfig(**{field: value})


@pytest.mark.parametrize("name", ["abacus", "meta", "", "cpu:x", "vulkan"])
def test_a_device_that_is_not_here_is_refused(name):
    with pytest.raises(ValueError, match=f"device '{name}' cannot be used here"):
        module.pick_device(name)


def test_each_process_gets_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "run")
    monkeypatch.setenv("LOCAL_RANK", "99")  # more than any machine has
    with pytest.raises(ValueError, match="device 'cuda:99' cannot be used here"):
        module.pick_device("cuda")
    assert module.pick_device("cpu").type == "cpu"


def test_fit_memorises_a_batch(within):
    torch.manual_seed(0)
    images = torch.randn(64, 3, 16, 16)
    labels = torch.arange(64) % 2
    losses = fit(
        VisionTransformer(replace(MODEL, dropout=0.0)),
        lambda epoch: (images, labels),
        epochs=60,
        batch=32,
    )
    assert losses[0] == pytest.approx(math.log(2), abs=0.1) and len(losses) == 60
    within("the last loss", losses[-1], high=0.05)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_training_learns(data, tmp_path, optimizer, within):
    config = replace(
        TRAIN,
        epochs=12,
        optimizer=optimizer,
        peak_lr=1e-2,
        augment=AugmentConfig(flip=True),
    )
    model, record = train(replace(MODEL, dropout=0.0), data, config, tmp_path / "run")
    within("the first loss", record.history[0]["train_loss"], low=0.3)
    within("the last loss", record.history[-1]["train_loss"], high=0.1)
    within("the last accuracy", record.history[-1]["val_accuracy"], low=0.99)


def test_a_row_says_everything_and_the_run_can_be_loaded(data, tmp_path):
    rows = []
    model, record = train(MODEL, data, TRAIN, tmp_path, report=rows.append)
    assert rows == record.history and [row["epoch"] for row in rows] == [1, 2, 3, 4]
    columns = {
        "epoch",
        "train_loss",
        "train_accuracy",
        "val_loss",
        "val_accuracy",
        "learning_rate",
        "seconds",
    }
    assert set(rows[0]) == columns and rows[-1]["learning_rate"] == 0.0
    loaded, same = load_checkpoint(tmp_path)
    assert same.history == rows and same.classes == ("bright", "dark")
    torch.testing.assert_close(loaded.state_dict(), model.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_moving_average_is_what_is_kept(data, tmp_path, optimizer):
    """With a decay near 1 the average lags: it must be told from the weights that
    training goes on with.
    """
    config = replace(TRAIN, epochs=2, optimizer=optimizer, ema_decay=0.9)
    plain, _ = train(MODEL, data, replace(config, ema_decay=0.0), tmp_path / "plain")
    kept, record = train(MODEL, data, config, tmp_path / "ema_decay")
    loaded, _ = load_checkpoint(tmp_path / "ema_decay")
    torch.testing.assert_close(loaded.state_dict(), kept.state_dict(), rtol=0, atol=0)
    live = {
        name.removeprefix("model/"): tensor
        for name, tensor in read_tensors(tmp_path / "ema_decay" / "state.safetensors")[
            0
        ].items()
        if name.startswith("model/")
    }
    # the average changes nothing
    torch.testing.assert_close(live, dict(plain.state_dict()), rtol=0, atol=0)
    assert all(
        (live[name] != tensor).any()
        for name, tensor in kept.state_dict().items()
        if "norm1.weight" in name
    )
    val = load_split(data, "val")
    assert record.history[-1]["val_loss"] == pytest.approx(
        evaluate(kept, val, record.normalization)["loss"]
    )


def test_the_last_epochs_mix_no_images(data, tmp_path, monkeypatch):
    seen = []
    train_step = module.train_step

    def watching(model, images, labels, *arguments):
        seen.append(labels.ndim)
        return train_step(model, images, labels, *arguments)

    monkeypatch.setattr(module, "train_step", watching)
    _, record = train(
        MODEL,
        data,
        replace(TRAIN, mixing=MixingConfig(mixup=0.8), mixup_off_epochs=1),
        tmp_path,
    )
    steps = len(seen) // TRAIN.epochs
    assert seen == [2] * 3 * steps + [1] * steps
    assert all(0 <= row["train_accuracy"] <= 1 for row in record.history)


def test_epochs_train_at_the_resolutions_in_turn(data, tmp_path, monkeypatch):
    seen = []
    train_step = module.train_step

    def watching(model, images, *arguments):
        seen.append(images.shape[-1])
        return train_step(model, images, *arguments)

    monkeypatch.setattr(module, "train_step", watching)
    config = replace(TRAIN, epochs=5, resolution=(8, 16, 24), ema_decay=0.9)
    model, run = train(MODEL, data, config, tmp_path)
    steps = len(seen) // 5
    assert seen == [side for side in (8, 8, 16, 16, 24) for _ in range(steps)]
    # judged and kept as ever
    assert model.config.image_size == 16
    loaded, _ = load_checkpoint(tmp_path)
    val = load_split(data, "val")
    scores = evaluate(loaded, val, run.normalization)
    assert scores["loss"] == pytest.approx(run.history[-1]["val_loss"])


def test_an_epoch_alone_trains_a_plain_model_at_its_resolution(data):
    """As chapter 10 and `long_runs.py` measure how long a run will take."""
    model = VisionTransformer(MODEL)
    before = model.embedder.positions.detach().clone()
    config = replace(TRAIN, resolution=(8,))
    images = load_split(data, "train")
    optimizers = make_optimizers(model, config)
    module.run_epoch(model, optimizers, images, 2, config, Normalization())
    assert (model.embedder.positions != before).any()
    assert model(torch.zeros(1, 3, 16, 16)).shape == (1, 2)


def test_a_resolution_that_no_patches_fill_is_refused(data, tmp_path):
    config = replace(TRAIN, resolution=(16, 20))
    with pytest.raises(ValueError, match="training.resolution 20: image_size 20 is"):
        train(MODEL, data, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "changes", [{"resolution": (8, 16)}, {"objective": "mae"}, {"objective": "dino"}]
)
def test_rotary_positions_are_refused_where_pictures_are_not_whole(
    data, tmp_path, changes
):
    model = replace(MODEL, name="rope")
    with pytest.raises(ValueError, match="model.name is 'rope', whose rotary positio"):
        train(model, data, replace(TRAIN, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_learns_from_a_teacher(data, tmp_path):
    """One that is wrong about everything, and is alone believed."""
    teacher, run = train(MODEL, data, TRAIN, tmp_path / "teacher")
    weights = load_file(tmp_path / "teacher" / "model.safetensors")
    for name in ("head.1.weight", "head.1.bias"):
        weights[name] = -5 * weights[name]
    save_file(weights, tmp_path / "teacher" / "model.safetensors")
    taught = replace(TRAIN, teacher=str(tmp_path / "teacher"), teacher_weight=1.0)
    wrong, _ = train(MODEL, data, taught, tmp_path / "wrong")
    val = load_split(data, "val")
    assert evaluate(teacher, val, run.normalization)["accuracy"] > 0.9
    assert evaluate(wrong, val, run.normalization)["accuracy"] < 0.2


def test_a_teacher_must_fit(data, tmp_path):
    config = replace(TRAIN, epochs=1)
    other = replace(data, mean=(0.4, 0.4, 0.4))
    train(MODEL, other, config, tmp_path / "teacher")
    taught = replace(config, teacher=str(tmp_path / "teacher"))
    with pytest.raises(ValueError, match="the teacher .*teacher has normalization"):
        train(MODEL, data, taught, tmp_path / "run")
    with pytest.raises(ValueError, match="no checkpoint"):
        train(MODEL, data, replace(config, teacher="nobody"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", [name for name in MODELS if name != "resnet18"])
def test_a_run_says_which_model_it_is_and_is_loaded_as_such(data, tmp_path, name):
    config = replace(MODEL, name=name)
    model, run = train(config, data, replace(TRAIN, epochs=1), tmp_path)
    loaded, same = load_checkpoint(tmp_path)
    assert type(loaded) is type(model) and same.config == run.config
    images = run.normalization(torch.rand(5, 3, 16, 16))
    torch.testing.assert_close(loaded(images), model(images), rtol=0, atol=0)


def test_a_model_that_nobody_knows_is_refused(data, tmp_path):
    with pytest.raises(ValueError, match="name is 'vat', expected one of .*'cnn'"):
        train(replace(MODEL, name="vat"), data, TRAIN, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_muon_needs_blocks(data, tmp_path):
    config = replace(TRAIN, optimizer="muon")
    with pytest.raises(ValueError, match="the model has no blocks"):
        train(replace(MODEL, name="cnn"), data, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_objective_is_trained_by_the_same_loop():
    """Brightness is learnt from no label at all."""

    def brightness(model, images, labels):
        error = (model(images)[:, 0] - images.mean(dim=(1, 2, 3))).square().mean()
        return error, -error.detach()

    torch.manual_seed(0)
    model = VisionTransformer(MODEL)
    images = torch.randn(8, 3, 16, 16) + torch.linspace(-2, 2, 8)[:, None, None, None]
    optimizers = make_optimizers(model, TRAIN)
    losses, watched = module.train_epoch(
        model, [(images, None)] * 40, brightness, optimizers, [1e-2] * 40
    )
    assert losses[-1] < losses[0] / 5 and torch.equal(watched, -losses)


def test_evaluate_counts_by_hand():
    model = VisionTransformer(replace(MODEL, image_size=8)).eval()
    images = torch.randint(256, (7, 3, 8, 8), dtype=torch.uint8)
    logits = model((images / 255 - 0.5) / 0.25).detach()
    labels = logits.argmax(dim=1)
    labels[:2] = 1 - labels[:2]
    scores = evaluate(
        model.train(),
        ImageSet(images, labels, ("a", "b")),
        Normalization(),
        batch_size=3,
    )
    loss = -logits.log_softmax(dim=1)[range(7), labels].mean().item()
    assert scores == {
        "accuracy": pytest.approx(5 / 7),
        "loss": pytest.approx(loss, rel=1e-4),
        "n": 7,
    }


@pytest.mark.parametrize(("name", "count"), [("classes", 3), ("channels", 1)])
def test_model_and_data_must_fit(data, tmp_path, name, count):
    with pytest.raises(
        ValueError, match=rf"the data have \d {name}, but model\.{name} is {count}"
    ):
        train(replace(MODEL, **{name: count}), data, TRAIN, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_means_that_do_not_fit_are_refused_before_anything_is_written(data, tmp_path):
    with pytest.raises(
        ValueError, match="images of 3 channels, but 1 means and 1 deviations"
    ):
        train(MODEL, replace(data, mean=(0.5,), std=(0.25,)), TRAIN, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_fewer_images_than_a_batch_are_one_batch(data, tmp_path):
    assert (
        len(
            train(MODEL, data, replace(TRAIN, batch_size=64, epochs=2), tmp_path)[
                1
            ].history
        )
        == 2
    )


def test_drawn_images_are_fresh_every_epoch(tmp_path, monkeypatch):
    seen = []
    load_split = module.load_split
    monkeypatch.setattr(
        module, "load_split", lambda *a: seen.append(a[1:]) or load_split(*a)
    )
    small = DataConfig(train_images=20, val_images=10)
    model = ViTConfig(patch_size=32, dim=16, depth=1, heads=1)
    train(model, small, TrainConfig(epochs=2, device="cpu"), tmp_path)
    assert seen == [("val", 0), ("train", 1), ("train", 2)]


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float64])
def test_a_model_of_any_precision_is_judged(precision):
    torch.manual_seed(0)
    model = VisionTransformer(replace(MODEL, image_size=8)).eval()
    images = ImageSet(
        torch.randint(256, (5, 3, 8, 8), dtype=torch.uint8),
        torch.arange(5) % 2,
        ("a", "b"),
    )
    expected = evaluate(model, images, Normalization())
    logits = compute_logits(model, images, Normalization())
    model.to(precision)
    assert evaluate(model, images, Normalization())["loss"] == pytest.approx(
        expected["loss"], abs=1e-2
    )
    torch.testing.assert_close(
        compute_logits(model, images, Normalization()), logits, atol=2e-2, rtol=0
    )


def test_no_images_are_not_judged():
    nothing = ImageSet(
        torch.zeros(0, 3, 8, 8, dtype=torch.uint8),
        torch.zeros(0, dtype=torch.long),
        ("a", "b"),
    )
    with pytest.raises(ValueError, match="no images to evaluate"):
        evaluate(VisionTransformer(MODEL), nothing, Normalization())


@pytest.mark.parametrize(
    "sizes",
    [{"dim": 10**6}, {"depth": 10**6, "dim": 1024}, {"mlp_ratio": 1e5, "dim": 4096}],
)
def test_a_model_too_large_for_the_machine_is_refused_before_it_is_built(
    data, tmp_path, sizes
):
    with pytest.raises(
        ValueError,
        match=r"to be trained the model needs [\d,]+ GB, this machine has \d+",
    ):
        train(replace(MODEL, **sizes), data, TRAIN, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_processes_cannot_share_is_refused_before_anything_is_written(
    data, tmp_path, monkeypatch
):
    monkeypatch.setattr(distributed, "world_size", lambda: 3)
    with pytest.raises(
        ValueError, match="a batch of 8 images cannot be shared evenly by 3 processes"
    ):
        train(MODEL, data, TRAIN, tmp_path / "run")
    assert not (tmp_path / "run").exists()
