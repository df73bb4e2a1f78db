import ast
import json
import math
import re
from functools import cache
from pathlib import Path

import execute
import jupytext
import nbformat
import package
import pytest
from nbformat import NotebookNode, v4

ROOT = Path(__file__).parents[2]
TEXTS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md"))
MODEL = ("config", "patches", "embedding", "attention", "block", "model")
HTML = {"details", "summary", "code", "em", "strong", "img", "br", "sub", "sup"}
LIVE_ONLY = {"skip-execution", "nbval-skip", "nbval-ignore-output"}
CHAPTERS = pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)


@cache
def read(path: Path) -> NotebookNode:
    return (
        jupytext.read(path, fmt="md:myst")
        if path.suffix == ".md"
        else nbformat.read(path, as_version=4)
    )


def executed(text: Path) -> NotebookNode:
    return read(text.with_suffix(".ipynb"))


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def marked(cell: NotebookNode) -> str | None:
    """The module that a cell is exported to, if any."""
    mark = package.MARK.match(cell.source.partition("\n")[0])
    return mark and mark[1]


def names_of_model() -> dict[str, str]:
    """Every public name of the model's modules: name -> module."""
    sources = {
        module: (ROOT / "vit_tutorial" / f"{module}.py").read_text(encoding="utf-8")
        for module in MODEL
    }
    return {
        name: module
        for module, text in sources.items()
        for name in package.definitions(text)
    }


def names_of_package() -> set[str]:
    paths = (ROOT / "vit_tutorial").rglob("*.py")
    return {
        name
        for path in paths
        for name in package.definitions(path.read_text(encoding="utf-8"))
        if not name.startswith("_")
    }


def prose(notebook: NotebookNode) -> str:
    return "\n\n".join(
        cell.source for cell in notebook.cells if cell.cell_type == "markdown"
    )


def test_there_are_chapters():
    assert len(TEXTS) >= 7
    assert [
        path.with_suffix(".md") for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    ] == TEXTS


@CHAPTERS
def test_text_and_notebook_hold_the_same_cells(text):
    def cells(notebook: NotebookNode) -> list[tuple]:
        return [(cell.cell_type, cell.source, tags(cell)) for cell in notebook.cells]

    assert cells(executed(text)) == cells(read(text)), "run make notebooks"


@CHAPTERS
def test_outputs_are_of_this_code_and_this_package(text):
    assert executed(text).metadata.vit_tutorial.digest == execute.digest(read(text)), (
        "run make notebooks"
    )


def test_outputs_depend_on_modules_records_and_checkpoints(tmp_path, monkeypatch):
    files = [
        tmp_path / "vit_tutorial" / "imported.py",
        tmp_path / "results" / "named.json",
        tmp_path / "vit_tutorial" / "checkpoints" / "shipped" / "history.json",
    ]
    for path in [*files, tmp_path / "results" / "other.json"]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("0", encoding="utf-8")
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    cells = [
        "from vit_tutorial import imported",
        'read_result("named"), load_checkpoint("shipped")',
    ]
    notebook = v4.new_notebook(cells=[v4.new_code_cell(cell) for cell in cells])
    digests = {execute.digest(notebook)}
    for path in files:
        path.write_text("1", encoding="utf-8")
        digests.add(execute.digest(notebook))
    assert len(digests) == 4
    (tmp_path / "results" / "other.json").write_text("1", encoding="utf-8")
    assert execute.digest(notebook) in digests


@CHAPTERS
def test_every_cell_ran_once_from_top_to_bottom_without_error(text):
    cells = [cell for cell in code_cells(executed(text)) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output.ename for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]


@CHAPTERS
def test_notebook_is_small_and_free_of_widget_state(text):
    notebook = executed(text)
    assert text.with_suffix(".ipynb").stat().st_size < 1_500_000
    assert "widgets" not in notebook.metadata
    assert "jupytext" not in notebook.metadata, (
        "a chapter alone is not half of a pair: run make notebooks"
    )
    kinds = {
        kind
        for cell in code_cells(notebook)
        for output in cell.outputs
        for kind in output.get("data", {})
    }
    assert execute.WIDGET not in kinds


@CHAPTERS
def test_limits_of_a_chapter(text):
    notebook = executed(text)
    images = [
        output
        for cell in code_cells(notebook)
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(code_cells(notebook)) <= 40
    assert len(re.sub(r"<[^>]+>", " ", prose(notebook)).split()) <= 2500
    assert len(images) <= 8


@CHAPTERS
def test_prose_reads_the_same_everywhere(text):
    """CommonMark, math and <details>; every picture is described."""
    words = prose(read(text))
    assert not re.search(r"^(:::|```\{)|\{[a-z:]+\}`", words, re.MULTILINE), (
        "no MyST roles or directives"
    )
    assert not re.search(r"!\[\s*\]\(", words), "alt text"
    assert all(
        re.search(r"\balt=\"[^\"]+\"", image)
        for image in re.findall(r"<img[^>]*>", words)
    ), "alt text"
    assert (
        set(re.findall(r"</?([a-zA-Z]+)[ >]", re.sub(r"`[^`]*`|\$[^$]*\$", "", words)))
        <= HTML
    )
    assert words.count("<details") == words.count("</details>")


@CHAPTERS
def test_code_is_plain_python_for_any_device(text):
    for cell in code_cells(read(text)):
        ast.parse(cell.source)  # neither magics nor shell commands
        assert not re.search(r"\.cuda\(", cell.source)
        # asks where a tensor is, sends none there
        rest = cell.source.replace("is_cuda", "")
        assert "cuda" not in rest or "cuda.is_available" in rest, "no bare cuda"


@CHAPTERS
def test_live_only_cells_are_few(text):
    assert (
        sum(bool(LIVE_ONLY & set(tags(cell))) for cell in code_cells(read(text))) <= 2
    )


@CHAPTERS
def test_cost_in_the_head_is_the_measured_one(text):
    head = re.search(
        r"^\*You: \d+ minutes\. The computer: (\d+) seconds, (\d+\.\d) GB\.\*$",
        prose(read(text)),
        re.MULTILINE,
    )
    assert head, "the head says: *You: N minutes. The computer: N seconds, N.N GB.*"
    record = ROOT / "results" / "chapters.json"
    if not record.exists():
        pytest.skip(
            "results/chapters.json does not exist yet: run benchmarks/chapters.py"
        )
    cost = json.loads(record.read_text(encoding="utf-8"))["chapters"][text.stem]
    assert (int(head[1]), head[2]) == (
        math.ceil(cost["seconds"] / 5) * 5,
        f"{cost['peak_gb']:.1f}",
    )


def test_marked_cells_equal_the_package():
    for notebook, module, cell in package.marked_cells():
        source = (ROOT / module).read_text(encoding="utf-8")
        assert package.export(source, cell) == source, (
            f"{notebook}, {module}: run make package"
        )


def test_every_name_of_the_model_is_shown_once():
    shown = [
        name
        for _, module, cell in package.marked_cells()
        for name in package.definitions(cell)
        if module.removeprefix("vit_tutorial/").removesuffix(".py") in MODEL
    ]
    assert sorted(shown) == sorted(names_of_model())


@CHAPTERS
def test_no_other_cell_defines_a_name_of_the_package(text):
    taken = names_of_package()
    for cell in code_cells(read(text)):
        if not marked(cell):
            defined = {
                node.name
                for node in ast.walk(ast.parse(cell.source))
                if isinstance(node, package.DEFINITION)
            }
            assert not defined & taken


def test_nothing_of_the_model_is_imported_before_it_was_shown():
    waiting = names_of_model()
    for notebook, _, cell in package.marked_cells():
        if notebook > "06":  # what the whole model of chapter 05 may have, and need not
            for name in package.definitions(cell):
                waiting.pop(name, None)
    modules = {f"vit_tutorial.{module}" for module in MODEL}
    for text in TEXTS:
        for cell in code_cells(read(text)):
            if marked(cell):
                waiting = {
                    name: module
                    for name, module in waiting.items()
                    if name not in package.definitions(cell.source)
                }
            elif "preview" not in tags(cell):
                for node in ast.walk(ast.parse(cell.source)):
                    if isinstance(node, ast.ImportFrom) and node.module in {
                        "vit_tutorial",
                        *modules,
                    }:
                        early = {alias.name for alias in node.names} & set(waiting)
                        assert not early, (
                            f"{text.stem} imports {early} before a chapter has shown it"
                        )


def test_a_notebook_is_weighed_in_bytes(tmp_path, monkeypatch):
    """Not in letters, of which some take several."""
    text = tmp_path / "one.md"
    header = TEXTS[0].read_text(encoding="utf-8").split("---\n")[1]
    text.write_text(f"---\n{header}---\n\n{5000 * 'ä'}\n", encoding="utf-8")
    made = execute.read_text(text)
    made.metadata["vit_tutorial"] = {"digest": execute.digest(made)}
    nbformat.write(made, text.with_suffix(".ipynb"))
    execute.execute(text, force=False)
    monkeypatch.setattr(execute, "LIMIT", 10_000)
    with pytest.raises(ValueError, match="0.0 MB, at most 0.01 MB"):
        execute.execute(text, force=False)
