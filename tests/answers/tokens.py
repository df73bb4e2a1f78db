"""Answers to "tie the weights" and "Move into a larger picture" of chapter 02, wrong
and right.
"""

from copy import deepcopy

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from vit_tutorial.embedding import (
    ConvolutionalPatchEmbedder,
    ManualPatchEmbedder,
    interpolate_positions,
)


def flat(weight, patch_size):
    """(D, P*P*C) -> (D, P, P, C)."""
    return weight.unflatten(1, (patch_size, patch_size, -1))


def reshaped(weight, patch_size):
    return weight.reshape(len(weight), -1, patch_size, patch_size)


def turned_about(weight, patch_size):
    return flat(weight, patch_size).transpose(1, 3)


def channel_still_last(weight, patch_size):
    return flat(weight, patch_size)


def channel_between(weight, patch_size):
    return flat(weight, patch_size).permute(0, 1, 3, 2)


def channels_before_questions(weight, patch_size):
    return flat(weight, patch_size).permute(3, 0, 1, 2)


def flipped(weight, patch_size):
    return tied(weight, patch_size).flip(2, 3)


def one_axis_left(weight, patch_size):
    return flat(weight, patch_size).permute(0, 3, 1, 2).flatten(2)


def transposed_first(weight, patch_size):
    return weight.T.reshape(len(weight), -1, patch_size, patch_size)


def chapter_sizes(weight, patch_size):
    return weight.reshape(-1, 16, 16, 3).permute(0, 3, 1, 2)


def untied(weight, patch_size):
    return nn.Parameter(tied(weight, patch_size))


def without_gradient(weight, patch_size):
    with torch.no_grad():
        return tied(weight, patch_size)


def averaged(weight, patch_size):
    return tied(weight, patch_size) / patch_size**2


def whole_convolution(weight, patch_size):
    kernel = tied(weight, patch_size)
    convolution = nn.Conv2d(kernel.shape[1], len(kernel), patch_size, stride=patch_size)
    convolution.weight = nn.Parameter(kernel)
    return convolution


def in_numpy(weight, patch_size):
    return tied(weight, patch_size).detach().numpy()


def tied(weight, patch_size):
    return rearrange(weight, "d (p1 p2 c) -> d c p1 p2", p1=patch_size, p2=patch_size)


def permuted(weight, patch_size):
    return weight.view(len(weight), patch_size, patch_size, -1).permute(0, 3, 1, 2)


def one_channel_at_a_time(weight, side):
    channels = weight.shape[1] // side**2
    return torch.stack(
        [weight[:, c::channels].reshape(-1, side, side) for c in range(channels)], dim=1
    )


def walked(weight, patch_size):
    P = patch_size
    C = weight.shape[1] // patch_size**2
    kernel = weight.new_zeros(len(weight), C, P, P)
    for row in range(P):
        for column in range(P):
            start = (row * P + column) * C
            kernel[:, :, row, column] = weight[:, start : start + C]
    return kernel


def summed(weight, patch_size):
    pixels = torch.eye(patch_size**2, dtype=weight.dtype).unflatten(
        1, (patch_size, patch_size)
    )
    return torch.einsum(
        "dpc,pyx->dcyx", weight.unflatten(1, (patch_size**2, -1)), pixels
    )


# enlarged


def grids(old, image_size):
    _, rows, columns = old.image_shape
    return [
        tuple(side // old.patch_size for side in sides)
        for sides in ((rows, columns), image_size)
    ]


def fresh(old, image_size):
    new = ConvolutionalPatchEmbedder(
        image_size, old.patch_size, old.image_shape[0], old.class_token.shape[-1]
    )
    return new.to(old.class_token.dtype)


def loaded(old, image_size, **changes):
    new = fresh(old, image_size)
    new.load_state_dict(old.state_dict() | changes)
    return new


def stretched(old, image_size):
    return interpolate_positions(old.positions.detach(), *grids(old, image_size))


def everything_fresh(old, image_size):
    return fresh(old, image_size)


def fresh_but_positions(old, image_size):
    new = fresh(old, image_size)
    new.positions = nn.Parameter(stretched(old, image_size))
    return new


def positions_fresh(old, image_size):
    new = fresh(old, image_size)
    new.load_state_dict(
        {
            name: value
            for name, value in old.state_dict().items()
            if name != "positions"
        },
        strict=False,
    )
    return new


def class_token_fresh(old, image_size):
    return loaded(
        old,
        image_size,
        positions=stretched(old, image_size),
        class_token=torch.zeros_like(old.class_token),
    )


def bias_fresh(old, image_size):
    new = loaded(old, image_size, positions=stretched(old, image_size))
    nn.init.zeros_(new.projection.bias)
    return new


def nothing_stretched(old, image_size):
    return loaded(old, image_size)


def class_row_stretched(old, image_size):
    rows, columns = grids(old, image_size)[1]
    positions = F.interpolate(
        old.positions.detach().mT, size=rows * columns + 1, mode="linear"
    ).mT
    return loaded(old, image_size, positions=positions)


def stretched_as_a_list(old, image_size):
    rows, columns = grids(old, image_size)[1]
    positions = old.positions.detach()
    places = F.interpolate(positions[:, 1:].mT, size=rows * columns, mode="linear").mT
    return loaded(
        old, image_size, positions=torch.cat([positions[:, :1], places], dim=1)
    )


def rows_for_columns(old, image_size):
    before, after = grids(old, image_size)
    return loaded(
        old,
        image_size,
        positions=interpolate_positions(
            old.positions.detach(), before[::-1], after[::-1]
        ),
    )


def square_grids(old, image_size):
    side = round((old.positions.shape[1] - 1) ** 0.5)
    after = grids(old, image_size)[1]
    return loaded(
        old,
        image_size,
        positions=interpolate_positions(old.positions.detach(), (side, side), after),
    )


def bilinear(old, image_size):
    before, after = grids(old, image_size)
    positions = old.positions.detach()
    picture = rearrange(positions[:, 1:], "b (y x) d -> b d y x", y=before[0])
    places = rearrange(
        F.interpolate(picture, size=after, mode="bilinear"), "b d y x -> b (y x) d"
    )
    return loaded(
        old, image_size, positions=torch.cat([positions[:, :1], places], dim=1)
    )


def in_place(old, image_size):
    positions = stretched(old, image_size)
    old.image_shape = (old.image_shape[0], *image_size)
    old.positions = nn.Parameter(positions)
    return old


def frozen(old, image_size):
    return loaded(old, image_size, positions=stretched(old, image_size)).requires_grad_(
        False
    )


def state_alone(old, image_size):
    return old.state_dict() | {"positions": stretched(old, image_size)}


def nothing(old, image_size):
    loaded(old, image_size, positions=stretched(old, image_size))


def moved(old, image_size):
    return loaded(old, image_size, positions=stretched(old, image_size))


def copied(embedder, size):
    new = deepcopy(embedder)
    new.image_shape = (embedder.image_shape[0], *size)
    new.positions = nn.Parameter(stretched(embedder, size))
    return new


def parameter_by_parameter(old, image_size):
    new = fresh(old, image_size)
    with torch.no_grad():
        new.projection.weight.copy_(old.projection.weight)
        new.projection.bias.copy_(old.projection.bias)
        new.class_token.copy_(old.class_token)
        new.positions.copy_(
            interpolate_positions(old.positions, *grids(old, image_size))
        )
    return new


def by_the_other_embedder(old, image_size):
    channels = old.image_shape[0]
    width = old.class_token.shape[-1]
    new = ManualPatchEmbedder(image_size, old.patch_size, channels, width)
    state = old.state_dict() | {"positions": stretched(old, image_size)}
    state["projection.weight"] = rearrange(
        state["projection.weight"], "d c p1 p2 -> d (p1 p2 c)"
    )
    new.load_state_dict(state)
    return new


def with_a_dictionary(old, image_size):
    new = fresh(old, image_size)
    before = old.state_dict()
    for name, parameter in new.named_parameters():
        parameter.data = (
            stretched(old, image_size) if name == "positions" else before[name]
        ).clone()
    return new


WRONG = {
    "kernel": [
        (reshaped, "the channel is the last axis of a flat patch, not the first"),
        (turned_about, "the two axes of the kernel are swapped"),
        (channel_still_last, "the channel still stands last"),
        (channel_between, "the channel stands between the kernel's two axes"),
        (channels_before_questions, "D belongs in front of C"),
        (flipped, "does not flip it"),
        (one_axis_left, "the kernel's two axes are still one"),
        (transposed_first, "each row of the weight is one question"),
        (
            chapter_sizes,
            "chapter_sizes raised RuntimeError: shape '[-1, 16, 16, 3]' is invalid",
        ),
        (untied, "a copy and not tied: nn.Parameter makes a new leaf"),
        (without_gradient, "a copy and not tied: detach, .data and no_grad"),
        (averaged, "the shape is right, the values are not"),
        (whole_convolution, "returned a Conv2d, a tensor of shape ("),
        (in_numpy, "returned a ndarray, a tensor of shape ("),
    ],
    "enlarge": [
        (everything_fresh, "the projection is not the old one's"),
        (fresh_but_positions, "the projection is not the old one's"),
        (positions_fresh, "the positions are not the old one's: stretch its table"),
        (
            class_token_fresh,
            "the class token or its row of positions is not the old one's",
        ),
        (bias_fresh, "the bias of the projection is not the old one's"),
        (nothing_stretched, "size mismatch for positions"),
        (class_row_stretched, "was stretched with the others"),
        (stretched_as_a_list, "stretched as a list"),
        (rows_for_columns, "rows and columns are swapped"),
        (square_grids, "square_grids raised "),
        (bilinear, "the stretching is not bicubic"),
        (in_place, "changed the old embedder itself"),
        (frozen, "0 numbers of the new embedder can be learned, expected "),
        (
            by_the_other_embedder,
            "returned a ManualPatchEmbedder, expected a ConvolutionalPatchEmbedder",
        ),
        (state_alone, "returned a OrderedDict, an embedder was expected"),
        (nothing, "returned None, an embedder was expected"),
    ],
}
RIGHT = {
    "kernel": [tied, permuted, one_channel_at_a_time, walked, summed],
    "enlarge": [moved, copied, parameter_by_parameter, with_a_dictionary],
}
