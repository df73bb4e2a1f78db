"""Chapter 07's measurements on `stacks`: few images, more images, augmentation, and a
CNN beside the ViT.

    python experiments/data_efficiency.py              seeds 0 to 2, every run
    python experiments/data_efficiency.py --seeds 1    only the first seed

Every run takes the same steps: 12 epochs of 2,000 images, batches of 64, a linear climb
and half a cosine down. A small training set is shown several times an epoch. The ViT is
trained as in chapter 06, the CNN with AdamW.

Writes results/data_efficiency.json: the accuracy on the 1,000 validation images after
the last epoch, and the curves of every seed. A seed draws its own training images.
"""

from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Generator, nn

from experiments.constants import complete_study
from experiments.results import run
from experiments.runner import Job
from vit_tutorial.augment.config import AugmentConfig
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.data.images import ImageSet, Normalization
from vit_tutorial.data.synthetic import STACKS
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.models import CNN
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.loop import run_epoch
from vit_tutorial.training.metrics import evaluate
from vit_tutorial.training.optimizers import make_optimizers

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


@dataclass(frozen=True)
class Setting:
    """What is trained on what. `images`: how many there are in all; None: new ones
    every epoch.

    `turned`: half of the images stand upside down, with the label they had ("kept") or
    the one they now have ("moved").
    """

    model: str
    images: int | None
    augment: AugmentConfig = OFF
    turned: str | None = None


STEPS = {
    "ViT, 500": Setting("ViT", 500),
    "ViT, 500, augmented": Setting("ViT", 500, AUGMENT),
    "CNN, 500": Setting("CNN", 500),
    "CNN, 500, augmented": Setting("CNN", 500, AUGMENT),
    "CNN, fresh": Setting("CNN", None),
    "ViT, fresh": Setting("ViT", None),
    "ViT, 500, upside down": Setting("ViT", 500, AUGMENT, "kept"),
    "CNN, 2000": Setting("CNN", 2000),
    "ViT, 2000": Setting("ViT", 2000),
    "ViT, 500, upside down, labels moved": Setting("ViT", 500, AUGMENT, "moved"),
}


def epoch_images(setting: Setting, seed: int, epoch: int) -> ImageSet:
    """The 2,000 images of an epoch: new ones, or those of a small set as often as
    needed.
    """
    if setting.images is None:
        data = load_split(DataConfig(split_seed=seed), "train", epoch)
    else:
        few = load_split(
            DataConfig(split_seed=seed, train_images=setting.images), "train"
        )
        rows = torch.arange(SHOWN) % setting.images
        data = ImageSet(few.images[rows], few.labels[rows], few.classes)
    if setting.turned is None:
        return data
    turned = (
        torch.rand(SHOWN, generator=Generator().manual_seed(10_000 * seed + epoch))
        < 0.5
    )
    images = torch.where(turned[:, None, None, None], data.images.flip(-2), data.images)
    labels = (
        torch.where(turned, SWAPPED[data.labels], data.labels)
        if setting.turned == "moved"
        else data.labels
    )
    return ImageSet(images, labels, data.classes)


def make(setting: Setting, seed: int) -> tuple[nn.Module, TrainConfig]:
    """A fresh model and how it is trained."""
    torch.manual_seed(seed)
    common = {
        "epochs": EPOCHS,
        "warmup_epochs": 2,
        "seed": seed,
        "augment": setting.augment,
    }
    if setting.model == "CNN":
        return CNN(CONFIG), TrainConfig(peak_lr=5e-3, **common)
    return VisionTransformer(CONFIG), TrainConfig(
        optimizer="muon", muon_lr_scale=10, peak_lr=1e-3, **common
    )


def measure(setting: Setting, val: ImageSet, seed: int) -> dict:
    """Train once: accuracies in training and on the validation images after each
    epoch.
    """
    model, config = make(setting, seed)
    optimizers = make_optimizers(model, config)
    normalization = Normalization(MEAN, STD)
    curves = {"train_accuracy": [], "val_accuracy": []}
    for epoch in range(1, EPOCHS + 1):
        images = epoch_images(setting, seed, epoch)
        row = run_epoch(model, optimizers, images, epoch, config, normalization)
        row["val_accuracy"] = evaluate(model, val, normalization)["accuracy"]
        for name, values in curves.items():
            values.append(round(row[name], 4))
    return {"val_accuracy": curves["val_accuracy"][-1], "curves": curves}


def data_efficiency(seeds: int = 3, steps: list[str] | None = None) -> None:
    """Train every step once a seed and write results/data_efficiency.json.

    Args:
        seeds: how many, from 0
        steps: names of the steps to train; all unless given
    """
    val = load_split(DataConfig(), "val")
    settings = {"data": "stacks", "epochs": EPOCHS, "images_an_epoch": SHOWN}
    settings["model"] = asdict(CONFIG)
    settings["parameters"] = {
        name: count_parameters(make(STEPS[f"{name}, fresh"], 0)[0])
        for name in ("ViT", "CNN")
    }
    jobs = [
        Job(
            name,
            seed,
            partial(measure, setting, val, seed),
            partial(dict, setting=asdict(setting)),
        )
        for seed in range(seeds)
        for name, setting in STEPS.items()
    ]
    complete_study("data_efficiency", jobs, settings, steps)


if __name__ == "__main__":
    run(data_efficiency)
