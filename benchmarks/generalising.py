"""Chapter 07's measurements on `stacks`: few images, more images, augmentation, and a
CNN beside the ViT.

    python benchmarks/generalising.py              seeds 0 to 2, every run
    python benchmarks/generalising.py --seeds 1    only the first seed

Every run takes the same steps: 12 epochs of 2,000 images, batches of 64, a linear climb
and half a cosine down. A small training set is shown several times an epoch. The ViT is
trained as in chapter 06, the CNN with AdamW.

Writes results/generalising.json, anew after every training: the accuracy on the 1,000
validation images after the last epoch, mean and spread (standard deviation over the
seeds), and the curves of every seed. A seed draws its own training images. What the
file already holds is kept, so a run that was cut off goes on; delete it to start
afresh.
"""

import argparse
import json
import statistics
from dataclasses import asdict, dataclass

import torch
from record import ROOT, circumstances, write_record
from torch import Generator, Tensor, nn

from vit_tutorial.augment.config import AugmentConfig
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.data.images import ImageSet
from vit_tutorial.data.synthetic import STACKS, STACKS_CLASSES
from vit_tutorial.files import user_path
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.loop import train_epoch
from vit_tutorial.training.metrics import evaluate
from vit_tutorial.training.optimizers import make_optimizers
from vit_tutorial.training.run import Record

# images an epoch
EPOCHS = 12
SHOWN = 2000
CONFIG = ViTConfig(
    image_size=96, patch_size=16, dim=96, depth=4, heads=4, positions="sincos"
)
MEAN = (0.5,) * 3
STD = (0.25,) * 3
OFF = AugmentConfig()
AUGMENT = AugmentConfig(
    crop=(0.7, 1.0),
    flip=True,
    brightness=0.4,
    contrast=0.4,
    saturation=0.4,
    hue=0.5,
    rotation=10.0,
)
# the class of a stack upside down
SWAPPED = torch.tensor([STACKS.index((below, above)) for above, below in STACKS])


class CNN(nn.Module):
    """Four convolutions, each halving rows and columns, then the mean over places: (B,
    C, Y, X) -> (B, classes).
    """

    def __init__(
        self, config: ViTConfig, widths: tuple[int, ...] = (16, 32, 64, 96)
    ) -> None:
        super().__init__()
        self.config = config  # the training loop asks it for the size of an image
        layers = []
        before = config.channels
        for width in widths:
            convolution = nn.Conv2d(
                before, width, kernel_size=3, stride=2, padding=1, bias=False
            )
            layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(before, config.classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.layers(images).mean(dim=(2, 3)))


@dataclass(frozen=True)
class Run:
    """What is trained on what. `images`: how many there are in all; None: new ones
    every epoch.

    `turned`: half of the images stand upside down, with the label they had ("kept") or
    the one they now have ("moved").
    """

    model: str
    images: int | None
    augment: AugmentConfig = OFF
    turned: str | None = None


RUNS = {
    "ViT, 500": Run("ViT", 500),
    "ViT, 500, augmented": Run("ViT", 500, AUGMENT),
    "CNN, 500": Run("CNN", 500),
    "CNN, 500, augmented": Run("CNN", 500, AUGMENT),
    "CNN, fresh": Run("CNN", None),
    "ViT, fresh": Run("ViT", None),
    "ViT, 500, upside down": Run("ViT", 500, AUGMENT, "kept"),
    "CNN, 2000": Run("CNN", 2000),
    "ViT, 2000": Run("ViT", 2000),
    "ViT, 500, upside down, labels moved": Run("ViT", 500, AUGMENT, "moved"),
}


def epoch_images(run: Run, seed: int, epoch: int) -> ImageSet:
    """The 2,000 images of an epoch: new ones, or those of a small set as often as
    needed.
    """
    if run.images is None:
        data = load_split(DataConfig(split_seed=seed), "train", epoch)
    else:
        few = load_split(DataConfig(split_seed=seed, train_images=run.images), "train")
        rows = torch.arange(SHOWN) % run.images
        data = ImageSet(few.images[rows], few.labels[rows], few.classes)
    if run.turned is None:
        return data
    turned = (
        torch.rand(SHOWN, generator=Generator().manual_seed(10_000 * seed + epoch))
        < 0.5
    )
    images = torch.where(turned[:, None, None, None], data.images.flip(-2), data.images)
    labels = (
        torch.where(turned, SWAPPED[data.labels], data.labels)
        if run.turned == "moved"
        else data.labels
    )
    return ImageSet(images, labels, data.classes)


def make(run: Run, seed: int) -> tuple[nn.Module, TrainConfig]:
    """A fresh model and how it is trained."""
    torch.manual_seed(seed)
    common = {
        "epochs": EPOCHS,
        "warmup_epochs": 2,
        "seed": seed,
        "augment": run.augment,
    }
    if run.model == "CNN":
        return CNN(CONFIG), TrainConfig(peak_lr=5e-3, **common)
    return VisionTransformer(CONFIG), TrainConfig(
        optimizer="muon", muon_lr_scale=10, peak_lr=1e-3, **common
    )


def measure(run: Run, val: ImageSet, seed: int) -> dict:
    """Train once: accuracies in training and on the validation images after each
    epoch.
    """
    model, config = make(run, seed)
    optimizers = make_optimizers(model, config)
    record = Record({}, STACKS_CLASSES, MEAN, STD)
    curves = {"train_accuracy": [], "val_accuracy": []}
    for epoch in range(1, EPOCHS + 1):
        row = train_epoch(
            model, optimizers, epoch_images(run, seed, epoch), epoch, config, record
        )
        row["val_accuracy"] = evaluate(model, val, MEAN, STD)["accuracy"]
        for name, values in curves.items():
            values.append(round(row[name], 4))
    return {"seed": seed, **curves}


def summary(runs: list[dict]) -> dict:
    """Mean and spread of the last epoch over the seeds."""
    scores = [run["val_accuracy"][-1] for run in runs]
    return {
        "mean": round(statistics.mean(scores), 4),
        "spread": round(statistics.stdev(scores), 4) if len(scores) > 1 else None,
        "train_mean": round(
            statistics.mean(run["train_accuracy"][-1] for run in runs), 4
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seeds", type=int, default=3, help="how many seeds, from 0 (default: 3)"
    )
    parser.add_argument(
        "--out", type=user_path, default=ROOT / "results" / "generalising.json"
    )
    options = parser.parse_args()
    record = circumstances("cpu", ["torch"]) | {
        "data": "stacks",
        "epochs": EPOCHS,
        "images_an_epoch": SHOWN,
    }
    record["parameters"] = {
        name: count_parameters(make(RUNS[f"{name}, fresh"], 0)[0])
        for name in ("ViT", "CNN")
    }
    done = (
        json.loads(options.out.read_text(encoding="utf-8"))["runs"]
        if options.out.exists()
        else {}
    )
    val = load_split(DataConfig(), "val")
    for seed in range(options.seeds):
        for name, run in RUNS.items():
            seeds = done.get(name, {}).get("seeds", [])
            if len(seeds) > seed:
                continue
            seeds = [*seeds, measure(run, val, seed)]
            done[name] = {"run": asdict(run), **summary(seeds), "seeds": seeds}
            print(
                f"seed {seed}  {name:40}{100 * seeds[-1]['val_accuracy'][-1]:5.1f} %",
                flush=True,
            )
            write_record(options.out, record | {"runs": done})


if __name__ == "__main__":
    main()
