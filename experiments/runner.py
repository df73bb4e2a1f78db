"""The one runner of all studies: it carries out the runs that a result lacks, writes it
after each, and says what they gave on average.

What a result holds is kept, so that a study that was cut off goes on, and several
processes may share its steps; delete the file to start afresh.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from experiments.results import ROOT, environment_info, read_result, write_result

ALONE = ""  # the step of a result that has no other: its parts are the result's own


@dataclass(frozen=True)
class Layout:
    """Where a result holds its steps: `unpack` finds them by name, `pack` makes of them
    what the result says; `parts` are those that every such result has.
    """

    parts: tuple[str, ...]
    unpack: Callable[[dict], dict[str, dict]]
    pack: Callable[[dict[str, dict]], dict]


BY_NAME = Layout(
    ("steps",), lambda result: result["steps"], lambda steps: {"steps": steps}
)
WHOLE = Layout(
    ("config", "runs"), lambda result: {ALONE: result}, lambda steps: steps[ALONE]
)


@dataclass(frozen=True)
class Job:
    """One run that a result is to hold: number `number` (its seed, or its fold) of the
    step `step`.

    `measure` trains and returns the run's entry, with its "val_accuracy" after the last
    epoch; `about` is called then, and returns what the result says of the step.
    `check(path, step)` raises ValueError where the step on file has other settings.
    """

    step: str
    number: int
    measure: Callable[[], dict]
    about: Callable[[], dict] = dict
    check: Callable[[Path, dict], None] = lambda path, step: None


def summary(runs: list[dict]) -> dict:
    """Mean and spread (standard deviation) of the final accuracy over runs, and the
    runs.
    """
    scores = [run["val_accuracy"] for run in runs]
    spread = round(statistics.stdev(scores), 4) if len(scores) > 1 else None
    return {"mean": round(statistics.mean(scores), 4), "spread": spread, "runs": runs}


def complete(
    name: str,
    jobs: list[Job],
    about: dict | None = None,
    only: list[str] | None = None,
    kind: str = "seed",
    device: str = "cpu",
    layout: Layout | None = None,
) -> dict:
    """Carry out the jobs that results/NAME.json lacks; of these steps `only`, where
    they are given. Returns the result.

    The result says `about` itself; steps in there stand in it from the start. `kind` is
    what tells the runs of a step apart. By default a result that has one step, `ALONE`,
    is that step, and others hold them by name. Raises ValueError for an unknown step,
    or where there is no job.
    """
    path = ROOT / "results" / f"{name}.json"
    about = about or {}
    names = list(dict.fromkeys(job.step for job in jobs))
    layout = layout or (WHOLE if names == [ALONE] else BY_NAME)
    if not jobs:
        raise ValueError(f"there is nothing to run: expected at least 1 {kind}")
    if unknown := [step for step in only or [] if step not in names]:
        raise ValueError(f"no step {unknown[0]!r} in {name}, expected some of {names}")
    for job in jobs:
        step = read_steps(path, layout).get(job.step)
        if step:
            job.check(path, step)
        if only and job.step not in only:
            continue
        if step and job.number in [run[kind] for run in step["runs"]]:
            continue
        print(f"{job.step or name}, {kind} {job.number}", flush=True)
        entry = {kind: job.number} | job.measure()
        # another process may have written by now, or be about to
        with writing(name):
            steps = about.get("steps", {}) | read_steps(path, layout)
            found = steps.get(job.step, {"runs": []})["runs"]
            runs = [run for run in found if run[kind] != job.number] + [entry]
            runs.sort(key=lambda run: run[kind])
            steps[job.step] = job.about() | summary(runs)
            order = [*(step for step in steps if step not in names), *names]
            result = environment_info(device, "torchvision", "scikit-learn") | about
            there = {step: steps[step] for step in order if step in steps}
            write_result(path, result | layout.pack(there))
    show(name, read_steps(path, layout), kind)
    return read_result(path)


def writing(name: str) -> FileLock:
    """What a process holds while it reads results/NAME.json and writes it anew."""
    lock = ROOT / "runs" / f"{name}.lock"
    lock.parent.mkdir(exist_ok=True)
    return FileLock(lock)


def read_steps(path: Path, layout: Layout) -> dict[str, dict]:
    """The steps of a result by name; none where there is no result yet."""
    result = read_result(path, *layout.parts)
    return layout.unpack(result) if result else {}


def show(name: str, steps: dict[str, dict], kind: str) -> None:
    """Print the mean of each step, and what it gains on the step that it changes."""
    for title, step in steps.items():
        spread = "" if step["spread"] is None else f" ± {step['spread']:.1%}"
        line = f"{title or name:36}{step['mean']:6.1%}{spread:8}"
        line += f" {kind}s: {len(step['runs'])}"
        if (before := step.get("after")) in steps:
            gain = step["mean"] - steps[before]["mean"]
            line += f", {100 * gain:+.1f} on {before}"
        print(line)
