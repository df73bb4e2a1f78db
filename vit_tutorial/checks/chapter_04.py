"""Checks of chapter 04: LayerNorm by hand, the two lines of a block, and a broken block
to mend.
"""

import math
from collections.abc import Callable
from functools import partial
from itertools import product
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.attention import MultiHeadSelfAttention
from vit_tutorial.block import FeedForward
from vit_tutorial.checks.harness import (
    NotSolved,
    Watching,
    ask,
    called,
    checked,
    combined,
    compare,
    compare_gradients,
    distinct,
    listed,
    randomize,
    same,
)
from vit_tutorial.checks.state import in_two_modes

# the two lines of a block, and what becomes of each where sum and norm stand elsewhere
LINE = {
    "right": lambda x, layer, norm: x + layer(norm(x)),
    "the stream itself was normed, x = norm(x): norm a copy, on its way into the"
    " layer": lambda x, layer, norm: norm(x) + layer(norm(x)),
    "what the layer says replaces x: the sum is missing": lambda x, layer, norm: layer(
        norm(x)
    ),
    "the norm comes after the sum: that is post-norm": lambda x, layer, norm: norm(
        x + layer(x)
    ),
    "the norm is missing": lambda x, layer, norm: x + layer(x),
    "the norm comes after the layer: it belongs before it": lambda x, layer, norm: (
        x + norm(layer(x))
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
        compare_norms(answer, shape)
    # tokens that are all mean, so that epsilon alone divides
    x = torch.randn(T, 1).expand(T, D)
    gamma, beta = torch.randn(2, D)
    case = f"tokens of {D} equal numbers and epsilon = 0.50"
    with Watching() as watching:
        got = ask(answer, x, gamma, beta, 0.5, expected="a tensor", case=case)
    compare(answer, got, beta.expand(T, D), None, case)
    if any(function in ALL_DONE for function in watching.seen):
        raise NotSolved(
            "the numbers are right, but PyTorch's own layer_norm did the work: do it by"
            " hand, from the formula"
        )
    return (
        "mean, variance, epsilon, gamma and beta are PyTorch's, and so are the"
        " gradients"
    )


def compare_norms(answer: Callable, shape: tuple[int, ...]) -> None:
    """Raise NotSolved unless the answer norms tokens of `shape` (..., D) as PyTorch
    does.
    """
    D = shape[-1]
    dtype = torch.float64 if len(shape) == 3 else torch.float32
    bare = torch.randn(shape, dtype=dtype) + torch.randn(D, dtype=dtype)
    x = (volumes(shape, 0.03) * bare).requires_grad_()
    gamma, beta = (value.requires_grad_() for value in torch.randn(2, D, dtype=dtype))
    # large, so that it shows where it stands
    epsilon = 0.2 + 0.6 * torch.rand(()).item()
    case = f"x of shape {shape} and epsilon = {epsilon:.2f}"
    expected = "a tensor of the shape of x, (..., D),"
    got = ask(answer, x, gamma, beta, epsilon, expected=expected, case=case)
    want = F.layer_norm(x, (D,), gamma, beta, epsilon)
    told = 1 < len(shape) < 5
    mistakes = wrong_norms(x, gamma, beta, epsilon) if told else None
    compare(answer, got, want, mistakes, case)
    compare_gradients(answer, got, want, {"x": x, "gamma": gamma, "beta": beta})


# what the exercise is to be solved without
ALL_DONE = (F.layer_norm, torch.layer_norm, torch.native_layer_norm)


def volumes(shape: tuple[int, ...], quietest: float) -> Tensor:
    """A loudness (..., 1) for each token of `shape` (..., D): a quiet one tells where
    epsilon stands.
    """
    return torch.linspace(quietest, 3, math.prod(shape[:-1])).view(*shape[:-1], 1)


NORMS = {
    "axis": {
        "mean and variance ran over the tokens: each token is normed over its own D"
        " numbers, dim=-1": -2,
        "mean and variance ran over the batch: each token is normed over its own D"
        " numbers, dim=-1": 0,
        "mean and variance ran over tokens and numbers together: the last axis alone,"
        " dim=-1": (
            -2,
            -1,
        ),
        "one mean and one variance for all: each token has its own, over dim=-1 with"
        " keepdim=True": None,
    },
    "correction": {
        "the variance is divided by D - 1, the default of var and std; it should be D:"
        " correction=0": 1
    },
    "centre": {
        "the mean is not taken off: that is x / sqrt(variance +"
        " epsilon)": lambda x, mu: x,
        "the mean is added: it should be taken off": lambda x, mu: x + mu,
        "the mean is that of the whole x: each token has its own": lambda x, mu: (
            x - x.mean()
        ),
    },
    "divide": {
        "epsilon stands beside the root: it belongs inside, sqrt(variance +"
        " epsilon)": lambda var, eps, x: var.sqrt() + eps,
        "epsilon is missing, or is not the argument but a number of your"
        " own": lambda var, eps, x: var.sqrt(),
        "epsilon is missing, or is not the argument: 1e-5 is PyTorch's"
        " own": lambda var, eps, x: (var + 1e-5).sqrt(),
        "the larger of variance and epsilon is taken: epsilon is added to the variance,"
        " in the root": lambda var, eps, x: var.clamp(min=eps).sqrt(),
        "the root is missing: divide by sqrt(variance + epsilon), not by the"
        " variance": lambda var, eps, x: var + eps,
        "epsilon is squared: it is added to the variance as it"
        " is": lambda var, eps, x: (var + eps**2).sqrt(),
        "the root multiplies: it should divide": lambda var, eps, x: (
            var + eps
        ).rsqrt(),
        "the variance is that of the whole x: each token has its"
        " own": lambda var, eps, x: (x.var(correction=0) + eps).sqrt(),
        "the sum of the squares divides: the variance is their"
        " mean": lambda var, eps, x: (x.shape[-1] * var + eps).sqrt(),
        "the token's length divides: the variance is a mean of squares, and epsilon"
        " joins it in the root": lambda var, eps, x: (x.shape[-1] * var).sqrt() + eps,
        "nothing divides: the mean is off, the size is as it was": lambda var, eps, x: (
            1.0
        ),
    },
    "learnt": {
        "gamma and beta are not used": lambda normed, gamma, beta: normed,
        "beta is missing: it is added last": lambda normed, gamma, beta: gamma * normed,
        "gamma is missing: it multiplies, before beta is"
        " added": lambda normed, gamma, beta: normed + beta,
        "beta is multiplied by gamma: first gamma times x, then plus"
        " beta": lambda normed, gamma, beta: gamma * (normed + beta),
        "gamma and beta have changed places: gamma multiplies, beta is"
        " added": lambda normed, gamma, beta: beta * normed + gamma,
        "beta is taken away: it is added": lambda normed, gamma, beta: (
            gamma * normed - beta
        ),
        "gamma divides: it multiplies": lambda normed, gamma, beta: (
            normed / gamma + beta
        ),
        "gamma is counted from 1: it multiplies as it is": lambda normed, gamma, beta: (
            (1 + gamma) * normed + beta
        ),
    },
}


def normed(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    epsilon: float,
    axis: int | tuple[int, ...] | None = -1,
    correction: int = 0,
    centre: Callable = lambda x, mu: x - mu,
    divide: Callable = lambda var, eps, x: (var + eps).sqrt(),
    learnt: Callable = lambda normed, gamma, beta: gamma * normed + beta,
) -> Tensor:
    """The norm of x; the last five arguments are the places where one may slip."""
    mu = x.mean(dim=axis, keepdim=True)
    variance = x.var(dim=axis, keepdim=True, correction=correction)
    return learnt(centre(x, mu) / divide(variance, epsilon, x), gamma, beta)


def wrong_norms(
    x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> dict[str, Tensor]:
    """What the usual mistakes make of x (..., D): sentence -> tensor."""
    axes = {
        said: axis
        for said, axis in NORMS["axis"].items()
        if x.ndim > 2 or axis in (-2, None)
    }
    rms = gamma * x / (x.square().mean(dim=-1, keepdim=True) + epsilon).sqrt()
    said = "the mean is not taken off, and the mean square divides: that is RMSNorm"
    form = partial(normed, x, gamma, beta, epsilon)
    return {said: rms + beta, f"{said}, without beta": rms} | combined(
        form, NORMS | {"axis": axes}
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
            "mlp": FeedForward(D, 3 * D),
        }
        block = nn.ModuleDict(layers).to(dtype)
        randomize(in_two_modes(block, mode == "train"))
        x = torch.randn(B, T, D, dtype=dtype, requires_grad=True)
        case = f"x of shape {(B, T, D)}, with the block in {mode} mode"
        expected = "a tensor of shape (B, T, D)"
        got = ask(answer, block, x, expected=expected, case=case, noun="block")
        want = two_lines(block, x)
        compare(answer, got, want, wrong_lines(block, x, mode), case)
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


WRONG_LINES = [mistake for mistake in LINE if mistake != "right"]
LINES = {
    "first": {
        f"in the line of attention: {mistake}": mistake for mistake in WRONG_LINES
    },
    "second": {
        f"in the line of the MLP: {mistake}": mistake for mistake in WRONG_LINES
    },
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
OTHER_LINES = {
    "only the first line is done: what comes of it goes on into the"
    " second": lambda talked: talked,
    "only the line of the MLP is done: attention comes first": lambda x, thought: (
        x + thought
    ),
    "the second line starts from the old x: it should start from what the first line"
    " made": lambda talked, thought: talked + thought,
    "the second sum adds the old x: it should add what the first line"
    " made": lambda block, x, talked: x + block.mlp(block.norm2(talked)),
    "the MLP comes before attention: attention is the first"
    " line": lambda block, x, thought: (
        x + thought + block.attention(block.norm1(x + thought))
    ),
    "the MLP comes before attention, under attention's norm: attention is the first"
    " line": lambda block, thought_first: (
        thought_first + block.attention(block.norm2(thought_first))
    ),
    "attention stands in both lines: in the second the MLP"
    " thinks": lambda block, talked: talked + block.attention(block.norm2(talked)),
    "a norm follows at the end: in pre-norm the last thing is a sum": lambda block, x: (
        block.norm2(two_lines(block, x))
    ),
    "the stream is in neither sum: two answers are added to each"
    " other": lambda told, thought: told + thought,
    "this is what attention says, not what becomes of x": lambda told: told,
    "x came back as it was": lambda x: x,
    "the second line hears what attention said, without the"
    " stream": lambda block, x, told: x + block.mlp(block.norm2(told)),
}


def wrong_lines(
    block: nn.Module | SimpleNamespace, x: Tensor, mode: str
) -> dict[str, Tensor]:
    """What the usual mistakes make of x: sentence -> tensor."""
    # the same mistake in both lines is one thought, and said once
    twice = {
        f"in both lines: {mistake}": two_lines(block, x, mistake, mistake)
        for mistake in WRONG_LINES
    }
    told = block.attention(block.norm1(x))
    others = listed(
        OTHER_LINES,
        block=block,
        x=x,
        told=told,
        talked=x + told,
        thought=block.mlp(block.norm2(x)),
        thought_first=x + block.mlp(block.norm1(x)),
    )
    found = twice | combined(partial(two_lines, block, x), LINES) | others
    where = "in eval mode: " if mode == "eval" else ""
    return {where + mistake: value for mistake, value in found.items()}


# ---- the broken block


MISTAKES = 4  # in the block of the chapter
NAMES = ("norm1", "attention", "norm2", "mlp")
EPSILON = 1e-6  # of the norms in the block of the chapter


def silent(hidden: Tensor) -> Tensor:
    return hidden


# what stands after the first and after the second linear layer
ACTIVATION = {
    "right": (F.gelu, silent),
    "nothing bends between its two linear layers, and two such layers are no more than"
    " one": (
        silent,
        silent,
    ),
    "between its two layers stands a ReLU, not a GELU": (F.relu, silent),
    "the GELU stands behind the second linear layer: it belongs between the two": (
        silent,
        F.gelu,
    ),
    "a GELU stands behind the second linear layer too: what joins the stream should be"
    " free to be negative": (
        F.gelu,
        F.gelu,
    ),
}


@checked
def mended(answer: Callable) -> str:
    """A class whose blocks, made of (dim, heads), are pre-norm encoder blocks: (B, T,
    D) -> (B, T, D).
    """
    if isinstance(answer, nn.Module):
        raise NotSolved(
            f"a block was given: hand over the class, {called(answer)}, and the check"
            " makes its own blocks"
        )
    batch, *sizes = distinct(5, 2, 7)
    for B, T, (H, K), mode, dtype in (
        (batch, 11, sizes[:2], "train", torch.float32),
        (1, 13, sizes[2:], "eval", torch.float64),
    ):
        D = H * K
        block = ask(answer, D, H, expected="a block", case=f"dim={D} and heads={H}")
        linears = linears_of(answer, block, D, H)
        randomize(block.to(dtype).train(mode == "train"))
        x = torch.randn(B, T, D, dtype=dtype, requires_grad=True)
        case = f"x of shape {(B, T, D)} and {dtype}, in {mode} mode"
        for name in ("norm1", "norm2"):
            is_the_norm(name, getattr(block, name), x)
        got = ask(block, x, expected="a tensor of shape (B, T, D)", case=case)
        want = with_mistakes(block, linears, x)
        name_what_is_left(block, linears, x, got, want)
        named = SimpleNamespace(
            norm1=block.norm1,
            attention=block.attention,
            norm2=block.norm2,
            mlp=lambda x, linears=linears: linears[1](F.gelu(linears[0](x))),
        )
        compare(block, got, want, wrong_lines(named, x, mode), case)
        compare_gradients(block, got, want, {"x": x} | dict(block.named_parameters()))
    return "all four mistakes are mended, and the block is the package's"


def linears_of(
    answer: Callable, block: object, dim: int, heads: int
) -> list[nn.Linear]:
    """The two linear layers of the block's MLP; NotSolved where the block is not made
    of the parts it should have.
    """
    if not isinstance(block, nn.Module):
        raise NotSolved(
            f"{called(answer)}(dim, heads) made a {type(block).__name__}, an nn.Module"
            " was expected"
        )
    missing = [
        name for name in NAMES if not isinstance(getattr(block, name, None), nn.Module)
    ]
    if missing:
        raise NotSolved(
            f"the block has no layer called {' or '.join(missing)}: keep the names of"
            " the four"
        )
    linears = [layer for layer in block.mlp.modules() if isinstance(layer, nn.Linear)]
    compare_layers(block, linears, dim, heads)
    compare_norm_sizes(block, dim)
    parts = [*(getattr(block, name) for name in NAMES[:3]), *linears]
    four = {id(value) for part in parts for value in part.parameters()}
    more = [name for name, value in block.named_parameters() if id(value) not in four]
    if more:
        raise NotSolved(
            f"the block has more numbers to learn than a block has: {', '.join(more)}"
        )
    return linears


def compare_layers(
    block: nn.Module, linears: list[nn.Linear], dim: int, heads: int
) -> None:
    """Raise NotSolved unless MLP and attention have the sizes that they should have."""
    sizes = [(layer.in_features, layer.out_features) for layer in linears]
    expected = [(dim, 4 * dim), (4 * dim, dim)]
    if sizes != expected:
        raise NotSolved(f"the linear layers of mlp go {sizes}, expected {expected}")
    if any(layer.bias is None for layer in linears):
        raise NotSolved("a linear layer of mlp has lost its bias: both had one")
    if getattr(block.attention, "heads", heads) != heads:
        raise NotSolved(
            f"attention has heads={block.attention.heads}, heads={heads} was asked for"
        )
    mine, right = (
        {name: tuple(value.shape) for name, value in layer.named_parameters()}
        for layer in (block.attention, MultiHeadSelfAttention(dim, heads))
    )
    if mine != right:
        raise NotSolved(
            f"attention has the numbers {mine}, expected {right}:"
            " MultiHeadSelfAttention was right"
        )


def compare_norm_sizes(block: nn.Module, dim: int) -> None:
    """Raise NotSolved unless both norms have a scale and a shift to learn."""
    for name in ("norm1", "norm2"):
        norm = getattr(block, name)
        if isinstance(norm, nn.Identity):
            raise NotSolved(
                f"{name} is nn.Identity, which hands on what it gets: the norm is"
                " missing"
            )
        if [tuple(value.shape) for value in norm.parameters()] != [(dim,), (dim,)]:
            raise NotSolved(
                f"{name} is {norm}: a LayerNorm was expected, with two vectors of dim"
                " numbers to learn, scale and shift"
            )


def is_the_norm(name: str, norm: nn.Module, x: Tensor) -> None:
    """Raise NotSolved unless `norm` is the LayerNorm of the chapter, epsilon included:
    quiet tokens tell.
    """
    quiet = (x * volumes(x.shape, EPSILON**0.5)).detach()
    gamma, beta = norm.parameters()
    got = ask(
        norm,
        quiet,
        expected="a tensor of shape (B, T, D)",
        case=f"{name} and tokens of shape {tuple(x.shape)}",
    )
    want, other = (
        F.layer_norm(quiet, x.shape[-1:], *order, EPSILON)
        for order in ((gamma, beta), (beta, gamma))
    )
    if not isinstance(got, Tensor) or not (same(got, want) or same(got, other)):
        raise NotSolved(
            f"{name} is {norm}, not the norm of the block you were given: LayerNorm"
            " with eps=1e-6"
        )


def with_mistakes(
    block: nn.Module,
    linears: list[nn.Linear],
    x: Tensor,
    first: str = "right",
    second: str = "right",
    activation: str = "right",
) -> Tensor:
    inner, outer = ACTIVATION[activation]

    def mlp(x: Tensor) -> Tensor:
        return outer(linears[1](inner(linears[0](x))))

    return LINE[second](LINE[first](x, block.attention, block.norm1), mlp, block.norm2)


def one_norm_for_both(block: nn.Module) -> list[str]:
    """The sentence on norms that are one, or share their numbers."""
    if block.norm1 is block.norm2:
        return [
            "norm1 and norm2 are one layer under two names: each has numbers of its own"
            " to learn"
        ]
    first, second = (
        {id(value) for value in norm.parameters()}
        for norm in (block.norm1, block.norm2)
    )
    if first & second:
        return [
            "norm1 and norm2 are two layers that share their numbers: each has its own"
            " to learn"
        ]
    return []


def name_what_is_left(
    block: nn.Module, linears: list[nn.Linear], x: Tensor, got: object, want: Tensor
) -> None:
    """Raise NotSolved with the count of what is mended and one thing that is not, where
    `got` tells what it is.
    """
    shared = one_norm_for_both(block)
    places = ("in the line of attention", "in the line of the MLP", "in the MLP")
    for mistakes in product(LINE, LINE, ACTIVATION):
        left = [
            f"{where}: {mistake}"
            for where, mistake in zip(places, mistakes, strict=True)
            if mistake != "right"
        ]
        found = with_mistakes(block, linears, x, *mistakes) if left else want
        left += shared
        if left and isinstance(got, Tensor) and same(got, found):
            if len(left) == MISTAKES:
                raise NotSolved(
                    "all four mistakes are still in it. What should come out if a layer"
                    " says nothing but 0?"
                )
            raise NotSolved(
                f"{MISTAKES - len(left)} of {MISTAKES} mistakes are mended; {left[0]}"
            )
