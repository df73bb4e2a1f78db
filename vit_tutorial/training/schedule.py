"""The learning rate of each step."""

import math


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
