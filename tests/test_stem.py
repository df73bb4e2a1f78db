import pytest
import torch
from torch.testing import assert_close

from vit_tutorial.config import ViTConfig
from vit_tutorial.embedding import (
    ConvolutionalStem,
    HybridStem,
    ResidualBlock,
    prime_factors,
)
from vit_tutorial.model import VisionTransformer

SIZE = (36, 60)
C = 3
D = 16


def test_prime_factors():
    assert [prime_factors(number) for number in (1, 2, 7, 8, 12, 15)] == [
        [],
        [2],
        [7],
        [2, 2, 2],
        [2, 2, 3],
        [3, 5],
    ]


@pytest.mark.parametrize("kind", [ConvolutionalStem, HybridStem])
@pytest.mark.parametrize("patch_size", [1, 2, 3, 4, 6, 12])
def test_a_token_a_patch(patch_size, kind):
    stem = kind(SIZE, patch_size, C, D)
    rows, columns = (side // patch_size for side in SIZE)
    assert stem(torch.randn(2, C, *SIZE)).shape == (2, rows * columns + 1, D)


@pytest.mark.parametrize("patch_size", [4, 5, 6, 7])
def test_every_pixel_is_seen(patch_size):
    images = torch.randn(1, C, 8 * patch_size, 8 * patch_size, requires_grad=True)
    ConvolutionalStem(8 * patch_size, patch_size, C, D).double().project(
        images.double()
    ).square().sum().backward()
    assert images.grad.ne(0).all()


def test_tokens_lie_where_their_patches_are():
    """A change of pixels is felt most by the token at their place, whose neighbours
    overlap it.
    """
    torch.manual_seed(0)
    stem = ConvolutionalStem(48, 8, C, D).double()
    images = torch.rand(1, C, 48, 48, dtype=torch.float64)
    changed = images.clone()
    # row 2, column 4 of a grid of 6 x 6
    changed[:, :, 2 * 8 : 3 * 8, 4 * 8 : 5 * 8] += torch.rand(C, 8, 8)
    # norms see the whole image: without them a change stays local
    for layer in stem.stem:
        if isinstance(layer, torch.nn.GroupNorm):
            layer.forward = lambda x: x
    felt = (stem.project(changed) - stem.project(images)).norm(dim=-1)[0].reshape(6, 6)
    assert felt.argmax() == 2 * 6 + 4
    # the neighbour on the right sees its border, too
    assert 0 < felt[2, 5] < felt[2, 4]
    assert felt[5, 0] == 0


def test_one_image_is_treated_like_many():
    model = VisionTransformer(
        ViTConfig(
            image_size=32, patch_size=8, dim=16, depth=1, heads=2, embedder="stem"
        )
    ).train()
    images = torch.randn(4, 3, 32, 32)
    assert_close(model(images)[:1], model(images[:1]))


def test_the_widths_double_up_to_the_tokens_width():
    """Xiao et al. 2021, appendix: 3 x 3 convolutions whose number of channels doubles,
    then a 1 x 1 convolution.
    """
    stem = ConvolutionalStem(96, 16, C, 384)
    convolutions = [layer for layer in stem.stem if isinstance(layer, torch.nn.Conv2d)]
    assert [(layer.in_channels, layer.out_channels) for layer in convolutions] == [
        (3, 48),
        (48, 96),
        (96, 192),
        (192, 384),
    ]
    assert all(
        layer.kernel_size == (3, 3) and layer.stride == (2, 2) for layer in convolutions
    )
    assert stem.projection.kernel_size == (1, 1)


# ---- the hybrid


def test_a_residual_block_adds_to_its_input():
    torch.manual_seed(0)
    block = ResidualBlock(5).double().eval()
    x = torch.randn(2, 5, 6, 7, dtype=torch.float64)
    first, second = (layer.weight for layer in block.layers[::3])
    unit = 1 / (1 + block.layers[1].eps) ** 0.5  # of norms that have seen nothing yet
    inner = (unit * torch.conv2d(x, first, padding=1)).clamp(min=0)
    added = unit * torch.conv2d(inner, second, padding=1)
    assert_close(block(x), (x + added).clamp(min=0))
    torch.nn.init.zeros_(block.layers[-1].weight)
    assert_close(block(x), x.clamp(min=0))


def test_the_hybrid_is_a_stem_with_a_residual_block_after_all_but_the_first():
    layers = list(HybridStem(96, 8, C, 128).stem)
    step = [torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.ReLU]
    assert [type(layer) for layer in layers] == [
        *step,
        *step,
        ResidualBlock,
        *step,
        ResidualBlock,
    ]
    widths = [layer.out_channels for layer in layers if hasattr(layer, "out_channels")]
    assert widths == [32, 64, 128]


def test_the_hybrid_judges_an_image_alone_as_in_a_batch():
    config = ViTConfig(image_size=32, dim=16, depth=1, heads=2, embedder="hybrid")
    model = VisionTransformer(config)
    images = torch.randn(4, 3, 32, 32)
    model(images)  # statistics of a batch
    model.eval()
    assert_close(model(images)[:1], model(images[:1]))
