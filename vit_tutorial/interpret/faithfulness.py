"""Whether an attribution can be believed: masks, deletion and insertion, SaCo,
bands.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vit_tutorial.interpret.attribution import target_classes
from vit_tutorial.interpret.interventions import drop_patches
from vit_tutorial.model import VisionTransformer
from vit_tutorial.patches import patchify


def patch_coverage(masks: Tensor, patch_size: int) -> Tensor:
    """The share of each patch that lies on a mask: (B, Y, X) bool -> (B, N), from 0 to
    1. Raises ValueError for masks that patches do not fill.
    """
    return patchify(masks[:, None].float(), patch_size).mean(dim=2)


def attention_mass(cover: Tensor, scores: Tensor) -> Tensor:
    """The share of each map that lies on a mask: cover (B, N), maps (B, ..., N) of
    values not below 0 -> (B, ...).
    """
    cover = cover.reshape(len(cover), *[1] * (scores.ndim - 2), -1)
    return (scores * cover).sum(dim=-1) / scores.sum(dim=-1).clamp(min=1e-12)


def pointing_game(cover: Tensor, scores: Tensor) -> Tensor:
    """The pointing game: how likely a pixel of the highest patch lies on the mask. (B,
    N), (B, ..., N) -> (B, ...).

    Zhang et al. 2018, where the highest pixel hits or misses; here all pixels of a
    patch are equally high.
    """
    cover = cover.reshape(len(cover), *[1] * (scores.ndim - 2), -1).expand_as(scores)
    return cover.gather(-1, scores.argmax(dim=-1, keepdim=True))[..., 0]


def bootstrap(
    values: Tensor, level: float = 0.95, rounds: int = 1000
) -> tuple[Tensor, Tensor]:
    """Where the mean over images would fall in `level` of repetitions: values (B, ...)
    -> lowest and highest, (...).

    Images are drawn anew with replacement, `rounds` times from a fixed seed, so equal
    images give equal bands (Efron 1979, the percentile method). Raises ValueError for
    fewer than two images.
    """
    count = len(values)
    if count < 2:
        raise ValueError(f"a band needs at least 2 images, found {count}")
    picks = torch.randint(
        count, (rounds, count), generator=torch.Generator().manual_seed(0)
    )
    shares = torch.zeros(rounds, count).scatter_add_(
        1, picks, torch.full((rounds, count), 1 / count)
    )
    means = (shares @ values.detach().cpu().float().reshape(count, -1)).reshape(
        rounds, *values.shape[1:]
    )
    return means.quantile((1 - level) / 2, dim=0), means.quantile(
        (1 + level) / 2, dim=0
    )


@dataclass(frozen=True)
class Curves:
    """The probability of each image's class while `kept` (S,) of its N patches are
    there; both curves are (B, S).

    `deletion` keeps the patches with the lowest scores, `insertion` those with the
    highest. An area is the mean height of a curve, (B,): if the scores are right it is
    small for deletion and large for insertion.
    """

    kept: Tensor
    deletion: Tensor
    insertion: Tensor

    def auc(self) -> tuple[Tensor, Tensor]:
        """Of deletion and of insertion, (B,) each."""
        if len(self.kept) == 1:  # of a model of one patch: as high as its only point
            return self.deletion[:, 0], self.insertion[:, 0]
        share = (self.kept - self.kept[0]) / (self.kept[-1] - self.kept[0])
        return torch.trapezoid(self.deletion, share), torch.trapezoid(
            self.insertion, share
        )


def check_scores(model: VisionTransformer, images: Tensor, scores: Tensor) -> None:
    """Raise ValueError for scores of another shape than one a patch of each image, or
    not finite.
    """
    shape = (len(images), math.prod(model.config.grid))
    if scores.shape != shape or not scores.isfinite().all():
        raise ValueError(
            f"scores are {tuple(scores.shape)}, expected {shape} finite numbers"
        )


def faithfulness(
    model: VisionTransformer,
    images: Tensor,
    scores: Tensor,
    labels: Tensor | None = None,
    steps: int = 12,
) -> Curves:
    """Take patches away in the order of their scores (B, N), highest first, and add
    them to nothing in the same order.

    Deletion and insertion of Petsiuk, Das and Saenko 2018, but patches leave as tokens,
    without a colour in their place. At most `steps` + 1 points, from the class token
    alone (or 1 patch, without one) to all N. Raises ValueError for scores of another
    shape or not finite, and for fewer than 1 step.
    """
    check_scores(model, images, scores)
    if steps < 1:
        raise ValueError(f"steps is {steps}, expected at least 1")
    order = scores.argsort(dim=1, descending=True, stable=True)
    kept = (
        torch.linspace(int(model.config.pool == "mean"), scores.shape[1], steps + 1)
        .round()
        .long()
        .unique()
    )
    labels = target_classes(drop_patches(model, images, order), labels)

    def curve(order: Tensor) -> Tensor:
        chances = [
            drop_patches(model, images, order[:, :count]).softmax(dim=1)
            for count in kept.tolist()
        ]
        return torch.stack(
            [chance.gather(1, labels[:, None])[:, 0] for chance in chances], dim=1
        )

    return Curves(
        kept.to(images.device), deletion=curve(order.flip(1)), insertion=curve(order)
    )


def saco(
    model: VisionTransformer,
    images: Tensor,
    scores: Tensor,
    labels: Tensor | None = None,
    subsets: int = 9,
) -> Tensor:
    """Do groups of patches with higher scores matter more, above all where scores are
    far apart? (B,), from -1 to 1.

    In the order of their scores (B, N) patches fall into `subsets` groups; each pair of
    groups votes with the difference of its mean scores, for the map if leaving out the
    higher group costs the class at least as much of its probability, else against it.
    Wu et al. 2024, the salience-guided faithfulness coefficient; they paint patches,
    here patches leave as tokens. Raises ValueError as `faithfulness` does, and for
    other than 2 to N groups.
    """
    check_scores(model, images, scores)
    if not 2 <= subsets <= scores.shape[1]:
        raise ValueError(
            f"subsets is {subsets}, expected 2 to {scores.shape[1]}, the number of"
            " patches"
        )
    groups = scores.argsort(dim=1, descending=True, stable=True).tensor_split(
        subsets, dim=1
    )
    # (B, subsets)
    height = torch.stack(
        [scores.gather(1, group).mean(dim=1) for group in groups], dim=1
    )
    rest = [
        torch.cat(groups[:number] + groups[number + 1 :], dim=1)
        for number in range(subsets)
    ]
    labels = target_classes(
        drop_patches(model, images, torch.cat(groups, dim=1)), labels
    )[:, None]
    left = torch.cat(
        [
            drop_patches(model, images, kept).softmax(dim=1).gather(1, labels)
            for kept in rest
        ],
        dim=1,
    )
    upper, lower = torch.triu_indices(subsets, subsets, offset=1)  # each pair once
    stake = height[:, upper] - height[:, lower]
    votes = stake.where(left[:, upper] <= left[:, lower], -stake)
    return votes.sum(dim=1) / stake.sum(dim=1).clamp(min=1e-12)
