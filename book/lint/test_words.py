"""The prose of the book: every word is one, in British spelling, and every internal
link leads somewhere.
"""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import codespell_lib
import jupytext
import pytest
from markdown_it import MarkdownIt
from myst_parser.mdit_to_docutils.base import default_slugify
from spellchecker import SpellChecker
from written import ROOT

CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md"))
TEXTS = [
    *sorted((ROOT / "book").glob("*.md")),
    *CHAPTERS,
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
]
MODULES = sorted((ROOT / "vit_tutorial").rglob("*.py"))
# names, terms of the field: one a line, in alphabetical order
OWN_WORDS = Path(__file__).parent / "words.txt"
DETAILS = re.compile(r"</?(details|summary|code|em|strong|sub|sup|br|img)\b[^>]*>")


def prose(path: Path) -> str:
    """The text of a page, of the Markdown cells of a chapter, or of the docstrings of a
    module.
    """
    if path.suffix == ".py":
        nodes = [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        ]
        return "\n\n".join(filter(None, map(ast.get_docstring, nodes)))
    if path in CHAPTERS:
        cells = jupytext.read(path, fmt="md:myst").cells
        return "\n\n".join(
            cell.source for cell in cells if cell.cell_type == "markdown"
        )
    return path.read_text(encoding="utf-8")


def words(text: str) -> set[str]:
    """The words of a text; what is code, mathematics, markup or an address is none."""
    text = re.sub(r"\A---\n.*?^---$", " ", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(
        r"^```(?!\{glossary).*?^```$", " ", text, flags=re.DOTALL | re.MULTILINE
    )
    text = re.sub(
        r"\$\$.*?\$\$|\$[^$\n]*\$|`[^`]*`|<code>.*?</code>", " ", text, flags=re.DOTALL
    )
    text = re.sub(r"^ {4}.*$", " ", text, flags=re.MULTILINE)
    text = re.sub(
        r"\]\([^)\s]*\)|\{[\w:-]+\}|https?://\S+|<[^>]*>|^:\w[\w-]*:.*$",
        " ",
        text,
        flags=re.MULTILINE,
    )
    found = re.findall(r"(?<![\w.@/])[^\W\d_]+(?:['’][^\W\d_]+)?(?![\w@/]|\.\w)", text)
    return {word.replace("’", "'").removesuffix("'s") for word in found}


@cache
def own_words() -> set[str]:
    return set(OWN_WORDS.read_text(encoding="utf-8").split())


@cache
def dictionaries() -> tuple[SpellChecker, dict[str, str]]:
    """English, and the American forms of British words: American -> British."""
    path = (
        Path(codespell_lib.__file__).parent / "data" / "dictionary_en-GB_to_en-US.txt"
    )
    pairs = (line.split("->") for line in path.read_text(encoding="utf-8").splitlines())
    return SpellChecker(), {
        american.strip(" ,"): british for british, american in pairs
    }


def misspelt(found: set[str]) -> dict[str, str]:
    """Words that are neither English nor the book's own, or American: word -> what is
    wrong.
    """
    english, american = dictionaries()
    british = set(american.values())
    wrong = {}
    for word in found - own_words():
        lower = word.lower()
        if len(word) < 3 or re.search("[A-Z]", word[1:]) or lower in own_words():
            continue  # too short to tell, an abbreviation, a name of the code
        if lower in american:
            wrong[word] = f"British: {american[lower]}"
        elif lower not in british and lower not in english:
            wrong[word] = (
                "not in the dictionary: correct it, or add it to book/lint/words.txt"
            )
    return wrong


@pytest.mark.parametrize(
    "path", [*TEXTS, *MODULES], ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_word_is_one(path):
    assert misspelt(words(prose(path))) == {}


def test_the_dictionary_is_no_rubber_stamp():
    found = misspelt(
        words(
            "Teh atention of a tokne recieves its color, as `teh` code and [a](lnik.md)"
            " may not."
        )
    )
    assert set(found) == {"Teh", "atention", "tokne", "recieves", "color"}


def test_no_known_misspelling():
    command = [
        sys.executable,
        "-m",
        "codespell_lib",
        "--ignore-words",
        OWN_WORDS,
        *TEXTS,
        *MODULES,
    ]
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, encoding="utf-8"
    )
    assert (result.returncode, result.stdout) == (0, "")


def test_own_words_are_in_order():
    listed = OWN_WORDS.read_text(encoding="utf-8").splitlines()
    assert listed == sorted(set(listed), key=str.lower)


# ---- links


def links(path: Path) -> list[str]:
    """The addresses that a text links to or shows."""
    tokens = [
        token
        for block in MarkdownIt().parse(prose(path))
        for token in [block, *(block.children or [])]
    ]
    found = [token.attrGet("href") or token.attrGet("src") for token in tokens]
    return [address for address in found if address]


@cache
def places(path: Path) -> set[str]:
    """The addresses of the headings of a text, as the site makes them."""
    tokens = MarkdownIt().parse(
        re.sub(r"\A---\n.*?^---$", "", prose(path), flags=re.DOTALL | re.MULTILINE)
    )
    titles = [
        after.content
        for token, after in zip(tokens, tokens[1:], strict=False)
        if token.type == "heading_open"
    ]
    return {default_slugify(title.replace("`", "")) for title in titles}


def broken_links(path: Path) -> list[str]:
    """The links of a text, to files and to headings, that lead nowhere; other machines
    are not asked.
    """
    broken = []
    for address in links(path):
        parts = urlsplit(address)
        if parts.scheme:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        text = target.with_suffix(".md") if target.suffix in ("", ".ipynb") else target
        if not text.exists() or (
            parts.fragment and unquote(parts.fragment) not in places(text)
        ):
            broken.append(address)
    return broken


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path):
    assert broken_links(path) == []


def test_broken_links_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "## A head\n\n[one](#a-head) [two](#a-heat) [three](other.md) ![four](page.md)"
        " [five](page.md#head)\n",
        encoding="utf-8",
    )
    assert broken_links(page) == ["#a-heat", "other.md", "page.md#head"]
