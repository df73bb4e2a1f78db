"""The command that tries bad input: what it records of it."""

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
