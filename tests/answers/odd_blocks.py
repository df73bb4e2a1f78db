"""Answers to the two exercises on the block (chapter 04) that are nearly right."""

import torch
import torch.nn.functional as F
from torch import nn

from answers.block import post, pre_norm_in_one
from answers.mending import Whole


def added_in_place_once(block, x):
    x = x + block.attention(block.norm1(x))
    x += block.mlp(block.norm2(x))
    return x


def left_in_eval_mode(block, x):
    block.eval()
    return pre_norm_in_one(block, x)


def left_frozen(block, x):
    got = pre_norm_in_one(block, x)
    block.requires_grad_(False)
    return got


def post_norm_in_eval_mode(block, x):
    return pre_norm_in_one(block, x) if block.training else post(block, x)


def one_image_lost(block, x):
    return pre_norm_in_one(block, x).squeeze(0)


def with_norms(name, norm1=None, norm2=None):
    """A right block, but for its norms: each is made from dim."""

    class Block(Whole):
        def __init__(self, dim, heads):
            super().__init__(dim, heads)
            self.norm1 = norm1(dim) if norm1 else self.norm1
            self.norm2 = norm2(dim) if norm2 else self.norm2

    Block.__name__ = name
    return Block


class Unbiased(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.mlp = nn.Sequential(
            nn.Linear(dim, 4 * dim, bias=False),
            nn.GELU(),
            nn.Linear(4 * dim, dim, bias=False),
        )


class UnbiasedAttention(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.attention.qkv = nn.Linear(dim, 3 * dim, bias=False)


class OneMore(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.more = nn.Linear(dim, dim)


class SharedScale(Whole):
    def __init__(self, dim, heads):
        super().__init__(dim, heads)
        self.norm2.weight = self.norm1.weight


class InPlaceOnce(Whole):
    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        x += self.mlp(self.norm2(x))
        return x


class Norm1Twice(Whole):
    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm1(x))


class NormsExchanged(Whole):
    def forward(self, x):
        x = x + self.attention(self.norm2(x))
        return x + self.mlp(self.norm1(x))


class ThinkingFirst(Whole):
    def forward(self, x):
        x = x + self.mlp(self.norm2(x))
        return x + self.attention(self.norm1(x))


class Single(Whole):
    def forward(self, x):
        return super().forward(x).float()


class SingleAtOnce(Whole):
    def forward(self, x):
        return super().forward(x.float())


class ImageLost(Whole):
    def forward(self, x):
        return super().forward(x).squeeze(0)


class PostNormInEvalMode(Whole):
    def forward(self, x):
        return super().forward(x) if self.training else post(self, x)


class OwnNorm(nn.Module):
    """LayerNorm with names of its own, the shift first."""

    def __init__(self, dim):
        super().__init__()
        self.beta = nn.Parameter(torch.zeros(dim))
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return F.layer_norm(x, x.shape[-1:], self.gamma, self.beta, 1e-6)


WRONG = {
    "pre_norm": [
        (
            added_in_place_once,
            "x += ... changed a tensor that the backward pass needs: write x = x + ...",
        ),
        (left_in_eval_mode, "left the block in eval mode"),
        (left_frozen, "left the block frozen"),
        (
            post_norm_in_eval_mode,
            "in eval mode: in both lines: the norm comes after the sum",
        ),
        (one_image_lost, "returned shape"),
    ],
    "mended": [
        (
            with_norms("softmax", lambda dim: nn.Softmax(-1)),
            "norm1 is Softmax(dim=-1): a LayerNorm was expected",
        ),
        (
            with_norms("tanh", None, lambda dim: nn.Tanh()),
            "norm2 is Tanh(): a LayerNorm was expected",
        ),
        (
            with_norms("identity", None, lambda dim: nn.Identity()),
            "norm2 is nn.Identity",
        ),
        (
            with_norms("batch_norm", None, lambda dim: nn.BatchNorm1d(11)),
            "a LayerNorm was expected",
        ),
        (with_norms("rms_norm", nn.RMSNorm), "a LayerNorm was expected"),
        (
            with_norms("large_epsilon", lambda dim: nn.LayerNorm(dim, eps=1.0)),
            "LayerNorm with eps=1e-6",
        ),
        (with_norms("default_epsilon", None, nn.LayerNorm), "LayerNorm with eps=1e-6"),
        (
            with_norms(
                "nothing_learnt",
                lambda dim: nn.LayerNorm(dim, 1e-6, elementwise_affine=False),
            ),
            "with two vectors of dim numbers to learn, scale and shift",
        ),
        (Unbiased, "a linear layer of mlp has lost its bias"),
        (UnbiasedAttention, "MultiHeadSelfAttention was right"),
        (OneMore, "more numbers to learn than a block has: more.weight, more.bias"),
        (SharedScale, "two layers that share their numbers"),
        (
            InPlaceOnce,
            "x += ... changed a tensor that the backward pass needs: write x = x + ...",
        ),
        (Norm1Twice, "norm1 stands before both layers"),
        (NormsExchanged, "norm1 and norm2 have changed places"),
        (ThinkingFirst, "the MLP comes before attention"),
        (Single, "returned torch.float32, expected torch.float64"),
        (SingleAtOnce, "raised RuntimeError"),
        (ImageLost, "returned shape"),
        (PostNormInEvalMode, "that is post-norm"),
    ],
}
RIGHT = {
    "pre_norm": [pre_norm_in_one],
    "mended": [with_norms("own_norms", OwnNorm, OwnNorm)],
}
