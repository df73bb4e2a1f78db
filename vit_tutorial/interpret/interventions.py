"""What changes when something is taken away: patches, or what the weights have
learnt.
"""

import math

import torch
from torch import Tensor

from vit_tutorial.interpret.attention import evaluating
from vit_tutorial.model import VisionTransformer


@torch.no_grad()
def drop_patches(model: VisionTransformer, images: Tensor, kept: Tensor) -> Tensor:
    """Logits (B, classes) of images of which only the patches `kept` (B, n) are there,
    each in its own place.

    The others become no tokens at all; the class token always stays. `kept` are numbers
    from 0 to N - 1, in any order. Runs in eval mode without gradients and leaves the
    model as it was. Raises ValueError for patches there are not, a patch given twice,
    and no patch at all where there is no class token.
    """
    first = int(model.config.pool == "cls")
    patches = math.prod(model.config.grid)
    if (
        kept.ndim != 2
        or len(kept) != len(images)
        or kept.is_floating_point()
        or kept.dtype == torch.bool
    ):
        raise ValueError(
            f"kept is {tuple(kept.shape)} of {kept.dtype}, expected ({len(images)}, n)"
            " numbers of patches to keep"
        )
    if kept.shape[1] + first == 0:
        raise ValueError(
            "no patch is kept and the model has no class token, expected at least 1"
            " patch"
        )
    if kept.numel() and not 0 <= kept.min() <= kept.max() < patches:
        raise ValueError(
            f"kept runs from {kept.min()} to {kept.max()}, expected patches from 0 to"
            f" {patches - 1}"
        )
    if (kept.sort(dim=1).values.diff(dim=1) == 0).any():
        raise ValueError(
            "a patch is kept twice in one image, expected each number at most once"
        )
    with evaluating(model):
        tokens = model.embed(images)
        chosen = tokens[:, first:].gather(
            1, kept.long().to(tokens.device)[..., None].expand(-1, -1, tokens.shape[-1])
        )
        features = model.encode(torch.cat([tokens[:, :first], chosen], dim=1))
        assert isinstance(features, Tensor)  # no attention was asked for
        return model.classify(features)


def randomize_cascade(
    model: VisionTransformer, parts: int, seed: int = 0
) -> VisionTransformer:
    """A copy whose last `parts` parts have fresh weights: the head, then blocks from
    the last to the first, embedder.

    Adebayo et al. 2018, cascading randomisation. Raises ValueError for more parts than
    there are.
    """
    names = [
        "head",
        *(f"blocks.{block}" for block in reversed(range(model.config.depth))),
        "embedder",
    ]
    if not 0 <= parts <= len(names):
        raise ValueError(
            f"parts is {parts}, expected 0 to {len(names)}: head, {model.config.depth}"
            " blocks, embedder"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        copy = VisionTransformer(model.config).to(next(model.parameters()))
    trained = tuple(f"{name}." for name in names[parts:])
    state = {
        name: tensor
        for name, tensor in model.state_dict().items()
        if name.startswith(trained)
    }
    copy.load_state_dict(copy.state_dict() | state)
    return copy.train(model.training)
