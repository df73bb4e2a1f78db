"""The commands of experiments/ and benchmarks/: help, what their results say of the
machine, latency.
"""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import latency, optimizers, throughput
from experiments import results

ROOT = Path(__file__).parents[2]
SCRIPTS = [
    path
    for folder in ("benchmarks", "experiments")
    for path in sorted((ROOT / folder).glob("*.py"))
    if "__main__" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_help_explains_and_starts_nothing(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(path), run_name="__main__")
    assert end.value.code == 0 and capsys.readouterr().out.startswith("usage: ")


def test_a_command_is_recorded_without_the_folders_of_this_machine(monkeypatch):
    words = [
        "--root",
        "/home/ada/data",
        "--out=/tmp/a b",
        "--set",
        '["model.dim=8"]',
        "runs/one",
    ]
    monkeypatch.setattr(sys, "argv", ["/home/ada/experiments/seeds.py", *words])
    command = results.environment_info("cpu")["command"]
    assert (
        command == "python experiments/seeds.py --root data '--out=a b' --set"
        " '[\"model.dim=8\"]' runs/one"
    )


def test_outside_git_the_environment_tells_the_commit(tmp_path, monkeypatch):
    assert len(results.commit().rstrip("+")) == 12
    monkeypatch.setattr(results, "ROOT", tmp_path)
    assert results.commit() == "unknown"
    monkeypatch.setenv("VIT_COMMIT", "0123456789ab")
    assert results.commit() == "0123456789ab"


def test_latency_is_measured_and_recorded(tmp_path, monkeypatch, capsys):
    out = tmp_path / "latency.json"
    latency.latency("stacks", images=3, out=out)
    row = json.loads(out.read_text(encoding="utf-8"))["models"]["stacks"]
    low, high = row["cpu"]["quartiles_ms"]
    assert 0 < low <= row["cpu"]["median_ms"] <= high
    assert (row["patch_size"], row["dim"], row["depth"]) == (16, 96, 4)
    assert "stacks" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["latency.py", "[stacks, nothing]"])
    with pytest.raises(SystemExit) as end:
        results.run(latency.latency)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("error: no checkpoint 'nothing'")


@pytest.mark.parametrize("names", [["/a/run", "/b/run"], ["run", "/b/run"]])
def test_latency_refuses_models_that_its_result_would_call_the_same(
    names, tmp_path, monkeypatch
):
    monkeypatch.setattr(latency, "make_inference", lambda *given: (lambda: None, {}))
    out = tmp_path / "latency.json"
    with pytest.raises(ValueError, match=r"the result calls two of them 'run'"):
        latency.latency(names, images=2, out=out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("--repeats 0", "repeats is 0, expected at least 1"),
        ("--steps 0", "steps is 0, expected at least 1"),
        ("--threads 0", "threads is 0, expected at least 1"),
        ("--batch_size -2", "batch_size is -2, expected at least 1"),
        ("--device cuda", "device 'cuda' cannot be used here: "),
    ],
)
def test_throughput_refuses_before_it_measures(
    words, found, tmp_path, monkeypatch, capsys
):
    def measure(*given):
        raise AssertionError("nothing is to be measured")

    def build(*where, device):
        raise AssertionError("Torch not compiled with CUDA enabled")

    monkeypatch.setattr(throughput, "measure_memory", measure)
    if "cuda" in words:  # also where there is one
        monkeypatch.setattr(torch, "ones", build)
    monkeypatch.setattr(
        sys, "argv", ["throughput.py", *words.split(), "--out", str(tmp_path)]
    )
    with pytest.raises(SystemExit) as end:
        results.run(throughput.main)
    said = capsys.readouterr().err
    assert end.value.code == 2 and said.startswith(f"error: {found}")
    assert said.count("\n") == 1


def test_optimisers_are_measured_and_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(optimizers, "BATCH", 2)
    out = tmp_path / "optimizers.json"
    optimizers.main(rounds=2, out=out)
    rows = json.loads(out.read_text(encoding="utf-8"))["optimizers"]
    assert list(rows) == ["adamw", "muon", "torch.optim.Muon"]
    assert rows["torch.optim.Muon"]["times_as_fast_as_torch"] == 1
    with pytest.raises(ValueError, match="rounds is 1, expected at least 2"):
        optimizers.main(rounds=1, out=out)


def test_chapters_measured_alone_leave_the_others_their_costs(tmp_path, monkeypatch):
    from benchmarks import chapters

    for name in ("01_one", "02_two"):
        (tmp_path / f"{name}.md").write_text("# A chapter\n", encoding="utf-8")
    costs = iter([1.0, 2.0, 3.0])
    monkeypatch.setattr(
        chapters, "execute", lambda path: {"seconds": next(costs), "peak_gb": 1.0}
    )
    assert chapters.main(tmp_path, tmp_path) == 0
    assert chapters.main(tmp_path, tmp_path, only="01") == 0
    stored = json.loads((tmp_path / "chapters.json").read_text(encoding="utf-8"))
    found = {name: cost["seconds"] for name, cost in stored["chapters"].items()}
    assert found == {"01_one": 3.0, "02_two": 2.0}
