"""The page of the API: every name that someone imports stands on it, and docstrings
arrive as they were written.
"""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest
from docstrings import to_rst
from docutils.core import publish_doctree

import vit_tutorial
from vit_tutorial import convert

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "book" / "reference.md").read_text(encoding="utf-8")
MODULE = re.compile(
    r"^\.\. automodule:: vit_tutorial\.([\w.]+)\n +:members:(?: (.*))?\n", re.MULTILINE
)
CODE = re.compile(r"^```(?:\{code-cell\} ipython3|python)\n(.*?)^```", re.M | re.S)
# what a chapter builds on, and explains where it uses it
INSIDE = {"cli", "checks"}


def public(module: str) -> set[str]:
    """The functions and classes that a module defines for others."""
    found = import_module(f"vit_tutorial.{module}")
    return {
        name
        for name, value in vars(found).items()
        if getattr(value, "__module__", None) == found.__name__
        and callable(value)
        and not name.startswith("_")
    }


def on_page() -> set[str]:
    """Each function and class of the page, by its module and name."""
    return {
        f"{module}.{name}"
        for module, members in MODULE.findall(PAGE)
        for name in (members.split(", ") if members else public(module))
    }


def imported() -> set[str]:
    """What the chapters, the pages and the README import from the package."""
    found = set()
    texts = [*ROOT.glob("notebooks/*.md"), *ROOT.glob("book/*.md"), ROOT / "README.md"]
    for text in texts:
        for cell in CODE.findall(text.read_text(encoding="utf-8")):
            source = re.sub(r"^:.*$", "", cell, flags=re.M)  # tags of a cell
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.ImportFrom) and node.module.startswith("vit_"):
                    module = node.module.partition(".")[2]
                    found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def test_whatever_is_imported_somewhere_stands_on_the_page():
    wanted = {f"{vit_tutorial.HOMES[name]}.{name}" for name in vit_tutorial.__all__}
    wanted |= {f"convert.libraries.{name}" for name in convert.__all__}
    for name in imported():
        module, _, last = name.rpartition(".")
        if module.split(".")[0] not in INSIDE | {"", "convert"} and last in public(
            module
        ):
            wanted.add(name)
    assert len(wanted) > 90
    assert wanted <= on_page()


def test_every_name_of_the_page_exists_and_says_what_it_is():
    for name in sorted(on_page()):
        module, _, last = name.rpartition(".")
        found = getattr(import_module(f"vit_tutorial.{module}"), last)
        assert found.__doc__, name


@pytest.mark.parametrize(
    "written",
    [
        "Cut: (B, C, Y, X) -> (B, N, P*P*C), of `patch_size` pixels; see a_b_ |c|.",
        "`depth` tensors, the `model`s own, pre`fix`ed, and R <- mean(grad * W)^+ R",
        "A path such as C:\\new, and\ntwo lines with `code of\ntwo lines`.",
        "Nothing special.",
    ],
)
def test_a_docstring_reads_on_the_page_as_it_was_written(written):
    settings = {"report_level": 1, "halt_level": 1}
    tree = publish_doctree(to_rst(written), settings_overrides=settings)
    assert tree.astext().split() == written.replace("`", "").split()
    code = [" ".join(found.split()) for found in re.findall("`([^`]+)`", written)]
    literals = [node.astext() for node in tree.findall() if node.tagname == "literal"]
    assert [" ".join(text.split()) for text in literals] == code
