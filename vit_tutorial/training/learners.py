"""Runs without labels: what is trained, on which batches, and how it is watched."""

import math
from collections.abc import Iterator

import torch
from torch import Generator, Tensor, nn

from vit_tutorial.augment.augmentation import Augmentation
from vit_tutorial.data.images import ImageSet, Normalization
from vit_tutorial.model import VisionTransformer
from vit_tutorial.selfsup.dino import DINO
from vit_tutorial.selfsup.learner import Learner
from vit_tutorial.selfsup.mae import MAE
from vit_tutorial.selfsup.masking import random_masks
from vit_tutorial.selfsup.probes import features, knn
from vit_tutorial.selfsup.simmim import SimMIM
from vit_tutorial.training.batches import batches, multi_crop_batches
from vit_tutorial.training.config import TrainConfig

NEIGHBOURS = 20  # that k-NN asks, as in Caron et al. 2021, section 3.2


def make_learner(model: nn.Module, config: TrainConfig) -> nn.Module:
    """What is trained: the model itself, or with an objective without labels a learner
    around it. Raises ValueError where the two do not fit.
    """
    if not config.self_supervised:
        return model
    if not isinstance(model, VisionTransformer):
        raise ValueError(
            f"objective {config.objective!r} needs a Vision Transformer, found a"
            f" {type(model).__name__}"
        )
    patch = model.config.patch_size
    if config.objective == "dino":
        size = config.dino.local_size
        most = min(*model.config.sides, *config.resolution)
        if size % patch or size > most:
            raise ValueError(
                f"dino.local_size is {size}, expected a multiple of patch_size {patch},"
                f" at most the image's {most}"
            )
        return DINO(model, config.dino)
    masking = config.masking
    for side in config.resolution:  # refuses what does not fit
        grid = (side // patch, side // patch)
        random_masks(1, grid, masking.ratio, masking.unit)
    learner = SimMIM if config.objective == "simmim" else MAE
    return learner(model, masking)


def kept(learner: nn.Module) -> nn.Module:
    """The model that a run is for: of a learner its backbone."""
    return learner.backbone if isinstance(learner, Learner) else learner


def watched(learner: nn.Module) -> tuple[str, ...]:
    """The names of what an objective returns beside its loss."""
    return learner.watches if isinstance(learner, Learner) else ("accuracy",)


def epoch_batches(
    data: ImageSet,
    config: TrainConfig,
    epoch: int,
    image_size: int | tuple[int, int],
    augmentation: Augmentation,
    normalization: Normalization,
    generator: Generator,
    part: slice = slice(None),
) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of an epoch as its objective wants them."""
    size = min(config.batch_size, len(data))
    common = (normalization, generator, part)
    sides = config.image_size(epoch, image_size)
    if config.objective == "dino":
        return multi_crop_batches(
            data, size, sides, augmentation.augment, config.dino, *common
        )
    return batches(data, size, sides, augmentation, *common)


@torch.no_grad()
def validate_learner(
    learner: Learner,
    bank: ImageSet | None,
    val: ImageSet,
    config: TrainConfig,
    normalization: Normalization,
) -> dict[str, float]:
    """The learner's own loss on the validation images, but for those that fill no
    batch; they are changed and hidden alike after every epoch. With a `bank` of
    labelled images the accuracy of k-NN.
    """
    learner.eval()
    device = next(learner.parameters()).device
    losses = []
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        for images, others in epoch_batches(
            val,
            config,
            config.epochs,
            learner.config.image_size,
            Augmentation(config.augment),
            normalization,
            Generator().manual_seed(0),
        ):
            losses.append(learner(images.to(device), others.to(device))[0])
    scores = {"loss": torch.stack(losses).mean().item()}
    if bank is None or not math.isfinite(scores["loss"]):
        return scores
    model = learner.backbone
    found = knn(
        features(model, bank, normalization),
        bank.labels,
        features(model, val, normalization),
        min(NEIGHBOURS, len(bank)),
    )
    hits = (found == val.labels.cpu()).double()
    return scores | {"knn_accuracy": hits.mean().item()}
