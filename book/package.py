"""Export the marked cells of the chapters into the package; with --check, only say
where the two differ.

A marked cell starts with the comment `# vit_tutorial/NAME.py` and holds imports and
definitions (functions, classes, constants). Each definition replaces the one of that
name in the module, or is appended; everything else of the module, its docstring and
imports included, stays as it is. The imports of a cell are not exported.
"""

import ast
import re
import sys
from pathlib import Path

import jupytext

from vit_tutorial.files import write_file

ROOT = Path(__file__).resolve().parent.parent
MARK = re.compile(r"# (vit_tutorial/[\w/]+\.py)$")
DEFINITION = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def marked_cells(root: Path = ROOT) -> list[tuple[str, str, str]]:
    """All marked cells in order of reading: (notebook, module, source without the
    mark).
    """
    cells = []
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.md")):
        for cell in jupytext.read(path, fmt="md:myst").cells:
            first, _, source = cell.source.partition("\n")
            if cell.cell_type == "code" and (mark := MARK.match(first.strip())):
                cells.append((path.stem, mark[1], source))
    return cells


def names(statement: ast.stmt) -> list[str]:
    """The names that a top-level statement defines; none for an import or an
    expression.
    """
    if isinstance(statement, DEFINITION):
        return [statement.name]
    targets = (
        statement.targets
        if isinstance(statement, ast.Assign)
        else [getattr(statement, "target", None)]
    )
    return [target.id for target in targets if isinstance(target, ast.Name)]


def definitions(source: str) -> dict[str, tuple[int, int]]:
    """The lines of each top-level definition, decorators and comments directly above
    included: name -> (start, end).
    """
    lines = source.splitlines()
    found = {}
    for statement in ast.parse(source).body:
        decorators = getattr(statement, "decorator_list", [])
        start = (
            min([statement.lineno, *(decorator.lineno for decorator in decorators)]) - 1
        )
        while start > 0 and lines[start - 1].startswith("#"):
            start -= 1
        found.update({name: (start, statement.end_lineno) for name in names(statement)})
    return found


def export(module: str, cell: str) -> str:
    """The module's source with the definitions of the cell put in.

    Raises ValueError when the cell holds anything but imports and definitions.
    """
    for statement in ast.parse(cell).body:
        if not names(statement) and not isinstance(
            statement, ast.Import | ast.ImportFrom
        ):
            raise ValueError(
                "only imports and definitions can be exported, not"
                f" {ast.unparse(statement)!r}"
            )
    for name, (start, end) in definitions(cell).items():
        text = cell.splitlines()[start:end]
        lines = module.rstrip("\n").splitlines()
        old = definitions(module).get(name)
        lines[slice(*old) if old else slice(len(lines), None)] = (
            text if old else ["", "", *text]
        )
        module = "\n".join(lines) + "\n"
    return module


def main(check: bool) -> int:
    modules: dict[str, str] = {}
    for notebook, module, cell in marked_cells():
        before = modules.get(module) or (ROOT / module).read_text(encoding="utf-8")
        try:
            modules[module] = export(before, cell)
        except (SyntaxError, ValueError) as error:
            print(f"{notebook}, the cell marked {module}: {error}", file=sys.stderr)
            return 2
    changed = [
        module
        for module, text in modules.items()
        if text != (ROOT / module).read_text(encoding="utf-8")
    ]
    for module in changed:
        print(
            f"{module}"
            f" {'differs from its marked cells: make package' if check else 'exported'}"
        )
        if not check:
            write_file(ROOT / module, modules[module].encode())
    if not changed:
        print(f"{len(modules)} modules equal their marked cells")
    return int(check and bool(changed))


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
