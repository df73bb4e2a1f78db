"""Paths as users give them: `~` is the home folder also where no shell has opened it, as in --out=~/runs."""

import os
from pathlib import Path


def user_path(path: str | Path) -> Path:
    """The path meant. A name like ~nobody, which no user has, stays as it is."""
    return Path(os.path.expanduser(path))


def user_word(word: str) -> str:
    """A word of a command line, in which `~` may begin a path, or the value of an option: --root=~/data."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return option + equals + os.path.expanduser(value)
