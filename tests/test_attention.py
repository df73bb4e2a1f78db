import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from vit_tutorial.attention import MultiHeadSelfAttention, attend

B = 2
H = 5
T = 31
K = 8
D = H * K


def module(dropout=0.0):
    torch.manual_seed(0)
    attention = MultiHeadSelfAttention(D, H, dropout).double()
    for parameter in attention.parameters():
        nn.init.normal_(parameter, std=0.3)
    return attention


def tokens(count=T):
    return torch.randn(B, count, D, dtype=torch.float64, requires_grad=True)


def test_attend_by_hand():
    q = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    k = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    v = torch.tensor([[1.0], [3.0]])
    mixed, weights = attend(q, k, v)
    share = torch.tensor(2.0**0.5).sigmoid()  # scores 2/sqrt(2) and 0
    assert_close(
        weights,
        torch.stack([torch.stack([share, 1 - share]), torch.tensor([0.5, 0.5])]),
    )
    assert_close(mixed, torch.stack([3 - 2 * share, torch.tensor(2.0)])[:, None])


def test_attend_equals_scaled_dot_product_attention():
    torch.manual_seed(0)
    qkv = [
        torch.randn(B, H, T, K, dtype=torch.float64, requires_grad=True)
        for _ in range(3)
    ]
    mixed, weights = attend(*qkv)
    expected = F.scaled_dot_product_attention(*qkv)
    assert weights.shape == (B, H, T, T)
    assert_close(weights.sum(dim=-1), torch.ones(B, H, T, dtype=torch.float64))
    assert_close(mixed, expected)
    output = torch.randn_like(mixed)
    assert_close(
        torch.autograd.grad(mixed, qkv, output),
        torch.autograd.grad(expected, qkv, output),
    )


def test_equals_pytorch_multihead_attention():
    ours = module()
    reference = nn.MultiheadAttention(D, H, batch_first=True, dtype=torch.float64)
    names = {"qkv.weight": "in_proj_weight", "qkv.bias": "in_proj_bias"}
    names |= {"out.weight": "out_proj.weight", "out.bias": "out_proj.bias"}
    reference.load_state_dict(
        {names[name]: value for name, value in ours.state_dict().items()}
    )

    x = tokens()
    mixed, weights = ours(x, return_attention=True)
    expected, expected_weights = reference(x, x, x, average_attn_weights=False)
    assert_close(mixed, expected)
    assert_close(weights, expected_weights)
    assert_close(ours(x), expected)
    output = torch.randn_like(mixed)
    theirs = dict(reference.named_parameters())
    inputs = [x, *ours.parameters()]
    references = [x, *(theirs[names[name]] for name, _ in ours.named_parameters())]
    expected = torch.autograd.grad(expected, references, output)
    assert_close(torch.autograd.grad(mixed, inputs, output), expected)
    assert_close(torch.autograd.grad(ours(x), inputs, output), expected)


@pytest.mark.parametrize("training", [True, False])
def test_fused_and_written_out_agree(training):
    attention = module(dropout=0.5).train(training)
    x = tokens()
    torch.manual_seed(1)
    fused = attention(x)
    torch.manual_seed(1)
    assert_close(fused, attention(x, return_attention=True)[0])
    assert (attention(x) == 0).any() == training  # dropout in training only


def test_commutes_with_a_permutation():
    attention = module()
    x = tokens()
    order = torch.randperm(T)
    mixed, weights = attention(x, return_attention=True)
    moved, moved_weights = attention(x[:, order], return_attention=True)
    assert_close(moved, mixed[:, order])
    assert_close(moved_weights, weights[:, :, order][..., order])


def test_any_number_of_tokens_and_images_apart():
    attention = module()
    assert attention(tokens(1)).shape == (B, 1, D)
    x = tokens()
    assert_close(attention(x)[1:], attention(x[1:]))


def test_key_bias_has_no_effect():
    attention = module()
    x = tokens()
    before = attention(x)
    gradient = torch.autograd.grad(before.sum(), attention.qkv.bias)[0]
    assert_close(
        gradient[D : 2 * D], torch.zeros(D, dtype=torch.float64), atol=1e-10, rtol=0
    )
    attention.qkv.bias.data[D : 2 * D] += 1
    assert_close(attention(x), before)


def test_dim_not_divisible_by_heads():
    with pytest.raises(ValueError, match="dim 40 is not divisible by heads 3"):
        MultiHeadSelfAttention(40, 3)
