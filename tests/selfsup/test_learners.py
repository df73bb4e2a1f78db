from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vit_tutorial.config import ViTConfig
from vit_tutorial.model import VisionTransformer
from vit_tutorial.selfsup.config import DINOConfig, MaskingConfig
from vit_tutorial.selfsup.learner import deviation
from vit_tutorial.selfsup.mae import MAE
from vit_tutorial.selfsup.masking import random_masks, target_patches
from vit_tutorial.selfsup.simmim import SimMIM

CONFIG = ViTConfig(
    image_size=(16, 24), patch_size=4, classes=3, dim=16, depth=2, heads=2
)
MASKING = MaskingConfig(ratio=0.75, decoder_dim=16)


def made(kind, pool="cls", masking=MASKING, **settings):
    torch.manual_seed(0)
    model = VisionTransformer(replace(CONFIG, pool=pool, **settings))
    for value in model.parameters():  # nothing is 0 or small by its start
        torch.nn.init.normal_(value, std=0.3)
    return kind(model, masking).eval()


def drawn(count=3, ratio=0.75):
    torch.manual_seed(1)
    return torch.randn(count, 3, 16, 24), random_masks(count, (4, 6), ratio)


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_the_encoder_of_mae_is_the_plain_encoder_on_the_visible_tokens(pool):
    learner = made(MAE, pool)
    images, masks = drawn()
    features = learner.encode(images, masks)
    model = learner.backbone
    tokens = model.embed(images)
    extra = int(pool == "cls")
    for image, mask in enumerate(masks):
        places = [*range(extra), *(extra + p for p in range(24) if not mask[p])]
        alone = model.head[0](model.encode(tokens[image : image + 1, places]))
        torch.testing.assert_close(features[image : image + 1], alone)


@pytest.mark.parametrize("kind", [SimMIM, MAE])
@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_predictions_know_where_and_not_what_is_hidden(kind, pool):
    learner = made(kind, pool)
    images, masks = drawn()
    before, _ = learner.predict(images, masks)
    assert before.shape == (3, 24, 48)
    hidden = masks.view(3, 1, 4, 6).repeat_interleave(4, 2).repeat_interleave(4, 3)
    other, _ = learner.predict(torch.where(hidden, 9.0, images), masks)
    assert torch.equal(before, other)
    seen, _ = learner.predict(torch.where(hidden, images, images + 1), masks)
    assert not torch.allclose(before, seen)
    # two hidden patches of an image are predicted alike only without positions
    first, second = masks[0].nonzero()[:2, 0]
    assert not torch.allclose(before[0, first], before[0, second])


@pytest.mark.parametrize(("kind", "power"), [(SimMIM, 1), (MAE, 2)])
@pytest.mark.parametrize("normalise", [False, True])
def test_the_loss_is_that_of_the_hidden_pixels_alone(kind, power, normalise):
    learner = made(kind, masking=replace(MASKING, normalise_targets=normalise))
    images, _ = drawn()
    torch.manual_seed(2)
    loss, watched = learner(images, torch.zeros(3))
    torch.manual_seed(2)
    masks = random_masks(3, (4, 6), 0.75)
    predicted, features = learner.predict(images, masks)
    targets = target_patches(images, 4, normalise)
    total = []
    for image in range(3):
        for place in range(24):
            if masks[image, place]:
                far = (predicted - targets)[image, place].double().abs() ** power
                total += far.tolist()
    assert len(total) == 3 * 18 * 48
    assert loss.item() == pytest.approx(sum(total) / len(total), rel=1e-5)
    assert watched == deviation(features.mean(dim=1))


def test_mae_computes_on_a_quarter_of_what_simmim_does():
    images, masks = drawn()
    work = {}
    for kind in (SimMIM, MAE):
        learner = made(kind)
        with FlopCounterMode(display=False) as counter:
            if kind is MAE:
                learner.encode(images, masks)
            else:
                learner.predict(images, masks)
        work[kind] = counter.get_total_flops()
    assert work[MAE] < 0.45 * work[SimMIM]


def test_learners_take_images_of_other_sizes():
    images = torch.randn(2, 3, 24, 32)
    for kind in (SimMIM, MAE):
        loss, _ = made(kind)(images, torch.zeros(2))
        assert loss.isfinite()
        with pytest.raises(ValueError, match="18 x 24 pixels are not filled"):
            made(kind)(torch.randn(2, 3, 18, 24), torch.zeros(2))


@pytest.mark.parametrize("embedder", ["stem", "hybrid"])
def test_a_stem_would_see_what_is_hidden(embedder):
    with pytest.raises(ValueError, match=f"'{embedder}' sees beyond a patch"):
        made(SimMIM, embedder=embedder)


def test_deviation_is_1_for_all_directions_and_0_for_one():
    torch.manual_seed(0)
    assert deviation(torch.randn(5000, 12)).item() == pytest.approx(1, abs=0.02)
    one = torch.randn(12)
    lengths = torch.rand(50, 1) + 0.1
    assert deviation(lengths * one).item() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (MaskingConfig, {"ratio": 0}, "ratio is 0"),
        (MaskingConfig, {"ratio": 1}, "ratio is 1"),
        (MaskingConfig, {"unit": 0}, "unit is 0"),
        (MaskingConfig, {"decoder_dim": 30}, "decoder_dim 30 is not divisible by 4"),
        (DINOConfig, {"outputs": 1}, "outputs is 1"),
        (DINOConfig, {"local_crops": 0}, "local_crops is 0"),
        (DINOConfig, {"local_area": (0.5, 0.2)}, r"local_area is \(0.5, 0.2\)"),
        (DINOConfig, {"momentum": 1.5}, "momentum is 1.5"),
        (DINOConfig, {"teacher_temperature": 0}, "teacher_temperature is 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(kind, settings, said):
    with pytest.raises(ValueError, match=said):
        kind(**settings)
