"""The check of the broken block (chapter 04): it counts what is mended and names one thing that is not."""

from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.checks.block import LINE, drawn
from vit_tutorial.checks.core import NotSolved, ask, called, checked, compare, compare_gradients, distinct, same

MISTAKES = 4  # in the block of the chapter
NAMES = ("norm1", "attention", "norm2", "mlp")


def silent(hidden: Tensor) -> Tensor:
    return hidden


# what bends the numbers after the first and after the second linear layer
BEND = {
    "right": (F.gelu, silent),
    "nothing bends between its two linear layers, and two such layers are no more than one": (silent, silent),
    "between its two layers stands a ReLU, not a GELU": (F.relu, silent),
    "the GELU stands behind the second linear layer: it belongs between the two": (silent, F.gelu),
    "a GELU stands behind the second linear layer too: what joins the stream should be free to be negative": (
        F.gelu,
        F.gelu,
    ),
}


@checked
def mended(answer: Callable) -> str:
    """A class whose blocks, made of (dim, heads), are pre-norm encoder blocks: (B, T, D) -> (B, T, D)."""
    if isinstance(answer, nn.Module):
        raise NotSolved(f"a block was given: hand over the class, {called(answer)}, and the check makes its own blocks")
    for training in (True, False):
        B, H, K = distinct(3, 2, 5)
        T, D = 7, H * K
        block = ask(answer, D, H, expected="a block", case=f"dim={D} and heads={H}")
        linears = parts(answer, block, D)
        if getattr(block.attention, "heads", H) != H:
            raise NotSolved(f"attention has heads={block.attention.heads}, heads={H} was asked for")
        drawn(block.train(training))
        x = torch.randn(B, T, D, requires_grad=True)
        case = f"x of shape {(B, T, D)}, in {'train' if training else 'eval'} mode"
        got = ask(block, x, expected="a tensor of shape (B, T, D)", case=case)
        want = whole(block, linears, x)
        name_what_is_left(block, linears, x, got, want)
        compare(block, got, want, None, case)
        compare_gradients(block, got, want, {"x": x} | dict(block.named_parameters()))
    return "all four mistakes are mended, and the block is the package's"


def parts(answer: Callable, block: object, dim: int) -> list[nn.Linear]:
    """The two linear layers of the block's MLP; NotSolved where the block is not made of the parts it should have."""
    if not isinstance(block, nn.Module):
        raise NotSolved(f"{called(answer)}(dim, heads) made a {type(block).__name__}, an nn.Module was expected")
    missing = [name for name in NAMES if not isinstance(getattr(block, name, None), nn.Module)]
    if missing:
        raise NotSolved(f"the block has no layer called {' or '.join(missing)}: keep the names of the four")
    linears = [layer for layer in block.mlp.modules() if isinstance(layer, nn.Linear)]
    sizes = [(layer.in_features, layer.out_features) for layer in linears]
    if sizes != [(dim, 4 * dim), (4 * dim, dim)]:
        raise NotSolved(f"the linear layers of mlp go {sizes}, expected {[(dim, 4 * dim), (4 * dim, dim)]}")
    return linears


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


def name_what_is_left(block: nn.Module, linears: list[nn.Linear], x: Tensor, got: object, want: Tensor) -> None:
    """Raise NotSolved with the count of what is mended and one thing that is not, where `got` tells what it is."""
    shared = {id(value) for value in block.norm1.parameters()} & {id(value) for value in block.norm2.parameters()}
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
        if shared:
            left.append("norm1 and norm2 are one layer under two names: each has numbers of its own to learn")
        found = want if (first, second, bend) == ("right",) * 3 else whole(block, linears, x, first, second, bend)
        if left and isinstance(got, Tensor) and same(got, found):
            if len(left) == MISTAKES:
                raise NotSolved(
                    "all four mistakes are still in it. What should come out if a layer says nothing but 0?"
                )
            raise NotSolved(f"{MISTAKES - len(left)} of {MISTAKES} mistakes are mended; {left[0]}")
