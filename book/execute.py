"""Execute the chapters: the text notebooks/NN_name.md becomes notebooks/NN_name.ipynb
with its outputs.

    python book/execute.py            every chapter whose code, or the part of the
        package it imports, or a record or checkpoint it names, has changed
    python book/execute.py 03 08      only these
    FORCE=1 python book/execute.py    changed or not

Prose can change without a new execution: the outputs of the same code are kept.
"""

import ast
import base64
import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from pictures import shrink

from vit_tutorial.files import write_file

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 1_500_000  # bytes of one .ipynb
WIDGET = "application/vnd.jupyter.widget-view+json"
PROGRESS_BAR = re.compile(r"^.*\d+%\|.*\|.*\n?", re.MULTILINE)


def read_text(path: Path) -> NotebookNode:
    """The notebook that a text stands for: no outputs, identifiers that depend on the
    cells alone.
    """
    notebook = jupytext.read(path, fmt="md:myst")
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type} {cell.source}".encode()).hexdigest()[
            :8
        ]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = f"{digest}-{seen[digest]}" if seen[digest] > 1 else digest
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    notebook.nbformat = 4
    notebook.nbformat_minor = 5
    return notebook


def code(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def package_files(sources: list[str]) -> list[Path]:
    """The modules of the package that these sources import, directly or through one
    another.
    """
    found: set[Path] = set()
    waiting = [
        "vit_tutorial",
        *(name for source in sources for name in imported(source)),
    ]
    while waiting:
        path = ROOT / waiting.pop().replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if path.exists() and path not in found:
            found.add(path)
            waiting += imported(path.read_text(encoding="utf-8"))
    return sorted(found)


def imported(source: str) -> list[str]:
    """What a source imports from the package, as dotted names (modules among them, and
    names that are none).
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("vit_tutorial")
        ):
            found += [
                node.module,
                *(f"{node.module}.{alias.name}" for alias in node.names),
            ]
        elif isinstance(node, ast.Import):
            found += [
                alias.name
                for alias in node.names
                if alias.name.startswith("vit_tutorial")
            ]
    return found


def named_files(sources: list[str]) -> list[Path]:
    """The records and shipped checkpoints that these sources name."""
    names = {
        node.value
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    found = [ROOT / "results" / f"{name}.json" for name in names if name.isprintable()]
    for folder in (ROOT / "vit_tutorial" / "checkpoints").iterdir():
        if folder.name in names:
            found += folder.rglob("*")
    return sorted(path for path in found if path.is_file())


def digest(notebook: NotebookNode) -> str:
    """What the outputs depend on: the code cells in order, the modules they import, and
    the records and checkpoints they name.
    """
    sources = code(notebook)
    paths = [*package_files(sources), *named_files(sources)]
    parts = [source.encode() for source in sources]
    parts += [path.read_bytes() for path in paths]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def tidy(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs as they are committed: no progress bars, no widgets; an explorer, or
    another piece that moves, leaves its picture.
    """
    kept = []
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            text = "\n".join(
                line.rpartition("\r")[2]
                for line in output.text.replace("\r\n", "\n").split("\n")
            )
            if not (text := PROGRESS_BAR.sub("", text)).strip():
                continue
            output = NotebookNode(output, text=text)
        elif moves(output.get("data", {})):
            if "image/png" not in output.data:
                continue
            picture = {
                kind: output.data[kind]
                for kind in ("image/png", "text/plain")
                if kind in output.data
            }
            output = NotebookNode(output, data=NotebookNode(picture))
        kept.append(output)
    return kept


def moves(data: dict) -> bool:
    """Whether an output is a widget, or a page's piece that comes with a picture."""
    return WIDGET in data or {"text/html", "image/png"} <= data.keys()


def execute(text: Path, force: bool) -> str:
    """Bring the .ipynb beside a text up to date; returns what was done, in a few
    words.
    """
    target = text.with_suffix(".ipynb")
    notebook = read_text(text)
    before = nbformat.read(target, as_version=4) if target.exists() else None
    key = digest(notebook)
    if (
        before
        and not force
        and before.metadata.get("vit_tutorial", {}).get("digest") == key
    ):
        ran = iter([cell for cell in before.cells if cell.cell_type == "code"])
        for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
            cell.outputs = (old := next(ran)).outputs
            cell.execution_count = old.execution_count
        done = "unchanged"
    else:
        start = time.perf_counter()
        resources = {"metadata": {"path": str(text.parent)}}
        NotebookClient(
            notebook,
            timeout=600,
            resources=resources,
            record_timing=False,
            coalesce_streams=True,
            kernel_name="python3",
        ).execute(stderr=subprocess.DEVNULL)
        done = f"{time.perf_counter() - start:.0f} s"
        notebook.metadata.pop("widgets", None)
        for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
            cell.outputs = tidy(cell.outputs)
            for data in (
                output.data
                for output in cell.outputs
                if "image/png" in output.get("data", {})
            ):
                drawn = base64.b64decode(data["image/png"])
                if (smaller := shrink(drawn)) != drawn:
                    data["image/png"] = base64.b64encode(smaller).decode()
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["vit_tutorial"] = {"digest": key}
    written = nbformat.writes(notebook) + "\n"
    size = len(written.encode())
    if size > LIMIT:
        raise ValueError(
            f"{size / 1e6:.1f} MB, at most {LIMIT / 1e6} MB: fewer or smaller figures"
        )
    if not target.exists() or target.read_text(encoding="utf-8") != written:
        write_file(target, written.encode())
    return done


def main(wanted: list[str]) -> int:
    os.environ["TQDM_DISABLE"] = "1"
    # as in the tests, so that the numbers agree
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    failed = 0
    for text in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md")):
        if wanted and not any(text.stem.startswith(name) for name in wanted):
            continue
        print(f"{text.stem:32}", end=" ", flush=True)
        try:
            print(execute(text, force=bool(os.environ.get("FORCE"))))
        except (
            CellExecutionError,
            SyntaxError,
            ValueError,
            TimeoutError,
            RuntimeError,
        ) as error:
            failed += 1
            print(f"failed\n{error}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
