"""The same model for images of other sizes."""

from dataclasses import replace
from typing import cast

from torch import Tensor, nn

from vit_tutorial.embedding import interpolate_positions
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import build_model
from vit_tutorial.variants import Rotation


class AtResolution(nn.Module):
    """A model for images of any size that its patches fill, its positions stretched
    over each: (B, C, Y, X) -> (B, classes).

    The weights are the model's own, so that to train this is to train the model, for
    example on smaller images than it is used for (Touvron et al. 2019, "Fixing the
    train-test resolution discrepancy"). `image_size`, in pixels, is the size that its
    config names. Raises ValueError for images that patches do not fill.
    """

    def __init__(
        self, model: VisionTransformer, image_size: int | tuple[int, int]
    ) -> None:
        super().__init__()
        self.model = model
        self.config = replace(model.config, image_size=image_size)

    def forward(self, images: Tensor) -> Tensor:
        model = self.model
        tokens = embed(model, images)
        return model.classify(cast("Tensor", model.encode(tokens)))


def embed(model: VisionTransformer, images: Tensor) -> Tensor:
    """Images of any size that patches fill to tokens: (B, C, Y, X) -> (B, T, D). Raises
    ValueError for other axes, channels or types, and what `positions_for` raises.
    """
    channels = model.config.channels
    axes = images.ndim == 4 and images.shape[1] == channels
    if not axes or not images.is_floating_point():
        raise ValueError(
            f"images are {tuple(images.shape)} of {images.dtype}, expected (B,"
            f" {channels}, Y, X) of floats"
        )
    positions = positions_for(model, images)
    return model.embedder.place(model.embedder.project(images), positions)


def resized(
    model: VisionTransformer, image_size: int | tuple[int, int]
) -> VisionTransformer:
    """A model of its own for images of another size, in pixels: the weights are copies.

    Positions are resampled over its grid as timm does it, a class token's row stays.
    Fixed ones become learnt ones by that: computed for the new grid they would give a
    place another address than the one the model knows it by. Raises ValueError for a
    size that patches do not fill.
    """
    config = replace(model.config, image_size=image_size)
    moved = config.grid != model.config.grid
    if moved:
        config = replace(config, positions="learned")
    other = cast("VisionTransformer", build_model(config))
    weights = model.state_dict()
    if moved and "embedder.positions" in other.state_dict():  # a variant has none
        weights["embedder.positions"] = interpolate_positions(
            model.embedder.positions.detach(),
            model.config.grid,
            config.grid,
            antialias=True,
        )
    other.load_state_dict(weights)
    first = next(model.parameters())
    return other.to(first.device, first.dtype).train(model.training)


def positions_for(model: VisionTransformer, images: Tensor) -> Tensor:
    """A model's positions (1, T, D), stretched over the patches of images (B, C, Y, X).
    Raises ValueError for images that patches do not fill, and for those of another size
    where places are turned into queries and keys as well.
    """
    side = model.embedder.patch_size
    rows, columns = images.shape[-2:]
    if rows % side or columns % side or not rows or not columns:
        raise ValueError(
            f"images of {rows} x {columns} pixels are not filled by patches of side"
            f" {side}"
        )
    grid = (rows // side, columns // side)
    positions: Tensor = model.embedder.positions
    if grid == model.config.grid:
        return positions
    if any(isinstance(part, Rotation) for part in model.modules()):
        raise ValueError(
            f"images of {rows} x {columns} pixels, but the rotary positions of"
            f" {model.config.name!r} are for {model.config.sides[0]} x"
            f" {model.config.sides[1]}: `resized` makes a model for others"
        )
    return interpolate_positions(positions, model.config.grid, grid)


def at_any_resolution(model: nn.Module) -> nn.Module:
    """The model for images of any size; a CNN is for any as it is."""
    if not isinstance(model, VisionTransformer):
        return model
    return AtResolution(model, model.config.image_size)
