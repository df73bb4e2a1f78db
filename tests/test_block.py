import pytest
import torch
from torch import nn
from torch.testing import assert_close

from vit_tutorial.block import EncoderBlock, FeedForward

B = 2
H = 5
T = 31
K = 8
D = H * K
HIDDEN = 60
NAMES = {
    "attention.qkv.weight": "self_attn.in_proj_weight",
    "attention.qkv.bias": "self_attn.in_proj_bias",
    "attention.out": "self_attn.out_proj",
    "mlp.0": "linear1",
    "mlp.3": "linear2",
}


def reference_name(name):
    for ours, theirs in NAMES.items():
        name = name.replace(ours, theirs)
    return name


def block(dropout=0.0):
    torch.manual_seed(0)
    made = EncoderBlock(D, H, mlp_ratio=1.5, dropout=dropout).double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return made


def stream():
    return torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("training", [True, False])
def test_equals_pytorch_encoder_layer(training):
    ours = block().train(training)
    reference = nn.TransformerEncoderLayer(
        D,
        H,
        HIDDEN,
        0.0,
        "gelu",
        layer_norm_eps=1e-6,
        batch_first=True,
        norm_first=True,
        dtype=torch.float64,
    ).train(training)
    reference.load_state_dict(
        {reference_name(name): value for name, value in ours.state_dict().items()}
    )
    x = stream()
    expected = reference(x)
    assert_close(ours(x), expected)
    written_out, weights = ours(x, return_attention=True)
    assert_close(written_out, expected)
    assert weights.shape == (B, H, T, T)

    output = torch.randn_like(expected)
    theirs = dict(reference.named_parameters())
    inputs = [x, *ours.parameters()]
    references = [
        x,
        *(theirs[reference_name(name)] for name, _ in ours.named_parameters()),
    ]
    expected = torch.autograd.grad(expected, references, output)
    assert_close(torch.autograd.grad(ours(x), inputs, output), expected)
    assert_close(torch.autograd.grad(written_out, inputs, output), expected)


def test_weights_are_those_of_the_normalised_stream():
    ours = block()
    x = stream()
    weights = ours(x, return_attention=True)[1]
    assert_close(weights, ours.attention(ours.norm1(x), return_attention=True)[1])
    assert_close(weights.sum(dim=-1), torch.ones(B, H, T, dtype=torch.float64))


def test_residual_carries_the_stream_past_silent_layers():
    ours = block()
    x = stream()
    for layer in (ours.attention.out, ours.mlp[3]):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    assert torch.equal(ours(x), x)


def test_feed_forward_treats_every_token_alike():
    torch.manual_seed(0)
    mlp = FeedForward(D, HIDDEN).double()
    x = stream()
    assert mlp[0].out_features == HIDDEN
    assert_close(mlp(x)[:, 3:5], mlp(x[:, 3:5]))


@pytest.mark.parametrize("return_attention", [True, False])
def test_dropout_in_training_only(return_attention):
    ours = block(dropout=0.5)
    x = stream()

    def run():
        return ours(x, return_attention)[0] if return_attention else ours(x)

    assert not torch.equal(run(), run())
    ours.eval()
    assert torch.equal(run(), run())
    assert_close(run(), block()(x))
