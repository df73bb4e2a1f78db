"""The check of a module that puts tokens together: class token, registers, patches
(chapter 02).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


@checked
def registers(answer: Callable) -> str:
    """`Registers(patches, registers, dim)`: a module, (B, N, D) -> (B, 1 + R + N,
    D).
    """
    name = called(answer)
    if isinstance(answer, nn.Module):
        raise NotSolved(
            f"a module was given: check the class {name} itself, it is made here in"
            " several sizes"
        )
    drawn = distinct(8, 2, 9)
    for sizes in (drawn[:4], drawn[4:]):  # two of each, so that no size is a habit
        compare_registers(answer, *sizes)
    compare_start(answer, *drawn[5:7])
    return (
        f"{1 + drawn[6]} tokens of no patch, one set for any batch, and a place for the"
        " others"
    )


def compare_registers(
    answer: Callable, batch: int, count: int, extra: int, width: int
) -> None:
    """Raise NotSolved unless the module of these sizes does what is asked for, batch by
    batch, in both modes.
    """
    sizes = f"{count} patches, {extra} registers and width {width}"
    module = ask(answer, count, extra, width, expected="a module", case=sizes)
    if not isinstance(module, nn.Module):
        raise NotSolved(
            f"{called(answer)} is no nn.Module, so no optimiser would find its"
            " parameters"
        )
    made = len(list(module.parameters()))
    tokens = torch.randn(batch, count, width)
    black = torch.zeros(batch, count, width)
    started = compare_sizes(module, black, extra)[0]
    parameters = list(module.parameters())
    if len(parameters) > made:
        raise NotSolved(
            "parameters are made in forward, too late for an optimiser: make them in"
            " __init__"
        )
    if not parameters:
        raise NotSolved(
            f"nothing in {called(answer)} can be learned: what it stores must be an"
            " nn.Parameter"
        )
    if not all(parameter.requires_grad for parameter in parameters):
        raise NotSolved(
            "a part of it is frozen: all of it is learned, so requires_grad stays True"
        )
    for parameter in parameters:
        nn.init.normal_(parameter)  # zeros would not show where they went
    base = compare_sizes(module, black, extra)
    if not same(base, module(black)):
        raise NotSolved(
            "the tokens are others at each call: no dropout here, random numbers are"
            " drawn in __init__"
        )
    if not same(base, base[:1].expand_as(base)):
        raise NotSolved(
            "each image gets other class tokens or registers: store one, (1, 1, D), and"
            " expand it to B"
        )
    compare_order(compare_sizes(module, tokens, extra) - base, tokens, extra)
    compare_shares(base, module, extra, width)
    if len(started[1 : 1 + extra].unique(dim=0)) < extra:
        raise NotSolved(
            "the registers start out equal, so they learn the same and stay equal:"
            " start them at random"
        )
    size = started.square().mean(dim=1).sqrt().max().item()
    if size > 0.1:
        raise NotSolved(
            f"a learned token starts at a size of {size:.2g}, expected about 0.02: 0.02"
            " * torch.randn(...)"
        )
    first = base[:1].detach()
    for some in (tokens[:1], torch.randn(batch + 7, count, width)):
        some.requires_grad_()
        got = compare_sizes(module, some, extra)
        want = (
            torch.cat([torch.zeros(len(some), 1 + extra, width), some], dim=1) + first
        )
        compare(module, got, want, case=f"a batch of {len(some)}")
        compare_gradients(module, got, want, {"tokens": some})
    if not same(compare_sizes(module.eval(), some, extra), want):
        raise NotSolved(
            "in eval mode other tokens come out: forward does the same in both modes"
        )
    precise = some.detach().double()
    compare(
        module,
        compare_sizes(module.double(), precise, extra).detach(),
        want.detach().double(),
    )


def compare_start(answer: Callable, count: int, extra: int, width: int = 2048) -> None:
    """Raise NotSolved unless each token starts as loud as it should, told from so many
    numbers that none is by chance.

    The class token is heard with its position, so zero and a start at 0.02 can be told
    apart.
    """
    module = ask(answer, count, extra, width, expected="a module")
    loud = (
        compare_sizes(module, torch.zeros(1, count, width), extra)[0]
        .std(dim=1)
        .tolist()
    )
    names = ["the class token", *["a register"] * extra, *["a position"] * count]
    for name, size in reversed(list(zip(names, loud, strict=True))):
        if not 0.8 < size / 0.02 < 1.2:
            what = f"{name} starts with standard deviation {size:.2g}, expected 0.02"
            also = (
                ", that of its position: itself it starts at zero"
                if name == names[0]
                else ""
            )
            raise NotSolved(f"{what}{also}")


def compare_sizes(module: nn.Module, tokens: Tensor, extra: int) -> Tensor:
    """The tokens that come out. Raises NotSolved unless they are (B, 1 + R + N, D)."""
    batch, count, width = tokens.shape
    case = f"tokens of shape {tuple(tokens.shape)} and {extra} registers"
    got = ask(module, tokens, expected="a tensor of shape (B, 1 + R + N, D)", case=case)
    shape = (batch, 1 + extra + count, width)
    if (
        isinstance(got, Tensor)
        and got.shape != shape
        and (got.shape[0], *got.shape[2:]) == (batch, width)
    ):
        missing = {
            1 + count: "the registers are",
            extra + count: "the class token or one register is",
            count: "class and registers are",
        }
        if got.shape[1] in missing:
            raise NotSolved(
                f"{got.shape[1]} tokens came out, expected {shape[1]}:"
                f" {missing[got.shape[1]]} missing"
            )
    if (
        not isinstance(got, Tensor)
        or got.shape != shape
        or not torch.isfinite(got).all()
        or got.dtype != tokens.dtype
    ):
        compare(module, got, torch.zeros(shape, dtype=tokens.dtype), case=case)
    return got


def compare_order(change: Tensor, tokens: Tensor, extra: int) -> None:
    """Raise NotSolved unless the patches, and nothing else, moved the tokens behind the
    first 1 + R.
    """
    count = tokens.shape[1]
    for start in range(extra + 2):
        if same(change, F.pad(tokens, (0, 0, start, 1 + extra - start))):
            if start == 1 + extra:
                return
            behind = {1: "the registers stand", extra: "the class token stands"}
            raise NotSolved(
                f"{behind.get(start, 'class token and registers stand')} behind the"
                " patches, not before them"
            )
    if not same(change[:, : 1 + extra], torch.zeros_like(change[:, : 1 + extra])):
        raise NotSolved(
            "the first 1 + R tokens change with the image: they are learned, and the"
            " same for every image"
        )
    if same(change[:, 1 + extra :].sort(dim=1).values, tokens.sort(dim=1).values):
        raise NotSolved(f"the {count} patches come out in another order")
    raise NotSolved(
        "a patch should come out as it went in, with nothing but its position added"
    )


def compare_shares(base: Tensor, module: nn.Module, extra: int, width: int) -> None:
    """Raise NotSolved unless each token has numbers of its own: 2 D for the class
    token, D for each other one.
    """
    parameters = list(module.parameters())
    if not base.requires_grad:
        raise NotSolved(
            "the gradient is cut: use the parameters themselves, without detach, .data"
            " or no_grad"
        )
    shares = []
    for token in base.unbind(1):
        grads = torch.autograd.grad(
            token.sum(), parameters, retain_graph=True, allow_unused=True
        )
        pairs = zip(grads, parameters, strict=True)
        shares.append(
            torch.cat(
                [(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs]
            )
            != 0
        )
    rows = [int(share.sum()) for share in shares]
    first = rows[0]
    noted = rows[1 : 1 + extra]
    patches = rows[1 + extra :]
    together = torch.stack(shares).sum(dim=0)
    if first != 2 * width and noted.count(2 * width) == 1:
        raise NotSolved(
            "the class token is not the first of all: it stands before the registers"
        )
    if 2 * width in noted:
        raise NotSolved(
            "the registers got positions, and they stand nowhere: put them in after"
            " positions are added"
        )
    if 0 in patches:
        raise NotSolved(
            "there are patches without a learned position: positions are an"
            " nn.Parameter of N + 1 rows"
        )
    if first == 0 or 0 in noted:
        raise NotSolved(
            "the class token and the registers are learned: each is an nn.Parameter"
            " with a gradient"
        )
    stored = [
        value
        for part in module.modules()
        for value in (*vars(part).values(), *part.buffers())
    ]
    unlearned = any(
        isinstance(value, Tensor) and value.numel() == width for value in stored
    )
    used = torch.autograd.grad(
        base[:, 0].sum(), parameters, retain_graph=True, allow_unused=True
    )
    table = any(
        grad.numel() == width * (1 + len(patches))
        for grad in used
        if grad is not None and grad.any()
    )
    if first == width and (unlearned or table):
        raise NotSolved(
            "the class token is not learned: make it an nn.Parameter, a plain tensor or"
            " a buffer stays"
        )
    if first == width:
        raise NotSolved(
            "the class token has no position of its own: put it in front, an"
            " nn.Parameter, and only then add N + 1"
        )
    if (together > 1).any():
        raise NotSolved(
            "two tokens share their numbers: each register is a row of its own, and so"
            " is each position"
        )
    if first != 2 * width or set(noted + patches) != {width}:
        raise NotSolved(
            f"a token holds D = {width} learned numbers and as many for its place; here"
            f" it is {rows} a token"
        )
    unused = int((together == 0).sum())
    if unused:
        raise NotSolved(
            f"{unused} learned numbers are never used: N + 1 positions, one class"
            " token, R registers suffice"
        )
