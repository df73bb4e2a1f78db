"""What is written, and what was recorded: the chapters' texts and the results."""

import json
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@cache
def chapter(name: str) -> str:
    """The text of a chapter, its lines joined."""
    path = ROOT / "notebooks" / f"{name}.md"
    return " ".join(path.read_text(encoding="utf-8").split())


def recorded(name: str) -> dict:
    """A result, from results/."""
    return json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))
