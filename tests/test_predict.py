"""What a model says of pictures equals what it computes of each alone."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from engine import run_of, unlike_fresh
from PIL import Image

from vit_tutorial import predict as module
from vit_tutorial.config import ViTConfig
from vit_tutorial.predict import (
    embed_each,
    embed_images,
    features,
    predict,
    predict_each,
)
from vit_tutorial.training.config import TrainConfig

CONFIG = ViTConfig(32, 16, classes=4, dim=8, depth=3, heads=2)
MEAN = ViTConfig(32, 16, classes=4, dim=8, depth=2, heads=2, pool="mean")


def random_images(count, side=32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(
        256, (count, 3, side, side), generator=generator, dtype=torch.uint8
    )


@pytest.fixture
def files(tmp_path):
    """Five files and what is in them, of the size at which stacks are read."""
    images = random_images(5, 96)
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    return paths, images


def seen(images):
    """Images as a model of 32 pixels is given them by a run of `run_of`."""
    small = F.interpolate(images.float(), size=32, mode="bilinear", antialias=True)
    return ((small.round() / 255 - 0.5) / 0.25).float()


def by_hand(model, images):
    """The tokens after each layer, one block after the other."""
    x = model.embed(images)
    states = [x]
    tokens = x.shape[1]
    if hasattr(model, "registers"):
        x = torch.cat([x, model.registers.repeat(len(x), 1, 1)], dim=1)
    for block in model.blocks:
        x = block(x)
        states.append(x[:, :tokens])
    return states


@pytest.mark.parametrize("name", ["vit", "registers", "rms-norm", "no-norm"])
@torch.no_grad()
def test_features_are_the_tokens_of_each_layer(name):
    model = unlike_fresh(
        ViTConfig(32, 16, classes=4, dim=8, depth=3, heads=2, dropout=0.5, name=name)
    )
    images = seen(random_images(2))
    states = by_hand(model, images)
    logits = model(images)
    model.train()
    for layer, state in enumerate(states):
        torch.testing.assert_close(features(model, images, layer, norm=False), state)
        normed = features(model, images, layer)
        torch.testing.assert_close(normed, model.head[0](state))
        torch.testing.assert_close(features(model, images, layer - 4), normed)
    torch.testing.assert_close(model.head[1](features(model, images)[:, 0]), logits)
    assert model.training and not model.blocks[0]._forward_hooks


@pytest.mark.parametrize("layer", [4, -5])
def test_a_layer_that_is_not_there_is_refused(layer):
    says = f"^layer is {layer}, expected 0 .embedded. to 3, or from the end -1 to -4$"
    with pytest.raises(ValueError, match=says):
        features(unlike_fresh(CONFIG), seen(random_images(1)), layer)


def test_a_model_without_tokens_has_no_features():
    model = unlike_fresh(ViTConfig(32, 16, name="cnn"))
    with pytest.raises(ValueError, match="^the model is a CNN, which has no tokens"):
        features(model, seen(random_images(1)))
    with pytest.raises(ValueError, match="^the model is a CNN, which has no tokens"):
        embed_images(model, run_of(model.config), random_images(1))


@pytest.mark.parametrize("as_files", [True, False])
@torch.no_grad()
def test_predictions_are_the_classes_by_their_probabilities(
    files, as_files, monkeypatch
):
    monkeypatch.setattr(module, "BATCH", 2)  # five pictures are three batches
    model = unlike_fresh(CONFIG)
    run = run_of(CONFIG)
    paths, images = files
    found = predict(model.train(), run, paths if as_files else images, topk=3)
    assert model.training
    assert len(found) == len(images)
    model.eval()
    for image, said in zip(images, found, strict=True):
        shares = model(seen(image[None]))[0].double().exp()
        shares /= shares.sum()
        wanted = sorted(zip(shares.tolist(), run.classes, strict=True), reverse=True)
        assert [name for name, _ in said] == [name for _, name in wanted[:3]]
        for (_, one), (other, _) in zip(said, wanted, strict=False):
            assert one == pytest.approx(other, abs=1e-5)
    everything = predict(model, run, images, topk=99)
    assert {len(said) for said in everything} == {4}
    assert sum(share for _, share in everything[0]) == pytest.approx(1)


@pytest.mark.parametrize("config", [CONFIG, MEAN], ids=lambda config: config.pool)
@torch.no_grad()
def test_vectors_are_what_the_head_reads_scaled_to_length_one(
    config, files, monkeypatch
):
    monkeypatch.setattr(module, "BATCH", 2)
    model = unlike_fresh(config)
    paths, images = files
    found = embed_images(model, run_of(config), paths)
    assert found.shape == (5, config.dim)
    torch.testing.assert_close(
        found, embed_images(model, run_of(config), images), rtol=0, atol=1e-6
    )
    for image, vector in zip(images, found, strict=True):
        tokens = by_hand(model, seen(image[None]))[-1][0]
        pooled = tokens[0] if config.pool == "cls" else tokens.mean(dim=0)
        read = model.head[0](pooled)
        torch.testing.assert_close(vector, read / (read @ read) ** 0.5)


@pytest.mark.parametrize("each", [predict_each, embed_each])
def test_files_are_read_a_batch_at_a_time(each, files, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 2)
    paths, _ = files
    asked = []

    def endless():
        while True:
            asked.append(paths[len(asked) % 5])
            yield asked[-1]

    answers = each(unlike_fresh(CONFIG), run_of(CONFIG), endless())
    assert len([next(answers) for _ in range(5)]) == 5
    assert len(asked) == 6


def test_no_pictures_are_no_answers_and_no_vectors():
    model = unlike_fresh(CONFIG)
    run = run_of(CONFIG)
    assert predict(model, run, []) == predict(model, run, random_images(0)) == []
    with pytest.raises(ValueError, match="^there are no pictures to embed, expected"):
        embed_images(model, run, [])


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (torch.zeros(3, 32, 32, dtype=torch.uint8), r"^images are \(3, 32, 32\) of"),
        (torch.zeros(1, 3, 32, 32), r"^images are \(1, 3, 32, 32\) of torch.float32"),
        (torch.zeros(1, 1, 32, 32, dtype=torch.uint8), "^images of 1 channels, but 3"),
        ("photo.jpg", "^pictures is 'photo.jpg', expected a list of files$"),
        (Path("photo.jpg"), "^pictures is 'photo.jpg', expected a list of files$"),
    ],
)
def test_what_is_no_list_of_pictures_is_refused(pictures, message):
    for what in (predict, embed_images):
        with pytest.raises(ValueError, match=message):
            what(unlike_fresh(CONFIG), run_of(CONFIG), pictures)


def test_a_file_that_is_no_picture_is_named(files, tmp_path):
    paths, _ = files
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    for name, error in (("notes.txt", ValueError), ("none.png", FileNotFoundError)):
        with pytest.raises(error, match=name):
            predict(unlike_fresh(CONFIG), run_of(CONFIG), [*paths, tmp_path / name])


@pytest.mark.parametrize("topk", [0, -1, 2.5, "2"])
def test_what_is_no_number_of_classes_is_refused(topk):
    says = f"^topk is {topk!r}, expected a whole number of at least 1$"
    with pytest.raises(ValueError, match=says):
        predict(unlike_fresh(CONFIG), run_of(CONFIG), [], topk=topk)


def test_a_run_that_names_no_classes_or_others_is_refused():
    model = unlike_fresh(CONFIG)
    run = run_of(CONFIG)
    config = replace(run.config, training=TrainConfig(objective="mae"))
    with pytest.raises(ValueError, match="^the run was trained by 'mae', without lab"):
        predict(model, replace(run, config=config), random_images(1))
    for classes in (3, 5):
        other = run_of(replace(CONFIG, classes=classes))
        says = f"^the model has 4 classes, its run names {classes}$"
        with pytest.raises(ValueError, match=says):
            predict(model, other, random_images(1))


@pytest.mark.parametrize("what", [predict, embed_images])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3e38])
def test_weights_of_no_use_give_no_answer(what, value):
    model = unlike_fresh(CONFIG)
    for block in model.blocks:
        torch.nn.init.constant_(block.mlp[0].weight, value)
        torch.nn.init.constant_(block.mlp[3].weight, value)
    with pytest.raises(ValueError, match="is not finite: its weights are of no use$"):
        what(model, run_of(CONFIG), random_images(1))
