import pytest
import torch
import torchvision.transforms.functional as TF

from vit_tutorial.augment.config import AugmentConfig
from vit_tutorial.augment.transforms import Draws, augment, draw

EVERYTHING = AugmentConfig(
    (0.5, 1.0), True, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, rotation=10
)


def some_images(count: int = 5, rows: int = 40, columns: int = 40) -> torch.Tensor:
    return torch.randint(
        256,
        (count, 3, rows, columns),
        generator=torch.Generator().manual_seed(0),
        dtype=torch.uint8,
    )


def soft_images(low: float = 0.35, high: float = 0.65) -> torch.Tensor:
    """Images far enough from black and white that nothing is clipped, as uint8."""
    return (255 * (low + (high - low) * some_images() / 255)).round().to(torch.uint8)


def draws_of(seed: int, config: AugmentConfig = EVERYTHING, count: int = 5) -> Draws:
    return draw(config, count, torch.Generator().manual_seed(seed))


def colours(
    brightness: float = 1, contrast: float = 1, saturation: float = 1, hue: float = 0
) -> Draws:
    return Draws(
        colours=torch.tensor([[brightness, contrast, saturation, hue]]).expand(5, 4)
    )


def test_nothing_switched_on_changes_nothing():
    images = some_images()
    assert torch.equal(augment(images, draws_of(0, AugmentConfig()), 40), images / 255)


def test_a_generator_decides_the_result():
    images = some_images()
    first, again, other = (augment(images, draws_of(seed), 32) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.shape == (5, 3, 32, 32) and first.min() >= 0 and first.max() <= 1


def test_a_part_of_the_batch_gets_its_part_of_the_draws():
    images = some_images()
    draws = draws_of(3)
    whole = augment(images, draws, 32)
    for part in (slice(0, 2), slice(2, 5)):
        torch.testing.assert_close(
            augment(images[part], draws[part], 32), whole[part], rtol=0, atol=1e-6
        )


def test_every_image_has_its_own_draw():
    same = some_images(1).expand(5, -1, -1, -1)
    results = augment(same, draws_of(4), 32)
    assert all(not torch.equal(results[0], other) for other in results[1:])


def test_flip_is_torch_flip():
    draws = Draws(flips=torch.tensor([-1.0, 1, -1, 1, 1]))
    expected = some_images() / 255
    expected[[0, 2]] = expected[[0, 2]].flip(-1)
    torch.testing.assert_close(
        augment(some_images(), draws, 40), expected, rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("angle", [-30.0, 10.0, 90.0])
@pytest.mark.parametrize("columns", [40, 60])
def test_rotation_is_torchvisions(angle: float, columns: int):
    images = some_images(columns=columns)
    ours = augment(images, Draws(angles=torch.full((5,), angle)), (40, columns))
    theirs = TF.rotate(images / 255, angle, interpolation=TF.InterpolationMode.BILINEAR)
    inside = (..., slice(12, 28), slice(columns // 2 - 8, columns // 2 + 8))
    torch.testing.assert_close(ours[inside], theirs[inside], rtol=0, atol=1e-4)


# of the images' shape: the box may have another
@pytest.mark.parametrize("size", [(20, 24), (30, 36), (40, 48)])
def test_crop_is_torchvisions(size):
    images = some_images(rows=40, columns=48)
    # in pixels
    top = 7
    left = 11
    height = 24
    width = 20
    box = [
        (2 * left + width) / 48 - 1,
        (2 * top + height) / 40 - 1,
        width / 48,
        height / 40,
    ]
    ours = augment(images, Draws(boxes=torch.tensor([box]).expand(5, 4)), size)
    theirs = TF.resized_crop(
        images / 255, top, left, height, width, list(size), antialias=False
    )
    # At the border of the box torchvision repeats its last pixel; here the neighbour
    # outside takes part.
    inside = (..., slice(2, -2), slice(2, -2))
    torch.testing.assert_close(ours[inside], theirs[inside], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "draws, theirs",
    [
        (colours(brightness=1.3), lambda images: TF.adjust_brightness(images, 1.3)),
        (colours(contrast=0.7), lambda images: TF.adjust_contrast(images, 0.7)),
        (colours(contrast=1.4), lambda images: TF.adjust_contrast(images, 1.4)),
        (colours(saturation=0.6), lambda images: TF.adjust_saturation(images, 0.6)),
        (colours(hue=1 / 3), lambda images: TF.adjust_hue(images, 1 / 3)),
        (
            colours(1.2, 0.8, 1.3),
            lambda images: TF.adjust_saturation(
                TF.adjust_contrast(TF.adjust_brightness(images, 1.2), 0.8), 1.3
            ),
        ),
    ],
    ids=[
        "brightness",
        "less contrast",
        "more contrast",
        "saturation",
        "a third of the circle",
        "in this order",
    ],
)
def test_colours_are_torchvisions(draws: Draws, theirs):
    images = soft_images()
    torch.testing.assert_close(
        augment(images, draws, 40), theirs(images / 255), rtol=0, atol=3e-4
    )


def test_turning_hue_keeps_greys_and_comes_round():
    images = soft_images()
    images[0] = images[0, :1]
    turned = augment(images, colours(hue=0.2), 40)
    torch.testing.assert_close(turned[0], images[0] / 255, rtol=0, atol=1e-5)
    assert not torch.allclose(turned[1], images[1] / 255, atol=0.02)
    torch.testing.assert_close(
        turned.mean(1), (images / 255).mean(1), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(
        augment(images, colours(hue=1.0), 40), images / 255, rtol=0, atol=1e-5
    )


def test_draws_stay_within_what_the_config_allows():
    draws = draws_of(5, EVERYTHING, count=4000)
    x, y, width, height = draws.boxes.unbind(1)
    area = width * height
    aspect = width / height
    assert (
        area.min() >= 0.5
        and area.max() <= 1
        and area.mean() == pytest.approx(0.75, abs=0.01)
    )
    assert aspect.min() >= 0.75 - 1e-5 and aspect.max() <= 4 / 3 + 1e-5
    assert (x.abs() + width).max() <= 1 + 1e-6 and (y.abs() + height).max() <= 1 + 1e-6
    assert draws.flips.unique().tolist() == [-1, 1] and abs(draws.flips.mean()) < 0.06
    assert (
        draws.angles.abs().max() <= 10
        and draws.angles.min() < -9.9
        and draws.angles.max() > 9.9
    )
    assert torch.allclose(
        draws.colours.amin(0), torch.tensor([0.6, 0.6, 0.6, -0.1]), atol=2e-3
    )
    assert torch.allclose(
        draws.colours.amax(0), torch.tensor([1.4, 1.4, 1.4, 0.1]), atol=2e-3
    )


def test_switching_one_thing_off_leaves_the_other_draws():
    with_crop = draws_of(6)
    without = draws_of(6, AugmentConfig(flip=True, rotation=10))
    assert torch.equal(with_crop.flips, without.flips) and torch.equal(
        with_crop.angles, without.angles
    )
    assert without.boxes is None and without.colours is None


@pytest.mark.parametrize(
    "values, found",
    [
        ({"crop": (0.0, 1.0)}, "crop is (0.0, 1.0)"),
        ({"crop": (0.9, 0.8)}, "crop is (0.9, 0.8)"),
        ({"crop": (0.5, 1.2)}, "crop is (0.5, 1.2)"),
        ({"brightness": -0.1}, "brightness is -0.1"),
        ({"contrast": 1.5}, "contrast is 1.5"),
        ({"hue": 0.6}, "hue is 0.6"),
        ({"rotation": 181}, "rotation is 181"),
    ],
)
def test_bad_configs_are_refused(values: dict, found: str):
    with pytest.raises(ValueError) as error:
        AugmentConfig(**values)
    assert found in str(error.value) and "expected" in str(error.value)


def test_bad_batches_are_refused():
    with pytest.raises(ValueError, match="4 images, but draws for 5"):
        augment(some_images(4), draws_of(0), 40)
    with pytest.raises(ValueError, match="1 channels, expected 3"):
        augment(some_images()[:, :1], draws_of(0), 40)
    with pytest.raises(ValueError, match="images are torch.float32, expected uint8"):
        augment(some_images() / 255, draws_of(0), 40)


@pytest.mark.parametrize(
    "config",
    [AugmentConfig(), AugmentConfig(crop=(0.9, 1.0)), AugmentConfig(rotation=1)],
)
def test_nothing_is_squashed(config):
    """Of wide images the middle is left, whatever is drawn."""
    images = torch.zeros(5, 3, 40, 80, dtype=torch.uint8)
    images[..., 20:60] = 255
    shares = (
        (augment(images, draws_of(7, config), 40) > 0.5).float().mean(dim=(1, 2, 3))
    )
    assert shares.min() > 0.95
