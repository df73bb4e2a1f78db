"""How to learn without labels. Nothing is computed here."""

from dataclasses import dataclass

from vit_tutorial.settings import coerce_fields, expect_between

# of a size and a width: what is larger is a slip of the finger
MOST = 10**6
MOST_WIDTH = 10**4


@dataclass(frozen=True)
class MaskingConfig:
    """What SimMIM and MAE hide of an image, and what fills it in.

    `ratio`: share of the patches that is hidden. `unit`: side, in patches, of what is
    hidden or shown as one. `normalise_targets`: each patch's pixels to mean 0 and
    standard deviation 1 (He et al. 2022, section 3). MAE's decoder has `decoder_depth`
    blocks of width `decoder_dim`; SimMIM's is one linear map. Raises ValueError with
    the value found and what was expected.
    """

    ratio: float = 0.75
    unit: int = 1
    normalise_targets: bool = False
    decoder_dim: int = 64
    decoder_depth: int = 1

    def __post_init__(self) -> None:
        coerce_fields(self)
        if not 0 < self.ratio < 1:
            raise ValueError(f"ratio is {self.ratio}, expected 0 < ratio < 1")
        expect_between(self, 1, MOST, "unit")
        expect_between(self, 1, MOST_WIDTH, "decoder_dim")
        expect_between(self, 1, 100, "decoder_depth")
        if self.decoder_dim % 4:
            raise ValueError(
                f"decoder_dim {self.decoder_dim} is not divisible by 4, which its"
                " sin-cos positions need"
            )


@dataclass(frozen=True)
class DINOConfig:
    """Self-distillation (Caron et al. 2021, sections 3.1 and 3.2).

    Two global crops, changed as `training.augment` says, and `local_crops` smaller
    ones of `local_size` pixels a side that hold `local_area` of the image. The head
    ends in `outputs` values, behind a `bottleneck`. `momentum` is the teacher's at
    the start; it climbs to 1 by half a cosine. `center_momentum`: of the mean that is
    taken off the teacher's outputs. Raises ValueError with the value found and what
    was expected.
    """

    outputs: int = 256
    hidden: int = 256
    bottleneck: int = 64
    local_crops: int = 4
    local_size: int = 32
    local_area: tuple[float, float] = (0.05, 0.4)
    student_temperature: float = 0.1
    teacher_temperature: float = 0.04
    momentum: float = 0.99
    center_momentum: float = 0.9
    centering: bool = True

    def __post_init__(self) -> None:
        coerce_fields(self)
        expect_between(self, 2, MOST, "outputs")
        expect_between(self, 1, MOST, "local_size")
        expect_between(self, 1, MOST_WIDTH, "hidden", "bottleneck")
        expect_between(self, 1, 100, "local_crops")
        for name in ("student_temperature", "teacher_temperature"):
            expect_between(self, 1e-3, 100, name)
        for name in ("momentum", "center_momentum"):
            expect_between(self, 0, 1, name)
        if not 0 < self.local_area[0] <= self.local_area[1] <= 1:
            raise ValueError(
                f"local_area is {self.local_area}, expected two shares of the image,"
                " 0 < least <= largest <= 1"
            )
