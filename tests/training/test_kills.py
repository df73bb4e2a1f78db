"""Processes that SIGKILL ends, and disks that are full: a sample of what
benchmarks/faults.py does.
"""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import faults
from benchmarks.faults import Download, Moment, Training

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="what kills takes forks and signals, which Windows lacks"
)


@pytest.fixture(scope="module")
def server() -> Iterator[faults.Server]:
    with faults.serving() as server:
        yield server


def unbroken(job: faults.Job, folder: Path) -> dict[str, object]:
    """What a process leaves that nothing kills."""
    code, said = faults.call(job, folder)
    assert code == 0, said
    return job.outcome(folder)


@pytest.fixture(scope="module")
def supervised(tmp_path_factory) -> tuple[Training, dict[str, object]]:
    root = tmp_path_factory.mktemp("supervised")
    job = Training("supervised", root)
    return job, unbroken(job, root / "whole")


def test_a_killed_run_goes_on_as_if_nothing_had_been(tmp_path, supervised):
    job, whole = supervised
    # before it has written anything; before the second state gets its name
    moments = [Moment(seconds=0.1), Moment(touch=52)]
    phases, wrong = faults.survive(job, tmp_path, whole, moments)
    assert wrong == [] and phases == ["start", "saving"]


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("mae", Moment(touch=58)),  # before the second config gets its name
        ("dino", Moment(touch=44, after=0.01)),  # somewhere in the second epoch
    ],
)
def test_a_killed_pre_training_does_too(tmp_path, name, moment):
    job = Training(name, tmp_path)
    whole = unbroken(job, tmp_path / "whole")
    phases, wrong = faults.survive(job, tmp_path / "killed", whole, [moment])
    assert wrong == [] and len(phases) == 1


def test_a_killed_download_goes_on_where_it_was(tmp_path, server):
    job = Download(server)
    moment = Moment(touch=20)  # when the labelled files are there
    phases, wrong = faults.survive(job, tmp_path, job.files, [moment])
    assert wrong == [] and phases == ["unpacking"]


def test_a_full_disk_keeps_what_was_saved(tmp_path, supervised):
    if reason := faults.unmountable():
        pytest.skip(reason)
    job, whole = supervised
    assert faults.full_disk(job, tmp_path, whole, kilobytes=300) == []


def test_damage_and_differences_are_seen(tmp_path, supervised):
    """What would be wrong, were it so: a file cut off, one of other values, one too
    many, one too few.
    """
    job, whole = supervised
    unbroken(job, tmp_path)
    assert job.damage(tmp_path) == []
    for name in (
        "state.safetensors",
        "history.json",
        "snapshots/epoch-003.safetensors",
    ):
        path = tmp_path / name
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        assert any(Path(name).name in fault for fault in job.damage(tmp_path)), name
        path.write_bytes(content)
    (tmp_path / "core").write_bytes(b"")
    assert job.damage(tmp_path) == ["core: nobody knows it"]
    (tmp_path / "core").unlink()
    path = tmp_path / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (tmp_path / "config.json").unlink()
    found = faults.differences(job.outcome(tmp_path), whole)
    assert found == ["config.json differs", "model.safetensors differs"]


def test_the_record_is_of_enough_kills_and_of_no_fault():
    path = faults.ROOT / "results" / "faults.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["kills"] >= 50 and record["faults"] == []
    assert (
        min(record["phases"].get(name, 0) for name in ("start", "epoch", "saving")) > 4
    )
    assert set(record["kills_by_command"]) == {*faults.OBJECTIVES, "download"}
    assert all(row.get("passed", "skipped" in row) for row in record["steps"])


def test_moments_follow_from_the_seed():
    moments = faults.draw(random.Random(1), 30, 60, 2.0)
    assert moments == faults.draw(random.Random(1), 30, 60, 2.0)
    assert sum(moment.seconds > 0 for moment in moments) == 10
    assert sum(moment.after > 0 for moment in moments) == 10


@pytest.mark.parametrize(
    ("dies", "patience", "code"), [(True, 600.0, 2), (False, 0.05, -9)]
)
def test_who_never_comes_to_the_first_file_is_not_waited_for(
    dies, patience, code, tmp_path, monkeypatch
):
    """It has ended, or it hangs; no second process is started."""
    started = []

    class Stuck:
        def __init__(self, words: list[str], **told: object) -> None:
            assert not started
            started.append(self)
            self.code = 2 if dies else None

        def ends(self, seconds: float) -> bool:
            return dies

        def end(self, seconds: float = 0.0) -> tuple[int, str]:
            assert dies or seconds  # a kill, after so many
            return code, "error: no\n"

    def sleep(seconds: float) -> None:
        raise AssertionError("it waits and does not look after the process")

    monkeypatch.setattr(faults, "Process", Stuck)
    monkeypatch.setattr(faults, "PATIENCE", patience)
    monkeypatch.setattr(faults.time, "sleep", sleep)
    (tmp_path / "pictures").mkdir()
    job = Training("supervised", tmp_path)
    (wrong,) = faults.two_in_one(job, tmp_path / "two", {})
    assert wrong == f"before state.safetensors the first ended with {code}: error: no"
