"""Six training curves for chapter 07: one run is healthy, each of the others has one
thing wrong with it.

    python experiments/training_bugs.py

A ViT of two blocks learns the 8 x 8 pixel digits that scikit-learn ships, 30 % of them
held out: small enough for each run to take seconds, and ten classes, so that a guess
costs ln 10 here, too. Writes results/training_bugs.json: the mean loss and the accuracy
of each epoch, in training (while the weights move, with dropout) and on the images held
out.
"""

from dataclasses import asdict
from functools import partial

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor

from experiments.constants import complete_study
from experiments.results import run
from experiments.runner import Job
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.datasets import stratified_split
from vit_tutorial.data.images import normalise
from vit_tutorial.model import VisionTransformer

CONFIG = ViTConfig(
    image_size=8, patch_size=2, channels=1, dim=48, depth=2, heads=4, dropout=0.3
)
EPOCHS = 25
BATCH = 64
RATE = 2e-3
SEED = 0  # of the split
BUGS = (
    "healthy",
    "no zero_grad",
    "softmax before the loss",
    "shuffled labels",
    "dropout left on in evaluation",
    "learning rate times 100",
)


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normalised images (B, 1, 8, 8) and labels (B,) to train with, and those
    held out.
    """
    bunch = load_digits()
    images = normalise(
        torch.tensor(bunch.images[:, None] / 16, dtype=torch.float32), (0.5,), (0.25,)
    )
    labels = torch.tensor(bunch.target)
    train, val = stratified_split(labels, 0.3, SEED)
    return images[train], labels[train], images[val], labels[val]


def measure(bug: str, seed: int) -> dict:
    """Train once, with the bug that is named."""
    torch.manual_seed(seed)
    images, labels, val_images, val_labels = digits()
    if bug == "shuffled labels":
        labels = labels[torch.randperm(len(labels))]
    model = VisionTransformer(CONFIG)
    rate = 100 * RATE if bug == "learning rate times 100" else RATE
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    curves = {
        name: []
        for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    }

    def score(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The mean loss, and how many are right."""
        logits = model(images)
        outputs = logits.softmax(dim=1) if bug == "softmax before the loss" else logits
        return F.cross_entropy(outputs, labels), (logits.argmax(dim=1) == labels).sum()

    for _ in range(EPOCHS):
        model.train()
        total = count = 0
        for rows in torch.randperm(len(labels)).split(BATCH):
            loss, correct = score(images[rows], labels[rows])
            if bug != "no zero_grad":
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total = total + loss.item() * len(rows)
            count = count + correct.item()
        if bug != "dropout left on in evaluation":
            model.eval()
        with torch.no_grad():
            loss, correct = score(val_images, val_labels)
        values = (
            total / len(labels),
            count / len(labels),
            loss.item(),
            correct.item() / len(val_labels),
        )
        for curve, value in zip(curves.values(), values, strict=True):
            curve.append(round(value, 4))
    return {"val_accuracy": curves["val_accuracy"][-1], "curves": curves}


def training_bugs(seeds: int = 1, steps: list[str] | None = None) -> None:
    """Train with every bug once a seed and write results/training_bugs.json.

    Args:
        seeds: how many, from 0
        steps: names of the bugs to train with; all unless given
    """
    settings = {"data": "digits", "epochs": EPOCHS, "batch_size": BATCH, "rate": RATE}
    settings |= {"model": asdict(CONFIG), "split_seed": SEED}
    jobs = [
        Job(bug, seed, partial(measure, bug, seed))
        for seed in range(seeds)
        for bug in BUGS
    ]
    complete_study("training_bugs", jobs, settings, steps)


if __name__ == "__main__":
    run(training_bugs)
