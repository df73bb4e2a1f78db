"""One recipe on several folds, none of which share images that are held out, so the
split's luck shows in the spread.

    python experiments/folds.py stl10 --root DIR      five folds of 4,000 and 1,000
        images, into results/stl10-folds.json

A fold that the result holds is kept; the others are trained in runs/NAME-FOLD, as
experiments/seeds.py does. Seed 0 trains all of them: the spread is of images, of those
learnt from and of those held out.
"""

from pathlib import Path

from experiments.plans import plan_job, read_plan
from experiments.results import run
from experiments.runner import ALONE, complete
from vit_tutorial.training.distributed import pick_device


def folds(
    recipe: str,
    root: str = "data",
    name: str | None = None,
    set: list[str] | None = None,
) -> None:
    """Train `recipe` once a fold and write results/NAME.json.

    Args:
        recipe: one of the package's, or the path of a YAML file
        root: where the data lie
        name: of the result, by default that of the recipe with "-folds"
        set: settings that differ from the recipe, such as training.epochs=12
    """
    name = name or f"{Path(recipe).stem}-folds"
    settings = [f"data.root={root}", *(set or [])]
    base = read_plan(recipe, settings)
    data = base.data
    if data.drawn:
        raise ValueError(
            f"{data.name} is drawn and has no folds, expected a set of given images"
        )
    jobs = []
    for fold in range(data.folds):
        plan = read_plan(recipe, [*settings, f"data.fold={fold}"])
        jobs.append(plan_job(name, ALONE, fold, plan, {}, ("data.fold",)))
    device = pick_device(base.training.device).type
    complete(name, jobs, kind="fold", device=device)


if __name__ == "__main__":
    run(folds)
