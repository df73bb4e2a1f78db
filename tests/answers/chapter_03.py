"""Answers to the exercises of chapter 03, wrong and right, as learners write them."""

import copy
import math

import torch
import torch.nn.functional as F
from einops import einsum, rearrange, reduce
from torch import nn


def scaled(q, k):
    return q @ k.transpose(-2, -1) / k.shape[-1] ** 0.5


def softmax_over_axis_3(q, k, v):
    weights = scaled(q, k).softmax(dim=3)
    return weights @ v, weights


def all_axes_turned(q, k, v):
    weights = (q @ k.permute(*range(k.ndim)[::-1]) / k.shape[-1] ** 0.5).softmax(dim=-1)
    return weights @ v, weights


def mixed_alone(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


def other_way_round(q, k, v):
    weights = scaled(q, k).softmax(dim=-1)
    return weights, weights @ v


def weights_detached(q, k, v):
    weights = scaled(q, k).softmax(dim=-1)
    return weights @ v, weights.detach()


def no_gradient_through_the_weights(q, k, v):
    weights = scaled(q, k).softmax(dim=-1)
    return weights.detach() @ v, weights


def numpy_arrays(q, k, v):
    weights = scaled(q, k).softmax(dim=-1)
    return (weights @ v).detach().numpy(), weights.detach().numpy()


def always_float32(q, k, v):
    weights = scaled(q, k).softmax(dim=-1).float()
    return weights @ v.float(), weights


def scaled_in_place(q, k, v):
    q *= q.shape[-1] ** -0.5
    weights = (q @ k.transpose(-2, -1)).softmax(dim=-1)
    return weights @ v, weights


def uniform(q, k, v):
    weights = torch.full((*q.shape[:-1], k.shape[-2]), 1 / k.shape[-2])
    return weights @ v, weights


def first_axis_lost(q, k, v):
    weights = scaled(q, k).softmax(dim=-1)
    return (weights @ v).squeeze(0), weights.squeeze(0)


def attend_by_einsum(queries, keys, values):
    weights = (
        torch.einsum("...tk,...sk->...ts", queries, keys)
        .div(math.sqrt(queries.size(-1)))
        .softmax(-1)
    )
    return torch.einsum("...ts,...sk->...tk", weights, values), weights


def attend_by_exponentials(q, k, v):
    powers = (q @ k.mT * q.shape[-1] ** -0.5).exp()
    weights = powers / powers.sum(dim=-1, keepdim=True)
    return [weights.matmul(v), weights]


def attend_by_loops(q, k, v):
    rows = []
    for query in q.unbind(-2):
        scores = (query.unsqueeze(-2) * k).sum(dim=-1) / q.shape[-1] ** 0.5
        rows.append(F.softmax(scores, dim=-1))
    weights = torch.stack(rows, dim=-2)
    return (weights.unsqueeze(-1) * v.unsqueeze(-3)).sum(dim=-2), weights


def attend_by_the_fused_one(q, k, v):
    seats = torch.eye(k.shape[-2], dtype=v.dtype).expand(*k.shape[:-1], k.shape[-2])
    return F.scaled_dot_product_attention(q, k, v), F.scaled_dot_product_attention(
        q, k, seats
    )


def attend_in_float64(q, k, v):
    weights = torch.softmax(scaled(q.double(), k.double()), -1)
    return (weights @ v.double()).to(v.dtype), weights.to(v.dtype)


def roles_of(layer, tokens):
    return rearrange(
        layer.qkv(tokens), "b t (three h k) -> three b h t k", three=3, h=layer.heads
    )


def answers_of(layer, tokens, scale=None):
    return F.scaled_dot_product_attention(*roles_of(layer, tokens), scale=scale)


def columns_of(layer):
    return rearrange(layer.out.weight, "d (h k) -> h k d", h=layer.heads)


def answers_in_their_places(layer, tokens):
    mixed = answers_of(layer, tokens)
    padded = torch.zeros(*mixed.shape[:-1], tokens.shape[-1], dtype=tokens.dtype)
    for head in range(layer.heads):
        padded[:, head, :, head * mixed.shape[-1] : (head + 1) * mixed.shape[-1]] = (
            mixed[:, head]
        )
    return padded


def without_gradient(layer, tokens):
    with torch.no_grad():
        return answers_of(layer, tokens) @ columns_of(layer)


def layer_left_silent(layer, tokens):
    parts = []
    whole = layer(tokens)
    width = tokens.shape[-1] // layer.heads
    for head in range(layer.heads):
        layer.out.weight.data[:, head * width : (head + 1) * width] = 0
        parts.append(whole - layer(tokens))
        whole = layer(tokens)
    return torch.stack(parts, dim=1)


def parts_by_loop(layer, tokens):
    D = tokens.shape[-1]
    H = layer.heads
    K = D // H
    joined = layer.qkv(tokens)
    parts = []
    for h in range(H):
        q, k, v = (
            joined[..., role * D + h * K : role * D + (h + 1) * K] for role in range(3)
        )
        mixed = (q @ k.transpose(1, 2) / K**0.5).softmax(dim=-1) @ v
        parts.append(mixed @ layer.out.weight[:, h * K : (h + 1) * K].T)
    return torch.stack(parts, dim=1)


def parts_by_padding(layer, tokens):
    padded = answers_in_their_places(layer, tokens)
    return nn.functional.linear(padded, layer.out.weight)


def parts_by_einsum(layer, tokens):
    weight = layer.out.weight.unflatten(1, (layer.heads, -1))
    return einsum(answers_of(layer, tokens), weight, "b h t k, d h k -> b h t d")


def parts_by_silencing(layer, tokens):
    parts = []
    K = tokens.shape[-1] // layer.heads
    for head in range(layer.heads):
        loud = torch.ones_like(layer.out.weight)
        loud[:, head * K : (head + 1) * K] = 0
        rest = torch.func.functional_call(
            layer, {"out.weight": loud * layer.out.weight}, tokens
        )
        parts.append(layer(tokens) - rest)
    return torch.stack(parts, dim=1)


def q_zero(layer):
    q, k, v = layer.qkv.bias.chunk(3)
    return torch.cat([0 * q, 0 * k, v]), layer.out.bias


def only_keys_zero(layer):
    q, k, v = layer.qkv.bias.chunk(3)
    return torch.cat([q, 0 * k, v]), layer.out.bias


def only_values_zero(layer):
    q, k, v = layer.qkv.bias.chunk(3)
    return torch.cat([q, k, 0 * v]), layer.out.bias + layer.out.weight @ v


def zeros_by_head(layer):
    bias = layer.qkv.bias.detach().clone().view(layer.heads, 3, -1)
    values = bias[:, 2].flatten()
    bias[:, 1:] = 0
    return bias.flatten(), layer.out(values)


def nothing_changed(layer):
    return layer.qkv.bias, layer.out.bias


def one_bias(layer):
    q, k, v = layer.qkv.bias.chunk(3)
    return torch.cat([q, 0 * k, 0 * v])


def changed_in_place(layer):
    D = layer.out.bias.shape[0]
    moved = layer.out(layer.qkv.bias[2 * D :])
    layer.qkv.bias.data[D:] = 0
    return layer.qkv.bias, moved


def three_biases_in_a_table(layer):
    q, k, v = layer.qkv.bias.chunk(3)
    return torch.stack([q, 0 * k, 0 * v]), layer.out(v)


@torch.no_grad()
def lean_by_slices(layer):
    D = layer.out.out_features
    bias = torch.zeros_like(layer.qkv.bias)
    bias[:D] = layer.qkv.bias[:D]
    return bias, layer.out(layer.qkv.bias[2 * D :])


def lean_by_a_mask(layer):
    roles = rearrange(layer.qkv.bias, "(three d) -> three d", three=3)
    keep = torch.tensor([1.0, 0.0, 0.0], dtype=roles.dtype)[:, None]
    added = reduce(layer.out.weight * roles[2], "out d -> out", "sum")
    return nn.Parameter((keep * roles).flatten()), nn.Parameter(layer.out.bias + added)


def lean_by_asking_the_layer(layer):
    """What tokens of zeros come out as is what all biases do together: each head's mean
    of equal values.
    """
    made = copy.deepcopy(layer)
    D = made.out.out_features
    with torch.no_grad():
        added = made(torch.zeros(1, 1, D, dtype=made.out.bias.dtype))[0, 0]
        made.qkv.bias[D:] = 0
    return [made.qkv.bias, added]


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


def qkv_data(layer, tokens):
    return pieces(
        layer, tokens, joined=F.linear(tokens, layer.qkv.weight.data, layer.qkv.bias)
    )


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


WRONG = {
    "attend": [
        (softmax_over_axis_3, "raised IndexError"),
        (all_axes_turned, "raised RuntimeError"),
        (mixed_alone, "return the weights beside them"),
        (other_way_round, "the pair is the other way round"),
        (weights_detached, "cuts the gradient"),
        (no_gradient_through_the_weights, "its gradient for q is not"),
        (numpy_arrays, "of ndarray, ndarray, a pair, mixed"),
        (always_float32, "returned torch.float32, expected torch.float64"),
        (scaled_in_place, "changed its input in place"),
        (first_axis_lost, "returned shape"),
        (uniform, "the shape is right, the values are not for the weights"),
    ],
    "head_parts": [
        (without_gradient, "cuts the gradient"),
        (layer_left_silent, "changed the layer itself"),
        (out_detached, "its gradient for layer.out.weight is not"),
        (qkv_data, "its gradient for layer.qkv.weight is not"),
        (left_in_eval_mode, "left the layer in eval mode"),
        (left_frozen, "left the layer frozen"),
        (four_heads, "four_heads r"),
        (short_axes_lost, "returned shape"),
    ],
    "lean_biases": [
        (q_zero, "the queries' bias is gone"),
        (only_keys_zero, "one more third can go"),
        (only_values_zero, "were asked for: the queries and the keys are left"),
        (zeros_by_head, "the zeros are scattered"),
        (nothing_changed, "0 of"),
        (one_bias, "returned a Tensor, a pair, qkv_bias"),
        (changed_in_place, "changed the layer itself"),
        (three_biases_in_a_table, "expected (3D,)"),
    ],
}
RIGHT = {
    "attend": [
        attend_by_einsum,
        attend_by_exponentials,
        attend_by_loops,
        attend_by_the_fused_one,
        attend_in_float64,
    ],
    "head_parts": [
        parts_by_loop,
        parts_by_padding,
        parts_by_einsum,
        parts_by_silencing,
        pieces,
    ],
    "lean_biases": [
        lean_by_slices,
        lean_by_a_mask,
        lean_by_asking_the_layer,
    ],
}
