"""What is drawn for strong augmentation: 30,000 images' draws against the distributions
they claim to follow.
"""

import math

import pytest
import torch
from test_augmentation import draws_of

from vit_tutorial.augment.augmentation import Augmentation
from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.augment.transforms import BLUR


def test_each_thing_is_drawn_apart_from_the_others():
    draws = draws_of(
        8,
        Augmentation(
            AugmentConfig(three_augment=0.5, random_erasing=0.5),
            MixingConfig(mixup=1.0, cutmix=1.0),
        ),
        30_000,
    )
    done = torch.stack(
        [draws.three > 0, (draws.erased != 0).any(1), (draws.pasted != 0).any(1)]
    ).float()
    assert abs(torch.corrcoef(done).triu(1)).max() < 0.02


def test_one_kind_of_change_each_and_as_many_images_as_asked_for():
    draws = draws_of(1, Augmentation(AugmentConfig(three_augment=0.6)), 30_000)
    shares = torch.bincount(draws.three, minlength=4) / 30_000
    torch.testing.assert_close(
        shares, torch.tensor([0.4, 0.2, 0.2, 0.2]), rtol=0, atol=0.01
    )
    assert draws.widths.min() == pytest.approx(
        0.1, abs=1e-3
    ) and draws.widths.max() == pytest.approx(2, abs=1e-3)
    assert draws.widths[draws.three == BLUR].mean() == pytest.approx(1.05, abs=0.03)
    assert (
        draws_of(1, Augmentation(AugmentConfig(three_augment=1.0)), 1000).three > 0
    ).all()


def test_erased_boxes_lie_inside_and_are_of_all_sizes_and_places():
    left, top, right, bottom = draws_of(
        2, Augmentation(AugmentConfig(random_erasing=1.0)), 30_000
    ).erased.unbind(1)
    width = right - left
    height = bottom - top
    area = width * height
    aspect = width / height
    assert (
        min(left.min(), top.min()) >= 0 and max(right.max(), bottom.max()) <= 1 + 1e-6
    )
    assert area.min() >= 0.02 - 1e-6 and area.max() <= 1 / 3 + 1e-6
    assert area.mean() == pytest.approx((0.02 + 1 / 3) / 2, abs=2e-3)
    # evenly in between
    assert area.std() == pytest.approx((1 / 3 - 0.02) / math.sqrt(12), abs=2e-3)
    assert aspect.min() == pytest.approx(
        0.3, abs=0.01
    ) and aspect.max() == pytest.approx(10 / 3, abs=0.1)
    assert aspect.log().mean() == pytest.approx(0, abs=0.02)
    # evenly in the room that is left
    places = torch.stack([left / (1 - width), top / (1 - height)])
    torch.testing.assert_close(places.mean(1), torch.full((2,), 0.5), rtol=0, atol=0.01)
    torch.testing.assert_close(
        places.std(1), torch.full((2,), 1 / math.sqrt(12)), rtol=0, atol=0.01
    )
    assert (
        abs(
            torch.corrcoef(torch.cat([places, area[None], aspect.log()[None]])).triu(1)
        ).max()
        < 0.02
    )


@pytest.mark.parametrize("alpha", [0.2, 0.8, 1.0, 4.0])
def test_mixup_keeps_what_a_beta_distribution_says(alpha: float):
    draws = draws_of(4, Augmentation(mixing=MixingConfig(mixup=alpha)), 30_000)
    assert not draws.pasted.any() and draws.lam.min() >= 0 and draws.lam.max() <= 1
    assert draws.lam.mean() == pytest.approx(0.5, abs=0.01)
    assert draws.lam.var() == pytest.approx(1 / (8 * alpha + 4), abs=0.003)
    assert len(draws.lam.unique()) > 20_000  # each image its own


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_cutmix_pastes_boxes_of_the_images_shape_all_over_it(alpha: float):
    draws = draws_of(5, Augmentation(mixing=MixingConfig(cutmix=alpha)), 30_000)
    assert (draws.lam == 1).all()
    left, top, right, bottom = draws.pasted.unbind(1)
    torch.testing.assert_close(right - left, bottom - top, rtol=0, atol=1e-6)
    area = (right - left) * (bottom - top)
    assert area.mean() == pytest.approx(0.5, abs=0.01) and area.max() <= 1 + 1e-6
    assert area.var() == pytest.approx(1 / (8 * alpha + 4), abs=0.003)
    middles = torch.stack([left + right, top + bottom]) / 2
    assert middles.min() == pytest.approx(
        0, abs=1e-3
    ) and middles.max() == pytest.approx(1, abs=1e-3)
    torch.testing.assert_close(
        middles.std(1), torch.full((2,), 1 / math.sqrt(12)), rtol=0, atol=0.005
    )
    # drawn apart from each other
    assert abs(torch.corrcoef(torch.cat([middles, area[None]])).triu(1)).max() < 0.02


def test_with_both_every_other_image_draws_cutmix():
    draws = draws_of(
        6, Augmentation(mixing=MixingConfig(mixup=0.2, cutmix=4.0)), 30_000
    )
    cuts = (draws.pasted != 0).any(1)
    assert cuts.float().mean() == pytest.approx(0.5, abs=0.01)
    assert (draws.lam[cuts] == 1).all() and draws.lam[~cuts].var() == pytest.approx(
        1 / 5.6, abs=0.005
    )
    left, top, right, bottom = draws.pasted[cuts].unbind(1)
    assert ((right - left) * (bottom - top)).var() == pytest.approx(1 / 36, abs=0.002)
