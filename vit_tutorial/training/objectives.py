"""What a step of training makes smaller: a loss of a model and a batch.

An objective is called with a model, images and labels, and returns the loss and a
second number to watch. The loop knows no more of it.
"""

from dataclasses import dataclass

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
        # of mixed images the class with the larger share
        truth = labels if labels.ndim == 1 else labels.argmax(dim=1)
        return loss, (logits.argmax(dim=1) == truth).float().mean()
