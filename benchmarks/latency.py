"""How long a trained model takes for one image: on the CPU with one thread, and on a
GPU where there is one.

    python benchmarks/latency.py '[stacks, stl10]'    shipped names, or the
        folders of runs; into results/latency.json

An image starts as uint8 on its device and ends as logits, normalised on the way, in
float32 and not compiled. The turns of the models alternate, so that whatever slows the
machine down slows all of them.
"""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import quantiles

import torch

from experiments.results import (
    ROOT,
    device_name,
    environment_info,
    run,
    strip_paths,
    write_result,
)
from vit_tutorial.model import count_parameters
from vit_tutorial.training.checkpoint import load_checkpoint

WARM_UP = 20  # images that are not counted


def make_inference(name: str, device: str) -> tuple[Callable[[], None], dict]:
    """A function that takes one image through the model and waits for its logits; and
    what the result says of it.
    """
    model, run = load_checkpoint(name, device)
    c = model.config
    image = torch.randint(
        256, (1, c.channels, *c.sides), dtype=torch.uint8, device=device
    )

    @torch.inference_mode()
    def infer() -> None:
        model(run.normalization(image))
        if device == "cuda":
            torch.cuda.synchronize()

    about = {
        "parameters": count_parameters(model),
        "image_size": c.image_size,
        "patch_size": c.patch_size,
    }
    return infer, about | {"dim": c.dim, "depth": c.depth}


def measure(
    models: dict[str, Callable[[], None]], images: int
) -> dict[str, list[float]]:
    """Milliseconds for each of `images` images, model by model."""
    times = {name: [] for name in models}
    for number in range(-WARM_UP, images):
        for name, infer in models.items():
            start = time.perf_counter()
            infer()
            if number >= 0:
                times[name].append(1000 * (time.perf_counter() - start))
    return times


def latency(
    names: list[str] | str,
    images: int = 300,
    out: Path = ROOT / "results" / "latency.json",
) -> None:
    """Time one image at a time, model by model.

    Args:
        names: a shipped name, the folder of a run, or a list of them
        images: how many are measured
        out: the result that is written
    """
    if images < 2:
        raise ValueError(f"images is {images}, expected at least 2")
    names = [names] if isinstance(names, str) else names
    called = [strip_paths(name) for name in names]
    if twice := [name for name in called if called.count(name) > 1]:
        raise ValueError(
            f"names are {names}, expected different ones: the result calls two of them"
            f" {twice[0]!r}"
        )
    torch.set_num_threads(1)
    result = environment_info("cpu") | {"images": images, "models": {}, "devices": {}}
    for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
        result["devices"][device] = device_name(device)
        made = {name: make_inference(name, device) for name in names}
        times = measure({name: infer for name, (infer, _) in made.items()}, images)
        for name, (_, about) in made.items():
            low, middle, high = (
                round(value, 2) for value in quantiles(times[name], n=4)
            )
            print(
                f"{name:24}{device:6}{middle:8.2f} ms, half of the images {low} to"
                f" {high}"
            )
            row = result["models"].setdefault(strip_paths(name), about)
            row[device] = {"median_ms": middle, "quartiles_ms": [low, high]}
    write_result(out, result)


if __name__ == "__main__":
    run(latency)
