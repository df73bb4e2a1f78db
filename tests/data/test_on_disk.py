"""Pictures that stay on the disk: the batches are those from memory, few at a time."""

import multiprocessing
import pickle
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pets import classes_in
from small import MODEL

from vit_tutorial.augment.augmentation import Augmentation
from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.data import datasets, on_disk
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import labelled_bank, load_split
from vit_tutorial.data.images import Normalization
from vit_tutorial.models import build_model
from vit_tutorial.selfsup.config import DINOConfig
from vit_tutorial.selfsup.probes import features
from vit_tutorial.training.batches import batches, epoch_generator, multi_crop_batches
from vit_tutorial.training.metrics import compute_logits, evaluate

CHANGED = AugmentConfig(crop=(0.5, 1.0), flip=True, brightness=0.3)
forked = pytest.mark.skipif(
    on_disk.START != "fork", reason="only a fork knows what a test replaced"
)


def both(config, load=load_split, split="train", workers=2):
    """Images in memory, and the same ones on the disk."""
    on = replace(config, workers=workers)
    sets = [load(config), load(on)] if load is labelled_bank else []
    return sets or [load(config, split), load(on, split)]


def same(one, other):
    return one.dtype == other.dtype and torch.equal(one, other)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("part", [slice(None), slice(2, 5)])
def test_batches_are_to_the_bit_those_from_memory(data, workers, part):
    recipe = Augmentation(CHANGED, MixingConfig(cutmix=1.0))
    state = torch.get_rng_state()
    found, expected = (
        list(batches(each, 8, 16, recipe, Normalization(), epoch_generator(3, 1), part))
        for each in reversed(both(data, workers=workers))
    )
    assert len(found) == len(expected) == 4
    for ours, theirs in zip(found, expected, strict=True):
        assert all(map(same, ours, theirs))
    assert same(state, torch.get_rng_state())  # a run's dropout comes from there


def test_crops_without_labels_are_to_the_bit_those_from_memory(data):
    dino = DINOConfig(local_crops=2, local_size=8)
    memory, disk = both(data)
    found, expected = (
        list(
            multi_crop_batches(
                each, 8, 16, CHANGED, dino, Normalization(), epoch_generator(3, 1)
            )
        )
        for each in (disk, memory)
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert all(map(same, ours, theirs))


def test_what_measures_a_model_sees_the_same(data):
    torch.manual_seed(0)
    model = build_model(MODEL)
    memory, disk = both(data, split="val")
    assert disk.origin == memory.origin and disk.classes == memory.classes
    assert same(disk.labels, memory.labels) and disk.images.shape == memory.images.shape
    for measure in (compute_logits, features):
        found, expected = (
            measure(model, each, Normalization(), batch_size=3)
            for each in (disk, memory)
        )
        assert same(found, expected)
    assert evaluate(model, disk, Normalization()) == evaluate(
        model, memory, Normalization()
    )


@pytest.mark.parametrize("load", [load_split, labelled_bank])
def test_few_labels_are_those_of_the_same_pictures(data, load):
    memory, disk = both(replace(data, labelled=6), load)
    assert same(disk.labels, memory.labels) and disk.origin == memory.origin
    assert same(torch.cat(list(disk.images.split(5))), memory.images)


def test_rows_of_pictures_are_pictures_and_go_where_they_are_sent(data):
    memory, disk = both(data)
    for rows in (slice(3, 7), torch.tensor([5, 2, 5]), disk.labels == 1):
        (found,) = disk.images[rows].split(99)
        assert same(found, memory.images[rows])
    nowhere = disk.images.to(torch.device("meta"))
    assert nowhere.device.type == "meta" and len(nowhere[:4]) == 4
    assert [(each.device.type, len(each)) for each in nowhere[:4].split(3)] == [
        ("meta", 3),
        ("meta", 1),
    ]
    assert not list(disk.images.batches([]))


@forked
@pytest.mark.parametrize("workers", [1, 2])
def test_only_a_few_batches_are_ever_decoded(data, tmp_path, monkeypatch, workers):
    """Of all batches no more are read than were asked for and two for each process, and
    none is held that was given away: memory does not grow with their number.
    """
    read = on_disk.read_image
    log = tmp_path / "log"
    log.touch()

    def noted(path, sides):
        with log.open("a", encoding="utf-8") as file:
            file.write(f"{path.name}\n")
        return read(path, sides)

    monkeypatch.setattr(on_disk, "read_image", noted)
    monkeypatch.setattr(datasets, "read_pictures", None)
    disk = load_split(replace(data, workers=workers), "train")
    assert not log.read_text(encoding="utf-8")
    given = []
    processes = set()
    for number, images in enumerate(disk.images.split(2), start=1):
        given.append(weakref.ref(images))
        decoded = log.read_text(encoding="utf-8").count("\n")
        assert min(2 * number, len(disk)) <= decoded <= 2 * (number + 2 * workers)
        assert sum(each() is not None for each in given) <= 2
        processes |= {each.pid for each in multiprocessing.active_children()}
    assert decoded == len(disk) > 20 and len(processes) == workers
    assert not multiprocessing.active_children()


def test_a_file_that_is_no_picture_is_refused_at_once(tmp_path):
    root = classes_in(tmp_path)
    (root / "ants" / "list.txt").write_text("no picture", encoding="utf-8")
    config = DataConfig("folder", root=str(root), image_size=8, workers=1)
    with pytest.raises(ValueError, match=r"list\.txt cannot be read as an image"):
        for split in ("train", "val"):
            load_split(config, split)


@pytest.mark.parametrize("wrong", ["damaged", "gone"])
def test_a_picture_that_cannot_be_decoded_is_named_when_its_batch_is_due(
    data, tmp_path, wrong
):
    root = shutil.copytree(data.root, tmp_path / "pictures")
    config = replace(data, root=str(root), workers=2)
    path = load_split(config, "train").images.paths[9]
    path.write_bytes(path.read_bytes()[:200])
    train = load_split(config, "train")  # its header is whole
    if wrong == "gone":
        path.unlink()
    given = []
    with pytest.raises((ValueError, OSError)) as caught:
        given.extend(len(images) for images in train.images.split(4))
    assert given == [4, 4]
    line = str(caught.value)
    assert path.name in line and "\n" not in line and "Traceback" not in line
    assert not multiprocessing.active_children()


def test_a_process_can_be_sent_what_it_needs():
    """Where a process is not a copy of this one it is told what to do by a pickle."""
    reader = pickle.loads(pickle.dumps(on_disk.Reader((8, 8))))
    assert isinstance(reader[[Path("nothing.png")]], FileNotFoundError)
    assert pickle.loads(pickle.dumps(on_disk.keep_silent)) is on_disk.keep_silent


@pytest.mark.skipif(on_disk.START != "fork", reason="reads Linux's /proc")
def test_an_interrupt_is_the_parents_alone(data):
    arriving = load_split(replace(data, workers=2), "train").images.split(8)
    next(arriving)
    children = multiprocessing.active_children()
    assert len(children) == 2
    for child in children:
        status = Path(f"/proc/{child.pid}/status").read_text(encoding="utf-8")
        (blocked,) = [line for line in status.splitlines() if line.startswith("SigBlk")]
        assert int(blocked.split()[1], 16) & 1 << (2 - 1)  # SIGINT is number 2
    arriving.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"name": "stl10", "workers": 2},
            "workers is 2, but name is 'stl10': expected",
        ),
        ({"name": "folder", "workers": -1}, "workers is -1, expected at least 0"),
        ({"name": "folder", "workers": 65}, "workers is 65, expected .* at most 64"),
        ({"name": "folder", "workers": 1.5}, "workers is 1.5, expected a whole number"),
    ],
)
def test_workers_are_for_folders_and_not_too_many(settings, message):
    with pytest.raises(ValueError, match=message) as caught:
        DataConfig(**settings)
    assert "\n" not in str(caught.value)
    assert DataConfig().workers == 0 and DataConfig("folder", workers=64).workers == 64
