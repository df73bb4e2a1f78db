"""Checks of chapter 02: a kernel tied to a linear layer, positions moved to another
size, and a module that puts tokens together.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vit_tutorial.checks.harness import (
    NotSolved,
    among,
    ask,
    called,
    checked,
    compare,
    compare_gradients,
    distinct,
    listed,
    name_mistake,
    same,
)
from vit_tutorial.checks.state import in_two_modes, memory
from vit_tutorial.embedding import ConvolutionalPatchEmbedder, interpolate_positions
from vit_tutorial.patches import patchify

KERNELS = {
    "the channel is the last axis of a flat patch, not the first: split in that order,"
    " then move": lambda weight, want: weight.reshape(want.shape),
    "the two axes of the kernel are swapped: it looks at each patch mirrored along its"
    " diagonal": lambda want: want.mT,
    "the channel still stands last: a convolution wants it in front of the kernel's two"
    " axes": lambda flat: flat,
    "the channel stands between the kernel's two axes: it belongs in front of"
    " both": lambda flat: flat.movedim(3, 2),
    "D belongs in front of C: a kernel answers D questions, each about C"
    " channels": lambda want: want.transpose(0, 1),
    "the kernel is turned over: PyTorch's convolution does not flip it, so you need not"
    " either": lambda want: want.flip(2, 3),
    "the kernel's two axes are still one: split P*P": lambda want: want.flatten(2),
    "each row of the weight is one question, a patch of its own, and these are mixed:"
    " do not transpose it": lambda weight, want: weight.T.reshape(want.shape),
}


@checked
def kernel(answer: Callable) -> str:
    """`as_kernel(weight, patch_size)`: (D, P*P*C) -> (D, C, P, P), a kernel that gives
    the same tokens.
    """
    # 3 channels are a habit
    width, colours, *sides = (size for size in distinct(5, 2, 6) if size != 3)
    for channels, side, kind in zip(
        (colours, 1), sides, (torch.float32, torch.float64), strict=True
    ):
        shape = (width, side * side * channels)
        weight = torch.randn(shape, dtype=kind, requires_grad=True)
        case = f"a weight of shape {shape} and patch_size {side}"
        expected = "a tensor of shape (D, C, P, P)"
        got = ask(answer, weight, side, expected=expected, case=case)
        flat = weight.unflatten(1, (side, side, channels))
        want = rearrange(flat, "d p1 p2 c -> d c p1 p2")
        mistakes = listed(KERNELS, flat=flat, want=want, weight=weight)
        compare(answer, got, want.detach(), mistakes, case)
        if isinstance(got, nn.Parameter):
            raise NotSolved(
                "a copy and not tied: nn.Parameter makes a new leaf, no gradient"
                " reaches the weight"
            )
        if got.grad_fn is None:
            raise NotSolved(
                "a copy and not tied: detach, .data and no_grad keep the gradient from"
                " the weight"
            )
        compare_gradients(answer, got, want, {"weight": weight})
    images = torch.randn(2, channels, 3 * side, 4 * side, dtype=torch.float64)
    slid = F.conv2d(images, got.double(), stride=side).flatten(2).mT
    apart = (slid - patchify(images, side) @ weight.double().T).abs().max().item()
    return (
        f"the convolution and the linear layer give the same tokens, {apart:.0e} apart"
        " at most"
    )


@checked
def enlarge(answer: Callable) -> str:
    """`enlarged(old, image_size)`: an embedder for images of (rows, columns) pixels
    with the weights of `old`.
    """
    one, two, columns, width, channels = (
        size for size in distinct(6, 2, 7) if size != 3
    )
    # 11 * (15 / 11) is less than 15 once it is rounded: a scale factor loses a row
    # there
    for side, rows, more, kind in (
        (one, two, 3, torch.float32),
        (two, 11, 4, torch.float64),
    ):
        grid = (rows, columns)
        larger = (rows + more, columns + more)
        old = ConvolutionalPatchEmbedder(
            (rows * side, columns * side), side, channels, width
        ).to(kind)
        compare_enlarged(answer, old, grid, larger)
    return (
        f"{grid[0]} x {grid[1]} places became {larger[0]} x {larger[1]}, the rest is"
        " what it was"
    )


def compare_enlarged(
    answer: Callable, old: nn.Module, grid: tuple[int, int], larger: tuple[int, int]
) -> None:
    """Raise NotSolved unless the answer makes of `old`, for patches in `grid`, an
    embedder for those in `larger`.
    """
    for parameter in in_two_modes(old).parameters():
        nn.init.normal_(parameter)  # a class token of zeros would not be missed
    side = old.patch_size
    channels, *pixels = old.image_shape
    state = deepcopy(old.state_dict())
    size = (larger[0] * side, larger[1] * side)
    case = (
        f"images of {size[0]} x {size[1]} pixels, from {pixels[0]} x {pixels[1]} in"
        f" patches of {side}"
    )
    new = ask(answer, old, size, expected="an embedder", case=case, noun="old embedder")
    compare_kinds(answer, new, old)
    places = state["positions"]

    def with_places(positions: Tensor) -> nn.Module:
        width = places.shape[-1]
        right = ConvolutionalPatchEmbedder(size, side, channels, width).double()
        right.load_state_dict(state | {"positions": positions})
        return right

    new.double()  # so that a sum in another order is no difference
    right = with_places(interpolate_positions(places, grid, larger))
    images = torch.randn(2, channels, *size, dtype=torch.float64)
    got = ask(new, images, expected="tokens of shape (B, T, D)", case=case)
    want = right(images)
    compare_projections(new, right, images, got, want, case)

    def mistakes() -> dict[str, list[Tensor]]:
        return {
            said: [with_places(one)(images) for one in found]
            for said, found in wrong_places(places, grid, larger).items()
        }

    name_mistake(got, [want], mistakes, among(same))
    compare_tokens(got, want)


def compare_projections(
    new: nn.Module,
    right: nn.Module,
    images: Tensor,
    got: object,
    want: Tensor,
    case: str,
) -> None:
    """Raise NotSolved unless patches are projected as they were, and all is learned."""
    if not isinstance(got, Tensor) or got.shape != want.shape:
        compare(new, got, want, case=case)
    black = torch.zeros_like(images)
    if not same(got - new(black), want - right(black)):
        raise NotSolved(
            "the projection is not the old one's: its weight has nothing to do with the"
            " size of the image"
        )
    learned = sum(value.numel() for value in new.parameters() if value.requires_grad)
    expected = sum(value.numel() for value in right.parameters())
    if learned != expected:
        raise NotSolved(
            f"{learned} numbers of the new embedder can be learned, expected"
            f" {expected}: all stay trainable"
        )


def compare_tokens(got: Tensor, want: Tensor) -> None:
    """Raise NotSolved, naming what differs, unless the tokens (B, T, D) are right."""
    if same(got, want):
        return
    first = (got - want)[:, :1]
    beyond = (got - want)[:, 1:]
    moved = not same(beyond, beyond[:, :1].expand_as(beyond))
    if not same(first, torch.zeros_like(first)):
        if moved:
            raise NotSolved(
                "the positions are not the old one's: stretch its table over the new"
                " grid and load it"
            )
        raise NotSolved(
            "the class token or its row of positions is not the old one's: neither"
            " belongs to the grid"
        )
    if not moved:
        raise NotSolved("the bias of the projection is not the old one's")
    raise NotSolved(
        "the positions of the patches are not the old one's, stretched by"
        " interpolate_positions"
    )


def compare_kinds(answer: Callable, new: object, old: nn.Module) -> None:
    """Raise NotSolved unless `new` is of the kind and type of `old`, and shares no
    memory with it.
    """
    name = called(answer)
    kind = ConvolutionalPatchEmbedder.__name__
    if new is old:
        raise NotSolved(
            "this is the old embedder: make a new one and load the old one's state"
            " into it"
        )
    if not isinstance(new, nn.Module):
        raise NotSolved(
            f"{name} returned a {type(new).__name__}, an embedder was expected"
        )
    # the chapter's own class, or the package's
    if kind not in {base.__name__ for base in type(new).__mro__}:
        raise NotSolved(
            f"{name} returned a {type(new).__name__}, expected a {kind}, as the old"
            " one is"
        )
    theirs = memory(old.state_dict())
    for key, value in new.state_dict().items():
        if memory(value) & theirs:
            raise NotSolved(
                f"{key} is shared with the old embedder, training one changes both:"
                " copy the numbers"
            )
        if value.dtype != old.class_token.dtype:
            raise NotSolved(
                f"{key} is {value.dtype}, expected {old.class_token.dtype}, as the old"
                " one's is: .to(that)"
            )


def placed(first: Tensor, picture: Tensor) -> Tensor:
    """The class token's row, then those of a grid (1, D, y, x): (1, T, D)."""
    return torch.cat([first, rearrange(picture, "b d y x -> b (y x) d")], dim=1)


PLACES = {
    "the class token's row of positions was stretched with the others: it is no part of"
    " the grid": lambda places, count: [
        F.interpolate(places.mT, size=count + 1, mode=mode).mT
        for mode in ("linear", "nearest")
    ],
    "the positions were stretched as a list: they belong to a grid of rows and"
    " columns": lambda places, first, count: [
        torch.cat(
            [first, F.interpolate(places[:, 1:].mT, size=count, mode=mode).mT], dim=1
        )
        for mode in ("linear", "nearest")
    ],
    "rows and columns are swapped: a grid is (Y // P, X //"
    " P)": lambda places, grid, larger: [
        interpolate_positions(places, grid[::-1], larger),
        interpolate_positions(places, grid, larger[::-1]),
        interpolate_positions(places, grid[::-1], larger[::-1]),
    ],
    "the grid is right, the stretching is not bicubic as in"
    " interpolate_positions": lambda first, picture, larger: [
        *(
            placed(first, F.interpolate(picture, larger, mode=mode))
            for mode in ("bilinear", "nearest", "area")
        ),
        placed(
            first, F.interpolate(picture, larger, mode="bicubic", align_corners=True)
        ),
    ],
    "the old places fill one corner of the new grid: stretch them over all of"
    " it": lambda first, picture, grid, larger: [
        placed(first, F.pad(picture, (0, larger[1] - grid[1], 0, larger[0] - grid[0])))
    ],
}


def wrong_places(
    places: Tensor, grid: tuple[int, int], larger: tuple[int, int]
) -> dict[str, list[Tensor]]:
    """What the usual mistakes make of positions (1, T, D): sentence -> positions of the
    larger grid, in several ways.
    """
    return listed(
        PLACES,
        places=places,
        grid=grid,
        larger=larger,
        first=places[:, :1],
        count=larger[0] * larger[1],
        picture=rearrange(places[:, 1:], "b (y x) d -> b d y x", y=grid[0]),
    )


# ---- class token, registers, patches


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
    tokens = torch.randn(batch, count, width)
    black = torch.zeros(batch, count, width)
    started = compare_parameters(answer, module, black, extra)
    for parameter in module.parameters():
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
    compare_batches(module, tokens, base[:1].detach(), extra)


def compare_parameters(
    answer: Callable, module: nn.Module, black: Tensor, extra: int
) -> Tensor:
    """The tokens (T, D) that the module starts with. Raises NotSolved unless all that
    it learns is there from the start.
    """
    made = len(list(module.parameters()))
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
    return started


def compare_batches(
    module: nn.Module, tokens: Tensor, first: Tensor, extra: int
) -> None:
    """Raise NotSolved unless the learned tokens `first` (1, T, D) join any batch, in
    both modes and in float64.
    """
    batch, count, width = tokens.shape
    for some in (tokens[:1], torch.randn(batch + 7, count, width)):
        some.requires_grad_()
        got = compare_sizes(module, some, extra)
        learned = torch.zeros(len(some), 1 + extra, width)
        want = torch.cat([learned, some], dim=1) + first
        compare(module, got, want, case=f"a batch of {len(some)}")
        compare_gradients(module, got, want, {"tokens": some})
    if not same(compare_sizes(module.eval(), some, extra), want):
        raise NotSolved(
            "in eval mode other tokens come out: forward does the same in both modes"
        )
    got = compare_sizes(module.double(), some.detach().double(), extra)
    compare(module, got.detach(), want.detach().double())


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


def shares_of(base: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    """For each token of `base` (B, T, D) which of the parameters' numbers it hears."""
    found = []
    for token in base.unbind(1):
        grads = torch.autograd.grad(
            token.sum(), parameters, retain_graph=True, materialize_grads=True
        )
        found.append(torch.cat([grad.flatten() for grad in grads]) != 0)
    return found


def compare_shares(base: Tensor, module: nn.Module, extra: int, width: int) -> None:
    """Raise NotSolved unless each token has numbers of its own: 2 D for the class
    token, D for each other one.
    """
    if not base.requires_grad:
        raise NotSolved(
            "the gradient is cut: use the parameters themselves, without detach, .data"
            " or no_grad"
        )
    shares = shares_of(base, list(module.parameters()))
    rows = [int(share.sum()) for share in shares]
    first = rows[0]
    noted = rows[1 : 1 + extra]
    patches = rows[1 + extra :]
    name_the_token(first, noted, patches, width)
    if first == width:
        name_the_class_token(base, module, width * (1 + len(patches)))
    together = torch.stack(shares).sum(dim=0)
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


def name_the_token(
    first: int, noted: list[int], patches: list[int], width: int
) -> None:
    """Raise NotSolved where the count of learned numbers tells what is amiss with class
    token, registers or patches.
    """
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


def name_the_class_token(base: Tensor, module: nn.Module, places: int) -> None:
    """Raise NotSolved with what the class token lacks, itself or its position, of which
    all together have `places` numbers.
    """
    width = base.shape[-1]
    kept = (list(vars(part).values()) for part in module.modules())
    stored = [value for values in kept for value in values] + list(module.buffers())
    unlearned = any(
        isinstance(value, Tensor) and value.numel() == width for value in stored
    )
    used = torch.autograd.grad(
        base[:, 0].sum(),
        list(module.parameters()),
        retain_graph=True,
        materialize_grads=True,
    )
    table = any(grad.numel() == places and grad.any() for grad in used)
    if unlearned or table:
        raise NotSolved(
            "the class token is not learned: make it an nn.Parameter, a plain tensor or"
            " a buffer stays"
        )
    raise NotSolved(
        "the class token has no position of its own: put it in front, an nn.Parameter,"
        " and only then add N + 1"
    )
