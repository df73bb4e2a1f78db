"""Tensors of any shape, type and values, and numbers out of range, into what others
call: an answer of the shape that is promised, or one line.
"""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracle import either_or
from strategies import (
    DTYPES,
    FLOATS,
    NUMBERS,
    TINY,
    WHOLE,
    facts,
    few_of,
    filled,
    nearly,
    tensors,
    tiny,
)

from vit_tutorial import convert, predict
from vit_tutorial.augment.augmentation import Augmentation
from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.convert.web import web_model
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import labelled_rows, stratified_split
from vit_tutorial.data.images import ImageSet, Normalization, normalise, resize
from vit_tutorial.embedding import interpolate_positions, sincos_positions
from vit_tutorial.interpret import attention, attribution, faithfulness, interventions
from vit_tutorial.interpret.lens import logit_lens, patch_lens, residual_states
from vit_tutorial.patches import patchify, unpatchify
from vit_tutorial.resolution import at_any_resolution, resized
from vit_tutorial.selfsup import probes
from vit_tutorial.selfsup.masking import random_masks
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.metrics import difference, evaluate, holm
from vit_tutorial.training.run import Run, RunConfig

NAMES = ("vit", "registers", "since-2020", "rope", "layer-scale", "no-positions")
MODELS = st.one_of(
    st.sampled_from(NAMES).map(lambda name: tiny(name=name)),
    st.sampled_from(NAMES).map(lambda name: tiny(name=name, pool="mean")),
    st.just(tiny(embedder="manual", positions="sincos")),
)
CNN = st.just(tiny(name="cnn"))
# normalised images, nearly as the models take them, and of the weights' type, if of
# floats at all
NO_FLOATS = tuple(each for each in DTYPES if not each.is_floating_point)
IMAGES = nearly(2, 3, 8, 8, dtypes=(torch.float32,) * 6 + NO_FLOATS)
EXACT = st.sampled_from(["zeros", "random", "nan"]).map(
    partial(filled, [2, 3, 8, 8], torch.float32)
)
PIXELS = nearly(2, 3, 8, 8, dtypes=(torch.uint8,) * 4 + DTYPES)
SHORT = st.integers(-2, 12)
PLACES = st.lists(st.integers(-1, 4), min_size=2, max_size=2)
LAYERS = st.builds(
    lambda depth, fill: [filled([2, 2, 5, 5], torch.float32, fill)] * depth,
    st.integers(1, 3),
    st.sampled_from(["zeros", "random", "nan"]),
)
LABELS = st.none() | nearly(2, dtypes=(torch.int64,))
SCORES = nearly(2, 4, dtypes=FLOATS)
RUN = Run(
    RunConfig(TINY, DataConfig(), TrainConfig(), ("a", "b", "c"), Normalization())
)
GRIDS = st.tuples(st.integers(1, 4), st.integers(1, 4))
SIDES = st.integers(1, 9)


def used(context, *arguments):
    """What is done inside a context of these arguments."""
    with context(*arguments):
        return arguments[0](torch.zeros(2, 3, 8, 8))


def set_of(images, labels):
    return ImageSet(images, labels, ("a", "b", "c"))


def evaluated(model, images, labels):
    return evaluate(model, set_of(images, labels), RUN.normalization)


def featured(model, images, labels, tokens):
    return probes.features(model, set_of(images, labels), RUN.normalization, tokens)


def augmented(images, labels, recipe, size):
    draws = recipe.draw(2, torch.Generator().manual_seed(0))
    return recipe.apply(images, labels, draws, size, 3)


CALLS = {
    "patchify": (patchify, tensors(4, SIDES), WHOLE),
    "unpatchify": (unpatchify, tensors(3, SIDES), GRIDS, SHORT),
    "sincos_positions": (sincos_positions, GRIDS, SHORT),
    "interpolate_positions": (
        interpolate_positions,
        tensors(3, SIDES, (torch.float32,)),
        GRIDS,
        GRIDS,
    ),
    "random_masks": (random_masks, SIDES, GRIDS, st.floats(-1, 2), SHORT),
    "model": (lambda model, images: model(images), MODELS, IMAGES),
    "attention_maps": (attention.attention_maps, MODELS, IMAGES),
    "rollout": (
        attention.rollout,
        LAYERS | st.lists(nearly(2, 2, 5, 5, dtypes=FLOATS)),
    ),
    "attention_distance": (attention.attention_distance, LAYERS, GRIDS, SHORT),
    "select_attention": (
        attention.select_attention,
        LAYERS | st.just([]),
        st.none() | SHORT,
        st.none() | SHORT,
        st.booleans(),
    ),
    "drop_patches": (
        interventions.drop_patches,
        MODELS,
        IMAGES,
        nearly(2, 2, dtypes=(torch.int64, torch.int32, torch.bool, torch.float32))
        | st.lists(PLACES, min_size=2, max_size=2).map(torch.tensor),
    ),
    "randomize_cascade": (interventions.randomize_cascade, MODELS, WHOLE),
    "silenced": (
        partial(used, interventions.silenced),
        MODELS,
        st.lists(st.tuples(SHORT, SHORT), max_size=3),
        st.lists(st.tuples(SHORT, st.sampled_from(["mlp", "attention", ""]))),
    ),
    "patched": (
        partial(used, interventions.patched),
        MODELS,
        st.lists(nearly(2, 5, 8, dtypes=FLOATS), max_size=4),
        st.lists(st.tuples(SHORT, SHORT), max_size=3),
    ),
    "residual_states": (residual_states, MODELS, IMAGES),
    "logit_lens": (logit_lens, MODELS, IMAGES),
    "patch_lens": (patch_lens, MODELS, IMAGES),
    "faithfulness": (
        faithfulness.faithfulness,
        MODELS,
        IMAGES,
        SCORES,
        LABELS,
        st.integers(-2, 30),
    ),
    "saco": (faithfulness.saco, MODELS, IMAGES, SCORES, LABELS, st.integers(-2, 6)),
    "bootstrap": (faithfulness.bootstrap, tensors(2, SIDES, FLOATS)),
    **{
        f"attribute {name}": (attribute, MODELS, EXACT, LABELS)
        for name, attribute in attribution.ATTRIBUTIONS.items()
    },
    "normalise": (
        normalise,
        tensors(),
        st.lists(st.floats(-1, 1), max_size=4),
        st.lists(st.floats(0.1, 1), max_size=4),
    ),
    "resize": (resize, tensors(), SHORT | st.tuples(SHORT, SHORT)),
    "predict": (predict.predict, MODELS | CNN, st.just(RUN), PIXELS, WHOLE),
    "embed_images": (predict.embed_images, MODELS | CNN, st.just(RUN), PIXELS),
    "features": (predict.features, MODELS | CNN, IMAGES, WHOLE, st.booleans()),
    "evaluate": (evaluated, MODELS | CNN, PIXELS, nearly(2, dtypes=(torch.int64,))),
    "probes.features": (
        featured,
        MODELS | CNN,
        PIXELS,
        nearly(2, dtypes=(torch.int64,)),
        st.sampled_from([None, "cls", "mean", "all"]),
    ),
    "knn": (
        probes.knn,
        nearly(5, 3, dtypes=FLOATS),
        nearly(5, dtypes=(torch.int64,)),
        nearly(4, 3, dtypes=FLOATS),
        SHORT,
        st.floats(-0.1, 2) | NUMBERS,
    ),
    "linear_probe": (
        probes.linear_probe,
        nearly(5, 3, dtypes=FLOATS),
        nearly(5, dtypes=(torch.int64,)),
        nearly(4, 3, dtypes=FLOATS),
    ),
    "embed_2d": (
        probes.embed_2d,
        nearly(5, 3, dtypes=FLOATS),
        st.sampled_from(["pca", "tsne", "umap"]),
    ),
    "resized": (resized, MODELS, WHOLE | st.tuples(SHORT, SHORT)),
    "at_any_resolution": (
        lambda model, images: at_any_resolution(model)(images.float()),
        MODELS,
        IMAGES | tensors(sides=st.integers(0, 4).map(lambda side: 4 * side)),
    ),
    "augmentation": (
        augmented,
        PIXELS,
        nearly(2, dtypes=(torch.int64,)),
        st.sampled_from(
            [
                Augmentation(),
                Augmentation(AugmentConfig(flip=True, crop=(0.5, 1), hue=0.1)),
                Augmentation(AugmentConfig(three_augment=1, random_erasing=1)),
                Augmentation(mixing=MixingConfig(mixup=0.8, cutmix=1)),
            ]
        ),
        SHORT,
    ),
    "stratified_split": (
        stratified_split,
        tensors(1, st.integers(0, 30), (torch.int64,)),
        st.floats(0, 1, exclude_min=True, exclude_max=True),
        st.integers(0, 3),
        SHORT,
    ),
    "labelled_rows": (
        labelled_rows,
        tensors(1, st.integers(0, 30), (torch.int64,)),
        WHOLE,
        SHORT,
    ),
    "difference": (difference, st.lists(NUMBERS), st.lists(NUMBERS)),
    "holm": (holm, st.lists(NUMBERS)),
    "web_model": (
        web_model,
        MODELS | CNN,
        st.just(["a", "b", "c"]),
        st.just([0.5] * 3),
        st.just([0.25] * 3),
        st.sampled_from(["float32", "float16", "mixed"]),
    ),
    **{
        f"convert.{name}": (getattr(convert, name), MODELS | CNN)
        for name in convert.__all__
    },
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_answers_or_says_what_does_not_fit(name):
    function, *strategies = CALLS[name]

    @few_of(0.4)
    @given(st.tuples(*strategies))
    def tried(arguments):
        either_or(f"call: {name}", lambda: function(*arguments), facts(*arguments))

    tried()
