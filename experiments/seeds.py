"""One recipe, several seeds: the accuracy of the final epoch as a mean and a spread.

    python experiments/seeds.py stacks                          seeds 0 to 2, into
        results/stacks.json
    python experiments/seeds.py stl10-seed --root DIR           STL-10 lies under
        DIR/stl10_binary
    python experiments/seeds.py stl10 --root DIR --set '["model.name=resnet18", \\
        "training.optimizer=adamw", "training.ema_decay=0"]'     another model, into
            results/stl10-resnet18.json
    python experiments/seeds.py stacks --seeds 1 --name stacks-adamw \\
        --set '["training.optimizer=adamw", "training.peak_lr=2e-3"]'

A seed that the result holds is kept. The others are trained in runs/NAME-SEED, where a
run goes on where it was cut off and a finished one is only measured. Drawn training
images differ from seed to seed, too; validation images are always the same. The spread
is the standard deviation over the seeds.
"""

from pathlib import Path

from experiments.plans import plan_job, read_plan, seeded
from experiments.results import run
from experiments.runner import ALONE, complete
from vit_tutorial.training.distributed import pick_device


def seeds(
    recipe: str,
    seeds: int = 3,
    root: str = "data",
    name: str | None = None,
    set: list[str] | None = None,
) -> None:
    """Train `recipe` once a seed and write results/NAME.json.

    Args:
        recipe: one of the package's, or the path of a YAML file
        seeds: how many, from 0
        root: where the data lie
        name: of the result, by default that of the recipe, and of the model where it is
            another
        set: settings that differ from the recipe, such as training.epochs=12
    """
    base = read_plan(recipe, set or [])
    model = base.model.name
    name = name or Path(recipe).stem + f"-{model}" * (model != "vit")
    jobs = []
    for seed in range(seeds):
        plan = seeded(read_plan(recipe, [f"data.root={root}", *(set or [])]), seed)
        varied = ("training.seed", *["data.split_seed"] * plan.data.drawn)
        jobs.append(plan_job(name, ALONE, seed, plan, {}, varied))
    complete(name, jobs, device=pick_device(base.training.device).type)


if __name__ == "__main__":
    run(seeds)
