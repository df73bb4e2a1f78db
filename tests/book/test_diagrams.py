"""The diagrams: the committed files are what the code draws, and a reader can read
them.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

import browser
import diagrams
import language
import pytest
import torch

from vit_tutorial.attention import attend

chromium = browser.chromium

ROOT = Path(__file__).parents[2]
NAMES = sorted(diagram.__name__ for diagram in diagrams.DIAGRAMS)
FIGURES = pytest.mark.parametrize("name", NAMES)
SVG = "{http://www.w3.org/2000/svg}"
MEASURE = """() => [...document.querySelectorAll("text")].map((text) => {
  const {x, y, width, height} = text.getBBox();
  return [text.textContent, x, y, x + width, y + height];
})"""


def test_the_committed_files_are_what_the_code_draws(tmp_path):
    diagrams.main(tmp_path)
    assert sorted(path.stem for path in diagrams.FIGURES.iterdir()) == NAMES
    for path in tmp_path.iterdir():
        assert (diagrams.FIGURES / path.name).read_bytes() == path.read_bytes(), (
            "run python book/diagrams.py"
        )


@FIGURES
def test_a_figure_is_one_small_file_that_says_what_it_shows(name):
    text = (diagrams.FIGURES / f"{name}.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"] and all(
        child.text for child in root[:2]
    )
    assert root.get("role") == "img" and root.get("aria-labelledby") == "title desc"
    assert float(root.get("width")) <= 7 * 96  # inches, at 96 pixels each
    assert len(text) < 40_000
    assert "href" not in text and text.count("http") == 1  # the name of SVG itself
    assert root[2].get("fill") == "#FFFFFF"  # the light panel that a dark page needs


def test_text_stays_inside_its_figure_and_apart(chromium):
    """At the size of a phone the smallest text is still about 8 pixels high, and no two
    touch.
    """
    page = browser.open_guarded(chromium).page
    for name in NAMES:
        page.goto((diagrams.FIGURES / f"{name}.svg").as_uri())
        texts = page.evaluate(MEASURE)
        _, _, width, height = viewed(name)
        for index, (words, left, top, right, bottom) in enumerate(texts):
            assert 4 < left and right < width - 4 and 4 < top and bottom < height - 4, (
                name,
                words,
            )
            for other, *box in texts[:index]:
                apart = (
                    right < box[0]
                    or box[2] < left
                    or bottom - 2 < box[1]
                    or box[3] - 2 < top
                )
                assert apart, (name, words, other)
        sizes = [
            float(size)
            for size in re.findall(
                r'font-size="([\d.]+)"',
                (diagrams.FIGURES / f"{name}.svg").read_text(encoding="utf-8"),
            )
        ]
        assert min(sizes) * 350 / width >= 8
    page.context.close()


def viewed(name: str) -> list[float]:
    root = ElementTree.parse(diagrams.FIGURES / f"{name}.svg").getroot()
    return [float(number) for number in root.get("viewBox").split()]


def test_the_weights_in_the_diagrams_are_attention():
    q = torch.tensor(language.Q_ROWS).double()
    k = torch.tensor(language.K_ROWS).double()
    torch.testing.assert_close(
        torch.tensor(language.weights()).double(), attend(q, k, k)[1]
    )
    assert (
        len({str(language.weights(head)) for head in range(language.H)}) == language.H
    )
    assert language.H * language.K == language.D


def test_figures_in_chapters_exist_and_are_described():
    for text in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md")):
        for alt, path in re.findall(
            r"!\[([^\]]*)\]\(([^)\s]+)\)", text.read_text(encoding="utf-8")
        ):
            assert (text.parent / path).is_file() and len(alt) > 20, (text.stem, path)
