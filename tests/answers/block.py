"""Answers to the exercises of chapter 04 that are functions: a norm by hand, and the two lines of a block."""

import torch
import torch.nn.functional as F
from torch import nn


def two(x):
    """Mean and variance of each token."""
    return x.mean(dim=-1, keepdim=True), x.var(dim=-1, keepdim=True, correction=0)


def unbiased(x, gamma, beta, epsilon):
    return gamma * (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + epsilon).sqrt() + beta


def epsilon_beside_the_root(x, gamma, beta, epsilon):
    mu, sigma2 = two(x)
    return gamma * (x - mu) / (sigma2.sqrt() + epsilon) + beta


def std_plus_epsilon(x, gamma, beta, epsilon):
    return gamma * (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + epsilon) + beta


def no_epsilon(x, gamma, beta, epsilon):
    mu, sigma2 = two(x)
    return gamma * (x - mu) / sigma2.sqrt() + beta


def epsilon_of_its_own(x, gamma, beta, epsilon):
    return F.layer_norm(x, x.shape[-1:], gamma, beta)


def over_the_tokens(x, gamma, beta, epsilon):
    mu, sigma2 = x.mean(dim=-2, keepdim=True), x.var(dim=-2, keepdim=True, correction=0)
    return gamma * (x - mu) / (sigma2 + epsilon).sqrt() + beta


def over_axis_1(x, gamma, beta, epsilon):
    mu, sigma2 = x.mean(dim=1, keepdim=True), x.var(dim=1, keepdim=True, correction=0)
    return gamma * (x - mu) / (sigma2 + epsilon).sqrt() + beta


def over_the_first_axis(x, gamma, beta, epsilon):
    mu, sigma2 = x.mean(dim=0, keepdim=True), x.var(dim=0, keepdim=True, correction=0)
    return gamma * (x - mu) / (sigma2 + epsilon).sqrt() + beta


def over_tokens_and_width(x, gamma, beta, epsilon):
    normed = F.layer_norm(x, x.shape[-2:], eps=epsilon)
    return gamma * normed + beta


def over_everything(x, gamma, beta, epsilon):
    return gamma * (x - x.mean()) / (x.var(correction=0) + epsilon).sqrt() + beta


def no_keepdim(x, gamma, beta, epsilon):
    return gamma * (x - x.mean(dim=-1)) / (x.var(dim=-1, correction=0) + epsilon).sqrt() + beta


def no_root(x, gamma, beta, epsilon):
    mu, sigma2 = two(x)
    return gamma * (x - mu) / (sigma2 + epsilon) + beta


def no_mean(x, gamma, beta, epsilon):
    return gamma * x / (two(x)[1] + epsilon).sqrt() + beta


def rms(x, gamma, beta, epsilon):
    return gamma * x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt() + beta


def nothing_learnt(x, gamma, beta, epsilon):
    return F.layer_norm(x, x.shape[-1:], eps=epsilon)


def no_beta(x, gamma, beta, epsilon):
    return F.layer_norm(x, x.shape[-1:], gamma, eps=epsilon)


def beta_inside(x, gamma, beta, epsilon):
    mu, sigma2 = two(x)
    return gamma * ((x - mu) / (sigma2 + epsilon).sqrt() + beta)


def gamma_and_beta_exchanged(x, gamma, beta, epsilon):
    return F.layer_norm(x, x.shape[-1:], beta, gamma, epsilon)


def norm_in_place(x, gamma, beta, epsilon):
    x -= x.mean(dim=-1, keepdim=True)
    return gamma * x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt() + beta


def statistics_detached(x, gamma, beta, epsilon):
    mu, sigma2 = two(x.detach())
    return gamma * (x - mu) / (sigma2 + epsilon).sqrt() + beta


def norm_in_float32(x, gamma, beta, epsilon):
    return F.layer_norm(x.float(), x.shape[-1:], gamma.float(), beta.float(), epsilon)


def norm_in_numpy(x, gamma, beta, epsilon):
    return F.layer_norm(x, x.shape[-1:], gamma, beta, epsilon).detach().numpy()


def norm_by_hand(x, gamma, beta, epsilon):
    mu = x.mean(dim=-1, keepdim=True)
    sigma2 = ((x - mu) ** 2).sum(dim=-1, keepdim=True) / x.shape[-1]
    return gamma * (x - mu) * (sigma2 + epsilon).rsqrt() + beta


def norm_by_moments(tokens, scale, shift, eps):
    mu, mean_square = tokens.mean(-1)[..., None], tokens.pow(2).mean(-1)[..., None]
    return torch.addcmul(shift, (tokens - mu) / torch.sqrt(mean_square - mu**2 + eps), scale)


def norm_by_loop(x, gamma, beta, epsilon):
    rows = []
    for token in x.flatten(0, -2):
        variance, mu = torch.var_mean(token, unbiased=False)
        rows.append(gamma * (token - mu) / (variance + epsilon) ** 0.5 + beta)
    return torch.stack(rows).view_as(x)


def norm_by_matrix(x, gamma, beta, epsilon):
    """Taking the mean off is a product with I - 1/D."""
    D = x.shape[-1]
    centred = x @ (torch.eye(D, dtype=x.dtype) - 1 / D)
    return gamma * centred / torch.hypot(centred.norm(dim=-1, keepdim=True) / D**0.5, torch.tensor(epsilon**0.5)) + beta


def post(block, x):
    x = block.norm1(x + block.attention(x))
    return block.norm2(x + block.mlp(x))


def stream_normed(block, x):
    x = block.norm1(x)
    x = x + block.attention(x)
    x = block.norm2(x)
    return x + block.mlp(x)


def stream_normed_once(block, x):
    x = block.norm1(x)
    x = x + block.attention(x)
    return x + block.mlp(block.norm2(x))


def no_sums(block, x):
    return block.mlp(block.norm2(block.attention(block.norm1(x))))


def one_sum_missing(block, x):
    x = x + block.attention(block.norm1(x))
    return block.mlp(block.norm2(x))


def first_sum_missing(block, x):
    x = block.attention(block.norm1(x))
    return x + block.mlp(block.norm2(x))


def no_norms(block, x):
    x = x + block.attention(x)
    return x + block.mlp(x)


def norm_after_the_layer(block, x):
    x = x + block.norm1(block.attention(x))
    return x + block.norm2(block.mlp(x))


def norm1_twice(block, x):
    x = x + block.attention(block.norm1(x))
    return x + block.mlp(block.norm1(x))


def norms_exchanged(block, x):
    x = x + block.attention(block.norm2(x))
    return x + block.mlp(block.norm1(x))


def side_by_side(block, x):
    return x + block.attention(block.norm1(x)) + block.mlp(block.norm2(x))


def old_stream_added(block, x):
    y = x + block.attention(block.norm1(x))
    return x + block.mlp(block.norm2(y))


def thinking_first(block, x):
    x = x + block.mlp(block.norm2(x))
    return x + block.attention(block.norm1(x))


def first_line_alone(block, x):
    return x + block.attention(block.norm1(x))


def stream_forgotten(block, x):
    y = block.attention(block.norm1(x))
    return x + block.mlp(block.norm2(y))


def added_in_place(block, x):
    x += block.attention(block.norm1(x))
    x += block.mlp(block.norm2(x))
    return x


def detached_stream(block, x):
    x = x.detach() + block.attention(block.norm1(x))
    return x + block.mlp(block.norm2(x))


def block_called(block, x):
    return block(x)


def pre_norm_with_names(block, stream):
    middle = torch.add(block.attention(block.norm1(stream)), stream)
    return torch.add(block.mlp(block.norm2(middle)), middle)


def pre_norm_by_loop(layers, z):
    for norm, layer in (("norm1", "attention"), ("norm2", "mlp")):
        z = z + layers[layer](layers[norm](z))
    return z


def pre_norm_in_one(block, x):
    return (y := x + block.attention(block.norm1(x))) + block.mlp(block.norm2(y))


class PreNorm(nn.Module):
    def forward(self, block, x):
        told = block["attention"](F.layer_norm(x, x.shape[-1:], block.norm1.weight, block.norm1.bias))
        return x + told + block.mlp(block.norm2(x + told))


WRONG = {
    "layer_norm": [
        (unbiased, "the variance is divided by D - 1"),
        (epsilon_beside_the_root, "epsilon stands beside the root"),
        (std_plus_epsilon, "it should be D: correction=0; and epsilon stands beside the root"),
        (no_epsilon, "epsilon is missing"),
        (epsilon_of_its_own, "epsilon is missing, or is not the argument"),
        (over_the_tokens, "ran over the tokens"),
        (over_axis_1, "ran over the tokens"),
        (over_the_first_axis, "ran over the tokens"),
        (over_tokens_and_width, "one mean and one variance for all"),
        (over_everything, "one mean and one variance for all"),
        (no_keepdim, "raised RuntimeError"),
        (no_root, "the root is missing"),
        (no_mean, "the mean is not taken off"),
        (rms, "that is RMSNorm"),
        (nothing_learnt, "gamma and beta are not used"),
        (no_beta, "beta is missing"),
        (beta_inside, "beta is multiplied by gamma"),
        (gamma_and_beta_exchanged, "gamma and beta have changed places"),
        (norm_in_place, "changed its input in place"),
        (statistics_detached, "its gradient for x is not"),
        (norm_in_float32, "returned torch.float32, expected torch.float64"),
        (norm_in_numpy, "returned a ndarray"),
    ],
    "pre_norm": [
        (post, "in both lines: the norm comes after the sum: that is post-norm"),
        (stream_normed, "in both lines: the stream itself was normed"),
        (stream_normed_once, "in the line of attention: the stream itself was normed"),
        (no_sums, "in both lines: what the layer says replaces x"),
        (one_sum_missing, "in the line of the MLP: what the layer says replaces x"),
        (first_sum_missing, "in the line of attention: what the layer says replaces x"),
        (no_norms, "in both lines: the norm is missing"),
        (norm_after_the_layer, "in both lines: the norm comes after the layer"),
        (norm1_twice, "norm1 stands before both layers"),
        (norms_exchanged, "norm1 and norm2 have changed places"),
        (side_by_side, "the second line starts from the old x"),
        (old_stream_added, "the second sum adds the old x"),
        (thinking_first, "the MLP comes before attention"),
        (first_line_alone, "only the first line is done"),
        (stream_forgotten, "without the stream"),
        (added_in_place, "changed its input in place"),
        (detached_stream, "its gradient for x is not"),
        (block_called, "raised NotImplementedError"),
    ],
}
RIGHT = {
    "layer_norm": [norm_by_hand, norm_by_moments, norm_by_loop, norm_by_matrix],
    "pre_norm": [pre_norm_with_names, pre_norm_by_loop, pre_norm_in_one, PreNorm()],
}
