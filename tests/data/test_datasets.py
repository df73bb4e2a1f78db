from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from small import write_stl10

from vit_tutorial.config import ViTConfig
from vit_tutorial.data import stl10
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split, sized_for, stratified_split
from vit_tutorial.data.image_files import read_image
from vit_tutorial.data.images import ImageSet, middle, normalise, resize
from vit_tutorial.data.stl10 import read_stl10

torch.set_num_threads(1)


# The config and the splits


def test_drawn_splits_are_fixed_but_for_training():
    config = DataConfig("pairs", train_images=12, val_images=8)
    train, later, val, test = (
        load_split(config, *split)
        for split in [("train", 0), ("train", 1), ("val", 5), ("test",)]
    )
    assert (len(train), len(val), len(test)) == (12, 8, 8)
    assert not torch.equal(train.images, later.images) and not torch.equal(
        val.images, test.images
    )
    assert torch.equal(val.images, load_split(config, "val").images)
    assert config.drawn and not DataConfig("stl10").drawn


@pytest.mark.parametrize(
    "values, found",
    [
        ({"name": "cifar"}, "name is 'cifar'"),
        ({"image_size": 0}, "image_size is 0"),
        ({"train_images": 0}, "train_images is 0"),
        ({"val_fraction": 1.0}, "val_fraction is 1.0"),
        ({"split_seed": -1}, "split_seed is -1"),
        ({"fold": 5}, "fold is 5, expected one of 0 to 4"),
        ({"fold": 3, "val_fraction": 0.3}, "fold is 3, expected one of 0 to 2"),
        ({"mean": (0.5,)}, "1 values of mean and 3 of std"),
        ({"std": (0.5, 0.0, 0.5)}, "std is (0.5, 0.0, 0.5)"),
    ],
)
def test_bad_configs_are_refused(values, found):
    with pytest.raises(ValueError) as error:
        DataConfig(**values)
    assert found in str(error.value) and "expected" in str(error.value)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split is 'valid', expected"):
        load_split(DataConfig(), "valid")


def test_the_split_takes_the_same_share_of_every_class():
    labels = torch.arange(5000) % 10
    train, val = stratified_split(labels, 0.2, seed=0)
    assert (
        labels[train].bincount().tolist() == [400] * 10
        and labels[val].bincount().tolist() == [100] * 10
    )
    assert torch.cat([train, val]).sort().values.equal(torch.arange(5000))
    assert torch.equal(val, stratified_split(labels, 0.2, 0)[1]) and not torch.equal(
        val, stratified_split(labels, 0.2, 1)[1]
    )
    assert len(labels[val[:50]].unique()) > 5  # shuffled


def test_each_image_is_held_out_in_one_fold():
    labels = torch.arange(50) % 2
    folds = [stratified_split(labels, 0.2, 0, fold) for fold in range(5)]
    assert torch.cat([val for _, val in folds]).sort().values.equal(torch.arange(50))
    assert all(
        torch.cat([train, val]).sort().values.equal(torch.arange(50))
        for train, val in folds
    )
    assert all(labels[val].bincount().tolist() == [5, 5] for _, val in folds)
    # the split of all records
    assert folds[0][1].tolist() == [34, 1, 32, 38, 49, 19, 12, 37, 10, 39]


def test_a_config_says_which_fold(data):
    one, other = (load_split(replace(data, fold=fold), "val").images for fold in (0, 1))
    assert {*map(bytes, one.flatten(1).numpy())}.isdisjoint(
        map(bytes, other.flatten(1).numpy())
    )


def test_a_class_too_small_to_split_is_named():
    with pytest.raises(
        ValueError, match="class 1 has 2 images.*2 for training and 0 for validation"
    ):
        stratified_split(torch.tensor([0] * 10 + [1] * 2), 0.2, 0)


def test_images_and_labels_must_be_as_many():
    with pytest.raises(ValueError, match="3 images but 2 labels"):
        ImageSet(torch.zeros(3, 3, 4, 4, dtype=torch.uint8), torch.zeros(2), ("a", "b"))


# Normalising and resizing


def test_normalising_is_the_formula_for_bytes_and_floats():
    images = (
        torch.tensor([0, 51, 255], dtype=torch.uint8)
        .view(1, 3, 1, 1)
        .expand(2, 3, 2, 2)
    )
    mean = (0.1, 0.2, 0.3)
    std = (0.5, 0.25, 0.2)
    result = normalise(images, mean, std)
    expected = torch.tensor([(0 - 0.1) / 0.5, (0.2 - 0.2) / 0.25, (1 - 0.3) / 0.2])
    assert result.shape == images.shape and result.dtype == torch.float32
    torch.testing.assert_close(result[0, :, 0, 0], expected)
    torch.testing.assert_close(normalise(images / 255, mean, std), result)
    with pytest.raises(ValueError, match="images of 3 channels, but 1 means"):
        normalise(images, (0.5,), (0.5,))


@pytest.mark.parametrize("mean", [(0, 0, 0), [0.0] * 3, np.zeros(3), torch.zeros(3)])
def test_means_may_be_given_in_any_form(mean):
    images = torch.arange(12, dtype=torch.uint8).view(1, 3, 2, 2)
    torch.testing.assert_close(normalise(images, mean, (1, 1, 1)), images / 255)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.full((1, 3, 2, 2), 200), "images are torch.int64, expected uint8"),
        (torch.full((1, 3, 2, 2), 200, dtype=torch.int16), "images are torch.int16"),
        (torch.ones(1, 3, 2, 2, dtype=torch.bool), "images are torch.bool"),
        (torch.full((1, 3, 2, 2), 200.0), "floats from 200 to 200, expected uint8"),
        (torch.full((1, 3, 2, 2), -0.5), "floats from -0.5 to -0.5"),
        (torch.full((1, 3, 2, 2), torch.nan), "floats from nan"),
        (torch.zeros(3), "no channels"),
    ],
)
def test_values_of_another_range_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        normalise(images, (0.5,) * 3, (0.25,) * 3)
    if not images.is_floating_point():
        with pytest.raises(ValueError, match=message):
            resize(images, 8)
    assert normalise(torch.zeros(0, 3, 2, 2), (0.5,) * 3, (0.25,) * 3).shape == (
        0,
        3,
        2,
        2,
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_any_precision_are_taken(dtype):
    images = torch.rand(2, 3, 4, 4).to(dtype)
    found = normalise(images, (0.5,) * 3, (0.25,) * 3)
    torch.testing.assert_close(found, (images.float() - 0.5) / 0.25, rtol=0, atol=0.02)
    assert found.dtype == torch.float32


def test_resizing_squashes_nothing():
    """A square in the middle stays a square."""
    images = torch.zeros(1, 1, 60, 40, dtype=torch.uint8)
    images[..., 25:35, 15:25] = 255
    for size in ((20, 40), (80, 20), 30):
        found = resize(images, size)[0, 0] > 127
        assert abs(found.any(0).sum() - found.any(1).sum()) <= 1 and found.any()
    assert middle(images, (20, 40)).shape[-2:] == (20, 40)


def test_resizing_a_tensor_is_reading_a_file(tmp_path):
    pixels = torch.nn.functional.interpolate(
        torch.rand(1, 3, 6, 5), (60, 50), mode="bicubic"
    ).clamp(0, 1)
    images = (255 * pixels).to(torch.uint8)
    Image.fromarray(images[0].movedim(0, -1).numpy()).save(tmp_path / "0.png")
    for size in ((30, 20), (24, 24), (12, 20)):
        read = read_image(tmp_path / "0.png", size)
        assert (read.int() - resize(images, size)[0].int()).abs().float().mean() < 2


@pytest.mark.parametrize(
    ("config", "model", "size"),
    [
        (DataConfig("folder"), 256, 256),
        (DataConfig("folder"), (64, 128), (64, 128)),
        (DataConfig("folder", image_size=128), 96, 128),
        (DataConfig("folder", image_size=[32, 64]), (64, 128), (32, 64)),
        (DataConfig("folder", image_size=64), (64, 128), None),
        (DataConfig("folder", image_size=(64, 128)), 64, None),
        (DataConfig("stl10"), 112, 96),
        (DataConfig("stl10", image_size=32), 112, 96),
        (DataConfig("stacks"), (64, 128), None),
        (DataConfig("pairs"), 96, 48),
    ],
)
def test_images_have_the_models_size_or_one_of_its_shape(config, model, size):
    model = ViTConfig(
        image_size=model, patch_size=8 if isinstance(model, tuple) or model % 16 else 16
    )
    if size is None:
        with pytest.raises(
            ValueError, match="expected the same shape, so that nothing is squashed"
        ):
            sized_for(config, model)
    else:
        assert sized_for(config, model) == replace(config, image_size=size)


def test_resizing_keeps_the_dtype_and_averages():
    images = torch.tensor([[0, 200], [100, 100]], dtype=torch.uint8).repeat(
        1, 1, 24, 24
    )
    assert resize(images, 48) is images
    small = resize(images, (24, 24))
    assert small.shape == (1, 1, 24, 24) and small.dtype == torch.uint8
    # without antialiasing single pixels would be picked
    assert (small[..., 2:-2, 2:-2].float() - 100).abs().max() <= 2
    assert resize(images / 255, 12).dtype == torch.float32


# STL-10


def test_stl10_is_read_plane_by_plane_and_column_by_column(tmp_path, monkeypatch):
    pictures = write_stl10(tmp_path, monkeypatch)
    found = read_stl10(tmp_path, "train")
    assert torch.equal(found.images, pictures)
    assert (
        found.labels.tolist() == list(range(10)) * 2
        and found.labels.dtype == torch.int64
    )
    assert found.classes == stl10.STL10_CLASSES
    (tmp_path / "stl10_binary" / "class_names.txt").write_text(
        "\n".join("abcdefghij"), encoding="utf-8"
    )
    assert read_stl10(tmp_path, "test").classes == stl10.STL10_CLASSES


def test_a_root_one_level_off_is_told_and_invites_no_second_download(
    tmp_path, monkeypatch
):
    root = tmp_path / "data"
    root.mkdir()
    write_stl10(root, monkeypatch)
    for wrong in (tmp_path, root / "stl10_binary", root / "other"):
        with pytest.raises(FileNotFoundError, match=f"expected .*{root}$") as error:
            read_stl10(wrong, "train")
        assert "download" not in str(error.value)


def test_stl10_is_split_and_its_test_files_are_the_test_split(tmp_path, monkeypatch):
    pictures = write_stl10(tmp_path, monkeypatch)
    config = DataConfig("stl10", root=str(tmp_path), val_fraction=0.5)
    train, val, test = (load_split(config, split) for split in ("train", "val", "test"))
    assert (
        train.labels.sort().values.tolist()
        == val.labels.sort().values.tolist()
        == list(range(10))
    )
    assert torch.equal(test.images, pictures)
    both = torch.cat([train.images, val.images]).flatten(1)
    assert sorted(map(bytes, both.numpy())) == sorted(
        map(bytes, pictures.flatten(1).numpy())
    )


def test_damaged_stl10_files_are_named(tmp_path, monkeypatch):
    with pytest.raises(
        FileNotFoundError, match="stl10_binary is no folder.*download stl10"
    ):
        read_stl10(tmp_path, "train")
    write_stl10(tmp_path, monkeypatch)
    path = tmp_path / "stl10_binary" / "train_X.bin"
    content = path.read_bytes()
    path.write_bytes(bytes(1) + content[1:])
    with pytest.raises(ValueError, match="train_X.bin has MD5 .*, expected"):
        read_stl10(tmp_path, "train")
    path.write_bytes(content[:1000])
    with pytest.raises(ValueError, match="train_X.bin has 1000 bytes, expected 552960"):
        read_stl10(tmp_path, "train")
    path.unlink()
    with pytest.raises(FileNotFoundError, match="train_X.bin is missing"):
        read_stl10(tmp_path, "train")


def test_stl10_images_and_labels_must_be_as_many(tmp_path, monkeypatch):
    write_stl10(tmp_path, monkeypatch, images=20, labels=19)
    with pytest.raises(
        ValueError, match="train_X.bin holds 20 images, but .*train_y.bin 19 labels"
    ):
        read_stl10(tmp_path, "train")


@pytest.mark.parametrize(
    ("shape", "labels", "found"),
    [((2, 8, 8), (2,), r"\(2, 8, 8\)"), ((2, 3, 8, 8), (2, 1), r"\(2, 1\)")],
)
def test_a_set_of_other_axes_is_refused(shape, labels, found):
    with pytest.raises(ValueError, match=rf"{found}.*expected \(N, C, Y, X\) and"):
        ImageSet(torch.zeros(shape), torch.zeros(labels).long(), ("a", "b"))


@pytest.mark.parametrize(
    ("shape", "size", "found"),
    [
        ((3, 8, 8), 4, r"\(3, 8, 8\)"),
        ((1, 3, 0, 8), 4, r"\(1, 3, 0, 8\)"),
        ((1, 3, 8, 8), 0, r"size is \(0, 0\)"),
        ((1, 3, 8, 8), (4, -1), r"size is \(4, -1\)"),
    ],
)
def test_what_has_no_pixels_is_not_resized(shape, size, found):
    with pytest.raises(ValueError, match=found):
        resize(torch.zeros(shape), size)


def test_no_images_are_not_split():
    with pytest.raises(ValueError, match="there are 0 images to split"):
        stratified_split(torch.zeros(0, dtype=torch.int64), 0.2, 0)


@pytest.mark.parametrize("name", ["stacks", "pairs"])
@pytest.mark.parametrize("which", ["train_images", "val_images"])
def test_more_images_than_memory_holds_are_refused_in_any_split(name, which):
    for split in ("train", "val"):
        with pytest.raises(ValueError, match="1,000,000,000 images to draw need .* GB"):
            load_split(DataConfig(name=name, **{which: 10**9}), split)
