"""Result files and the commands that make them: what each file says of the machine,
how it is read and written, and how a command is started.
"""

import json
import os
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import torch
from jsonargparse import auto_cli

from vit_tutorial.cli.console import one_line
from vit_tutorial.cli.parser import Parser
from vit_tutorial.files import write_file

ROOT = Path(__file__).resolve().parent.parent


def commit() -> str:
    """The commit that was measured, with "+" where the code differs from it; outside
    git what VIT_COMMIT says.
    """
    try:
        head, changes = (
            subprocess.run(
                ["git", "-C", ROOT, *command.split()],
                capture_output=True,
                check=True,
                encoding="utf-8",
            ).stdout.strip()
            for command in (
                "rev-parse --short=12 HEAD",
                "status --porcelain --untracked-files=no -- . :!results",
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


def strip_paths(word: str) -> str:
    """A word of a command without the folders of this machine: of an absolute path only
    the last part is kept, and so of each within a list.
    """
    option, equals, value = word.rpartition("=")
    if Path(value).is_absolute():
        return option + equals + last_part(value)
    return "".join(map(last_part, re.split(r"""([\s"',=\[\]{}]+)""", word)))


def last_part(path: str) -> str:
    """Of an absolute path what stands last; anything else as it is."""
    return Path(path).name or path if Path(path).is_absolute() else path


def environment_info(device: str, *packages: str) -> dict:
    """Command, commit, device and versions."""
    script = "/".join(Path(sys.argv[0]).resolve().parts[-2:])
    return {
        "command": shlex.join(["python", script, *map(strip_paths, sys.argv[1:])]),
        "commit": commit(),
        "device": device_name(device),
        "cores": (
            len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count()
        ),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("torch", *packages)},
    }


def read_result(path: Path, *parts: str) -> dict:
    """What an earlier call has written, which must have these parts; {} when there is
    nothing yet.

    Raises ValueError for a file that is broken or of another kind.
    """
    if not path.exists():
        return {}
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, no UTF-8
        raise ValueError(f"{path} is broken ({error}): mend or delete it") from error
    for part in parts:
        if not isinstance(result, dict) or part not in result:
            raise ValueError(f"{path} is another command's result: it has no {part!r}")
    return result


def write_result(path: Path, result: dict) -> None:
    """Write JSON, all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, (json.dumps(result, indent=2) + "\n").encode())


def run(main: Callable[..., int | None]) -> int | None:
    """Call `main` with the options of the command line; a user's mistake is one line
    and exit code 2.
    """
    try:
        return auto_cli(main, parser_class=Parser)
    except (ValueError, OSError, FloatingPointError) as error:
        sys.stderr.write(one_line(error))
        sys.exit(2)
