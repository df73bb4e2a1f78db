import numpy as np
import pytest
import torch

from vit_tutorial.selfsup.masking import (
    random_masks,
    restore,
    target_patches,
    visible,
)


@pytest.mark.parametrize(
    ("grid", "ratio", "unit", "hidden"),
    [((6, 6), 0.75, 1, 27), ((4, 6), 0.6, 2, 16), ((3, 5), 0.5, 1, 8)],
)
def test_every_image_hides_as_many_patches_in_whole_squares(grid, ratio, unit, hidden):
    torch.manual_seed(0)
    masks = random_masks(50, grid, ratio, unit)
    assert masks.shape == (50, grid[0] * grid[1]) and masks.dtype == torch.bool
    assert masks.sum(dim=1).tolist() == [hidden] * 50
    pictures = masks.view(50, *grid)
    for row in range(0, grid[0], unit):
        for column in range(0, grid[1], unit):
            square = pictures[:, row : row + unit, column : column + unit].flatten(1)
            assert (square == square[:, :1]).all()


def test_each_patch_is_hidden_as_often_as_any_other():
    torch.manual_seed(0)
    masks = random_masks(4000, (3, 3), 2 / 3)
    often = masks.float().mean(dim=0)
    assert often.tolist() == pytest.approx([2 / 3] * 9, abs=0.03)
    assert len(masks.unique(dim=0)) == 84  # all ways to choose 6 of 9


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (((5, 6), 0.5, 2), "5 x 6 patches is not filled by squares of 2 x 2"),
        (((4, 6), 0.5, 0), "4 x 6 patches is not filled by squares of 0 x 0"),
        (((2, 2), 0.1), "a ratio of 0.1 hides 0 of 4 squares"),
        (((2, 2), 0.95), "a ratio of 0.95 hides 4 of 4 squares"),
    ],
)
def test_masks_that_cannot_be_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        random_masks(2, *arguments)


def test_what_is_taken_out_comes_back_in_its_place():
    torch.manual_seed(0)
    patches = torch.randn(3, 8, 5)
    masks = random_masks(3, (2, 4), 0.6)
    shown = visible(patches, masks)
    fill = torch.randn(5)
    back = restore(shown, masks, fill)
    for image in range(3):
        there = [place for place in range(8) if not masks[image, place]]
        for number, place in enumerate(there):
            assert torch.equal(shown[image, number], patches[image, place])
        for place in range(8):
            expected = patches[image, place] if place in there else fill
            assert torch.equal(back[image, place], expected)


def test_targets_are_the_pixels_of_a_patch_or_those_without_its_mean_and_contrast():
    torch.manual_seed(0)
    images = torch.randn(2, 3, 8, 12)
    plain = target_patches(images, 4, False)
    normalised = target_patches(images, 4, True)
    for image in range(2):
        for place in range(6):
            row, column = divmod(place, 3)
            square = images[
                image, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4
            ]
            pixels = square.permute(1, 2, 0).flatten().double().numpy()
            np.testing.assert_allclose(plain[image, place], pixels, atol=1e-6)
            scaled = (pixels - pixels.mean()) / np.sqrt(pixels.var(ddof=1) + 1e-6)
            np.testing.assert_allclose(normalised[image, place], scaled, atol=1e-5)
