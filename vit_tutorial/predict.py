"""What a trained model says of pictures: its tokens, one vector a picture, the classes
it takes them for.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.data.datasets import sized_for
from vit_tutorial.data.image_files import read_image
from vit_tutorial.data.images import ImageSet, resize, sides_of
from vit_tutorial.interpret.attention import evaluating, require_tokens
from vit_tutorial.interpret.lens import residual_states
from vit_tutorial.model import VisionTransformer
from vit_tutorial.selfsup import probes
from vit_tutorial.training.metrics import compute_logits
from vit_tutorial.training.run import Run, RunConfig

BATCH = 64  # pictures in memory at once

# uint8 (n, C, Y, X) of any size, or the paths of files
Pictures = Tensor | Iterable[str | Path]


@torch.no_grad()
def features(
    model: VisionTransformer, images: Tensor, layer: int = -1, norm: bool = True
) -> Tensor:
    """The tokens of normalised images (B, C, Y, X) as they leave a layer: (B, T, D).

    Layer 0 are the tokens as they are embedded, `depth` is the last block, and -1 is
    that, too. With `norm` they have passed the norm of the head, which was trained to
    read the last layer. Runs in eval mode without gradients and leaves the model as it
    was. Raises ValueError for a model without tokens and for a layer it lacks.
    """
    depth = require_tokens(model).config.depth
    if not -depth - 1 <= layer <= depth:
        raise ValueError(
            f"layer is {layer}, expected 0 (embedded) to {depth}, or from the end -1 to"
            f" {-depth - 1}"
        )
    states = residual_states(model, images)
    x = states[layer][:, : states[0].shape[1]]  # registers stand behind the tokens
    return model.head[0](x) if norm else x


def predict(
    model: nn.Module, run: Run, pictures: Pictures, topk: int = 5
) -> list[list[tuple[str, float]]]:
    """The `topk` likeliest classes of each picture with their probabilities, best
    first; see `predict_each`.
    """
    return list(predict_each(model, run, pictures, topk))


def predict_each(
    model: nn.Module, run: Run, pictures: Pictures, topk: int = 5
) -> Iterator[list[tuple[str, float]]]:
    """The classes of one picture after the other, however many there are.

    Files are read as in training. Of a model with fewer classes than `topk` all are
    given. Raises ValueError for a `topk` below 1, for a run without labels or of
    another number of classes than the model has, for images of another type or shape,
    for probabilities that are not finite, and what `read_image` raises, with the name
    of the file, when its turn has come.
    """
    if not isinstance(topk, int) or topk < 1:
        raise ValueError(f"topk is {topk!r}, expected a whole number of at least 1")
    if run.config.training.self_supervised:
        raise ValueError(
            f"the run was trained by {run.config.training.objective!r}, without labels,"
            " and names no classes"
        )
    for images in batches(pictures, run.config):
        with evaluating(model):
            logits = compute_logits(model, unlabelled(images), run.normalization)
        if logits.shape[1] != len(run.classes):
            raise ValueError(
                f"the model has {logits.shape[1]} classes, its run names"
                f" {len(run.classes)}"
            )
        expect_finite(logits)
        probabilities = logits.double().softmax(dim=1)
        best = probabilities.sort(dim=1, descending=True, stable=True)
        for shares, classes in zip(best.values, best.indices, strict=True):
            yield [
                (run.classes[label], share)
                for share, label in zip(
                    shares[:topk].tolist(), classes[:topk].tolist(), strict=True
                )
            ]


def embed_images(model: nn.Module, run: Run, pictures: Pictures) -> Tensor:
    """A vector of length 1 for each picture, (n, D): alike are pictures whose vectors
    have a large product. Raises ValueError when there are none; see `embed_each`.
    """
    if not (vectors := list(embed_each(model, run, pictures))):
        raise ValueError("there are no pictures to embed, expected at least 1")
    return torch.stack(vectors)


def embed_each(model: nn.Module, run: Run, pictures: Pictures) -> Iterator[Tensor]:
    """The vectors (D,) of one picture after the other, however many there are.

    What the model's last linear layer is given, as `selfsup.probes.features` says,
    scaled to length 1. Raises ValueError for a model without tokens, for vectors that
    are not finite, and what `predict_each` raises of pictures.
    """
    for images in batches(pictures, run.config):
        pooled = probes.features(model, unlabelled(images), run.normalization)
        expect_finite(pooled)
        yield from F.normalize(pooled, dim=1)


def expect_finite(made: Tensor) -> None:
    """Raise ValueError unless what a model makes of pictures, (n, ...), is finite."""
    if not made.isfinite().all():
        raise ValueError(
            "what the model computes of these pictures is not finite: its weights are"
            " of no use"
        )


def batches(pictures: Pictures, config: RunConfig) -> Iterator[Tensor]:
    """At most `BATCH` pictures at a time, uint8 (n, C, Y, X)."""
    if isinstance(pictures, Tensor):
        if pictures.ndim != 4 or pictures.dtype != torch.uint8:
            raise ValueError(
                f"images are {tuple(pictures.shape)} of {pictures.dtype}, expected"
                " (n, C, Y, X) of torch.uint8"
            )
        # of no images torch would make one empty batch
        yield from pictures.split(BATCH) if len(pictures) else ()
        return
    if isinstance(pictures, str | Path):
        raise ValueError(f"pictures is {str(pictures)!r}, expected a list of files")
    paths = iter(pictures)
    while part := list(islice(paths, BATCH)):
        yield torch.stack([read_picture(path, config) for path in part])


def read_picture(path: str | Path, config: RunConfig) -> Tensor:
    """A picture file as a run's model is given it: (C, rows, columns) uint8.

    As in training it is read at the size of the run's data, then brought to the
    model's. Raises what `read_image` raises.
    """
    model = config.model
    size = sized_for(config.data, model).image_size
    assert size is not None  # sized_for has said it
    image = read_image(path, sides_of(size), model.channels)
    return resize(image[None], model.sides)[0]


def unlabelled(images: Tensor) -> ImageSet:
    """Images of which nobody has said what they show."""
    return ImageSet(images, torch.full((len(images),), -1), ())
