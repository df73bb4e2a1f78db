"""Vision Transformers with one thing changed: a piece left out, put elsewhere, started
otherwise, or added since 2020.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vit_tutorial.attention import MultiHeadSelfAttention, attend
from vit_tutorial.config import ViTConfig
from vit_tutorial.initialisation import convolutional_, mimetic_
from vit_tutorial.model import VisionTransformer


class VariedBlock(nn.Module):
    """The parts of an encoder block, put together otherwise: (B, T, D) -> (B, T, D).

    A subclass says in `step` what becomes of the tokens x with a part (attention, then
    the MLP), with its norm, and with its number, 1 or 2.
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.norm1 = block.norm1
        self.attention = block.attention
        self.norm2 = block.norm2
        self.mlp = block.mlp

    def forward(
        self, x: Tensor, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        seen: list[Tensor] = []

        def attention(tokens: Tensor) -> Tensor:
            if not return_attention:
                return self.attention(tokens)
            mixed, weights = self.attention(tokens, return_attention)
            seen.append(weights)
            return mixed

        x = self.step(x, attention, self.norm1, 1)
        x = self.step(x, self.mlp, self.norm2, 2)
        return (x, seen[0]) if return_attention else x

    def step(
        self, x: Tensor, part: Callable[[Tensor], Tensor], norm: nn.Module, number: int
    ) -> Tensor:
        """What stands in the place of x + part(norm(x))."""
        raise NotImplementedError("a subclass says how a part changes the tokens")


# ---- left out, or put elsewhere


class NoPositions(VisionTransformer):
    """Without positions: the answer is the same for patches in any order."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        nowhere = torch.zeros_like(self.embedder.positions)
        del self.embedder.positions
        self.embedder.register_buffer("positions", nowhere, persistent=False)


class PostNormBlock(VariedBlock):
    """x = LN(x + f(x)), as in Vaswani et al. 2017, section 3.1."""

    def step(
        self, x: Tensor, part: Callable[[Tensor], Tensor], norm: nn.Module, number: int
    ) -> Tensor:
        return norm(x + part(x))


class PostNorm(VisionTransformer):
    """Norms behind the branches, where the stream passes through them."""

    def make_block(self, index: int) -> nn.Module:
        return PostNormBlock(super().make_block(index))


class NoResidualBlock(VariedBlock):
    """x = f(LN(x)): what a part does not say is forgotten."""

    def step(
        self, x: Tensor, part: Callable[[Tensor], Tensor], norm: nn.Module, number: int
    ) -> Tensor:
        return part(norm(x))


class NoResidual(VisionTransformer):
    """No token keeps what it had."""

    def make_block(self, index: int) -> nn.Module:
        return NoResidualBlock(super().make_block(index))


class OtherNorm(VisionTransformer):
    """Another norm, made by `make_norm`, in the place of each LayerNorm of the blocks
    and of the head.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.head[0] = self.make_norm()

    def make_block(self, index: int) -> nn.Module:
        block = super().make_block(index)
        block.norm1 = self.make_norm()
        block.norm2 = self.make_norm()
        return block

    def make_norm(self) -> nn.Module:
        """A norm of D values a token."""
        raise NotImplementedError("a subclass says which norm")


class NoNorm(OtherNorm):
    """Without norms: tokens come as large as they are."""

    def make_norm(self) -> nn.Module:
        return nn.Identity()


# ---- started otherwise


class UniformStart(VisionTransformer):
    """Class token and learned positions drawn evenly between 0 and 1, where the model's
    own start at 0 and with a deviation of 0.02.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        for learned in (self.embedder.class_token, self.embedder.positions):
            if isinstance(learned, nn.Parameter):
                nn.init.uniform_(learned)


class MimeticStart(VisionTransformer):
    """Attention that starts as that of trained models looks (Trockman and Kolter
    2023).
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        for block in self.blocks:
            mimetic_(cast("Any", block).attention)


class ConvolutionalStart(VisionTransformer):
    """Attention that starts as a convolution: each head looks at one neighbour (Zheng
    et al. 2025).
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        positions = self.embedder.positions.detach()
        if positions.is_meta:  # only the shapes are wanted, there are no numbers
            return
        for block in self.blocks:
            convolutional_(cast("Any", block).attention, positions, config.grid)


# ---- added since 2020


class DropPath(nn.Module):
    """In training leave out a branch for some images, and scale it up for the others.

    Each image loses it with probability `rate` (Huang et al. 2016).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return branch
        kept = branch.new_empty(len(branch), *[1] * (branch.ndim - 1))
        return branch * kept.bernoulli_(1 - self.rate) / (1 - self.rate)


class Diagonal(nn.Module):
    """A learnt factor for each of the D values of a token: (B, T, D) -> (B, T, D)."""

    def __init__(self, dim: int, start: float) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.full((dim,), start))

    def forward(self, branch: Tensor) -> Tensor:
        return branch * self.factors


class BranchedBlock(VariedBlock):
    """An encoder block whose branches pass through modules of their own before they are
    added to x.
    """

    def __init__(self, block: Any, ends: Sequence[nn.Module]) -> None:
        super().__init__(block)
        self.end1, self.end2 = ends

    def step(
        self, x: Tensor, part: Callable[[Tensor], Tensor], norm: nn.Module, number: int
    ) -> Tensor:
        end = self.end1 if number == 1 else self.end2
        return x + end(part(norm(x)))


def branched(block: nn.Module, ends: Sequence[nn.Module]) -> BranchedBlock:
    """A block whose branches pass through `ends`, behind those that it has already.
    Raises ValueError for one that is put together otherwise.
    """
    if isinstance(block, BranchedBlock):
        pairs = zip((block.end1, block.end2), ends, strict=True)
        return BranchedBlock(block, [nn.Sequential(*pair) for pair in pairs])
    if isinstance(block, VariedBlock):
        raise ValueError(f"a {type(block).__name__} has no branches to end")
    return BranchedBlock(block, ends)


class StochasticDepth(VisionTransformer):
    """Branches that leave out some images in training, more of them in later blocks.

    The rate grows linearly with the depth, up to `rate` in the last block (Huang et al.
    2016, section 3); both branches of a block draw for themselves, at the rate of DeiT
    (Touvron et al. 2021).
    """

    rate = 0.1

    def make_block(self, index: int) -> nn.Module:
        rate = self.rate * (index + 1) / self.config.depth
        return branched(super().make_block(index), [DropPath(rate) for _ in range(2)])


class LayerScale(VisionTransformer):
    """Each branch is scaled by learnt factors that start small (Touvron et al. 2021,
    "Going deeper with image transformers"): at 0.1, the paper's value for up to 18
    blocks.
    """

    start = 0.1

    def make_block(self, index: int) -> nn.Module:
        ends = [Diagonal(self.config.dim, self.start) for _ in range(2)]
        return branched(super().make_block(index), ends)


class StochasticDepthAndLayerScale(StochasticDepth, LayerScale):
    """Both: a branch is scaled, then left out for some images."""


class WithRegisters(VisionTransformer):
    """Four learned tokens that come from no patch and are never read (Darcet et al.
    2024).

    They stand behind the others and leave with the last block. Rows of attention
    weights (B, H, T, T) hold the T other tokens, so they sum to less than 1: the rest
    lies on the registers.
    """

    count = 4

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        self.registers = nn.Parameter(0.02 * torch.randn(1, self.count, config.dim))

    def encode(
        self, tokens: Tensor, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        # not len(tokens): torch.export would take it for a fixed number
        registers = self.registers.expand(tokens.shape[0], -1, -1)
        encoded = super().encode(
            torch.cat([tokens, registers], dim=1), return_attention
        )
        own = slice(tokens.shape[1])
        if isinstance(encoded, tuple):
            features, attention = encoded
            return features[:, own], [weights[..., own, own] for weights in attention]
        return encoded[:, own]


class RegistersAndLayerScale(WithRegisters, LayerScale):
    """Both, as in DINOv2 with registers (Darcet et al. 2024)."""


class RMSNorm(OtherNorm):
    """A norm without mean and offset (Zhang and Sennrich 2019)."""

    def make_norm(self) -> nn.Module:
        return nn.RMSNorm(self.config.dim, eps=self.config.norm_eps)


class PreparedAttention(MultiHeadSelfAttention):
    """Attention whose queries and keys, (B, H, T, K) each, pass through modules of
    their own before they meet.
    """

    def __init__(
        self, dim: int, heads: int, dropout: float, ends: Sequence[nn.Module]
    ) -> None:
        super().__init__(dim, heads, dropout)
        self.end_q, self.end_k = ends

    def forward(
        self, tokens: Tensor, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        q, k, v = rearrange(
            self.qkv(tokens), "b t (three h k) -> three b h t k", three=3, h=self.heads
        )
        q = self.end_q(q)
        k = self.end_k(k)
        if return_attention:
            mixed, weights = attend(q, k, v)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v)
        mixed = self.dropout(self.out(rearrange(mixed, "b h t k -> b t (h k)")))
        return (mixed, weights) if return_attention else mixed


class Prepared(VisionTransformer):
    """Queries and keys that are changed before they meet; a subclass adds to `ends`
    what changes one of them.
    """

    def make_block(self, index: int) -> nn.Module:
        c = self.config
        block = super().make_block(index)
        ends = [nn.Sequential(*self.ends()) for _ in range(2)]
        block.attention = PreparedAttention(c.dim, c.heads, c.dropout, ends)
        return block

    def ends(self) -> list[nn.Module]:
        """What queries pass through, or keys: (B, H, T, K) -> (B, H, T, K) each."""
        return []


class QKNorm(Prepared):
    """Queries and keys are normed, so that scores have a ceiling (Dehghani et al.
    2023).
    """

    def ends(self) -> list[nn.Module]:
        return [nn.LayerNorm(self.config.dim // self.config.heads), *super().ends()]


class Rotation(nn.Module):
    """Pairs of a head's values turned by angles that grow with row and column: (B, H,
    T, K) -> (B, H, T, K).

    Half of the pairs turn with the row, half with the column, at speeds from 1 down to
    1/100 (Su et al. 2021, in two dimensions). `first` tokens before the patches and
    those behind them stay. Raises ValueError for fewer tokens than the grid has places
    and for K that is not a multiple of 4.
    """

    def __init__(self, grid: tuple[int, int], size: int, first: int) -> None:
        super().__init__()
        if size % 4:
            raise ValueError(
                f"a head has {size} values, expected a multiple of 4 for rotary"
                " positions: two axes, each of pairs"
            )
        self.first = first
        self.patches = grid[0] * grid[1]
        places = torch.cartesian_prod(*(torch.arange(side) for side in grid))
        speeds = 100 ** -torch.linspace(0, 1, size // 4)
        angles = (places[..., None] * speeds).flatten(1)  # (N, K/2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, heads: Tensor) -> Tensor:
        behind = heads.shape[-2] - self.first - self.patches
        if behind < 0:
            raise ValueError(
                f"{heads.shape[-2]} tokens, expected at least"
                f" {self.first + self.patches}: rotary positions turn the"
                f" {self.patches} patches of a whole picture"
            )
        before, patches, after = heads.split([self.first, self.patches, behind], dim=-2)
        one, other = patches.chunk(2, dim=-1)
        turned = [
            one * self.cos - other * self.sin,
            one * self.sin + other * self.cos,
        ]
        return torch.cat([before, torch.cat(turned, dim=-1), after], dim=-2)


class RotaryBesideAdded(Prepared):
    """Places added to tokens, and turned into queries and keys of every block."""

    def ends(self) -> list[nn.Module]:
        c = self.config
        first = int(c.pool == "cls")
        return [*super().ends(), Rotation(c.grid, c.dim // c.heads, first)]


class Rotary(RotaryBesideAdded, NoPositions):
    """Places turned into queries and keys only (Su et al. 2021): what two tokens say to
    each other depends on how far apart they are.
    """


class NoQKVBias(VisionTransformer):
    """Queries, keys and values without biases (Dehghani et al. 2023)."""

    def make_block(self, index: int) -> nn.Module:
        dim = self.config.dim
        block = super().make_block(index)
        cast("Any", block).attention.qkv = nn.Linear(dim, 3 * dim, bias=False)
        return block


class Since2020(
    WithRegisters, RMSNorm, LayerScale, NoQKVBias, QKNorm, RotaryBesideAdded
):
    """What ViT-5 keeps of the lines that came since 2020 (Wang et al. 2026):
    LayerScale, RMSNorm, registers, QK-norm, rotary positions beside added ones, and no
    biases in qkv.
    """

    def encode(
        self, tokens: Tensor, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, list[Tensor]]:
        whole = self.config.tokens
        # with fewer, registers would be turned as if they were the last patches
        if tokens.shape[1] != whole:
            raise ValueError(
                f"{tokens.shape[1]} tokens, expected {whole}: rotary positions turn the"
                " patches of a whole picture"
            )
        return super().encode(tokens, return_attention)
