"""The images of STL-10, with labels and without, in their official binary files."""

import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from vit_tutorial.data.images import ImageSet
from vit_tutorial.files import user_path

STL10_CLASSES = (
    "airplane",
    "bird",
    "car",
    "cat",
    "deer",
    "dog",
    "horse",
    "monkey",
    "ship",
    "truck",
)
# of the training images
STL10_MEAN = (0.4467, 0.4398, 0.4066)
STL10_STD = (0.2603, 0.2566, 0.2713)
STL10_SIZE = 96  # pixels a side
UNLABELLED = "unlabeled_X.bin"
STL10_FILES = {  # bytes and MD5 of the official files
    "train_X.bin": (5000 * 3 * 96 * 96, "918c2871b30a85fa023e0c44e0bee87f"),
    "train_y.bin": (5000, "5a34089d4802c674881badbb80307741"),
    "test_X.bin": (8000 * 3 * 96 * 96, "7f263ba9f9e0b06b93213547f721ac82"),
    "test_y.bin": (8000, "36f9794fa4beb8a2c72628de14fa638e"),
    UNLABELLED: (100_000 * 3 * 96 * 96, "5242ba1fed5e4be9e1e742405eb56ca4"),
}


def check_stl10_file(path: Path, name: str | None = None) -> None:
    """Compare an official STL-10 file with its known length and MD5; `name` is what it
    is called officially.

    Raises FileNotFoundError when it is missing, ValueError when it differs.
    """
    check_stl10_length(path, name)
    checksum = STL10_FILES[name or path.name][1]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != checksum:
        raise ValueError(
            f"{path} has MD5 {found}, expected {checksum}: it is damaged, download it"
            " again"
        )


def check_stl10_length(path: Path, name: str | None = None) -> None:
    """What `check_stl10_file` does, but for the MD5: nothing is read."""
    name = name or path.name
    if not path.is_file():
        flag = " --unlabelled true" if name == UNLABELLED else ""
        raise FileNotFoundError(
            f"{path} is missing: get it with 'python -m vit_tutorial download stl10"
            f" --root DIR{flag}'"
        )
    length = STL10_FILES[name][0]
    if path.stat().st_size != length:
        raise ValueError(
            f"{path} has {path.stat().st_size} bytes, expected {length}: it is"
            " truncated or not STL-10's"
        )


def stl10_folder(root: str | Path) -> Path:
    """The folder stl10_binary in `root`. Raises FileNotFoundError that says where it
    is, or how to get it.
    """
    root = user_path(root)
    folder = root / "stl10_binary"
    if folder.is_dir():
        return folder
    if (root / "train_X.bin").is_file():
        raise FileNotFoundError(
            f"{root} holds the files of STL-10 itself, expected the folder above:"
            f" {root.parent}"
        )
    for other in sorted(root.glob("*/stl10_binary")) + [root.parent / "stl10_binary"]:
        if (other / "train_X.bin").is_file():
            raise FileNotFoundError(
                f"{folder} is no folder, but {other} is: expected {other.parent}"
            )
    raise FileNotFoundError(
        f"{folder} is no folder: get it with 'python -m vit_tutorial download stl10"
        f" --root {root}'"
    )


def read_stl10(root: str | Path, split: Literal["train", "test"]) -> ImageSet:
    """Read the official binary files root/stl10_binary/{split}_X.bin and _y.bin, after
    checking them.

    On disk an image is three planes, each column by column, and labels are 1 to 10;
    here they are 0 to 9. The names of the classes are known: class_names.txt, which
    nothing vouches for, is not read. Coates, Ng, Lee 2011. Raises FileNotFoundError or
    ValueError with the path, what was found and what was expected.
    """
    folder = stl10_folder(root)
    pixels_path = folder / f"{split}_X.bin"
    labels_path = folder / f"{split}_y.bin"
    for path in (pixels_path, labels_path):
        check_stl10_file(path)
    pixels = torch.from_numpy(np.fromfile(pixels_path, dtype=np.uint8))
    labels = torch.from_numpy(np.fromfile(labels_path, dtype=np.uint8)).long() - 1
    if len(pixels) != len(labels) * 3 * STL10_SIZE**2:
        count = len(pixels) / (3 * STL10_SIZE**2)
        raise ValueError(
            f"{pixels_path} holds {count:g} images, but {labels_path} {len(labels)}"
            " labels"
        )
    if labels.min() < 0 or labels.max() > 9:
        raise ValueError(
            f"{labels_path} holds labels {int(labels.min()) + 1} to"
            f" {int(labels.max()) + 1}, expected 1 to 10"
        )
    images = pixels.view(-1, 3, STL10_SIZE, STL10_SIZE).transpose(2, 3).contiguous()
    return ImageSet(images, labels, STL10_CLASSES)


def read_unlabelled_stl10(root: str | Path) -> ImageSet:
    """The 100,000 images of root/stl10_binary/unlabeled_X.bin, all with the label -1.

    They are mapped into memory, not read: `images[rows]` reads these rows alone. For
    the same reason only the length is checked here: the MD5 of 2.8 GB, which the
    download checks, would take longer at each start than many steps. Raises
    FileNotFoundError or ValueError with the path, what was found and what was expected.
    """
    path = stl10_folder(root) / UNLABELLED
    check_stl10_length(path)
    # copy on write: torch warns of memory that it cannot write to, and what is written
    # to this never reaches the file
    pixels = torch.from_numpy(np.memmap(path, dtype=np.uint8, mode="c"))
    # columns first on disk; a copy would read them all
    images = pixels.view(-1, 3, STL10_SIZE, STL10_SIZE).transpose(2, 3)
    return ImageSet(images, torch.full((len(images),), -1), STL10_CLASSES)
