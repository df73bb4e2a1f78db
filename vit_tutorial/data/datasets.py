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
from vit_tutorial.data.stl10 import STL10_SIZE, read_stl10
from vit_tutorial.data.synthetic import (
    PAIRS_GRID,
    PAIRS_TILE,
    STACKS_SIZE,
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
    test set. A folder: train and val are parts of root, or root has folders train, val
    and test, see `survey`. Its images come at `image_size`, which `sized_for` sets.
    `origin` says which pictures they are. Raises ValueError or FileNotFoundError, one
    line, when there are no such images.
    """
    if split not in ("train", "val", "test"):
        raise ValueError(f"split is {split!r}, expected 'train', 'val' or 'test'")
    if config.drawn:
        draw = (
            partial(stacks, decoys=config.decoys) if config.name == "stacks" else pairs
        )
        if split == "train":
            return draw(
                config.train_images, TRAIN_SEED + epoch + config.split_seed * 10**6
            )
        return draw(config.val_images, VAL_SEED if split == "val" else TEST_SEED)
    if config.name == "folder":
        return _folder_split(config, split)
    if split == "test":
        return read_stl10(config.root, "test")
    both = read_stl10(config.root, "train")
    chosen = stratified_split(
        both.labels, config.val_fraction, config.split_seed, config.fold
    )[split == "val"]
    return ImageSet(both.images[chosen], both.labels[chosen], both.classes)


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

    No image is held out in two folds of a seed. Raises ValueError when a class has too
    few images to be on both sides.
    """
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
    return read_pictures(found.splits[split], found.classes, config.image_size)


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
