"""The command that tries bad input: what it records of it."""

import json
from types import SimpleNamespace

import pytest
from oracle import Tally

from benchmarks import fuzz


def test_inputs_are_counted_by_kind():
    tally = Tally()
    for kind, worked, seconds, memory in (
        ("one", True, 0.5, 0),
        ("one", False, 0.25, 10**7),
        ("one", False, 0.125, 10**6),
        ("two", True, 0.0, 0),
    ):
        tally.add(kind, worked, seconds, memory)
    found = fuzz.summary(tally)
    assert list(found) == ["one", "two"]
    assert list(found["one"].values()) == [3, 1, 2, 0.5, 10.0]
    assert list(found["two"].values()) == [1, 1, 0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("options", "name"),
    [({"only": "x"}, "only is 'x'"), ({"inputs": 0}, "inputs is 0")],
)
def test_what_cannot_be_tried_is_refused(options, name, tmp_path):
    with pytest.raises(ValueError, match=name):
        fuzz.main(**options, out=tmp_path / "fuzz.json")


@pytest.fixture
def ended(monkeypatch):
    """`ended(code)`: pytest ends so, after one test that failed and counted nothing."""

    def end(code: pytest.ExitCode) -> None:
        def run(words, plugins):
            report = SimpleNamespace(failed=True, nodeid="tests/fuzz/test_x.py::test_y")
            plugins[0].pytest_runtest_logreport(report)
            return code

        monkeypatch.setattr(fuzz.pytest, "main", run)
        monkeypatch.setattr(fuzz, "TALLY", Tally())

    return end


@pytest.mark.parametrize("name", ["INTERRUPTED", "INTERNAL_ERROR", "USAGE_ERROR"])
def test_a_pytest_that_stopped_is_no_record(name, ended, tmp_path):
    """As for a file of tests that cannot be imported."""
    ended(pytest.ExitCode[name])
    out = tmp_path / "fuzz.json"
    with pytest.raises(ValueError, match=f"pytest ended with {name}, expected OK or"):
        fuzz.main(out=out)
    assert not out.exists()


def test_a_failure_is_recorded_where_no_input_was_counted(ended, tmp_path):
    ended(pytest.ExitCode.TESTS_FAILED)
    out = tmp_path / "fuzz.json"
    assert fuzz.main(out=out) == 1
    result = json.loads(out.read_text(encoding="utf-8"))
    assert result["inputs"] == result["slowest_seconds"] == result["grew_mb"] == 0
    assert result["failed"] == ["test_x.py::test_y"]
