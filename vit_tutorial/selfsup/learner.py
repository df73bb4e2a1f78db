"""What the objectives without labels share: a backbone, a loss of images, and what to
watch.
"""

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.model import VisionTransformer
from vit_tutorial.selfsup.masking import random_masks, target_patches


class Learner(nn.Module):
    """A model that is trained without labels, with all that it needs for that.

    Called with a batch it returns the loss and the values to watch, which `watches`
    names. `backbone` is the model that is kept: its last linear layer, which
    names classes, learns nothing here.
    """

    watches: tuple[str, ...] = ("deviation",)
    backbone: VisionTransformer

    def __init__(self, backbone: VisionTransformer) -> None:
        super().__init__()
        self.config = backbone.config  # the training loop asks it for the image's size
        backbone.head[1].requires_grad_(False)

    def forward(self, images: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and watched values; `others` stand where labels do for a classifier."""
        raise NotImplementedError("a subclass says what it makes smaller")

    def after_step(self, done: float, mean: Callable[[Tensor], Tensor]) -> None:
        """What follows a step of the optimiser, with the share of the run that is done
        and what takes the mean over processes.
        """


class MaskedLearner(Learner):
    """Hides patches, predicts their pixels. A subclass says how, in `predict`."""

    def __init__(
        self,
        backbone: VisionTransformer,
        ratio: float,
        unit: int,
        normalise_targets: bool,
    ) -> None:
        super().__init__(backbone)
        c = backbone.config
        if c.embedder in ("stem", "hybrid"):
            raise ValueError(
                f"the embedder {c.embedder!r} sees beyond a patch, what is hidden leaks"
                " into what is shown: expected 'convolutional' or 'manual'"
            )
        random_masks(1, c.grid, ratio, unit)  # refuses what does not fit
        self.backbone = backbone
        self.ratio = ratio
        self.unit = unit
        self.normalise_targets = normalise_targets

    def predict(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """The pixels of all patches (B, N, P*P*C), and the features (B, ?, D) they were
        predicted from.
        """
        raise NotImplementedError("a subclass says how")

    def distance(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """How far each value is off: the shape of both."""
        raise NotImplementedError("a subclass says how")

    def forward(self, images: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        grid = grid_of(self.backbone, images)
        masks = random_masks(len(images), grid, self.ratio, self.unit, images.device)
        predicted, features = self.predict(images, masks)
        size = self.backbone.config.patch_size
        targets = target_patches(images, size, self.normalise_targets)
        far = self.distance(predicted, targets).mean(dim=-1)
        # what is shown can be copied: it teaches nothing
        return far[masks].mean(), deviation(features.mean(dim=1))


def grid_of(model: VisionTransformer, images: Tensor) -> tuple[int, int]:
    """Patches down and across of images (B, C, Y, X) of any size."""
    side = model.config.patch_size
    return images.shape[-2] // side, images.shape[-1] // side


def encode(model: VisionTransformer, tokens: Tensor) -> Tensor:
    """Tokens, all of them or some, to features: (B, T, D) -> (B, T, D)."""
    return cast("Tensor", model.encode(tokens))


def pooled(model: VisionTransformer, features: Tensor) -> Tensor:
    """What the head names classes from: (B, T, D) -> (B, D)."""
    cls = model.config.pool == "cls"
    return model.head[0](features[:, 0] if cls else features.mean(dim=1))


@torch.no_grad()
def deviation(features: Tensor) -> Tensor:
    """How differently images are represented: about 1 where features (B, D) point
    everywhere, 0 where all are the same.

    The standard deviation over the batch of features of length 1, times sqrt(D): Chen
    and He 2021, section 4.1, watch it to see a collapse.
    """
    directions = F.normalize(features.float(), dim=1)
    return directions.std(dim=0, correction=0).mean() * features.shape[1] ** 0.5
