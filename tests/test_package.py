import ast
import subprocess
import sys
from pathlib import Path

import package
import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "vit_tutorial"
ORDER = [
    "paths", "settings", "recipe", "config", "patches", "embedding", "stem", "attention", "block", "model",
    "drawn", "pictures", "pixels", "layouts", "folders", "data", "download", "augment",
    "strong", "record", "memory", "checkpoint", "processes", "average", "muon",
    "train", "judge", "look", "results", "fonts", "plots", "views", "published", "explorer",
    "tokens", "attend", "console", "parser", "commands", "cli", "__main__",
]  # fmt: skip
FILES = [path for folder in ("vit_tutorial", "book", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")
         if "node_modules" not in path.parts]  # fmt: skip

MODULE = '''"""A module."""

import math

# seven, of all numbers
SEVEN = 7


@decorated
def first():
    return 1


def second():
    return 2
'''


def test_export_puts_definitions_in_their_places():
    cell = "import torch\n\n# eight\nSEVEN = 8\n\n\ndef first():\n    # counts\n    return 10\n\n\n"
    cell += "def third():\n    return 3\n"
    expected = MODULE.replace("# seven, of all numbers\nSEVEN = 7", "# eight\nSEVEN = 8")
    expected = expected.replace(
        "@decorated\ndef first():\n    return 1\n", "def first():\n    # counts\n    return 10\n"
    )
    assert package.export(MODULE, cell) == expected + "\n\ndef third():\n    return 3\n"


def test_export_of_what_is_there_changes_nothing():
    assert package.export(MODULE, MODULE.replace('"""A module."""', "")) == MODULE


def test_export_refuses_what_it_would_lose():
    with pytest.raises(ValueError, match=r"print\('here'\)"):
        package.export(MODULE, "print('here')\n")


def test_marked_cells_are_found(tmp_path):
    (tmp_path / "notebooks").mkdir()
    text = "# Title\n\n```{code-cell} python3\n# vit_tutorial/patches.py\nA = 1\n```\n\n"
    text += "```{code-cell} python3\nB = 2\n```\n"
    (tmp_path / "notebooks" / "01_one.md").write_text(text, encoding="utf-8")
    assert package.marked_cells(tmp_path) == [("01_one", "vit_tutorial/patches.py", "A = 1")]


def imports(path: Path) -> set[str]:
    """The modules of the package that a module imports when it is imported itself."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("vit_tutorial"):
            below = node.module.removeprefix("vit_tutorial").lstrip(".")
            found |= {below.split(".")[0]} if below else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_modules_import_only_what_stands_above_them(path):
    if path.stem != "__init__":
        assert path.stem in ORDER
        assert all(ORDER.index(name) < ORDER.index(path.stem) for name in imports(path) if name in ORDER)


def test_importing_the_package_needs_no_widgets():
    check = "import sys, vit_tutorial; sys.exit('ipywidgets' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_classes_are_small(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 300
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            assert node.end_lineno - node.lineno < 65, f"{node.name} does not fit a cell"


def test_the_package_prints_nothing_but_on_the_command_line():
    for path in PACKAGE.rglob("*.py"):
        calls = [
            node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
        ]
        printed = any(isinstance(call, ast.Name) and call.id == "print" for call in calls)
        assert not printed or path.stem in ("console", "__main__")
