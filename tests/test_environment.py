import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import jupytext
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
EXTRAS = PROJECT["optional-dependencies"]
LINES = [
    line
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
TESTED = {
    canonicalize_name(name): version
    for name, version in (line.split("==") for line in LINES)
}
WANTED = [
    Requirement(text)
    for texts in (PROJECT["dependencies"], *EXTRAS.values())
    for text in texts
]
on_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no make, as a rule")


@pytest.mark.parametrize("requirement", WANTED, ids=str)
def test_every_dependency_has_a_tested_version_in_its_range(requirement):
    if requirement.name != PROJECT["name"]:
        assert requirement.specifier.contains(
            TESTED[canonicalize_name(requirement.name)]
        )


def test_constraints_fit_any_machine():
    assert sorted(TESTED) == list(TESTED)
    assert not [
        line for line in LINES if "+" in line or re.match(r"nvidia|triton", line)
    ]


def test_ruff_before_a_commit_is_the_tested_one():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    hook = yaml.safe_load(text)["repos"][0]
    assert hook["repo"].endswith("/ruff-pre-commit")
    assert hook["rev"] == f"v{TESTED['ruff']}"


def test_conda_installs_the_same():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python = next(
        Requirement(text)
        for text in conda["dependencies"]
        if str(text).startswith("python")
    )
    pip = next(
        entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)
    )
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    extras = re.search(r"--editable '(\.\[[\w,]+\])'", makefile)[1]
    assert pip == ["--constraint constraints.txt", f"--editable {extras}"]
    assert set(re.findall(r"\w+", extras)) <= set(EXTRAS)
    assert not python.specifier.contains("3.10")
    assert all(
        python.specifier.contains(version) for version in ("3.11", "3.12", "3.13")
    )
    assert PROJECT["requires-python"] == ">=3.11"


@pytest.fixture
def conda(tmp_path):
    """A copy of what make needs, and a conda environment with a Python that does
    nothing.
    """
    folder = tmp_path / "re po"
    prefix = tmp_path / "envs" / "vit"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (folder / name).write_text(
            (ROOT / name).read_text(encoding="utf-8"), encoding="utf-8"
        )
    (prefix / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    return folder, prefix


def would_do(folder: Path, target: str, **environment: str) -> str:
    settings = {
        name: value for name, value in os.environ.items() if name != "CONDA_PREFIX"
    }
    command = ["make", "--dry-run", target]
    run = subprocess.run(
        command,
        cwd=folder,
        env=settings | environment,
        capture_output=True,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@on_posix
@pytest.mark.parametrize(
    "target", ["lab", "book", "lint", "test", "notebooks", "package", "train"]
)
def test_make_uses_the_conda_environment_that_is_active_and_installs_nothing(
    conda, target
):
    folder, prefix = conda
    (
        prefix
        / "lib"
        / "python3.12"
        / "site-packages"
        / "_editable_impl_vit_tutorial.pth"
    ).write_text(str(folder), encoding="utf-8")
    done = would_do(folder, target, CONDA_PREFIX=str(prefix))
    assert f"{prefix}/bin/python" in done
    assert "pip install" not in done and ".venv" not in done


@on_posix
@pytest.mark.parametrize("holds", [None, "", "/another/clone"])
def test_make_passes_over_a_conda_environment_that_has_something_else(conda, holds):
    folder, prefix = conda
    if holds is not None:
        path = (
            prefix
            / "lib"
            / "python3.12"
            / "site-packages"
            / "_editable_impl_vit_tutorial.pth"
        )
        path.write_text(holds, encoding="utf-8")
    done = would_do(folder, "lab", CONDA_PREFIX=str(prefix))
    assert "pip install" in done and ".venv/bin/python book/lab.py" in done
    assert would_do(folder, "lab") == done


def test_the_readme_says_what_follows_conda():
    readme = (
        (ROOT / "README.md")
        .read_text(encoding="utf-8")
        .partition("conda env create")[2]
    )
    name = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))[
        "name"
    ]
    assert f"conda activate {name}" in readme[:200] and "make lab" in readme[:300]


def imported(nodes: Iterable[ast.AST]) -> set[str]:
    """The names, as a package index has them, of what import statements load from
    elsewhere.
    """
    known = {"yaml": "pyyaml", "PIL": "pillow", "sklearn": "scikit-learn"}
    nodes = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {getattr(node, "module", None) or node.names[0].name for node in nodes}
    top = {module.partition(".")[0] for module in modules}
    return {
        canonicalize_name(known.get(name, name))
        for name in top - set(sys.stdlib_module_names)
    }


def test_dependencies_are_what_importing_the_package_needs():
    """What a function imports when it is called may come with an extra."""
    needed = set()
    for path in (ROOT / "vit_tutorial").rglob("*.py"):
        needed |= imported(ast.parse(path.read_text(encoding="utf-8")).body)
    dependencies = {
        canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]
    }
    assert dependencies == needed - {"vit-tutorial"}


def test_what_chapters_import_comes_with_their_extra():
    names = {Requirement(text).name for text in PROJECT["dependencies"]}
    names |= {Requirement(text).name for text in EXTRAS["chapters"]} | {"vit-tutorial"}
    for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.md"):
        for cell in jupytext.read(path, fmt="md:myst").cells:
            if cell.cell_type == "code":
                assert imported(ast.walk(ast.parse(cell.source))) <= names, path.name


def test_what_the_package_imports_is_declared():
    declared = {canonicalize_name(requirement.name) for requirement in WANTED} | {
        "vit-tutorial"
    }
    for path in (ROOT / "vit_tutorial").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert imported(ast.walk(tree)) <= declared, path


@on_posix
def test_make_says_what_is_needed(tmp_path):
    (tmp_path / "Makefile").write_text(
        (ROOT / "Makefile").read_text(encoding="utf-8"), encoding="utf-8"
    )
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    run = subprocess.run(
        ["make", "book", "PYTHON=/nowhere/python3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert run.returncode != 0
    assert "Python 3.11 or newer is needed" in run.stderr
    listed = subprocess.run(
        ["make"], cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    ).stdout
    assert all(
        f"make {target}" in listed
        for target in ("book", "lint", "test", "lab", "notebooks", "package", "train")
    )
