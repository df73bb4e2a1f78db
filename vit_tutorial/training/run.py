"""What a run knows besides its weights, its config and its history, as JSON; every
value is checked when it is read.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.images import Normalization
from vit_tutorial.settings import is_number, settings_of, shown
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.migrate import SCHEMA, migrate_config

MOST_BYTES = 10**8  # of JSON: a .safetensors file holds no more text
PARTS = {"model": ViTConfig, "data": DataConfig, "training": TrainConfig}


@dataclass(frozen=True)
class RunConfig:
    """All that a run was told, and what it found the classes of its data to be.

    `images` says which pictures of a folder it trained and validated on. A part is also
    found by its name, as plain settings: `config["model"]["dim"]`.
    """

    model: ViTConfig
    data: DataConfig
    training: TrainConfig
    classes: tuple[str, ...]
    normalization: Normalization
    images: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.as_dict()[name]

    def as_dict(self) -> dict:
        """What config.json holds."""
        parts = {name: asdict(getattr(self, name)) for name in PARTS}
        found = {"schema": SCHEMA, **parts, "classes": self.classes}
        found |= asdict(self.normalization)
        return found | ({"images": self.images} if self.images else {})

    @classmethod
    def from_dict(cls, config: object) -> "RunConfig":
        """What config.json describes; one of an older schema is migrated.

        Raises ValueError for what cannot be, or KeyError for a part that is lacking.
        """
        if not isinstance(config, dict):
            raise ValueError(f"is broken: it holds {shown(config)}, expected settings")
        config = migrate_config(config)
        parts = {name: _part(config, name, kind) for name, kind in PARTS.items()}
        classes = _classes(config["classes"], parts["model"])
        images = config.get("images", {})
        if not isinstance(images, dict):
            raise ValueError(f"is broken: images is {shown(images)}, expected names")
        scale = _normalization(config["mean"], config["std"], parts["model"])
        return cls(**parts, classes=classes, normalization=scale, images=images)


class History(list[dict]):
    """A row of numbers for each finished epoch, from 1 on."""

    @classmethod
    def from_rows(cls, rows: object) -> "History":
        """The rows as JSON gives them. Raises ValueError for anything but numbered rows
        of numbers.
        """
        if not isinstance(rows, list):
            raise ValueError(
                f"is broken: it holds {shown(rows)}, expected a list of rows"
            )
        for number, row in enumerate(rows, start=1):
            if not isinstance(row, dict) or not all(map(is_number, row.values())):
                raise ValueError(
                    f"is broken: row {number} is {shown(row)}, expected numbers by name"
                )
            if row.get("epoch") != number:
                raise ValueError(
                    f"is broken: row {number} is of epoch {shown(row.get('epoch'))},"
                    f" expected {number}"
                )
        return cls(rows)


@dataclass(frozen=True)
class Run:
    """What lies beside a run's weights: its config and its history.

    `run["classes"]` is `run.classes`, and so on.
    """

    config: RunConfig
    history: History = field(default_factory=History)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of the logits."""
        return self.config.classes

    @property
    def normalization(self) -> Normalization:
        """What the model's images are normalised with."""
        return self.config.normalization

    @property
    def mean(self) -> tuple[float, ...]:
        """The means of the normalisation, one per channel."""
        return self.normalization.mean

    @property
    def std(self) -> tuple[float, ...]:
        """The deviations of the normalisation, one per channel."""
        return self.normalization.std

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)


def _part(config: dict, name: str, kind: type) -> Any:
    """One of the parts, checked; "training" may be absent."""
    part = config.get(name, {}) if name == "training" else config[name]
    if not isinstance(part, dict):
        raise ValueError(
            f"is broken: {name} is {shown(part)}; 'model', 'data' and 'training' must"
            " hold settings"
        )
    if unknown := part.keys() - {setting.name for setting in fields(kind)}:
        raise ValueError(f"holds an unknown setting: {name}.{in_line(min(unknown))}")
    try:
        return settings_of(kind, part)
    except ValueError as error:
        raise ValueError(f"describes no {name}: {error}") from error


def _classes(classes: Any, model: ViTConfig) -> tuple[str, ...]:
    names = isinstance(classes, list) and all(isinstance(n, str) for n in classes)
    if not names:
        raise ValueError(
            f"is broken: classes is {shown(classes)}, expected a list of names"
        )
    if len(classes) != model.classes:
        raise ValueError(
            f"names {len(classes)} classes, but its model.classes is {model.classes}"
        )
    return tuple(classes)


def _normalization(mean: Any, std: Any, model: ViTConfig) -> Normalization:
    try:
        scale = DataConfig(mean=mean, std=std)
    except ValueError as error:
        raise ValueError(f"is broken: {error}") from error
    if len(scale.mean) != model.channels:
        raise ValueError(
            f"has {len(scale.mean)} values of mean, but its model.channels is"
            f" {model.channels}"
        )
    return Normalization(scale.mean, scale.std)


def to_json(value: object) -> str:
    """A value as the files of a run hold it. Raises ValueError for NaN and infinity,
    which JSON does not know.
    """
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def from_json(text: str | bytes) -> Any:
    """What a JSON text says. Raises ValueError for what is no JSON, NaN and infinity
    included, and for an object that names a thing twice.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no number")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in found if names.count(name) > 1)
            raise ValueError(f"it names {in_line(twice)} twice")
        return found

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=once)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def checked(path: Path, check: Callable[[object], Any], text: str | bytes) -> Any:
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


def checked_file(path: Path, check: Callable[[object], Any]) -> Any:
    """What `check` makes of a file of JSON. Raises ValueError with the path, for a file
    that is far too large before it is read.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ValueError(
            f"{path} is broken: it holds {size:,} bytes, expected at most"
            f" {MOST_BYTES:,}"
        )
    return checked(path, check, path.read_bytes())


def in_line(name: str) -> str:
    """A name from a file as an error shows it: in one line, and not all of a long
    one.
    """
    return repr(name[:100])[1:-1]


def read_run(folder: Path) -> Run:
    """A run from config.json and, where there is one, history.json.

    Raises ValueError, one line with the path, for what is missing, broken or cannot be.
    """
    path = folder / "config.json"
    try:
        config = checked_file(path, RunConfig.from_dict)
    except FileNotFoundError as error:
        raise ValueError(
            f"{path} is missing: the weights alone do not say which model they are for"
        ) from error
    path = folder / "history.json"
    if not path.is_file():
        return Run(config)
    return Run(config, checked_file(path, History.from_rows))
