"""Put a finished run into the package, to be loaded by name: its config, its history,
its weights in half precision.

    python benchmarks/ship.py runs/stl10-small-0 stl10-small

Prints the accuracy on the validation images that the run's config names, before and
after halving.
"""

from dataclasses import replace
from pathlib import Path

from record import nameless, run
from safetensors.torch import save

from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.files import user_path, write_file
from vit_tutorial.training.checkpoint import SHIPPED, load_checkpoint
from vit_tutorial.training.metrics import evaluate

LARGEST = 26  # MB


def ship(source: Path, name: str, root: str = "data") -> None:
    """Copy the run in `source` to vit_tutorial/checkpoints/NAME.

    Args:
        source: the folder of a finished run
        name: by which load_checkpoint will find it
        root: where the data lie
    """
    model, record = load_checkpoint(source)
    epochs = record.config["training"]["epochs"]
    if len(record.history) < epochs:
        raise ValueError(
            f"{source} has {len(record.history)} of its {epochs} epochs, expected a"
            " finished run"
        )
    content = save(
        {key: weight.half().contiguous() for key, weight in model.state_dict().items()}
    )
    if len(content) > LARGEST * 10**6:
        raise ValueError(
            f"{source} holds {len(content) / 1e6:.0f} MB in half precision, expected at"
            f" most {LARGEST}"
        )
    data = record.config["data"]
    config = record.config | {"data": data | {"root": nameless(data["root"])}}
    folder = SHIPPED / name
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / "model.safetensors", content)
    write_file(
        folder / "config.json", replace(record, config=config).settings().encode()
    )
    write_file(
        folder / "history.json", (user_path(source) / "history.json").read_bytes()
    )
    val = load_split(DataConfig(**data | {"root": root}), "val")
    for place in (source, folder):
        scores = evaluate(load_checkpoint(place)[0], val, record.mean, record.std)
        print(
            f"{scores['accuracy']:.1%} of {scores['n']} images, loss"
            f" {scores['loss']:.4f}: {nameless(str(place))}"
        )


if __name__ == "__main__":
    run(ship)
