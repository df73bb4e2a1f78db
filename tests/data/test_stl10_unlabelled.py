"""The images of STL-10 without labels: mapped into memory, not read."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from small import write_stl10

from vit_tutorial.augment.augmentation import Augmentation
from vit_tutorial.augment.config import AugmentConfig
from vit_tutorial.data import stl10
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.data.images import Normalization
from vit_tutorial.data.stl10 import read_unlabelled_stl10
from vit_tutorial.training.batches import batches

UNLABELLED = "unlabeled_X.bin"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with 20 labelled images in each file and 30 without labels."""
    write_stl10(tmp_path, monkeypatch)
    pixels = np.random.default_rng(1).integers(256, size=30 * 27_648, dtype=np.uint8)
    (tmp_path / "stl10_binary" / UNLABELLED).write_bytes(pixels.tobytes())
    monkeypatch.setitem(stl10.STL10_FILES, UNLABELLED, (pixels.size, "unknown"))
    return tmp_path


def test_planes_are_read_column_by_column_with_no_label(root):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_unlabelled_stl10(root)
    assert found.images.shape == (30, 3, 96, 96) and found.images.dtype == torch.uint8
    assert found.labels.dtype == torch.int64 and found.labels.tolist() == [-1] * 30
    assert found.classes == stl10.STL10_CLASSES
    content = (root / "stl10_binary" / UNLABELLED).read_bytes()
    for place in [(0, 0, 0, 0), (0, 0, 0, 1), (0, 1, 2, 3), (29, 2, 95, 94)]:
        image, plane, row, column = place
        at = ((image * 3 + plane) * 96 + column) * 96 + row
        assert found.images[place] == content[at]


def test_what_is_written_to_the_images_does_not_reach_the_file(root):
    path = root / "stl10_binary" / UNLABELLED
    before = path.read_bytes()
    images = read_unlabelled_stl10(root).images
    images[3] = 255 - images[3]
    assert path.read_bytes() == before


def test_a_config_trains_with_them_and_keeps_the_labels_elsewhere(root):
    plain = DataConfig("stl10", root=str(root), val_fraction=0.5)
    config = DataConfig("stl10", root=str(root), val_fraction=0.5, unlabelled=True)
    train = load_split(config, "train")
    assert torch.equal(train.images, read_unlabelled_stl10(root).images)
    assert train.labels.unique().tolist() == [-1]
    # as the loop moves them to a CPU: they stay in the file
    assert train.images.to("cpu").data_ptr() == train.images.data_ptr()
    for split in ("val", "test"):
        found, expected = (load_split(each, split) for each in (config, plain))
        assert torch.equal(found.images, expected.images)
        assert torch.equal(found.labels, expected.labels)


def test_batches_of_them_are_those_of_images_in_memory(root):
    mapped = read_unlabelled_stl10(root)
    copied = stl10.ImageSet(
        mapped.images.clone(memory_format=torch.contiguous_format),
        mapped.labels,
        mapped.classes,
    )
    augmentation = Augmentation(
        AugmentConfig(crop=(0.5, 1.0), flip=True, brightness=0.3, three_augment=0.5)
    )
    found, expected = (
        list(
            batches(
                data,
                8,
                64,
                augmentation,
                Normalization(),
                torch.Generator().manual_seed(0),
            )
        )
        for data in (mapped, copied)
    )
    assert len(found) == 3
    for (images, labels), (others, _) in zip(found, expected, strict=True):
        torch.testing.assert_close(images, others)
        assert labels.tolist() == [-1] * 8


@pytest.mark.parametrize("length", [29 * 27_648, 30 * 27_648 - 1, 0])
def test_a_file_of_another_length_is_refused(root, length):
    with (root / "stl10_binary" / UNLABELLED).open("r+b") as file:
        file.truncate(length)
    with pytest.raises(
        ValueError, match=f"{UNLABELLED} has {length} bytes, expected 829440"
    ):
        read_unlabelled_stl10(root)


def test_a_missing_file_is_answered_with_how_to_get_it(root):
    (root / "stl10_binary" / UNLABELLED).unlink()
    with pytest.raises(
        FileNotFoundError, match=f"{UNLABELLED} is missing: .* --unlabelled true'$"
    ):
        load_split(DataConfig("stl10", root=str(root), unlabelled=True), "train")


def resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="the system has no /proc"
)
def test_ten_images_of_the_official_length_bring_no_others_into_memory(tmp_path):
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    with (folder / UNLABELLED).open("wb") as file:
        file.truncate(stl10.STL10_FILES[UNLABELLED][0])  # sparse: takes no room
    before = resident()
    data = load_split(DataConfig("stl10", root=str(tmp_path), unlabelled=True), "train")
    assert len(data) == 100_000
    images = data.images[torch.arange(10) * 9973]
    assert images.shape == (10, 3, 96, 96) and not images.any()
    assert resident() - before < 30_000_000  # of 2.8 GB


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "stacks"}, "unlabelled is True, but name is 'stacks': exp.*'stl10'"),
        ({"name": "folder"}, "unlabelled is True, but name is 'folder'"),
        ({"labelled": 40}, "labelled is 40 and unlabelled True, expected one of them"),
        ({"unlabelled": 1}, "unlabelled is 1, expected True or False"),
    ],
)
def test_where_there_are_none_they_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        DataConfig(**{"name": "stl10", "unlabelled": True} | values)
