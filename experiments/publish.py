"""Put a finished run into the package, to be loaded by name: its config, its history,
its weights in half precision.

    python experiments/publish.py runs/stl10-0 stl10

Prints the accuracy on the validation images that the run's config names, before and
after halving.
"""

from dataclasses import replace
from pathlib import Path

from safetensors.torch import save

from experiments.results import run, strip_paths
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.files import write_file
from vit_tutorial.training.checkpoint import SHIPPED, halved, load_checkpoint
from vit_tutorial.training.metrics import evaluate
from vit_tutorial.training.run import to_json

LARGEST = 26  # MB


def publish(source: Path, name: str, root: str = "data") -> None:
    """Copy the run in `source` to vit_tutorial/checkpoints/NAME.

    Args:
        source: the folder of a finished run
        name: by which load_checkpoint will find it
        root: where the data lie
    """
    model, made = load_checkpoint(source)
    epochs = made.config.training.epochs
    if len(made.history) < epochs:
        raise ValueError(
            f"{source} has {len(made.history)} of its {epochs} epochs, expected a"
            " finished run"
        )
    content = save(halved(model.state_dict()))
    if len(content) > LARGEST * 10**6:
        raise ValueError(
            f"{source} holds {len(content) / 1e6:.0f} MB in half precision, expected at"
            f" most {LARGEST}"
        )
    data, training = made.config.data, made.config.training
    val = load_split(replace(data, root=root), "val")
    # where a reader's data lie, not those of this machine
    config = replace(
        made.config,
        data=replace(data, root=DataConfig().root),
        training=replace(
            training,
            teacher=strip_paths(training.teacher),
            init=strip_paths(training.init),
        ),
    )
    folder = SHIPPED / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in {
        "history.json": to_json(made.history),
        "config.json": to_json(config.as_dict()),
    }.items():
        write_file(folder / file, text.encode())
    write_file(folder / "model.safetensors", content)
    for place in (source, folder):
        scores = evaluate(load_checkpoint(place)[0], val, made.normalization)
        print(
            f"{scores['accuracy']:.1%} of {scores['n']} images, loss"
            f" {scores['loss']:.4f}: {strip_paths(str(place))}"
        )


if __name__ == "__main__":
    run(publish)
