import math

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn
from torch.testing import assert_close

from vit_tutorial.embedding import (
    ConvolutionalPatchEmbedder,
    ManualPatchEmbedder,
    interpolate_positions,
    sincos_positions,
)

B = 2
C = 3
P = 4
D = 20
GRID = (5, 6)
SIZE = (GRID[0] * P, GRID[1] * P)
N = GRID[0] * GRID[1]
EMBEDDERS = pytest.mark.parametrize(
    "embedder", [ManualPatchEmbedder, ConvolutionalPatchEmbedder]
)


def test_manual_equals_convolutional():
    torch.manual_seed(0)
    manual = ManualPatchEmbedder(SIZE, P, C, D).double()
    convolutional = ConvolutionalPatchEmbedder(SIZE, P, C, D).double()
    for parameter in manual.parameters():
        nn.init.normal_(parameter)
    kernel = rearrange(
        manual.projection.weight.data, "d (p1 p2 c) -> d c p1 p2", p1=P, p2=P
    )
    convolutional.load_state_dict(manual.state_dict() | {"projection.weight": kernel})
    images = torch.randn(B, C, *SIZE, dtype=torch.float64, requires_grad=True)
    output = torch.randn(B, N + 1, D, dtype=torch.float64)

    gradients = []
    tokens = [embedder(images) for embedder in (manual, convolutional)]
    for embedder, embedded in zip((manual, convolutional), tokens, strict=True):
        inputs = {"images": images, **dict(embedder.named_parameters())}
        gradients.append(
            dict(
                zip(
                    inputs,
                    torch.autograd.grad(embedded, inputs.values(), output),
                    strict=True,
                )
            )
        )
    weight = gradients[1]["projection.weight"]
    gradients[1]["projection.weight"] = rearrange(weight, "d c p1 p2 -> d (p1 p2 c)")
    assert_close(tokens[0], tokens[1])
    assert_close(gradients[0], gradients[1])


@EMBEDDERS
def test_tokens_are_class_token_then_patches_each_with_its_place(embedder):
    embedder = embedder(SIZE, P, C, D)
    nn.init.normal_(embedder.class_token)
    images = torch.randn(B, C, *SIZE)
    tokens = embedder(images)
    assert tokens.shape == (B, N + 1, D)
    places = embedder.positions.expand(B, -1, -1)
    assert_close(tokens[:, :1], embedder.class_token + places[:, :1])
    assert_close(tokens[:, 1:], embedder.project(images) + places[:, 1:])


@EMBEDDERS
def test_no_size_depends_on_the_batch(embedder):
    embedder = embedder(SIZE, P, C, D)
    assert embedder.class_token.shape == (1, 1, D)
    assert embedder.positions.shape == (1, N + 1, D)
    images = torch.randn(7, C, *SIZE)
    assert embedder(images).shape == (7, N + 1, D)
    assert embedder(images[:0]).shape == (0, N + 1, D)
    assert_close(embedder(images)[2:3], embedder(images[2:3]))


@EMBEDDERS
@pytest.mark.parametrize("positions", ["learned", "sincos"])
def test_without_a_class_token(embedder, positions):
    embedder = embedder(SIZE, P, C, D, class_token=False, positions=positions)
    images = torch.randn(B, C, *SIZE)
    assert embedder.class_token is None
    assert_close(embedder(images), embedder.project(images) + embedder.positions)


def test_learned_positions_start_small_and_centred():
    torch.manual_seed(0)
    positions = ConvolutionalPatchEmbedder(96, 8, C, 192).positions
    assert isinstance(positions, nn.Parameter)
    assert abs(positions.mean()) < 1e-3
    assert positions.std().item() == pytest.approx(0.02, rel=0.05)


def test_sincos_positions_are_neither_trained_nor_saved():
    embedder = ConvolutionalPatchEmbedder(SIZE, P, C, D, positions="sincos")
    assert "positions" not in dict(embedder.named_parameters())
    assert "positions" not in embedder.state_dict()
    assert_close(embedder.double().positions, sincos_positions(GRID, D).double())


@EMBEDDERS
def test_dropout_falls_on_tokens_in_training_only(embedder):
    torch.manual_seed(0)
    embedder = embedder(SIZE, P, C, D, dropout=0.5)
    images = torch.randn(B, C, *SIZE)
    dropped = (embedder(images) == 0).float().mean()
    assert 0.4 < dropped < 0.6
    embedder.eval()
    assert torch.equal(embedder(images), embedder(images))


@EMBEDDERS
@pytest.mark.parametrize(
    ("images", "named"),
    [
        (torch.zeros(B, 1, *SIZE), ["(2, 1, 20, 24)", "(B, 3, 20, 24)"]),
        (torch.zeros(B, C, 24, 20), ["(2, 3, 24, 20)", "(B, 3, 20, 24)"]),
        (torch.zeros(C, *SIZE), ["(3, 20, 24)", "(B, 3, 20, 24)"]),
        (torch.zeros(B, C, *SIZE, dtype=torch.uint8), ["torch.uint8", "floats"]),
    ],
)
def test_images_that_do_not_fit(embedder, images, named):
    with pytest.raises(ValueError) as error:
        embedder(SIZE, P, C, D)(images)
    assert all(part in str(error.value) for part in named), error.value


@EMBEDDERS
def test_image_size_that_does_not_divide(embedder):
    with pytest.raises(ValueError, match=r"image_size \(20, 25\) .* patch_size 4"):
        embedder((20, 25), P, C, D)


def test_sincos_by_hand():
    positions = sincos_positions((2, 3), 8)
    assert positions.shape == (1, 7, 8)
    assert torch.equal(positions[0, 0], torch.zeros(8))  # the class token has no place
    # the last patch; frequencies are 1 and 1/10000
    row = 1.0
    column = 2.0
    expected = [
        wave(place * f)
        for place in (row, column)
        for wave in (math.sin, math.cos)
        for f in (1.0, 1e-4)
    ]
    assert_close(positions[0, -1], torch.tensor(expected))
    assert_close(sincos_positions((2, 3), 8, class_token=False), positions[:, 1:])


def test_sincos_rows_are_distinct_and_alike_when_near():
    places = sincos_positions((9, 7), 64, class_token=False)[0]
    likeness = F.normalize(places, dim=1) @ F.normalize(places, dim=1).T
    assert_close(likeness.diagonal(), torch.ones(63))
    assert (likeness - torch.eye(63)).max() < 0.999
    down = likeness[0].view(9, 7)[:4, 0]
    across = likeness[0].view(9, 7)[0, :4]
    assert_close(down, across)  # rows and columns count the same
    assert (down.diff() < -0.01).all()


@pytest.mark.parametrize("dim", [18, 0, -4])
def test_sincos_needs_a_width_of_four(dim):
    with pytest.raises(ValueError, match=f"dim is {dim}, expected a multiple of 4"):
        sincos_positions((2, 3), dim)


@pytest.mark.parametrize("extra", [0, 1])
@pytest.mark.parametrize("new_grid", [(5, 6), (7, 4), (3, 11), (10, 12)])
def test_interpolated_positions(extra, new_grid):
    torch.manual_seed(0)
    positions = torch.randn(1, extra + N, D)
    stretched = interpolate_positions(positions, GRID, new_grid)
    assert stretched.shape == (1, extra + new_grid[0] * new_grid[1], D)
    assert torch.equal(stretched[:, :extra], positions[:, :extra])
    if new_grid == GRID:
        assert torch.equal(stretched, positions)


def test_interpolation_keeps_up_and_left():
    """A value that only grows downwards still only grows downwards on another,
    non-square grid.
    """
    ramp = torch.arange(5.0).view(5, 1).expand(5, 6).reshape(1, 30, 1)
    stretched = interpolate_positions(ramp, (5, 6), (8, 3)).view(8, 3)
    assert (stretched.diff(dim=0) > 0).all()
    assert_close(stretched, stretched[:, :1].expand(8, 3))
    assert_close(
        stretched[2:-2, 0],
        (torch.arange(2.0, 6.0) + 0.5) * 5 / 8 - 0.5,
        atol=0.05,
        rtol=0,
    )


@pytest.mark.parametrize("count", [29, 32])
def test_interpolation_of_positions_that_do_not_fit(count):
    with pytest.raises(ValueError, match=f"{count} positions .* 5 x 6"):
        interpolate_positions(torch.zeros(1, count, D), GRID, (7, 4))
