"""The question of each chapter, from the table of the landing page."""

import re
from pathlib import Path

ROW = re.compile(
    r"^\| \d\d \| \[[^]]*\]\(\.\./(notebooks/\w+)\.ipynb\) \| (.+) \|$", re.MULTILINE
)


def read(book: Path) -> dict[str, str]:
    """Questions by the name of the page, notebooks/NN_name."""
    return dict(ROW.findall((book / "index.md").read_text(encoding="utf-8")))
