"""What a run knows besides its weights, as JSON; every value is checked when it is
read.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path

from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.settings import is_number, settings_of, shown
from vit_tutorial.training.config import TrainConfig

PARTS = {"model": ViTConfig, "data": DataConfig, "training": TrainConfig}


@dataclass(frozen=True)
class Record:
    """What a run knows besides its weights; `record["classes"]` is `record.classes`.

    `config` is the run's config.json: the settings of "model", "data" and "training".
    `mean` and `std` are those the model's images are normalised with. `history` has
    one row an epoch.
    """

    config: dict
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    history: list[dict] = field(default_factory=list)

    def __getitem__(self, name: str) -> dict | tuple | list:
        return vars(self)[name]

    def settings(self) -> str:
        """What config.json holds."""
        return to_json(self.full())

    def full(self) -> dict:
        """The config, with what the data said of classes and normalisation."""
        return self.config | {
            "classes": self.classes,
            "mean": self.mean,
            "std": self.std,
        }


def to_json(value: object) -> str:
    """A value as the files of a run hold it. Raises ValueError for NaN and infinity,
    which JSON does not know.
    """
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def from_json(text: str | bytes) -> object:
    """What a JSON text says. Raises ValueError for what is no JSON, NaN and infinity
    included.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no number")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_record(folder: Path) -> Record:
    """The record of a run from config.json and, where there is one, history.json.

    Raises ValueError, one line with the path, for what is missing, broken or cannot be.
    """
    path = folder / "config.json"
    try:
        record = checked(path, check_settings, path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(
            f"{path} is missing: the weights alone do not say which model they are for"
        ) from error
    path = folder / "history.json"
    if path.is_file():
        record.history[:] = checked(path, check_history, path.read_bytes())
    return record


def checked(path: Path, check: Callable[[object], object], text: str | bytes) -> object:
    """What `check` makes of a JSON text. Raises ValueError with the path the text is
    from.
    """
    try:
        value = from_json(text)
    except ValueError as error:
        raise ValueError(f"{path} is broken: {error}") from error
    try:
        return check(value)
    except KeyError as error:
        raise ValueError(f"{path} is broken: it has no {error}") from error
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error


def check_settings(config: object) -> Record:
    """The record that config.json describes. Raises ValueError, or KeyError for a part
    that it lacks.
    """
    if not isinstance(config, dict):
        raise ValueError(f"is broken: it holds {shown(config)}, expected settings")
    classes, mean, std = (config[name] for name in ("classes", "mean", "std"))
    found = {}
    for name, kind in PARTS.items():
        part = config[name] if name != "training" else config.get(name, {})
        if not isinstance(part, dict):
            raise ValueError(
                f"is broken: {name} is {shown(part)}; 'model', 'data' and 'training'"
                " must hold settings"
            )
        if unknown := part.keys() - {setting.name for setting in fields(kind)}:
            raise ValueError(f"holds an unknown setting: {name}.{min(unknown)}")
        try:
            found[name] = settings_of(kind, part)
        except ValueError as error:
            raise ValueError(f"describes no {name}: {error}") from error
    if not isinstance(classes, list) or not all(
        isinstance(name, str) for name in classes
    ):
        raise ValueError(
            f"is broken: classes is {shown(classes)}, expected a list of names"
        )
    if len(classes) != found["model"].classes:
        raise ValueError(
            f"names {len(classes)} classes, but its model.classes is"
            f" {found['model'].classes}"
        )
    try:
        scale = DataConfig(mean=mean, std=std)
    except ValueError as error:
        raise ValueError(f"is broken: {error}") from error
    if len(scale.mean) != found["model"].channels:
        raise ValueError(
            f"has {len(scale.mean)} values of mean, but its model.channels is"
            f" {found['model'].channels}"
        )
    return Record(config, tuple(classes), scale.mean, scale.std)


def check_history(history: object) -> list[dict]:
    """The rows of a history. Raises ValueError for anything but numbered rows of
    numbers.
    """
    if not isinstance(history, list):
        raise ValueError(
            f"is broken: it holds {shown(history)}, expected a list of rows"
        )
    for number, row in enumerate(history, start=1):
        if not isinstance(row, dict) or not all(map(is_number, row.values())):
            raise ValueError(
                f"is broken: row {number} is {shown(row)}, expected numbers by name"
            )
        if row.get("epoch") != number:
            raise ValueError(
                f"is broken: row {number} is of epoch {shown(row.get('epoch'))},"
                f" expected {number}"
            )
    return history
