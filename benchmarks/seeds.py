"""One recipe, several seeds: the accuracy of the final epoch as a mean and a spread.

    python benchmarks/seeds.py stacks                          seeds 0 to 2, into results/stacks.json
    python benchmarks/seeds.py stl10-seed --root DIR           STL-10 lies under DIR/stl10_binary
    python benchmarks/seeds.py stacks --seeds 1 --name stacks-adamw \\
        --set '["training.optimizer=adamw", "training.peak_rate=2e-3"]'

A seed's run lives in runs/NAME-SEED and goes on where it was cut off. Drawn training images differ from seed to seed,
too; validation images are always the same. The spread is the standard deviation over the seeds.
"""

import statistics
from pathlib import Path

from jsonargparse import auto_cli
from record import ROOT, circumstances, write_record

from vit_tutorial.checkpoint import load_checkpoint
from vit_tutorial.cli import main as command_line
from vit_tutorial.train import pick_device


def seeds(
    recipe: str, seeds: int = 3, root: str = "data", name: str | None = None, set: list[str] | None = None
) -> None:
    """Train `recipe` once a seed and write the record results/NAME.json.

    Args:
        recipe: one of the package's, or the path of a YAML file
        seeds: how many, from 0
        root: where the data lie
        name: of the record, by default that of the recipe
        set: settings that differ from the recipe, such as training.epochs=12
    """
    name, runs = name or Path(recipe).stem, []
    for seed in range(seeds):
        out = ROOT / "runs" / f"{name}-{seed}"
        argv = ["train", "--out", str(out), "--config", recipe, "--data.root", root, f"--training.seed={seed}"]
        if recipe == "stacks":
            argv.append(f"--data.split_seed={seed}")
        argv += [f"--{setting}" for setting in set or []]
        argv += ["--resume"] * (out / "state.safetensors").exists()
        if status := command_line(argv):
            raise SystemExit(status)
        history = load_checkpoint(out)[1].history
        curves = {key: [round(row[key], 4) for row in history] for key in history[0] if key.endswith(("loss", "racy"))}
        runs.append({"seed": seed, "val_accuracy": history[-1]["val_accuracy"], "curves": curves})
    scores = [run["val_accuracy"] for run in runs]
    record = circumstances(pick_device("auto").type, ["torch"])
    record |= {"config": load_checkpoint(out)[1].config, "runs": runs}
    record["mean"] = round(statistics.mean(scores), 4)
    record["spread"] = round(statistics.stdev(scores), 4) if len(scores) > 1 else None
    write_record(ROOT / "results" / f"{name}.json", record)
    print(f"{name}: {record['mean']:.1%} over {len(scores)} seeds, spread {record['spread']}")


if __name__ == "__main__":
    auto_cli(seeds)
