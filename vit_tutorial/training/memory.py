"""What a model would need, counted before it is built."""

from math import prod

from vit_tutorial.config import ViTConfig
from vit_tutorial.embedding import prime_factors, stem_widths
from vit_tutorial.machine import refuse_too_large
from vit_tutorial.training.config import TrainConfig


def matrix_values(config: ViTConfig) -> int:
    """How many values the matrices and the positions of a model hold, without building
    it.
    """
    dim = config.dim
    patch = config.patch_size
    hidden = round(config.dim * config.mlp_ratio)
    if config.embedder in ("stem", "hybrid"):
        strides = prime_factors(patch)
        widths = [config.channels, *stem_widths(len(strides), dim)]
        kernels = (max(3, stride) ** 2 for stride in strides)
        embedder = dim * dim + sum(
            map(prod, zip(widths, widths[1:], kernels, strict=False))
        )
        if config.embedder == "hybrid":  # two convolutions of each residual block
            embedder += sum(2 * 9 * width**2 for width in widths[2:])
    else:
        embedder = dim * config.channels * patch * patch
    return (
        embedder
        + config.depth * dim * (4 * dim + 2 * hidden)
        + dim * (config.classes + config.tokens)
    )


def learner_values(config: ViTConfig, training: TrainConfig) -> int:
    """How many values the matrices hold that an objective without labels trains beside
    the model: SimMIM's are no more than those of the embedder.
    """
    if training.objective == "dino":
        dino = training.dino
        head = dino.hidden * (config.dim + dino.hidden + dino.bottleneck)
        head += dino.outputs * dino.bottleneck
        return matrix_values(config) + 2 * head  # a student and its teacher
    if training.objective == "mae":
        dim = training.masking.decoder_dim
        blocks = training.masking.decoder_depth * 12 * dim**2
        return blocks + dim * (config.dim + config.patch_size**2 * config.channels)
    return 0


def refuse_model(config: ViTConfig, training: TrainConfig) -> None:
    """Raise ValueError for a model that this machine cannot train."""
    # four bytes each for a weight, its gradient and two moments
    needed = 16 * (matrix_values(config) + learner_values(config, training))
    refuse_too_large(needed, "to be trained the model needs")
