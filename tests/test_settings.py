"""What people give as settings: taken where it is clear, refused at once where it is
not.
"""

import json
import math
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.training.config import TrainConfig

GIVEN = [
    (ViTConfig, "dim", np.int64(192), 192),
    (ViTConfig, "dim", 192.0, 192),
    (ViTConfig, "dim", torch.tensor(192), 192),
    (ViTConfig, "mlp_ratio", 4, 4.0),
    (ViTConfig, "image_size", np.array([96, 48]), (96, 48)),
    (ViTConfig, "image_size", [96.0, 48], (96, 48)),
    (ViTConfig, "pool", np.str_("mean"), "mean"),
    (DataConfig, "mean", (0, 0, 0), (0.0, 0.0, 0.0)),
    (DataConfig, "std", torch.tensor([0.5, 0.25, 1.0]), (0.5, 0.25, 1.0)),
    (DataConfig, "mean", np.zeros(3, np.float32), (0.0, 0.0, 0.0)),
    (DataConfig, "root", Path("a") / "b", str(Path("a") / "b")),
    (TrainConfig, "epochs", 2.0, 2),
    (TrainConfig, "peak_lr", np.float32(0.5), 0.5),
    (TrainConfig, "weight_decay", Fraction(1, 4), 0.25),
    (TrainConfig, "snapshots", range(3), (0, 1, 2)),
    (TrainConfig, "snapshots", np.arange(2), (0, 1)),
    (TrainConfig, "compile", np.bool_(True), True),
    (TrainConfig, "device", torch.device("cpu"), "cpu"),
    (TrainConfig, "augment", {"flip": True}, AugmentConfig(flip=True)),
    (AugmentConfig, "crop", [0.5, 1], (0.5, 1.0)),
    (AugmentConfig, "rotation", 10, 10.0),
    (MixingConfig, "mixup", torch.tensor(0.5), 0.5),
]


@pytest.mark.parametrize(("kind", "field", "value", "plain"), GIVEN)
def test_what_is_clear_becomes_a_plain_value(kind, field, value, plain):
    config = kind(**{field: value})
    assert getattr(config, field) == plain and type(getattr(config, field)) is type(
        plain
    )
    json.dumps(asdict(config), allow_nan=False)


def test_settings_that_json_brings_back_are_the_same():
    for kind in (ViTConfig, DataConfig, TrainConfig, AugmentConfig, MixingConfig):
        assert kind(**json.loads(json.dumps(asdict(kind())))) == kind()


WRONG = [
    (
        ViTConfig,
        "dim",
        [
            10**20,
            10**400,
            10**5000,
            10**9,
            1e300,
            True,
            "192",
            None,
            [192],
            torch.ones(2),
        ],
    ),
    (ViTConfig, "dim", [torch.empty((), device="meta"), object(), 192.5, math.nan]),
    (ViTConfig, "depth", [10**9, 0, -1]),
    (ViTConfig, "image_size", [10**9, (96, 10**9), "96", (96,), {}, None]),
    (ViTConfig, "mlp_ratio", [10**400, 1e300, -1.0, math.inf, "4"]),
    (ViTConfig, "norm_eps", [1e300, 0, -1e-6]),
    (ViTConfig, "pool", [["cls"], None, b"cls", 3]),
    (
        DataConfig,
        "mean",
        [
            (math.nan,) * 3,
            (None,) * 3,
            "abc",
            0.5,
            ((0, 0, 0),),
            (1e300,) * 3,
            (0.5, 0.5),
        ],
    ),
    (DataConfig, "std", [(0, 1, 1), (-1, 1, 1), (1e-320,) * 3, (math.inf,) * 3, ()]),
    (DataConfig, "root", [None, 3, b"data", ["data"]]),
    (DataConfig, "name", ["cifar", None, 3, ["folder"]]),
    (DataConfig, "val_images", [8.5, 0, 10**11, "8", None]),
    (DataConfig, "val_fraction", [1e-320, 0, 1, math.nan, "half"]),
    (DataConfig, "split_seed", [-1, 2**63, 0.5]),
    (TrainConfig, "seed", [0.5, -1, 2**63, "1", None]),
    (TrainConfig, "save_every", [None, 0, 1.5, math.inf]),
    (TrainConfig, "peak_lr", [1e300, -1, math.nan, "fast", None, True]),
    (TrainConfig, "snapshots", [3, "1", (1.5,), (-1,), None, {"a": 1}]),
    (TrainConfig, "compile", [1, "yes", None]),
    (TrainConfig, "device", [None, 0, b"cpu"]),
    (TrainConfig, "augment", [None, 3, {"mirror": True}, {"flip": 3}, MixingConfig()]),
    (TrainConfig, "optimizer", ["sgd", None, 1]),
    (AugmentConfig, "crop", [0.5, (0.5,), (1, 0.5), "ab", (0.5, math.nan)]),
    (AugmentConfig, "flip", [1, "true", None]),
    (AugmentConfig, "hue", [0.6, math.nan, "0.1"]),
    (MixingConfig, "mixup", [1e300, -1, math.inf, "0.8"]),
    (AugmentConfig, "random_erasing", [1.5, None]),
]


@pytest.mark.parametrize(("kind", "field", "values"), WRONG)
def test_what_is_not_is_refused_in_one_short_line(kind, field, values):
    for value in values:
        with pytest.raises(ValueError, match="expected") as error:
            kind(**{field: value})
        message = str(error.value)
        assert "\n" not in message and len(message) < 200
        assert isinstance(value, dict) or field in message
