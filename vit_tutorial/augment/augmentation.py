"""All that a recipe does to training images: drawn for a whole batch, applied to any
part of it.
"""

from dataclasses import dataclass, field, fields
from typing import Any

import torch
from torch import Generator, Tensor

from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.augment.mixing import draw_mixing, mix
from vit_tutorial.augment.transforms import (
    BLUR_WIDTHS,
    Draws,
    augment,
    box_to_erase,
    draw,
    random_erasing,
    three_augment,
)


@dataclass(frozen=True)
class RecipeDraws:
    """What was drawn for each of B images, on the CPU; None for what is off.
    `draws[a:b]` are those of a part.

    `transforms`: those of chapter 07. `three` (B,): 0, GREY, SOLARISE or BLUR. `widths`
    (B,): standard deviations of the blur, in pixels. `erased`, `pasted` (B, 4): left,
    top, right and bottom of a box as shares of the image's sides, all 0 for no box; a
    pasted box may reach beyond 0 and 1, the borders. `lam` (B,): how much of an image
    is its own around the pasted box.
    """

    transforms: Draws = field(default_factory=Draws)
    three: Tensor | None = None
    widths: Tensor | None = None
    erased: Tensor | None = None
    pasted: Tensor | None = None
    lam: Tensor | None = None

    def __getitem__(self, part: slice) -> "RecipeDraws":
        values = [getattr(self, each.name) for each in fields(self)]
        parts: list[Any] = [each if each is None else each[part] for each in values]
        return RecipeDraws(*parts)


@dataclass(frozen=True)
class Augmentation:
    """A recipe's changes of training images; by default none."""

    augment: AugmentConfig = field(default_factory=AugmentConfig)
    mixing: MixingConfig = field(default_factory=MixingConfig)

    def draw(self, count: int, generator: Generator) -> RecipeDraws:
        """Draw for `count` images: make this the global batch, then draws do not depend
        on how it is split.

        Each image takes the same random numbers whatever is switched on beside crop,
        flip and colour, and one more where a part of the images is mixed; none are
        taken when all of that is off.
        """
        transforms = draw(self.augment, count, generator)
        share = self.augment.three_augment
        erasing = self.augment.random_erasing
        if not share and not erasing and not self.mixing.active:
            return RecipeDraws(transforms)
        numbers = torch.rand(count, 11, generator=generator).unbind(1)
        changes, kind, width, erases, area, aspect, left, top, cuts, x, y = numbers
        seed = int(torch.randint(2**63 - 1, (), generator=generator))
        three = widths = erased = pasted = lam = None
        if share:
            three = torch.where(changes < share, 1 + (3 * kind).long(), 0)
            widths = BLUR_WIDTHS[0] + (BLUR_WIDTHS[1] - BLUR_WIDTHS[0]) * width
        if erasing:
            boxes = box_to_erase(area, aspect, left, top)
            erased = (erases < erasing)[:, None] * boxes
        if self.mixing.active:
            pasted, lam = draw_mixing(self.mixing, cuts, x, y, seed)
            if self.mixing.share < 1:
                left = torch.rand(count, generator=generator) >= self.mixing.share
                pasted[left] = 0
                lam[left] = 1
        return RecipeDraws(transforms, three, widths, erased, pasted, lam)

    def apply(
        self,
        images: Tensor,
        labels: Tensor,
        draws: RecipeDraws,
        size: int | tuple[int, int],
        classes: int,
    ) -> tuple[Tensor, Tensor]:
        """Warp, recolour, erase, then mix: images (B, C, Y, X) uint8 and labels (B,) ->
        images (B, C, *size) floats in [0, 1] and labels, on their device.

        Labels of mixed images become shares of the classes (B, classes). Call it
        outside autocast. Raises ValueError for images that are not uint8, when `draws`
        are of another number of images, and when colours are to be changed that are not
        there.
        """
        images = augment(images, draws.transforms, size)
        return apply_rest(images, labels, draws, classes)


def apply_rest(
    images: Tensor, labels: Tensor, draws: RecipeDraws, classes: int
) -> tuple[Tensor, Tensor]:
    """Three-augment, erasing and mixing, on floats in [0, 1]: images and labels; what
    nothing was drawn for comes back as it is.

    Raises ValueError for images that are no floats, when `draws` are of another number
    of images, or three-augment meets images that are neither grey nor RGB.
    """
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}, expected floats from 0 to 1")
    for drawn in (draws.three, draws.erased, draws.lam):
        if drawn is not None and len(drawn) != len(images):
            raise ValueError(f"{len(images)} images, but draws for {len(drawn)}")
    if draws.three is not None and draws.widths is not None:
        images = three_augment(images, draws.three, draws.widths)
    if draws.erased is not None:
        images = random_erasing(images, draws.erased)
    if draws.lam is None or draws.pasted is None:
        return images, labels
    return mix(images, labels, draws.pasted, draws.lam, classes)
