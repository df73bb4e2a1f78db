"""The command that tries the lowest versions: which those are, and what it counts."""

import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from benchmarks import lowest

ROOT = Path(__file__).parents[2]
TESTS = """
def test_right(): pass
def test_right_too(): pass
def test_wrong(): assert False
def test_left_out(): import pytest; pytest.skip("no reason")
class TestMore:
    def test_right(self): pass
"""


def test_a_bound_is_one_that_its_requirement_allows_and_nothing_below():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    bounds = lowest.lowest_versions()
    assert bounds["sphinx"] == Version("8.2") and "vit-tutorial" not in bounds
    for name, bound in bounds.items():
        (line,) = [
            part for part in text.split('"') if part.startswith(f"{name}>=")
        ] or [part for part in text.split('"') if part.startswith(f"{name}[")]
        allowed = Requirement(line).specifier
        assert allowed.contains(bound) and not allowed.contains(f"{bound}.dev0")


def test_every_dependency_has_a_lower_bound():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    lists = [project["project"]["dependencies"], *extras.values()]
    names = {Requirement(text).name for texts in lists for text in texts}
    assert set(lowest.lowest_versions()) == names - {"vit-tutorial"}


def test_another_version_than_the_lowest_is_refused_in_one_line():
    bounds = {"one": Version("1.11"), "two": Version("2")}
    lowest.check_lowest({"one": "1.11.1", "two": "2.8"}, bounds)
    for found in ("1.12", "1.1.1", "2.11"):
        with pytest.raises(
            ValueError, match=rf"one is {found}, expected 1\.11"
        ) as told:
            lowest.check_lowest({"one": found, "two": "2"}, bounds)
        assert "\n" not in str(told.value)


def test_what_another_library_asks_for_rules_a_bound_out(monkeypatch):
    asks = [
        "one.library>=2",
        "two>=3; extra == 'more'",
        "three>=4; python_version > '3'",
    ]
    library = SimpleNamespace(requires=asks)
    monkeypatch.setattr(
        lowest, "distributions", lambda: [library, SimpleNamespace(requires=None)]
    )
    ruled_out = {
        (name, bound): lowest.ruled_out(name, Version(bound))
        for name in ("one-library", "two", "three", "four")
        for bound in ("1", "4")
    }
    assert [key for key, value in ruled_out.items() if value] == [
        ("one-library", "1"),
        ("three", "1"),
    ]
    lowest.check_lowest({"one-library": "2.1"}, {"one-library": Version("1")})
    with pytest.raises(ValueError, match=r"two is 3, expected 1, the lowest"):
        lowest.check_lowest({"two": "3"}, {"two": Version("1")})


def test_tests_are_counted_by_module(tmp_path, monkeypatch):
    for name in ("lowest_versions", "environment_info"):
        monkeypatch.setattr(lowest, name, lambda *about: {})
    written = {}
    monkeypatch.setattr(
        lowest, "write_result", lambda out, result: written.update(result)
    )
    monkeypatch.setattr(lowest, "ROOT", tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "tests" / "test_two.py").write_text("import no_such", encoding="utf-8")
    (tmp_path / "tests" / "test_six.py").write_text(
        "def test(): pass", encoding="utf-8"
    )
    modules = ["tests/test_one.py", "tests/test_two.py", "tests/test_six.py"]
    assert lowest.lowest(modules, tmp_path / "out.json") == 1
    assert written["modules"] == [
        {"tests": "tests/test_one.py", "passed": 3, "failed": 1, "skipped": 1},
        {"tests": "tests/test_six.py", "passed": 1, "failed": 0, "skipped": 0},
        {"tests": "tests/test_two.py", "passed": 0, "failed": 1, "skipped": 0},
    ]
    with pytest.raises(ValueError, match=r"tests/test_three\.py: pytest ran no test"):
        lowest.lowest(["tests/test_three.py"], tmp_path / "out.json")


def test_all_tests_are_run_but_those_of_pages():
    missing = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests").rglob("test_*.py")
        if not any(path.is_relative_to(ROOT / one) for one in lowest.TESTS)
    }
    assert {Path(path).parts[1] for path in missing} == {"book", "explorer"}
