"""What learning without labels gives: pre-training by each method, measured frozen and
fine-tuned, beside the same model from scratch.

    python experiments/self_supervision.py stacks              into
        results/self_supervision-stacks.json
    python experiments/self_supervision.py stl10 --root data   STL-10 lies under
        DIR/stl10_binary
    python experiments/self_supervision.py stl10 --root data --seeds 1 \\
        --steps '["mae", "mae, all labels", "scratch, all labels"]'

A method's step holds the k-NN and linear-probe accuracies of its frozen features, with
labels used for that alone; the other steps train on from there with some of the labels,
or all, and "scratch" from the usual start, for as long as both stages of a method
together. Runs live in runs/self_supervision-NAME-STEP-SEED; "seconds" is the sum over
their epochs.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from experiments.plans import Plan, measure, read_plan, shown_config, trained
from experiments.results import ROOT, commit, run
from experiments.runner import Job, complete
from vit_tutorial.data.datasets import load_split
from vit_tutorial.selfsup.probes import probe
from vit_tutorial.training.distributed import pick_device

SCRATCH = "scratch"
METHODS = ("simmim", "mae", "dino")


@dataclass(frozen=True)
class Study:
    """Which recipes: METHOD-NAME of the package to pre-train, `recipe` to fine-tune.

    `labels`: how many labelled images, 0 for all. `longer`: how many times as many
    epochs a run from scratch has as one that was pre-trained.
    """

    recipe: str
    labels: tuple[int, ...]
    longer: float


STUDIES = {
    "stacks": Study("finetune-stacks", (100, 500, 0), 2),
    "stl10": Study("finetune-stl10", (40, 400, 0), 2),
}


def label_name(labels: int) -> str:
    """How many labels a step has, in words."""
    return f"{labels} labels" if labels else "all labels"


def folder(name: str, step: str, seed: int) -> Path:
    """Where the run of a step lives."""
    slug = step.replace(", ", "-").replace(" ", "-")
    return ROOT / "runs" / f"self_supervision-{name}-{slug}-{seed}"


def seeded(recipe: str, changes: list[str], seed: int) -> Plan:
    """A recipe with the seed of its run, and of the images it draws."""
    plan = read_plan(recipe, [*changes, f"training.seed={seed}"])
    if plan.data.drawn:
        plan = replace(plan, data=replace(plan.data, split_seed=seed))
    return plan


def spent(out: Path) -> float:
    """Seconds of all epochs of the run in `out`."""
    from vit_tutorial.training.run import read_run

    return round(sum(row["seconds"] for row in read_run(out).history), 1)


def pretrain(plan: Plan, out: Path) -> dict:
    """Pre-train as far as it is not done, and probe: the entry of the run."""
    model, made = trained(plan, out)
    bank = load_split(plan.data, "train")
    scores = probe(model, made.normalization, bank, load_split(plan.data, "val"))
    watched = {
        name: [round(row[name], 4) for row in made.history if name in row]
        for name in made.history[-1]
        if name not in ("epoch", "learning_rate", "seconds")
    }
    return {
        "commit": commit(),
        "val_accuracy": scores["knn"],
        "linear": scores["linear"],
        "seconds": spent(out),
        "curves": watched,
    }


def finetune(plan: Plan, out: Path, before: tuple[Plan, Path] | None) -> dict:
    """Train with labels, from the run `before` where there is one."""
    seconds = 0.0
    if before:
        trained(*before)
        seconds = spent(before[1])
    entry = measure(plan, out)
    kept = ("commit", "val_accuracy", "best_accuracy", "curves")
    return {name: entry[name] for name in kept} | {
        "seconds": round(spent(out) + seconds, 1)
    }


def self_supervision(
    name: Literal["stacks", "stl10"],
    seeds: int = 3,
    root: str = "data",
    steps: list[str] | None = None,
) -> None:
    """Train every step once a seed and write results/self_supervision-NAME.json.

    Args:
        name: of the study: on which data
        seeds: how many, from 0
        root: where the data lie
        steps: names of the steps to train; all unless given
    """
    study = STUDIES[name]
    jobs = []
    data = [f"data.root={root}"]
    for seed in range(seeds):
        pretrained = {}
        for method in METHODS:
            plan = seeded(f"{method}-{name}", data, seed)
            out = folder(name, method, seed)
            pretrained[method] = (plan, out)
            jobs.append(
                Job(
                    method,
                    seed,
                    partial(pretrain, plan, out),
                    partial(about, plan, out),
                )
            )
        for labels in study.labels:
            for start in (SCRATCH, *METHODS):
                step = f"{start}, {label_name(labels)}"
                before = pretrained.get(start)
                changes = [*data, f"data.labelled={labels}"]
                if before:
                    changes.append(f"training.init={before[1]}")
                plan = seeded(study.recipe, changes, seed)
                if not before:
                    epochs = round(study.longer * plan.training.epochs)
                    plan = replace(plan, training=replace(plan.training, epochs=epochs))
                out = folder(name, step, seed)
                jobs.append(
                    Job(
                        step,
                        seed,
                        partial(finetune, plan, out, before),
                        partial(about, plan, out),
                    )
                )
    complete(
        f"self_supervision-{name}", jobs, {}, steps, device=pick_device("auto").type
    )


def about(plan: Plan, out: Path) -> dict:
    """What the result says of a step."""
    return {"config": shown_config(plan, out)}


if __name__ == "__main__":
    run(self_supervision)
