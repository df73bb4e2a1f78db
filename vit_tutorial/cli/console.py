"""What the command line prints; none of it stops a run, not even a reader who
leaves.
"""

import os
import re
import shlex
import subprocess
import sys
from argparse import ArgumentError

PROGRAM = "python -m vit_tutorial"
LONGEST = 600  # characters of an error
SHORT = {"val_knn_accuracy": "k-NN"}


def say(line: str, file: str = "stdout") -> None:
    """Print a line at once. When nobody reads it any more, as after `| head -1`, the
    work goes on without a word.
    """
    stream = getattr(sys, file)
    try:
        print(line, file=stream, flush=True)
    except OSError:
        hush(file)


def typed(words: list[str]) -> str:
    """Words as they are typed at a prompt, quoted as this system's shell has it."""
    # what Windows knows of quotes are double ones
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)


def hush(file: str) -> None:
    """Send everything that is still to be printed to nowhere, what waits in the stream
    included.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, getattr(sys, file).fileno())
    finally:
        os.close(nowhere)


def print_row(row: dict) -> None:
    parts = []
    for part in ("train", "val"):
        words = [f"{part} loss {row[part + '_loss']:.3f}"]
        for name, value in row.items():
            if name.startswith(f"{part}_") and not name.endswith("_loss"):
                words.append(f"{SHORT.get(name, name[len(part) + 1 :])} {value:6.1%}")
        parts.append(" ".join(words))
    say(
        f"epoch {row['epoch']:3}: {', '.join(parts)}, rate {row['learning_rate']:.1e},"
        f" {row['seconds']:.0f} s"
    )


def one_line(message: object) -> str:
    """A message as the command line shows it, its middle left out when it is long."""
    text = " ".join(str(message).split())
    if len(text) > LONGEST:
        text = text[: LONGEST - 150] + " ... " + text[-150:]
    return f"error: {text}\n"


def in_words(error: Exception) -> str:
    """What a user is told of an error: a mistake in its own words, anything else with
    its kind.
    """
    text = str(error).strip() or type(error).__name__
    if isinstance(error, MemoryError) or re.search(
        r"(?i)can't allocate memory|not enough memory", text
    ):
        size = re.search(r"allocate (\d+) bytes", text)
        return "too little memory" + (
            f" for {int(size[1]) / 1e9:,.1f} GB more" if size else f": {text}"
        )
    if isinstance(error, OverflowError):
        return f"a number is too large: {text}"
    plain = (ValueError, OSError, FloatingPointError, ArgumentError)
    if isinstance(error, plain) or type(error).__name__ == "OutOfMemoryError":
        return text
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed: pip install 'vit-tutorial[chapters]'"
    first = text.splitlines()[0]
    return (
        f"{type(error).__name__}: {first:.300} (VIT_TRACEBACK=1 in the environment"
        " shows where)"
    )
