"""The pages beside the chapters, as their tests read them."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
SMALL = {
    "image_size": 96,
    "patch_size": 16,
    "dim": 96,
    "depth": 4,
    "heads": 4,
    "positions": "sincos",
}  # the chapters' model


def page(name: str) -> str:
    return (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8")


def flat(name: str) -> str:
    """A page with its lines joined."""
    return " ".join(page(name).split())


def fences(text: str, language: str) -> list[str]:
    """The contents of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def sections(text: str) -> dict[str, str]:
    """The sections of a page by the address of their heading (level 2)."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    return {
        title.lower().replace(" ", "-"): body
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }
