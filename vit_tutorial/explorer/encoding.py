"""A model's view of an image, in few bytes: what the explorer keeps, sends to the
browser and writes into pages.
"""

import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vit_tutorial.augment.transforms import LUMA
from vit_tutorial.convert.web import web_model
from vit_tutorial.data.images import normalise
from vit_tutorial.interpret.attention import evaluating, rollout
from vit_tutorial.model import VisionTransformer

MOST_BYTES = 3_000_000  # of data on a page, compressed: more opens slowly on a phone
# a browser's engine takes a second for as many at 224 pixels, and they are 32 MB
MOST_PARAMETERS = 8_000_000
# a number from 0 to 1 is kept as its root in 16 bits: so small ones keep their digits
ROOTS = 65_535
# many tokens hardly repeat: then the second is shorter
STRATEGIES = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY)


@torch.no_grad()
def run_model(
    model: VisionTransformer, images: Tensor, patches: list[int] | None = None
) -> tuple[Tensor, Tensor]:
    """What `model` says of normalised images (B, C, Y, X), and where it looks:
    probabilities (B, classes), weights.

    The weights are (B, layers, H + 1, 1 + N, 1 + N) whatever the model is: after the
    heads comes the rollout through the layers up to this one; token 0 is the class
    token, the patches count from 1. With mean pooling query 0 is the mean over queries,
    and nothing goes to token 0. Where only some `patches` are to be present, rows and
    columns of the others are 0. Both are float32 on the CPU; the model stays as it was.
    Raises ValueError when either is not finite.
    """
    class_token = model.config.pool == "cls"
    count = model.config.grid[0] * model.config.grid[1]
    present = list(range(1, 1 + count)) if patches is None else patches
    with evaluating(model):
        tokens = model.embed(images.to(next(model.parameters())))
        if patches is not None:
            tokens = tokens[
                :, [0, *present] if class_token else [patch - 1 for patch in present]
            ]
        features, maps = model.encode(tokens, return_attention=True)
        logits = model.classify(features)
    # a product of layers in half is coarse
    logits = logits.float().cpu()
    maps = [one.float().cpu() for one in maps]
    maps = torch.stack(
        [
            torch.cat([one, rollout(maps[: layer + 1])[:, None]], 1)
            for layer, one in enumerate(maps)
        ],
        1,
    )
    if not (logits.isfinite().all() and maps.isfinite().all()):
        raise ValueError(
            "the model's logits or weights are not finite for these images, expected"
            " numbers"
        )
    if not class_token:
        maps = F.pad(torch.cat([maps.mean(dim=-2, keepdim=True), maps], dim=-2), (1, 0))
    weights = maps.new_zeros(*maps.shape[:3], 1 + count, 1 + count)
    kept = torch.tensor([0, *present])
    weights[..., kept[:, None], kept] = maps
    return logits.softmax(dim=-1), weights


def pack(
    probabilities: Tensor, weights: Tensor, quantization_levels: int = 255
) -> list[bytes]:
    """One piece of bytes an image of what `run_model` returns; a row's weights on the
    patches become 0 to `quantization_levels`.

    In this order, little-endian: probabilities, float32 (classes); each row's scale,
    that is its largest weight on a patch, as a root in uint16 (layers, H + 1, 1 + N);
    its weight on the class token in the same way; and its levels, uint8 (layers, H + 1,
    1 + N, N).
    """
    rows = weights[..., 1:]
    largest = rows.amax(dim=-1)
    steps = (rows * (quantization_levels / largest.clamp(min=1e-30))[..., None]).round()
    roots = [
        (ROOTS * each.clamp(0, 1).sqrt()).round() for each in (largest, weights[..., 0])
    ]
    parts = [
        (probabilities, "<f4"),
        (roots[0], "<u2"),
        (roots[1], "<u2"),
        (steps, "u1"),
    ]
    arrays = [tensor.numpy().astype(kind) for tensor, kind in parts]
    return [
        b"".join(array[image].tobytes() for array in arrays)
        for image in range(len(weights))
    ]


def unpack(
    view: bytes,
    classes: int,
    layers: int,
    heads: int,
    patches: int,
    quantization_levels: int,
) -> tuple[Tensor, Tensor]:
    """A piece of `pack` as the browser reads it: probabilities (classes), weights
    (layers, H + 1, 1 + N, 1 + N).
    """
    shape = (layers, heads + 1, 1 + patches)
    ends = np.cumsum([4 * classes, 2 * np.prod(shape), 2 * np.prod(shape)])
    parts = [
        np.frombuffer(view[start:end], kind)
        for start, end, kind in zip(
            [0, *ends], [*ends, len(view)], ["<f4", "<u2", "<u2", "u1"], strict=True
        )
    ]
    probabilities, scales, token, steps = (
        torch.from_numpy(part.astype(np.float32)) for part in parts
    )
    scales, token = ((root.reshape(*shape, 1) / ROOTS) ** 2 for root in (scales, token))
    return probabilities, torch.cat(
        [token, steps.reshape(*shape, patches) * scales / quantization_levels], dim=-1
    )


def deflate(data: bytes) -> bytes:
    """Compressed as browsers can undo it (RFC 1950), by the better of two
    strategies.
    """
    packed = []
    for strategy in STRATEGIES:
        packer = zlib.compressobj(6, strategy=strategy)
        packed.append(packer.compress(data) + packer.flush())
    return min(packed, key=len)


@dataclass
class Source:
    """What the views come from: models by epoch (None where there is one), normalised
    images (B, C, Y, X), and how.

    `quantization_levels` is that of `pack`; `exact` is whether the images are what the
    pictures of them, in 8 bits, become when normalised.
    """

    models: dict[int | None, VisionTransformer]
    images: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    quantization_levels: int = 255
    exact: bool = True

    def for_browser(
        self, epoch: int | None, dtype: Literal["float32", "mixed"] = "float32"
    ) -> tuple[dict, bytes]:
        """The model of an epoch, as the browser's engine computes with it: `web_model`.

        Raises ValueError where the engine would say something else, or much later: what
        `web_model` raises, for images that are not their pictures, and for a large
        model.
        """
        model = self.models[epoch]
        count = sum(parameter.numel() for parameter in model.parameters())
        if count > MOST_PARAMETERS:
            raise ValueError(
                f"the model has {count / 1e6:.0f} million parameters, expected at most"
                f" {MOST_PARAMETERS / 1e6:.0f} in a browser"
            )
        if not self.exact:
            raise ValueError(
                "the images are not what their pictures become by these means and"
                " deviations"
            )
        return web_model(model, None, self.mean, self.std, dtype)

    def without(self, dropped: list[int], image: int, epoch: int | None) -> bytes:
        """The view of an image that lacks some patches (1 to N)."""
        rows, columns = self.models[epoch].config.grid
        present = [
            patch for patch in range(1, 1 + rows * columns) if patch not in dropped
        ]
        return pack(
            *run_model(self.models[epoch], self.images[[image]], present),
            self.quantization_levels,
        )[0]

    def append(self, picture: Tensor) -> tuple[bytes, list[bytes]]:
        """Take in a picture (3, Y, X), uint8 RGB: its pixels as shown, and its views
        epoch by epoch.

        Raises ValueError for a picture of another shape or type, and what `run_model`
        raises.
        """
        config = next(iter(self.models.values())).config
        if picture.shape != (3, *config.sides) or picture.dtype != torch.uint8:
            expected = ", ".join(map(str, (3, *config.sides)))
            raise ValueError(
                f"the picture is {tuple(picture.shape)} of {picture.dtype}, expected"
                f" ({expected}) of uint8"
            )
        if config.channels == 1:
            picture = (
                (torch.tensor(LUMA) @ picture.flatten(1).float())
                .round()
                .to(torch.uint8)
                .reshape(1, *config.sides)
            )
        images = normalise(picture[None], self.mean, self.std)
        views = [
            pack(*run_model(model, images), self.quantization_levels)[0]
            for model in self.models.values()
        ]
        self.images = torch.cat([self.images, images.to(self.images)])
        return pixels(picture[None])[0], views


def pixels(images: Tensor) -> list[bytes]:
    """Images (B, 1 or 3, Y, X), uint8, as a browser draws them, one piece per image:
    (Y, X, 4), red to blue and opaque.
    """
    shown = F.pad(
        images.cpu().expand(-1, 3, -1, -1), (0, 0, 0, 0, 0, 1), value=255
    ).movedim(1, -1)
    return [image.contiguous().numpy().tobytes() for image in shown]
