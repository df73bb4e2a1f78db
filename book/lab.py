"""Open JupyterLab on the learner's own copies of the chapters, in lab/.

A copy that was worked on is never touched; one that was not is brought up to date; new
chapters are added.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from vit_tutorial.files import write_file

ROOT = Path(__file__).resolve().parent.parent
# copies made earlier are still paired
ALONE = "--ServerApp.jpserver_extensions={'jupyterlab_jupytext':False}"


def copy_chapters(source: Path, target: Path) -> list[str]:
    """Copy chapters, diagrams and my_vit.py; returns the names of what has a newer form
    than the copy worked on.
    """
    target.mkdir(exist_ok=True)
    record = target / ".copied.json"
    copied = read_digests(record)
    kept = []
    for chapter in [
        *sorted(source.glob("[0-9][0-9]_*.ipynb")),
        *source.glob("my_vit.py"),
    ]:
        copy = target / chapter.name
        content = chapter.read_bytes()
        # as the chapter was copied before copies were taken out of their pairs
        before = {digest(content)}
        if copy.suffix == ".ipynb":
            content = unpaired(content)
        now = digest(content)
        last = copied.get(chapter.name)
        if not copy.exists() or digest(copy.read_bytes()) in (last, now):
            # whole or not at all: one cut off would look like one that was worked on
            write_file(copy, content)
            copied[chapter.name] = now
        elif last not in before | {now}:
            kept.append(chapter.name)
    shutil.copytree(source / "figures", target / "figures", dirs_exist_ok=True)
    write_file(record, (json.dumps(copied, indent=1) + "\n").encode())
    return kept


def read_digests(record: Path) -> dict[str, str]:
    """What was copied, by name; nothing where that was never written down or cannot be
    read.
    """
    try:
        copied = json.loads(record.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return copied if isinstance(copied, dict) else {}


def unpaired(notebook: bytes) -> bytes:
    """A chapter without its tie to a text file: jupytext would write that beside the
    copy, and refuse a later chapter of the same name as long as the text is there.
    """
    try:
        content = json.loads(notebook)
    except ValueError:  # no notebook: as it is
        return notebook
    content["metadata"].pop("jupytext", None)
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def main() -> int:
    for name in copy_chapters(ROOT / "notebooks", ROOT / "lab"):
        print(
            f"lab/{name} is yours and stays; the chapter has changed since: delete or"
            " rename yours to get the new one"
        )
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--notebook-dir",
        str(ROOT / "lab"),
        ALONE,
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # Jupyter refuses to start for root without it
    try:
        return subprocess.run(command).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
