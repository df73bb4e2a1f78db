"""Paths as people write them, and files that are written whole or not at all."""

import os
from pathlib import Path


def user_path(path: str | Path) -> Path:
    """The path meant. A name like ~nobody, which no user has, stays as it is."""
    return Path(os.path.expanduser(path))


def user_word(word: str) -> str:
    """A word of a command line, in which `~` may begin a path, or the value of an
    option: --root=~/data.
    """
    option, equals, value = (
        word.partition("=") if word.startswith("--") else ("", "", word)
    )
    return option + equals + os.path.expanduser(value)


def write_file(path: Path, content: bytes) -> None:
    """Write all or nothing: under a temporary name in the same folder, then renamed.
    Raises OSError with the path.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        # what a killed process left, or a link that leads elsewhere
        part.unlink(missing_ok=True)
        part.write_bytes(content)
        with part.open("rb+") as file:
            os.fsync(file.fileno())  # before the name changes: power may fail, too
        os.replace(part, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        if part.is_file():
            part.unlink()
