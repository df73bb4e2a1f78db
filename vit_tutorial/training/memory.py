"""What a model would need, counted before it is built."""

import os
from math import prod

from vit_tutorial.config import ViTConfig
from vit_tutorial.embedding import prime_factors, stem_widths


def matrix_values(config: ViTConfig) -> int:
    """How many values the matrices and the positions of a model hold, without building
    it.
    """
    dim = config.dim
    patch = config.patch_size
    hidden = int(config.dim * config.mlp_ratio)
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


def refuse_too_large(config: ViTConfig) -> None:
    """Raise ValueError for a model that this machine cannot train, before the system
    runs out of memory and kills.
    """
    # four bytes each for a weight, its gradient and two moments
    needed = 16 * matrix_values(config)
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system says
        return
    if needed > there:
        raise ValueError(
            f"the model needs {needed / 1e9:,.0f} GB to be trained, this machine has"
            f" {there / 1e9:,.0f}"
        )
