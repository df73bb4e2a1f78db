import math
from dataclasses import FrozenInstanceError, asdict

import pytest

from vit_tutorial.config import ViTConfig


@pytest.mark.parametrize(
    ("sizes", "grid", "tokens"),
    [
        ({}, (12, 12), 145),
        ({"patch_size": 16}, (6, 6), 37),
        ({"patch_size": 32}, (3, 3), 10),
        ({"image_size": (24, 40)}, (3, 5), 16),
        ({"image_size": (24, 40), "pool": "mean"}, (3, 5), 15),
    ],
)
def test_grid_and_tokens(sizes, grid, tokens):
    config = ViTConfig(**sizes)
    assert config.grid == grid
    assert config.tokens == tokens


def test_json_makes_a_list_of_a_tuple():
    assert ViTConfig(image_size=[24, 40]) == ViTConfig(image_size=(24, 40))
    assert asdict(ViTConfig(image_size=[24, 40]))["image_size"] == (24, 40)


def test_frozen():
    with pytest.raises(FrozenInstanceError):
        ViTConfig().dim = 96


@pytest.mark.parametrize(
    ("sizes", "named"),
    [
        ({"image_size": 97}, ["97", "patch_size 8"]),
        ({"image_size": (96, 100), "patch_size": 16}, ["(96, 100)", "16"]),
        ({"dim": 190}, ["dim 190", "heads 3"]),
        ({"dim": 6, "positions": "sincos"}, ["dim 6", "4", "sincos"]),
        ({"patch_size": 0}, ["patch_size is 0", "at least 1"]),
        ({"depth": -1}, ["depth is -1", "at least 1"]),
        ({"channels": 3.5}, ["channels is 3.5", "whole number"]),
        ({"classes": "10"}, ["classes is '10'", "whole number"]),
        ({"heads": True}, ["heads is True", "whole number"]),
        ({"image_size": 0}, ["image_size is 0", "pixels"]),
        ({"image_size": 96.5}, ["image_size is 96.5", "whole number"]),
        ({"image_size": "96"}, ["image_size is '96'", "whole number"]),
        ({"image_size": True, "patch_size": 1}, ["image_size is True", "whole number"]),
        ({"image_size": (96,)}, ["image_size is (96,)", "whole number"]),
        ({"image_size": (96, 96, 3)}, ["image_size is (96, 96, 3)", "2 values"]),
        ({"image_size": None}, ["image_size is None", "whole number"]),
        ({"dropout": 1.0}, ["dropout is 1.0", "< 1"]),
        ({"dropout": -0.1}, ["dropout is -0.1", "0 <="]),
        ({"dropout": "0.1"}, ["dropout is '0.1'", "finite number"]),
        ({"mlp_ratio": 0.001}, ["mlp_ratio 0.001", "dim 192"]),
        ({"mlp_ratio": math.nan}, ["mlp_ratio is nan", "finite number"]),
        ({"mlp_ratio": math.inf}, ["mlp_ratio is inf", "finite number"]),
        ({"norm_eps": 0.0}, ["norm_eps is 0.0", "positive"]),
        ({"pool": "max"}, ["pool is 'max'", "'cls'", "'mean'"]),
        ({"positions": "rope"}, ["positions is 'rope'", "'learned'", "'sincos'"]),
        ({"embedder": "conv"}, ["embedder is 'conv'", "'convolutional'", "'manual'"]),
    ],
)
def test_sizes_that_cannot_be_built(sizes, named):
    with pytest.raises(ValueError) as error:
        ViTConfig(**sizes)
    message = str(error.value)
    assert "\n" not in message
    assert all(part in message for part in named), message
