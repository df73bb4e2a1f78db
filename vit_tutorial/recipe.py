"""What a recipe says besides the model: which images, how they are changed, how to train. Nothing is computed here."""

from dataclasses import dataclass, field
from typing import Literal

from vit_tutorial.settings import expect_between, settle_types

MOST = 10**6  # of pixels, epochs, a rate or a factor: what is larger is a slip of the finger
MOST_IMAGES = 10**9
MOST_SEEDS = 2**40  # a seed of torch has 64 bits, some of which count epochs
LARGEST_ALPHA = 1000  # every image keeps half, to within a hundredth or two: more changes nothing


@dataclass(frozen=True)
class DataConfig:
    """Which images, and how they are split and normalised.

    `root` is the folder of "folder", and the one that holds stl10_binary/ for "stl10". `image_size`, in pixels, is one
    side or (rows, columns) to which the images of a folder are brought on reading, by default the model's; the other
    sets have their own. `val_fraction` of the labelled training images are held out by `split_seed`, another part of
    them in each `fold`; of a folder about as many, by the pictures' names. The drawn sets draw `train_images` fresh
    images an epoch and `val_images` fixed ones; `decoys` are those of "stacks". `mean` and `std`, one a channel, are
    of images in [0, 1]. Raises ValueError with the value found and what was expected.
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
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.25, 0.25, 0.25)

    def __post_init__(self) -> None:
        settle_types(self)
        sides = self.image_size if isinstance(self.image_size, tuple) else (self.image_size or 1,)
        if not all(1 <= side <= MOST for side in sides) or self.image_size == 0:
            raise ValueError(f"image_size is {self.image_size}, expected at least 1, at most {MOST:,}")
        expect_between(self, 1, MOST_IMAGES, "train_images", "val_images")
        expect_between(self, 0, MOST_SEEDS, "split_seed", "fold")
        if not 1 / MOST_IMAGES <= self.val_fraction < 1:
            raise ValueError(f"val_fraction is {self.val_fraction}, expected 0 < val_fraction < 1")
        if not 0 <= self.fold < self.folds:
            parts = f"of which each holds out {self.val_fraction:g} of the images"
            raise ValueError(f"fold is {self.fold}, expected one of 0 to {self.folds - 1}, {parts}")
        if not self.mean or len(self.mean) != len(self.std):
            raise ValueError(f"{len(self.mean)} values of mean and {len(self.std)} of std, expected one a channel")
        if not all(1 / MOST <= value <= MOST for value in self.std):
            raise ValueError(f"std is {self.std}, expected positive numbers")
        if not all(abs(value) <= MOST for value in self.mean):
            raise ValueError(f"mean is {self.mean}, expected numbers about 0 to 1")

    @property
    def folds(self) -> int:
        """How often `val_fraction` of the images can be held out without holding out one twice."""
        return int(1 / self.val_fraction + 1e-9)

    @property
    def drawn(self) -> bool:
        """Whether the images are drawn from a seed, afresh each epoch."""
        return self.name in ("stacks", "pairs")


@dataclass(frozen=True)
class AugmentConfig:
    """How far an image may be changed; by default not at all.

    `crop`: least and largest share of the area that is kept. `flip`: mirror every other image, left to right.
    `brightness`, `contrast`, `saturation`: 0.4 means a factor from 0.6 to 1.4; `hue`: a share of the colour circle, to
    both sides; `rotation`: degrees, to both sides. Raises ValueError with the value and what was expected.
    """

    crop: tuple[float, float] = (1.0, 1.0)
    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    rotation: float = 0.0

    def __post_init__(self) -> None:
        settle_types(self)
        if not 0 < self.crop[0] <= self.crop[1] <= 1:
            raise ValueError(f"crop is {self.crop}, expected two shares of the area, 0 < least <= largest <= 1")
        expect_between(self, 0, 1, "brightness", "contrast", "saturation")
        expect_between(self, 0, 0.5, "hue")
        expect_between(self, 0, 180, "rotation")


@dataclass(frozen=True)
class StrongConfig:
    """What strong recipes add; by default nothing.

    `three`: share of images of which each turns grey, is solarised or is blurred (three-augment, Touvron et al. 2022,
    "DeiT III"). `erase`: share of images that lose a rectangle (Zhong et al. 2020). `mixup`, `cutmix`: alpha of the
    Beta(alpha, alpha) that says how much of each image stays, 0: off (Zhang et al. 2018; Yun et al. 2019); with both
    on, each image draws which. Raises ValueError with the value and what was expected.
    """

    three: float = 0.0
    erase: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        settle_types(self)
        for name in ("three", "erase"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected a share of the images, 0 to 1")
        for name in ("mixup", "cutmix"):
            if not 0 <= getattr(self, name) <= LARGEST_ALPHA:
                raise ValueError(f"{name} is {getattr(self, name)}, expected an alpha up to 1,000, or 0 for off")


@dataclass(frozen=True)
class TrainConfig:
    """How to train. Rates are the optimiser's: a linear climb from `start_rate`, half a cosine down to `final_rate`.

    `muon_factor` is the rate of Muon's matrices in units of AdamW's. `clip_norm` bounds the length of the gradient
    (0: no bound). `average` is the decay of a moving average of the weights, which is then what is validated and kept
    (0: none). The last `unmixed_epochs` do without MixUp and CutMix. `device` "auto" takes cuda, mps or cpu, whichever
    comes first. `snapshots` are the epochs whose weights are kept (0: before the first step), as far as the run goes.
    `save_every`: epochs from one writing of the run to the next; the last and the snapshots are always written.
    Raises ValueError with the value found and what was expected.
    """

    epochs: int = 40
    batch_size: int = 64
    optimizer: Literal["adamw", "muon"] = "adamw"
    muon_factor: float = 4.0
    start_rate: float = 0.0
    peak_rate: float = 2e-3
    final_rate: float = 0.0
    warmup_epochs: int = 1
    weight_decay: float = 0.05
    label_smoothing: float = 0.0
    clip_norm: float = 1.0
    average: float = 0.0
    unmixed_epochs: int = 0
    seed: int = 0
    device: str = "auto"
    compile: bool = False
    snapshots: tuple[int, ...] = ()
    save_every: int = 1
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    strong: StrongConfig = field(default_factory=StrongConfig)

    def __post_init__(self) -> None:
        settle_types(self)
        expect_between(self, 1, MOST, "epochs", "batch_size", "save_every")
        expect_between(self, 0, MOST, "warmup_epochs", "unmixed_epochs", "weight_decay", "clip_norm")
        expect_between(self, 0, MOST, "start_rate", "peak_rate", "final_rate", "muon_factor")
        expect_between(self, 0, MOST_SEEDS, "seed")
        for name in ("label_smoothing", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 <= {name} < 1")
        if any(epoch < 0 for epoch in self.snapshots):
            raise ValueError(f"snapshots is {self.snapshots}, expected epochs from 0 on")
