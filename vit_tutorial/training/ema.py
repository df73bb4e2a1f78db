"""A moving average of the weights, without the jitter of their last steps."""

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn


class Ema:
    """Follows a model's weights: average = decay * average + (1 - decay) * weight.

    In step t the decay is at most (1 + t) / (10 + t), so that the random start is soon
    forgotten, as in TensorFlow's `ExponentialMovingAverage`. The idea is Polyak and
    Juditsky's (1992).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.averages: dict[str, Tensor] = {}
        with torch.no_grad():
            for name, value in averaged_values(model):
                self.averages[name] = value.clone()

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after a step; the first are taken as they are."""
        self.steps += 1
        kept = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, value in averaged_values(model):
            if self.steps == 1:
                self.averages[name].copy_(value)
            self.averages[name].lerp_(value, 1 - kept)

    def averaged(self, model: nn.Module) -> nn.Module:
        """A copy of the model with the averaged weights, at first the model's own."""
        copy = deepcopy(model)
        copy.load_state_dict(self.averages, strict=False)  # counters stay
        return copy

    def state_dict(self) -> dict[str, Tensor]:
        """The averages by the names of their weights, and the number of steps."""
        return self.averages | {"steps": torch.tensor(self.steps)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a state. Raises ValueError for one of other weights."""
        expected = {name: average.shape for name, average in self.averages.items()}
        found = {name: value.shape for name, value in state.items() if name != "steps"}
        if found != expected or "steps" not in state:
            raise ValueError("the moving average is of other weights")
        self.steps = int(state["steps"])
        for name, average in self.averages.items():
            average.copy_(state[name])


def averaged_values(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What is averaged: the weights, and the running statistics of batch norms, which
    belong to them.
    """
    for name, value in model.state_dict(keep_vars=True).items():
        if value.is_floating_point():
            yield name, value
