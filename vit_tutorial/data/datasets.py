"""Any of the data sets by its config: splits, sizes, and what to say of them."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.folder import Folder, read_pictures, survey
from vit_tutorial.data.images import ImageSet, sides_of
from vit_tutorial.data.on_disk import leave_pictures
from vit_tutorial.data.stl10 import (
    STL10_SIZE,
    read_stl10,
    read_unlabelled_stl10,
)
from vit_tutorial.data.synthetic import (
    PAIRS_CLASSES,
    PAIRS_GRID,
    PAIRS_TILE,
    STACKS_CLASSES,
    STACKS_SIZE,
    expect_count,
    pairs,
    stacks,
)
from vit_tutorial.files import user_path

# pixels a side
OWN_SIZES = {
    "stacks": STACKS_SIZE,
    "pairs": PAIRS_GRID * PAIRS_TILE,
    "stl10": STL10_SIZE,
}
# of the drawn sets; an epoch of training draws with 1000 + epoch
VAL_SEED = 1
TEST_SEED = 2
TRAIN_SEED = 1000


def load_split(
    config: DataConfig, split: Literal["train", "val", "test"], epoch: int = 0
) -> ImageSet:
    """The images of one split. Drawn sets draw fresh training images for each `epoch`.

    STL-10: train and val are parts of the 5,000 training images, test is the official
    test set; with `unlabelled` train is the 100,000 others. A folder: train and val are
    parts of root, or root has folders train, val and test, see `survey`. Its images
    come at `image_size`, which `sized_for` sets, and with `workers` stay on the disk.
    `origin` says which pictures they are.
    With `labelled` so few training images are repeated until they are as many as
    without. Raises ValueError or FileNotFoundError, one line, when there are no such
    images.
    """
    if split not in ("train", "val", "test"):
        raise ValueError(f"split is {split!r}, expected 'train', 'val' or 'test'")
    if config.drawn:
        return _drawn_split(config, split, epoch)
    if config.name == "folder":
        return _folder_split(config, split)
    return _stl10_split(config, split)


def labelled_bank(config: DataConfig) -> ImageSet:
    """The labelled training images, each once: those that probes ask. Of drawn sets
    without a number of labelled images those of one epoch.
    """
    data = load_split(replace(config, unlabelled=False), "train")
    return _take(data, slice(config.labelled or len(data)))


def sized_for(config: DataConfig, model: ViTConfig) -> DataConfig:
    """The config with the size that its images have for a model. Raises ValueError when
    their shapes do not fit.

    A folder's images are read at the model's size, or at another of the same shape
    where `image_size` says one; the other sets have their own size.
    """
    size = OWN_SIZES.get(config.name) or config.image_size or model.image_size
    rows, columns = sides_of(size)
    if rows * model.sides[1] != columns * model.sides[0]:
        raise ValueError(
            f"images of {config.name} are {rows} x {columns}, but model.image_size is"
            f" {model.sides[0]} x {model.sides[1]}: expected the same shape, so that"
            " nothing is squashed"
        )
    return replace(config, image_size=size)


def stratified_split(
    labels: Tensor, fraction: float, seed: int, fold: int = 0
) -> tuple[Tensor, Tensor]:
    """Indices of training and validation images, the same fraction of every class in
    validation, each shuffled.

    No image is held out in two folds of a seed. Raises ValueError when there are no
    images, or a class has too few to be on both sides.
    """
    if not len(labels):
        raise ValueError("there are 0 images to split, expected at least 2 of a class")
    generator = torch.Generator().manual_seed(seed)
    training = []
    validation = []
    for label in labels.unique().tolist():
        members = (labels == label).nonzero()[:, 0]
        members = members[torch.randperm(len(members), generator=generator)]
        size = round(fraction * len(members))
        before, held_out, after = members.tensor_split([fold * size, (fold + 1) * size])
        rest = torch.cat([before, after])
        if not len(held_out) or not len(rest):
            raise ValueError(
                f"class {label} has {len(members)} images: holding out {fraction:g} of"
                f" them in fold {fold} leaves {len(rest)} for training and"
                f" {len(held_out)} for validation, expected at least 1 each"
            )
        training.append(rest)
        validation.append(held_out)
    both = [torch.cat(parts) for parts in (training, validation)]
    train, val = (part[torch.randperm(len(part), generator=generator)] for part in both)
    return train, val


def labelled_rows(labels: Tensor, count: int, classes: int) -> Tensor:
    """Indices of `count` images, as many of each class as can be: (n,) -> (count,).

    A class's images are taken in the order they come in, one of each class at a time,
    so that more contain fewer. Raises ValueError for more than there are, and for fewer
    than the classes.
    """
    _check_labelled(count, len(labels), classes)
    turn = torch.empty_like(labels)
    for label in labels.unique().tolist():
        members = (labels == label).nonzero()[:, 0]
        turn[members] = torch.arange(len(members))
    return turn.argsort(stable=True)[:count]


def _check_labelled(count: int, images: int, classes: int) -> None:
    if count > images:
        raise ValueError(
            f"labelled is {count}, but there are {images} images to train with:"
            " expected at most as many"
        )
    if count < classes:
        raise ValueError(
            f"labelled is {count}, but there are {classes} classes: expected at least"
            " one image of each"
        )


def _take(data: ImageSet, rows: Tensor | slice) -> ImageSet:
    """Some of the images, or some of them several times."""
    masks = None if data.masks is None else data.masks[rows]
    return replace(
        data, images=data.images[rows], labels=data.labels[rows], masks=masks
    )


def _drawn_split(config: DataConfig, split: str, epoch: int) -> ImageSet:
    """One split of a drawn set. The few that `labelled` asks for are one draw, that of
    no epoch: these count from 1.
    """
    # in any split: validation is drawn before a run is begun
    expect_count(max(config.train_images, config.val_images), OWN_SIZES[config.name])
    few = config.labelled
    if few:
        classes = STACKS_CLASSES if config.name == "stacks" else PAIRS_CLASSES
        _check_labelled(few, config.train_images, len(classes))
    draw = partial(stacks, decoys=config.decoys) if config.name == "stacks" else pairs
    if split != "train":
        return draw(config.val_images, VAL_SEED if split == "val" else TEST_SEED)
    seed = TRAIN_SEED + config.split_seed * 10**6
    if few:
        return _take(draw(few, seed), torch.arange(config.train_images) % few)
    return draw(config.train_images, seed + epoch)


def _stl10_split(config: DataConfig, split: str) -> ImageSet:
    """One split of STL-10."""
    if split == "test":
        return read_stl10(config.root, "test")
    if split == "train" and config.unlabelled:
        return read_unlabelled_stl10(config.root)
    both = read_stl10(config.root, "train")
    train, val = stratified_split(
        both.labels, config.val_fraction, config.split_seed, config.fold
    )
    if split == "val":
        return _take(both, val)
    few = config.labelled
    if few:
        rows = labelled_rows(both.labels[train], few, len(both.classes))
        train = train[rows[torch.arange(len(train)) % few]]
    return _take(both, train)


def _folder_split(config: DataConfig, split: str) -> ImageSet:
    """One split of a folder of images; only its own files are opened."""
    if config.image_size is None:
        raise ValueError(
            "image_size is not set, expected that of a model: sized_for(config,"
            " model.config) sets it"
        )
    found = _survey(config)
    if split not in found.splits:
        raise ValueError(
            f"{config.root} has no test split, expected the folders"
            f" {found.root / 'train'} and {found.root / 'test'}"
        )
    read = (
        partial(leave_pictures, workers=config.workers)
        if config.workers
        else read_pictures
    )
    pictures = found.splits[split]
    few = config.labelled
    if split != "train" or not few:
        return read(pictures, found.classes, config.image_size)
    labels = torch.tensor([each.label for each in pictures])
    rows = labelled_rows(labels, few, len(found.classes))
    chosen = [pictures[row] for row in rows.tolist()]
    data = read(chosen, found.classes, config.image_size)
    return _take(data, torch.arange(len(pictures)) % few)


def _survey(config: DataConfig) -> Folder:
    return survey(config.root, config.val_fraction, config.split_seed, config.fold)


def describe(config: DataConfig) -> str:
    """What a folder was taken for, in one line: its classes, its splits with their
    numbers, the size of its images.
    """
    size = (
        ""
        if config.image_size is None
        else "; read at {} x {} pixels".format(*sides_of(config.image_size))
    )
    return f"{_survey(config)}{size}"


def remarks(
    asked: DataConfig, config: DataConfig, count: int, batch_size: int
) -> list[str]:
    """What to know of the data before training: what a folder was taken for, a size not
    used, too few images.
    """
    lines = [describe(config)] if config.name == "folder" else []
    if asked.image_size not in (None, config.image_size):
        lines.append(
            f"images of {config.name} have {config.image_size} pixels a side,"
            f" {asked.image_size} is not used"
        )
    count = config.train_images if config.drawn else count
    if count < batch_size:
        lines.append(
            f"{count} images are fewer than a batch of {batch_size}: each epoch is one"
            " step"
        )
    return lines


def keep_apart(config: DataConfig, out: Path) -> None:
    """Raise ValueError when a run would be written among the pictures of a folder,
    where it would become a class.
    """
    root = user_path(config.root).resolve()
    if config.name == "folder" and user_path(out).resolve().is_relative_to(root):
        raise ValueError(
            f"{out} lies in {config.root}, the folder of pictures: expected the run"
            " elsewhere"
        )
