import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import jupytext
import pytest

from vit_tutorial import results
from vit_tutorial.results import read_result

ROOT = Path(__file__).parent.parent
HINT = (
    '# no such module? pip install "FOLDER[chapters]" (FOLDER: your copy of the'
    " repository)"
)
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md"))


def cells(chapter: Path) -> list[str]:
    return [
        cell.source
        for cell in jupytext.read(chapter, fmt="md:myst").cells
        if cell.cell_type == "code"
    ]


def imports(source: str) -> list[tuple[int, str]]:
    """The imports of a cell, in order: the line, and the package it takes from."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, (node.module or "").split(".")[0]))
    return sorted(found)


def reads(source: str) -> list[ast.Call]:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call for call in calls if getattr(call.func, "id", "") == "read_result"]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_alone_finds_the_records_it_reads(chapter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sources = cells(chapter)
    for source in sources:
        assert "../results" not in source
        for name in [call.args[0] for call in reads(source)]:
            if isinstance(name, ast.Constant):
                assert read_result(name.value)


def test_some_chapters_read_records():
    assert (
        sum(len(reads(source)) for chapter in CHAPTERS for source in cells(chapter))
        >= 10
    )


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_without_a_module_says_where_to_get_it(chapter):
    """Right above the first import that can fail: before it there is only what Python
    itself has.
    """
    source, line = next(
        (source, line)
        for source in cells(chapter)
        for line, name in imports(source)
        if name not in sys.stdlib_module_names
    )
    assert source.splitlines()[line - 2] == HINT
    assert "".join(cells(chapter)).count(HINT) == 1


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Places for records, in the order they are looked through; the current folder is a
    notebook's.
    """
    for name in ("results", "here", "package/recorded", "repository"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    places = (
        Path("../results"),
        tmp_path / "package" / "recorded",
        tmp_path / "repository",
    )
    monkeypatch.setattr(results, "FOLDERS", places)
    return places


def test_the_record_beside_the_notebook_comes_first_then_the_one_that_came_along(
    folders,
):
    for at in reversed(range(len(folders))):
        (folders[at] / "one.json").write_text(
            json.dumps({"at": at, "name": "Größe"}), encoding="utf-8"
        )
        assert read_result("one") == {"at": at, "name": "Größe"}


def test_a_record_that_is_missing_or_broken_is_told_in_one_line(folders):
    places = re.escape(str(folders[0]))
    with pytest.raises(
        FileNotFoundError,
        match=rf"no record 'one' in {places}, .*install vit_tutorial",
    ) as error:
        read_result("one")
    assert "\n" not in str(error.value)
    (folders[1] / "one.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"recorded.one\.json is broken: ") as error:
        read_result("one")
    assert "\n" not in str(error.value)


def test_an_installed_package_carries_the_records():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "tool"
    ]["hatch"]["build"]["targets"]
    assert "results" in wheel["wheel"]["only-include"]
    assert wheel["wheel"]["sources"] == {"results": "vit_tutorial/recorded"}
    assert results.PACKAGE / "recorded" in results.FOLDERS


def test_records_are_found_from_anywhere(tmp_path):
    read = (
        "from vit_tutorial.results import read_result;"
        " print(len(read_result('scoreboard')['steps']))"
    )
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {read}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
    )
    assert int(done.stdout) >= 8, done.stderr
