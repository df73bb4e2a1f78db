"""How good a model is: accuracy and loss, which class is taken for which, and whether
it is as sure as it is right.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.data.images import ImageSet, normalise, resize
from vit_tutorial.model import VisionTransformer


@torch.no_grad()
def evaluate(
    model: VisionTransformer,
    data: ImageSet,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    batch_size: int = 256,
) -> dict[str, float]:
    """Accuracy (a fraction), mean loss and n over all images; the model is left in eval
    mode.

    Weights may be of any precision; the loss is summed in float32. Raises ValueError
    when there are no images.
    """
    if len(data) == 0:
        raise ValueError("there are no images to evaluate")
    weight = next(model.parameters())
    device = weight.device
    model.eval()
    loss = 0.0
    hits = 0
    for images, labels in zip(
        data.images.split(batch_size), data.labels.split(batch_size), strict=True
    ):
        labels = labels.to(device)
        inputs = normalise(
            resize(images.to(device), model.config.image_size), mean, std
        )
        logits = model(inputs.to(weight.dtype)).float()
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        hits += (logits.argmax(dim=1) == labels).sum().item()
    return {"accuracy": hits / len(data), "loss": loss / len(data), "n": len(data)}


@torch.no_grad()
def probabilities(
    model: nn.Module,
    data: ImageSet,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    batch_size: int = 250,
) -> Tensor:
    """The probability of each class for each image: (n, classes), on the CPU; the model
    is left in eval mode.
    """
    weight = next(model.parameters())
    size = model.config.image_size
    parts = []
    model.eval()
    for images in data.images.split(batch_size):
        inputs = normalise(resize(images.to(weight.device), size), mean, std)
        # weights may be of any precision
        logits = model(inputs.to(weight.dtype)).float()
        parts.append(logits.softmax(dim=1).cpu())
    return torch.cat(parts)


def confusion(chances: Tensor, labels: Tensor) -> Tensor:
    """How often images of a class (row) are taken for each class (column): (n,
    classes), (n,) -> (classes, classes).
    """
    classes = chances.shape[1]
    return (
        (labels * classes + chances.argmax(dim=1))
        .bincount(minlength=classes**2)
        .view(classes, classes)
    )


def calibration(chances: Tensor, labels: Tensor, bins: int = 10) -> dict[str, Tensor]:
    """How sure the model is and how often it is right, by bins of how sure it is: (n,
    classes), (n,) -> (bins,) each.

    "confidence" is the mean of the largest probability in a bin, "accuracy" the share
    of images that are right, "n" their number; the means of an empty bin are 0. Guo et
    al. 2017, section 2.
    """
    sure, found = chances.double().max(dim=1)
    # a probability of 1 belongs to the last bin
    place = (sure * bins).long().clamp(max=bins - 1)
    n = place.bincount(minlength=bins)
    sums = {"confidence": sure, "accuracy": (found == labels).double()}
    means = {
        name: place.bincount(values, minlength=bins) / n.clamp(min=1)
        for name, values in sums.items()
    }
    return means | {"n": n}
