"""What an accuracy does not tell: which class is taken for which, and whether a model is as sure as it is right."""

import torch
from torch import Tensor, nn

from vit_tutorial.data import ImageSet, normalise, resize


@torch.no_grad()
def probabilities(
    model: nn.Module, data: ImageSet, mean: tuple[float, ...], std: tuple[float, ...], batch_size: int = 250
) -> Tensor:
    """The probability of each class for each image: (n, classes), on the CPU; the model is left in eval mode."""
    weight, size, parts = next(model.parameters()), model.config.image_size, []
    model.eval()
    for images in data.images.split(batch_size):
        inputs = normalise(resize(images.to(weight.device), size), mean, std)
        logits = model(inputs.to(weight.dtype)).float()  # weights may be of any precision
        parts.append(logits.softmax(dim=1).cpu())
    return torch.cat(parts)


def confusion(chances: Tensor, labels: Tensor) -> Tensor:
    """How often images of a class (row) are taken for each class (column): (n, classes), (n,) -> (classes, classes)."""
    classes = chances.shape[1]
    return (labels * classes + chances.argmax(dim=1)).bincount(minlength=classes**2).view(classes, classes)


def calibration(chances: Tensor, labels: Tensor, bins: int = 10) -> dict[str, Tensor]:
    """How sure the model is and how often it is right, by bins of how sure it is: (n, classes), (n,) -> (bins,) each.

    "confidence" is the mean of the largest probability in a bin, "accuracy" the share of images that are right, "n"
    their number; the means of an empty bin are 0. Guo et al. 2017, section 2.
    """
    sure, found = chances.double().max(dim=1)
    place = (sure * bins).long().clamp(max=bins - 1)  # a probability of 1 belongs to the last bin
    n = place.bincount(minlength=bins)
    sums = {"confidence": sure, "accuracy": (found == labels).double()}
    means = {name: place.bincount(values, minlength=bins) / n.clamp(min=1) for name, values in sums.items()}
    return means | {"n": n}
