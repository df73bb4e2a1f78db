"""How long a trained model takes for one image: on the CPU with one thread, and on a
GPU where there is one.

    python benchmarks/latency.py stacks stl10-small    shipped names, or the folders of
        runs; into results/latency.json

An image starts as uint8 on its device and ends as logits, normalised on the way, in
float32 and not compiled. The turns of the models alternate, so that whatever slows the
machine down slows all of them.
"""

import argparse
import time
from collections.abc import Callable
from statistics import quantiles

import torch
from record import ROOT, circumstances, device_name, nameless, write_record

from vit_tutorial.cli.console import one_line
from vit_tutorial.data.images import normalise
from vit_tutorial.files import user_path
from vit_tutorial.model import count_parameters
from vit_tutorial.training.checkpoint import load_checkpoint

WARM_UP = 20  # images that are not counted


def make_look(name: str, device: str) -> tuple[Callable[[], None], dict]:
    """A function that takes one image through the model and waits for its logits; and
    what the record says of it.
    """
    model, record = load_checkpoint(name, device)
    c = model.config
    image = torch.randint(
        256, (1, c.channels, *c.sides), dtype=torch.uint8, device=device
    )

    @torch.inference_mode()
    def look() -> None:
        model(normalise(image, record.mean, record.std))
        if device == "cuda":
            torch.cuda.synchronize()

    about = {
        "parameters": count_parameters(model),
        "image_size": c.image_size,
        "patch_size": c.patch_size,
    }
    return look, about | {"dim": c.dim, "depth": c.depth}


def measure(
    looks: dict[str, Callable[[], None]], images: int
) -> dict[str, list[float]]:
    """Milliseconds for each of `images` images, model by model."""
    times = {name: [] for name in looks}
    for number in range(-WARM_UP, images):
        for name, look in looks.items():
            start = time.perf_counter()
            look()
            if number >= 0:
                times[name].append(1000 * (time.perf_counter() - start))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", help="shipped names or the folders of runs")
    parser.add_argument(
        "--images", type=int, default=300, help="how many are measured (default: 300)"
    )
    parser.add_argument(
        "--out", type=user_path, default=ROOT / "results" / "latency.json"
    )
    options = parser.parse_args()
    if options.images < 2:
        parser.error(f"--images is {options.images}, expected at least 2")
    torch.set_num_threads(1)
    record = circumstances("cpu", ["torch"]) | {"images": options.images, "models": {}}
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        record["devices"] = record.get("devices", {}) | {device: device_name(device)}
        try:
            made = {name: make_look(name, device) for name in options.names}
        except ValueError as error:
            parser.exit(2, one_line(error))
        times = measure(
            {name: look for name, (look, _) in made.items()}, options.images
        )
        for name, (_, about) in made.items():
            low, middle, high = (
                round(value, 2) for value in quantiles(times[name], n=4)
            )
            print(
                f"{name:24}{device:6}{middle:8.2f} ms, half of the images {low} to"
                f" {high}"
            )
            row = record["models"].setdefault(nameless(name), about)
            row[device] = {"median_ms": middle, "quartiles_ms": [low, high]}
    write_record(options.out, record)


if __name__ == "__main__":
    main()
