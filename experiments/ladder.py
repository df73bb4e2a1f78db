"""From a plain recipe to the full one, a step at a time: what each change gives.

    python experiments/ladder.py laptop --root data      20 epochs of a small model,
        into results/ladder-laptop.json
    python experiments/ladder.py trials --root data      the headline's recipe, one
        change at a time
    python experiments/ladder.py laptop --root data \\
        --steps '["plain", "+ crop and flip"]'

A step takes over all settings of the one before it, or of the one it names, and changes
what is written beside it. Runs live in runs/ladder-NAME-STEP-SEED. Predictions are
written down before: the result takes them from a table in results/LOG.md, in the
section that names this command, with the step in its first column and the prediction in
its second.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

from experiments.plans import Plan, as_words, plan_job, read_plan
from experiments.results import ROOT, read_result, run, write_result
from experiments.runner import complete, writing
from vit_tutorial.training.distributed import pick_device

LOG = ROOT / "results" / "LOG.md"


@dataclass(frozen=True)
class Step:
    """A change of the step `after`, by default the one above."""

    name: str
    change: dict = field(default_factory=dict)
    after: str | None = None


STL10 = {
    "data.name": "stl10",
    "data.mean": [0.4467, 0.4398, 0.4066],
    "data.std": [0.2603, 0.2566, 0.2713],
}
JITTER = {
    f"training.augment.{name}": 0.4 for name in ("brightness", "contrast", "saturation")
}
MIXING = {"training.mixing.mixup": 0.8, "training.mixing.cutmix": 1.0}
# Muon takes the matrices of blocks
CNN = {"training.optimizer": "adamw", "training.ema_decay": 0.0}

LAPTOP = (
    Step(
        "plain",
        STL10
        | {
            "model.patch_size": 16,
            "model.dim": 128,
            "model.depth": 4,
            "model.heads": 4,
            "model.positions": "learned",
            "training.epochs": 20,
            "training.batch_size": 64,
            "training.optimizer": "adamw",
            "training.peak_lr": 1e-3,
            "training.warmup_epochs": 3,
            "training.weight_decay": 0.05,
            "training.label_smoothing": 0.1,
        },
    ),
    Step(
        "+ crop and flip",
        {"training.augment.crop": [0.35, 1.0], "training.augment.flip": True},
    ),
    Step("+ colour", JITTER),
    Step("+ sin-cos positions", {"model.positions": "sincos"}),
    Step("+ Muon", {"training.optimizer": "muon"}),
    Step("+ moving average", {"training.ema_decay": 0.99}),
    Step("+ convolutional stem", {"model.embedder": "stem"}),
    Step("+ MixUp and CutMix", MIXING | {"training.mixup_off_epochs": 2}),
    Step("mean pooling", {"model.pool": "mean"}, after="+ convolutional stem"),
    Step(
        "small CNN",
        CNN | {"model.name": "cnn", "training.peak_lr": 5e-3},
        after="+ convolutional stem",
    ),
)

# what the headline's recipe is chosen by: one change each, to the first
TRIALS = (
    Step(
        "hybrid",
        STL10
        | JITTER
        | {
            "model.patch_size": 8,
            "model.dim": 128,
            "model.depth": 4,
            "model.heads": 4,
            "model.positions": "sincos",
            "model.embedder": "hybrid",
            "training.epochs": 12,
            "training.batch_size": 64,
            "training.resolution": [64],
            "training.optimizer": "muon",
            "training.muon_lr_scale": 2.0,
            "training.peak_lr": 1e-3,
            "training.warmup_epochs": 2,
            "training.weight_decay": 0.05,
            "training.label_smoothing": 0.1,
            "training.ema_decay": 0.99,
            "training.augment.crop": [0.35, 1.0],
            "training.augment.flip": True,
        },
    ),
    *(
        Step(name, change, after="hybrid")
        for name, change in {
            "Muon at 1": {"training.muon_lr_scale": 1.0},
            "Muon at 4": {"training.muon_lr_scale": 4.0},
            "Muon at 10": {"training.muon_lr_scale": 10.0},
            "rate 2e-3": {"training.peak_lr": 2e-3, "training.muon_lr_scale": 1.0},
            "rate 5e-4": {"training.peak_lr": 5e-4, "training.muon_lr_scale": 4.0},
            "rate 2.5e-4": {"training.peak_lr": 2.5e-4, "training.muon_lr_scale": 8.0},
            "AdamW": {"training.optimizer": "adamw"},
            "at 96 pixels": {"training.resolution": []},
            "at 48 pixels": {"training.resolution": [48]},
            "48, 64, 80": {"training.resolution": [48, 64, 80]},
            "crop from 0.2": {"training.augment.crop": [0.2, 1.0]},
            "crop from 0.6": {"training.augment.crop": [0.6, 1.0]},
            "mixing of 40 %": MIXING | {"training.mixing.share": 0.4},
            "mean pooling": {"model.pool": "mean"},
            "convolutional stem": {"model.embedder": "stem"},
            "plain embedder": {"model.embedder": "convolutional"},
            "dim 192": {"model.dim": 192},
            "depth 6": {"model.depth": 6},
            "batches of 128": {"training.batch_size": 128},
            "small ResNet": {"model.name": "resnet-small"},
        }.items()
    ),
)

LADDERS = {"laptop": LAPTOP, "trials": TRIALS}


def bases(ladder: tuple[Step, ...]) -> dict[str, str | None]:
    """Which step each step changes; None for the first."""
    above = [None, *(step.name for step in ladder)]
    return {
        step.name: step.after or before
        for step, before in zip(ladder, above, strict=False)
    }


def read_ladder(ladder: tuple[Step, ...], last: list[str]) -> dict[str, Plan]:
    """The plan of each step: the changes of all steps it stands on, its own, and the
    `last`.
    """
    # one is recorded at the rate that Muon had then
    settings = {None: {"training.muon_lr_scale": 10.0}}
    plans = {}
    base = bases(ladder)
    for step in ladder:
        settings[step.name] = settings[base[step.name]] | step.change
        plans[step.name] = read_plan(None, as_words(settings[step.name]) + last)
    return plans


def read_predictions(name: str) -> dict[str, str]:
    """The prediction for each step, from the table in the section of results/LOG.md
    that names the command (or what it was called once: sweep.py, ablations.py).
    """
    sections = LOG.read_text(encoding="utf-8").split("\n## ") if LOG.exists() else []
    rows = [
        line.strip("| ").split("|")
        for text in sections
        if re.search(rf"(ladder|ablations|sweep)\.py {name}\b", text)
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return {row[0].strip(): row[1].strip() for row in rows}


def ladder(
    name: Literal["laptop", "trials"],
    seeds: int = 1,
    epochs: int | None = None,
    root: str = "data",
    steps: list[str] | None = None,
    set: list[str] | None = None,
) -> None:
    """Train the steps of a ladder and write results/ladder-NAME.json.

    Args:
        name: which ladder
        seeds: how many a step, from 0
        epochs: how many a run; the ladder's own unless given
        root: where the data lie
        steps: names of the steps to train; all unless given
        set: settings that differ in every step, such as training.device=cpu
    """
    first, *others = LADDERS[name]
    if epochs:
        first = Step(first.name, first.change | {"training.epochs": epochs})
    rungs = (first, *others)
    title = f"ladder-{name}"
    jobs = []
    for seed in range(seeds):
        changes = [f"data.root={root}", *(set or []), f"training.seed={seed}"]
        plans = read_ladder(rungs, changes)
        for step in rungs:
            slug = re.sub(r"\W+", "-", step.name).strip("-").lower()
            plan = plans[step.name]
            about = {
                "after": bases(rungs)[step.name],
                "change": step.change,
                "prediction": "none",
            }
            jobs.append(plan_job(f"{title}-{slug}", step.name, seed, plan, about))
    about = {"base": first.name}
    base = read_plan(None, as_words(first.change) + (set or []))
    device = pick_device(base.training.device).type
    complete(title, jobs, about, steps, device=device)
    path = ROOT / "results" / f"{title}.json"
    with writing(title):
        result = read_result(path)
        # also those written down since
        for step, prediction in read_predictions(name).items():
            if step in result["steps"]:
                result["steps"][step]["prediction"] = prediction
        write_result(path, result)


if __name__ == "__main__":
    run(ladder)
