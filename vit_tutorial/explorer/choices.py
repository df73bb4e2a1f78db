"""What an explorer shows: the choices of its reader, checked, and the weights they lead
to.
"""

from typing import Any

import anywidget
import traitlets
from torch import Tensor

from vit_tutorial.explorer.encoding import Source, unpack

STATE = ("image", "layer", "head", "query", "epoch", "mode", "opacity", "dropped")
# a trait: how many there are
COUNTS = {"image": "images", "layer": "layers", "head": "heads", "query": "patches"}


class Choices(anywidget.AnyWidget):
    """What can be chosen, in Python as in the view, and checked: see `Explorer`."""

    source: Source  # what can be chosen comes from there
    metadata = traitlets.Dict().tag(sync=True)
    image, layer, query = (traitlets.Int().tag(sync=True) for _ in range(3))
    head = traitlets.Int(-1).tag(sync=True)
    epoch = traitlets.Int(None, allow_none=True).tag(sync=True)
    mode = traitlets.Enum(("raw", "rollout"), "raw").tag(sync=True)
    opacity = traitlets.Float(0.6, min=0, max=1).tag(sync=True)
    dropped = traitlets.List(traitlets.Int()).tag(sync=True)
    pictures, views = (
        traitlets.List(traitlets.Bytes()).tag(sync=True) for _ in range(2)
    )

    @traitlets.validate(*COUNTS, "epoch", "dropped")
    def _check(self, proposal: dict) -> int | list[int] | None:
        name = proposal["trait"].name
        value = proposal["value"]
        if (expected := _expected(self.metadata, name, value)) is not None:
            raise traitlets.TraitError(f"{name} is {value}, expected {expected}")
        return value

    def state(self) -> dict:
        """What is chosen now."""
        return {name: getattr(self, name) for name in STATE}

    def __repr__(self) -> str:
        state = ", ".join(f"{name}={value!r}" for name, value in self.state().items())
        return f"{type(self).__name__}({state})"

    def view(self) -> tuple[Tensor, Tensor]:
        """What is known of the present image, without its dropped patches:
        `encoding.unpack`.

        Where patches are dropped it is computed now, and raises what `run_model` does.
        """
        f = self.metadata
        at = self.image * len(self.metadata["epochs"]) + self.metadata["epochs"].index(
            self.epoch
        )
        sizes = (
            f[name]
            for name in ("outputs", "layers", "heads", "patches", "quantizationLevels")
        )
        view = (
            self.source.without(self.dropped, self.image, self.epoch)
            if self.dropped
            else self.views[at]
        )
        return unpack(view, *sizes)

    def chosen(self) -> tuple[Tensor, float]:
        """The weights shown now, as the view decodes them: (N,) on the patches, and the
        one on the class token.
        """
        weights = self.view()[1]
        heads = self.metadata["heads"]
        maps = (
            [heads]
            if self.mode == "rollout"
            else range(heads)
            if self.head < 0
            else [self.head]
        )
        row = weights[self.layer, list(maps), self.query].mean(dim=0)
        return row[1:], float(row[0])


def _expected(metadata: dict, name: str, value: Any) -> str | None:
    """What a choice should have been, or None where it is one."""
    if name == "epoch":
        return None if value in metadata["epochs"] else f"one of {metadata['epochs']}"
    if name == "dropped":
        most = metadata["patches"]
        fits = len(set(value)) == len(value) < most and all(
            1 <= patch <= most for patch in value
        )
        return (
            None
            if fits
            else f"different patches from 1 to {most}, at least one of them left"
        )
    low = -(name == "head")
    high = metadata[COUNTS[name]] - (name != "query")
    return None if low <= value <= high else f"{low} to {high}"
