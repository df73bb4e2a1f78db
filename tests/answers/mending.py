"""Answers to the broken block of chapter 04; `as_it_stands` is the block of the
exercise.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from vit_tutorial.attention import MultiHeadSelfAttention
from vit_tutorial.block import EncoderBlock, FeedForward


class Whole(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attention = MultiHeadSelfAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)
        )

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class StreamNormed(Whole):
    def forward(self, x):
        x = self.norm1(x)
        x = x + self.attention(x)
        return x + self.mlp(self.norm2(x))


class SumMissing(Whole):
    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return self.mlp(self.norm2(x))


class BothLines(Whole):
    def forward(self, x):
        x = self.norm1(x)
        x = x + self.attention(x)
        return self.mlp(self.norm2(x))


class OneNorm(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.norm2 = self.norm1


class NoBend(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim))


class OneNormNoBend(NoBend):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.norm2 = self.norm1


class AsItStands(BothLines, OneNormNoBend):
    pass


class BendBehind(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim), nn.GELU()
        )


class OneHead(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, 1)


class Knee(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.ReLU(), nn.Linear(4 * dim, dim)
        )


class PostNorm(Whole):
    def forward(self, x):
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.mlp(x))


class Narrow(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.mlp = FeedForward(dim, 2 * dim)


class Renamed(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.feed = self.mlp
        del self.mlp


class TestingOnly(Whole):
    def forward(self, x):
        return x if self.training else super().forward(x)


class Cut(Whole):
    def forward(self, x):
        x = x + self.attention(self.norm1(x)).detach()
        return x + self.mlp(self.norm2(x))


class InPlace(Whole):
    def forward(self, x):
        x += self.attention(self.norm1(x))
        x += self.mlp(self.norm2(x))
        return x


class ParallelLines(Whole):
    def forward(self, x):
        return x + self.attention(self.norm1(x)) + self.mlp(self.norm2(x))


class Silent(Whole):
    def forward(self, x):
        super().forward(x)


def no_module(dim, heads):
    return lambda x: x


class CopiedNorm(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.norm2 = copy.deepcopy(self.norm1)
        self.mlp = FeedForward(dim, 4 * dim)


class BendInForward(nn.Module):
    def __init__(self, width, number_of_heads):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.attention = MultiHeadSelfAttention(width, number_of_heads, dropout=0.0)
        self.mlp = nn.ModuleList(
            [nn.Linear(width, width * 4), nn.Linear(width * 4, width)]
        )

    def forward(self, stream):
        for norm, branch in ((self.norm1, self.attention), (self.norm2, self.think)):
            stream = torch.add(stream, branch(norm(stream)))
        return stream

    def think(self, x):
        return self.mlp[1](F.gelu(self.mlp[0](x)))


class Torn(nn.Module):
    """A GELU of its own, dropout that is off in eval mode, and one line."""

    def __init__(self, dim, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attention = MultiHeadSelfAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = FeedForward(dim, 4 * dim, dropout=0.0)

    def forward(self, x):
        return (y := self.attention(self.norm1(x)) + x) + self.mlp(self.norm2(y))


WRONG = {
    "mended": [
        (AsItStands, "all four mistakes are still in it"),
        (
            BothLines,
            (
                "2 of 4 mistakes are mended; in the line of attention: the stream"
                " itself was normed"
            ),
        ),
        (
            StreamNormed,
            (
                "3 of 4 mistakes are mended; in the line of attention: the stream"
                " itself was normed"
            ),
        ),
        (
            SumMissing,
            (
                "3 of 4 mistakes are mended; in the line of the MLP: what the layer"
                " says replaces x"
            ),
        ),
        (
            OneNorm,
            "3 of 4 mistakes are mended; norm1 and norm2 are one layer under two names",
        ),
        (NoBend, "3 of 4 mistakes are mended; in the MLP: nothing bends"),
        (OneNormNoBend, "2 of 4 mistakes are mended; in the MLP: nothing bends"),
        (BendBehind, "the GELU stands behind the second linear layer"),
        (Knee, "stands a ReLU"),
        (PostNorm, "that is post-norm"),
        (ParallelLines, "the second line starts from the old x"),
        (OneHead, "attention has heads=1, heads="),
        (Whole(8, 2), "hand over the class, Whole"),
        (Narrow, "the linear layers of mlp go"),
        (Renamed, "no layer called mlp"),
        (TestingOnly, "x came back as it was"),
        (Cut, "its gradient for x is not"),
        (InPlace, "changed its input in place"),
        (Silent, "returned None"),
        (no_module, "an nn.Module was expected"),
    ],
}
RIGHT = {"mended": [Whole, EncoderBlock, CopiedNorm, BendInForward, Torn]}
