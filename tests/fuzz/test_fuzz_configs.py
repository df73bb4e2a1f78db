"""Settings of any value: a config that a run can write down, or one line."""

from dataclasses import asdict

import pytest
from hypothesis import given
from oracle import either_or
from strategies import settings_for, words_of

from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.selfsup.config import DINOConfig, MaskingConfig
from vit_tutorial.settings import settings_of
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.run import from_json, to_json

KINDS = (
    ViTConfig,
    DataConfig,
    TrainConfig,
    AugmentConfig,
    MixingConfig,
    MaskingConfig,
    DINOConfig,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_config_is_written_down_and_read_or_refused(kind):
    @given(settings_for(kind))
    def tried(settings):
        def make():
            config = kind(**settings)
            assert settings_of(kind, from_json(to_json(asdict(config)))) == config

        either_or(f"config: {kind.__name__}", make, words_of(settings))

    tried()
