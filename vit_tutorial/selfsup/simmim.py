"""SimMIM: hide patches behind a mask token, let the encoder see all, predict pixels."""

import torch
from torch import Tensor, nn

from vit_tutorial.model import VisionTransformer
from vit_tutorial.resolution import positions_for
from vit_tutorial.selfsup.config import MaskingConfig
from vit_tutorial.selfsup.learner import MaskedLearner, encode


class SimMIM(MaskedLearner):
    """The encoder, a token for what is hidden, and a linear map to pixels.

    A hidden patch becomes the mask token before positions are added, so the encoder
    knows where it is and not what it is. The loss is the mean absolute difference of
    hidden pixels (Xie et al. 2022, sections 3.2 to 3.4).
    """

    def __init__(self, backbone: VisionTransformer, masking: MaskingConfig) -> None:
        super().__init__(
            backbone, masking.ratio, masking.unit, masking.normalise_targets
        )
        c = backbone.config
        self.mask_token = nn.Parameter(0.02 * torch.randn(c.dim))
        self.pixels = nn.Linear(c.dim, c.patch_size**2 * c.channels)

    def predict(self, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        model = self.backbone
        patches = model.embedder.project(images)
        patches = torch.where(masks[..., None], self.mask_token, patches)
        positions = positions_for(model, images)
        features = encode(model, model.embedder.place(patches, positions))
        features = model.head[0](features[:, -masks.shape[1] :])  # no class token
        return self.pixels(features), features

    def distance(self, predicted: Tensor, targets: Tensor) -> Tensor:
        return (predicted - targets).abs()
