"""PyTorch's own graphs, torch.export and torch.compile, compute what the models do."""

import pytest
import torch
from engine import unlike_fresh

from vit_tutorial.config import ViTConfig
from vit_tutorial.models import MODELS, build_model, is_transformer

SIZES = {"classes": 4, "dim": 16, "depth": 1, "heads": 2}


def made(name):
    """A tiny model of this name, and images for it."""
    config = ViTConfig(16, 8, name=name, **SIZES)
    torch.manual_seed(0)
    # a residual network of such weights would reach a billion
    fresh = not is_transformer(config)
    model = build_model(config).eval() if fresh else unlike_fresh(config)
    return model, torch.randn(5, 3, 16, 16)


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_an_exported_model_takes_any_number_of_images(name):
    model, images = made(name)
    program = torch.export.export(
        model,
        (images[:2],),
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        strict=False,
    )
    torch.testing.assert_close(program.module()(images), model(images))


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_compiled_model_says_the_same(name):
    # all models share a forward, which is compiled a few times and no more
    torch.compiler.reset()
    model, images = made(name)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), model(images))
    if not is_transformer(model.config):
        return
    logits, attention = compiled(images, return_attention=True)
    wanted, weights = model(images, return_attention=True)
    torch.testing.assert_close(logits, wanted)
    torch.testing.assert_close(attention, weights)
