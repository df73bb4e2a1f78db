"""Learning curves: few labelled images, the same ones every epoch."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from small import write_stl10

from vit_tutorial.data import datasets, image_files
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import labelled_rows, load_split
from vit_tutorial.data.folder import fingerprint, survey
from vit_tutorial.data.images import ImageSet
from vit_tutorial.data.synthetic import stacks


def shown(data: ImageSet) -> Counter:
    """How often each image is in a set, with its label."""
    labels = data.labels.tolist()
    pixels = (image.numpy().tobytes() for image in data.images)
    return Counter(zip(pixels, labels, strict=True))


def same(one: ImageSet, other: ImageSet) -> bool:
    return torch.equal(one.images, other.images) and torch.equal(
        one.labels, other.labels
    )


@pytest.fixture
def stl10_config(tmp_path, monkeypatch) -> DataConfig:
    """80 images to train with, eight of each class."""
    write_stl10(tmp_path, monkeypatch, images=100, labels=100)
    return DataConfig("stl10", root=str(tmp_path))


@pytest.fixture(params=["stl10", "folder"])
def config(request) -> DataConfig:
    if request.param == "folder":
        return request.getfixturevalue("data")
    return request.getfixturevalue("stl10_config")


def test_few_are_of_the_training_split_and_repeated_evenly(config):
    train, val = (load_split(config, split) for split in ("train", "val"))
    everything = shown(train)
    for labelled in (10, 13, 30):
        few = load_split(replace(config, labelled=labelled), "train")
        counts = shown(few)
        assert len(few) == len(train) and few.classes == train.classes
        assert len(counts) == labelled and counts.keys() <= everything.keys()
        assert counts.keys().isdisjoint(shown(val))
        assert max(counts.values()) - min(counts.values()) <= 1
        classes = Counter(label for _, label in counts)
        assert len(classes) == len(train.classes)
        assert max(classes.values()) - min(classes.values()) <= 1
    assert shown(load_split(replace(config, labelled=len(train)), "train")) == shown(
        train
    )


def test_more_contain_fewer(config):
    sets = [
        shown(load_split(replace(config, labelled=count), "train")).keys()
        for count in (10, 11, 20, 33)
    ]
    assert sets[0] < sets[1] < sets[2] < sets[3]


def test_the_split_seed_chooses_them_and_no_epoch_changes_them(config):
    few = replace(config, labelled=10)
    first = load_split(few, "train", 1)
    assert same(first, load_split(few, "train", 2))
    other = load_split(replace(few, split_seed=1), "train")
    assert shown(first).keys() != shown(other).keys()


def test_validation_and_test_stay_as_they_are(config):
    for split in ("val", "test") if config.name == "stl10" else ("val",):
        found = load_split(replace(config, labelled=10), split)
        assert same(found, load_split(config, split))


def test_each_image_of_a_class_is_as_likely_to_be_chosen():
    """Over split seeds: of 16 images of two classes, eight in training, two of each."""
    seeds = 400
    labels = torch.arange(16) % 2
    chosen: Counter = Counter()
    for seed in range(seeds):
        train, _ = datasets.stratified_split(labels, 0.5, seed)
        chosen.update(train[labelled_rows(labels[train], 4, 2)].tolist())
    # a quarter each: 100 of 400, give or take 4.4 deviations
    assert len(chosen) == 16 and all(62 <= n <= 138 for n in chosen.values())


def test_a_class_with_too_few_gives_all_and_the_others_the_rest():
    labels = torch.tensor([0] * 20 + [1] * 2 + [2] * 20)
    rows = labelled_rows(labels, 12, 3)
    assert labels[rows].bincount().tolist() == [5, 2, 5]
    assert len(rows.unique()) == 12


def test_of_a_folder_only_the_few_are_opened(data, monkeypatch):
    opened = []
    read = image_files.read_image
    monkeypatch.setattr(
        "vit_tutorial.data.folder.read_image",
        lambda path, size: opened.append(path) or read(path, size),
    )
    few = load_split(replace(data, labelled=6), "train")
    pictures = survey(data.root, data.val_fraction, data.split_seed).splits["train"]
    places = {each.path: each for each in pictures}
    assert len(opened) == len(set(opened)) == 6 and places.keys() >= set(opened)
    classes = Counter(path.parent.name for path in opened)
    assert classes == {"dark": 3, "bright": 3}
    # a run notes which these are
    assert few.origin == fingerprint(places[path] for path in opened)
    assert few.origin.startswith("6 pictures, ")


@pytest.mark.parametrize("name", ["stacks", "pairs"])
def test_the_drawn_sets_draw_once(name):
    config = DataConfig(name, train_images=50, val_images=10, labelled=20, split_seed=3)
    first = load_split(config, "train", 1)
    assert len(first) == 50 and len(shown(first)) == 20
    later = load_split(config, "train", 7)
    assert same(first, later) and torch.equal(first.masks, later.masks)
    classes = Counter(label for _, label in shown(first))
    assert len(set(classes.values())) == 1 and len(classes) == len(first.classes)
    plain = replace(config, labelled=0)
    assert same(load_split(config, "val"), load_split(plain, "val"))
    for epoch in (1, 7):  # what no epoch draws
        assert shown(first).keys().isdisjoint(shown(load_split(plain, "train", epoch)))
    assert not same(first, load_split(replace(config, split_seed=4), "train"))


def test_the_masks_of_stacks_go_along():
    config = DataConfig(train_images=25, labelled=10, split_seed=2, decoys="patterned")
    found = load_split(config, "train")
    few = stacks(10, 1000 + 2 * 10**6, "patterned")
    for row in range(25):
        assert torch.equal(found.images[row], few.images[row % 10])
        assert torch.equal(found.masks[row], few.masks[row % 10])


def test_too_many_and_too_few_are_refused_with_both_numbers(config):
    train = load_split(config, "train")
    n, classes = len(train), len(train.classes)
    for labelled, message in {
        n + 1: f"labelled is {n + 1}, but there are {n} images to train with: expected",
        classes - 1: f"labelled is {classes - 1}, but there are {classes} classes",
    }.items():
        with pytest.raises(ValueError, match=message):
            load_split(replace(config, labelled=labelled), "train")


@pytest.mark.parametrize(
    ("name", "labelled", "message"),
    [
        ("stacks", 51, "labelled is 51, but there are 50 images to train with"),
        ("stacks", 9, "labelled is 9, but there are 10 classes"),
        ("pairs", 1, "labelled is 1, but there are 2 classes"),
    ],
)
def test_a_drawn_set_refuses_them_before_a_run_begins(name, labelled, message):
    """With the images of validation, which a run loads first."""
    config = DataConfig(name, train_images=50, val_images=10, labelled=labelled)
    for split in ("val", "train"):
        with pytest.raises(ValueError, match=message):
            load_split(config, split)


@pytest.mark.parametrize("labelled", [-1, 2.5, 10**10])
def test_what_is_no_number_of_images_is_refused(labelled):
    with pytest.raises(ValueError, match="labelled is .*expected"):
        DataConfig("stl10", labelled=labelled)
