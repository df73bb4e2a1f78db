"""Answers to "Registers" of chapter 02, wrong and right, as learners write them."""

import torch
from torch import nn


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


class PositionsInABuffer(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        del self.positions
        self.register_buffer("positions", torch.randn(1, patches + 1, dim))


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


class NoExpand(Right):
    def forward(self, tokens):
        return torch.cat([self.class_token, self.registers, tokens], dim=1)


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
        (PositionsInABuffer, "there are patches without a learned position"),
        (Frozen, "a part of it is frozen"),
        (OneRegisterRepeated, "two tokens share their numbers"),
        (Detached, "the gradient is cut"),
        (DetachedPatches, "its gradient for tokens is not"),
        (InPlace, "changed its input in place"),
        (NoRegisters, "the registers are missing"),
        (
            NoExpand,
            "raised RuntimeError: Sizes of tensors must match except in dimension 1",
        ),
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
    ]
}
RIGHT = {"registers": [Right, OneTable, FromEmbeddings, FilledIn, ZerosForRegisters]}
