"""One recipe, several seeds: the accuracy of the final epoch as a mean and a spread.

    python benchmarks/seeds.py stacks                          seeds 0 to 2, into
        results/stacks.json
    python benchmarks/seeds.py stl10-seed --root DIR           STL-10 lies under
        DIR/stl10_binary
    python benchmarks/seeds.py stl10 --root DIR --build resnet18 \\
        --set '["training.optimizer=adamw", "training.average=0"]'      another model,
            into results/stl10-resnet18.json
    python benchmarks/seeds.py stacks --seeds 1 --name stacks-adamw \\
        --set '["training.optimizer=adamw", "training.peak_lr=2e-3"]'

A seed that the record holds is kept. The others are trained in runs/NAME-SEED, where a
run goes on where it was cut off and a finished one is only measured. Drawn training
images differ from seed to seed, too; validation images are always the same. The spread
is the standard deviation over the seeds.
"""

import json
import statistics
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from record import (
    ROOT,
    circumstances,
    commit,
    device_name,
    nameless,
    read_record,
    run,
    write_record,
)
from torch import nn
from variants import BUILDERS, CNNS

from vit_tutorial.cli.console import print_row
from vit_tutorial.cli.main import make_parser
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split, sized_for
from vit_tutorial.model import count_parameters
from vit_tutorial.training import checkpoint
from vit_tutorial.training.checkpoint import MAY_CHANGE
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.distributed import pick_device
from vit_tutorial.training.loop import train
from vit_tutorial.training.metrics import calibration, confusion, probabilities


@dataclass(frozen=True)
class Plan:
    """What is trained, on what, and how. `build` is the name of a model among
    `BUILDERS`.
    """

    model: ViTConfig
    data: DataConfig
    training: TrainConfig
    build: str = "vit"

    def settings(self) -> dict:
        """All settings, as JSON holds them."""
        return json.loads(json.dumps(asdict(self)))


def read_plan(recipe: str | None, changes: list[str], build: str = "vit") -> Plan:
    """A recipe with some settings changed, such as "training.epochs=12", read as the
    command line reads them.

    Without a recipe everything else is at its default. Raises ValueError for settings
    that do not fit.
    """
    if build not in BUILDERS:
        raise ValueError(f"build is {build!r}, expected one of {sorted(BUILDERS)}")
    parser = make_parser({})
    words = [
        "train",
        *(["--config", recipe] if recipe else []),
        "--out",
        "",
        *(f"--{change}" for change in changes),
    ]
    chosen = parser.instantiate(parser.parse_args(words)).train
    if build in CNNS and chosen.training.optimizer == "muon":
        raise ValueError(
            f"{build} has no blocks, whose matrices Muon takes: expected"
            " training.optimizer=adamw"
        )
    return Plan(
        chosen.model, sized_for(chosen.data, chosen.model), chosen.training, build
    )


def flat(settings: dict, within: str = "") -> dict:
    """Nested settings by their dotted names."""
    values = {}
    for name, value in settings.items():
        values |= (
            flat(value, f"{within}{name}.")
            if isinstance(value, dict)
            else {within + name: value}
        )
    return values


def refuse_others(place: Path, stored: dict, plan: Plan, but: tuple[str, ...]) -> None:
    """Raise ValueError for the first setting of a stored config that is not the plan's,
    `but` for those named.

    What the stored one does not say, because it is older than the setting, is at its
    default.
    """
    defaults = flat(Plan(ViTConfig(), DataConfig(), TrainConfig()).settings())
    parts = {
        name: stored[name]
        for name in ("model", "data", "training", "build")
        if name in stored
    }
    old = defaults | flat(parts)
    new = flat(plan.settings())
    for name in old | new:
        if name not in but and old.get(name) != new.get(name):
            found = (
                f"{place} was made with {name} {old.get(name)!r}, not {new.get(name)!r}"
            )
            raise ValueError(f"{found}: choose another name or delete it")


def trained(plan: Plan, out: Path) -> tuple[nn.Module, checkpoint.Record]:
    """The plan's model and the record of its run in the folder `out`, trained as far as
    it is not yet.
    """
    history = []
    if (out / "config.json").exists():
        record = checkpoint.read_record(out)
        # a run does not say its build
        refuse_others(out, record.config | {"build": plan.build}, plan, MAY_CHANGE)
        history = record.history
    build = BUILDERS[plan.build]
    if len(history) < plan.training.epochs:
        resume = (out / "state.safetensors").exists()
        train(plan.model, plan.data, plan.training, out, resume, print_row, build)
    model = build(plan.model)
    path = out / "model.safetensors"
    checkpoint.set_weights(model, checkpoint.read_tensors(path)[0], path)
    return model.to(pick_device(plan.training.device)).eval(), checkpoint.read_record(
        out
    )


def measure(plan: Plan, out: Path) -> dict:
    """One run's entry in a record. Raises ValueError when the weights in `out` are not
    those of its last epoch.
    """
    model, record = trained(plan, out)
    data = load_split(plan.data, "val")
    chances = probabilities(model, data, record.mean, record.std)
    counts = confusion(chances, data.labels)
    bins = calibration(chances, data.labels)
    right = counts.trace().item()
    final = record.history[-1]["val_accuracy"]
    # kernels of other devices round otherwise
    if abs(right - final * len(data)) > max(1, len(data) / 200):
        raise ValueError(
            f"the weights in {out} are right in {right / len(data):.1%}, its history"
            f" says {final:.1%}"
        )
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds")
    curves = {name: [round(row[name], 4) for row in record.history] for name in names}
    return {
        "seed": plan.training.seed,
        "commit": commit(),
        "device": device_name(next(model.parameters()).device.type),
        "val_accuracy": final,
        "best_accuracy": max(curves["val_accuracy"]),
        "parameters": count_parameters(model),
        "curves": curves,
        "confusion": counts.tolist(),
        "calibration": {
            name: [round(value, 4) for value in values.tolist()]
            for name, values in bins.items()
        },
    }


def summary(runs: list[dict]) -> dict:
    """Mean and spread of the final accuracy over runs."""
    scores = [run["val_accuracy"] for run in runs]
    spread = round(statistics.stdev(scores), 4) if len(scores) > 1 else None
    return {"mean": round(statistics.mean(scores), 4), "spread": spread}


def published(plan: Plan, out: Path) -> dict:
    """The config that a record shows: the plan's, with classes and normalisation as the
    run in `out` has them.
    """
    settings = plan.settings()
    made = checkpoint.read_record(out)
    settings["data"]["root"] = nameless(settings["data"]["root"])
    return settings | {"classes": made.classes, "mean": made.mean, "std": made.std}


def repeat(
    name: str, kind: Literal["seed", "fold"], plans: list[Plan], varied: tuple[str, ...]
) -> None:
    """Train the plans, which differ in what is `varied`, as far as results/NAME.json
    lacks them, and complete it.

    A run of the record has the number of its plan as its "seed" or "fold".
    """
    path = ROOT / "results" / f"{name}.json"
    record = read_record(path, ("config", "runs"))
    runs = {run[kind]: run for run in record["runs"]} if record else {}
    for number, plan in enumerate(plans):
        if record:
            refuse_others(path, record["config"], plan, (*MAY_CHANGE, *varied))
        if number in runs:
            continue
        out = ROOT / "runs" / f"{name}-{number}"
        runs[number] = {kind: number} | measure(plan, out)
        record = circumstances(pick_device("auto").type, ["torch", "torchvision"])
        record |= {
            "config": published(plan, out),
            "runs": [runs[number] for number in sorted(runs)],
        }
        record |= summary(record["runs"])
        write_record(path, record)
    print(
        f"{name}: {record['mean']:.1%} over {len(runs)} {kind}s, spread"
        f" {record['spread']}"
    )


def seeds(
    recipe: str,
    seeds: int = 3,
    root: str = "data",
    name: str | None = None,
    build: str = "vit",
    set: list[str] | None = None,
) -> None:
    """Train `recipe` once a seed and write the record results/NAME.json.

    Args:
        recipe: one of the package's, or the path of a YAML file
        seeds: how many, from 0
        root: where the data lie
        name: of the record, by default that of the recipe, and of the build where it is
            another
        build: the model: vit, or one of benchmarks/variants.py
        set: settings that differ from the recipe, such as training.epochs=12
    """
    settings = [f"data.root={root}", *(set or [])]
    plans = [
        read_plan(recipe, [*settings, f"training.seed={seed}"], build)
        for seed in range(seeds)
    ]
    varied = ("training.seed",)
    if plans[0].data.drawn:
        plans = [
            replace(plan, data=replace(plan.data, split_seed=seed))
            for seed, plan in enumerate(plans)
        ]
        varied = ("training.seed", "data.split_seed")
    repeat(
        name or Path(recipe).stem + f"-{build}" * (build != "vit"),
        "seed",
        plans,
        varied,
    )


if __name__ == "__main__":
    run(seeds)
