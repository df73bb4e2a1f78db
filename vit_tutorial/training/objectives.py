"""What a step of training makes smaller: a loss of a model and a batch.

An objective is called with a model, images and labels, and returns the loss and a
second number to watch, or several in one tensor. The loop knows no more of it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Classification:
    """Name the class: cross-entropy, its target smoothed, and the share of hits."""

    label_smoothing: float = 0.0

    def __call__(
        self, model: nn.Module, images: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        logits = model(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return loss, hit_rate(logits, labels)


def hit_rate(logits: Tensor, labels: Tensor) -> Tensor:
    """The share of images whose class has the largest logit."""
    # labels of mixed images (chapter 10) are shares: the larger counts
    truth = labels if labels.ndim == 1 else labels.argmax(dim=1)
    return (logits.argmax(dim=1) == truth).float().mean()


@dataclass(frozen=True)
class Distillation:
    """Name the class, and be as unsure as a teacher about the same image: a mean of
    `Classification` and of the cross-entropy with the teacher's probabilities, softened
    by a temperature (Hinton et al. 2015, section 2), which has the part `weight`.

    The teacher, a model in eval mode, sees what the model sees: crop, colours and
    mixture (Beyer et al. 2022, "a good teacher is patient and consistent").
    """

    teacher: nn.Module
    weight: float = 0.5
    temperature: float = 1.0
    label_smoothing: float = 0.0

    def __call__(
        self, model: nn.Module, images: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            targets = (self.teacher(images) / self.temperature).softmax(dim=1)
        logits = model(images)
        true = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        # gradients of softened logits are smaller by the square of the temperature
        taught = self.temperature**2 * F.cross_entropy(
            logits / self.temperature, targets
        )
        return torch.lerp(true, taught, self.weight), hit_rate(logits, labels)


def without_labels(
    learner: nn.Module, images: Tensor, others: Tensor
) -> tuple[Tensor, Tensor]:
    """What a learner without labels makes smaller is its own loss; see `selfsup`."""
    return learner(images, others)
