"""MAE: the encoder sees what is left, a light decoder fills in what is hidden."""

import torch
from torch import Tensor, nn

from vit_tutorial.block import EncoderBlock
from vit_tutorial.embedding import interpolate_positions, sincos_positions
from vit_tutorial.model import VisionTransformer, initialise
from vit_tutorial.resolution import embed
from vit_tutorial.selfsup.config import MaskingConfig
from vit_tutorial.selfsup.learner import MaskedLearner, encode, grid_of
from vit_tutorial.selfsup.masking import restore, visible

HEAD_DIM = 16  # of the decoder: heads of this width


class MAE(MaskedLearner):
    """The encoder, which sees visible patches only, and a decoder of its own.

    At a ratio of 0.75 the encoder works on a quarter of the tokens. The decoder gets
    its features in their places, a mask token elsewhere, and positions for all. The
    loss is the mean squared difference of hidden pixels (He et al. 2022, section 3).
    """

    positions: Tensor

    def __init__(self, backbone: VisionTransformer, masking: MaskingConfig) -> None:
        super().__init__(
            backbone, masking.ratio, masking.unit, masking.normalise_targets
        )
        c = backbone.config
        dim = masking.decoder_dim
        self.narrow = nn.Linear(c.dim, dim)
        self.mask_token = nn.Parameter(0.02 * torch.randn(dim))
        self.register_buffer(
            "positions", sincos_positions(c.grid, dim, False), persistent=False
        )
        heads = 1 if dim % HEAD_DIM else dim // HEAD_DIM
        self.blocks = nn.ModuleList(
            EncoderBlock(dim, heads) for _ in range(masking.decoder_depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.pixels = nn.Linear(dim, c.patch_size**2 * c.channels)
        for part in (self.narrow, self.blocks, self.pixels):
            part.apply(initialise)

    def encode(self, images: Tensor, masks: Tensor) -> Tensor:
        """Features of the class token, where there is one, and of the visible patches:
        (B, T - hidden, D).
        """
        tokens = embed(self.backbone, images)
        extra = tokens.shape[1] - masks.shape[1]
        shown = visible(tokens[:, extra:], masks)
        features = encode(self.backbone, torch.cat([tokens[:, :extra], shown], dim=1))
        return self.backbone.head[0](features)

    def decode(self, features: Tensor, masks: Tensor, grid: tuple[int, int]) -> Tensor:
        """Features of what is visible to the pixels of all patches: (B, N, P*P*C)."""
        narrow = self.narrow(features)
        extra = features.shape[1] - int((~masks[0]).sum())
        x = restore(narrow[:, extra:], masks, self.mask_token)
        x = x + interpolate_positions(self.positions, self.config.grid, grid)
        x = torch.cat([narrow[:, :extra], x], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.pixels(self.norm(x[:, extra:]))

    def predict(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        features = self.encode(images, masks)
        return self.decode(features, masks, grid_of(self.backbone, images)), features

    def distance(self, predicted: Tensor, targets: Tensor) -> Tensor:
        return (predicted - targets).square()
