"""The checks of chapter 02: a kernel tied to a linear layer, tokens put together, positions moved to another size."""

from collections.abc import Callable
from copy import deepcopy

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vit_tutorial.checks.core import NotSolved, ask, called, checked, compare, compare_gradients, distinct, same
from vit_tutorial.embedding import ConvolutionalPatchEmbedder, interpolate_positions
from vit_tutorial.patches import patchify


@checked
def kernel(answer: Callable) -> str:
    """`as_kernel(weight, patch_size)`: (D, P*P*C) -> (D, C, P, P), a kernel that gives the same tokens."""
    width, colours, *sides = (size for size in distinct(5, 2, 6) if size != 3)  # 3 channels are a habit
    for channels, side, kind in zip((colours, 1), sides, (torch.float32, torch.float64), strict=True):
        weight = torch.randn(width, side * side * channels, dtype=kind, requires_grad=True)
        case = f"a weight of shape {tuple(weight.shape)} and patch_size {side}"
        got = ask(answer, weight, side, expected="a tensor of shape (D, C, P, P)", case=case)
        flat = weight.unflatten(1, (side, side, channels))
        want = rearrange(flat, "d p1 p2 c -> d c p1 p2")
        mistakes = {
            "the channel is the last axis of a flat patch, not the first: split in that order, then move": (
                weight.reshape(want.shape)
            ),
            "the two axes of the kernel are swapped: it looks at each patch mirrored along its diagonal": want.mT,
            "the channel still stands last: a convolution wants it in front of the kernel's two axes": flat,
            "the channel stands between the kernel's two axes: it belongs in front of both": flat.movedim(3, 2),
            "D belongs in front of C: a kernel answers D questions, each about C channels": want.transpose(0, 1),
            "the kernel is turned over: PyTorch's convolution does not flip it, so you need not either": want.flip(
                2, 3
            ),
            "the kernel's two axes are still one: split P*P": want.flatten(2),
            "each row of the weight is one question, a patch of its own, and these are mixed: do not transpose it": (
                weight.T.reshape(want.shape)
            ),
        }
        compare(answer, got, want.detach(), mistakes, case)
        if isinstance(got, nn.Parameter):
            raise NotSolved("a copy and not tied: nn.Parameter makes a new leaf, no gradient reaches the weight")
        if got.grad_fn is None:
            raise NotSolved("a copy and not tied: detach, .data and no_grad keep the gradient from the weight")
        compare_gradients(answer, got, want, {"weight": weight})
    images = torch.randn(2, channels, 3 * side, 4 * side, dtype=torch.float64)
    slid = F.conv2d(images, got.double(), stride=side).flatten(2).mT
    apart = (slid - patchify(images, side) @ weight.double().T).abs().max().item()
    return f"the convolution and the linear layer give the same tokens, {apart:.0e} apart at most"


@checked
def registers(answer: Callable) -> str:
    """`Registers(patches, registers, dim)`: a module, (B, N, D) -> (B, 1 + R + N, D)."""
    name = called(answer)
    if isinstance(answer, nn.Module):
        raise NotSolved(f"a module was given: check the class {name} itself, it is made here in several sizes")
    drawn = distinct(8, 2, 9)
    for sizes in (drawn[:4], drawn[4:]):  # two of each, so that no size is a habit
        compare_registers(answer, *sizes)
    return f"{1 + drawn[6]} tokens of no patch, one set for any batch, and a place for the others"


def compare_registers(answer: Callable, batch: int, count: int, extra: int, width: int) -> None:
    """Raise NotSolved unless the module of these sizes does what is asked for, batch by batch, in both modes."""
    sizes = f"{count} patches, {extra} registers and width {width}"
    module = ask(answer, count, extra, width, expected="a module", case=sizes)
    if not isinstance(module, nn.Module):
        raise NotSolved(f"{called(answer)} is no nn.Module, so no optimiser would find its parameters")
    made = len(list(module.parameters()))
    tokens, black = torch.randn(batch, count, width), torch.zeros(batch, count, width)
    started = compare_sizes(module, black, extra)[0]
    parameters = list(module.parameters())
    if len(parameters) > made:
        raise NotSolved("parameters are made in forward, too late for an optimiser: make them in __init__")
    if not parameters:
        raise NotSolved(f"nothing in {called(answer)} can be learned: what it stores must be an nn.Parameter")
    if not all(parameter.requires_grad for parameter in parameters):
        raise NotSolved("a part of it is frozen: all of it is learned, so requires_grad stays True")
    for parameter in parameters:
        nn.init.normal_(parameter)  # zeros would not show where they went
    base = compare_sizes(module, black, extra)
    if not same(base, module(black)):
        raise NotSolved("the tokens are others at each call: no dropout here, random numbers are drawn in __init__")
    if not same(base, base[:1].expand_as(base)):
        raise NotSolved("each image gets other class tokens or registers: store one, (1, 1, D), and expand it to B")
    compare_order(compare_sizes(module, tokens, extra) - base, tokens, extra)
    compare_shares(base, module, extra, width)
    if len(started[1 : 1 + extra].unique(dim=0)) < extra:
        raise NotSolved("the registers start out equal, so they learn the same and stay equal: start them at random")
    size = started.square().mean(dim=1).sqrt().max().item()
    if size > 0.1:
        raise NotSolved(f"a learned token starts at a size of {size:.2g}, expected about 0.02: 0.02 * torch.randn(...)")
    first = base[:1].detach()
    for some in (tokens[:1], torch.randn(batch + 7, count, width)):
        some.requires_grad_()
        got = compare_sizes(module, some, extra)
        want = torch.cat([torch.zeros(len(some), 1 + extra, width), some], dim=1) + first
        compare(module, got, want, case=f"a batch of {len(some)}")
        compare_gradients(module, got, want, {"tokens": some})
    if not same(compare_sizes(module.eval(), some, extra), want):
        raise NotSolved("in eval mode other tokens come out: forward does the same in both modes")
    precise = some.detach().double()
    compare(module, compare_sizes(module.double(), precise, extra).detach(), want.detach().double())


def compare_sizes(module: nn.Module, tokens: Tensor, extra: int) -> Tensor:
    """The tokens that come out. Raises NotSolved unless they are (B, 1 + R + N, D)."""
    batch, count, width = tokens.shape
    case = f"tokens of shape {tuple(tokens.shape)} and {extra} registers"
    got = ask(module, tokens, expected="a tensor of shape (B, 1 + R + N, D)", case=case)
    shape = (batch, 1 + extra + count, width)
    if isinstance(got, Tensor) and got.shape != shape and (got.shape[0], *got.shape[2:]) == (batch, width):
        missing = {
            1 + count: "the registers are",
            extra + count: "the class token or one register is",
            count: "class and registers are",
        }
        if got.shape[1] in missing:
            raise NotSolved(f"{got.shape[1]} tokens came out, expected {shape[1]}: {missing[got.shape[1]]} missing")
    if not isinstance(got, Tensor) or got.shape != shape or not torch.isfinite(got).all() or got.dtype != tokens.dtype:
        compare(module, got, torch.zeros(shape, dtype=tokens.dtype), case=case)
    return got


def compare_order(change: Tensor, tokens: Tensor, extra: int) -> None:
    """Raise NotSolved unless the patches, and nothing else, moved the tokens behind the first 1 + R."""
    count = tokens.shape[1]
    for start in range(extra + 2):
        if same(change, F.pad(tokens, (0, 0, start, 1 + extra - start))):
            if start == 1 + extra:
                return
            behind = {1: "the registers stand", extra: "the class token stands"}
            raise NotSolved(
                f"{behind.get(start, 'class token and registers stand')} behind the patches, not before them"
            )
    if not same(change[:, : 1 + extra], torch.zeros_like(change[:, : 1 + extra])):
        raise NotSolved("the first 1 + R tokens change with the image: they are learned, and the same for every image")
    if same(change[:, 1 + extra :].sort(dim=1).values, tokens.sort(dim=1).values):
        raise NotSolved(f"the {count} patches come out in another order")
    raise NotSolved("a patch should come out as it went in, with nothing but its position added")


def compare_shares(base: Tensor, module: nn.Module, extra: int, width: int) -> None:
    """Raise NotSolved unless each token has numbers of its own: 2 D for the class token, D for each other one."""
    parameters = list(module.parameters())
    if not base.requires_grad:
        raise NotSolved("the gradient is cut: use the parameters themselves, without detach, .data or no_grad")
    shares = []
    for token in base.unbind(1):
        grads = torch.autograd.grad(token.sum(), parameters, retain_graph=True, allow_unused=True)
        pairs = zip(grads, parameters, strict=True)
        shares.append(torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs]) != 0)
    rows = [int(share.sum()) for share in shares]
    first, noted, patches = rows[0], rows[1 : 1 + extra], rows[1 + extra :]
    together = torch.stack(shares).sum(dim=0)
    if first != 2 * width and noted.count(2 * width) == 1:
        raise NotSolved("the class token is not the first of all: it stands before the registers")
    if 2 * width in noted:
        raise NotSolved("the registers got positions, and they stand nowhere: put them in after positions are added")
    if 0 in patches:
        raise NotSolved("there are patches without a learned position: positions are an nn.Parameter of N + 1 rows")
    if first == 0 or 0 in noted:
        raise NotSolved("the class token and the registers are learned: each is an nn.Parameter with a gradient")
    stored = [value for part in module.modules() for value in (*vars(part).values(), *part.buffers())]
    unlearned = any(isinstance(value, Tensor) and value.numel() == width for value in stored)
    used = torch.autograd.grad(base[:, 0].sum(), parameters, retain_graph=True, allow_unused=True)
    table = any(grad.numel() == width * (1 + len(patches)) for grad in used if grad is not None and grad.any())
    if first == width and (unlearned or table):
        raise NotSolved("the class token is not learned: make it an nn.Parameter, a plain tensor or a buffer stays")
    if first == width:
        raise NotSolved(
            "the class token has no position of its own: put it in front, an nn.Parameter, and only then add N + 1"
        )
    if (together > 1).any():
        raise NotSolved("two tokens share their numbers: each register is a row of its own, and so is each position")
    if first != 2 * width or set(noted + patches) != {width}:
        raise NotSolved(
            f"a token holds D = {width} learned numbers and as many for its place; here it is {rows} a token"
        )
    unused = int((together == 0).sum())
    if unused:
        raise NotSolved(
            f"{unused} learned numbers are never used: N + 1 positions, one class token, R registers suffice"
        )


@checked
def enlarge(answer: Callable) -> str:
    """`enlarged(old, image_size)`: an embedder for images of (rows, columns) pixels with the weights of `old`."""
    one, two, columns, width, channels = (size for size in distinct(6, 2, 7) if size != 3)
    # 11 * (15 / 11) is less than 15 once it is rounded: a scale factor loses a row there
    for side, rows, more, kind in ((one, two, 3, torch.float32), (two, 11, 4, torch.float64)):
        grid, larger = (rows, columns), (rows + more, columns + more)
        old = ConvolutionalPatchEmbedder((rows * side, columns * side), side, channels, width).to(kind)
        compare_enlarged(answer, old, grid, larger)
    return f"{grid[0]} x {grid[1]} places became {larger[0]} x {larger[1]}, the rest is what it was"


def compare_enlarged(answer: Callable, old: nn.Module, grid: tuple[int, int], larger: tuple[int, int]) -> None:
    """Raise NotSolved unless the answer makes of `old`, for patches in `grid`, an embedder for those in `larger`."""
    for parameter in old.parameters():
        nn.init.normal_(parameter)  # a class token of zeros would not be missed
    side, (channels, *pixels), width = old.patch_size, old.image_shape, old.class_token.shape[-1]
    kept, size = deepcopy(old), (larger[0] * side, larger[1] * side)
    case = f"images of {size[0]} x {size[1]} pixels, from {pixels[0]} x {pixels[1]} in patches of {side}"
    new = ask(answer, old, size, expected="an embedder", case=case)
    if not isinstance(new, nn.Module):
        raise NotSolved(f"{called(answer)} returned a {type(new).__name__}, an embedder was expected")
    if new is old or changed(old, kept):
        raise NotSolved("the old embedder was changed: make a new one and load the old one's state into it")
    if not (old.training and all(parameter.requires_grad for parameter in old.parameters())):
        raise NotSolved("the old embedder was left frozen or in eval mode: it stays as it is")
    compare_kinds(answer, new, old)
    state, places = kept.state_dict(), kept.positions.detach()

    def with_places(positions: Tensor) -> nn.Module:
        right = ConvolutionalPatchEmbedder(size, side, channels, width).double()
        right.load_state_dict(state | {"positions": positions})
        return right

    new.double()  # so that a sum in another order is no difference
    right = with_places(interpolate_positions(places, grid, larger))
    images = torch.randn(2, channels, *size, dtype=torch.float64)
    black = torch.zeros_like(images)
    got = ask(new, images, expected="tokens of shape (B, T, D)", case=case)
    want = right(images)
    if not isinstance(got, Tensor) or got.shape != want.shape:
        compare(new, got, want, case=case)
    if not same(got - new(black), want - right(black)):
        raise NotSolved("the projection is not the old one's: its weight has nothing to do with the size of the image")
    learned = sum(parameter.numel() for parameter in new.parameters() if parameter.requires_grad)
    expected = sum(parameter.numel() for parameter in right.parameters())
    if learned != expected:
        raise NotSolved(
            f"{learned} numbers of the new embedder can be learned, expected {expected}: all stay trainable"
        )
    for said, wrong in wrong_places(places, grid, larger):
        if same(got, with_places(wrong)(images)):
            raise NotSolved(said)
    first, beyond = (got - want)[:, :1], (got - want)[:, 1:]
    moved = not same(beyond, beyond[:, :1].expand_as(beyond))
    if not same(first, torch.zeros_like(first)):
        if moved:
            raise NotSolved("the positions are not the old one's: stretch its table over the new grid and load it")
        raise NotSolved("the class token or its row of positions is not the old one's: neither belongs to the grid")
    if not moved and not same(beyond, torch.zeros_like(beyond)):
        raise NotSolved("the bias of the projection is not the old one's")
    if not same(got, want):
        raise NotSolved("the positions of the patches are not the old one's, stretched by interpolate_positions")


def compare_kinds(answer: Callable, new: nn.Module, old: nn.Module) -> None:
    """Raise NotSolved unless `new` is of the kind and type of `old`, and shares no memory with it."""
    name, kind = called(answer), ConvolutionalPatchEmbedder.__name__
    if kind not in {base.__name__ for base in type(new).__mro__}:  # the chapter's own class, or the package's
        raise NotSolved(f"{name} returned a {type(new).__name__}, expected a {kind}, as the old one is")
    memory = {value.untyped_storage().data_ptr() for value in old.state_dict().values()}
    for key, value in new.state_dict().items():
        if value.untyped_storage().data_ptr() in memory:
            raise NotSolved(f"{key} is shared with the old embedder, training one changes both: copy the numbers")
        if value.dtype != old.class_token.dtype:
            raise NotSolved(f"{key} is {value.dtype}, expected {old.class_token.dtype}, as the old one's is: .to(that)")


def changed(old: nn.Module, kept: nn.Module) -> bool:
    mine, before = old.state_dict(), kept.state_dict()
    same_state = mine.keys() == before.keys() and all(same(mine[key], before[key]) for key in mine)
    return not same_state or old.image_shape != kept.image_shape


def wrong_places(places: Tensor, grid: tuple[int, int], larger: tuple[int, int]) -> list[tuple[str, Tensor]]:
    """What the usual mistakes make of positions (1, T, D): sentence, positions of the larger grid."""
    first, count = places[:, :1], larger[0] * larger[1]
    picture = rearrange(places[:, 1:], "b (y x) d -> b d y x", y=grid[0])

    def placed(picture: Tensor) -> Tensor:
        return torch.cat([first, rearrange(picture, "b d y x -> b (y x) d")], dim=1)

    all_of_them = "the class token's row of positions was stretched with the others: it is no part of the grid"
    as_a_list = "the positions were stretched as a list: they belong to a grid of rows and columns"
    turned = "rows and columns are swapped: a grid is (Y // P, X // P)"
    other = "the grid is right, the stretching is not bicubic as in interpolate_positions"
    corner = F.pad(picture, (0, larger[1] - grid[1], 0, larger[0] - grid[0]))
    lists = []
    for mode in ("linear", "nearest"):
        lists.append((all_of_them, F.interpolate(places.mT, size=count + 1, mode=mode).mT))
        lists.append((as_a_list, torch.cat([first, F.interpolate(places[:, 1:].mT, size=count, mode=mode).mT], dim=1)))
    return [
        *lists,
        *(
            (turned, interpolate_positions(places, here, there))
            for here, there in ((grid[::-1], larger), (grid, larger[::-1]), (grid[::-1], larger[::-1]))
        ),
        *((other, placed(F.interpolate(picture, size=larger, mode=mode))) for mode in ("bilinear", "nearest", "area")),
        (other, placed(F.interpolate(picture, size=larger, mode="bicubic", align_corners=True))),
        ("the old places fill one corner of the new grid: stretch them over all of it", placed(corner)),
    ]
