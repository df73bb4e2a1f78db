"""How to cite the book, as BibTeX, from CITATION.cff."""

from pathlib import Path
from typing import Any

import address
import yaml

from vit_tutorial.files import write_file

ROOT = Path(__file__).resolve().parent.parent
KEY = "vit_tutorial"


def bibtex(facts: dict[str, Any], url: str = "") -> str:
    """An entry from the facts of a CITATION.cff: title, authors, version and, where
    there are such, the day of the release and an address.
    """
    authors = " and ".join(_author(each) for each in facts["authors"])
    fields = {
        "author": authors,
        "title": f"{{{facts['title']}}}",  # keeps its capitals
        "version": str(facts["version"]),
        "year": str(facts.get("date-released", ""))[:4],
        "url": url,
    }
    lines = [f"  {name:7} = {{{text}}}," for name, text in fields.items() if text]
    return "\n".join([f"@software{{{KEY},", *lines, "}"]) + "\n"


def _author(facts: dict[str, str]) -> str:
    """A person as BibTeX reads one; the name of a group is kept together."""
    if "name" in facts:
        return f"{{{facts['name']}}}"
    return f"{facts['family-names']}, {facts['given-names']}"


def write(folder: Path) -> None:
    """Write citation.bib."""
    facts = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    text = bibtex(facts, address.read(ROOT).get("Repository", ""))
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "citation.bib", text.encode())
