"""From a plain recipe to the full one, a step at a time: what each change gives.

    python benchmarks/sweep.py laptop --root data                   20 epochs of a small
        model, into sweep-laptop.json
    python benchmarks/sweep.py gpu --root data --epochs 300 --seeds 3
    python benchmarks/sweep.py laptop --root data --steps '["plain", "+ crop and flip"]'

A step takes over all settings of the one before it, or of the one it names, and changes
what is written beside it. Runs live in runs/sweep-NAME-STEP-SEED; the record is written
after each, and what it holds is kept, so a sweep that was cut off goes on, and several
processes may share its steps. Predictions are written down before: the record takes
them from a table in results/LOG.md, in the section that names this command, with the
step in its first column and the prediction in its second.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Literal

from record import ROOT, circumstances, read_record, run, write_record
from seeds import Plan, measure, published, read_plan, refuse_others, summary

from vit_tutorial.training.checkpoint import MAY_CHANGE
from vit_tutorial.training.distributed import pick_device

LOG = ROOT / "results" / "LOG.md"


@dataclass(frozen=True)
class Step:
    """A change of the step `after`, by default the one above; `build` names another
    model, one of `BUILDERS`.
    """

    name: str
    change: dict = field(default_factory=dict)
    after: str | None = None
    build: str | None = None


STL10 = {
    "data.name": "stl10",
    "data.mean": [0.4467, 0.4398, 0.4066],
    "data.std": [0.2603, 0.2566, 0.2713],
}
JITTER = {
    f"training.augment.{name}": 0.4 for name in ("brightness", "contrast", "saturation")
}
MIXING = {"training.strong.mixup": 0.8, "training.strong.cutmix": 1.0}
# Muon takes the matrices of blocks; and an average of the weights does not fit the
# running statistics of batch norms
CNN = {"training.optimizer": "adamw", "training.average": 0.0}

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
    Step("+ moving average", {"training.average": 0.99}),
    Step("+ convolutional stem", {"model.embedder": "stem"}),
    Step("+ MixUp and CutMix", MIXING | {"training.mixup_off_epochs": 2}),
    Step("mean pooling", {"model.pool": "mean"}, after="+ convolutional stem"),
    Step(
        "small CNN",
        CNN | {"training.peak_lr": 5e-3},
        after="+ convolutional stem",
        build="cnn",
    ),
)

GPU = (
    Step(
        "plain",
        STL10
        | {
            "model.patch_size": 8,
            "model.dim": 384,
            "model.depth": 6,
            "model.heads": 6,
            "model.positions": "learned",
            "training.epochs": 300,
            "training.batch_size": 256,
            "training.optimizer": "adamw",
            "training.peak_lr": 1e-3,
            "training.warmup_epochs": 10,
            "training.weight_decay": 0.1,
            "training.label_smoothing": 0.1,
            "training.save_every": 20,
        },
    ),
    Step(
        "+ crop and flip",
        {"training.augment.crop": [0.3, 1.0], "training.augment.flip": True},
    ),
    Step("+ colour", JITTER | {"training.augment.hue": 0.1}),
    Step("+ sin-cos positions", {"model.positions": "sincos"}),
    Step("+ Muon", {"training.optimizer": "muon"}),
    Step("+ moving average", {"training.average": 0.998}),
    Step("+ convolutional stem", {"model.embedder": "stem"}),
    Step(
        "+ three-augment and erasing",
        {"training.strong.three": 0.5, "training.strong.erase": 0.25},
    ),
    Step("+ MixUp and CutMix", MIXING | {"training.mixup_off_epochs": 30}),
    Step("+ stochastic depth", build="stochastic-depth"),
    Step("+ LayerScale", build="stochastic-depth-and-layer-scale"),
    Step("mean pooling", {"model.pool": "mean"}, after="+ MixUp and CutMix"),
    Step(
        "without the stem",
        {"model.embedder": "convolutional"},
        after="+ MixUp and CutMix",
    ),
    Step(
        "1,000 epochs",
        {"training.epochs": 1000, "training.mixup_off_epochs": 100},
        after="+ MixUp and CutMix",
    ),
    Step("ResNet-18", CNN, after="+ MixUp and CutMix", build="resnet18"),
)

LADDERS = {"laptop": LAPTOP, "gpu": GPU}


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
    # both ladders are planned, and one is recorded, at the rate that Muon had then
    settings = {None: {"training.muon_lr_scale": 10.0}}
    builds = {None: "vit"}
    plans = {}
    base = bases(ladder)
    for step in ladder:
        settings[step.name] = settings[base[step.name]] | step.change
        builds[step.name] = step.build or builds[base[step.name]]
        words = [
            f"{name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in settings[step.name].items()
        ]
        plans[step.name] = read_plan(None, words + last, builds[step.name])
    return plans


def read_predictions(name: str) -> dict[str, str]:
    """The prediction for each step, from the table in the section of results/LOG.md
    that names the command.
    """
    sections = LOG.read_text(encoding="utf-8").split("\n## ") if LOG.exists() else []
    lines = [
        line
        for text in sections
        if f"sweep.py {name}" in text
        for line in text.splitlines()
    ]
    rows = [line.strip("| ").split("|") for line in lines if line.startswith("|")]
    return {row[0].strip(): row[1].strip() for row in rows}


def with_run(
    steps: list[dict], ladder: tuple[Step, ...], about: dict, entry: dict
) -> list[dict]:
    """A record's steps, in the order of the ladder, with one more run of the step that
    is told `about`.
    """
    stored = {step["name"]: step for step in steps}
    runs = sorted(
        [*stored.get(about["name"], {"runs": []})["runs"], entry],
        key=lambda made: made["seed"],
    )
    stored[about["name"]] = about | {"runs": runs} | summary(runs)
    return [stored[step.name] for step in ladder if step.name in stored]


def sweep(
    name: Literal["laptop", "gpu"],
    seeds: int = 1,
    epochs: int | None = None,
    root: str = "data",
    steps: list[str] | None = None,
    set: list[str] | None = None,
) -> None:
    """Train the steps of a ladder and write the record results/sweep-NAME.json.

    Args:
        name: which ladder
        seeds: how many a step, from 0
        epochs: how many a run, but for steps that are about just that; the ladder's own
            unless given
        root: where the data lie
        steps: names of the steps to train; all unless given
        set: settings that differ in every step, such as training.device=cpu
    """
    ladder = LADDERS[name]
    path = ROOT / "results" / f"sweep-{name}.json"
    if unknown := [
        step for step in steps or [] if step not in [known.name for known in ladder]
    ]:
        raise ValueError(
            f"no step {unknown[0]!r} in {name}, expected some of"
            f" {[step.name for step in ladder]}"
        )
    if epochs:
        ladder = (
            Step(ladder[0].name, ladder[0].change | {"training.epochs": epochs}),
            *ladder[1:],
        )
    predictions = read_predictions(name)
    for seed in range(seeds):
        last = [f"data.root={root}", *(set or []), f"training.seed={seed}"]
        plans = read_ladder(ladder, last)
        for step in ladder:
            plan = plans[step.name]
            stored = read_record(path, ("steps",)).get("steps", [])
            made = next((old for old in stored if old["name"] == step.name), None)
            if made:
                refuse_others(
                    path, made["config"], plan, (*MAY_CHANGE, "training.seed")
                )
            if (steps and step.name not in steps) or (
                made and seed in [old["seed"] for old in made["runs"]]
            ):
                continue
            slug = re.sub(r"\W+", "-", step.name).strip("-").lower()
            out = ROOT / "runs" / f"sweep-{name}-{slug}-{seed}"
            print(f"{step.name}, seed {seed}", flush=True)
            entry = {
                part: value
                for part, value in measure(plan, out).items()
                if part != "confusion"
            }
            about = {
                "name": step.name,
                "after": bases(ladder)[step.name],
                "change": step.change,
                "build": plan.build,
            }
            about |= {
                "prediction": predictions.get(step.name, "none"),
                "config": published(plan, out),
            }
            record = circumstances(
                pick_device("auto").type, ["torch", "torchvision"]
            ) | {"base": ladder[0].name}
            # another process may have written by now
            stored = read_record(path, ("steps",)).get("steps", [])
            write_record(
                path, record | {"steps": with_run(stored, ladder, about, entry)}
            )
    record = read_record(path, ("steps",))
    for step in record["steps"]:  # those written down since
        step["prediction"] = predictions.get(step["name"], "none")
    write_record(path, record)
    show(record["steps"])


def show(steps: list[dict]) -> None:
    """Print what each step gave, in points against the step it changes."""
    means = {step["name"]: step["mean"] for step in steps}
    for step in steps:
        before = step["after"]
        gain = (
            f", {100 * (step['mean'] - means[before]):+.1f} on {before}"
            if before in means
            else ""
        )
        print(f"{step['name']:28}{step['mean']:6.1%}, seeds: {len(step['runs'])}{gain}")


if __name__ == "__main__":
    run(sweep)
