"""What learning without labels gives: pre-training by each method, measured frozen and
fine-tuned, beside the same model from scratch.

    python experiments/self_supervision.py stacks              into
        results/self_supervision-stacks.json
    python experiments/self_supervision.py stl10 --root data   STL-10 lies under
        DIR/stl10_binary
    python experiments/self_supervision.py stl10 --root data --seeds 1 \\
        --steps '["mae", "mae, all labels", "scratch, all labels"]'

A method's step holds the k-NN and linear-probe accuracies of its frozen features, with
labels used for that alone, and of drawn images how much of the class token's attention
in the last block, head by head, lies on the object. The other steps train on from there
with some of the labels, or all, and "scratch" from the usual start, with more epochs,
so that it takes about as many minutes as both stages of the method "mae". Steps that
end in "taught" learn from a teacher as well, a model with a CNN for a stem that was
trained on the same images. Runs live in runs/self_supervision-NAME-STEP-SEED; "seconds"
is the sum over their epochs, validation included.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from experiments.plans import (
    Plan,
    measure,
    read_plan,
    refuse_others,
    seeded,
    shown_config,
    trained,
)
from experiments.results import ROOT, commit, run
from experiments.runner import Job, complete
from vit_tutorial.data.datasets import labelled_bank, load_split
from vit_tutorial.data.images import ImageSet
from vit_tutorial.interpret.attention import attention_maps
from vit_tutorial.interpret.faithfulness import attention_mass, patch_coverage
from vit_tutorial.model import VisionTransformer
from vit_tutorial.selfsup.probes import probe
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.distributed import pick_device
from vit_tutorial.training.run import Run, read_run

SCRATCH = "scratch"


@dataclass(frozen=True)
class Study:
    """Which recipe of the package each method is, and which one trains on with labels.

    `labels`: for each number of labelled images, 0 for all, how many epochs a run has
    that was pre-trained, and how many one from scratch; an epoch is as long with few as
    with all. `teacher`: whom the TAUGHT learn from, once more with all labels; nobody
    unless given.
    """

    methods: dict[str, str]
    recipe: str
    labels: dict[int, tuple[int, int]]
    teacher: str = ""


def methods(name: str) -> dict[str, str]:
    """The recipes of all methods on the data `name`."""
    return {method: f"{method}-{name}" for method in ("simmim", "mae", "dino")}


STUDIES = {
    "stacks": Study(
        methods("stacks") | {"dino, no centring": "dino-stacks"},
        "finetune-stacks",
        {20: (12, 30), 100: (12, 30), 0: (12, 30)},
    ),
    "stl10": Study(
        methods("stl10"),
        "finetune-stl10",
        {40: (10, 50), 400: (20, 60), 0: (40, 80)},
        teacher="stl10",
    ),
}
# settings that tell a method from its recipe
CHANGES = {"dino, no centring": ["training.dino.centering=false"]}
# of which only what it does while it learns is of interest
FROZEN = ("dino, no centring",)
# who has a teacher, too
TAUGHT = (SCRATCH, "mae")


def label_name(labels: int) -> str:
    """How many labels a step has, in words."""
    return f"{labels} labels" if labels else "all labels"


def folder(name: str, step: str, seed: int) -> Path:
    """Where the run of a step lives."""
    slug = step.replace(", ", "-").replace(" ", "-")
    return ROOT / "runs" / f"self_supervision-{name}-{slug}-{seed}"


def spent(out: Path) -> float:
    """Seconds of all epochs of the run in `out`."""
    return round(sum(row["seconds"] for row in read_run(out).history), 1)


def pretrain(plan: Plan, out: Path) -> dict:
    """Pre-train as far as it is not done, and probe: the entry of the run."""
    began = commit()  # another may be made while it trains
    model, made = trained(plan, out)
    val = load_split(plan.data, "val")
    scores = probe(model, made.normalization, labelled_bank(plan.data), val)
    watched = {
        name: [round(row[name], 4) for row in made.history if name in row]
        for name in made.history[-1]
        if name not in ("epoch", "learning_rate", "seconds")
    }
    entry = {
        "commit": began,
        "val_accuracy": scores["knn"],
        "linear": scores["linear"],
        "seconds": spent(out),
        "curves": watched,
    }
    return entry if val.masks is None else entry | on_object(model, val, made)


@torch.no_grad()
def on_object(model: VisionTransformer, data: ImageSet, made: Run) -> dict:
    """The share of the class token's attention that lies on the object, for each head
    of the last block, and the object's share of the image, means over the images.
    """
    cover = patch_coverage(data.masks[:, 0], model.config.patch_size)
    device = next(model.parameters()).device
    shares = []
    for part in torch.arange(len(data)).split(100):
        images = made.normalization(data.images[part].to(device))
        maps = attention_maps(model, images)[-1][:, :, 0, 1:].cpu()
        shares.append(attention_mass(cover[part], maps))
    return {
        "object_mass": [round(v, 4) for v in torch.cat(shares).mean(dim=0).tolist()],
        "object_area": round(cover.mean().item(), 4),
    }


def finetune(plan: Plan, out: Path, before: tuple[Plan, Path] | None) -> dict:
    """Train with labels, from the run `before` where there is one."""
    seconds = 0.0
    if before:
        trained(*before)
        seconds = spent(before[1])
    entry = measure(plan, out)
    kept = ("commit", "val_accuracy", "best_accuracy", "curves")
    model, made = load_checkpoint(out)
    val = load_split(plan.data, "val")
    seen = {} if val.masks is None else on_object(model, val, made)
    total = {"seconds": round(spent(out) + seconds, 1)}
    return {name: entry[name] for name in kept} | total | seen


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
        for method, recipe in study.methods.items():
            plan = seeded(read_plan(recipe, [*data, *CHANGES.get(method, [])]), seed)
            out = folder(name, method, seed)
            pretrained[method] = (plan, out)
            jobs.append(step_of(method, seed, plan, out, pretrain))
        for labels, (after, alone) in study.labels.items():
            for start in (SCRATCH, *pretrained):
                if start in FROZEN:
                    continue
                step = f"{start}, {label_name(labels)}"
                before = pretrained.get(start)
                changes = [*data, f"data.labelled={labels}"]
                if before:
                    changes.append(f"training.init={before[1]}")
                changes.append(f"training.epochs={after if before else alone}")
                variants = {step: changes}
                if study.teacher and not labels and start in TAUGHT:
                    taught = [*changes, f"training.teacher={study.teacher}"]
                    variants[f"{step}, taught"] = taught
                train_on = partial(finetune, before=before)
                for each, settings in variants.items():
                    plan = seeded(read_plan(study.recipe, settings), seed)
                    out = folder(name, each, seed)
                    jobs.append(step_of(each, seed, plan, out, train_on))
    complete(
        f"self_supervision-{name}", jobs, {}, steps, device=pick_device("auto").type
    )


def step_of(
    name: str,
    seed: int,
    plan: Plan,
    out: Path,
    measured: Callable[[Plan, Path], dict],
) -> Job:
    """The job of one run of a step."""
    return Job(
        name,
        seed,
        partial(measured, plan, out),
        partial(about, plan, out),
        partial(same_settings, plan),
    )


def same_settings(plan: Plan, path: Path, step: dict) -> None:
    """Raise ValueError where the step on file has other settings than the plan, but for
    its seed and what it started from.
    """
    but = ("training.seed", "data.split_seed", "training.init")
    refuse_others(path, step["config"], plan, but)


def about(plan: Plan, out: Path) -> dict:
    """What the result says of a step."""
    return {"config": shown_config(plan, out)}


if __name__ == "__main__":
    run(self_supervision)
