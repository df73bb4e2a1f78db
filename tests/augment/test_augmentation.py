import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as TF

from vit_tutorial.augment.augmentation import Augmentation, RecipeDraws, apply_rest
from vit_tutorial.augment.config import AugmentConfig, MixingConfig
from vit_tutorial.augment.mixing import mix
from vit_tutorial.augment.transforms import BLUR, GREY, SOLARISE, draw

EVERYTHING = Augmentation(
    AugmentConfig(three_augment=0.7, random_erasing=0.5),
    MixingConfig(mixup=0.8, cutmix=1.0),
)
CHANGES = replace(EVERYTHING, mixing=MixingConfig())
DRAWN = ("three", "widths", "erased", "pasted", "lam")
CLASSES = 5


def some_images(
    count: int = 6, channels: int = 3, rows: int = 11, columns: int = 18
) -> torch.Tensor:
    return torch.rand(
        count, channels, rows, columns, generator=torch.Generator().manual_seed(0)
    )


def some_labels(count: int = 6) -> torch.Tensor:
    return torch.arange(count) % CLASSES


def draws_of(
    seed: int, recipe: Augmentation = EVERYTHING, count: int = 6
) -> RecipeDraws:
    return recipe.draw(count, torch.Generator().manual_seed(seed))


def boxes_of(
    left: int, top: int, right: int, bottom: int, images: torch.Tensor
) -> torch.Tensor:
    """One box in pixels for all images, as shares of their sides."""
    rows, columns = images.shape[2:]
    return torch.tensor(
        [[left / columns, top / rows, right / columns, bottom / rows]]
    ).expand(len(images), 4)


def slow_inside(
    box: list[float], row: int, column: int, rows: int, columns: int
) -> bool:
    left, top, right, bottom = box
    return (
        left <= (column + 0.5) / columns < right and top <= (row + 0.5) / rows < bottom
    )


def slow_blur(image: torch.Tensor, width: float) -> torch.Tensor:
    """Each new pixel is a mean over all old ones, weighted by a Gaussian of the
    distance.
    """
    rows, columns = image.shape[1:]
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).double()
    weights = (-(torch.cdist(places, places) ** 2) / (2 * width**2)).exp()
    weights /= weights.sum(1, keepdim=True)
    return (
        torch.einsum("nm, cm -> cn", weights, image.double().flatten(1))
        .unflatten(1, (rows, columns))
        .float()
    )


def slow_rest(
    images: torch.Tensor, labels: torch.Tensor, draws: RecipeDraws
) -> tuple[torch.Tensor, ...]:
    """One image, one pixel after the other, as the papers have it."""
    count, channels, rows, columns = images.shape
    changed = images.clone()
    for image, kind, width, box in zip(
        changed, draws.three, draws.widths, draws.erased.tolist(), strict=True
    ):
        if kind == GREY and channels == 3:
            image[:] = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
        if kind == SOLARISE:
            image[:] = TF.solarize(image, 0.5)
        if kind == BLUR:
            image[:] = slow_blur(image, width.item())
        mean = image.mean((1, 2))
        for row in range(rows):
            for column in range(columns):
                if slow_inside(box, row, column, rows, columns):
                    image[:, row, column] = mean
    mixed = changed.clone()
    shares = torch.zeros(count, CLASSES)
    for i, (share, box) in enumerate(
        zip(draws.lam.tolist(), draws.pasted.tolist(), strict=True)
    ):
        mixed[i] = share * changed[i] + (1 - share) * changed[i - 1]
        pasted = 0
        for row in range(rows):
            for column in range(columns):
                if slow_inside(box, row, column, rows, columns):
                    mixed[i, :, row, column] = changed[i - 1, :, row, column]
                    pasted += 1
        kept = share * (1 - pasted / (rows * columns))
        shares[i, labels[i]] += kept
        shares[i, labels[i - 1]] += 1 - kept
    return mixed, shares


@pytest.mark.parametrize(
    "shape", [(12, 3, 11, 18), (12, 1, 13, 7), (1, 3, 9, 9), (2, 1, 1, 5)], ids=str
)
@pytest.mark.parametrize("seed", range(3))
def test_a_batch_at_once_is_one_image_after_the_other(
    seed: int, shape: tuple[int, ...]
):
    images = some_images(*shape)
    labels = some_labels(shape[0])
    draws = draws_of(seed, count=shape[0])
    before = images.clone(), labels.clone()
    ours = apply_rest(images, labels, draws, CLASSES)
    theirs = slow_rest(images, labels, draws)
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=2e-6)
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=2e-6)
    assert ours[0].min() >= 0 and ours[0].max() <= 1
    torch.testing.assert_close(ours[1].sum(1), torch.ones(len(labels)))
    # what came in is left as it was
    assert torch.equal(images, before[0]) and torch.equal(labels, before[1])


def test_nothing_switched_on_changes_nothing_and_draws_nothing():
    images = some_images()
    labels = some_labels()
    generators = [torch.Generator().manual_seed(7) for _ in range(2)]
    draws = Augmentation().draw(6, generators[0])
    assert draws == draws[2:4] == RecipeDraws()
    draw(AugmentConfig(), 6, generators[1])  # but the numbers of chapter 07
    assert torch.equal(generators[0].get_state(), generators[1].get_state())
    result = apply_rest(images, labels, draws, CLASSES)
    assert result[0] is images and result[1] is labels


def test_labels_come_back_as_they_are_where_nothing_is_mixed():
    images = some_images()
    labels = some_labels()
    changed, same = apply_rest(images, labels, draws_of(0, CHANGES), CLASSES)
    assert same is labels and not torch.equal(changed, images)


def test_a_seed_decides_the_draws():
    first, again, other = (vars(draws_of(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in DRAWN)
    assert not any(torch.equal(first[name], other[name]) for name in DRAWN)
    recipe = Augmentation(mixing=MixingConfig(mixup=1.0))
    mixed = [draws_of(seed, recipe).lam for seed in (1, 2)]
    assert (mixed[0] != mixed[1]).all()


def test_switching_one_thing_off_leaves_the_other_draws_and_the_next_ones():
    generators = [torch.Generator().manual_seed(6) for _ in range(3)]
    no_boxes = replace(EVERYTHING, augment=AugmentConfig(three_augment=0.7))
    all_on, no_erasing, no_mixing = (
        recipe.draw(50, generator)
        for recipe, generator in zip(
            (EVERYTHING, no_boxes, CHANGES), generators, strict=True
        )
    )
    assert all(
        torch.equal(getattr(all_on, name), getattr(no_erasing, name))
        for name in ("three", "pasted", "lam")
    )
    assert all(
        torch.equal(getattr(all_on, name), getattr(no_mixing, name))
        for name in ("three", "widths", "erased")
    )
    assert (
        no_erasing.erased is None and no_mixing.pasted is None and no_mixing.lam is None
    )
    assert all(
        torch.equal(generators[0].get_state(), other.get_state())
        for other in generators[1:]
    )


def test_a_part_of_the_batch_gets_its_part_of_the_draws():
    images = some_images(12)
    labels = some_labels(12)
    draws = draws_of(3, count=12)
    whole = apply_rest(images, labels, draws, CLASSES)
    for part in (slice(0, 5), slice(5, 12)):
        alone = apply_rest(images[part], labels[part], draws[part], CLASSES)
        # the first of a part is mixed with the last of that part
        for ours, theirs in zip(alone, whole, strict=True):
            torch.testing.assert_close(ours[1:], theirs[part][1:], rtol=0, atol=1e-6)
    only = RecipeDraws(three=draws.three, widths=draws.widths, erased=draws.erased)
    whole = apply_rest(images, labels, only, CLASSES)[0]
    alone = apply_rest(images[4:9], labels, only[4:9], CLASSES)[0]
    torch.testing.assert_close(alone, whole[4:9], rtol=0, atol=1e-6)


def test_everything_is_computed_on_the_images_device_without_waiting_for_it():
    # A meta tensor has a shape but no values: whoever reads one, or meets another
    # device's tensor, raises an error.
    images = some_images().to("meta")
    labels = some_labels().to("meta")
    mixed, shares = apply_rest(images, labels, draws_of(0), CLASSES)
    assert (
        mixed.is_meta
        and mixed.shape == images.shape
        and shares.is_meta
        and shares.shape == (6, CLASSES)
    )


# Three-augment


def changed(images: torch.Tensor, kind: int, width: float = 1.0) -> torch.Tensor:
    draws = RecipeDraws(
        three=torch.full((len(images),), kind), widths=torch.full((len(images),), width)
    )
    return apply_rest(images, some_labels(len(images)), draws, CLASSES)[0]


def test_grey_and_solarise_are_torchvisions():
    images = some_images()
    torch.testing.assert_close(
        changed(images, GREY), TF.rgb_to_grayscale(images, 3), rtol=0, atol=2e-4
    )
    torch.testing.assert_close(changed(images, SOLARISE), TF.solarize(images, 0.5))
    assert torch.equal(changed(images, 0), images)


@pytest.mark.parametrize("width", [0.1, 0.7, 2.0])
def test_blur_is_torchvisions_and_keeps_plain_images_up_to_the_border(width: float):
    images = some_images(rows=40, columns=32)
    theirs = TF.gaussian_blur(images, [25, 25], [width, width])
    # at the border torchvision takes the mirror image
    inside = (..., slice(12, -12), slice(12, -12))
    torch.testing.assert_close(
        changed(images, BLUR, width)[inside], theirs[inside], rtol=0, atol=1e-5
    )
    plain = torch.full_like(images, 0.3)
    torch.testing.assert_close(changed(plain, BLUR, width), plain)


def test_grey_images_stay_grey_and_can_be_solarised_and_blurred():
    images = some_images(channels=1)
    assert torch.equal(changed(images, GREY), images)
    torch.testing.assert_close(changed(images, SOLARISE), TF.solarize(images, 0.5))
    assert changed(images, BLUR).std() < images.std()


# Erasing


def test_an_erased_box_takes_the_mean_colour_of_its_image():
    images = some_images()
    expected = images.clone()
    expected[:, :, 2:7, 5:17] = images.mean((2, 3), keepdim=True)
    draws = RecipeDraws(erased=boxes_of(5, 2, 17, 7, images))
    torch.testing.assert_close(
        apply_rest(images, some_labels(), draws, CLASSES)[0], expected
    )


def test_as_many_images_are_erased_as_asked_for():
    erased = draws_of(
        3, Augmentation(AugmentConfig(random_erasing=0.25)), 30_000
    ).erased
    assert (erased != 0).any(1).float().mean() == pytest.approx(0.25, abs=0.01)
    images = some_images(400)
    touched = (
        apply_rest(images, some_labels(400), RecipeDraws(erased=erased[:400]), CLASSES)[
            0
        ]
        != images
    )
    assert touched.flatten(1).any(1).sum() == (erased[:400] != 0).any(1).sum()


# Mixing


@pytest.mark.parametrize(
    "box",
    [
        (4, 3, 15, 9),
        (-5, -2, 6, 4),
        (10, -3, 30, 5),
        (-9, 6, 40, 60),
        (-1, -1, 19, 12),
        (-6, -4, -1, -2),
    ],
    ids=["inside", "top left", "top right", "bottom", "all over", "outside"],
)
def test_cutmix_mixes_labels_as_pixels_were_counted(box: tuple[int, ...]):
    images = some_images()
    labels = some_labels()
    left, top, right, bottom = box
    part = (..., slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0)))
    expected = images.clone()
    expected[part] = images.roll(1, 0)[part]
    draws = RecipeDraws(pasted=boxes_of(*box, images), lam=torch.ones(6))
    mixed, shares = apply_rest(images, labels, draws, CLASSES)
    assert torch.equal(mixed, expected)
    # counted, not taken from the box
    kept = (mixed == images).all(1).flatten(1).sum(1) / (11 * 18)
    assert torch.equal(shares[range(1, 6), labels[1:]], kept[1:])
    torch.testing.assert_close(shares[range(1, 6), labels[:-1]], 1 - kept[1:])


def test_the_loss_of_mixed_labels_is_the_mix_of_two_losses():
    images = some_images()
    labels = some_labels()
    logits = torch.randn(6, CLASSES)
    kept = torch.tensor([0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
    mixed, shares = apply_rest(
        images, labels, RecipeDraws(pasted=torch.zeros(6, 4), lam=kept), CLASSES
    )
    torch.testing.assert_close(mixed[3], (images[3] + images[2]) / 2)
    # all its own, all its neighbour's
    assert torch.equal(mixed[5], images[5]) and torch.equal(mixed[0], images[5])
    own, partners = (
        F.cross_entropy(logits, given, reduction="none")
        for given in (labels, labels.roll(1))
    )
    torch.testing.assert_close(
        F.cross_entropy(logits, shares), (kept * own + (1 - kept) * partners).mean()
    )


def test_an_image_of_its_neighbours_class_keeps_its_label():
    labels = torch.full((6,), 3)
    shares = apply_rest(some_images(), labels, draws_of(1), CLASSES)[1]
    torch.testing.assert_close(shares, F.one_hot(labels, CLASSES).float())


def test_of_some_images_a_share_is_mixed():
    some = replace(EVERYTHING, mixing=replace(EVERYTHING.mixing, share=0.3))
    draws = draws_of(5, some, count=2000)
    whole = draws_of(5, count=2000)
    alone = (draws.lam == 1) & (draws.pasted == 0).all(dim=1)
    assert 0.25 < 1 - alone.float().mean() < 0.35
    # the others are what they would have been
    for name in ("lam", "pasted"):
        assert torch.equal(getattr(draws, name)[~alone], getattr(whole, name)[~alone])
    images = some_images(2000, rows=2, columns=2)
    labels = some_labels(2000)
    only = replace(draws, three=None, widths=None, erased=None)
    mixed, shares = apply_rest(images, labels, only, CLASSES)
    assert torch.equal(mixed[alone], images[alone])
    assert torch.equal(shares[alone], F.one_hot(labels[alone], CLASSES).float())


def test_no_share_is_no_mixing():
    none = Augmentation(mixing=replace(EVERYTHING.mixing, share=0.0))
    assert draws_of(5, none).lam is None


# Mistakes


@pytest.mark.parametrize(
    "values, found",
    [
        ({"three_augment": -0.1}, "three_augment is -0.1, expected"),
        ({"three_augment": math.nan}, "three_augment is nan, expected"),
        ({"random_erasing": 1.5}, "random_erasing is 1.5, expected"),
        ({"mixup": -1.0}, "mixup is -1.0, expected"),
        ({"cutmix": math.inf}, "cutmix is inf, expected"),
        ({"share": 1.1}, "share is 1.1, expected a share of the images"),
    ],
)
def test_bad_configs_are_refused(values: dict, found: str):
    with pytest.raises(ValueError, match=found):
        (AugmentConfig if "_" in found else MixingConfig)(**values)


def test_bad_batches_are_refused():
    with pytest.raises(
        ValueError, match="images are torch.uint8, expected floats from 0 to 1"
    ):
        apply_rest(
            (255 * some_images()).to(torch.uint8), some_labels(), draws_of(0), CLASSES
        )
    with pytest.raises(ValueError, match="5 images, but draws for 6"):
        apply_rest(some_images(5), some_labels(5), draws_of(0), CLASSES)
    with pytest.raises(
        ValueError, match="4 channels, expected 1 or 3 to turn them grey"
    ):
        apply_rest(some_images(channels=4), some_labels(), draws_of(0), CLASSES)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ([0, 3], "labels run from 0 to 3, expected 0 to 2"),
        ([-1, 0], "labels run from -1 to 0"),
        ([0], r"labels are \(1,\), expected \(2,\)"),
        ([[0, 1]], r"labels are \(1, 2\)"),
    ],
)
def test_labels_that_cannot_be_mixed_are_refused(labels, found):
    boxes = torch.zeros(2, 4)
    with pytest.raises(ValueError, match=found):
        mix(torch.rand(2, 3, 8, 8), torch.tensor(labels), boxes, torch.ones(2), 3)
