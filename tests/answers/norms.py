"""Answers to LayerNorm by hand (chapter 04)."""

import torch
import torch.nn.functional as F


def two(x):
    """Mean and variance of each token."""
    return x.mean(dim=-1, keepdim=True), x.var(dim=-1, keepdim=True, correction=0)


def unbiased(x, gamma, beta, epsilon):
    return (
        gamma
        * (x - x.mean(-1, keepdim=True))
        / (x.var(-1, keepdim=True) + epsilon).sqrt()
        + beta
    )


def epsilon_beside_the_root(x, gamma, beta, epsilon):
    mu, sigma2 = two(x)
    return gamma * (x - mu) / (sigma2.sqrt() + epsilon) + beta


def std_plus_epsilon(x, gamma, beta, epsilon):
    return (
        gamma * (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + epsilon)
        + beta
    )


def no_epsilon(x, gamma, beta, epsilon):
    mu, sigma2 = two(x)
    return gamma * (x - mu) / sigma2.sqrt() + beta


def epsilon_of_its_own(x, gamma, beta, epsilon):
    return F.layer_norm(x, x.shape[-1:], gamma, beta)


def over_the_tokens(x, gamma, beta, epsilon):
    mu = x.mean(dim=-2, keepdim=True)
    sigma2 = x.var(dim=-2, keepdim=True, correction=0)
    return gamma * (x - mu) / (sigma2 + epsilon).sqrt() + beta


def over_axis_1(x, gamma, beta, epsilon):
    mu = x.mean(dim=1, keepdim=True)
    sigma2 = x.var(dim=1, keepdim=True, correction=0)
    return gamma * (x - mu) / (sigma2 + epsilon).sqrt() + beta


def over_the_first_axis(x, gamma, beta, epsilon):
    mu = x.mean(dim=0, keepdim=True)
    sigma2 = x.var(dim=0, keepdim=True, correction=0)
    return gamma * (x - mu) / (sigma2 + epsilon).sqrt() + beta


def over_tokens_and_width(x, gamma, beta, epsilon):
    normed = F.layer_norm(x, x.shape[-2:], eps=epsilon)
    return gamma * normed + beta


def over_everything(x, gamma, beta, epsilon):
    return gamma * (x - x.mean()) / (x.var(correction=0) + epsilon).sqrt() + beta


def no_keepdim(x, gamma, beta, epsilon):
    return (
        gamma * (x - x.mean(dim=-1)) / (x.var(dim=-1, correction=0) + epsilon).sqrt()
        + beta
    )


def no_root(x, gamma, beta, epsilon):
    mu, sigma2 = two(x)
    return gamma * (x - mu) / (sigma2 + epsilon) + beta


def length(x, gamma, beta, epsilon):
    centred = x - x.mean(dim=-1, keepdim=True)
    return gamma * centred / (centred.norm(dim=-1, keepdim=True) + epsilon) + beta


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


def axes_lost(x, gamma, beta, epsilon):
    return F.layer_norm(x, x.shape[-1:], gamma, beta, epsilon).squeeze()


def one_axis_too_few(x, gamma, beta, epsilon):
    tokens = x.flatten(0, -2)
    return F.layer_norm(tokens, x.shape[-1:], gamma, beta, epsilon).view_as(x)


def four_axes_at_most(x, gamma, beta, epsilon):
    if x.ndim > 4:
        raise ValueError("too many axes")
    return F.layer_norm(x, x.shape[-1:], gamma, beta, epsilon)


def epsilon_as_a_floor(x, gamma, beta, epsilon):
    mu, sigma2 = two(x)
    return gamma * (x - mu) / sigma2.clamp(min=epsilon).sqrt() + beta


def norm_by_hand(x, gamma, beta, epsilon):
    mu = x.mean(dim=-1, keepdim=True)
    sigma2 = ((x - mu) ** 2).sum(dim=-1, keepdim=True) / x.shape[-1]
    return gamma * (x - mu) * (sigma2 + epsilon).rsqrt() + beta


def norm_by_moments(tokens, scale, shift, eps):
    mu = tokens.mean(-1)[..., None]
    mean_square = tokens.pow(2).mean(-1)[..., None]
    return torch.addcmul(
        shift, (tokens - mu) / torch.sqrt(mean_square - mu**2 + eps), scale
    )


def norm_by_loop(x, gamma, beta, epsilon):
    rows = []
    for token in x.reshape(-1, x.shape[-1]):
        variance, mu = torch.var_mean(token, unbiased=False)
        rows.append(gamma * (token - mu) / (variance + epsilon) ** 0.5 + beta)
    return torch.stack(rows).view_as(x)


def norm_by_matrix(x, gamma, beta, epsilon):
    """Taking the mean off is a product with I - 1/D."""
    D = x.shape[-1]
    centred = x @ (torch.eye(D, dtype=x.dtype) - 1 / D)
    return (
        gamma
        * centred
        / torch.hypot(
            centred.norm(dim=-1, keepdim=True) / D**0.5, torch.tensor(epsilon**0.5)
        )
        + beta
    )


WRONG = {
    "layer_norm": [
        (unbiased, "the variance is divided by D - 1"),
        (epsilon_beside_the_root, "epsilon stands beside the root"),
        (
            std_plus_epsilon,
            "it should be D: correction=0; and epsilon stands beside the root",
        ),
        (no_epsilon, "epsilon is missing"),
        (epsilon_of_its_own, "epsilon is missing, or is not the argument"),
        (over_the_tokens, "ran over the tokens"),
        (over_axis_1, "ran over the tokens"),
        (over_the_first_axis, "ran over the tokens"),
        (over_tokens_and_width, "one mean and one variance for all"),
        (over_everything, "one mean and one variance for all"),
        (no_keepdim, "raised RuntimeError"),
        (no_root, "the root is missing"),
        (length, "the token's length divides"),
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
        (axes_lost, "returned shape"),
        (one_axis_too_few, "raised IndexError"),
        (four_axes_at_most, "raised ValueError: too many axes"),
        (epsilon_as_a_floor, "the larger of variance and epsilon is taken"),
    ],
}
RIGHT = {
    "layer_norm": [norm_by_hand, norm_by_moments, norm_by_loop, norm_by_matrix],
}
