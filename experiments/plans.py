"""Runs that the package's own training loop makes: what is planned, and the job that
trains it in runs/, as far as it is not trained yet, and measures it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
from filelock import FileLock
from torch import nn

from experiments.results import ROOT, commit, device_name, strip_paths
from experiments.runner import Job
from vit_tutorial.cli.console import print_row
from vit_tutorial.cli.main import make_parser
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split, sized_for
from vit_tutorial.model import count_parameters
from vit_tutorial.models import MODELS, build_model
from vit_tutorial.training.checkpoint import MAY_CHANGE, load_checkpoint
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.distributed import pick_device
from vit_tutorial.training.loop import train
from vit_tutorial.training.metrics import calibration, compute_logits, confusion
from vit_tutorial.training.migrate import migrate_config
from vit_tutorial.training.optimizers import hidden_matrices
from vit_tutorial.training.run import PARTS, Run, from_json, read_run, to_json

# settings that name a run, of whose folder a result keeps the last part
RUNS = ("training.teacher", "training.init")


@dataclass(frozen=True)
class Plan:
    """What is trained, on what, and how."""

    model: ViTConfig
    data: DataConfig
    training: TrainConfig

    def settings(self) -> dict:
        """All settings, as JSON holds them."""
        return json.loads(json.dumps(asdict(self)))


def read_plan(recipe: str | None, changes: list[str]) -> Plan:
    """A recipe with some settings changed, such as "training.epochs=12", read as the
    command line reads them.

    Without a recipe everything else is at its default. Raises ValueError for settings
    that do not fit.
    """
    parser = make_parser({})
    config = ["--config", recipe] if recipe else []
    words = ["train", *config, "--out", "", *(f"--{change}" for change in changes)]
    chosen = parser.instantiate(parser.parse_args(words)).train
    if chosen.model.name not in MODELS:
        name = chosen.model.name
        raise ValueError(f"name is {name!r}, expected one of {sorted(MODELS)}")
    with torch.device("meta"):
        matrices = hidden_matrices(build_model(chosen.model))
    if chosen.training.optimizer == "muon" and not matrices:
        raise ValueError(
            f"{chosen.model.name} has no blocks, whose matrices Muon takes: expected"
            " training.optimizer=adamw"
        )
    data = sized_for(chosen.data, chosen.model)
    return Plan(chosen.model, data, chosen.training)


def as_words(settings: Mapping[str, object]) -> list[str]:
    """Settings by their dotted names as `read_plan` takes changes."""
    return [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in settings.items()
    ]


def seeded(plan: Plan, seed: int) -> Plan:
    """The plan with another seed, which draws its images, too, where they are drawn."""
    training = replace(plan.training, seed=seed)
    data = replace(plan.data, split_seed=seed) if plan.data.drawn else plan.data
    return replace(plan, data=data, training=training)


def flat(settings: dict, within: str = "") -> dict:
    """Nested settings by their dotted names."""
    values = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            values |= flat(value, f"{within}{name}.")
        else:
            values[within + name] = value
    return values


def refuse_others(place: Path, stored: dict, plan: Plan, but: tuple[str, ...]) -> None:
    """Raise ValueError for the first setting of a stored config that is not the plan's,
    `but` for those named and those that no figure depends on.

    What the stored one does not say, because it is older than the setting, is at its
    default; what it says by an older name is known by the new one.
    """
    but = (*MAY_CHANGE, "training.snapshots", *but)
    if plan.training.optimizer == "adamw":
        but = (*but, "training.muon_lr_scale")
    new = flat(plan.settings())
    stored = migrate_config(stored)
    parts = {name: stored[name] for name in PARTS if name in stored}
    old = flat(Plan(ViTConfig(), DataConfig(), TrainConfig()).settings()) | flat(parts)
    for name in old | new:
        if name in RUNS and old.get(name) == strip_paths(new.get(name)):
            continue  # as results name them
        if name not in but and old.get(name) != new.get(name):
            raise ValueError(
                f"{place} was made with {name} {old.get(name)!r}, not"
                f" {new.get(name)!r}: choose another name or delete it"
            )


def trained(plan: Plan, out: Path) -> tuple[nn.Module, Run]:
    """The plan's model and its run in the folder `out`, trained as far as it is not
    yet.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    # of two processes that need the run, one waits and finds it trained
    with FileLock(out.with_name(f"{out.name}.lock")):
        epochs = 0
        if (out / "config.json").exists():
            run = read_run(out)
            refuse_others(out, from_json(to_json(run.config.as_dict())), plan, ())
            epochs = len(run.history)
        if epochs < plan.training.epochs:
            resume = (out / "state.safetensors").exists()
            train(plan.model, plan.data, plan.training, out, resume, print_row)
    return load_checkpoint(out, pick_device(plan.training.device))


def measure(plan: Plan, out: Path) -> dict:
    """One run's entry in a result. Raises ValueError when the weights in `out` are not
    those of its last epoch.
    """
    began = commit()  # another may be made while it trains
    model, run = trained(plan, out)
    data = load_split(plan.data, "val")
    found = compute_logits(model, data, run.normalization).softmax(dim=1)
    counts = confusion(found, data.labels)
    bins = calibration(found, data.labels)
    correct = counts.trace().item()
    final = run.history[-1]["val_accuracy"]
    # kernels of other devices round otherwise
    if abs(correct - final * len(data)) > max(1, len(data) / 200):
        raise ValueError(
            f"the weights in {out} are right in {correct / len(data):.1%}, its history"
            f" says {final:.1%}"
        )
    names = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds")
    curves = {name: [round(row[name], 4) for row in run.history] for name in names}
    return {
        "seed": plan.training.seed,
        "commit": began,
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


def shown_config(plan: Plan, out: Path) -> dict:
    """The config that a result shows: the plan's, with classes and normalisation as the
    run in `out` has them.
    """
    settings = plan.settings()
    made = read_run(out)
    settings["data"]["root"] = strip_paths(settings["data"]["root"])
    for name in RUNS:
        part, _, field = name.partition(".")
        settings[part][field] = strip_paths(settings[part][field])
    return settings | {"classes": made.classes, "mean": made.mean, "std": made.std}


def plan_job(
    run: str,
    step: str,
    number: int,
    plan: Plan,
    about: dict,
    but: tuple[str, ...] = ("training.seed",),
) -> Job:
    """The job that trains a plan in runs/RUN-NUMBER. All runs of its step share its
    settings, `but` for those named.
    """
    out = ROOT / "runs" / f"{run}-{number}"
    return Job(
        step,
        number,
        partial(measure, plan, out),
        lambda: about | {"config": shown_config(plan, out)},
        lambda path, stored: refuse_others(path, stored["config"], plan, but),
    )
