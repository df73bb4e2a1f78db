"""How good a model is: accuracy and loss, which class is taken for which, and whether
it is as sure as it is right. And whether one kind of model is better than another.
"""

from collections.abc import Sequence
from statistics import mean, variance

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.data.images import ImageSet, Normalization, resize

LARGEST = 1e50  # value that `difference` compares: it takes fourth powers


@torch.no_grad()
def compute_logits(
    model: nn.Module,
    data: ImageSet,
    normalization: Normalization,
    batch_size: int = 256,
) -> Tensor:
    """The model's logits of all images: (n, classes), float32 on the CPU; the model is
    left in eval mode. Its weights may be of any precision.

    Raises ValueError when there are no images.
    """
    if len(data) == 0:
        raise ValueError("there are no images to evaluate")
    weight = next(model.parameters())
    model.eval()
    parts = []
    for images in data.images.split(batch_size):
        images = resize(images.to(weight.device), model.config.image_size)
        logits = model(normalization(images).to(weight.dtype))
        parts.append(logits.float().cpu())
    return torch.cat(parts)


def evaluate(
    model: nn.Module,
    data: ImageSet,
    normalization: Normalization,
    batch_size: int = 256,
) -> dict[str, float]:
    """Accuracy (a fraction), mean loss and n over all images; see `compute_logits`.

    Raises ValueError for images without labels, and for labels of classes that the
    model lacks.
    """
    if (data.labels < 0).any():
        raise ValueError(
            f"there are {len(data):,} images to evaluate, some without a label (-1)"
        )
    logits = compute_logits(model, data, normalization, batch_size)
    labels = data.labels.cpu()
    if labels.max() >= logits.shape[1]:
        raise ValueError(
            f"there are labels up to {labels.max()}, but the model has"
            f" {logits.shape[1]} classes"
        )
    correct = (logits.argmax(dim=1) == labels).sum().item()
    loss = F.cross_entropy(logits.double(), labels).item()
    return {"accuracy": correct / len(data), "loss": loss, "n": len(data)}


def confusion(probabilities: Tensor, labels: Tensor) -> Tensor:
    """How often images of a class (row) are taken for each class (column): (n,
    classes), (n,) -> (classes, classes).
    """
    classes = probabilities.shape[1]
    return (
        (labels * classes + probabilities.argmax(dim=1))
        .bincount(minlength=classes**2)
        .view(classes, classes)
    )


def calibration(
    probabilities: Tensor, labels: Tensor, bins: int = 10
) -> dict[str, Tensor]:
    """How sure the model is and how often it is right, by bins of how sure it is: (n,
    classes), (n,) -> (bins,) each.

    "confidence" is the mean of the largest probability in a bin, "accuracy" the share
    of images that are right, "n" their number; the means of an empty bin are 0. Guo et
    al. 2017, section 2.
    """
    confidence, found = probabilities.double().max(dim=1)
    # a probability of 1 belongs to the last bin
    place = (confidence * bins).long().clamp(max=bins - 1)
    n = place.bincount(minlength=bins)
    sums = {"confidence": confidence, "accuracy": (found == labels).double()}
    means = {
        name: place.bincount(values, minlength=bins) / n.clamp(min=1)
        for name, values in sums.items()
    }
    return means | {"n": n}


def difference(
    first: Sequence[float], second: Sequence[float]
) -> tuple[float, float, float]:
    """How much better the second runs are than the first: the gap of their means, its
    standard error, and p, how often chance alone makes one as large.

    The two-sided test of Welch 1947, for runs that may be of unequal number and spread.
    Where neither side varies the error is 0, and p is 1 without a gap, else 0. Raises
    ValueError for fewer than two values a side, and for values too large to square.
    """
    from scipy.special import stdtr  # which nothing else of the package needs

    for values in (first, second):
        if len(values) < 2:
            raise ValueError(f"a spread needs two values or more, got {len(values)}")
        if any(abs(value) > LARGEST for value in values):
            largest = max(values, key=abs)
            raise ValueError(f"{largest} is too large, expected at most {LARGEST:g}")
    gap = mean(second) - mean(first)
    squares = [variance(values) / len(values) for values in (first, second)]
    error = sum(squares) ** 0.5
    if error == 0:
        return gap, error, float(gap == 0)
    freedom = error**4 / sum(
        square**2 / (len(values) - 1)
        for square, values in zip(squares, (first, second), strict=True)
    )
    return gap, error, 2 * float(stdtr(freedom, -abs(gap) / error))


def holm(p: Sequence[float], level: float = 0.05) -> list[bool]:
    """Which of m differences stand when all are counted together, from the p of each:
    the chance that any of them is a false one stays below `level`.

    The smallest p is held against level/m, the next against level/(m - 1) and so on, up
    to the first that is larger; from there on none stands. Holm 1979. Raises ValueError
    for a p outside 0 to 1.
    """
    if bad := [value for value in p if not 0 <= value <= 1]:
        raise ValueError(f"p is {bad[0]}, expected 0 to 1")
    stands = [False] * len(p)
    for rank, place in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[place] > level / (len(p) - rank):
            break
        stands[place] = True
    return stands
