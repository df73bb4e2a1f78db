"""Models and data that no machine holds: refused before anything of them is made."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracle import either_or
from small import MODEL, TRAIN
from strategies import few_of

from vit_tutorial.augment.config import AugmentConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.models import build_model
from vit_tutorial.selfsup.config import DINOConfig, MaskingConfig
from vit_tutorial.training import loop
from vit_tutorial.training.learners import make_learner

LARGE = st.sampled_from([1, 2, 10**3, 10**4, 10**5, 10**6, 10**9, 10**12])
MEMORY = 10 * 10**9  # bytes of the machine that the tests assume


def count_values(model, config):
    """How many values are trained, of models of 1 and 2 blocks, built where they take
    no memory.
    """
    counts = []
    for depth in (1, 2):
        with torch.device("meta"):
            made = make_learner(build_model(replace(model, depth=depth)), config)
        counts.append(sum(math.prod(one.shape) for one in made.parameters()))
    return counts[0] + (model.depth - 1) * (counts[1] - counts[0])


class Built(Exception):
    """A model would be built now."""


def assume_memory(monkeypatch):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": MEMORY // 4096}
    monkeypatch.setattr("os.sysconf", pages.__getitem__)


@pytest.fixture
def refuses(data, tmp_path, monkeypatch):
    """A function that trains as far as the model is built, on a machine of MEMORY."""
    assume_memory(monkeypatch)

    def build(config):
        raise Built

    monkeypatch.setattr(loop, "build_model", build)

    def train(kind, names, model, config, images=data):
        def begun():
            settings = replace(MODEL, **model), images, config()
            try:
                loop.train(*settings, tmp_path / "run")
            except Built:
                values = count_values(settings[0], settings[2])
                assert 16 * values < 1.1 * MEMORY, f"{values:,} values"

        either_or(kind, begun, names)

    return train


def test_a_model_that_does_not_fit_is_refused(refuses):
    names = ("depth", "dim", "classes", "image_size", "patch_size", "mlp_ratio")
    sizes = st.dictionaries(st.sampled_from(names), LARGE, min_size=1, max_size=3)
    embedders = st.sampled_from(["convolutional", "manual", "stem", "hybrid"])

    @few_of(1)
    @given(sizes, embedders)
    def tried(sizes, embedder):
        named = [*sizes, "model", "GB", "images of folder"]
        refuses(
            "sizes of a model", named, sizes | {"embedder": embedder}, lambda: TRAIN
        )

    tried()


def test_what_learns_beside_a_model_and_does_not_fit_is_refused(refuses):
    masking = st.dictionaries(
        st.sampled_from(["decoder_dim", "decoder_depth", "unit"]), LARGE, min_size=1
    )
    dino = st.dictionaries(
        st.sampled_from(["outputs", "hidden", "bottleneck", "local_size"]),
        LARGE,
        min_size=1,
    )

    @few_of(1)
    @given(st.sampled_from(["mae", "dino"]), masking, dino)
    def tried(objective, masking, dino):
        def config():
            return replace(
                TRAIN,
                objective=objective,
                augment=AugmentConfig(crop=(0.5, 1.0)),
                masking=MaskingConfig(**masking),
                dino=DINOConfig(**{"local_size": 8} | dino),
            )

        named = [*masking, *dino, "model", "GB", "squares"]
        refuses("sizes of a learner", named, {}, config)

    tried()


def test_images_that_do_not_fit_are_not_drawn(monkeypatch):
    assume_memory(monkeypatch)

    @few_of(0.3)
    @given(
        st.sampled_from(["stacks", "pairs"]),
        st.sampled_from([10**7, 10**8, 10**9, 10**12]),
        st.sampled_from(["train_images", "val_images"]),
    )
    def tried(name, count, which):
        def drawn():
            load_split(DataConfig(name=name, **{which: count}), "val")

        worked = either_or("numbers of images", drawn, [which, "images"])
        assert not worked

    tried()
