"""What can be read off the residual stream after each layer."""

from contextlib import ExitStack

import torch
from torch import Tensor

from vit_tutorial.interpret.attention import evaluating, require_tokens
from vit_tutorial.model import VisionTransformer


@torch.no_grad()
def residual_states(model: VisionTransformer, images: Tensor) -> list[Tensor]:
    """The residual stream of normalised images (B, C, Y, X) as it is embedded and as it
    leaves each block: `depth` + 1 tensors (B, T, D).

    Of a model with registers, which join the tokens in `encode`, all but the first
    tensor hold them, too, behind the tokens. Runs in eval mode without gradients and
    leaves the model as it was. Raises ValueError for a model without tokens.
    """
    model = require_tokens(model)
    with evaluating(model), ExitStack() as hooks:
        states = [model.embed(images)]
        for block in model.blocks:
            hook = block.register_forward_hook(lambda *call: states.append(call[2]))
            hooks.enter_context(hook)
        # not block after block: what a variant does besides would be left out
        model.encode(states[0])
    return states


@torch.no_grad()
def logit_lens(model: VisionTransformer, images: Tensor) -> Tensor:
    """The answer as it forms: the logits if the model stopped after 0, 1, ... blocks,
    (depth + 1, B, classes). The last are the model's own.

    The head, its LayerNorm included, reads the class token, or the mean of all tokens
    where there is none, in every layer (nostalgebraist 2020, "Interpreting GPT: the
    logit lens"). It was trained to read the last layer only: an early state may hold
    the class in directions that it does not look at (Belrose et al. 2023 learn a map
    for each layer), and what it reads off need not be what later layers use.
    """
    states = residual_states(model, images)
    tokens = states[0].shape[1]
    return torch.stack([model.classify(state[:, :tokens]) for state in states])


@torch.no_grad()
def patch_lens(model: VisionTransformer, images: Tensor) -> Tensor:
    """The class that each patch would name: the head on every patch's own state,
    (depth + 1, B, N, classes).

    Vilas et al. 2023, who find the class in patches of ViTs, too. With a class token no
    patch was ever trained to be read; without one the head was trained on their mean,
    whose logits are not the mean of theirs, for the LayerNorm stands between.
    `logit_lens` says what else to beware of.
    """
    first = int(model.config.pool == "cls")
    states = residual_states(model, images)
    tokens = states[0].shape[1]
    return torch.stack([model.head(state[:, first:tokens]) for state in states])
