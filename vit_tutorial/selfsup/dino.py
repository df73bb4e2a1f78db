"""DINO: a student names what its own past, which saw another crop, would say."""

import math
from collections.abc import Callable
from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.model import VisionTransformer
from vit_tutorial.resolution import embed
from vit_tutorial.selfsup.config import DINOConfig
from vit_tutorial.selfsup.learner import Learner, deviation, encode, pooled


def dino_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean cross-entropy of a student's views with a teacher's: log-probabilities (V,
    B, K) and probabilities (G, B, K), of which the first G views are the same.

    A sum over the outputs, a mean over images and over pairs of different views: to
    predict the teacher from its own crop is no task (Caron et al. 2021, equation 3).
    """
    # not a matrix product, which autocast would round to half precision
    pairs = -(teacher[:, None] * student).sum(dim=-1).mean(dim=-1)  # (G, V)
    same = torch.eye(*pairs.shape, dtype=torch.bool, device=pairs.device)
    return pairs[~same].mean()


class DINOHead(nn.Sequential):
    """Three linear layers to a bottleneck: (B, D) -> (B, K) cosines with K directions
    (Caron et al. 2021, section 3.1 and appendix C).
    """

    def __init__(self, dim: int, config: DINOConfig) -> None:
        super().__init__(
            nn.Linear(dim, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.hidden),
            nn.GELU(),
            nn.Linear(config.hidden, config.bottleneck),
        )
        self.directions = nn.Parameter(torch.randn(config.outputs, config.bottleneck))

    def forward(self, features: Tensor) -> Tensor:
        return F.linear(
            F.normalize(super().forward(features), dim=-1),
            F.normalize(self.directions, dim=-1),
        )


class DINO(Learner):
    """A student and its teacher, a moving average of it, which is the model that is
    kept.

    Both see crops of the same images, the teacher the global ones only. Its outputs are
    centred, lest one output win everywhere, and sharpened by a low temperature, lest
    all be alike. `entropy` is that of its answers for one image, as a share of the
    largest, ln K: 1 or 0 for good is a collapse. Other than in the paper's code no
    temperature warms up, and the last layer learns from the start.
    """

    watches = ("deviation", "entropy")
    center: Tensor
    batch_mean: Tensor

    def __init__(self, backbone: VisionTransformer, config: DINOConfig) -> None:
        super().__init__(backbone)
        self.settings = config
        self.student = backbone
        self.student_head = DINOHead(backbone.config.dim, config)
        self.backbone = deepcopy(backbone).requires_grad_(False)
        self.teacher_head = deepcopy(self.student_head).requires_grad_(False)
        self.register_buffer("center", torch.zeros(config.outputs))
        mean = torch.zeros(config.outputs)  # of the last batch
        self.register_buffer("batch_mean", mean, persistent=False)

    def train(self, mode: bool = True) -> "DINO":
        super().train(mode)
        for part in (self.backbone, self.teacher_head):
            part.eval()
        return self

    def forward(self, images: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Global crops (B, 2, C, Y, X) and local crops (B, L, C, y, x) to the loss,
        deviation and entropy.
        """
        config = self.settings
        with torch.no_grad():
            shown = pooled_views(self.backbone, images)
            outputs = self.teacher_head(shown)
            if self.training:
                self.batch_mean.copy_(outputs.mean(dim=(0, 1)))
            centered = (outputs - self.center) / config.teacher_temperature
            teacher = centered.softmax(dim=-1)
        views = torch.cat(
            [pooled_views(self.student, crops) for crops in (images, others)]
        )
        student = self.student_head(views) / config.student_temperature
        loss = dino_loss(student.log_softmax(dim=-1), teacher)
        entropy = torch.special.entr(teacher).sum(dim=-1).mean()
        entropy = entropy / math.log(config.outputs)
        return loss, torch.stack([deviation(shown[0]), entropy])

    @torch.no_grad()
    def after_step(self, done: float, mean: Callable[[Tensor], Tensor]) -> None:
        """Move the teacher towards the student, and the centre towards the mean of the
        teacher's last outputs.
        """
        config = self.settings
        kept = 1 - (1 - config.momentum) * (math.cos(math.pi * done) + 1) / 2
        pairs = ((self.backbone, self.student), (self.teacher_head, self.student_head))
        for teacher, student in pairs:
            values = student.state_dict()
            for name, value in teacher.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(values[name], 1 - kept)
        if config.centering:
            self.center.lerp_(mean(self.batch_mean), 1 - config.center_momentum)


def pooled_views(model: VisionTransformer, crops: Tensor) -> Tensor:
    """Features of crops, view by view: (B, V, C, Y, X) -> (V, B, D)."""
    images = crops.transpose(0, 1).flatten(0, 1)
    features = pooled(model, encode(model, embed(model, images)))
    return features.unflatten(0, (crops.shape[1], -1))
