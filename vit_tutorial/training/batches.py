"""An epoch's batches: every image once, in a new order, changed as the recipe says."""

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from vit_tutorial.augment.augmentation import Augmentation
from vit_tutorial.data.images import ImageSet, Normalization


def epoch_generator(seed: int, epoch: int) -> Generator:
    """Where order and augmentation of an epoch come from: its number and the run's seed
    alone, so that a resumed run goes on as if it had never stopped.
    """
    return Generator().manual_seed(10_000 * seed + epoch + 2**31)


def batches(
    data: ImageSet,
    batch_size: int,
    image_size: int | tuple[int, int],
    augmentation: Augmentation,
    normalization: Normalization,
    generator: Generator,
    part: slice = slice(None),
) -> Iterator[tuple[Tensor, Tensor]]:
    """Normalised images (b, C, Y, X) of the model's size and their labels, on the
    images' device; of each batch only `part`.

    The few images left over wait: a small batch would give each of them more weight.
    """
    order = torch.randperm(len(data), generator=generator).to(data.images.device)
    for step in range(len(data) // batch_size):
        rows = order[step * batch_size : (step + 1) * batch_size][part]
        draws = augmentation.draw(batch_size, generator)[part]
        images, labels = augmentation.apply(
            data.images[rows], data.labels[rows], draws, image_size, len(data.classes)
        )
        yield normalization(images), labels
