"""Attention as a model computes it, and through all its layers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn

from vit_tutorial.model import VisionTransformer


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards every part is back in the mode it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def require_tokens(model: nn.Module) -> VisionTransformer:
    """The model. Raises ValueError for one without tokens, such as a CNN."""
    # a reader's own Vision Transformer is of another class
    if not hasattr(model, "embed"):
        raise ValueError(
            f"the model is a {type(model).__name__}, which has no tokens, expected a"
            " Vision Transformer"
        )
    return cast("VisionTransformer", model)


@torch.no_grad()
def attention_maps(model: VisionTransformer, images: Tensor) -> list[Tensor]:
    """The weights of every block for normalised images (B, C, Y, X): `depth` tensors
    (B, H, T, T), rows sum to 1.

    Runs in eval mode without gradients and leaves the model as it was.
    """
    with evaluating(model):
        return model(images, return_attention=True)[1]


def rollout(weights: list[Tensor]) -> Tensor:
    """How much each output token draws on each input token through all layers: (B, T,
    T), rows sum to 1.

    `weights` are `depth` tensors (B, H, T, T). Heads are averaged, half of each token
    is what the residual carries past the layer, rows are renormalised, layers
    multiplied (Abnar and Zuidema 2020, section 3). Raises ValueError for no layers, and
    for weights of another shape.
    """
    shapes = {tuple(layer.shape) for layer in weights}
    if len(shapes) != 1 or any(len(shape) != 4 for shape in shapes):
        raise ValueError(
            f"weights of {len(weights)} layers are {sorted(shapes)}, expected (B, H, T,"
            " T) each"
        )
    like = weights[0]
    own = torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)
    joint = own
    for layer in weights:
        step = layer.mean(dim=1) + own
        joint = step / step.sum(dim=-1, keepdim=True) @ joint
    return joint


def select_attention(
    weights: list[Tensor],
    layer: int | None = None,
    head: int | None = None,
    through: bool = False,
) -> Tensor:
    """One map a picture out of all, (B, T, T): that of a layer (the last) and a head
    (the mean of all), or `through` all layers by rollout. Raises ValueError for a layer
    or a head there is not.
    """
    if through:
        return rollout(weights)
    layer = -1 if layer is None else layer
    if not -len(weights) <= layer < len(weights):
        raise ValueError(f"layer is {layer}, expected one of {len(weights)} layers")
    chosen = weights[layer]
    heads = chosen.shape[1]
    if head is not None and not -heads <= head < heads:
        raise ValueError(f"head is {head}, expected one of {heads} heads")
    return chosen.mean(dim=1) if head is None else chosen[:, head]


def attention_distance(
    weights: list[Tensor], grid: tuple[int, int], patch_size: int
) -> Tensor:
    """The mean distance in pixels between a query patch and what it attends to: (depth,
    H).

    `weights` are `depth` tensors (B, H, T, T) over rows * columns patches of `grid`; a
    class token is left out and rows renormalised; a query that gives all to the class
    token looks nowhere and does not count (a head of such ones alone: NaN). Dosovitskiy
    et al. 2021, figure 7 (right). Raises ValueError when T does not fit the grid.
    """
    rows, columns = torch.meshgrid(
        torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij"
    )
    places = (
        torch.stack([rows.flatten(), columns.flatten()], dim=1).to(
            weights[0].device, torch.float32
        )
        * patch_size
    )
    count = len(places)
    tokens = weights[0].shape[-1]
    if tokens not in (count, count + 1):
        raise ValueError(
            f"weights of {tokens} tokens do not fit a grid of {grid[0]} x {grid[1]}"
            " patches"
        )
    apart = (places[:, None] - places).norm(dim=-1)  # (N, N), pixels
    # (depth, B, H, N, N)
    patches = torch.stack([layer[..., -count:, -count:] for layer in weights])
    # half precision cannot add up many
    patches = patches.to(torch.promote_types(patches.dtype, torch.float32))
    # (depth, B, H, N)
    given = patches.sum(dim=-1)
    travelled = (patches * apart).sum(dim=-1)
    looks = given != 0
    return (travelled / given.where(looks, 1)).sum(dim=(1, 3)) / looks.sum(dim=(1, 3))
