"""Images to learn from: the drawn sets, STL-10 and any folder of images; splits and normalisation."""

import hashlib
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from vit_tutorial.drawn import PAIRS_CLASSES, STACKS_CLASSES, ImageSet, pairs, patterns, stacks
from vit_tutorial.recipe import DataConfig

__all__ = [
    "PAIRS_CLASSES",
    "STACKS_CLASSES",
    "STL10_CLASSES",
    "STL10_MEAN",
    "STL10_STD",
    "DataConfig",
    "ImageSet",
    "load_split",
    "normalise",
    "pairs",
    "patterns",
    "read_folder",
    "read_image",
    "read_stl10",
    "resize",
    "stacks",
    "stratified_split",
]

STL10_CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
STL10_MEAN, STL10_STD = (0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713)  # of the training images
STL10_SIZE = 96  # pixels a side
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
    A folder: train and val are parts of root, or of root/train where there are root/train and root/test.
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


def normalise(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(images - mean) / std by channel: (..., C, Y, X), uint8 or floats in [0, 1] -> the same shape, float32."""
    if images.shape[-3] != len(mean) or len(mean) != len(std):
        raise ValueError(f"images of {images.shape[-3]} channels, but {len(mean)} means and {len(std)} deviations")
    scale = 255 if images.dtype == torch.uint8 else 1
    offset, divisor = (beside(images, torch.tensor(values)[:, None, None] * scale) for values in (mean, std))
    return (images - offset).div_(divisor).float()  # no copy of the whole batch but the result


def beside(images: Tensor, values: Tensor) -> Tensor:
    """Values from the CPU on the images' device, without waiting for what a GPU is still at."""
    return values.to(images.device, non_blocking=images.is_cuda)  # MPS may copy too late: PyTorch's issue 139550


def resize(images: Tensor, size: int | tuple[int, int]) -> Tensor:
    """Bring images to `size` pixels (one side, or rows and columns), bilinear with antialiasing; the dtype is kept.

    (B, C, Y, X) -> (B, C, *size), uint8 or floats.
    """
    size = (size, size) if isinstance(size, int) else tuple(size)
    if tuple(images.shape[-2:]) == size:
        return images
    resized = F.interpolate(images.float(), size=size, mode="bilinear", antialias=True)
    return resized.round().clamp(0, 255).to(torch.uint8) if images.dtype == torch.uint8 else resized.to(images.dtype)


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


def read_stl10(root: str | Path, split: Literal["train", "test"]) -> ImageSet:
    """Read the official binary files root/stl10_binary/{split}_X.bin and _y.bin, after checking them.

    On disk an image is three planes, each column by column, and labels are 1 to 10; here they are 0 to 9.
    Coates, Ng, Lee 2011. Raises FileNotFoundError or ValueError with the path, what was found and what was expected.
    """
    folder = Path(root) / "stl10_binary"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is no folder: get it with 'python -m vit_tutorial download stl10 --root {root}'"
        )
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
    names = folder / "class_names.txt"
    classes = tuple(names.read_text(encoding="utf-8").split()) if names.is_file() else STL10_CLASSES
    if len(classes) != 10:
        raise ValueError(f"{names} holds {len(classes)} names, expected 10")
    return ImageSet(images, labels, classes)


def read_folder(root: str | Path, image_size: int) -> ImageSet:
    """Read a folder of images, one subfolder a class, into memory: (N, 3, image_size, image_size) uint8.

    Images are turned upright (EXIF), made RGB, resized by the shorter side and cropped to the middle. Classes and files
    come in alphabetical order; hidden ones are skipped. Raises FileNotFoundError or ValueError, naming the path.
    """
    paths, labels, classes = _list_folder(Path(root))
    return ImageSet(_read_images(paths, image_size), labels, classes)


def _list_folder(root: Path) -> tuple[list[Path], Tensor, tuple[str, ...]]:
    """All files of a folder of classes, with their labels and the names of the classes; nothing is opened yet."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is no folder, expected one with a subfolder of images for each class")
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if len(folders) < 2:
        raise ValueError(f"{root} holds {len(folders)} subfolders, expected one for each of at least 2 classes")
    files = []
    for folder in folders:
        inside = sorted(path for path in folder.rglob("*") if path.is_file())
        inside = [path for path in inside if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
        if not inside:
            raise ValueError(f"{folder} holds no files, expected the images of class {folder.name!r}")
        files.append(inside)
    labels = torch.tensor([label for label, inside in enumerate(files) for _ in inside])
    return sum(files, []), labels, tuple(folder.name for folder in folders)


def read_image(path: Path, size: tuple[int, int], channels: int = 3) -> Tensor:
    """An image file turned upright (EXIF), resized by its shorter side, cropped to the middle: (channels, *size) uint8.

    One channel is grey, three are RGB. Raises FileNotFoundError, or ValueError for a file that is no image.
    """
    try:
        with Image.open(path) as file:
            upright = ImageOps.exif_transpose(file).convert("L" if channels == 1 else "RGB")
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:  # what Pillow's readers raise
        raise ValueError(f"{path} cannot be read as an image") from error
    fitted = ImageOps.fit(upright, size[::-1], Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(fitted)).reshape(*size, channels).permute(2, 0, 1)


def _read_images(paths: list[Path], image_size: int) -> Tensor:
    """Read files of images: (N, 3, image_size, image_size) uint8."""
    images = torch.empty(len(paths), 3, image_size, image_size, dtype=torch.uint8)
    for image, path in zip(images, paths, strict=True):
        image.copy_(read_image(path, (image_size, image_size)))
    return images


def _folder_split(config: DataConfig, split: str) -> ImageSet:
    """One split of a folder of images; only its own files are opened."""
    root = Path(config.root)
    parted = (root / "train").is_dir() and (root / "test").is_dir()
    if split == "test" and not parted:
        raise ValueError(f"{root} has no test split, expected the folders {root / 'train'} and {root / 'test'}")
    paths, labels, classes = _list_folder(root / "train" if parted else root)
    if split == "test":
        paths, labels, found = _list_folder(root / "test")
        if found != classes:
            raise ValueError(f"{root / 'test'} has classes {found}, expected those of training: {classes}")
    else:
        chosen = stratified_split(labels, config.val_fraction, config.split_seed, config.fold)[split == "val"]
        paths, labels = [paths[index] for index in chosen.tolist()], labels[chosen]
    return ImageSet(_read_images(paths, config.image_size), labels, classes)
