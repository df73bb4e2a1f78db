"""The scoreboard of chapters 02 to 05: each step of the model, trained with the
chapters' `fit` on `stacks`.

    python experiments/scoreboard.py              seeds 0 to 2, every step
    python experiments/scoreboard.py --seeds 1    only the first seed

Writes results/scoreboard.json: the accuracy on the 1,000 validation images.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from experiments.constants import complete_study
from experiments.results import run
from experiments.runner import Job
from vit_tutorial import VisionTransformer, ViTConfig
from vit_tutorial.attention import MultiHeadSelfAttention
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.data.images import ImageSet, Normalization, normalise
from vit_tutorial.embedding import ConvolutionalPatchEmbedder
from vit_tutorial.training.loop import fit
from vit_tutorial.training.metrics import evaluate

EPOCHS = 20
PATCH = 16
DIM = 96
HEADS = 4
MEAN = (0.5,) * 3
STD = (0.25,) * 3


class Bag(nn.Module):
    """Tokens, with a place or without, think each for itself, may talk once, and are
    averaged: (B, C, Y, X) -> (B, 10).

    Chapter 02 without `talk`, chapter 03 with it.
    """

    def __init__(self, positions: str | None = None, talk: bool = False) -> None:
        super().__init__()
        self.config = ViTConfig()  # `evaluate` asks it for the size of an image
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
    return normalise(images.images, MEAN, STD), images.labels


@lru_cache(maxsize=EPOCHS)
def epoch_images(seed: int, epoch: int) -> ImageSet:
    """The same fresh images for every step of a seed, drawn once; without their
    masks.
    """
    drawn = load_split(DataConfig(split_seed=seed), "train", epoch)
    return ImageSet(drawn.images, drawn.labels, drawn.classes)


def pixels(val: ImageSet, seed: int) -> float:
    """The accuracy of logistic regression."""
    (images, labels), (val_images, val_labels) = map(
        inputs, (epoch_images(seed, 0), val)
    )
    model = LogisticRegression(C=1e-4, max_iter=100).fit(images.flatten(1), labels)
    return float(model.score(val_images.flatten(1), val_labels))


def measure(name: str, val: ImageSet, seed: int) -> dict:
    """Train a step once: its accuracy on the validation images."""
    if name == "pixels":
        return {"val_accuracy": pixels(val, seed)}
    torch.manual_seed(seed)
    model = STEPS[name]()
    fit(model, lambda epoch: inputs(epoch_images(seed, epoch)), EPOCHS)
    return {"val_accuracy": evaluate(model, val, Normalization(MEAN, STD))["accuracy"]}


def scoreboard(seeds: int = 3, steps: list[str] | None = None) -> None:
    """Train every step once a seed and write results/scoreboard.json.

    Args:
        seeds: how many, from 0
        steps: names of the steps to train; all unless given
    """
    val = load_split(DataConfig(), "val")
    settings = {"data": "stacks", "epochs": EPOCHS, "patch_size": PATCH}
    settings |= {"dim": DIM, "heads": HEADS}
    chance = {"mean": 0.1, "spread": None, "runs": []}
    jobs = [
        Job(name, seed, partial(measure, name, val, seed))
        for seed in range(seeds)
        for name in ("pixels", *STEPS)
    ]
    complete_study("scoreboard", jobs, settings, steps, {"chance": chance})


if __name__ == "__main__":
    run(scoreboard)
