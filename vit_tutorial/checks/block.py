"""The checks of chapter 04: LayerNorm by hand, and the two lines of a block."""

import math
from collections.abc import Callable
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.attention import MultiHeadSelfAttention
from vit_tutorial.block import FeedForward
from vit_tutorial.checks.core import (
    NotSolved,
    Watching,
    ask,
    checked,
    compare,
    compare_gradients,
    distinct,
)
from vit_tutorial.checks.slips import slips
from vit_tutorial.checks.state import in_two_modes

# the two lines of a block, and what becomes of each where sum and norm stand elsewhere
LINE = {
    "right": lambda x, layer, norm: x + layer(norm(x)),
    "the stream itself was normed, x = norm(x): norm a copy, on its way into the layer": (
        lambda x, layer, norm: norm(x) + layer(norm(x))
    ),
    "what the layer says replaces x: the sum is missing": lambda x, layer, norm: layer(
        norm(x)
    ),
    "the norm comes after the sum: that is post-norm": lambda x, layer, norm: norm(
        x + layer(x)
    ),
    "the norm is missing": lambda x, layer, norm: x + layer(x),
    "the norm comes after the layer: it belongs before it": (
        lambda x, layer, norm: x + norm(layer(x))
    ),
    "both sum and norm are missing": lambda x, layer, norm: layer(x),
}


@checked
def layer_norm(answer: Callable) -> str:
    """my_layer_norm(x, gamma, beta, epsilon): (..., D) -> (..., D), each token normed
    on its own.
    """
    A, B, T = distinct(3, 4, 8)
    (D,) = distinct(1, 9, 12)
    for shape in ((T, D), (B, T, D), (A, B, T, D), (D,), (1, A, 1, T, D)):
        dtype = torch.float64 if len(shape) == 3 else torch.float32
        x = volumes(shape, 0.15) * (
            torch.randn(shape, dtype=dtype) + torch.randn(D, dtype=dtype)
        )
        x.requires_grad_()
        gamma, beta = torch.randn(2, D, dtype=dtype)
        inputs = {
            "x": x,
            "gamma": gamma.requires_grad_(),
            "beta": beta.requires_grad_(),
        }
        # large, so that it shows where it stands
        epsilon = 0.2 + 0.6 * torch.rand(()).item()
        case = f"x of shape {shape} and epsilon = {epsilon:.2f}"
        got = ask(
            answer,
            *inputs.values(),
            epsilon,
            expected="a tensor of the shape of x, (..., D),",
            case=case,
        )
        want = F.layer_norm(x, (D,), gamma, beta, epsilon)
        compare(
            answer,
            got,
            want,
            slips_of_norm(x, gamma, beta, epsilon) if 1 < len(shape) < 5 else None,
            case,
        )
        compare_gradients(answer, got, want, inputs)
    # tokens that are all mean, so that epsilon alone divides
    x = torch.randn(T, 1).expand(T, D)
    case = f"tokens of {D} equal numbers and epsilon = {epsilon:.2f}"
    with Watching() as watching:
        got = ask(
            answer,
            x,
            gamma.float(),
            beta.float(),
            epsilon,
            expected="a tensor",
            case=case,
        )
    compare(answer, got, beta.detach().float().expand(T, D), None, case)
    if any(function in ALL_DONE for function in watching.seen):
        raise NotSolved(
            "the numbers are right, but PyTorch's own layer_norm did the work: do it by"
            " hand, from the formula"
        )
    return (
        "mean, variance, epsilon, gamma and beta are PyTorch's, and so are the"
        " gradients"
    )


# what the exercise is to be solved without
ALL_DONE = (F.layer_norm, torch.layer_norm, torch.native_layer_norm)


def volumes(shape: tuple[int, ...], quietest: float) -> Tensor:
    """A loudness (..., 1) for each token of `shape` (..., D): a quiet one tells where
    epsilon stands.
    """
    return torch.linspace(quietest, 3, math.prod(shape[:-1])).view(*shape[:-1], 1)


def slips_of_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> dict[str, Tensor]:
    every = tuple(range(x.ndim))
    D = x.shape[-1]

    def form(
        axis: int | tuple[int, ...] = -1,
        correction: int = 0,
        centre: Callable = lambda x, mu: x - mu,
        divide: Callable = lambda sigma2: (sigma2 + epsilon).sqrt(),
        learnt: Callable = lambda normed: gamma * normed + beta,
    ) -> Tensor:
        mu = x.mean(dim=axis, keepdim=True)
        return learnt(
            centre(x, mu) / divide(x.var(dim=axis, keepdim=True, correction=correction))
        )

    axes = {
        "mean and variance ran over the tokens: each token is normed over its own D numbers, dim=-1": (
            -2
        )
    }
    if x.ndim > 2:
        axes[
            "mean and variance ran over the batch: each token is normed over its own D"
            " numbers, dim=-1"
        ] = 0
        axes[
            "mean and variance ran over tokens and numbers together: the last axis"
            " alone, dim=-1"
        ] = (-2, -1)
    axes[
        "one mean and one variance for all: each token has its own, over dim=-1 with"
        " keepdim=True"
    ] = every
    rms = (x.square().mean(dim=-1, keepdim=True) + epsilon).sqrt()
    found = {
        "the mean is not taken off, and the mean square divides: that is RMSNorm": (
            gamma * x / rms + beta
        ),
        "the mean is not taken off, and the mean square divides: that is RMSNorm, without beta": (
            gamma * x / rms
        ),
    }
    return found | slips(
        form,
        {
            "axis": axes,
            "correction": {
                "the variance is divided by D - 1, the default of var and std; it should be D: correction=0": (
                    1
                )
            },
            "centre": {
                "the mean is not taken off: that is x / sqrt(variance + epsilon)": (
                    lambda x, mu: x
                ),
                "the mean is added: it should be taken off": lambda x, mu: x + mu,
                "the mean is that of the whole x: each token has its own": (
                    lambda x, mu: x - x.mean()
                ),
            },
            "divide": {
                "epsilon stands beside the root: it belongs inside, sqrt(variance + epsilon)": (
                    lambda sigma2: sigma2.sqrt() + epsilon
                ),
                "epsilon is missing, or is not the argument but a number of your own": (
                    lambda sigma2: sigma2.sqrt()
                ),
                "epsilon is missing, or is not the argument: 1e-5 is PyTorch's own": (
                    lambda sigma2: (sigma2 + 1e-5).sqrt()
                ),
                "the larger of variance and epsilon is taken: epsilon is added to the variance, in the root": (
                    lambda sigma2: sigma2.clamp(min=epsilon).sqrt()
                ),
                "the root is missing: divide by sqrt(variance + epsilon), not by the variance": (
                    lambda sigma2: sigma2 + epsilon
                ),
                "epsilon is squared: it is added to the variance as it is": (
                    lambda sigma2: (sigma2 + epsilon**2).sqrt()
                ),
                "the root multiplies: it should divide": (
                    lambda sigma2: (sigma2 + epsilon).rsqrt()
                ),
                "the variance is that of the whole x: each token has its own": (
                    lambda sigma2: (x.var(correction=0) + epsilon).sqrt()
                ),
                "the sum of the squares divides: the variance is their mean": (
                    lambda sigma2: (D * sigma2 + epsilon).sqrt()
                ),
                "the token's length divides: the variance is a mean of squares, and epsilon joins it in the root": (
                    lambda sigma2: (D * sigma2).sqrt() + epsilon
                ),
                "nothing divides: the mean is off, the size is as it was": (
                    lambda sigma2: torch.ones_like(sigma2)
                ),
            },
            "learnt": {
                "gamma and beta are not used": lambda normed: normed,
                "beta is missing: it is added last": lambda normed: gamma * normed,
                "gamma is missing: it multiplies, before beta is added": (
                    lambda normed: normed + beta
                ),
                "beta is multiplied by gamma: first gamma times x, then plus beta": (
                    lambda n: gamma * (n + beta)
                ),
                "gamma and beta have changed places: gamma multiplies, beta is added": (
                    lambda n: beta * n + gamma
                ),
                "beta is taken away: it is added": lambda normed: gamma * normed - beta,
                "gamma divides: it multiplies": lambda normed: normed / gamma + beta,
                "gamma is counted from 1: it multiplies as it is": (
                    lambda normed: (1 + gamma) * normed + beta
                ),
            },
        },
    )


def drawn(module: nn.Module) -> None:
    """Fill a module with fresh numbers, such that no part of it is silent and no two
    norms are alike.
    """
    for parameter in module.parameters():
        nn.init.normal_(
            parameter, std=parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 1.0
        )


@checked
def pre_norm(answer: Callable) -> str:
    """my_pre_norm(block, x): (B, T, D) -> (B, T, D), equations 2 and 3 with the four
    layers of `block`.
    """
    for mode, dtype, alone in (
        ("train", torch.float32, False),
        ("eval", torch.float64, False),
        ("train", torch.float32, True),
    ):
        B, H, K = distinct(3, 2, 5)
        B = 1 if alone else B
        T = 7
        D = H * K
        layers = {
            "norm1": nn.LayerNorm(D),
            "attention": MultiHeadSelfAttention(D, H),
            "norm2": nn.LayerNorm(D),
        }
        block = nn.ModuleDict(layers | {"mlp": FeedForward(D, 3 * D)}).to(dtype)
        drawn(in_two_modes(block, mode == "train"))
        x = torch.randn(B, T, D, dtype=dtype, requires_grad=True)
        case = f"x of shape {(B, T, D)}, with the block in {mode} mode"
        got = ask(
            answer,
            block,
            x,
            expected="a tensor of shape (B, T, D)",
            case=case,
            noun="block",
        )
        want = two_lines(block, x)
        compare(answer, got, want, slips_of_lines(block, x, mode), case)
        compare_gradients(answer, got, want, {"x": x} | dict(block.named_parameters()))
    return "equal to the package's block, gradients included"


def two_lines(
    block: nn.Module | SimpleNamespace,
    x: Tensor,
    first: str = "right",
    second: str = "right",
    norms: tuple[str, str] = ("norm1", "norm2"),
) -> Tensor:
    x = LINE[first](x, block.attention, getattr(block, norms[0]))
    return LINE[second](x, block.mlp, getattr(block, norms[1]))


def slips_of_lines(
    block: nn.Module | SimpleNamespace, x: Tensor, mode: str
) -> dict[str, Tensor]:
    wrong = [slip for slip in LINE if slip != "right"]
    # the same slip in both lines is one thought, and said once
    found = {
        f"in both lines: {slip}": two_lines(block, x, slip, slip) for slip in wrong
    }
    places = {
        "first": {f"in the line of attention: {slip}": slip for slip in wrong},
        "second": {f"in the line of the MLP: {slip}": slip for slip in wrong},
        "norms": {
            "norm1 stands before both layers: the MLP has its own, norm2": (
                "norm1",
                "norm1",
            ),
            "norm2 stands before both layers: attention has its own, norm1": (
                "norm2",
                "norm2",
            ),
            "norm1 and norm2 have changed places": ("norm2", "norm1"),
        },
    }
    found |= slips(lambda **choices: two_lines(block, x, **choices), places)
    told = block.attention(block.norm1(x))
    thought = block.mlp(block.norm2(x))
    talked = x + told
    thought_first = x + block.mlp(block.norm1(x))
    found |= {
        "only the first line is done: what comes of it goes on into the second": talked,
        "only the line of the MLP is done: attention comes first": x + thought,
        "the second line starts from the old x: it should start from what the first line made": (
            x + told + thought
        ),
        "the second sum adds the old x: it should add what the first line made": (
            x + block.mlp(block.norm2(talked))
        ),
        "the MLP reads the old x: it should read what the first line made": x + thought,
        "the MLP comes before attention: attention is the first line": (
            x + thought + block.attention(block.norm1(x + thought))
        ),
        "the MLP comes before attention, under attention's norm: attention is the first line": (
            thought_first + block.attention(block.norm2(thought_first))
        ),
        "attention stands in both lines: in the second the MLP thinks": (
            talked + block.attention(block.norm2(talked))
        ),
        "a norm follows at the end: in pre-norm the last thing is a sum": block.norm2(
            two_lines(block, x)
        ),
        "the stream is in neither sum: two answers are added to each other": (
            told + thought
        ),
        "this is what attention says, not what becomes of x": told,
        "x came back as it was": x,
        "the second line hears what attention said, without the stream": (
            x + block.mlp(block.norm2(told))
        ),
    }
    return (
        {f"in eval mode: {slip}": value for slip, value in found.items()}
        if mode == "eval"
        else found
    )
