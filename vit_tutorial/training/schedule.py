"""The learning rate of each step."""

import math

from vit_tutorial.training.config import TrainConfig


def learning_rate(
    step: int, steps: int, warmup: int, start: float, peak: float, final: float
) -> float:
    """The rate at `step` of `steps`: a line from `start` to `peak` over `warmup` steps,
    then half a cosine to `final`.

    Loshchilov and Hutter 2017, equation 5, without restarts.
    """
    if step < warmup:
        return start + (peak - start) * step / warmup
    # 0 at the peak, 1 at the last step
    done = (step - warmup) / max(1, steps - 1 - warmup)
    return final + (peak - final) * (1 + math.cos(math.pi * done)) / 2


def epoch_learning_rates(config: TrainConfig, epoch: int, steps: int) -> list[float]:
    """The rate of each of the `steps` of an epoch; epochs count from 1."""
    # an epoch of one step is too dear for the rates at both ends, which may be 0
    ends = int(steps == 1)
    return [
        learning_rate(
            (epoch - 1) * steps + step + ends,
            config.epochs * steps + 2 * ends,
            config.warmup_epochs * steps,
            config.warmup_start_lr,
            config.peak_lr,
            config.min_lr,
        )
        for step in range(steps)
    ]
