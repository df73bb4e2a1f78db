"""What the checks of chapter 13 take for right does what the exercises promise."""

import pytest
import torch
import torch.nn.functional as F

from vit_tutorial.attention import MultiHeadSelfAttention
from vit_tutorial.checks.chapter_13 import fold_of, left_of, rates_of
from vit_tutorial.data.images import normalise


def test_a_folded_projection_makes_of_raw_pixels_what_the_old_one_made():
    torch.manual_seed(0)
    images = torch.rand(2, 3, 8, 12)
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.1])
    weight, bias = torch.randn(5, 3, 4, 4), torch.randn(5)
    want = F.conv2d(normalise(images, mean, std), weight, bias, stride=4)
    got = F.conv2d(images, *fold_of(weight, bias, mean, std), stride=4)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_rates_double_from_layer_to_layer_where_decay_is_a_half():
    assert rates_of(8.0, 0.5, 2).tolist() == [1, 2, 4, 8]
    assert rates_of(0.3, 1.0, 2).tolist() == [0.3] * 4


@pytest.mark.parametrize("head", range(3))
def test_what_is_left_says_what_the_layer_says_with_its_head_silent(head):
    torch.manual_seed(0)
    layer = MultiHeadSelfAttention(12, 3).double()
    tokens = torch.randn(2, 5, 12, dtype=torch.float64)

    def silence(out, inputs):
        mixed = inputs[0].clone()
        mixed[..., 4 * head : 4 * head + 4] = 0
        return (mixed,)

    given = (layer.qkv.weight, layer.qkv.bias, layer.out.weight)
    weight, bias, out_weight = left_of(given, 3, head)
    assert weight.shape == (24, 12) and out_weight.shape == (12, 8)
    q, k, v = (
        part.unflatten(2, (2, 4)).transpose(1, 2)
        for part in F.linear(tokens, weight, bias).chunk(3, dim=2)
    )
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    got = F.linear(mixed, out_weight, layer.out.bias)
    layer.out.register_forward_pre_hook(silence)
    torch.testing.assert_close(got, layer(tokens))
