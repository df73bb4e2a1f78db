"""Checks of chapter 02: a kernel tied to a linear layer, positions moved to another
size.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
import torch.nn.functional as F
from einops import rearrange
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
from vit_tutorial.checks.state import in_two_modes
from vit_tutorial.embedding import ConvolutionalPatchEmbedder, interpolate_positions
from vit_tutorial.patches import patchify


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
        weight = torch.randn(
            width, side * side * channels, dtype=kind, requires_grad=True
        )
        case = f"a weight of shape {tuple(weight.shape)} and patch_size {side}"
        got = ask(
            answer, weight, side, expected="a tensor of shape (D, C, P, P)", case=case
        )
        flat = weight.unflatten(1, (side, side, channels))
        want = rearrange(flat, "d p1 p2 c -> d c p1 p2")
        mistakes = {
            "the channel is the last axis of a flat patch, not the first: split in that order, then move": weight.reshape(
                want.shape
            ),
            "the two axes of the kernel are swapped: it looks at each patch mirrored along its diagonal": (
                want.mT
            ),
            "the channel still stands last: a convolution wants it in front of the kernel's two axes": (
                flat
            ),
            "the channel stands between the kernel's two axes: it belongs in front of both": flat.movedim(
                3, 2
            ),
            "D belongs in front of C: a kernel answers D questions, each about C channels": want.transpose(
                0, 1
            ),
            "the kernel is turned over: PyTorch's convolution does not flip it, so you need not either": want.flip(
                2, 3
            ),
            "the kernel's two axes are still one: split P*P": want.flatten(2),
            "each row of the weight is one question, a patch of its own, and these are mixed: do not transpose it": weight.T.reshape(
                want.shape
            ),
        }
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
    width = old.class_token.shape[-1]
    kept = deepcopy(old)
    size = (larger[0] * side, larger[1] * side)
    case = (
        f"images of {size[0]} x {size[1]} pixels, from {pixels[0]} x {pixels[1]} in"
        f" patches of {side}"
    )
    new = ask(answer, old, size, expected="an embedder", case=case, noun="old embedder")
    if not isinstance(new, nn.Module):
        raise NotSolved(
            f"{called(answer)} returned a {type(new).__name__}, an embedder was"
            " expected"
        )
    if new is old:
        raise NotSolved(
            "this is the old embedder: make a new one and load the old one's state"
            " into it"
        )
    compare_kinds(answer, new, old)
    state = kept.state_dict()
    places = kept.positions.detach()

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
        raise NotSolved(
            "the projection is not the old one's: its weight has nothing to do with the"
            " size of the image"
        )
    learned = sum(
        parameter.numel() for parameter in new.parameters() if parameter.requires_grad
    )
    expected = sum(parameter.numel() for parameter in right.parameters())
    if learned != expected:
        raise NotSolved(
            f"{learned} numbers of the new embedder can be learned, expected"
            f" {expected}: all stay trainable"
        )
    for said, wrong in wrong_places(places, grid, larger):
        if same(got, with_places(wrong)(images)):
            raise NotSolved(said)
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
    if not moved and not same(beyond, torch.zeros_like(beyond)):
        raise NotSolved("the bias of the projection is not the old one's")
    if not same(got, want):
        raise NotSolved(
            "the positions of the patches are not the old one's, stretched by"
            " interpolate_positions"
        )


def compare_kinds(answer: Callable, new: nn.Module, old: nn.Module) -> None:
    """Raise NotSolved unless `new` is of the kind and type of `old`, and shares no
    memory with it.
    """
    name = called(answer)
    kind = ConvolutionalPatchEmbedder.__name__
    # the chapter's own class, or the package's
    if kind not in {base.__name__ for base in type(new).__mro__}:
        raise NotSolved(
            f"{name} returned a {type(new).__name__}, expected a {kind}, as the old"
            " one is"
        )
    memory = {value.untyped_storage().data_ptr() for value in old.state_dict().values()}
    for key, value in new.state_dict().items():
        if value.untyped_storage().data_ptr() in memory:
            raise NotSolved(
                f"{key} is shared with the old embedder, training one changes both:"
                " copy the numbers"
            )
        if value.dtype != old.class_token.dtype:
            raise NotSolved(
                f"{key} is {value.dtype}, expected {old.class_token.dtype}, as the old"
                " one's is: .to(that)"
            )


def wrong_places(
    places: Tensor, grid: tuple[int, int], larger: tuple[int, int]
) -> list[tuple[str, Tensor]]:
    """What the usual mistakes make of positions (1, T, D): sentence, positions of the
    larger grid.
    """
    first = places[:, :1]
    count = larger[0] * larger[1]
    picture = rearrange(places[:, 1:], "b (y x) d -> b d y x", y=grid[0])

    def placed(picture: Tensor) -> Tensor:
        return torch.cat([first, rearrange(picture, "b d y x -> b (y x) d")], dim=1)

    all_of_them = (
        "the class token's row of positions was stretched with the others: it is no"
        " part of the grid"
    )
    as_a_list = (
        "the positions were stretched as a list: they belong to a grid of rows and"
        " columns"
    )
    turned = "rows and columns are swapped: a grid is (Y // P, X // P)"
    other = (
        "the grid is right, the stretching is not bicubic as in interpolate_positions"
    )
    corner = F.pad(picture, (0, larger[1] - grid[1], 0, larger[0] - grid[0]))
    lists = []
    for mode in ("linear", "nearest"):
        lists.append(
            (all_of_them, F.interpolate(places.mT, size=count + 1, mode=mode).mT)
        )
        lists.append(
            (
                as_a_list,
                torch.cat(
                    [first, F.interpolate(places[:, 1:].mT, size=count, mode=mode).mT],
                    dim=1,
                ),
            )
        )
    return [
        *lists,
        *(
            (turned, interpolate_positions(places, here, there))
            for here, there in (
                (grid[::-1], larger),
                (grid, larger[::-1]),
                (grid[::-1], larger[::-1]),
            )
        ),
        *(
            (other, placed(F.interpolate(picture, size=larger, mode=mode)))
            for mode in ("bilinear", "nearest", "area")
        ),
        (
            other,
            placed(
                F.interpolate(picture, size=larger, mode="bicubic", align_corners=True)
            ),
        ),
        (
            (
                "the old places fill one corner of the new grid: stretch them over all"
                " of it"
            ),
            placed(corner),
        ),
    ]
