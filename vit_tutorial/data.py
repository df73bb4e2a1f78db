"""Images to learn from: the drawn sets, STL-10 and any folder of images; splits and normalisation."""

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vit_tutorial.config import ViTConfig
from vit_tutorial.drawn import (
    PAIRS_CLASSES,
    PAIRS_GRID,
    PAIRS_TILE,
    STACKS_CLASSES,
    STACKS_SIZE,
    ImageSet,
    pairs,
    patterns,
    stacks,
)
from vit_tutorial.folders import Folder, read_folder, read_pictures, survey
from vit_tutorial.paths import user_path
from vit_tutorial.pictures import read_image
from vit_tutorial.pixels import beside, middle, normalise, resize, sides_of
from vit_tutorial.recipe import DataConfig

__all__ = [
    "PAIRS_CLASSES",
    "STACKS_CLASSES",
    "STL10_CLASSES",
    "STL10_MEAN",
    "STL10_STD",
    "DataConfig",
    "ImageSet",
    "beside",
    "describe",
    "keep_apart",
    "load_split",
    "middle",
    "normalise",
    "pairs",
    "patterns",
    "read_folder",
    "read_image",
    "read_stl10",
    "remarks",
    "resize",
    "sides_of",
    "sized_for",
    "stacks",
    "stratified_split",
]

STL10_CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
STL10_MEAN, STL10_STD = (0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713)  # of the training images
STL10_SIZE = 96  # pixels a side
OWN_SIZES = {"stacks": STACKS_SIZE, "pairs": PAIRS_GRID * PAIRS_TILE, "stl10": STL10_SIZE}  # pixels a side
STL10_FILES = {  # bytes and MD5 of the official files
    "train_X.bin": (5000 * 3 * 96 * 96, "918c2871b30a85fa023e0c44e0bee87f"),
    "train_y.bin": (5000, "5a34089d4802c674881badbb80307741"),
    "test_X.bin": (8000 * 3 * 96 * 96, "7f263ba9f9e0b06b93213547f721ac82"),
    "test_y.bin": (8000, "36f9794fa4beb8a2c72628de14fa638e"),
}
VAL_SEED, TEST_SEED, TRAIN_SEED = 1, 2, 1000  # of the drawn sets; an epoch of training draws with 1000 + epoch


def load_split(config: DataConfig, split: Literal["train", "val", "test"], epoch: int = 0) -> ImageSet:
    """The images of one split. Drawn sets draw fresh training images for each `epoch`.

    STL-10: train and val are parts of the 5,000 training images, test is the official test set.
    A folder: train and val are parts of root, or root has folders train, val and test, see `survey`. Its images come at
    `image_size`, which `sized_for` sets. `origin` says which pictures they are.
    Raises ValueError or FileNotFoundError, one line, when there are no such images.
    """
    if split not in ("train", "val", "test"):
        raise ValueError(f"split is {split!r}, expected 'train', 'val' or 'test'")
    if config.drawn:
        draw = partial(stacks, decoys=config.decoys) if config.name == "stacks" else pairs
        if split == "train":
            return draw(config.train_images, TRAIN_SEED + epoch + config.split_seed * 10**6)
        return draw(config.val_images, VAL_SEED if split == "val" else TEST_SEED)
    if config.name == "folder":
        return _folder_split(config, split)
    if split == "test":
        return read_stl10(config.root, "test")
    both = read_stl10(config.root, "train")
    chosen = stratified_split(both.labels, config.val_fraction, config.split_seed, config.fold)[split == "val"]
    return ImageSet(both.images[chosen], both.labels[chosen], both.classes)


def sized_for(config: DataConfig, model: ViTConfig) -> DataConfig:
    """The config with the size that its images have for a model. Raises ValueError when their shapes do not fit.

    A folder's images are read at the model's size, or at another of the same shape where `image_size` says one; the
    other sets have their own size.
    """
    size = OWN_SIZES.get(config.name) or config.image_size or model.image_size
    rows, columns = sides_of(size)
    if rows * model.sides[1] != columns * model.sides[0]:
        raise ValueError(
            f"images of {config.name} are {rows} x {columns}, but model.image_size is {model.sides[0]} x "
            f"{model.sides[1]}: expected the same shape, so that nothing is squashed"
        )
    return replace(config, image_size=size)


def stratified_split(labels: Tensor, fraction: float, seed: int, fold: int = 0) -> tuple[Tensor, Tensor]:
    """Indices of training and validation images, the same fraction of every class in validation, each shuffled.

    No image is held out in two folds of a seed. Raises ValueError when a class has too few images to be on both sides.
    """
    generator = torch.Generator().manual_seed(seed)
    train, val = [], []
    for label in labels.unique().tolist():
        members = (labels == label).nonzero()[:, 0]
        members = members[torch.randperm(len(members), generator=generator)]
        size = round(fraction * len(members))
        before, held_out, after = members.tensor_split([fold * size, (fold + 1) * size])
        rest = torch.cat([before, after])
        if not len(held_out) or not len(rest):
            raise ValueError(
                f"class {label} has {len(members)} images: holding out {fraction:g} of them in fold {fold} leaves "
                f"{len(rest)} for training and {len(held_out)} for validation, expected at least 1 each"
            )
        train.append(rest)
        val.append(held_out)
    both = [torch.cat(parts) for parts in (train, val)]
    train, val = (part[torch.randperm(len(part), generator=generator)] for part in both)
    return train, val


def check_stl10_file(path: Path, name: str | None = None) -> None:
    """Compare an official STL-10 file with its known length and MD5; `name` is what it is called officially.

    Raises FileNotFoundError when it is missing, ValueError when it differs.
    """
    length, checksum = STL10_FILES[name or path.name]
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: get it with 'python -m vit_tutorial download stl10 --root DIR'")
    if path.stat().st_size != length:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, expected {length}: it is truncated or not STL-10's")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != checksum:
        raise ValueError(f"{path} has MD5 {found}, expected {checksum}: it is damaged, download it again")


def stl10_folder(root: str | Path) -> Path:
    """The folder stl10_binary in `root`. Raises FileNotFoundError that says where it is, or how to get it."""
    root = user_path(root)
    folder = root / "stl10_binary"
    if folder.is_dir():
        return folder
    if (root / "train_X.bin").is_file():
        raise FileNotFoundError(f"{root} holds the files of STL-10 itself, expected the folder above: {root.parent}")
    for other in sorted(root.glob("*/stl10_binary")) + [root.parent / "stl10_binary"]:
        if (other / "train_X.bin").is_file():
            raise FileNotFoundError(f"{folder} is no folder, but {other} is: expected {other.parent}")
    raise FileNotFoundError(f"{folder} is no folder: get it with 'python -m vit_tutorial download stl10 --root {root}'")


def read_stl10(root: str | Path, split: Literal["train", "test"]) -> ImageSet:
    """Read the official binary files root/stl10_binary/{split}_X.bin and _y.bin, after checking them.

    On disk an image is three planes, each column by column, and labels are 1 to 10; here they are 0 to 9. The names
    of the classes are known: class_names.txt, which nothing vouches for, is not read.
    Coates, Ng, Lee 2011. Raises FileNotFoundError or ValueError with the path, what was found and what was expected.
    """
    folder = stl10_folder(root)
    pixels_path, labels_path = folder / f"{split}_X.bin", folder / f"{split}_y.bin"
    for path in (pixels_path, labels_path):
        check_stl10_file(path)
    pixels = torch.from_numpy(np.fromfile(pixels_path, dtype=np.uint8))
    labels = torch.from_numpy(np.fromfile(labels_path, dtype=np.uint8)).long() - 1
    if len(pixels) != len(labels) * 3 * STL10_SIZE**2:
        count = len(pixels) / (3 * STL10_SIZE**2)
        raise ValueError(f"{pixels_path} holds {count:g} images, but {labels_path} {len(labels)} labels")
    if labels.min() < 0 or labels.max() > 9:
        raise ValueError(
            f"{labels_path} holds labels {int(labels.min()) + 1} to {int(labels.max()) + 1}, expected 1 to 10"
        )
    images = pixels.view(-1, 3, STL10_SIZE, STL10_SIZE).transpose(2, 3).contiguous()
    return ImageSet(images, labels, STL10_CLASSES)


def _folder_split(config: DataConfig, split: str) -> ImageSet:
    """One split of a folder of images; only its own files are opened."""
    if config.image_size is None:
        raise ValueError("image_size is not set, expected that of a model: sized_for(config, model.config) sets it")
    found = _survey(config)
    if split not in found.splits:
        raise ValueError(f"{config.root} has no test split, expected the folders {found.root / 'train'} and "
                         f"{found.root / 'test'}")  # fmt: skip
    return read_pictures(found.splits[split], found.classes, config.image_size)


def _survey(config: DataConfig) -> Folder:
    return survey(config.root, config.val_fraction, config.split_seed, config.fold)


def describe(config: DataConfig) -> str:
    """What a folder was taken for, in one line: its classes, its splits with their numbers, the size of its images."""
    size = "" if config.image_size is None else "; read at {} x {} pixels".format(*sides_of(config.image_size))
    return f"{_survey(config)}{size}"


def remarks(asked: DataConfig, config: DataConfig, count: int, batch_size: int) -> list[str]:
    """What to know of the data before training: what a folder was taken for, a size not used, too few images."""
    lines = [describe(config)] if config.name == "folder" else []
    if asked.image_size not in (None, config.image_size):
        lines.append(f"images of {config.name} have {config.image_size} pixels a side, {asked.image_size} is not used")
    count = config.train_images if config.drawn else count
    if count < batch_size:
        lines.append(f"{count} images are fewer than a batch of {batch_size}: each epoch is one step")
    return lines


def keep_apart(config: DataConfig, out: Path) -> None:
    """Raise ValueError when a run would be written among the pictures of a folder, where it would become a class."""
    root = user_path(config.root).resolve()
    if config.name == "folder" and user_path(out).resolve().is_relative_to(root):
        raise ValueError(f"{out} lies in {config.root}, the folder of pictures: expected the run elsewhere")
