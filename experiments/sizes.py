"""One model, judged at sizes it was not trained for: its positions are stretched over
the patches of each.

    python experiments/sizes.py --root data      the shipped stl10, into
        results/sizes-stl10.json
    python experiments/sizes.py --root data --checkpoint runs/laptop --name laptop

The pictures are the validation images that its run was judged by, brought to each size;
accuracy, and the multiply-adds of one picture.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from experiments.results import (
    ROOT,
    environment_info,
    run,
    strip_paths,
    write_result,
)
from vit_tutorial.data.datasets import load_split
from vit_tutorial.data.images import resize
from vit_tutorial.resolution import at_any_resolution
from vit_tutorial.training.checkpoint import load_checkpoint

SIZES = (32, 48, 64, 80, 96, 112, 128, 160)


@torch.no_grad()
def sizes(
    root: str = "data",
    checkpoint: str = "stl10",
    name: str | None = None,
    sizes: tuple[int, ...] = SIZES,
) -> None:
    """Judge a model at every size and write results/sizes-NAME.json.

    Args:
        root: where the data lie
        checkpoint: a shipped name, or the folder of a run
        name: of the result, by default that of the checkpoint
        sizes: sides in pixels, which the patches must fill
    """
    model, made = load_checkpoint(checkpoint)
    model = at_any_resolution(model).eval()
    data = load_split(replace(made.config.data, root=root), "val")
    rows = []
    for side in tqdm(sizes, leave=False):
        correct = 0
        parts = zip(data.images.split(100), data.labels.split(100), strict=True)
        for images, labels in parts:
            logits = model(made.normalization(resize(images, side)))
            correct += int((logits.argmax(dim=1) == labels).sum())
        with FlopCounterMode(display=False) as counter:
            model(made.normalization(resize(data.images[:1], side)))
        row = {
            "size": side,
            "accuracy": correct / len(data),
            "multiply_adds": counter.get_total_flops() // 2,
        }
        print(f"{side:4} pixels: {row['accuracy']:.1%}")
        rows.append(row)
    about = environment_info("cpu") | {"checkpoint": strip_paths(checkpoint)}
    trained = list(made.config.training.resolution) or model.config.image_size
    result = about | {"trained_at": trained, "images": len(data), "sizes": rows}
    write_result(
        ROOT / "results" / f"sizes-{name or Path(checkpoint).name}.json", result
    )


if __name__ == "__main__":
    run(sizes)
