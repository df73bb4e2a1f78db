"""The tables of the page on speed, from a record."""

import json
from pathlib import Path

from vit_tutorial.files import write_file

ROOT = Path(__file__).resolve().parent.parent


def table(heads: tuple[str, str], rows: dict[str, float], of: float, unit: str) -> str:
    """Names, bars whose whole length means `of`, and numbers, as HTML."""
    lines = [
        f"<tr><td>{name}</td>"
        f'<td><meter max="{of:g}" value="{value:g}" aria-hidden="true"></meter></td>'
        f"<td>{value:.{0 if unit else 2}f}{unit}</td></tr>"
        for name, value in rows.items()
    ]
    first, last = heads
    head = f"<tr><th>{first}</th><th></th><th>{last}</th></tr>"
    return f'<table class="table speed">{head}{"".join(lines)}</table>\n'


def write(folder: Path) -> None:
    """Write ways.html and shares.html."""
    path = ROOT / "results" / "speed-cpu.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    ways = {name: way["times_as_fast"] for name, way in record["ways"].items()}
    shares = {name: 100 * part for name, part in record["shares_of_a_step"].items()}
    tables = {
        "ways": table(("way", "times as fast"), ways, 2, ""),
        "shares": table(("what", "share of a step"), shares, 100, " %"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        write_file(folder / f"{name}.html", text.encode())
