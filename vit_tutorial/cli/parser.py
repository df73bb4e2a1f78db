"""The command line's parser: jsonargparse, its errors in one line."""

import re
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ActionConfigFile, ArgumentParser, Namespace

from vit_tutorial.cli.console import one_line
from vit_tutorial.files import user_path
from vit_tutorial.settings import shown
from vit_tutorial.training.config import RENAMED

# what --print_config shows, and what follows from the model
MAY_BE_BLANK = ("config", "data.image_size")


class Parser(ArgumentParser):
    """jsonargparse's parser, whose every error is one line on stderr and exit code 2;
    names are written out.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, allow_abbrev=False, **settings)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        self.exit(2, one_line(message + new_name(message)))


def new_name(message: str) -> str:
    """What a setting that the message names by its old name is called now."""
    for old, new in RENAMED.items():
        if re.search(rf"\btraining\.{re.escape(old)}(?![\w.])", message):
            return f"; training.{old} is now training.{new}"
    return ""


class ConfigFile(ActionConfigFile):
    """`--config NAME` is a recipe of the package, or else the path of a YAML file."""

    def __call__(
        self, parser: Any, config: Any, values: Any, option_string: str | None = None
    ) -> None:
        packaged = packaged_configs()
        path = packaged.get(values, user_path(values))
        if not path.is_file():
            parser.error(
                f"no config {values!r}: neither a file nor one of {sorted(packaged)}"
            )
        try:  # jsonargparse does not name the file in its errors
            refuse_blanks(read_yaml(path))
        except ValueError as error:
            parser.error(f"{path} {error}")
        # jsonargparse would read the file in the machine's own encoding
        text = path.read_text(encoding="utf-8-sig")
        super().__call__(parser, config, text, option_string)
        for name in parser.groups:
            if not isinstance(group := config.get(name, Namespace()), Namespace):
                parser.error(f"{path}: {name} is {group!r}, expected settings")


def packaged_configs() -> dict[str, Path]:
    """The recipes of the package, by name."""
    folder = Path(str(resources.files("vit_tutorial"))) / "configs"
    return {path.stem: path for path in folder.glob("*.yaml")}


def read_yaml(path: Path) -> dict:
    """The settings in a YAML file. Raises ValueError for anything else, and for
    aliases: a few stand for billions.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise ValueError("holds an alias (*name): write the value out")
        found = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"is no YAML: {str(error) or type(error).__name__}") from error
    if not isinstance(found, dict):
        raise ValueError(
            f"holds {shown(found)}, expected settings of model, data or training"
        )
    return found


def refuse_blanks(settings: dict, within: str = "") -> None:
    """Raise ValueError for the first setting without a value."""
    for name, value in settings.items():
        if isinstance(value, dict):
            refuse_blanks(value, f"{within}{name}.")
        elif value is None and within + str(name) not in MAY_BE_BLANK:
            raise ValueError(f"holds no value for {within}{name}")
