import pytest
import torch

from vit_tutorial.patches import patchify, unpatchify


def test_order_by_hand():
    """Two channels of 4 x 6 pixels in patches of side 2: pixel value = 100 * channel +
    10 * row + column.
    """
    channel, row, column = torch.meshgrid(
        torch.arange(2), torch.arange(4), torch.arange(6), indexing="ij"
    )
    patches = patchify((100 * channel + 10 * row + column)[None], 2)
    assert patches.shape == (1, 6, 8)
    # pixel by pixel, channels innermost
    assert patches[0, 0].tolist() == [0, 100, 1, 101, 10, 110, 11, 111]
    # the top left pixels: row by row over the image
    assert patches[0, :, 0].tolist() == [0, 2, 4, 20, 22, 24]


@pytest.mark.parametrize(
    ("rows", "columns", "channels", "side"),
    [(2, 5, 3, 4), (7, 1, 1, 3), (1, 1, 4, 6), (3, 2, 5, 1)],
)
def test_unpatchify_inverts_patchify(rows, columns, channels, side):
    images = torch.randn(2, channels, rows * side, columns * side)
    patches = patchify(images, side)
    assert patches.shape == (2, rows * columns, side * side * channels)
    assert torch.equal(unpatchify(patches, (rows, columns), channels), images)


@pytest.mark.parametrize("shape", [(1, 3, 9, 8), (1, 3, 8, 9)])
def test_sides_that_do_not_divide(shape):
    with pytest.raises(ValueError, match=f"{shape[2]} x {shape[3]} pixels .* side 4"):
        patchify(torch.zeros(shape), 4)


def test_a_patch_has_a_side():
    with pytest.raises(ValueError, match="8 x 8 pixels .* of side 0"):
        patchify(torch.zeros(1, 3, 8, 8), 0)
    with pytest.raises(ValueError, match="of 12 values .* with 0 channels"):
        unpatchify(torch.zeros(1, 6, 12), (2, 3), 0)


@pytest.mark.parametrize(("count", "length"), [(7, 12), (6, 13), (6, 24)])
def test_patches_that_do_not_fill_the_grid(count, length):
    with pytest.raises(
        ValueError, match=f"{count} patches of {length} values .* 2 x 3 with 3 channels"
    ):
        unpatchify(torch.zeros(1, count, length), (2, 3), 3)
