"""Answers to the exercises of chapter 02, wrong and right, as learners write them."""

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


class Right(nn.Module):
    def __init__(self, patches, registers, dim):
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.registers = nn.Parameter(0.02 * torch.randn(1, registers, dim))
        self.positions = nn.Parameter(0.02 * torch.randn(1, patches + 1, dim))

    def forward(self, tokens):
        batch = len(tokens)
        tokens = (
            torch.cat([self.class_token.expand(batch, -1, -1), tokens], dim=1)
            + self.positions
        )
        return torch.cat(
            [tokens[:, :1], self.registers.expand(batch, -1, -1), tokens[:, 1:]], dim=1
        )


class ClassTokenAfterPositions(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        self.positions = nn.Parameter(0.02 * torch.randn(1, patches, dim))

    def forward(self, tokens):
        batch = len(tokens)
        first = [
            self.class_token.expand(batch, -1, -1),
            self.registers.expand(batch, -1, -1),
        ]
        return torch.cat([*first, tokens + self.positions], dim=1)


class PositionsForAll(ClassTokenAfterPositions):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        self.positions = nn.Parameter(torch.zeros(1, 1 + registers + patches, dim))

    def forward(self, tokens):
        batch = len(tokens)
        first = [
            self.class_token.expand(batch, -1, -1),
            self.registers.expand(batch, -1, -1),
        ]
        return torch.cat([*first, tokens], dim=1) + self.positions


class PositionsTooShort(PositionsForAll):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        self.positions = nn.Parameter(torch.zeros(1, 1 + patches, dim))


class NoPositions(PositionsForAll):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        del self.positions
        self.positions = 0


class ClassTokenLast(Right):
    def forward(self, tokens):
        return super().forward(tokens).roll(-1, dims=1)


class RegistersLast(Right):
    def forward(self, tokens):
        first, registers, patches = (
            super()
            .forward(tokens)
            .split([1, self.registers.shape[1], tokens.shape[1]], dim=1)
        )
        return torch.cat([first, patches, registers], dim=1)


class RegistersFirst(Right):
    def forward(self, tokens):
        first, registers, patches = (
            super()
            .forward(tokens)
            .split([1, self.registers.shape[1], tokens.shape[1]], dim=1)
        )
        return torch.cat([registers, first, patches], dim=1)


class PatchesReversed(Right):
    def forward(self, tokens):
        return super().forward(tokens.flip(1))


class BatchSized(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        self.class_token = nn.Parameter(torch.zeros(64, 1, dim))

    def forward(self, tokens):
        tokens = torch.cat([self.class_token, tokens], dim=1) + self.positions
        return torch.cat(
            [tokens[:, :1], self.registers.expand(len(tokens), -1, -1), tokens[:, 1:]],
            dim=1,
        )


class BatchSizedAndCut(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        self.class_token = nn.Parameter(torch.zeros(64, 1, dim))

    def forward(self, tokens):
        tokens = (
            torch.cat([self.class_token[: len(tokens)], tokens], dim=1) + self.positions
        )
        return torch.cat(
            [tokens[:, :1], self.registers.expand(len(tokens), -1, -1), tokens[:, 1:]],
            dim=1,
        )


class MadeInForward(Right):
    def forward(self, tokens):
        self.class_token = nn.Parameter(torch.zeros(len(tokens), 1, tokens.shape[2]))
        self.extra = nn.Parameter(
            torch.zeros(len(tokens), self.registers.shape[1], tokens.shape[2])
        )
        tokens = torch.cat([self.class_token, tokens], dim=1) + self.positions
        return torch.cat([tokens[:, :1], self.extra, tokens[:, 1:]], dim=1)


class PlainTensors(Right):
    def __init__(self, patches, registers, dim):
        nn.Module.__init__(self)
        self.class_token = torch.zeros(1, 1, dim)
        self.registers = torch.zeros(1, registers, dim)
        self.positions = torch.randn(1, patches + 1, dim)


class PlainRegisters(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        del self.registers
        self.registers = torch.zeros(1, registers, dim)


class Frozen(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        self.class_token.requires_grad_(False)


class OneRegisterRepeated(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        self.count = registers
        self.registers = nn.Parameter(torch.zeros(1, 1, dim))

    def forward(self, tokens):
        tokens = (
            torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens], dim=1)
            + self.positions
        )
        return torch.cat(
            [
                tokens[:, :1],
                self.registers.expand(len(tokens), self.count, -1),
                tokens[:, 1:],
            ],
            dim=1,
        )


class Detached(Right):
    def forward(self, tokens):
        return super().forward(tokens).detach()


class DetachedPatches(Right):
    def forward(self, tokens):
        return super().forward(tokens.detach())


class InPlace(Right):
    def forward(self, tokens):
        tokens += self.positions[:, 1:]
        return super().forward(tokens - self.positions[:, 1:])


class NoRegisters(Right):
    def forward(self, tokens):
        return (
            torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens], dim=1)
            + self.positions
        )


class OneImage(Right):
    def forward(self, tokens):
        return super().forward(tokens[:1])[0]


class MeanForClassToken(Right):
    def forward(self, tokens):
        out = super().forward(tokens)
        return torch.cat(
            [out[:, :1] + tokens.mean(dim=1, keepdim=True), out[:, 1:]], dim=1
        )


class ZerosToStart(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        nn.init.zeros_(self.registers)


class Unused(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        self.projection = nn.Linear(dim, dim)


class NoModule:
    def __init__(self, patches, registers, dim):
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim))

    def __call__(self, tokens):
        return tokens


class Blank(nn.Module):
    def __init__(self, patches, registers, dim):
        super().__init__()

    def forward(self, tokens):
        pass


class NoSuper(Right):
    def __init__(self, patches, registers, dim):
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim))


class OneTable(nn.Module):
    """All that is learned in one parameter; names of arguments of its own."""

    def __init__(self, n, r, width):
        super().__init__()
        self.split = [1, r, 1, n]
        self.table = nn.Parameter(0.02 * torch.randn(sum(self.split), width))
        nn.init.zeros_(self.table[0])

    def forward(self, x):
        token, registers, place, places = self.table.split(self.split)
        first = torch.cat([token + place, registers])
        return torch.cat([first.repeat(x.shape[0], 1, 1), x + places], dim=1)


class FromEmbeddings(nn.Module):
    def __init__(self, patches, registers, dim):
        super().__init__()
        self.first = nn.Embedding(1 + registers, dim)
        self.places = nn.Embedding(1 + patches, dim)
        for table in (self.first, self.places):
            nn.init.trunc_normal_(table.weight, std=0.02)
        nn.init.zeros_(self.first.weight[0])

    def forward(self, tokens):
        places = self.places(torch.arange(self.places.num_embeddings))
        first = self.first.weight + nn.functional.pad(
            places[:1], (0, 0, 0, self.first.num_embeddings - 1)
        )
        return torch.stack([torch.cat([first, image + places[1:]]) for image in tokens])


class FilledIn(Right):
    def forward(self, tokens):
        extra = self.registers.shape[1]
        out = tokens.new_empty(
            len(tokens), 1 + extra + tokens.shape[1], tokens.shape[2]
        )
        out[:, :1] = self.class_token + self.positions[:, :1]
        out[:, 1 : 1 + extra] = self.registers
        out[:, 1 + extra :] = tokens + self.positions[:, 1:]
        return out


class ZerosForRegisters(Right):
    def forward(self, tokens):
        gap = self.positions.new_zeros(1, self.registers.shape[1], tokens.shape[2])
        places = torch.cat([self.positions[:, :1], gap, self.positions[:, 1:]], dim=1)
        first = torch.cat([self.class_token, self.registers], dim=1)
        return torch.cat([first.expand(len(tokens), -1, -1), tokens], dim=1) + places


WRONG = {
    "kernel": [
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
    "registers": [
        (ClassTokenAfterPositions, "the class token has no position of its own"),
        (PositionsForAll, "the registers got positions"),
        (PositionsTooShort, "raised RuntimeError: The size of tensor a ("),
        (NoPositions, "there are patches without a learned position"),
        (ClassTokenLast, "the class token stands behind the patches"),
        (RegistersLast, "the registers stand behind the patches"),
        (RegistersFirst, "the class token is not the first of all"),
        (PatchesReversed, "patches come out in another order"),
        (
            BatchSized,
            "raised RuntimeError: Sizes of tensors must match except in dimension 1",
        ),
        (BatchSizedAndCut, "each image gets other class tokens"),
        (MadeInForward, "parameters are made in forward"),
        (PlainTensors, "nothing in PlainTensors can be learned"),
        (PlainRegisters, "each is an nn.Parameter"),
        (Frozen, "a part of it is frozen"),
        (OneRegisterRepeated, "two tokens share their numbers"),
        (Detached, "the gradient is cut"),
        (DetachedPatches, "its gradient for tokens is not"),
        (InPlace, "changed its input in place"),
        (NoRegisters, "the registers are missing"),
        (OneImage, "returned shape ("),
        (MeanForClassToken, "the first 1 + R tokens change with the image"),
        (ZerosToStart, "the registers start out equal"),
        (Unused, "learned numbers are never used"),
        (NoModule, "NoModule is no nn.Module"),
        (
            Blank,
            "Blank returned None, a tensor of shape (B, 1 + R + N, D) was expected",
        ),
        (NoSuper, "cannot assign parameters before Module.__init__() call"),
    ],
}
RIGHT = {
    "kernel": [
        tied,
        permuted,
        one_channel_at_a_time,
        walked,
        summed,
    ],
    "enlarge": [
        moved,
        copied,
        parameter_by_parameter,
        with_a_dictionary,
    ],
    "registers": [
        Right,
        OneTable,
        FromEmbeddings,
        FilledIn,
        ZerosForRegisters,
    ],
}
