"""Answers to the attention formula (chapter 03)."""

import math

import torch
import torch.nn.functional as F


def scaled(q, k):
    return q @ k.transpose(-2, -1) / k.shape[-1] ** 0.5


def no_scale(q, k, v):
    weights = (q @ k.transpose(-2, -1)).softmax(dim=-1)
    return weights @ v, weights


def divided_by_K(q, k, v):
    weights = (q @ k.transpose(-2, -1) / q.shape[-1]).softmax(dim=-1)
    return weights @ v, weights


def root_of_T(q, k, v):
    weights = (q @ k.transpose(-2, -1) / q.shape[-2] ** 0.5).softmax(dim=-1)
    return weights @ v, weights


def scale_after_softmax(q, k, v):
    weights = (q @ k.transpose(-2, -1)).softmax(dim=-1) / q.shape[-1] ** 0.5
    return weights @ v, weights


def softmax_over_queries(q, k, v):
    weights = scaled(q, k).softmax(dim=-2)
    return weights @ v, weights


def softmax_over_queries_without_scale(q, k, v):
    weights = (q @ k.transpose(-2, -1)).softmax(dim=-2)
    return weights @ v, weights


def softmax_over_the_first_axis(q, k, v):
    weights = scaled(q, k).softmax(dim=0)
    return weights @ v, weights


def softmax_over_axis_1(q, k, v):
    weights = scaled(q, k).softmax(dim=1)
    return weights @ v, weights


def softmax_over_axis_3(q, k, v):
    weights = scaled(q, k).softmax(dim=3)
    return weights @ v, weights


def no_softmax(q, k, v):
    return scaled(q, k) @ v, scaled(q, k)


def view_for_transpose(q, k, v):
    weights = (
        q @ k.reshape(*k.shape[:-2], k.shape[-1], k.shape[-2]) / k.shape[-1] ** 0.5
    ).softmax(dim=-1)
    return weights @ v, weights


def all_axes_turned(q, k, v):
    weights = (q @ k.permute(*range(k.ndim)[::-1]) / k.shape[-1] ** 0.5).softmax(dim=-1)
    return weights @ v, weights


def keys_ask(q, k, v):
    weights = scaled(k, q).softmax(dim=-1)
    return weights @ v, weights


def mixed_the_wrong_way(q, k, v):
    weights = scaled(q, k).softmax(dim=-1)
    return weights.transpose(-2, -1) @ v, weights


def weights_turned(q, k, v):
    weights = scaled(q, k).softmax(dim=-1)
    return weights @ v, weights.transpose(-2, -1)


def causal(q, k, v):
    ahead = torch.ones(q.shape[-2], k.shape[-2]).triu(1).bool()
    weights = scaled(q, k).masked_fill(ahead, -torch.inf).softmax(dim=-1)
    return weights @ v, weights


def keys_mixed(q, k, v):
    weights = scaled(q, k).softmax(dim=-1)
    return weights @ k, weights


def mixed_alone(q, k, v):
    return F.scaled_dot_product_attention(q, k, v)


def other_way_round(q, k, v):
    weights = scaled(q, k).softmax(dim=-1)
    return weights, weights @ v


def scores_for_weights(q, k, v):
    return scaled(q, k).softmax(dim=-1) @ v, scaled(q, k)


def four_axes_only(q, k, v):
    weights = (torch.einsum("bhtk,bhsk->bhts", q, k) / q.shape[-1] ** 0.5).softmax(
        dim=-1
    )
    return weights @ v, weights


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


def all_short_axes_lost(q, k, v):
    weights = scaled(q, k).softmax(dim=-1)
    return (weights @ v).squeeze(), weights


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


WRONG = {
    "attend": [
        (no_scale, "the scores are not divided by sqrt(K)"),
        (divided_by_K, "divided by K, not by its root"),
        (root_of_T, "the root is of T"),
        (scale_after_softmax, "the division by sqrt(K) came after the softmax"),
        (
            softmax_over_queries,
            "your rows do not sum to 1: softmax ran over the queries; use dim=-1",
        ),
        (
            softmax_over_queries_without_scale,
            "not divided by sqrt(K); and your rows do not sum to 1",
        ),
        (softmax_over_the_first_axis, "use dim=-1"),
        (softmax_over_axis_1, "softmax ran over the queries"),
        (softmax_over_axis_3, "raised IndexError"),
        (no_softmax, "these are the scores"),
        (view_for_transpose, "k was reshaped, not turned"),
        (all_axes_turned, "raised RuntimeError"),
        (keys_ask, "queries and keys have changed places"),
        (mixed_the_wrong_way, "the mixing is not"),
        (weights_turned, "the weights are turned"),
        (causal, "some keys are shut out"),
        (keys_mixed, "they mix the keys"),
        (mixed_alone, "return the weights beside them"),
        (other_way_round, "the pair is the other way round"),
        (scores_for_weights, "these are the scores"),
        (four_axes_only, "raised RuntimeError"),
        (weights_detached, "cuts the gradient"),
        (no_gradient_through_the_weights, "its gradient for q is not"),
        (numpy_arrays, "of ndarray, ndarray, a pair, mixed"),
        (always_float32, "returned torch.float32, expected torch.float64"),
        (scaled_in_place, "changed its input in place"),
        (first_axis_lost, "returned shape"),
        (all_short_axes_lost, "returned shape"),
        (uniform, "the shape is right, the values are not for the weights"),
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
}
