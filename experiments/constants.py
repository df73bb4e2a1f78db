"""Studies whose settings are constants of their module: a result says them once, above
its steps, and takes no run that was made with others.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from experiments import runner
from experiments.plans import flat
from experiments.results import commit, read_result
from experiments.runner import Job


def refuse_others(path: Path, stored: dict, settings: dict) -> None:
    """Raise ValueError for the first setting that a stored result, or a step of it,
    says otherwise.

    What it does not say, because it is older than the setting, is taken as it is.
    """
    old = flat(stored)
    # as JSON holds them: lists, no tuples
    for name, value in flat(json.loads(json.dumps(settings))).items():
        if name in old and old[name] != value:
            raise ValueError(
                f"{path} was made with {name} {old[name]!r}, not {value!r}: set it back"
                " or delete the file"
            )


def complete_study(
    name: str,
    jobs: list[Job],
    settings: dict,
    only: list[str] | None = None,
    known: dict[str, dict] | None = None,
) -> None:
    """Carry out the jobs that results/NAME.json lacks, which says the `settings` of all
    its steps, and of each run the commit; of these steps `only`, where they are given.
    `known` are steps that take no run.

    Raises ValueError where the result was made with other settings, or a step with
    others than its jobs' `about`.
    """

    def check(about: Callable[[], dict], path: Path, step: dict) -> None:
        refuse_others(path, step, about())

    def stamped(measure: Callable[[], dict]) -> dict:
        # its commit first: another may be made while it trains
        return {"commit": commit()} | measure()

    path = runner.ROOT / "results" / f"{name}.json"
    # a step that is new there would give the runs of all others today's settings
    refuse_others(path, read_result(path, "steps"), settings)
    jobs = [
        replace(
            job,
            measure=partial(stamped, job.measure),
            check=partial(check, job.about),
        )
        for job in jobs
    ]
    runner.complete(name, jobs, settings | {"steps": known or {}}, only)
