"""Answers to the exercises of chapter 03 that take a layer apart."""

import copy

import torch
import torch.nn.functional as F
from einops import einsum, rearrange, reduce
from torch import nn


def roles_of(layer, tokens):
    return rearrange(
        layer.qkv(tokens), "b t (three h k) -> three b h t k", three=3, h=layer.heads
    )


def answers_of(layer, tokens, scale=None):
    return F.scaled_dot_product_attention(*roles_of(layer, tokens), scale=scale)


def columns_of(layer):
    return rearrange(layer.out.weight, "d (h k) -> h k d", h=layer.heads)


def rows_for_columns(layer, tokens):
    return answers_of(layer, tokens) @ rearrange(
        layer.out.weight, "(h k) d -> h k d", h=layer.heads
    )


def columns_dealt_out(layer, tokens):
    return answers_of(layer, tokens) @ rearrange(
        layer.out.weight, "d (k h) -> h k d", h=layer.heads
    )


def heads_before_roles(layer, tokens):
    q, k, v = rearrange(
        layer.qkv(tokens), "b t (h three k) -> three b h t k", three=3, h=layer.heads
    )
    return F.scaled_dot_product_attention(q, k, v) @ columns_of(layer)


def heads_by_view(layer, tokens):
    B, T, D = tokens.shape
    q, k, v = (
        role.reshape(B, layer.heads, T, D // layer.heads)
        for role in layer.qkv(tokens).chunk(3, dim=-1)
    )
    return F.scaled_dot_product_attention(q, k, v) @ columns_of(layer)


def keys_first(layer, tokens):
    k, q, v = roles_of(layer, tokens)
    return F.scaled_dot_product_attention(q, k, v) @ columns_of(layer)


def bias_in_each(layer, tokens):
    return answers_of(layer, tokens) @ columns_of(layer) + layer.out.bias


def bias_shared_out(layer, tokens):
    return answers_of(layer, tokens) @ columns_of(layer) + layer.out.bias / layer.heads


def joined_by_view(layer, tokens):
    joined = answers_of(layer, tokens).reshape(tokens.shape)
    return rearrange(joined, "b t (h k) -> b h t k", h=layer.heads) @ columns_of(layer)


def queries_silenced(layer, tokens):
    parts = []
    K = tokens.shape[-1] // layer.heads
    for head in range(layer.heads):
        other = copy.deepcopy(layer)
        other.qkv.weight.data[head * K : (head + 1) * K] = 0
        other.qkv.bias.data[head * K : (head + 1) * K] = 0
        parts.append(layer(tokens) - other(tokens))
    return torch.stack(parts, dim=1)


def answers_alone(layer, tokens):
    return answers_of(layer, tokens)


def answers_in_their_places(layer, tokens):
    mixed = answers_of(layer, tokens)
    padded = torch.zeros(*mixed.shape[:-1], tokens.shape[-1], dtype=tokens.dtype)
    for head in range(layer.heads):
        padded[:, head, :, head * mixed.shape[-1] : (head + 1) * mixed.shape[-1]] = (
            mixed[:, head]
        )
    return padded


def tokens_before_heads(layer, tokens):
    return (answers_of(layer, tokens) @ columns_of(layer)).transpose(1, 2)


def one_output(layer, tokens):
    return layer(tokens)


def summed_up(layer, tokens):
    return (answers_of(layer, tokens) @ columns_of(layer)).sum(dim=1)


def root_of_D(layer, tokens):
    return answers_of(layer, tokens, scale=tokens.shape[-1] ** -0.5) @ columns_of(layer)


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


def values_lost(layer):
    q, k, v = layer.qkv.bias.chunk(3)
    return torch.cat([q, 0 * k, 0 * v]), layer.out.bias


def values_not_through_out(layer):
    q, k, v = layer.qkv.bias.chunk(3)
    return torch.cat([q, 0 * k, 0 * v]), layer.out.bias + v


def out_weight_turned(layer):
    q, k, v = layer.qkv.bias.chunk(3)
    return torch.cat([q, 0 * k, 0 * v]), layer.out.bias + v @ layer.out.weight


def out_bias_lost(layer):
    q, k, v = layer.qkv.bias.chunk(3)
    return torch.cat([q, 0 * k, 0 * v]), layer.out.weight @ v


def out_bias_twice(layer):
    q, k, v = layer.qkv.bias.chunk(3)
    return torch.cat([q, 0 * k, 0 * v]), layer.out(v) + layer.out.bias


def keys_moved(layer):
    q, k, v = layer.qkv.bias.chunk(3)
    return torch.cat([q, 0 * k, 0 * v]), layer.out.bias + layer.out.weight @ k


def zeros_by_head(layer):
    bias = layer.qkv.bias.detach().clone().view(layer.heads, 3, -1)
    values = bias[:, 2].flatten()
    bias[:, 1:] = 0
    return bias.flatten(), layer.out(values)


def all_zero(layer):
    return torch.zeros_like(layer.qkv.bias), layer.out.bias


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


WRONG = {
    "head_parts": [
        (rows_for_columns, "given rows of layer.out.weight"),
        (columns_dealt_out, "dealt out in turn"),
        (heads_before_roles, "heads were split before roles"),
        (heads_by_view, "tokens and heads are mixed up"),
        (keys_first, "the order of roles in qkv is q, k, v, not k, q, v"),
        (bias_in_each, "layer.out.bias is in every head's part"),
        (bias_shared_out, "shared out among the heads"),
        (joined_by_view, "the heads were joined by view or reshape"),
        (queries_silenced, "the plain mean of its values; it is missing here"),
        (answers_alone, "before `out`"),
        (answers_in_their_places, "not passed through layer.out.weight"),
        (tokens_before_heads, "heads come before tokens"),
        (one_output, "its parts were asked for"),
        (summed_up, "summed already"),
        (root_of_D, "divided by sqrt(D)"),
        (without_gradient, "cuts the gradient"),
        (layer_left_silent, "changed the layer itself"),
    ],
    "lean_biases": [
        (q_zero, "the queries' bias is gone"),
        (only_keys_zero, "one more third can go"),
        (only_values_zero, "were asked for: the queries and the keys are left"),
        (values_lost, "nothing does its work"),
        (values_not_through_out, "passes through layer.out.weight"),
        (out_weight_turned, "stored (out, in)"),
        (out_bias_lost, "the old bias of layer.out is lost"),
        (out_bias_twice, "counted twice"),
        (keys_moved, "of queries, keys, values it is the second third"),
        (zeros_by_head, "the zeros are scattered"),
        (all_zero, "the queries' bias is gone"),
        (nothing_changed, "0 of"),
        (one_bias, "returned a Tensor, a pair, qkv_bias"),
        (changed_in_place, "changed the layer itself"),
        (three_biases_in_a_table, "expected (3D,)"),
    ],
}
RIGHT = {
    "head_parts": [
        parts_by_loop,
        parts_by_padding,
        parts_by_einsum,
        parts_by_silencing,
    ],
    "lean_biases": [lean_by_slices, lean_by_a_mask, lean_by_asking_the_layer],
}
