"""Text is read and written in UTF-8 wherever it is, whatever the machine's own
encoding; and every module can be imported on Windows.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("vit_tutorial", "book", "benchmarks", "experiments", "notebooks", "tests")
FILES = [
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if "node_modules" not in path.parts
]
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md"))
OTHERS = ("Image", "os", "tarfile", "gzip")  # their `open` is about bytes
NOT_ON_WINDOWS = {  # modules, and names in others
    *("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"),
    *("os.fork", "os.geteuid", "os.getuid", "os.killpg", "os.mkfifo", "os.nice"),
    *("signal.SIGALRM", "signal.SIGCONT", "signal.SIGKILL", "signal.SIGSTOP"),
    *("signal.SIGUSR1", "signal.alarm", "signal.pthread_sigmask"),
}
PROCESSES = ("run", "Popen", "check_output", "check_call")


def without_encoding(source: str) -> list[int]:
    """The lines of the calls that read or write text in the machine's own encoding."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        call.lineno for call in calls if is_text(call) and not says(call, "encoding")
    ]


def says(call: ast.Call, *names: str) -> bool:
    return any(keyword.arg in (None, *names) for keyword in call.keywords)


def is_text(call: ast.Call) -> bool:
    method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if method else getattr(call.func, "id", "")
    if name in PROCESSES:
        return says(call, "text", "universal_newlines")
    if method and name in ("read_text", "write_text"):
        return len(call.args) <= (name == "write_text")
    if name != "open" or (method and getattr(call.func.value, "id", "") in OTHERS):
        return False
    modes = [
        *call.args[not method :],
        *(keyword.value for keyword in call.keywords if keyword.arg == "mode"),
    ]
    return not modes or (
        isinstance(modes[0], ast.Constant) and "b" not in modes[0].value
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_say_the_encoding_of_text(path):
    assert without_encoding(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_say_the_encoding_of_text(path):
    cells = [
        cell.source
        for cell in jupytext.read(path, fmt="md:myst").cells
        if cell.cell_type == "code"
    ]
    assert [cell for cell in cells if without_encoding(cell)] == []


@pytest.mark.parametrize(
    "line, found",
    [
        ("path.read_text()", True),
        ("path.write_text(words)", True),
        ("path.open()", True),
        ("open(path, 'w')", True),
        ("path.open(mode='a')", True),
        ("run(command, text=True)", True),
        ("path.read_text(encoding='utf-8')", False),
        ("path.write_text(words, 'utf-8')", False),
        ("open(path, 'rb')", False),
        ("Image.open(path)", False),
        ("run(command)", False),
    ],
)
def test_a_missing_encoding_is_seen(line, found):
    assert bool(without_encoding(line)) == found


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported: all but the insides of functions."""
    yield node
    later = [node.body] if isinstance(node, ast.Lambda) else []
    if isinstance(node, ast.FunctionDef):
        later = node.body
    for child in ast.iter_child_nodes(node):
        if child not in later:
            yield from at_import(child)


def missing_on_windows(source: str) -> set[str]:
    """What a module asks for when it is imported, and Windows lacks."""
    asked = set()
    for node in at_import(ast.parse(source)):
        if isinstance(node, ast.Import):
            asked |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            asked |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
        elif isinstance(node, ast.Attribute):
            asked.add(ast.unparse(node))
    return asked & NOT_ON_WINDOWS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_can_be_imported_on_windows(path):
    assert missing_on_windows(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import resource", True),
        ("from os import fork", True),
        ("@mark(signal.SIGKILL)\ndef test(): pass", True),
        ("def be(number=signal.SIGKILL): pass", True),
        ("class A:\n  number = signal.SIGKILL", True),
        ("def be():\n  import resource", False),
        ("be = lambda: signal.SIGKILL", False),
        ("signal.SIGINT", False),
    ],
)
def test_what_windows_lacks_is_seen(source, found):
    assert bool(missing_on_windows(source)) == found
