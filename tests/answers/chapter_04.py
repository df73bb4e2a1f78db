"""Answers to the exercises of chapter 04, wrong and right, as learners write them."""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from vit_tutorial.attention import MultiHeadSelfAttention
from vit_tutorial.block import EncoderBlock, FeedForward


def post(block, x):
    x = block.norm1(x + block.attention(x))
    return block.norm2(x + block.mlp(x))


def added_in_place(block, x):
    x += block.attention(block.norm1(x))
    x += block.mlp(block.norm2(x))
    return x


def detached_stream(block, x):
    x = x.detach() + block.attention(block.norm1(x))
    return x + block.mlp(block.norm2(x))


def block_called(block, x):
    return block(x)


def pre_norm_with_names(block, stream):
    middle = torch.add(block.attention(block.norm1(stream)), stream)
    return torch.add(block.mlp(block.norm2(middle)), middle)


def pre_norm_by_loop(layers, z):
    for norm, layer in (("norm1", "attention"), ("norm2", "mlp")):
        z = z + layers[layer](layers[norm](z))
    return z


def pre_norm_in_one(block, x):
    return (y := x + block.attention(block.norm1(x))) + block.mlp(block.norm2(y))


class PreNorm(nn.Module):
    def forward(self, block, x):
        told = block["attention"](
            F.layer_norm(x, x.shape[-1:], block.norm1.weight, block.norm1.bias)
        )
        return x + told + block.mlp(block.norm2(x + told))


def two(x):
    """Mean and variance of each token."""
    return x.mean(dim=-1, keepdim=True), x.var(dim=-1, keepdim=True, correction=0)


def no_keepdim(x, gamma, beta, epsilon):
    return (
        gamma * (x - x.mean(dim=-1)) / (x.var(dim=-1, correction=0) + epsilon).sqrt()
        + beta
    )


def norm_in_place(x, gamma, beta, epsilon):
    x -= x.mean(dim=-1, keepdim=True)
    return gamma * x / (x.square().mean(-1, keepdim=True) + epsilon).sqrt() + beta


def statistics_detached(x, gamma, beta, epsilon):
    mu, sigma2 = two(x.detach())
    return gamma * (x - mu) / (sigma2 + epsilon).sqrt() + beta


def norm_in_float32(x, gamma, beta, epsilon):
    return F.layer_norm(x.float(), x.shape[-1:], gamma.float(), beta.float(), epsilon)


def norm_in_numpy(x, gamma, beta, epsilon):
    return F.layer_norm(x, x.shape[-1:], gamma, beta, epsilon).detach().numpy()


def axes_lost(x, gamma, beta, epsilon):
    return F.layer_norm(x, x.shape[-1:], gamma, beta, epsilon).squeeze()


def one_axis_too_few(x, gamma, beta, epsilon):
    tokens = x.flatten(0, -2)
    return F.layer_norm(tokens, x.shape[-1:], gamma, beta, epsilon).view_as(x)


def four_axes_at_most(x, gamma, beta, epsilon):
    if x.ndim > 4:
        raise ValueError("too many axes")
    return F.layer_norm(x, x.shape[-1:], gamma, beta, epsilon)


def norm_by_hand(x, gamma, beta, epsilon):
    mu = x.mean(dim=-1, keepdim=True)
    sigma2 = ((x - mu) ** 2).sum(dim=-1, keepdim=True) / x.shape[-1]
    return gamma * (x - mu) * (sigma2 + epsilon).rsqrt() + beta


def norm_by_moments(tokens, scale, shift, eps):
    mu = tokens.mean(-1)[..., None]
    mean_square = tokens.pow(2).mean(-1)[..., None]
    return torch.addcmul(
        shift, (tokens - mu) / torch.sqrt(mean_square - mu**2 + eps), scale
    )


def norm_by_loop(x, gamma, beta, epsilon):
    rows = []
    for token in x.reshape(-1, x.shape[-1]):
        variance, mu = torch.var_mean(token, unbiased=False)
        rows.append(gamma * (token - mu) / (variance + epsilon) ** 0.5 + beta)
    return torch.stack(rows).view_as(x)


def norm_by_matrix(x, gamma, beta, epsilon):
    """Taking the mean off is a product with I - 1/D."""
    D = x.shape[-1]
    centred = x @ (torch.eye(D, dtype=x.dtype) - 1 / D)
    return (
        gamma
        * centred
        / torch.hypot(
            centred.norm(dim=-1, keepdim=True) / D**0.5, torch.tensor(epsilon**0.5)
        )
        + beta
    )


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
        (added_in_place, "changed its input in place"),
        (detached_stream, "its gradient for x is not"),
        (block_called, "raised NotImplementedError"),
        (
            added_in_place_once,
            "x += ... changed a tensor that the backward pass needs: write x = x + ...",
        ),
        (left_in_eval_mode, "left the block in eval mode"),
        (left_frozen, "left the block frozen"),
        (one_image_lost, "returned shape"),
    ],
    "layer_norm": [
        (no_keepdim, "raised RuntimeError"),
        (norm_in_place, "changed its input in place"),
        (statistics_detached, "its gradient for x is not"),
        (norm_in_float32, "returned torch.float32, expected torch.float64"),
        (norm_in_numpy, "returned a ndarray"),
        (axes_lost, "returned shape"),
        (one_axis_too_few, "raised IndexError"),
        (four_axes_at_most, "raised ValueError: too many axes"),
    ],
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
    "pre_norm": [
        pre_norm_with_names,
        pre_norm_by_loop,
        pre_norm_in_one,
        PreNorm(),
        pre_norm_in_one,
    ],
    "layer_norm": [
        norm_by_hand,
        norm_by_moments,
        norm_by_loop,
        norm_by_matrix,
    ],
    "mended": [
        Whole,
        EncoderBlock,
        CopiedNorm,
        BendInForward,
        Torn,
        with_norms("own_norms", OwnNorm, OwnNorm),
    ],
}
