"""Six training curves for chapter 07: one run is healthy, each of the others has one
thing wrong with it.

    python benchmarks/illness.py

A ViT of two blocks learns the 8 x 8 pixel digits that scikit-learn ships, 30 % of them
held out: small enough for each run to take seconds, and ten classes, so that a guess
costs ln 10 here, too. Writes results/illness.json: the mean loss and the accuracy of
each epoch, in training (while the weights move, with dropout) and on the images held
out.
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from record import ROOT, circumstances, run, write_record
from sklearn.datasets import load_digits
from torch import Tensor

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
SEED = 0
ILLNESSES = (
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


def learn(illness: str) -> dict[str, list[float]]:
    """Train once, ill in the way named."""
    torch.manual_seed(SEED)
    images, labels, val_images, val_labels = digits()
    if illness == "shuffled labels":
        labels = labels[torch.randperm(len(labels))]
    model = VisionTransformer(CONFIG)
    rate = 100 * RATE if illness == "learning rate times 100" else RATE
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    curves = {
        name: []
        for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    }

    def judge(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The mean loss, and how many are right."""
        logits = model(images)
        outputs = (
            logits.softmax(dim=1) if illness == "softmax before the loss" else logits
        )
        return F.cross_entropy(outputs, labels), (logits.argmax(dim=1) == labels).sum()

    for _ in range(EPOCHS):
        model.train()
        total = right = 0
        for rows in torch.randperm(len(labels)).split(BATCH):
            loss, hits = judge(images[rows], labels[rows])
            if illness != "no zero_grad":
                optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total = total + loss.item() * len(rows)
            right = right + hits.item()
        if illness != "dropout left on in evaluation":
            model.eval()
        with torch.no_grad():
            loss, hits = judge(val_images, val_labels)
        values = (
            total / len(labels),
            right / len(labels),
            loss.item(),
            hits.item() / len(val_labels),
        )
        for curve, value in zip(curves.values(), values, strict=True):
            curve.append(round(value, 4))
    return curves


def main() -> None:
    """Train six times, into results/illness.json."""
    record = circumstances("cpu", ["torch", "scikit-learn"])
    record |= {
        "data": "digits",
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "rate": RATE,
        "seed": SEED,
        "runs": {},
    }
    for illness in ILLNESSES:
        curves = record["runs"][illness] = learn(illness)
        print(
            f"{illness:32}"
            + "".join(f"  {name} {values[-1]:.3f}" for name, values in curves.items()),
            flush=True,
        )
    write_record(Path(ROOT / "results" / "illness.json"), record)


if __name__ == "__main__":
    run(main)
