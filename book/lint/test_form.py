"""Titles name the term first and the claim second; code is as wide as a page."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from written import ROOT

CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md"))
TEXTS = [*sorted((ROOT / "book").glob("*.md")), *CHAPTERS]
NAMES = [path.stem for path in TEXTS]
WIDTH = 88
# of commands and what they answer, lines are as long as they are
PROGRAM = re.compile(r"(python|diff|yaml|\{code-cell\}.*)?$")
SOLUTION = re.compile(r"<summary>Solution</summary>\n\n(.*?)</details>", re.DOTALL)


def titled(path: Path) -> tuple[str, str]:
    """Term and claim of a chapter's title: `# 08 Attention maps: a head shows ...`."""
    first = re.search(r"^# .*$", path.read_text(encoding="utf-8"), re.MULTILINE)
    title = re.fullmatch(rf"# {path.name[:2]} ([^:]+): ([a-z].+[^.])", first[0])
    assert title, f"{first[0]!r}, expected '# {path.name[:2]} Term: claim'"
    return title[1], title[2]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_title_has_number_term_and_claim_and_fits_the_sidebar(path):
    term, claim = titled(path)
    assert len(f"{term}: {claim}") <= 60


@pytest.mark.parametrize("name", ["README.md", "book/index.md"])
def test_the_list_of_chapters_names_their_terms(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d\d) \| \[([^\]]+)\]", text, re.MULTILINE)
    assert rows == [(path.name[:2], titled(path)[0]) for path in CHAPTERS]


def programs(text: str) -> list[str]:
    """The programs in a text: in fences, and the solutions of exercises."""
    fences = (
        block.content
        for block in MarkdownIt().parse(text)
        if block.type == "fence" and PROGRAM.match(block.info)
    )
    solutions = (
        "\n".join(re.findall(r"^ {4}.*$", solution, re.MULTILINE))
        for solution in SOLUTION.findall(text)
    )
    return [*fences, *solutions]


@pytest.mark.parametrize("path", TEXTS, ids=NAMES)
def test_programs_are_as_wide_as_a_page(path):
    lines = "\n".join(programs(path.read_text(encoding="utf-8"))).splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []


def test_the_widths_of_all_programs_are_seen():
    fence = "```python\nfence\n```\n\n"
    solution = "<details><summary>Solution</summary>\n\n    indented\nprose</details>\n"
    assert programs(fence + solution) == ["fence\n", "    indented"]
