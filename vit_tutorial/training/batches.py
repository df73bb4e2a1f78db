"""An epoch's batches: every image once, in a new order, changed as the recipe says."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Generator, Tensor

from vit_tutorial.augment.augmentation import Augmentation
from vit_tutorial.augment.config import AugmentConfig
from vit_tutorial.data.images import ImageSet, Normalization
from vit_tutorial.selfsup.config import DINOConfig

Size = int | tuple[int, int]  # of an image: one side, or rows and columns


def epoch_generator(seed: int, epoch: int) -> Generator:
    """Where order and augmentation of an epoch come from: its number and the run's seed
    alone, so that a resumed run goes on as if it had never stopped.
    """
    return Generator().manual_seed(10_000 * seed + epoch + 2**31)


def batches(
    data: ImageSet,
    batch_size: int,
    image_size: Size,
    augmentation: Augmentation,
    normalization: Normalization,
    generator: Generator,
    part: slice = slice(None),
) -> Iterator[tuple[Tensor, Tensor]]:
    """Normalised images (b, C, Y, X) of the model's size and their labels, on the
    images' device; of each batch only `part`.
    """
    rows = shuffled_rows(data, batch_size, generator, part)
    for images, labels in data.batches(rows):
        draws = augmentation.draw(batch_size, generator)[part]
        images, labels = augmentation.apply(
            images, labels, draws, image_size, len(data.classes)
        )
        yield normalization(images), labels


def multi_crop_batches(
    data: ImageSet,
    batch_size: int,
    image_size: Size,
    augment: AugmentConfig,
    dino: DINOConfig,
    normalization: Normalization,
    generator: Generator,
    part: slice = slice(None),
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of two large crops (b, 2, C, Y, X) and of `dino.local_crops` small ones
    (b, L, C, y, x) of the same images, each changed for itself (Caron et al. 2021,
    section 3.1).
    """
    large = Augmentation(augment)
    small = Augmentation(replace(augment, crop=dino.local_area))

    def view(
        batch: tuple[Tensor, Tensor], augmentation: Augmentation, size: Size
    ) -> Tensor:
        draws = augmentation.draw(batch_size, generator)[part]
        images, _ = augmentation.apply(*batch, draws, size, len(data.classes))
        return normalization(images)

    for batch in data.batches(shuffled_rows(data, batch_size, generator, part)):
        views = [view(batch, large, image_size) for _ in range(2)]
        local = [view(batch, small, dino.local_size) for _ in range(dino.local_crops)]
        yield torch.stack(views, dim=1), torch.stack(local, dim=1)


def shuffled_rows(
    data: ImageSet, batch_size: int, generator: Generator, part: slice
) -> Iterator[Tensor]:
    """The rows of each batch of an epoch, on the images' device; of each only `part`.

    The few images left over are left out of this epoch: a small batch would give each
    of them more weight.
    """
    order = torch.randperm(len(data), generator=generator).to(data.images.device)
    for step in range(len(data) // batch_size):
        yield order[step * batch_size : (step + 1) * batch_size][part]
