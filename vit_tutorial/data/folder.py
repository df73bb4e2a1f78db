"""Folders of pictures: which folder is a class, which a split, and who is held out."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from unicodedata import category, normalize

import torch

from vit_tutorial.data.folder_layout import (
    files_in,
    not_used,
    other_classes,
    refuse_splits,
    refuse_splits_inside,
    role_of,
    some,
    split_folders,
    subfolders,
)
from vit_tutorial.data.image_files import read_image
from vit_tutorial.data.images import ImageSet, sides_of
from vit_tutorial.files import user_path
from vit_tutorial.settings import shown


@dataclass(frozen=True)
class Picture:
    """A file: where it lies, its class, its name on any system: `cats/old/7.png`."""

    path: Path
    label: int
    name: str


@dataclass(frozen=True)
class Folder:
    """What a folder was taken for: classes, and splits with where each is from."""

    root: Path
    classes: tuple[str, ...]
    splits: dict[str, tuple[Picture, ...]]
    origins: dict[str, str]
    unused: tuple[str, ...] = ()

    def __str__(self) -> str:
        """In one line: `pets: 2 classes ('cats', 'dogs'); train: 8 pictures of ...`."""
        parts = [f"{self.root}: {len(self.classes)} classes {some(self.classes)}"]
        parts += [
            f"{split}: {len(self.splits[split])} pictures of {origin}"
            for split, origin in self.origins.items()
        ]
        return "; ".join(parts + [f"not used: {some(self.unused)}"] * bool(self.unused))


def survey(root: str | Path, fraction: float, seed: int, fold: int = 0) -> Folder:
    """Find classes and splits in a folder; no picture is opened.

    Either root holds the classes, or folders called train, val and test (or the like)
    that do. What has no validation folder of its own holds out a part of its training
    pictures, see `hold_out`. Raises FileNotFoundError or ValueError for what is no such
    folder, and for folders that look like splits and cannot be used as such.
    """
    root = user_path(root)
    seen: dict[str, Path] = {}
    inside = subfolders(root)
    roles = {
        path: role
        for path in inside
        if (role := role_of(path.name)) and subfolders(path)
    }
    if not roles:
        classes, pictures = list_classes(root, seen)
        train, val = hold_out(pictures, classes, fraction, seed, fold)
        origins = {"train": f"{root}", "val": f"{root}, held out by their names"}
        return Folder(root, classes, {"train": train, "val": val}, origins)
    folders = split_folders(root, roles)
    unused = not_used(root, [path for path in inside if path not in roles])
    classes, pictures = list_classes(folders["train"], seen)
    splits = {"train": shuffled(pictures, seed)}
    origins = {name: f"{folder}" for name, folder in folders.items()}
    for name, folder in folders.items():
        if name != "train":
            found, others = list_classes(folder, seen)
            splits[name] = shuffled(others, seed)
            if found != classes:
                expected = f"{some(classes)}{other_classes(found, classes)}"
                raise ValueError(
                    f"{folder} has classes {some(found)}, expected those of training:"
                    f" {expected}"
                )
    if "val" in folders and fold:
        raise ValueError(
            f"fold is {fold}, but {folders['val']} holds the pictures of validation:"
            " expected fold 0"
        )
    if "val" not in folders:
        splits["train"], splits["val"] = hold_out(
            pictures, classes, fraction, seed, fold
        )
        origins["val"] = f"{folders['train']}, held out by their names"
    return Folder(root, classes, splits, origins, unused)


def hold_out(
    pictures: Sequence[Picture],
    classes: tuple[str, ...],
    fraction: float,
    seed: int,
    fold: int = 0,
) -> tuple[tuple[Picture, ...], tuple[Picture, ...]]:
    """Part pictures into training and validation: about `fraction` of each class.

    A picture's place between 0 and 1 follows from its name and the seed alone; a fold
    holds out those of one interval. So another picture moves none of the others into
    validation, where one trained on would flatter, at the price that shares are met
    only on average. Of a class with none in the interval the next picture is held out;
    a later one may send it back to training. Raises ValueError when a class is left
    without pictures to train on.
    """
    train = []
    val = []
    after = {each: (_place(each, seed) - fold * fraction) % 1 for each in pictures}
    ordered = sorted(after, key=lambda each: (each.label, after[each]))
    for label, group in groupby(ordered, key=lambda each: each.label):
        members = list(group)
        inside = sum(after[each] < fraction for each in members) or 1
        if inside == len(members):
            raise ValueError(
                f"class {shown(classes[label])} has {len(members)} pictures, and "
                f"holding out {fraction:g} of them in fold {fold} leaves none for "
                "training, expected at least 1: add some, or take another "
                "val_fraction or split_seed"
            )
        val += members[:inside]
        train += members[inside:]
    return shuffled(train, seed), shuffled(val, seed)


def shuffled(pictures: Iterable[Picture], seed: int) -> tuple[Picture, ...]:
    """Pictures in the random order of a seed, which another picture leaves as it is."""
    return tuple(sorted(pictures, key=lambda each: _place(each, seed)))


def _place(picture: Picture, seed: int) -> float:
    """Where between 0 and 1 a picture stands for a seed, the same on every system."""
    text = f"{seed}/{picture.name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") / 2**64


def fingerprint(pictures: Iterable[Picture]) -> str:
    """What a run notes of a split: how many pictures, a digest of names and lengths."""
    lines = sorted(f"{each.name}\0{each.path.stat().st_size}\n" for each in pictures)
    digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{len(lines)} pictures, {digest[:10]}"


def list_classes(
    root: Path, seen: dict[str, Path] | None = None
) -> tuple[tuple[str, ...], tuple[Picture, ...]]:
    """The classes of a folder, one a subfolder, and all files in them: the pictures.

    Folders within and links are entered. Classes and files are in the order of their
    letters' numbers, so that systems agree. Hidden files and what systems leave behind
    are skipped. `seen` are the folders listed before: none is listed twice. Raises
    FileNotFoundError or ValueError, naming the path.
    """
    seen = {} if seen is None else seen
    folders = sorted(subfolders(root), key=lambda path: normalize("NFC", path.name))
    if len(folders) < 2:
        found = f"{root} holds {len(folders)} subfolders"
        found += ", expected one for each of at least 2 classes"
        within = folders and len(subfolders(folders[0])) > 1
        raise ValueError(f"{found}: is {folders[0]} meant?" if within else found)
    refuse_splits(root, folders)
    classes = tuple(normalize("NFC", folder.name) for folder in folders)
    for name in classes:
        if any(category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
            found = f"{root} holds a folder {shown(name)}"
            raise ValueError(f"{found}, expected the name of a class: one line, UTF-8")
    if len(set(classes)) < len(classes):
        name = Counter(classes).most_common(1)[0][0]
        found = f"{root} holds two folders {shown(name)}, in two spellings of Unicode"
        raise ValueError(f"{found}: expected one per class")
    pictures = []
    for label, folder in enumerate(folders):
        files = list(files_in(folder, seen))
        if not files:
            found = f"{folder} holds no files"
            expected = f"expected the images of class {shown(classes[label])}"
            raise ValueError(f"{found}, {expected}")
        refuse_splits_inside(folder, files)
        members = []
        for path in files:
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            members.append(Picture(path, label, normalize("NFC", name)))
        pictures += sorted(members, key=lambda each: (each.name, str(each.path)))
    return classes, tuple(pictures)


def read_pictures(
    pictures: Sequence[Picture],
    classes: tuple[str, ...],
    image_size: int | tuple[int, int],
) -> ImageSet:
    """Read the files of a split into memory: (N, 3, rows, columns) uint8, as
    `read_image` does. Raises what that raises.
    """
    sides = sides_of(image_size)
    try:
        images = torch.empty(len(pictures), 3, *sides, dtype=torch.uint8)
    except RuntimeError as error:  # PyTorch's word for too little memory on a CPU
        gigabytes = len(pictures) * 3 * sides[0] * sides[1] / 1e9
        raise ValueError(
            f"{len(pictures)} pictures of {sides[0]} x {sides[1]} pixels need "
            f"{gigabytes:,.0f} GB of memory, which are not there: expected workers, "
            "which leave them on the disk, a smaller image_size or fewer pictures"
        ) from error
    for image, each in zip(images, pictures, strict=True):
        image.copy_(read_image(each.path, sides))
    labels = torch.tensor([each.label for each in pictures])
    return ImageSet(images, labels, classes, origin=fingerprint(pictures))
