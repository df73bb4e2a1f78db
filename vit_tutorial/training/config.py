"""How to train. Nothing is computed here."""

from dataclasses import dataclass, field
from typing import Literal

from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.data.config import MOST, MOST_SEEDS
from vit_tutorial.selfsup.config import DINOConfig, MaskingConfig
from vit_tutorial.settings import coerce_fields, expect_between

# what settings were called in runs of schema 1, and are called now
RENAMED = {
    "start_rate": "warmup_start_lr",
    "peak_rate": "peak_lr",
    "final_rate": "min_lr",
    "muon_factor": "muon_lr_scale",
    "clip_norm": "grad_clip_norm",
    "average": "ema_decay",
    "unmixed_epochs": "mixup_off_epochs",
    "strong.three": "augment.three_augment",
    "strong.erase": "augment.random_erasing",
    "strong.mixup": "mixing.mixup",
    "strong.cutmix": "mixing.cutmix",
}


@dataclass(frozen=True)
class TrainConfig:
    """How to train. Rates are the optimiser's: a linear climb from `warmup_start_lr`,
    half a cosine down to `min_lr`.

    `muon_lr_scale` is the rate of Muon's matrices in units of AdamW's. `grad_clip_norm`
    bounds the length of the gradient (0: no bound). `ema_decay` is that of a moving
    average of the weights, which is then what is validated and kept (0: none). The last
    `mixup_off_epochs` do without MixUp and CutMix. `device` "auto" takes cuda, mps or
    cpu, whichever comes first. `snapshots` are the epochs whose weights are kept (0:
    before the first step), as far as the run goes. `save_every`: epochs from one
    writing of the run to the next; the last and the snapshots are always written.
    `resolution`: sides, in pixels, to which the training images are brought, one after
    the other for equal parts of the run; by default the side the model is judged at.
    `teacher`: the run of a model to learn from as well, with the part `teacher_weight`
    of the loss, at `teacher_temperature` (see `objectives.Distillation`).
    `init`: the run whose weights the model starts with (see `finetune.start_from`).
    `layer_decay`: the factor of the rate from each layer to the one below it (1: all
    learn at one rate; see `optimizers.scale_by_layer`). `freeze`: the number of blocks,
    from the first on, that stay as they are, and with them the embedder (0: nothing is
    frozen, the embedder neither; as many as the model has: only the head learns).
    `objective`: to name classes, or what is learned without labels, by "simmim" and
    "mae" as `masking` says, by "dino" as `dino` says; such a run is watched by k-NN
    every `knn_every` epochs and after the last (0: never).
    Raises ValueError with the value found and what was expected.
    """

    epochs: int = 40
    batch_size: int = 64
    optimizer: Literal["adamw", "muon"] = "adamw"
    muon_lr_scale: float = 4.0
    warmup_start_lr: float = 0.0
    peak_lr: float = 2e-3
    min_lr: float = 0.0
    warmup_epochs: int = 1
    weight_decay: float = 0.05
    label_smoothing: float = 0.0
    grad_clip_norm: float = 1.0
    ema_decay: float = 0.0
    mixup_off_epochs: int = 0
    seed: int = 0
    device: str = "auto"
    compile: bool = False
    snapshots: tuple[int, ...] = ()
    save_every: int = 1
    resolution: tuple[int, ...] = ()
    teacher: str = ""
    teacher_weight: float = 0.5
    teacher_temperature: float = 1.0
    init: str = ""
    layer_decay: float = 1.0
    freeze: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    mixing: MixingConfig = field(default_factory=MixingConfig)
    objective: Literal["classification", "simmim", "mae", "dino"] = "classification"
    masking: MaskingConfig = field(default_factory=MaskingConfig)
    dino: DINOConfig = field(default_factory=DINOConfig)
    knn_every: int = 1

    def __post_init__(self) -> None:
        coerce_fields(self)
        expect_between(self, 1, MOST, "epochs", "batch_size", "save_every")
        expect_between(
            self,
            0,
            MOST,
            "warmup_epochs",
            "mixup_off_epochs",
            "knn_every",
            "weight_decay",
            "grad_clip_norm",
        )
        expect_between(
            self, 0, MOST, "warmup_start_lr", "peak_lr", "min_lr", "muon_lr_scale"
        )
        expect_between(self, 0, MOST_SEEDS, "seed")
        expect_between(self, 0, MOST, "freeze")
        expect_between(self, 0, 1, "teacher_weight")
        expect_between(self, 0.01, 100, "teacher_temperature")
        for name in ("label_smoothing", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name} is {getattr(self, name)}, expected 0 <= {name} < 1"
                )
        if not 0 < self.layer_decay <= 1:
            raise ValueError(
                f"layer_decay is {self.layer_decay}, expected 0 < layer_decay <= 1"
            )
        if any(epoch < 0 for epoch in self.snapshots):
            raise ValueError(
                f"snapshots is {self.snapshots}, expected epochs from 0 on"
            )
        if not all(1 <= side <= MOST for side in self.resolution):
            raise ValueError(
                f"resolution is {self.resolution}, expected sides in pixels, at most"
                f" {MOST:,}"
            )
        if self.self_supervised:
            self._refuse_labels()

    def _refuse_labels(self) -> None:
        """Raise ValueError for a setting that only an objective with labels has."""
        for name, off in {
            "label_smoothing": 0,
            "teacher": "",
            "mixing": MixingConfig(),
        }.items():
            if getattr(self, name) != off:
                raise ValueError(
                    f"objective {self.objective!r} sees no labels, but {name} is"
                    f" {getattr(self, name)}"
                )
        if self.layer_decay != 1:
            raise ValueError(
                f"layer_decay is {self.layer_decay}, expected 1: it is for training on"
                f" with labels, not for objective {self.objective!r}"
            )
        if self.objective == "dino" and self.augment.crop[0] == 1:
            raise ValueError(
                f"augment.crop is {self.augment.crop}, expected a least share below 1:"
                " both large crops of objective 'dino' would be the whole image"
            )
        if self.objective == "dino" and self.ema_decay:
            raise ValueError(
                f"ema_decay is {self.ema_decay}, expected 0: the teacher of objective"
                " 'dino' is a moving average already"
            )

    @property
    def self_supervised(self) -> bool:
        """Whether the run learns without labels."""
        return self.objective != "classification"

    def image_size(
        self, epoch: int, size: int | tuple[int, int]
    ) -> int | tuple[int, int]:
        """The size of the training images of an epoch, from 1 on, of a model for
        `size`.
        """
        if not self.resolution:
            return size
        return self.resolution[(epoch - 1) * len(self.resolution) // self.epochs]
