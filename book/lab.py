"""Open JupyterLab on the learner's own copies of the chapters, in lab/, at the one
worked on last, or the first.

A copy that was worked on is never touched; one that was not is brought up to date; new
chapters are added. The list of their exercises, put beside them, tells the checks that
a learner works here.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from vit_tutorial.files import write_file

ROOT = Path(__file__).resolve().parent.parent
RECORD = ".copied.json"  # what was copied, by name: digests of the copy
# where vit_tutorial.checks.notes looks for it; to import that takes seconds
EXERCISES = ".exercises.json"
CHAPTERS = "[0-9][0-9]_*.ipynb"
# copies made earlier are still paired
ALONE = "--ServerApp.jpserver_extensions={'jupyterlab_jupytext':False}"
# its labconfig/ holds what counts where a learner has set nothing: no question about
# news, no look for a newer JupyterLab
SETTINGS = ROOT / "book" / "jupyter"
CHECK = re.compile(r"^check\.(\w+)\(", re.MULTILINE)
HEADING = re.compile(r"^##+ (.+)$", re.MULTILINE)
EFFORT = re.compile(r" \((?P<minutes>\d+) minutes, (?P<stars>one|two|three) stars?\)")
STARS = {"one": 1, "two": 2, "three": 3}


def copy_chapters(source: Path, target: Path) -> list[str]:
    """Copy chapters, diagrams and my_vit.py, and list the exercises; returns the names
    of what has a newer form than the copy worked on.
    """
    target.mkdir(exist_ok=True)
    copied = read_digests(target)
    fresh = {}
    kept = []
    for chapter in [
        *sorted(source.glob(CHAPTERS)),
        *source.glob("my_vit.py"),
    ]:
        copy = target / chapter.name
        content = chapter.read_bytes()
        # as the chapter was copied before copies were taken out of their pairs
        current = {digest(content)}
        if copy.suffix == ".ipynb":
            content = unpaired(content)
        now = digest(content)
        current.add(now)
        known = copied.get(chapter.name, [])
        if not copy.exists() or digest(copy.read_bytes()) in [*known, now]:
            fresh[copy] = content
            copied[chapter.name] = [*known, now]
        elif not known or not current.issuperset(known):
            kept.append(chapter.name)
    # before: killed on the way, some are of the old form, some of the new, none is lost
    write_digests(target, copied)
    for copy, content in fresh.items():
        # whole or not at all: one cut off would look like one that was worked on
        write_file(copy, content)
        copied[copy.name] = [digest(content)]
    write_digests(target, copied)
    shutil.copytree(source / "figures", target / "figures", dirs_exist_ok=True)
    listed = [
        exercise
        for chapter in sorted(source.glob(CHAPTERS))
        for exercise in exercises(chapter)
    ]
    write_file(target / EXERCISES, (json.dumps(listed, indent=1) + "\n").encode())
    return kept


def exercises(chapter: Path) -> list[dict]:
    """The exercises of a chapter, as `vit_tutorial.checks.notes.Exercise` takes them:
    the cells that call a check, each with the heading above it.
    """
    cells = json.loads(chapter.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]  # a list of lines, or all
    title = texts[0].removeprefix("# ").partition("\n")[0].partition(":")[0]
    found = []
    heading = title
    for cell, text in zip(cells, texts, strict=True):
        if cell["cell_type"] == "markdown":
            heading = [heading, *HEADING.findall(text)][-1]
        elif check := CHECK.search(text):
            effort = EFFORT.search(heading)
            name = EFFORT.sub("", heading).removeprefix("Your turn: ")
            found.append(
                {
                    "check": check[1],
                    "chapter": title,
                    "file": chapter.name,
                    "heading": heading,
                    "title": name[:1].upper() + name[1:],
                    "minutes": int(effort["minutes"]) if effort else 0,
                    "stars": STARS[effort["stars"]] if effort else 0,
                }
            )
    return found


def last_worked_on(target: Path) -> str:
    """The name of the copy that was changed last; of the first chapter where none
    was.
    """
    copied = read_digests(target)
    chapters = sorted(target.glob(CHAPTERS))
    changed = [
        chapter
        for chapter in chapters
        if digest(chapter.read_bytes()) not in copied.get(chapter.name, [])
    ]
    return max(changed, key=lambda path: path.stat().st_mtime, default=chapters[0]).name


def read_digests(target: Path) -> dict[str, list[str]]:
    """What the copies were like when they were made, by name: one digest, more after a
    kill; nothing where that was never written down or cannot be read.
    """
    try:
        copied = json.loads((target / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(copied, dict):
        return {}
    return {
        name: found if isinstance(found, list) else [found]  # as it was written once
        for name, found in copied.items()
    }


def write_digests(target: Path, copied: dict[str, list[str]]) -> None:
    write_file(target / RECORD, (json.dumps(copied, indent=1) + "\n").encode())


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


def environment() -> dict[str, str]:
    """This one, and our settings for JupyterLab where the learner has none."""
    paths = [os.environ.get("JUPYTER_CONFIG_PATH", ""), str(SETTINGS)]
    return os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, paths))}


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
        f"--LabApp.default_url=/lab/tree/{quote(last_worked_on(ROOT / 'lab'))}",
        ALONE,
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # Jupyter refuses to start for root without it
    try:
        return subprocess.run(command, env=environment()).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
