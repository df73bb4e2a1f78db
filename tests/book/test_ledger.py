"""The ledger of chapters 01 to 05, filled in by hand: every number is counted here by
the machine.
"""

import re
from pathlib import Path

import pytest
import torch
from small import spent

from vit_tutorial.config import ViTConfig
from vit_tutorial.model import VisionTransformer, count_parameters

CHAPTERS = sorted((Path(__file__).parents[2] / "notebooks").glob("0[1-5]_*.md"))


def ledger(path: Path) -> tuple[dict[str, list[str]], str]:
    """The rows of a chapter's table, and the text that fills in its blanks."""
    text = (
        path.read_text(encoding="utf-8")
        .partition("## The ledger")[2]
        .partition("\n## ")[0]
    )
    rows = [
        line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")
    ][2:]
    return {name: cells for name, *cells in rows}, re.search(
        r"<details>(.*)</details>", text, re.DOTALL
    )[1]


@pytest.fixture(scope="module")
def counted() -> dict[str, tuple[str, str]]:
    with torch.device("meta"):
        model = VisionTransformer(
            ViTConfig(
                image_size=224, patch_size=16, classes=1000, dim=768, depth=12, heads=12
            )
        )
        image = torch.empty(1, 3, 224, 224)
        x = torch.empty(1, 197, 768)
        block = model.blocks[0]
        written_out = {"return_attention": True}
        costs = {
            "tokens": (model.embedder, spent(model.embedder, image)),
            "attention": (block.attention, spent(block.attention, x, **written_out)),
            "block": (block, spent(block, x, **written_out)),
            "12 blocks": (model.blocks, 12 * spent(block, x, **written_out)),
            "head": (model.head, spent(model.head, x[:, 0])),
            "model": (model, spent(model, image, **written_out)),
        }
    return {
        name: (f"{count_parameters(part):,}", f"{cost:,}")
        for name, (part, cost) in costs.items()
    }


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_every_number_of_the_ledger_is_the_counted_one(chapter, counted):
    rows, folded = ledger(chapter)
    assert "?" in str(rows)
    for name, (_, *numbers) in rows.items():
        if name in counted and numbers != ["?", "?"]:
            assert tuple(numbers) == counted[name]
        elif name in counted:
            assert all(number in folded for number in counted[name]), name
