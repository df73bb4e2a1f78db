"""What lies in a folder: classes, splits, or what only looks like them."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from vit_tutorial.settings import shown

ROLES = {  # names of split folders, in any case, with or without "-", "_" and spaces
    "train": (
        "train",
        "training",
        "trainset",
        "trainingset",
        "traindata",
        "trainingdata",
    ),
    "val": (
        "val",
        "valid",
        "validation",
        "valset",
        "validset",
        "validationset",
        "valdata",
        "validationdata",
        "dev",
    ),
    "test": ("test", "testing", "testset", "testingset", "testdata", "testingdata"),
}
WORDS = {  # words in names that look like those of splits
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev", "eval", "evaluation", "holdout"),
    "test": ("test", "testing", "tst"),
}
MAY_BE_CLASSES = ("train", "valid")  # a vehicle, and what is not invalid
LEFT_BY_SYSTEMS = (
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "icon\r",
    "__macosx",
    "@eadir",
    "$recycle.bin",
    "system volume information",
    "lost+found",
)


def entries(folder: Path) -> list[Path]:
    """What lies in a folder, but for hidden files and what systems leave behind."""
    try:
        names = os.listdir(folder)
    except PermissionError as error:
        raise ValueError(f"{folder} cannot be opened: {error.strerror}") from error
    return [
        folder / name
        for name in names
        if not name.startswith(".") and name.lower() not in LEFT_BY_SYSTEMS
    ]


def files_in(folder: Path, seen: dict[str, Path]) -> Iterable[Path]:
    """All files in a folder and those within, through links; each folder once."""
    real = os.path.realpath(folder)
    if real in seen:
        found = f"{folder} is the same folder as {seen[real]}"
        raise ValueError(f"{found}, expected other pictures in each")
    seen[real] = folder
    for path in sorted(entries(folder)):
        if path.is_dir():
            yield from files_in(path, seen)
        else:
            yield path


def subfolders(root: Path) -> list[Path]:
    """The folders in a folder, in order, links to folders included."""
    if not root.is_dir():
        expected = "expected one with a subfolder of images for each class"
        raise FileNotFoundError(f"{root} is no folder, {expected}")
    return sorted(path for path in entries(root) if path.is_dir())


def role_of(name: str) -> str | None:
    """The split that a folder's name says, as "Train" or "test_set" do, or None."""
    plain = re.sub(r"[-_ .]", "", name).casefold()
    return next((role for role, names in ROLES.items() if plain in names), None)


def looks_like(name: str) -> str | None:
    """The split that a word in a name may mean, as in "test2017" or "valImages"."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    words = {part.casefold() for part in parts}
    roles = (role for role, meant in WORDS.items() if words & {*meant})
    return role_of(name) or next(roles, None)


def split_folders(root: Path, roles: dict[Path, str]) -> dict[str, Path]:
    """The folder of each split. Raises ValueError for two of one, and without train."""
    for role, count in Counter(roles.values()).items():
        if count > 1:
            names = some([path.name for path in roles if roles[path] == role])
            found = f"{root} holds {count} folders for the split {role!r}, {names}"
            raise ValueError(f"{found}: expected one")
    folders = {role: path for path, role in roles.items()}
    if "train" not in folders:
        found = f"{root} holds {some([path.name for path in roles])}"
        raise ValueError(f"{found}, which look like splits, expected a folder train")
    return {role: folders[role] for role in ROLES if role in folders}


def not_used(root: Path, others: list[Path]) -> tuple[str, ...]:
    """The names of folders beside splits. Raises ValueError when they hold pictures."""
    known = Image.registered_extensions()
    for path in others:
        pictures = (file.suffix.lower() in known for file in files_in(path, {}))
        if looks_like(path.name) or any(pictures):
            raise ValueError(
                f"{root} holds folders of splits and, beside them, {shown(path.name)} "
                "with other pictures: expected splits with a subfolder for each class, "
                "or classes alone; move it elsewhere"
            )
    return tuple(path.name for path in others)


def refuse_splits(root: Path, folders: list[Path]) -> None:
    """Raise ValueError when what should be classes looks like parts of a data set."""
    inside = {path: tuple(each.name for each in subfolders(path)) for path in folders}
    exact = [path for path in folders if role_of(path.name)]
    like = {path: role for path in folders if (role := looks_like(path.name))}
    names = [path.name.casefold() for path in exact]
    a_class = names in ([name] for name in MAY_BE_CLASSES) and not inside[exact[0]]
    suspects = [] if a_class else exact
    suspects += [path for path in like if inside[path]]
    if len(like) == len(folders) and len(set(like.values())) > 1:
        suspects += like
    if suspects:
        raise ValueError(
            f"{root} holds {shown(suspects[0].name)}, which looks like a split: "
            "expected train, val and test, each with a subfolder for each class, or "
            "classes alone; rename it if it is a class"
        )
    first, *others = inside.values()
    if len(first) > 1 and all(each == first for each in others):
        raise ValueError(
            f"the folders of {root} all hold the same folders, {some(first)}, as parts "
            "of one data set do: expected a folder for each class; give one of them, "
            "or put pictures straight into their class's folder"
        )


def refuse_splits_inside(folder: Path, files: list[Path]) -> None:
    """Raise ValueError when a class holds splits."""
    within = (path.relative_to(folder) for path in files if path.parent != folder)
    names = {path.parts[0] for path in within}
    roles = {role for name in names if (role := role_of(name))}
    if len(roles) > 1 or (names and all(map(role_of, names))):
        found = f"{folder} holds {some(sorted(names))}"
        raise ValueError(f"{found}, expected splits outside of classes: train/CLASS")


def some(names: Sequence[str], most: int = 10) -> str:
    """Names for a message, `('cats', 'dogs')`, however many and long they are."""
    rest = f", ... {len(names):,} in all" if len(names) > most else ""
    return f"({', '.join(map(shown, names[:most]))}{rest})"


def other_classes(found: Sequence[str], expected: Sequence[str]) -> str:
    """What to add where two lists of classes differ and not all of them are shown."""
    if max(len(found), len(expected)) <= 10:
        return ""
    if set(found) == set(expected):
        return "; they are the same in another order"
    missing = sorted({*expected} - {*found})
    new = sorted({*found} - {*expected})
    return f"; missing are {some(missing, 3)}, new are {some(new, 3)}"
