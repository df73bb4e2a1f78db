"""Starts for self-attention that are computed, not only drawn: a map that looks
trained, and a map that works like a convolution.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vit_tutorial.attention import MultiHeadSelfAttention

# smaller shares of the largest singular value are left out: they tell sines and cosines
# of neighbours better apart, but the content of a patch drowns them out
TOLERANCE = 0.03
SPREAD = 3.0  # of the scores: about half of the weight lies on the place that is meant


def factorised(product: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Two factors of a matrix: (..., M, N) -> a (..., M, rank), b (..., N, rank).

    `a @ b.mT` is the closest matrix of that rank (Eckart and Young 1936); each factor
    takes the square roots of the singular values. Raises ValueError for a rank below 1
    or above the smaller side.
    """
    if not 1 <= rank <= min(product.shape[-2:]):
        raise ValueError(f"rank {rank} is not from 1 to {min(product.shape[-2:])}")
    left, values, right = torch.linalg.svd(product, full_matrices=False)
    roots = values[..., None, :rank].sqrt()
    return left[..., :rank] * roots, right.mT[..., :rank] * roots


@torch.no_grad()
def mimetic_(attention: MultiHeadSelfAttention) -> None:
    """Start attention like a trained one: similar tokens look at each other, and what
    they take is subtracted.

    For each head W_Q W_K^T is the closest to 0.7 Z + 0.7 I of rank K, over all heads
    W_V W_out is 0.4 Z - 0.4 I; each Z (D, D) is normal, of variance 1/D. Biases are 0.
    Trockman and Kolter 2023, for vision transformers.
    """
    dim = attention.out.in_features
    noise = torch.randn(attention.heads + 1, dim, dim) / dim**0.5
    q, k = factorised(0.7 * (noise[1:] + torch.eye(dim)), dim // attention.heads)
    v, out = factorised(0.4 * (noise[0] - torch.eye(dim)), dim)
    # a linear layer multiplies by the transpose of its weight, whose rows are heads
    rows = (q.mT.flatten(0, 1), k.mT.flatten(0, 1), v.mT)
    attention.qkv.weight.copy_(torch.cat(rows))
    attention.out.weight.copy_(out)
    attention.qkv.bias.zero_()
    attention.out.bias.zero_()


@torch.no_grad()
def convolutional_(
    attention: MultiHeadSelfAttention, positions: Tensor, grid: tuple[int, int]
) -> None:
    """Start each head as a filter of one place: a patch looks at the neighbour at an
    offset of up to one row and one column, drawn for the head; up to nine differ.

    `positions` (1, T, D) are the embedder's, with or without a class token's; `grid`
    are the patches down and across. At the border the neighbour is the closest patch
    there is. With P (N, D) the patches' positions as LayerNorm leaves them and S (N, N)
    1 where a patch should look, else 0, W_Q W_K^T is the closest to pinv(P) S pinv(P)^T
    of rank K, scaled. Values and `out` stay as they are, biases of q and k are 0. After
    Zheng et al. 2025. Raises ValueError for positions that do not fit the grid.
    """
    rows, columns = grid
    count = rows * columns
    if positions.shape[-2] - count not in (0, 1):
        raise ValueError(
            f"{positions.shape[-2]} positions do not fit a grid of {rows} x {columns}"
        )
    heads = attention.heads
    dim = attention.out.in_features
    places = F.layer_norm(positions[0, -count:].cpu().double(), (dim,))
    inverse = torch.linalg.pinv(places, rtol=TOLERANCE)
    steps = torch.cat([torch.randperm(9) for _ in range(0, heads, 9)])[:heads]
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    y = (y + steps[:, None, None] // 3 - 1).clamp(0, rows - 1)
    x = (x + steps[:, None, None] % 3 - 1).clamp(0, columns - 1)
    wanted = F.one_hot((y * columns + x).flatten(1), count).double()  # (H, N, N)
    product = inverse @ wanted @ inverse.mT
    scores = places @ product @ places.mT / (dim // heads) ** 0.5
    spread = scores.square().mean(dim=(1, 2), keepdim=True).sqrt()
    q, k = factorised(SPREAD * product / spread, dim // heads)
    attention.qkv.weight[: 2 * dim] = torch.cat([q, k]).mT.flatten(0, 1)
    attention.qkv.bias[: 2 * dim] = 0
