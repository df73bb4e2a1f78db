"""The variants do what they say: each equals the plain model where it should, and
differs where it should.
"""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from vit_tutorial import VisionTransformer, ViTConfig, variants
from vit_tutorial.attention import attend
from vit_tutorial.model import count_parameters
from vit_tutorial.models import MODELS, build_model, is_transformer
from vit_tutorial.resolution import at_any_resolution
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.optimizers import hidden_matrices, make_optimizers

CONFIG = ViTConfig(image_size=32, patch_size=16, dim=16, depth=3, heads=2)
# 12 patches, whose order and rows can be told
WIDE = ViTConfig(
    image_size=(24, 32), patch_size=8, dim=16, depth=2, heads=2, positions="sincos"
)
NAMES = [name for name in MODELS if is_transformer(replace(CONFIG, name=name))]


def images(count=4):
    torch.manual_seed(1)
    return torch.randn(count, 3, 32, 32)


def load_plain(variant: nn.Module) -> VisionTransformer:
    """A plain model with the variant's weights, but for what the variant adds."""
    plain = VisionTransformer(CONFIG)
    weights = variant.state_dict()
    plain.load_state_dict({name: weights[name] for name in plain.state_dict()})
    return plain.eval()


def test_stochastic_depth_is_off_in_evaluation():
    model = variants.StochasticDepth(CONFIG).eval()
    assert_close(model(images()), load_plain(model)(images()))
    assert count_parameters(model) == count_parameters(VisionTransformer(CONFIG))


def test_stochastic_depth_leaves_out_whole_branches_of_an_image_and_keeps_the_mean():
    torch.manual_seed(0)
    block = variants.StochasticDepth(CONFIG).blocks[-1]
    for end in (block.end1, block.end2):
        assert end.rate == pytest.approx(0.1)
        full = torch.randn(1, 5, 16)
        assert end.eval()(full) is full
        some = end.train()(full.expand(4000, 5, 16))
        left_out = (some == 0).flatten(1).all(dim=1)
        kept = some[~left_out]
        assert_close(kept, (full / 0.9).expand_as(kept))
        assert left_out.float().mean() == pytest.approx(0.1, abs=0.02)
        largest = full.abs().max().item()
        assert_close(some.mean(dim=0), full[0], atol=0.03 * largest, rtol=0)


def test_the_rate_grows_linearly_with_depth():
    model = variants.StochasticDepth(CONFIG)
    rates = [(block.end1.rate, block.end2.rate) for block in model.blocks]
    assert rates == [pytest.approx((rate, rate)) for rate in (0.1 / 3, 0.2 / 3, 0.1)]


def test_layer_scale_at_one_is_the_plain_model_and_at_zero_the_identity():
    model = variants.LayerScale(CONFIG).eval()
    factors = [
        value for name, value in model.named_parameters() if name.endswith("factors")
    ]
    assert len(factors) == 2 * CONFIG.depth and all(
        (value == 0.1).all() for value in factors
    )
    assert not torch.allclose(model(images()), load_plain(model)(images()))
    for value in factors:
        nn.init.ones_(value)
    assert_close(model(images()), load_plain(model)(images()))
    for value in factors:
        nn.init.zeros_(value)
    tokens = model.embedder(images())
    assert_close(model.blocks[0](tokens), tokens)


def test_both_have_both():
    model = variants.StochasticDepthAndLayerScale(CONFIG)
    for block in model.blocks:
        for end in (block.end1, block.end2):
            kinds = [type(module) for module in end]
            assert kinds == [variants.Diagonal, variants.DropPath]
    added = 2 * CONFIG.depth * CONFIG.dim
    plain = count_parameters(VisionTransformer(CONFIG))
    assert count_parameters(model) == plain + added


def test_what_ends_branches_ends_no_block_that_is_put_together_otherwise():
    class Mixed(variants.LayerScale, variants.PostNorm):
        """Scaled branches, and norms behind them."""

    with pytest.raises(ValueError, match="a PostNormBlock has no branches to end"):
        Mixed(CONFIG)


def test_a_variant_gives_its_attention():
    for kind in (variants.StochasticDepth, variants.LayerScale):
        logits, weights = kind(CONFIG).eval()(images(), return_attention=True)
        assert [one.shape for one in weights] == [(4, 2, 5, 5)] * CONFIG.depth


def test_muon_takes_the_matrices_of_a_variant_and_no_factors():
    muon, adamw = make_optimizers(
        variants.LayerScale(CONFIG), TrainConfig(optimizer="muon")
    )
    assert (
        sum(p.numel() for p in muon.param_groups[0]["params"])
        == CONFIG.depth * 12 * CONFIG.dim**2
    )
    decayed = adamw.param_groups[0]["params"]
    assert (
        all(p.ndim > 1 for p in decayed)
        and sum(p.ndim == 1 for p in adamw.param_groups[1]["params"]) > 6
    )


def wide_images(count=2):
    torch.manual_seed(2)
    return torch.randn(count, 3, 24, 32)


def made(name, config=WIDE, seed=0):
    torch.manual_seed(seed)
    return build_model(replace(config, name=name)).eval()


def shuffled(images):
    """The patches of the images, 3 x 4 of 8 pixels, in another order."""
    patches = F.unfold(images, 8, stride=8)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    return F.fold(patches[..., order], (24, 32), 8, stride=8)


# ---- what all have in common


@pytest.mark.parametrize("name", NAMES)
def test_every_variant_learns_and_gives_its_attention(name):
    model = made(name)
    logits, weights = model(wide_images(), return_attention=True)
    assert_close(logits, model(wide_images()))
    assert [one.shape for one in weights] == [(2, 2, 13, 13)] * 2
    sums = torch.cat(weights).sum(dim=-1)
    assert (sums < 1).all() if hasattr(model, "registers") else assert_one(sums)
    F.cross_entropy(model.train()(wide_images()), torch.tensor([3, 4])).backward()
    idle = [name for name, one in model.named_parameters() if one.grad is None]
    assert not idle
    muon, _ = make_optimizers(model, TrainConfig(optimizer="muon"))
    assert len(muon.param_groups[0]["params"]) == 4 * WIDE.depth


def assert_one(sums):
    assert_close(sums, torch.ones_like(sums))
    return True


@pytest.mark.parametrize("name", NAMES)
def test_every_variant_is_sized_without_being_computed(name):
    with torch.device("meta"):
        model = build_model(replace(WIDE, name=name))
    assert count_parameters(model) == count_parameters(made(name))
    assert len(hidden_matrices(model)) == 4 * WIDE.depth


# as the page "The ViT since 2020" counts them
@pytest.mark.parametrize(
    "name, count",
    [
        ("vit", 522_442),
        ("registers", 522_826),
        ("layer-scale", 523_210),
        ("rms-norm", 521_578),
        ("qk-norm", 522_826),
        ("rope", 522_442),
        ("rope-beside-added", 522_442),
        ("since-2020", 522_442 + 384 + 768 - 864 + 384 - 1152),
    ],
)
def test_parameters_of_what_came_since_2020(name, count):
    config = ViTConfig(patch_size=16, dim=96, depth=4, heads=4, positions="sincos")
    assert count_parameters(made(name, config)) == count


# ---- left out, or put elsewhere


def test_without_positions_the_order_of_patches_is_nothing():
    images = wide_images()
    plain, model = made("vit"), made("no-positions")
    assert_close(model(shuffled(images)), model(images))
    assert (plain(shuffled(images)) - plain(images)).abs().max() > 1e-3
    assert "embedder.positions" not in model.state_dict()
    learned = replace(WIDE, positions="learned")
    assert "embedder.positions" not in made("no-positions", learned).state_dict()
    # a grid of another size has no positions, either
    larger = F.interpolate(images, size=(48, 32))
    assert at_any_resolution(model)(larger).shape == (2, 10)


def test_post_norm_norms_the_stream():
    block = made("post-norm").blocks[0]
    x = torch.randn(2, 13, 16)
    mixed = F.layer_norm(x + block.attention(x), (16,), eps=1e-6)
    want = F.layer_norm(mixed + block.mlp(mixed), (16,), eps=1e-6)
    assert_close(block(x), want)


def test_without_shortcuts_a_token_is_what_the_parts_make_of_it():
    block = made("no-residual").blocks[0]
    x = torch.randn(2, 13, 16)
    mixed = block.attention(F.layer_norm(x, (16,), eps=1e-6))
    assert_close(block(x), block.mlp(F.layer_norm(mixed, (16,), eps=1e-6)))


@pytest.mark.parametrize(
    "name, kind", [("no-norm", nn.Identity), ("rms-norm", nn.RMSNorm)]
)
def test_another_norm_stands_wherever_there_was_one(name, kind):
    model = made(name)
    norms = [model.head[0]]
    for block in model.blocks:
        norms += [block.norm1, block.norm2]
    assert [type(norm) for norm in norms] == [kind] * 5
    assert not [one for one in model.modules() if isinstance(one, nn.LayerNorm)]


def test_the_root_mean_square_is_one_after_its_norm():
    norm = made("rms-norm").blocks[0].norm1
    x = 3 + torch.randn(5, 16)
    assert_close(norm(x), x / (x.square().mean(dim=-1, keepdim=True) + 1e-6).sqrt())


# ---- started otherwise


def test_a_uniform_start_is_positive_and_large():
    learned = replace(CONFIG, positions="learned", image_size=128)
    model = made("uniform-start", learned)
    for values in (model.embedder.class_token, model.embedder.positions):
        assert 0 <= values.min() and values.max() <= 1
        assert values.mean().item() == pytest.approx(0.5, abs=0.25)
    # what is fixed stays
    fixed = made("uniform-start", WIDE).embedder.positions
    assert_close(fixed, made("vit").embedder.positions)


@pytest.mark.parametrize(
    "name", ["uniform-start", "mimetic-start", "convolutional-start"]
)
def test_a_start_changes_weights_and_no_computation(name):
    model = made(name)
    plain = made("vit")
    assert (plain(wide_images()) - model(wide_images())).abs().max() > 1e-4
    plain.load_state_dict(model.state_dict())
    assert_close(plain(wide_images()), model(wide_images()))
    assert_close(made(name).state_dict(), model.state_dict())


def test_attention_starts_as_a_convolution_on_real_pictures():
    """Of the model of the chapters, each head at one offset."""
    config = ViTConfig(
        patch_size=16,
        dim=96,
        depth=2,
        heads=4,
        positions="sincos",
        name="convolutional-start",
    )
    model = made("convolutional-start", config)
    images = torch.randn(4, 3, 96, 96)
    _, weights = model(images, return_attention=True)
    places = torch.cartesian_prod(torch.arange(6), torch.arange(6))
    inside = ((places > 0) & (places < 5)).all(dim=1)
    for head in weights[0][:, :, 1:, 1:].mean(dim=0):
        steps = places[head.argmax(dim=-1)] - places
        common = steps[inside].mode(dim=0).values
        assert (common.abs() <= 1).all()
        assert (steps[inside] == common).all(dim=1).float().mean() > 0.6


# ---- added since 2020


def test_registers_take_part_and_are_not_read():
    model = made("registers")
    tokens = model.embed(wide_images())
    features = model.encode(tokens)
    assert features.shape == (2, 13, 16)
    joined = torch.cat([tokens, model.registers.expand(2, -1, -1)], dim=1)
    assert_close(features, VisionTransformer.encode(model, joined)[:, :13])
    with torch.no_grad():
        model.registers *= 100
    assert (model.encode(tokens) - features).abs().max() > 1e-3
    # the mean is over the other tokens
    mean = made("registers", replace(WIDE, pool="mean"))
    tokens = mean.embed(wide_images())
    assert_close(mean.classify(mean.encode(tokens)), mean(wide_images()))


def test_normed_queries_and_keys_have_a_ceiling():
    attention = made("qk-norm").blocks[0].attention
    with torch.no_grad():
        attention.qkv.weight *= 30
    _, weights = attention(torch.randn(2, 13, 16), return_attention=True)
    # K = 8: scores from -sqrt(8) to sqrt(8)
    assert weights.max() / weights.min() < torch.tensor(2 * 8**0.5).exp()
    q, k, v = (
        attention.qkv(torch.ones(1, 13, 16)).view(1, 13, 3, 2, 8).permute(2, 0, 3, 1, 4)
    )
    want, _ = attend(F.layer_norm(q, (8,)), F.layer_norm(k, (8,)), v)
    got = attention(torch.ones(1, 13, 16))
    assert_close(got, attention.out(want.transpose(1, 2).flatten(2)))


def test_turned_scores_depend_on_how_far_apart_two_patches_are():
    turn = variants.Rotation((3, 4), 8, first=1)
    q, k = torch.randn(2, 8).double()
    queries, keys = (one.expand(1, 1, 13, 8) for one in (q, k))
    scores = (turn.double()(queries) @ turn(keys).mT)[0, 0]
    assert_close(scores[0, 0], q @ k)
    among = scores[1:, 1:].view(3, 4, 3, 4)
    for (row, column), (low, left) in pairwise(
        [(0, 0), (1, 2), (0, 1), (2, 3), (1, 1)]
    ):
        for down in range(-2, 3):
            for right in range(-3, 4):
                places = (row + down, column + right, low + down, left + right)
                if all(0 <= y < 3 for y in places[::2]) and all(
                    0 <= x < 4 for x in places[1::2]
                ):
                    moved = among[places[0], places[1], places[2], places[3]]
                    assert_close(moved, among[row, column, low, left])
    # each number keeps its length, the token in front and those behind stay
    heads = torch.randn(2, 2, 15, 8).double()
    turned = turn(heads)
    assert_close(turned.norm(dim=-1), heads.norm(dim=-1))
    assert_close(turned[:, :, [0, 13, 14]], heads[:, :, [0, 13, 14]])
    assert (turned[:, :, 2:13] - heads[:, :, 2:13]).abs().amax(dim=-1).min() > 1e-3


def test_rotation_by_hand():
    """One pair for the row, one for the column, at speed 1."""
    turn = variants.Rotation((1, 2), 4, first=0)
    heads = torch.tensor([[[[1.0, 2, 3, 4], [1, 2, 3, 4]]]])
    cos, sin = torch.tensor(1.0).cos(), torch.tensor(1.0).sin()
    second = torch.stack(
        [torch.tensor(1.0), 2 * cos - 4 * sin, torch.tensor(3.0), 2 * sin + 4 * cos]
    )
    assert_close(turn(heads)[0, 0], torch.stack([heads[0, 0, 0], second]))


def test_rotary_positions_replace_added_ones_or_join_them():
    rotary, both = made("rope"), made("rope-beside-added")
    images = wide_images()
    assert not rotary.embedder.positions.any() and both.embedder.positions.any()
    for model in (rotary, both):
        assert (model(shuffled(images)) - model(images)).abs().max() > 1e-4
    plain = made("vit")
    plain.load_state_dict(both.state_dict())
    assert (plain(images) - both(images)).abs().max() > 1e-5


def test_rotary_positions_refuse_what_has_no_place():
    with pytest.raises(
        ValueError, match="a head has 2 values, expected a multiple of 4"
    ):
        made("rope", replace(WIDE, dim=4))
    model = made("rope")
    with pytest.raises(ValueError, match="7 tokens, expected at least 13"):
        model.encode(model.embed(wide_images())[:, :7])


def test_since_2020_has_all_six():
    model = made("since-2020")
    assert model.registers.shape == (1, 4, 16) and model.embedder.positions.any()
    assert isinstance(model.head[0], nn.RMSNorm)
    for block in model.blocks:
        assert isinstance(block.end1, variants.Diagonal)
        assert isinstance(block.norm1, nn.RMSNorm)
        kinds = [type(one) for one in block.attention.end_q]
        assert kinds == [nn.LayerNorm, variants.Rotation]
        assert block.attention.qkv.bias is None
        assert block.attention.end_q[0] is not block.attention.end_k[0]


@pytest.mark.parametrize("count", [1, 9, 12, 14])
def test_since_2020_takes_no_registers_for_patches(count):
    model = made("since-2020")
    tokens = torch.randn(2, count, 16)
    with pytest.raises(ValueError, match=f"^{count} tokens, expected 13: rotary posit"):
        model.encode(tokens)
