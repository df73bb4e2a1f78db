"""What every record of a measurement holds, and how it is written."""

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from jsonargparse import auto_cli

from vit_tutorial.cli.console import one_line

ROOT = Path(__file__).resolve().parent.parent


def commit() -> str:
    """The commit that was measured, with "+" where the code differs from it; outside
    git what VIT_COMMIT says.
    """
    try:
        head, changes = (
            subprocess.run(
                ["git", "-C", ROOT, *command],
                capture_output=True,
                text=True,
                check=True,
                encoding="utf-8",
            ).stdout.strip()
            for command in (
                ["rev-parse", "--short=12", "HEAD"],
                [
                    "status",
                    "--porcelain",
                    "--untracked-files=no",
                    "--",
                    ".",
                    ":!results",
                ],
            )
        )
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("VIT_COMMIT", "unknown")
    return head + "+" * bool(changes)


def device_name(device: str) -> str:
    """The name of the GPU or the processor, without anything that names the machine."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(
            line.split(":", 1)[1].strip()
            for line in lines
            if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def nameless(word: str) -> str:
    """A word of a command without the folders of this machine: of an absolute path only
    the last part is kept.
    """
    option, equals, value = word.rpartition("=")
    return option + equals + (Path(value).name if Path(value).is_absolute() else value)


def circumstances(device: str, packages: list[str]) -> dict:
    """Command, commit, device and versions."""
    return {
        "command": shlex.join(
            [
                "python",
                f"benchmarks/{Path(sys.argv[0]).name}",
                *map(nameless, sys.argv[1:]),
            ]
        ),
        "commit": commit(),
        "device": device_name(device),
        "cores": (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count()
        ),
        "versions": (
            {"python": platform.python_version()}
            | {name: version(name) for name in packages}
        ),
    }


def read_record(path: Path, parts: tuple[str, ...]) -> dict:
    """What an earlier call has written, which must have these parts; {} when there is
    nothing yet.

    Raises ValueError for a file that is broken or of another kind.
    """
    if not path.exists():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, no UTF-8
        raise ValueError(f"{path} is broken ({error}): mend or delete it") from error
    missing = [
        part for part in parts if not isinstance(record, dict) or part not in record
    ]
    if missing:
        raise ValueError(
            f"{path} is another benchmark's record: it has no {missing[0]!r}"
        )
    return record


def write_record(path: Path, record: dict) -> None:
    """Write JSON under a temporary name, then rename it: a record is whole or
    absent.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


def run(main: Callable[..., int | None]) -> int | None:
    """Call `main` with the options of the command line; a user's mistake is one line
    and exit code 2.
    """
    try:
        return auto_cli(main)
    except (ValueError, OSError, FloatingPointError) as error:
        sys.stderr.write(one_line(error))
        sys.exit(2)
