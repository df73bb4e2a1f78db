"""Answers to what each head adds (chapter 03) whose values are right, for some sizes,
and whose rest is not.
"""

import copy

import torch
import torch.nn.functional as F
from einops import rearrange


def pieces(layer, tokens, weight=None, joined=None, heads=None):
    """The right parts, unless another out.weight, qkv(tokens) or number of heads is
    given.
    """
    joined = layer.qkv(tokens) if joined is None else joined
    heads = heads or layer.heads
    q, k, v = rearrange(joined, "b t (three h k) -> three b h t k", three=3, h=heads)
    columns = rearrange(
        layer.out.weight if weight is None else weight, "d (h k) -> h k d", h=heads
    )
    return F.scaled_dot_product_attention(q, k, v) @ columns


def out_detached(layer, tokens):
    return pieces(layer, tokens, weight=layer.out.weight.detach())


def out_data(layer, tokens):
    return pieces(layer, tokens, weight=layer.out.weight.data)


def qkv_data(layer, tokens):
    return pieces(
        layer, tokens, joined=F.linear(tokens, layer.qkv.weight.data, layer.qkv.bias)
    )


def silenced_copies(layer, tokens):
    """The copies have weights of their own, so no gradient of theirs reaches the
    layer.
    """
    parts = []
    K = tokens.shape[-1] // layer.heads
    for head in range(layer.heads):
        other = copy.deepcopy(layer)
        other.out.weight.data[:, head * K : (head + 1) * K] = 0
        parts.append(layer(tokens) - other(tokens))
    return torch.stack(parts, dim=1)


def left_in_eval_mode(layer, tokens):
    return pieces(layer.eval(), tokens)


def left_frozen(layer, tokens):
    parts = pieces(layer, tokens)
    layer.requires_grad_(False)
    return parts


def four_heads(layer, tokens):
    return pieces(layer, tokens, heads=4)


def short_axes_lost(layer, tokens):
    return pieces(layer, tokens).squeeze()


def one_image_lost(layer, tokens):
    return pieces(layer, tokens).squeeze(0)


WRONG = {
    "head_parts": [
        (out_detached, "its gradient for layer.out.weight is not"),
        (out_data, "its gradient for layer.out.weight is not"),
        (qkv_data, "its gradient for layer.qkv.weight is not"),
        (silenced_copies, "its gradient for layer.qkv.weight is not"),
        (left_in_eval_mode, "left the layer in eval mode"),
        (left_frozen, "left the layer frozen"),
        (four_heads, "four_heads r"),
        (short_axes_lost, "returned shape"),
        (one_image_lost, "returned shape"),
    ],
}
RIGHT = {"head_parts": [pieces]}
