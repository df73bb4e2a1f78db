"""The queue of long runs: what is missing, in which order, and how it is started."""

import json

import pytest

from experiments import long_runs
from experiments.long_runs import LongRun

RUNS = (
    LongRun("stl10-laptop", 1),
    LongRun("stl10-small", 1, "stl10-wide", ("model.dim=192", "training.seed=0")),
    LongRun("stl10-laptop", 3),
)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with results of two seeds, where a run is a process that ends soon."""
    (tmp_path / "results").mkdir()
    result = {"config": {}, "runs": [{"seed": 0}, {"seed": 2}]}
    place = tmp_path / "results" / "stl10-laptop.json"
    place.write_text(json.dumps(result), encoding="utf-8")
    monkeypatch.setattr(long_runs, "ROOT", tmp_path)
    monkeypatch.setattr(long_runs, "RUNS", RUNS)
    monkeypatch.setattr(long_runs.time, "sleep", lambda seconds: None)
    return tmp_path


def test_what_no_result_holds_is_missing_once_and_in_order(desk):
    found = [(each.title, seed) for each, seed in long_runs.missing(RUNS)]
    assert found == [("stl10-wide", 0), ("stl10-laptop", 1)]


def test_a_dry_run_says_how_long_and_starts_nothing(desk, capsys, monkeypatch):
    monkeypatch.setattr(long_runs, "start", None)
    assert long_runs.long_runs(dry_run=True) == 0
    *rows, total = capsys.readouterr().out.splitlines()
    hours = [float(row.split()[-2]) for row in rows]
    assert [row.split()[:3] for row in rows] == [
        ["stl10-wide", "seed", "0"],
        ["stl10-laptop", "seed", "1"],
    ]
    assert all(hour > 0.1 for hour in hours) and total.startswith("2 runs, ")


def test_the_rate_of_a_run_at_another_resolution_is_measured():
    small = ("model.dim=8", "model.depth=1", "model.heads=1", "training.batch_size=2")
    assert long_runs.hours_left(LongRun("stl10", 1, changes=small), 0, "data") > 0


@pytest.mark.parametrize("broken", [False, True])
def test_runs_are_carried_out_with_so_many_at_once(desk, monkeypatch, broken):
    script = desk / "experiments" / "seeds.py"
    script.parent.mkdir()
    body = "import sys, pathlib\n"
    body += f"here = pathlib.Path({str(desk)!r})\n"
    body += "(here / sys.argv[7]).write_text(' '.join(sys.argv[1:]))\n"
    body += "sys.exit('wide' in sys.argv[7])\n" if broken else ""
    script.write_text(body, encoding="utf-8")
    assert long_runs.long_runs(str(desk), processes=2) == int(broken)
    wide = (desk / "stl10-wide").read_text(encoding="utf-8")
    options = f"--root {desk} --seeds 1 --name stl10-wide"
    changed = json.dumps(list(RUNS[1].changes))
    assert wide == f"stl10-small {options} --set {changed}"
    assert "--seeds 2" in (desk / "stl10-laptop").read_text(encoding="utf-8")


def test_seeds_of_one_title_take_turns(desk, monkeypatch):
    """A command trains all seeds up to its own: two at once would train the same."""
    runs = (LongRun("stl10-small", 3), LongRun("stl10", 1))
    monkeypatch.setattr(long_runs, "RUNS", runs)
    going, order = [], []

    class Process:
        returncode = 0

        def __init__(self, title):
            self.title, self.asked = title, 0
            assert title not in going and len(going) < 2
            going.append(title)

        def poll(self):
            self.asked += 1
            if self.asked < 3:
                return None
            going.remove(self.title)
            return 0

    def start(each, seed, root):
        order.append((each.title, seed))
        return Process(each.title)

    monkeypatch.setattr(long_runs, "start", start)
    assert long_runs.long_runs(processes=2) == 0
    small = [("stl10-small", seed) for seed in range(3)]
    assert order == [small[0], ("stl10", 0), *small[1:]]


def test_no_process_is_too_few():
    with pytest.raises(ValueError, match="processes is 0, expected at least 1"):
        long_runs.long_runs(processes=0)


def test_the_runs_that_are_planned_can_be_planned():
    for each in long_runs.RUNS:
        long_runs.read_plan(each.recipe, list(each.changes))
