"""One recipe on several folds: each labelled image is held out once, so the split's
luck shows in the spread.

    python benchmarks/folds.py stl10 --root DIR      five folds of 4,000 and 1,000
        images, into results/stl10-folds.json

A fold that the record holds is kept; the others are trained in runs/NAME-FOLD, as
benchmarks/seeds.py does. Seed 0 trains all of them: the spread is of images, of those
learnt from and of those held out.
"""

from pathlib import Path

from record import run
from seeds import read_plan, repeat


def folds(
    recipe: str,
    root: str = "data",
    name: str | None = None,
    set: list[str] | None = None,
) -> None:
    """Train `recipe` once a fold and write the record results/NAME.json.

    Args:
        recipe: one of the package's, or the path of a YAML file
        root: where the data lie
        name: of the record, by default that of the recipe with "-folds"
        set: settings that differ from the recipe, such as training.epochs=12
    """
    settings = [f"data.root={root}", *(set or [])]
    data = read_plan(recipe, settings).data
    if data.drawn:
        raise ValueError(
            f"{data.name} is drawn and has no folds, expected a set of given images"
        )
    plans = [
        read_plan(recipe, [*settings, f"data.fold={fold}"])
        for fold in range(data.folds)
    ]
    repeat(name or f"{Path(recipe).stem}-folds", "fold", plans, ("data.fold",))


if __name__ == "__main__":
    run(folds)
