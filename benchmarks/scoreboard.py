"""The scoreboard of chapters 02 to 05: each step of the model, trained with the
chapters' `fit` on `stacks`.

    python benchmarks/scoreboard.py              seeds 0 to 2, every step
    python benchmarks/scoreboard.py --seeds 1    only the first seed

Writes results/scoreboard.json, anew after every training: mean and spread (standard
deviation over the seeds) of the accuracy on the 1,000 validation images. What the file
already holds is kept, so a run that was cut off goes on; delete the file to start
afresh.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from functools import lru_cache

import torch
from record import ROOT, circumstances, write_record
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from vit_tutorial import VisionTransformer, ViTConfig
from vit_tutorial.attention import MultiHeadSelfAttention
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.data.images import ImageSet, normalise
from vit_tutorial.embedding import ConvolutionalPatchEmbedder
from vit_tutorial.files import user_path
from vit_tutorial.training.loop import fit

EPOCHS = 20
PATCH = 16
DIM = 96
HEADS = 4


class Bag(nn.Module):
    """Tokens, with a place or without, think each for itself, may talk once, and are
    averaged: (B, C, Y, X) -> (B, 10).

    Chapter 02 without `talk`, chapter 03 with it.
    """

    def __init__(self, positions: str | None = None, talk: bool = False) -> None:
        super().__init__()
        self.embedder = ConvolutionalPatchEmbedder(
            96, PATCH, 3, DIM, class_token=False, positions=positions or "sincos"
        )
        self.tokens = self.embedder if positions else self.embedder.project
        self.think = nn.Sequential(
            nn.GELU(), nn.Linear(DIM, 2 * DIM), nn.GELU(), nn.Linear(2 * DIM, DIM)
        )
        self.talk = (
            nn.Sequential(nn.LayerNorm(DIM), MultiHeadSelfAttention(DIM, HEADS))
            if talk
            else nn.Identity()
        )
        self.head = nn.Linear(DIM, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.talk(self.think(self.tokens(images))).mean(dim=1))


def transformer(depth: int) -> VisionTransformer:
    return VisionTransformer(
        ViTConfig(
            patch_size=PATCH,
            dim=DIM,
            depth=depth,
            heads=HEADS,
            positions="sincos",
            pool="mean",
        )
    )


STEPS: dict[str, Callable[[], nn.Module]] = {
    "bag": Bag,
    "bag, learned positions": lambda: Bag("learned"),
    "bag, positions": lambda: Bag("sincos"),
    "attention": lambda: Bag(talk=True),
    "positions": lambda: Bag("sincos", talk=True),
    "block": lambda: transformer(1),
    "full ViT": lambda: transformer(4),
}


def inputs(images: ImageSet) -> tuple[Tensor, Tensor]:
    """Normalised images and their labels."""
    return normalise(images.images, (0.5,) * 3, (0.25,) * 3), images.labels


@lru_cache(maxsize=EPOCHS)
def epoch_images(seed: int, epoch: int) -> ImageSet:
    """The same fresh images for every step of a seed, drawn once; without their
    masks.
    """
    drawn = load_split(DataConfig(split_seed=seed), "train", epoch)
    return ImageSet(drawn.images, drawn.labels, drawn.classes)


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    model.eval()
    with torch.no_grad():
        found = torch.cat([model(some).argmax(dim=1) for some in images.split(250)])
    return (found == labels).float().mean().item()


def pixels(val: tuple[Tensor, Tensor], seed: int) -> float:
    images, labels = inputs(epoch_images(seed, 0))
    judge = LogisticRegression(C=1e-4, max_iter=100).fit(
        images.flatten(1).numpy(), labels.numpy()
    )
    return float(judge.score(val[0].flatten(1).numpy(), val[1].numpy()))


def step_score(name: str, val: tuple[Tensor, Tensor], seed: int) -> float:
    if name == "pixels":
        return pixels(val, seed)
    torch.manual_seed(seed)
    model = STEPS[name]()
    fit(model, lambda epoch: inputs(epoch_images(seed, epoch)), EPOCHS)
    return accuracy(model, *val)


def summary(scores: list[float]) -> dict:
    """Mean and spread of a step, and its single runs, seed by seed."""
    return {
        "mean": round(statistics.mean(scores), 4),
        "spread": round(statistics.stdev(scores), 4) if len(scores) > 1 else None,
        "scores": [round(score, 4) for score in scores],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seeds", type=int, default=3, help="how many seeds, from 0 (default: 3)"
    )
    parser.add_argument(
        "--steps",
        nargs="+",
        default=["pixels", *STEPS],
        choices=["pixels", *STEPS],
        metavar="STEP",
    )
    parser.add_argument(
        "--out", type=user_path, default=ROOT / "results" / "scoreboard.json"
    )
    options = parser.parse_args()
    record = circumstances("cpu", ["torch", "scikit-learn"])
    record |= {
        "data": "stacks",
        "epochs": EPOCHS,
        "patch_size": PATCH,
        "dim": DIM,
        "heads": HEADS,
    }
    steps = (
        json.loads(options.out.read_text(encoding="utf-8"))["steps"]
        if options.out.exists()
        else {"chance": {"mean": 0.1}}
    )
    val = inputs(load_split(DataConfig(), "val"))
    for seed in range(options.seeds):
        for name in options.steps:
            scores = steps.get(name, {}).get("scores", [])
            if len(scores) > seed:
                continue
            score = step_score(name, val, seed)
            steps[name] = summary([*scores, score])
            print(f"seed {seed}  {name:24}{100 * score:5.1f} %", flush=True)
            write_record(options.out, record | {"steps": steps})


if __name__ == "__main__":
    main()
