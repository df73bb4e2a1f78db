import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from vit_tutorial import data
from vit_tutorial.data import (
    DataConfig,
    ImageSet,
    load_split,
    normalise,
    read_folder,
    read_stl10,
    resize,
    stratified_split,
)

torch.set_num_threads(1)


# The config and the splits


def test_drawn_splits_are_fixed_but_for_training():
    config = DataConfig("pairs", train_images=12, val_images=8)
    train, later, val, test = (
        load_split(config, *split) for split in [("train", 0), ("train", 1), ("val", 5), ("test",)]
    )
    assert (len(train), len(val), len(test)) == (12, 8, 8)
    assert not torch.equal(train.images, later.images) and not torch.equal(val.images, test.images)
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
    assert labels[train].bincount().tolist() == [400] * 10 and labels[val].bincount().tolist() == [100] * 10
    assert torch.cat([train, val]).sort().values.equal(torch.arange(5000))
    assert torch.equal(val, stratified_split(labels, 0.2, 0)[1]) and not torch.equal(
        val, stratified_split(labels, 0.2, 1)[1]
    )
    assert len(labels[val[:50]].unique()) > 5  # shuffled


def test_each_image_is_held_out_in_one_fold():
    labels = torch.arange(50) % 2
    folds = [stratified_split(labels, 0.2, 0, fold) for fold in range(5)]
    assert torch.cat([val for _, val in folds]).sort().values.equal(torch.arange(50))
    assert all(torch.cat([train, val]).sort().values.equal(torch.arange(50)) for train, val in folds)
    assert all(labels[val].bincount().tolist() == [5, 5] for _, val in folds)
    assert folds[0][1].tolist() == [34, 1, 32, 38, 49, 19, 12, 37, 10, 39]  # the split of all records


def test_a_config_says_which_fold(data):
    one, other = (load_split(replace(data, fold=fold), "val").images for fold in (0, 1))
    assert len(one) == len(other) and not torch.equal(one, other)


def test_a_class_too_small_to_split_is_named():
    with pytest.raises(ValueError, match="class 1 has 2 images.*2 for training and 0 for validation"):
        stratified_split(torch.tensor([0] * 10 + [1] * 2), 0.2, 0)


def test_images_and_labels_must_be_as_many():
    with pytest.raises(ValueError, match="3 images but 2 labels"):
        ImageSet(torch.zeros(3, 3, 4, 4, dtype=torch.uint8), torch.zeros(2), ("a", "b"))


# Normalising and resizing


def test_normalising_is_the_formula_for_bytes_and_floats():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 2, 2)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 0.2)
    result = normalise(images, mean, std)
    expected = torch.tensor([(0 - 0.1) / 0.5, (0.2 - 0.2) / 0.25, (1 - 0.3) / 0.2])
    assert result.shape == images.shape and result.dtype == torch.float32
    torch.testing.assert_close(result[0, :, 0, 0], expected)
    torch.testing.assert_close(normalise(images / 255, mean, std), result)
    with pytest.raises(ValueError, match="images of 3 channels, but 1 means"):
        normalise(images, (0.5,), (0.5,))


def test_resizing_keeps_the_dtype_and_averages():
    images = torch.tensor([[0, 200], [100, 100]], dtype=torch.uint8).repeat(1, 1, 24, 24)
    assert resize(images, 48) is images
    small = resize(images, (12, 24))
    assert small.shape == (1, 1, 12, 24) and small.dtype == torch.uint8
    assert (small[..., 2:-2, 2:-2].float() - 100).abs().max() <= 2  # without antialiasing single pixels would be picked
    assert resize(images / 255, 12).dtype == torch.float32


# STL-10


def write_stl10(root, monkeypatch, images=20, labels=20):
    """Files of the official layout; returns the images as (N, 3, rows, columns)."""
    folder = root / "stl10_binary"
    folder.mkdir()
    generator = np.random.default_rng(0)
    pictures = generator.integers(256, size=(images, 3, 96, 96), dtype=np.uint8)
    numbers = np.arange(labels, dtype=np.uint8) % 10 + 1
    table = {}
    for split in ("train", "test"):
        contents = {"X": pictures.transpose(0, 1, 3, 2).tobytes(), "y": numbers.tobytes()}
        for part, content in contents.items():
            (folder / f"{split}_{part}.bin").write_bytes(content)
            table[f"{split}_{part}.bin"] = (len(content), hashlib.md5(content).hexdigest())
    monkeypatch.setattr(data, "STL10_FILES", table)
    return torch.from_numpy(pictures)


def test_stl10_is_read_plane_by_plane_and_column_by_column(tmp_path, monkeypatch):
    pictures = write_stl10(tmp_path, monkeypatch)
    found = read_stl10(tmp_path, "train")
    assert torch.equal(found.images, pictures)
    assert found.labels.tolist() == list(range(10)) * 2 and found.labels.dtype == torch.int64
    assert found.classes == data.STL10_CLASSES
    (tmp_path / "stl10_binary" / "class_names.txt").write_text("\n".join("abcdefghij"), encoding="utf-8")
    assert read_stl10(tmp_path, "test").classes == tuple("abcdefghij")


def test_stl10_is_split_and_its_test_files_are_the_test_split(tmp_path, monkeypatch):
    pictures = write_stl10(tmp_path, monkeypatch)
    config = DataConfig("stl10", root=str(tmp_path), val_fraction=0.5)
    train, val, test = (load_split(config, split) for split in ("train", "val", "test"))
    assert train.labels.sort().values.tolist() == val.labels.sort().values.tolist() == list(range(10))
    assert torch.equal(test.images, pictures)
    both = torch.cat([train.images, val.images]).flatten(1)
    assert sorted(map(bytes, both.numpy())) == sorted(map(bytes, pictures.flatten(1).numpy()))


def test_damaged_stl10_files_are_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="stl10_binary is no folder.*download stl10"):
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
    with pytest.raises(ValueError, match="train_X.bin holds 20 images, but .*train_y.bin 19 labels"):
        read_stl10(tmp_path, "train")


# A folder of images


def write_image(path, colour=(200, 0, 0), size=(60, 40), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB" if len(colour) == 3 else "RGBA", size, colour).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        write_image(tmp_path / "red" / f"{number}.png", (200, 10 * number, 0))
        write_image(tmp_path / "blue" / f"{number}.jpg", (0, 0, 200), quality=95)
    return tmp_path


def test_a_folder_is_read_in_order_resized_and_cropped(folder):
    write_image(folder / "red" / ".hidden.png")
    write_image(folder / ".cache" / "0.png")
    (folder / "README.txt").write_text("beside the classes", encoding="utf-8")
    found = read_folder(folder, 32)
    assert found.images.shape == (8, 3, 32, 32) and found.images.dtype == torch.uint8
    assert found.classes == ("blue", "red") and found.labels.tolist() == [0] * 4 + [1] * 4
    assert found.images[4:, 1, 0, 0].tolist() == [0, 10, 20, 30]


def test_the_middle_is_kept_and_exif_and_transparency_are_understood(tmp_path):
    wide = Image.new("RGB", (80, 40))
    wide.paste((0, 200, 0), (20, 0, 60, 40))  # the middle square is green
    write_image(tmp_path / "a" / "0.png", (0, 0, 200, 255))
    (tmp_path / "b").mkdir()
    wide.save(tmp_path / "b" / "0.png")
    lying = Image.new("RGB", (40, 40))
    lying.paste((255, 255, 255), (0, 0, 20, 40))  # bright on the left; turned by EXIF, on top
    exif = Image.Exif()
    exif[0x0112] = 6
    lying.save(tmp_path / "b" / "1.png", exif=exif)
    blue, green, upright = read_folder(tmp_path, 20).images
    assert blue[:, 5, 5].tolist() == [0, 0, 200]
    assert (green[1, :, 1:-1] > 190).all()
    assert (upright[:, :8] > 200).all() and (upright[:, 12:] < 50).all()


def test_a_folder_is_split_by_class(folder):
    config = DataConfig("folder", root=str(folder), image_size=16, val_fraction=0.25)
    train, val = load_split(config, "train"), load_split(config, "val")
    assert train.labels.bincount().tolist() == [3, 3] and val.labels.bincount().tolist() == [1, 1]
    greens = torch.cat([train.images[train.labels == 1], val.images[val.labels == 1]])[:, 1, 0, 0]
    assert sorted(greens.tolist()) == [0, 10, 20, 30]
    with pytest.raises(ValueError, match="has no test split, expected the folders .*train and .*test"):
        load_split(config, "test")


def test_a_folder_with_train_and_test_has_a_test_split(folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("parted")
    for part, count in {"train": 4, "test": 2}.items():
        for name in ("cat", "dog"):
            for number in range(count):
                write_image(root / part / name / f"{number}.png")
    config = DataConfig("folder", root=str(root), image_size=16, val_fraction=0.25)
    assert [len(load_split(config, split)) for split in ("train", "val", "test")] == [6, 2, 4]
    write_image(root / "test" / "emu" / "0.png")
    with pytest.raises(ValueError, match="has classes .*emu.*expected those of training"):
        load_split(config, "test")


def test_bad_folders_are_refused_in_one_line(folder):
    def refused(error, message):
        with pytest.raises(error, match=message) as caught:
            read_folder(root, 16)
        assert "\n" not in str(caught.value)

    root = folder / "nowhere"
    refused(FileNotFoundError, "nowhere is no folder, expected")
    root.mkdir()
    refused(ValueError, "nowhere holds 0 subfolders, expected .* at least 2 classes")
    write_image(root / "cat" / "0.png")
    refused(ValueError, "nowhere holds 1 subfolders, expected .* at least 2 classes")
    (root / "dog").mkdir()
    refused(ValueError, "dog holds no files, expected the images of class 'dog'")
    (root / "dog" / "notes.txt").write_text("not an image", encoding="utf-8")
    refused(ValueError, "notes.txt cannot be read as an image")
    (root / "dog" / "notes.txt").unlink()
    whole = (root / "cat" / "0.png").read_bytes()
    (root / "dog" / "cut.png").write_bytes(whole[: len(whole) // 2])
    refused(ValueError, "cut.png cannot be read as an image")
