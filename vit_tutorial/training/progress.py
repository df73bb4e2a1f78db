"""What a training shows while it runs, and when it stops by itself."""

import torch
from torch import Tensor
from tqdm import tqdm

from vit_tutorial.training.distributed import rank

WINDOW = 20  # steps that the shown loss and accuracy are the mean of


def stop_if_not_finite(losses: Tensor, epoch: int) -> None:
    """Raise FloatingPointError, naming the first step, when a loss is infinite or not a
    number.
    """
    bad = (~losses.isfinite()).nonzero()
    if len(bad):
        step = int(bad[0])
        raise FloatingPointError(
            f"the loss is {losses[step]:g} at epoch {epoch}, step {step + 1}; a lower"
            " peak_lr may help"
        )


class Progress:
    """A bar for an epoch, of the process that reports, unless `quiet`; use it in
    a `with`."""

    def __init__(
        self,
        epoch: int,
        epochs: int,
        lrs: list[float],
        names: tuple[str, ...] = ("accuracy",),
        quiet: bool = False,
    ) -> None:
        self.names = names
        self.epoch = epoch
        self.lrs = lrs
        self.steps: list[tuple[Tensor, Tensor]] = []
        self.bar = tqdm(
            total=len(lrs),
            desc=f"epoch {epoch}/{epochs}",
            leave=False,
            disable=quiet or rank() > 0 or None,
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def update(self, loss: Tensor, values: Tensor) -> None:
        """Take in a step: its loss and the values that `names` name. Raises
        FloatingPointError for a loss that is not finite.
        """
        self.steps.append((loss, values))
        # true a few times a second: reading a number makes us wait for the device
        if self.bar.update():
            losses, watched = (
                torch.stack(each) for each in zip(*self.steps, strict=True)
            )
            stop_if_not_finite(losses, self.epoch)
            means = watched[-WINDOW:].mean(dim=0).view(-1)
            shown = (
                f" {name} {mean:.1%},"
                for name, mean in zip(self.names, means, strict=True)
            )
            said = (
                f"loss {losses[-WINDOW:].mean():.3f},{''.join(shown)}"
                f" lr {self.lrs[len(self.steps) - 1]:.1e}"
            )
            self.bar.set_postfix_str(said, refresh=False)
