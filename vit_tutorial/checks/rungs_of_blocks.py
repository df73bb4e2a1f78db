"""The capstone's rungs from the MLP on: the order within a block, and of the blocks."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.checks.ladder import (
    Wrong,
    changed,
    compare_models,
    quiet_attention,
    restacked,
    sizes,
)
from vit_tutorial.model import VisionTransformer


def bent(layer: Callable[[], nn.Module]) -> Wrong:
    """Another function between the two linear layers."""

    def change(model: VisionTransformer) -> None:
        for block in model.blocks:
            block.mlp[1] = layer()

    return changed(change)


def mlp(answer: Callable) -> None:
    mistakes = {
        "the bend is a ReLU: it is a GELU": bent(nn.ReLU),
        "the bend is the GELU's approximation by tanh: nn.GELU() is the exact one": (
            bent(lambda: nn.GELU("tanh"))
        ),
        "the bend is a SiLU: it is a GELU": bent(nn.SiLU),
        "nothing bends between the two linear layers: two of them are one without the GELU": bent(
            nn.Identity
        ),
        "a second GELU bends what the MLP returns": restacked(
            lambda block, x: x + F.gelu(block.mlp(block.norm2(x)))
        ),
        "what goes into the MLP passes norm2, in your model norm1": restacked(
            lambda block, x: x + block.mlp(block.norm1(x))
        ),
        "the norm before the MLP is missing": restacked(
            lambda block, x: x + block.mlp(x)
        ),
        "the MLP's sum starts from the normed x: add to x itself": restacked(
            lambda block, x: block.norm2(x) + block.mlp(block.norm2(x))
        ),
        "the residual around the MLP is missing": restacked(
            lambda block, x: block.mlp(block.norm2(x))
        ),
    }
    # attention is quiet, so the few logits of one class token decide: both GELUs' may
    # lie that near
    for _ in range(3):
        compare_models(answer, sizes(), quiet_attention, mistakes)


def side_by_side(block: nn.Module, x: Tensor) -> Tensor:
    return x + block.attention(block.norm1(x)) + block.mlp(block.norm2(x))


def mlp_first(block: nn.Module, x: Tensor) -> Tensor:
    x = x + block.mlp(block.norm2(x))
    return x + block.attention(block.norm1(x))


def from_the_start(block: nn.Module, x: Tensor) -> Tensor:
    middle = x + block.attention(block.norm1(x))
    return x + block.mlp(block.norm2(middle))


def block(answer: Callable) -> None:
    mistakes = {
        "attention and MLP read the same x: the MLP comes after the sum with attention": restacked(
            side_by_side
        ),
        "the MLP comes first: attention, then MLP": restacked(mlp_first),
        "what attention found is lost: the MLP is added to the sum, not to the x before it": restacked(
            from_the_start
        ),
    }
    compare_models(answer, sizes(heads=2), mistakes=mistakes)


def picked(*order: int) -> Wrong:
    """The blocks in another order, some left out."""

    def change(model: VisionTransformer) -> None:
        model.blocks = nn.ModuleList(model.blocks[place] for place in order)

    return changed(change)


def normed_between(model: VisionTransformer) -> None:
    norm = model.head[0]
    model.blocks = nn.ModuleList(nn.Sequential(block, norm) for block in model.blocks)
    for block in model.blocks:
        block.forward = lambda x, return_attention=False, block=block: block[1](
            block[0](x)
        )
    model.head[0] = nn.Identity()


def depth(answer: Callable) -> None:
    mistakes = {
        "only the first block runs": picked(0),
        "only the last block runs: each works on what the one before returned": picked(
            2
        ),
        "the last block does not run": picked(0, 1),
        "the first block does not run": picked(1, 2),
        "the blocks run in reverse": picked(2, 1, 0),
        "the first block runs config.depth times: each has weights of its own": picked(
            0, 0, 0
        ),
        "the last block runs config.depth times: each has weights of its own": picked(
            2, 2, 2
        ),
        "the last norm stands after every block: it comes once, before the head": (
            changed(normed_between)
        ),
    }
    compare_models(answer, sizes(depth=3, heads=2), mistakes=mistakes)
