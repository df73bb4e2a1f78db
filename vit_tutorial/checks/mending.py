"""The check of the broken block (chapter 04): it counts what is mended and names one
thing that is not.
"""

from collections.abc import Callable
from itertools import product
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.attention import MultiHeadSelfAttention
from vit_tutorial.checks.block import LINE, drawn, slips_of_lines, volumes
from vit_tutorial.checks.core import (
    NotSolved,
    ask,
    called,
    checked,
    compare,
    compare_gradients,
    distinct,
    same,
)

MISTAKES = 4  # in the block of the chapter
NAMES = ("norm1", "attention", "norm2", "mlp")
EPSILON = 1e-6  # of the norms in the block of the chapter


def silent(hidden: Tensor) -> Tensor:
    return hidden


# what bends the numbers after the first and after the second linear layer
BEND = {
    "right": (F.gelu, silent),
    "nothing bends between its two linear layers, and two such layers are no more than one": (
        silent,
        silent,
    ),
    "between its two layers stands a ReLU, not a GELU": (F.relu, silent),
    "the GELU stands behind the second linear layer: it belongs between the two": (
        silent,
        F.gelu,
    ),
    "a GELU stands behind the second linear layer too: what joins the stream should be free to be negative": (
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
        linears = parts(answer, block, D, H)
        drawn(block.to(dtype).train(mode == "train"))
        x = torch.randn(B, T, D, dtype=dtype, requires_grad=True)
        case = f"x of shape {(B, T, D)} and {dtype}, in {mode} mode"
        for name in ("norm1", "norm2"):
            is_the_norm(name, getattr(block, name), x)
        got = ask(block, x, expected="a tensor of shape (B, T, D)", case=case)
        want = whole(block, linears, x)
        name_what_is_left(block, linears, x, got, want)
        named = SimpleNamespace(
            norm1=block.norm1,
            attention=block.attention,
            norm2=block.norm2,
            mlp=lambda x, linears=linears: linears[1](F.gelu(linears[0](x))),
        )
        compare(block, got, want, slips_of_lines(named, x, mode), case)
        compare_gradients(block, got, want, {"x": x} | dict(block.named_parameters()))
    return "all four mistakes are mended, and the block is the package's"


def parts(answer: Callable, block: object, dim: int, heads: int) -> list[nn.Linear]:
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
    sizes = [(layer.in_features, layer.out_features) for layer in linears]
    if sizes != [(dim, 4 * dim), (4 * dim, dim)]:
        raise NotSolved(
            f"the linear layers of mlp go {sizes}, expected"
            f" {[(dim, 4 * dim), (4 * dim, dim)]}"
        )
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
    four = {
        id(value) for name in NAMES[:3] for value in getattr(block, name).parameters()
    }
    four |= {id(value) for layer in linears for value in layer.parameters()}
    more = [name for name, value in block.named_parameters() if id(value) not in four]
    if more:
        raise NotSolved(
            f"the block has more numbers to learn than a block has: {', '.join(more)}"
        )
    return linears


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


def whole(
    block: nn.Module,
    linears: list[nn.Linear],
    x: Tensor,
    first: str = "right",
    second: str = "right",
    bend: str = "right",
) -> Tensor:
    inner, outer = BEND[bend]

    def mlp(x: Tensor) -> Tensor:
        return outer(linears[1](inner(linears[0](x))))

    return LINE[second](LINE[first](x, block.attention, block.norm1), mlp, block.norm2)


def name_what_is_left(
    block: nn.Module, linears: list[nn.Linear], x: Tensor, got: object, want: Tensor
) -> None:
    """Raise NotSolved with the count of what is mended and one thing that is not, where
    `got` tells what it is.
    """
    shared = {id(value) for value in block.norm1.parameters()} & {
        id(value) for value in block.norm2.parameters()
    }
    for first, second, bend in product(LINE, LINE, BEND):
        left = [
            f"{where}: {slip}"
            for where, slip in (
                ("in the line of attention", first),
                ("in the line of the MLP", second),
                ("in the MLP", bend),
            )
            if slip != "right"
        ]
        if block.norm1 is block.norm2:
            left.append(
                "norm1 and norm2 are one layer under two names: each has numbers of its"
                " own to learn"
            )
        elif shared:
            left.append(
                "norm1 and norm2 are two layers that share their numbers: each has its"
                " own to learn"
            )
        found = (
            want
            if (first, second, bend) == ("right",) * 3
            else whole(block, linears, x, first, second, bend)
        )
        if left and isinstance(got, Tensor) and same(got, found):
            if len(left) == MISTAKES:
                raise NotSolved(
                    "all four mistakes are still in it. What should come out if a layer"
                    " says nothing but 0?"
                )
            raise NotSolved(
                f"{MISTAKES - len(left)} of {MISTAKES} mistakes are mended; {left[0]}"
            )
