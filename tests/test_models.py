"""The variants do what they say: each equals the plain model where it should, and
differs where it should.
"""

from dataclasses import replace

import pytest
import torch
from small import spent
from torch import nn
from torch.testing import assert_close

from vit_tutorial import VisionTransformer, ViTConfig, models, variants
from vit_tutorial.model import count_parameters
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.optimizers import make_optimizers

CONFIG = ViTConfig(image_size=32, patch_size=16, dim=16, depth=3, heads=2)


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


def test_resnet18_is_torchvisions_with_a_small_stem():
    model = models.resnet18(ViTConfig()).eval()
    # 11,689,512 with 1,000 classes and a 7 x 7 stem, as torchvision says
    assert count_parameters(model) == 11_689_512 - 990 * 513 - 3 * 64 * (49 - 9)
    shapes = []
    model.layer1.register_forward_hook(lambda *call: shapes.append(call[2].shape[2:]))
    model.layer4.register_forward_hook(lambda *call: shapes.append(call[2].shape[2:]))
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 96, 96)).shape == (1, 10)
    assert shapes == [(48, 48), (6, 6)]


def test_the_small_resnet_does_about_the_hybrids_work():
    config = ViTConfig(
        image_size=64, dim=128, depth=4, heads=4, embedder="hybrid", positions="sincos"
    )
    hybrid, resnet = (
        spent(
            models.build_model(replace(config, name=name)).eval(),
            torch.zeros(1, 3, 64, 64),
        )
        for name in ("vit", "resnet-small")
    )
    assert 0.85 < resnet / hybrid < 1.15
