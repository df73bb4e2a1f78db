"""Images mixed with their neighbours in the batch, and their labels with them."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vit_tutorial.augment.config import MixingConfig
from vit_tutorial.augment.transforms import inside_boxes
from vit_tutorial.data.images import to_device_of


def draw_mixing(
    config: MixingConfig, cuts: Tensor, x: Tensor, y: Tensor, seed: int
) -> tuple[Tensor, Tensor]:
    """The boxes that CutMix pastes, about the middles x and y: (B, 4); the share of
    each image that is its own around that box: (B,).

    `cuts`, `x` and `y` are numbers in [0, 1), one per image.
    """
    # all, none or every other image
    cuts = cuts < bool(config.cutmix) / (bool(config.cutmix) + bool(config.mixup))
    alpha = torch.where(cuts, config.cutmix, config.mixup)
    # torch's Beta takes no generator
    kept = torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha)).float()
    half = (1 - kept).sqrt() / 2  # of a side: the box covers what is not kept
    boxes = torch.stack([x - half, y - half, x + half, y + half], dim=1)
    return cuts[:, None] * boxes, torch.where(cuts, 1, kept)


def mix(
    images: Tensor, labels: Tensor, boxes: Tensor, lam: Tensor, classes: int
) -> tuple[Tensor, Tensor]:
    """Mix images (B, C, Y, X) and labels (B,), each with the one before it in a batch,
    the first with the last: images, and shares of the classes (B, classes).

    MixUp and CutMix: outside its box an image keeps the part `lam` of itself, inside
    nothing. Of several processes each mixes its own part of a batch. Raises ValueError
    for labels of another number and, on the CPU (elsewhere we would have to wait for
    them), of other classes.
    """
    count = len(images)
    if labels.shape != (count,):
        raise ValueError(f"labels are {tuple(labels.shape)}, expected ({count},)")
    if labels.is_cpu and count and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, expected 0 to"
            f" {classes - 1}"
        )
    # How much of each pixel is its image's own, (B, 1, Y, X). MixUp: the same
    # everywhere. CutMix: nothing in the box, all around it.
    own = to_device_of(images, lam)[:, None, None, None] * ~inside_boxes(boxes, images)
    labels = F.one_hot(labels, classes).float()
    # Labels are mixed by what the pixels are on average: no more than what was pasted,
    # where the border cuts a box.
    share = own.mean(dim=(2, 3))
    return (
        torch.lerp(images.roll(1, 0), images, own),
        torch.lerp(labels.roll(1, 0), labels, share),
    )
