"""How tokens talk to each other."""

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


def attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Mix the values by how well queries fit keys: (..., T, K) each -> mixed (..., T,
    K), weights (..., T, T).

    weights = softmax(q k^T / sqrt(K)), each row (one query over all keys) sums to 1.
    Vaswani et al. 2017, equation 1; Dosovitskiy et al. 2021, equations 6 and 7.
    """
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    weights = scores.softmax(dim=-1)
    return weights @ v, weights


class MultiHeadSelfAttention(nn.Module):
    """H attentions side by side on K = D/H values each: (B, T, D) -> (B, T, D).

    With `return_attention` also the weights, (B, H, T, T); without, PyTorch's fused
    attention, which never stores them. Dosovitskiy et al. 2021, equations 5 to 8.
    Raises ValueError when `dim` is not a multiple of `heads`.
    """

    def __init__(self, dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim {dim} is not divisible by heads {heads}")
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)  # one product instead of 3 * H small ones
        self.out = nn.Linear(dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, tokens: Tensor, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        q, k, v = rearrange(
            self.qkv(tokens), "b t (three h k) -> three b h t k", three=3, h=self.heads
        )
        if return_attention:
            mixed, weights = attend(q, k, v)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v)
        mixed = self.dropout(self.out(rearrange(mixed, "b h t k -> b t (h k)")))
        return (mixed, weights) if return_attention else mixed
