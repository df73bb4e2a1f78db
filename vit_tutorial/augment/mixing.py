"""Strong augmentation of a batch on its device: three-augment, erasing, and images
mixed with their neighbours.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from vit_tutorial.augment.config import StrongConfig
from vit_tutorial.augment.transforms import LUMA
from vit_tutorial.data.images import beside

# what three-augment does to an image; 0: nothing
GREY = 1
SOLARISE = 2
BLUR = 3
# least and largest standard deviation in pixels, as in DeiT III's code
BLUR_WIDTHS = (0.1, 2.0)
# least and largest share of the area, as in timm; the paper goes up to 0.4
ERASED_AREA = (0.02, 1 / 3)
# an erased box is at most this much wider or taller than the image
ERASED_ASPECT = 10 / 3


@dataclass(frozen=True)
class StrongDraws:
    """What was drawn for each of B images, on the CPU; None for what is off.
    `draws[a:b]` are those of a part.

    `three` (B,): 0, GREY, SOLARISE or BLUR. `widths` (B,): standard deviations of the
    blur, in pixels. `erased`, `pasted` (B, 4): left, top, right and bottom of a box as
    shares of the image's sides, all 0 for no box; a pasted box may reach beyond 0 and
    1, the borders. `shares` (B,): how much of an image is its own around that box.
    """

    three: Tensor | None = None
    widths: Tensor | None = None
    erased: Tensor | None = None
    pasted: Tensor | None = None
    shares: Tensor | None = None

    def __getitem__(self, part: slice) -> "StrongDraws":
        return StrongDraws(
            **{
                name: None if value is None else value[part]
                for name, value in vars(self).items()
            }
        )


def draw_strong(config: StrongConfig, count: int, generator: Generator) -> StrongDraws:
    """Draw for `count` images: make this the global batch, then draws do not depend on
    how it is split.

    Each image takes the same random numbers whatever is switched on; none are taken
    when everything is off.
    """
    if config == StrongConfig():
        return StrongDraws()
    numbers = torch.rand(count, 11, generator=generator)
    changes, kind, width, erases, area, aspect, left, top, cuts, x, y = numbers.unbind(
        1
    )
    seed = int(torch.randint(2**63 - 1, (), generator=generator))
    least, largest = BLUR_WIDTHS
    pasted, shares = (
        _draw_mixing(config, cuts, x, y, seed)
        if config.mixup or config.cutmix
        else (None, None)
    )
    return StrongDraws(
        three=(
            torch.where(changes < config.three, 1 + (3 * kind).long(), 0)
            if config.three
            else None
        ),
        widths=least + (largest - least) * width if config.three else None,
        erased=(
            (erases < config.erase)[:, None] * _box_to_erase(area, aspect, left, top)
            if config.erase
            else None
        ),
        pasted=pasted,
        shares=shares,
    )


def _box_to_erase(area: Tensor, aspect: Tensor, left: Tensor, top: Tensor) -> Tensor:
    """A box within each image, from four numbers in [0, 1): (B, 4).

    The aspect, in units of the image's own, is drawn evenly in its logarithm from what
    fits into the image.
    """
    area = ERASED_AREA[0] + (ERASED_AREA[1] - ERASED_AREA[0]) * area
    aspect = (
        (2 * aspect - 1) * area.log().neg().clamp(max=math.log(ERASED_ASPECT))
    ).exp()
    width = (area * aspect).sqrt()
    height = (area / aspect).sqrt()
    left = left * (1 - width)
    top = top * (1 - height)
    return torch.stack([left, top, left + width, top + height], dim=1)


def _draw_mixing(
    config: StrongConfig, cuts: Tensor, x: Tensor, y: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """The boxes that CutMix pastes, about the middles x and y: (B, 4); the shares that
    MixUp keeps: (B,).
    """
    # all, none or every other image
    cuts = cuts < bool(config.cutmix) / (bool(config.cutmix) + bool(config.mixup))
    alpha = torch.where(cuts, config.cutmix, config.mixup)
    # torch's Beta takes no generator
    kept = torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha)).float()
    half = (1 - kept).sqrt() / 2  # of a side: the box covers what is not kept
    boxes = torch.stack([x - half, y - half, x + half, y + half], dim=1)
    return cuts[:, None] * boxes, torch.where(cuts, 1, kept)


def strengthen(
    images: Tensor, labels: Tensor, draws: StrongDraws, classes: int
) -> tuple[Tensor, Tensor]:
    """Change, erase, then mix: images (B, C, Y, X) in [0, 1] and labels (B,) -> images
    and labels, on their device.

    An erased box takes the image's mean colour: noise, as in the paper, would have to
    be drawn for every pixel. An image is mixed with the one before it in the batch, the
    first with the last (of several processes each mixes its own part), and labels
    become shares of the classes (B, classes), each row of sum 1. What nothing was drawn
    for comes back as it is. Call it outside autocast. Raises ValueError for images that
    are no floats, when `draws` are of another number of images, or three-augment meets
    images that are neither grey nor RGB.
    """
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}, expected floats from 0 to 1")
    drawn = [value for value in vars(draws).values() if value is not None]
    if any(len(value) != len(images) for value in drawn):
        raise ValueError(f"{len(images)} images, but draws for {len(drawn[0])}")
    if draws.three is not None:
        images = _three_augment(images, draws.three, draws.widths)
    if draws.erased is not None:
        images = torch.where(
            _inside(draws.erased, images), images.mean(dim=(2, 3), keepdim=True), images
        )
    if draws.shares is None:
        return images, labels
    # How much of each pixel is its image's own. MixUp: the same everywhere. CutMix:
    # nothing in the box, all around it.
    # (B, 1, Y, X)
    own = beside(images, draws.shares)[:, None, None, None] * ~_inside(
        draws.pasted, images
    )
    labels = F.one_hot(labels, classes).float()
    # Labels are mixed by what the pixels are on average: no more than what was pasted,
    # where the border cuts a box.
    return torch.lerp(images.roll(1, 0), images, own), torch.lerp(
        labels.roll(1, 0), labels, own.mean(dim=(2, 3))
    )


def _three_augment(images: Tensor, kinds: Tensor, widths: Tensor) -> Tensor:
    """Turn the images of one kind grey, solarise (invert what is brighter than 0.5) or
    blur those of the others.
    """
    channels = images.shape[1]
    if channels not in (1, 3):
        raise ValueError(
            f"images of {channels} channels, expected 1 or 3 to turn them grey"
        )
    images = images.clone()
    grey, solarised, blurred = (
        beside(images, (kinds == kind).nonzero()[:, 0])
        for kind in (GREY, SOLARISE, BLUR)
    )
    if channels == 3:
        images[grey] = sum(
            share * images[grey, c : c + 1] for c, share in enumerate(LUMA)
        )
    images[solarised] = torch.where(
        images[solarised] > 0.5, 1 - images[solarised], images[solarised]
    )
    images[blurred] = _blur(images[blurred], beside(images, widths[kinds == BLUR]))
    return images.clamp_(0, 1)  # rounding can lead beyond


def _blur(images: Tensor, widths: Tensor) -> Tensor:
    """Blur with a Gaussian of its own width for each image: one matrix mixes the rows,
    another one the columns.
    """
    return (
        _gaussians(widths, images.shape[2])
        @ images
        @ _gaussians(widths, images.shape[3]).mT
    )


def _gaussians(widths: Tensor, size: int) -> Tensor:
    """For each width (n,) the weights of `size` old pixels in each of the new: (n, 1,
    size, size), rows sum to 1.
    """
    places = torch.arange(size, device=widths.device)
    distances = (places[:, None] - places) / widths[:, None, None, None]
    return (-distances.square() / 2).softmax(dim=-1)


def _inside(boxes: Tensor, images: Tensor) -> Tensor:
    """Whether a pixel's middle lies in its image's box: boxes (B, 4) -> (B, 1, Y,
    X).
    """
    # (B, 1) each
    left, top, right, bottom = beside(images, boxes)[:, :, None].unbind(1)
    rows, columns = (
        (torch.arange(size, device=images.device) + 0.5) / size
        for size in images.shape[2:]
    )
    # (B, Y) and (B, X)
    down = (rows >= top) & (rows < bottom)
    across = (columns >= left) & (columns < right)
    return (down[:, :, None] & across[:, None, :])[:, None]
