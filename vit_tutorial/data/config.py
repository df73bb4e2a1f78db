"""Which images a run is about, and how they are split and normalised."""

from dataclasses import dataclass
from typing import Literal

from vit_tutorial.settings import coerce_fields, expect_between

# of pixels, epochs, a rate or a factor: what is larger is a slip of the finger
MOST = 10**6
MOST_IMAGES = 10**9
MOST_WORKERS = 64
MOST_SEEDS = 2**40  # a seed of torch has 64 bits, some of which count epochs


@dataclass(frozen=True)
class DataConfig:
    """Which images, and how they are split and normalised.

    `root` is the folder of "folder", and the one that holds stl10_binary/ for "stl10".
    `image_size`, in pixels, is one side or (rows, columns) to which the images of a
    folder are brought on reading, by default the model's; the other sets have their
    own. `val_fraction` of the labelled training images are held out by `split_seed`,
    another part of them in each `fold`; of a folder about as many, by the pictures'
    names. The drawn sets draw `train_images` fresh images an epoch and `val_images`
    fixed ones; `decoys` are those of "stacks". `labelled`: with how few of the training
    images to train, 0 for all; the same every epoch, as many of each class as can be,
    repeated so that an epoch stays as long. `split_seed` chooses them, the fewer among
    the more, or has the drawn sets draw them. `unlabelled`: train with the 100,000
    images of "stl10" that have no labels; validation and test are as without. `workers`
    leave the pictures of a folder on the disk and decode them, so many processes of
    them, while the model trains; with 0 all are read into memory first. `mean` and
    `std`, one per channel, are of images in [0, 1]. Raises ValueError with the value
    found and what was expected.
    """

    name: Literal["stacks", "pairs", "stl10", "folder"] = "stacks"
    root: str = "data"
    image_size: int | tuple[int, int] | None = None
    val_fraction: float = 0.2
    split_seed: int = 0
    fold: int = 0
    train_images: int = 2000
    val_images: int = 1000
    decoys: Literal["plain", "patterned"] = "plain"
    labelled: int = 0
    unlabelled: bool = False
    workers: int = 0
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.25, 0.25, 0.25)

    def __post_init__(self) -> None:
        coerce_fields(self)
        sides = (
            self.image_size
            if isinstance(self.image_size, tuple)
            else (self.image_size or 1,)
        )
        if not all(1 <= side <= MOST for side in sides) or self.image_size == 0:
            raise ValueError(
                f"image_size is {self.image_size}, expected at least 1, at most"
                f" {MOST:,}"
            )
        expect_between(self, 1, MOST_IMAGES, "train_images", "val_images")
        expect_between(self, 0, MOST_SEEDS, "split_seed", "fold")
        expect_between(self, 0, MOST_IMAGES, "labelled")
        if self.unlabelled and self.name != "stl10":
            raise ValueError(
                f"unlabelled is True, but name is {self.name!r}: expected 'stl10',"
                " which has images without labels"
            )
        expect_between(self, 0, MOST_WORKERS, "workers")
        if self.workers and self.name != "folder":
            raise ValueError(
                f"workers is {self.workers}, but name is {self.name!r}: expected"
                " 'folder', whose pictures can stay on the disk"
            )
        if self.unlabelled and self.labelled:
            raise ValueError(
                f"labelled is {self.labelled} and unlabelled True, expected one of them"
            )
        if not 1 / MOST_IMAGES <= self.val_fraction < 1:
            raise ValueError(
                f"val_fraction is {self.val_fraction}, expected 0 < val_fraction < 1"
            )
        if not 0 <= self.fold < self.folds:
            parts = f"of which each holds out {self.val_fraction:g} of the images"
            raise ValueError(
                f"fold is {self.fold}, expected one of 0 to {self.folds - 1}, {parts}"
            )
        if not self.mean or len(self.mean) != len(self.std):
            raise ValueError(
                f"{len(self.mean)} values of mean and {len(self.std)} of std, expected"
                " one per channel"
            )
        if not all(1 / MOST <= value <= MOST for value in self.std):
            raise ValueError(f"std is {self.std}, expected positive numbers")
        if not all(abs(value) <= MOST for value in self.mean):
            raise ValueError(f"mean is {self.mean}, expected numbers about 0 to 1")

    @property
    def folds(self) -> int:
        """How often `val_fraction` of the images can be held out without holding out
        one twice.
        """
        return int(1 / self.val_fraction + 1e-9)

    @property
    def drawn(self) -> bool:
        """Whether the images are drawn from a seed, without `labelled` afresh each
        epoch.
        """
        return self.name in ("stacks", "pairs")
