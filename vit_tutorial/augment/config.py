"""How far an image may be changed while a model trains."""

from dataclasses import dataclass

from vit_tutorial.settings import coerce_fields, expect_between

# every image keeps half, to within a hundredth or two: more changes nothing
LARGEST_ALPHA = 1000


@dataclass(frozen=True)
class AugmentConfig:
    """How far an image may be changed; by default not at all.

    `crop`: least and largest share of the area that is kept. `flip`: mirror every other
    image, left to right. `brightness`, `contrast`, `saturation`: 0.4 means a factor
    from 0.6 to 1.4; `hue`: a share of the colour circle, to both sides; `rotation`:
    degrees, to both sides. `three_augment`: share of images of which each turns grey,
    is solarised or is blurred (Touvron et al. 2022, "DeiT III"). `random_erasing`:
    share of images that lose a rectangle (Zhong et al. 2020). Raises ValueError with
    the value and what was expected.
    """

    crop: tuple[float, float] = (1.0, 1.0)
    flip: bool = False
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    rotation: float = 0.0
    three_augment: float = 0.0
    random_erasing: float = 0.0

    def __post_init__(self) -> None:
        coerce_fields(self)
        if not 0 < self.crop[0] <= self.crop[1] <= 1:
            raise ValueError(
                f"crop is {self.crop}, expected two shares of the area, 0 < least <="
                " largest <= 1"
            )
        expect_between(self, 0, 1, "brightness", "contrast", "saturation")
        expect_between(self, 0, 0.5, "hue")
        expect_between(self, 0, 180, "rotation")
        for name in ("three_augment", "random_erasing"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(
                    f"{name} is {getattr(self, name)}, expected a share of the images,"
                    " 0 to 1"
                )


@dataclass(frozen=True)
class MixingConfig:
    """Images mixed with others, and their labels with them; by default none.

    `mixup`, `cutmix`: alpha of the Beta(alpha, alpha) that says how much of each image
    stays, 0: off (Zhang et al. 2018; Yun et al. 2019); with both on, each image draws
    which. `share`: of the images, the others stay as they are. Raises ValueError with
    the value and what was expected.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    share: float = 1.0

    def __post_init__(self) -> None:
        coerce_fields(self)
        for name in ("mixup", "cutmix"):
            if not 0 <= getattr(self, name) <= LARGEST_ALPHA:
                raise ValueError(
                    f"{name} is {getattr(self, name)}, expected an alpha up to 1,000,"
                    " or 0 for off"
                )
        if not 0 <= self.share <= 1:
            raise ValueError(
                f"share is {self.share}, expected a share of the images, 0 to 1"
            )

    @property
    def active(self) -> bool:
        """Whether any image is mixed."""
        return bool(self.share and (self.mixup or self.cutmix))
