"""One encoder block: tokens talk, then each thinks for itself."""

from torch import Tensor, nn

from vit_tutorial.attention import MultiHeadSelfAttention


class FeedForward(nn.Sequential):
    """Two linear layers with a GELU between, the same for every token: (B, T, D) -> (B,
    T, D).

    Dosovitskiy et al. 2021, section 3.1 (the MLP of equation 3).
    """

    def __init__(self, dim: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__(
            nn.Linear(dim, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dim),
            nn.Dropout(dropout),
        )


class EncoderBlock(nn.Module):
    """Pre-norm encoder block: (B, T, D) -> (B, T, D); with `return_attention` also the
    weights (B, H, T, T).

    Dosovitskiy et al. 2021, equations 2 and 3: z' = MSA(LN(z)) + z, z = MLP(LN(z')) +
    z'.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=norm_eps)
        self.attention = MultiHeadSelfAttention(dim, heads, dropout)
        self.norm2 = nn.LayerNorm(dim, eps=norm_eps)
        self.mlp = FeedForward(dim, round(dim * mlp_ratio), dropout)

    def forward(
        self, x: Tensor, return_attention: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        if return_attention:
            mixed, weights = self.attention(self.norm1(x), return_attention)
        else:
            mixed = self.attention(self.norm1(x))
        x = x + mixed
        x = x + self.mlp(self.norm2(x))
        return (x, weights) if return_attention else x
