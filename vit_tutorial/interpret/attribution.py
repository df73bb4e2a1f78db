"""Which patches a class rests on: one score per patch, by attention, by gradients, and
by nothing at all.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vit_tutorial.interpret.attention import attention_maps, evaluating, rollout
from vit_tutorial.model import VisionTransformer
from vit_tutorial.patches import patchify


def attribute_contrast(
    model: VisionTransformer, images: Tensor, labels: Tensor | None = None
) -> Tensor:
    """The standard deviation of a patch's pixels, mean over channels: (B, N). It never
    asks the model anything. Raises ValueError for images that patches do not fill.
    """
    patches = patchify(images.float(), model.config.patch_size)
    pixels = patches.unflatten(2, (-1, images.shape[1]))  # (B, N, P*P, C)
    return pixels.std(dim=2, correction=0).mean(dim=2)


def target_classes(logits: Tensor, labels: Tensor | None) -> Tensor:
    """The classes that are explained, (B,): `labels`, or without them what the model
    itself says. Raises ValueError for labels of another number, of no class, or that
    are floats.
    """
    if labels is None:
        return logits.argmax(dim=1)
    count, classes = logits.shape
    whole = labels.shape == (count,) and not labels.is_floating_point()
    if not whole or not ((0 <= labels) & (labels < classes)).all():
        raise ValueError(
            f"labels are {labels.tolist()}, expected {count} whole numbers from 0"
            f" to {classes - 1}"
        )
    return labels.to(logits.device, torch.long, copy=True)


def patch_relevance(model: VisionTransformer, maps: Tensor) -> Tensor:
    """What the output draws on each patch: maps (B, T, T) -> (B, N), the row of the
    class token or the mean of rows.
    """
    return maps[:, 0, 1:] if model.config.pool == "cls" else maps.mean(dim=1)


def attribute_attention(
    model: VisionTransformer, images: Tensor, labels: Tensor | None = None
) -> Tensor:
    """Raw attention of the last layer, mean over heads: (B, N). It is the same for
    every class.
    """
    return patch_relevance(model, attention_maps(model, images)[-1].mean(dim=1))


def attribute_rollout(
    model: VisionTransformer, images: Tensor, labels: Tensor | None = None
) -> Tensor:
    """Attention through all layers, see `rollout`: (B, N). It is the same for every
    class.
    """
    return patch_relevance(model, rollout(attention_maps(model, images)))


@torch.inference_mode(False)
@torch.enable_grad()
def attribute_gradient_attention(
    model: VisionTransformer, images: Tensor, labels: Tensor | None = None
) -> Tensor:
    """Attention where more of it would raise the class's logit, through all layers: (B,
    N).

    Each layer's weights times their gradient, positive part, mean over heads: R <- R +
    mean((grad * W)^+) R. Chefer, Gur and Wolf 2021, equations 5 and 6. Leaves the model
    as it was, gradients included. Raises ValueError for a model that hands out only a
    part of its weights (registers).
    """
    with evaluating(model):
        # a graph even where all weights are frozen
        tokens = model.embed(images.clone()).detach().requires_grad_()
        features, weights = model.encode(tokens, return_attention=True)
        logits = model.classify(features)
    wanted = logits.gather(1, target_classes(logits, labels)[:, None]).sum()
    gradients = torch.autograd.grad(wanted, weights, allow_unused=True)
    if any(gradient is None for gradient in gradients):
        raise ValueError(
            f"the weights of {model.config.name!r} are only a part of its attention,"
            " expected a model without registers"
        )
    joint = torch.eye(tokens.shape[1], dtype=tokens.dtype, device=tokens.device).expand(
        len(images), -1, -1
    )
    for layer, gradient in zip(weights, gradients, strict=True):
        joint = joint + (layer.detach() * gradient).clamp(min=0).mean(dim=1) @ joint
    return patch_relevance(model, joint)


@torch.inference_mode(False)
@torch.enable_grad()
def attribute_gradient(
    model: VisionTransformer, images: Tensor, labels: Tensor | None = None
) -> Tensor:
    """How strongly the class's logit answers to a patch's pixels, the sum of absolute
    gradients: (B, N).

    Simonyan, Vedaldi and Zisserman 2014, section 3. Leaves the model as it was,
    gradients included.
    """
    # of whole numbers none can be had: the model says what it expects
    pixels = images.detach().clone().requires_grad_(images.is_floating_point())
    with evaluating(model):
        logits = model(pixels)
    (gradient,) = torch.autograd.grad(
        logits.gather(1, target_classes(logits, labels)[:, None]).sum(), pixels
    )
    size = model.config.patch_size
    return (
        gradient.abs()
        .sum(dim=1)
        .unfold(1, size, size)
        .unfold(2, size, size)
        .sum(dim=(-2, -1))
        .flatten(1)
    )


def attribute_random(
    model: VisionTransformer, images: Tensor, labels: Tensor | None = None
) -> Tensor:
    """No explanation at all, for comparison: (B, N) between 0 and 1."""
    return torch.rand(len(images), math.prod(model.config.grid), device=images.device)


ATTRIBUTIONS: dict[str, Callable[..., Tensor]] = {
    "raw attention": attribute_attention,
    "rollout": attribute_rollout,
    "gradient x attention": attribute_gradient_attention,
    "input gradient": attribute_gradient,
    "contrast (no model)": attribute_contrast,
    "random": attribute_random,
}
