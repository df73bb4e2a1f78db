"""The trainings that the book still lacks, one after the other, beside other work.

    python experiments/long_runs.py --root data --dry_run true     what is missing, and
        for how long
    python experiments/long_runs.py --root data                    train it

Runs stand in their order in RUNS; each is a command of `experiments/seeds.py` for one
seed more. `--processes` of them go on at once, each in one thread and at the lowest
priority; what was cut off goes on, and seeds.py writes a result as each run ends. Start
it in a clone of its own at a fixed commit: the code that a run began with is then the
code it ends with.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from experiments.plans import read_plan
from experiments.results import ROOT, read_result, run
from vit_tutorial.data.images import ImageSet, Normalization
from vit_tutorial.models import build_model
from vit_tutorial.training.loop import run_epoch
from vit_tutorial.training.optimizers import make_optimizers
from vit_tutorial.training.run import read_run

STEPS = 3  # of which the rate is measured


@dataclass(frozen=True)
class LongRun:
    """A recipe on STL-10, with some settings changed, and how many of its seeds."""

    recipe: str
    seeds: int
    name: str = ""
    changes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name of the result."""
        return self.name or self.recipe

    def words(self, seed: int, root: str) -> list[str]:
        """The command that trains one seed more."""
        words = [self.recipe, "--root", root, "--seeds", str(seed + 1)]
        words += ["--name", self.title]
        if self.changes:
            words += ["--set", json.dumps(list(self.changes))]
        return words


RUNS = (
    LongRun("stl10", 1),
    LongRun("stl10", 1, "stl10-half-mixed", ("training.mixing.share=0.5",)),
    LongRun("stl10", 1, "stl10-resnet-small", ("model.name=resnet-small",)),
    LongRun("stl10-seed", 1),
    LongRun("stl10", 3),
    LongRun("stl10", 1, "stl10-plain", ("model.embedder=convolutional",)),
    LongRun("stl10", 3, "stl10-resnet-small", ("model.name=resnet-small",)),
    LongRun("stl10-seed", 3),
)


def missing(runs: tuple[LongRun, ...]) -> Iterator[tuple[LongRun, int]]:
    """The seeds that no result holds yet, each once, in order."""
    seen = set()
    for each in runs:
        result = read_result(ROOT / "results" / f"{each.title}.json")
        there = {entry["seed"] for entry in result.get("runs", [])}
        for seed in range(each.seeds):
            if seed not in there and (each.title, seed) not in seen:
                seen.add((each.title, seed))
                yield each, seed


def hours_left(each: LongRun, seed: int, root: str) -> float:
    """How long a run will take on one core, from a few steps of its own on noise."""
    plan = read_plan(each.recipe, [f"data.root={root}", *each.changes])
    done = 0
    folder = ROOT / "runs" / f"{each.title}-{seed}"
    if (folder / "config.json").exists():
        done = len(read_run(folder).history)
    size = plan.training.batch_size
    count = size * STEPS
    side = plan.data.image_size
    shape = (count, plan.model.channels, side, side)
    images = torch.randint(256, shape, dtype=torch.uint8)
    labels = torch.arange(count) % plan.model.classes
    data = ImageSet(images, labels, tuple(map(str, range(plan.model.classes))))
    normalization = Normalization(plan.data.mean, plan.data.std)
    model = build_model(plan.model)
    optimizers = make_optimizers(model, plan.training)
    torch.set_num_threads(1)
    began = time.perf_counter()
    run_epoch(model, optimizers, data, 1, plan.training, normalization)
    seconds = (time.perf_counter() - began) / count
    training_images = round(5000 * (1 - plan.data.val_fraction))
    epochs = plan.training.epochs - done
    return epochs * training_images * seconds / 3600


def start(each: LongRun, seed: int, root: str) -> subprocess.Popen:
    """Train one seed in a process of its own, in one thread and at the lowest
    priority.
    """
    script = ROOT / "experiments" / "seeds.py"
    lowest = ["nice", "-n", "19"] if os.name == "posix" else []
    words = [*lowest, sys.executable, str(script), *each.words(seed, root)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(words, cwd=ROOT, env=environment)


def long_runs(root: str = "data", dry_run: bool = False, processes: int = 1) -> int:
    """Train what is missing, in order.

    Args:
        root: where STL-10 lies
        dry_run: only say what is missing, and how many hours of one core it takes
        processes: how many runs at once
    """
    if processes < 1:
        raise ValueError(f"processes is {processes}, expected at least 1")
    left = list(missing(RUNS))
    if dry_run:
        hours = {(each, seed): hours_left(each, seed, root) for each, seed in left}
        for (each, seed), needed in hours.items():
            print(f"{each.title:20} seed {seed}  {needed:5.1f} hours")
        print(f"{len(hours)} runs, {sum(hours.values()):.1f} hours of one core")
        return 0
    root = str(Path(root).resolve())
    going: dict[str, subprocess.Popen] = {}
    failed = 0
    while left or going:
        # a command trains all seeds up to its own: those of one title take turns
        free = [job for job in left if job[0].title not in going]
        while free and len(going) < processes:
            each, seed = free[0]
            going[each.title] = start(each, seed, root)
            left.remove((each, seed))
            free = [job for job in free if job[0].title not in going]
        time.sleep(1)
        for title, process in list(going.items()):
            if process.poll() is not None:
                failed += process.returncode != 0
                del going[title]
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(run(long_runs))
