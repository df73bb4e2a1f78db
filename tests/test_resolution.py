"""The same model for images of other sizes."""

from dataclasses import replace

import pytest
import torch
from small import MODEL
from torch.testing import assert_close

from vit_tutorial.data.images import ImageSet, Normalization
from vit_tutorial.embedding import interpolate_positions, sincos_positions
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import build_model
from vit_tutorial.resolution import AtResolution, at_any_resolution, resized
from vit_tutorial.training.metrics import compute_logits

CONFIG = replace(MODEL, image_size=32, dropout=0.0)


def model_of(**changes):
    torch.manual_seed(0)
    model = VisionTransformer(replace(CONFIG, **changes)).eval()
    torch.nn.init.normal_(model.head[1].weight)
    return model


@pytest.mark.parametrize("embedder", ["convolutional", "manual", "stem", "hybrid"])
@pytest.mark.parametrize("positions", ["learned", "sincos"])
@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_at_its_own_size_it_is_the_model(embedder, positions, pool):
    model = model_of(embedder=embedder, positions=positions, pool=pool)
    images = torch.randn(2, 3, 32, 32)
    assert_close(AtResolution(model, 32)(images), model(images), rtol=0, atol=0)


@pytest.mark.parametrize("size", [(16, 16), (24, 40), (48, 48)])
def test_another_size_is_the_model_with_stretched_positions(size):
    """As the exercise of chapter 02 builds it: a new model, all weights the same."""
    model = model_of()
    grid = (size[0] // 8, size[1] // 8)
    other = VisionTransformer(replace(CONFIG, image_size=size)).eval()
    weights = dict(model.state_dict())
    weights["embedder.positions"] = interpolate_positions(
        model.embedder.positions, (4, 4), grid
    )
    other.load_state_dict(weights)
    images = torch.randn(2, 3, *size)
    resized = AtResolution(model, size)
    assert_close(resized(images), other(images))
    assert resized.config == other.config


@pytest.mark.parametrize("size", [(8, 8), (24, 40), (48, 16), (96, 96)])
@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_a_resized_model_has_positions_as_timm_resamples_them(size, pool):
    timm = pytest.importorskip("timm.layers")
    model = model_of(pool=pool)
    other = resized(model, size)
    grid = (size[0] // 8, size[1] // 8)
    first = int(pool == "cls")
    want = timm.resample_abs_pos_embed(
        model.embedder.positions, grid, (4, 4), num_prefix_tokens=first
    )
    assert_close(other.embedder.positions, want)
    if first:
        kept = model.embedder.positions[:, 0]
        assert_close(other.embedder.positions[:, 0], kept, rtol=0, atol=0)
    assert other(torch.randn(2, 3, *size)).shape == (2, model.config.classes)


def test_a_resized_model_shares_nothing_and_keeps_the_rest():
    model = model_of().double().eval()
    other = resized(model, 32)
    images = torch.randn(2, 3, 32, 32).double()
    assert_close(other(images), model(images), rtol=0, atol=0)
    with torch.no_grad():
        for weight in other.parameters():
            weight.zero_()
    assert model(images).any() and not other.training
    with pytest.raises(ValueError, match="image_size 20 is not divisible by patch_si"):
        resized(model, 20)


def test_fixed_positions_are_stretched_and_learnt_from_then_on():
    """Computed anew, a place would have another address than the model knows it by."""
    model = model_of(positions="sincos", name="registers")
    other = resized(build_model(model.config).train(), (16, 24))
    assert other.config.positions == "learned"
    table = sincos_positions((4, 4), CONFIG.dim, True)
    want = interpolate_positions(table, (4, 4), (2, 3), antialias=True)
    assert_close(other.state_dict()["embedder.positions"], want)
    assert other.training and other.registers.shape == (1, 4, CONFIG.dim)
    same = resized(build_model(model.config), 32)
    assert same.config == model.config


def test_a_variant_without_positions_has_none_at_another_size():
    model = build_model(replace(CONFIG, name="no-positions"))
    other = resized(model, 48)
    assert not other.embedder.positions.any()
    assert other.state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize("name", ["rope", "rope-beside-added"])
def test_rotary_positions_are_not_stretched_over_another_grid(name):
    torch.manual_seed(0)
    model = build_model(replace(CONFIG, dim=32, heads=2, name=name)).eval()
    with pytest.raises(ValueError, match="48 x 48 pixels, but the rotary positions"):
        AtResolution(model, 48)(torch.randn(1, 3, 48, 48))
    images = torch.randn(1, 3, 32, 32)
    assert_close(AtResolution(model, 32)(images), model(images), rtol=0, atol=0)
    assert resized(model, 48)(torch.randn(1, 3, 48, 48)).shape == (1, CONFIG.classes)


def test_training_it_is_training_the_model():
    model = model_of()
    AtResolution(model, 32)(torch.randn(2, 3, 16, 16)).sum().backward()
    missing = [name for name, p in model.named_parameters() if p.grad is None]
    assert missing == []
    assert model.embedder.positions.grad.abs().sum(dim=2).gt(0).all()


@pytest.mark.parametrize("sides", [(8, 12), (6, 12), (14, 12)])
def test_a_place_means_the_same_at_every_size(sides):
    """Stretched sine-cosine positions are those of the same places in the picture, on
    the scale of the model's own grid.
    """
    new, old = sides
    stretched = interpolate_positions(
        sincos_positions((old, old), 16), (old, old), (new, new)
    )
    places = ((torch.arange(new) + 0.5) * old / new - 0.5).clamp(0, old - 1)
    sines = (places[:, None] * 10000 ** -torch.linspace(0, 1, 4)).sin()
    rows = stretched[0, 1:].view(new, new, 16)[:, 0, :4]
    # bicubic; worst at the border, where there is nothing beyond to go by
    assert (rows - sines).abs().max() < 0.1


def test_it_is_judged_at_the_size_of_its_config():
    model = model_of()
    images = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8)
    data = ImageSet(images, torch.zeros(3, dtype=torch.long), ("a", "b"))
    logits = [
        compute_logits(AtResolution(model, side), data, Normalization())
        for side in (16, 32)
    ]
    assert_close(logits[1], compute_logits(model, data, Normalization()))
    assert (logits[0] - logits[1]).abs().max() > 1e-3


def test_pixels_that_no_patch_covers_are_refused():
    with pytest.raises(ValueError, match="images of 20 x 32 pixels are not filled"):
        AtResolution(model_of(), 32)(torch.randn(1, 3, 20, 32))
    with pytest.raises(ValueError, match="image_size 20 is not divisible"):
        AtResolution(model_of(), 20)


def test_a_cnn_is_for_any_size_as_it_is():
    model = build_model(replace(CONFIG, name="cnn"))
    assert at_any_resolution(model) is model
    assert isinstance(at_any_resolution(model_of()), AtResolution)


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 1, 16, 16), (2, 3, 0, 16)])
def test_images_of_other_axes_or_without_pixels_are_refused(shape):
    model = at_any_resolution(build_model(MODEL))
    with pytest.raises(ValueError, match=r"expected \(B, 3, Y, X\)|images of 0 x 16"):
        model(torch.zeros(shape))


def test_images_that_are_not_normalised_are_refused():
    model = at_any_resolution(build_model(MODEL))
    with pytest.raises(ValueError, match="of torch.uint8, expected .* of floats"):
        model(torch.zeros(2, 3, 24, 24, dtype=torch.uint8))
