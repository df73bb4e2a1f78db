"""A moving average of the weights: what the run has been about lately, without the
jitter of its last steps.
"""

from copy import deepcopy

import torch
from torch import nn
from torch.optim import Optimizer


class MovingAverage(Optimizer):
    """Follows the weights that other optimisers change: average = decay * average + (1
    - decay) * weight.

    In step t the decay is at most (1 + t) / (10 + t), so that the random start is soon
    forgotten, as in TensorFlow's `ExponentialMovingAverage`. It is an optimiser that
    changes nothing, so the loop steps it, and a run saves and resumes it, like the
    others. The idea is Polyak and Juditsky's (1992).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model.parameters(), {"decay": decay})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["average"] = weight.clone()
                    state["step"] = torch.zeros(())
                state["step"] += 1
                # a tensor on the CPU: nobody waits for the GPU
                t = state["step"].item()
                state["average"].lerp_(
                    weight, 1 - min(group["decay"], (1 + t) / (10 + t))
                )

    def averaged(self, model: nn.Module) -> nn.Module:
        """A copy of the model with the averaged weights, which are the model's own
        before the first step.
        """
        copy = deepcopy(model)
        with torch.no_grad():
            for place, weight in zip(
                copy.parameters(), model.parameters(), strict=True
            ):
                place.copy_(self.state[weight].get("average", weight))
        return copy
