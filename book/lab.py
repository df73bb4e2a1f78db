"""Open JupyterLab on the learner's own copies of the chapters, in lab/.

A copy that was worked on is never touched; one that was not is brought up to date; new chapters are added.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def copy_chapters(source: Path, target: Path) -> list[str]:
    """Copy chapters, diagrams and my_vit.py; returns the names of what has a newer form than the copy worked on."""
    target.mkdir(exist_ok=True)
    record = target / ".copied.json"
    copied = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    kept = []
    for chapter in [*sorted(source.glob("[0-9][0-9]_*.ipynb")), *source.glob("my_vit.py")]:
        copy, digest = target / chapter.name, hashlib.sha256(chapter.read_bytes()).hexdigest()
        if not copy.exists() or hashlib.sha256(copy.read_bytes()).hexdigest() == copied.get(chapter.name):
            shutil.copyfile(chapter, copy)
            copied[chapter.name] = digest
        elif copied.get(chapter.name) != digest:
            kept.append(chapter.name)
    shutil.copytree(source / "figures", target / "figures", dirs_exist_ok=True)
    record.write_text(json.dumps(copied, indent=1) + "\n", encoding="utf-8")
    return kept


def main() -> int:
    for name in copy_chapters(ROOT / "notebooks", ROOT / "lab"):
        print(
            f"lab/{name} is yours and stays; the chapter has changed since: delete or rename yours to get the new one"
        )
    command = [sys.executable, "-m", "jupyterlab", "--notebook-dir", str(ROOT / "lab")]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # Jupyter refuses to start for root without it
    try:
        return subprocess.run(command).returncode
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
