import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import package
import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "vit_tutorial"
# The design's table, top to bottom: a module may import from what stands above it.
ORDER = [
    "settings",
    "files",
    "machine",
    "config",
    "patches",
    "embedding",
    "attention",
    "block",
    "model",
    "initialisation",
    "variants",
    "models",
    "resolution",
    "data",
    "augment",
    "interpret",
    "selfsup",
    "training",
    "predict",
    "convert",
    "results",
    "fonts",
    "plots",
    "explorer",
    "checks",
    "cli",
    "__main__",
]

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
    cell = (
        "import torch\n\n# eight\nSEVEN = 8\n\n\ndef first():\n    # counts\n    return"
        " 10\n\n\n"
    )
    cell += "def third():\n    return 3\n"
    expected = MODULE.replace(
        "# seven, of all numbers\nSEVEN = 7", "# eight\nSEVEN = 8"
    )
    expected = expected.replace(
        "@decorated\ndef first():\n    return 1\n",
        "def first():\n    # counts\n    return 10\n",
    )
    assert package.export(MODULE, cell) == expected + "\n\ndef third():\n    return 3\n"


def test_export_of_what_is_there_changes_nothing():
    assert package.export(MODULE, MODULE.replace('"""A module."""', "")) == MODULE


def test_export_refuses_what_it_would_lose():
    with pytest.raises(ValueError, match=r"print\('here'\)"):
        package.export(MODULE, "print('here')\n")


def test_marked_cells_are_found(tmp_path):
    (tmp_path / "notebooks").mkdir()
    text = (
        "# Title\n\n```{code-cell} python3\n# vit_tutorial/patches.py\nA = 1\n```\n\n"
    )
    text += "```{code-cell} python3\nB = 2\n```\n"
    (tmp_path / "notebooks" / "01_one.md").write_text(text, encoding="utf-8")
    assert package.marked_cells(tmp_path) == [
        ("01_one", "vit_tutorial/patches.py", "A = 1")
    ]


def dotted(path: Path) -> str:
    """A module's name within the package: "model", "data.stl10", "data" for its own."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> set[str]:
    """The modules of the package that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("vit_tutorial"):
            room = PACKAGE.parent / node.module.replace(".", "/")
            for name in node.names:  # a module of a room, or a name of a module
                of_room = (room / f"{name.name}.py").exists()
                found.add(f"{node.module}.{name.name}" if of_room else node.module)
    return {name.removeprefix("vit_tutorial").lstrip(".") for name in found} - {""}


MODULES = {dotted(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@pytest.mark.parametrize("name", [name for name in MODULES if name])
def test_modules_import_only_from_what_stands_above_them(name):
    room = name.split(".")[0]
    for other in imports(MODULES[name]):
        above = ORDER.index(other.split(".")[0]) < ORDER.index(room)
        assert above or other.startswith(f"{room}."), f"{name} imports {other}"


def test_no_module_imports_itself_through_others():
    TopologicalSorter({name: imports(path) for name, path in MODULES.items()}).prepare()


def test_importing_the_package_needs_no_widgets():
    check = (
        "import sys, vit_tutorial; sys.exit('ipywidgets' in sys.modules or 'matplotlib'"
        " in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT).returncode == 0


def test_the_package_prints_nothing_but_on_the_command_line():
    for path in PACKAGE.rglob("*.py"):
        calls = [
            node.func
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
        ]
        printed = any(
            isinstance(call, ast.Name) and call.id == "print" for call in calls
        )
        assert not printed or path.stem in ("console", "__main__")
