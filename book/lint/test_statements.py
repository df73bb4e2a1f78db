"""What the pages beside the chapters say of sizes, messages and results is so."""

import re

import pytest
import torch
from pages import ROOT, SMALL, flat, page
from torch.nn.functional import gelu
from written import recorded

from vit_tutorial.config import ViTConfig


def test_both_forms_of_gelu_differ_by_as_little_as_the_paper_map_says():
    x = torch.linspace(-10, 10, 10_001, dtype=torch.float64)
    difference = (gelu(x) - gelu(x, approximate="tanh")).abs().max()
    assert f"differ by {difference:.4f} at most" in flat("paper_map")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "Makefile",
            "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 ...",
        ),
        ("book/npm.py", "could not be fetched: the first time needs the network"),
        ("book/lab.py", "is yours and stays; the chapter has changed since"),
        (
            "vit_tutorial/data/stl10_download.py",
            "bytes are kept, run the download again to go on",
        ),
        ("vit_tutorial/training/checkpoint.py", "another process is training in"),
    ],
)
def test_a_quoted_message_stands_in_the_code(source, message):
    code = (ROOT / source).read_text(encoding="utf-8")
    whole = re.sub(r'"\n\s*f?"', "", code)  # of a text in pieces
    assert message in page("troubleshooting") and message in whole


def test_sessions_last_90_minutes():
    plans = re.findall(
        r"^\|---\|---\|\n((?:\|.*\|\n)+)", page("teaching"), re.MULTILINE
    )
    totals = [
        sum(int(minutes) for minutes in re.findall(r"^\| (\d+) \|", plan, re.MULTILINE))
        for plan in plans
    ]
    assert totals == [90] * 7


def test_letters_of_the_glossary_have_the_sizes_of_the_models():
    columns = {
        "small": ViTConfig(**SMALL),
        "base": ViTConfig(image_size=224, patch_size=16, dim=768, heads=12),
    }
    for place, c in enumerate(columns.values()):
        sizes = {
            "C": c.channels,
            "P": c.patch_size,
            "T": c.tokens,
            "D": c.dim,
            "H": c.heads,
            "K": c.dim // c.heads,
        }
        sizes |= {
            "N": c.grid[0] * c.grid[1],
            "B": "any",
            "Y, X": f"{c.sides[0]}, {c.sides[1]}",
        }
        rows = re.findall(
            r"^\| `([A-Z, ]+)` \| .* \| (.*) \| (.*) \|$",
            page("glossary"),
            re.MULTILINE,
        )
        assert {row[0]: row[1 + place] for row in rows} == {
            letter: str(size) for letter, size in sizes.items()
        }


def test_figures_on_the_pages_are_those_of_the_records():
    def mean(record: str, *keys: str, digits: int = 0) -> str:
        value = recorded(record)
        for key in (*keys, "mean"):
            value = value[key]
        return f"{100 * value:.{digits}f}"

    with_adamw = mean("stacks-adamw")
    slower = mean("stacks-adamw-2.5e-4")
    with_muon = mean("stacks", digits=1)
    few, augmented = (
        mean("data_efficiency", "steps", f"ViT, 500{how}")
        for how in ("", ", augmented")
    )
    block, positions = (
        mean("scoreboard", "steps", step) for step in ("block", "positions")
    )
    rates = (
        f"at {with_adamw} % with AdamW at one rate, at {slower} % with an eighth of it,"
        f" and at {with_muon} % with Muon"
    )
    assert rates in flat("since_2020")
    assert (
        f"stood at {with_adamw} % after 24 epochs, and at {slower} % with an eighth of"
        " that rate" in flat("troubleshooting")
    )
    assert f"with Muon inside the blocks it reaches {with_muon} %" in flat(
        "troubleshooting"
    )
    assert f"`stl10-laptop` reaches {mean('stl10-laptop')} %" in flat("troubleshooting")
    assert f"from a small CNN, {mean('stl10')} %" in flat("troubleshooting")
    half = mean("stl10-half-hour")
    assert f"and {half} % in half an hour" in flat("troubleshooting")
    assert f"with 500 stacks from {few} to {augmented} %" in flat("troubleshooting")
    assert (
        f"compare with: {block} %, where thinking before talking reached {positions} %"
        in flat("teaching")
    )


def test_exercises_of_the_sessions_are_those_of_the_chapters():
    named = re.findall(r"\| exercise: ([^,|]+(?:, then fall)?)", page("teaching"))
    chapters = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.md")
    )
    turns = re.findall(r"^### Your turn \([^)]*\): (.+)$", chapters, re.MULTILINE)
    assert len(named) == 6 and {name.strip() for name in named} <= set(turns)
