"""The step against the core's peak and against the others: by hand, and a record of
tiny models.
"""

import json
from dataclasses import replace

import pytest

from benchmarks import step
from benchmarks.throughput import CONTENDERS
from vit_tutorial.config import ViTConfig

# wide enough that positions and biases, which not all have, are a small share
TINY = ViTConfig(image_size=16, patch_size=8, dim=128, depth=1, heads=4)


def test_a_share_of_the_peak_by_hand(monkeypatch):
    """The product takes 2 * 10^3 operations: 1000 a second in the first round, 2000 in
    the other two.
    """
    monkeypatch.setattr(step, "SIDE", 10)
    found = step.against_peak([4.0, 1.0, 1.0], [2.0, 1.0, 1.0], operations=1000)
    # 250 of 1000, 1000 of 2000 twice
    assert found["share_of_peak"] == 0.5
    assert found["giga_operations"] == 0.0


def test_how_many_times_as_fast_by_hand():
    found = step.times_as_fast([1.0, 2.0, 4.0], [1.5, 2.0, 8.0])
    assert found == {"median": 1.5, "quartiles": [1.0, 2.0]}


def test_everybody_takes_as_many_turns_and_nobody_is_always_first():
    taken = []
    turns = {name: lambda name=name: taken.append(name) for name in "abc"}
    seconds = step.measure(turns, rounds=3)
    assert {name: len(values) for name, values in seconds.items()} == dict.fromkeys(
        "abc", 3
    )
    counted = taken[-9:]
    assert sorted(counted[::3]) == ["a", "b", "c"]
    assert all(sorted(counted[n : n + 3]) == ["a", "b", "c"] for n in (0, 3, 6))


def test_all_are_measured_and_recorded(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(step, "SIDE", 64)
    monkeypatch.setattr(step, "COMPARED", TINY)
    models = {"plain": TINY, "hybrid": replace(TINY, embedder="hybrid")}
    monkeypatch.setattr(step, "PHOTOGRAPHS", models)
    # there is no way back for the process of the tests
    monkeypatch.setattr(step, "keep_freed_memory", lambda: False)
    out = tmp_path / "step.json"
    step.main(rounds=2, batch_size=2, out=out)
    result = json.loads(out.read_text(encoding="utf-8"))
    assert not result["memory_kept"]
    for name in models:
        row = result["steps"][name]
        assert row["giga_operations"] > 0
        low, high = row["quartiles"]
        assert low <= row["share_of_peak"] <= high
    others = [name for name in CONTENDERS if name != "vit_tutorial"]
    for what in ("training", "inference"):
        rows = result["times_as_fast_as"][what]
        assert list(rows) == [*others, "vit-pytorch, both without class token"]
        assert all(row["median"] > 0 for row in rows.values())
        fastest = result["fastest_other"][what]
        assert rows[fastest]["median"] == min(rows[name]["median"] for name in others)
    said = capsys.readouterr().out
    assert "of the core's peak" in said and "times as fast as timm" in said


def test_one_round_says_nothing():
    with pytest.raises(ValueError, match="rounds is 1, expected at least 2"):
        step.main(rounds=1)
