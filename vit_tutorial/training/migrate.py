"""Runs of older versions: their settings and states under the names of today."""

import re

from torch import Tensor

from vit_tutorial.training.config import RENAMED

SCHEMA = 2  # of config.json; runs from before it was counted are of schema 1


def migrate_config(config: dict) -> dict:
    """A config.json of any schema as one of today. Raises ValueError for one that is
    newer than this package.
    """
    schema = config.get("schema", 1)
    if schema not in (1, SCHEMA):
        raise ValueError(
            f"is of schema {schema!r:.20}, this package knows 1 to {SCHEMA}"
        )
    training = config.get("training", {})
    if schema == SCHEMA or not isinstance(training, dict):
        return config
    training = dict(training)
    strong = training.pop("strong", {})
    if isinstance(strong, dict):
        training |= {f"strong.{name}": value for name, value in strong.items()}
    for old, new in RENAMED.items():
        if old not in training:
            continue
        part, _, name = new.rpartition(".")
        value = training.pop(old)
        if not part:
            training[name] = value
        elif isinstance(training.setdefault(part, {}), dict):
            training[part] = training[part] | {name: value}
    return config | {"training": training}


def migrate_state(tensors: dict[str, Tensor], weights: list[str]) -> dict[str, Tensor]:
    """The tensors of a run's state as they are named today.

    A moving average used to be the last optimiser, its values by the number of the
    weight among `weights`, the names of the model's.
    """
    found = {}
    for name, tensor in tensors.items():
        old = re.fullmatch(r"[0-9]+/([0-9]+)/(average|step)", name)
        number = re.match(r"[0-9]+", name)
        average = number and f"{number[0]}/0/average" in tensors
        if not (old and average):
            found[name] = tensor
        elif old[2] == "average" and int(old[1]) < len(weights):
            found[f"ema/{weights[int(old[1])]}"] = tensor
        elif old[2] == "step":
            found["ema/steps"] = tensor
    return found
