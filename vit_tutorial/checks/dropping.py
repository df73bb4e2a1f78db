"""The check of chapter 09: logits of images of which some patches are not there."""

from collections.abc import Callable

import torch
from torch import Tensor

from vit_tutorial.checks.core import AND, ask, checked, compare, distinct
from vit_tutorial.checks.state import in_two_modes
from vit_tutorial.config import ViTConfig
from vit_tutorial.interpret import interventions
from vit_tutorial.model import VisionTransformer

SHIFT = "token 0 is the class token, so patch n is token n + 1"
PLACES = (
    "the places are wrong: a patch keeps its own position, and yours got those of the"
    " first tokens"
)
EXPAND = (
    "gather takes no more of a token than its index holds: index.expand(-1, -1, D), or"
    " take_along_dim"
)
NARROW = {
    "match except in dimension": EXPAND,
    "normalized_shape": EXPAND,
    "last dim": EXPAND,
}
KEEP_CLASS = (
    "the class token is missing: it comes first, and the answer is read from it"
)


def drawn_model(rows: int, columns: int, side: int) -> VisionTransformer:
    """A small model with fresh weights, loud enough that every patch and place
    counts.
    """
    config = ViTConfig(
        image_size=(rows * side, columns * side),
        patch_size=side,
        dim=24,
        depth=2,
        heads=3,
        classes=7,
    )
    model = VisionTransformer(config).eval().requires_grad_(False)
    torch.nn.init.normal_(model.embedder.projection.weight, std=0.3)
    torch.nn.init.normal_(model.embedder.positions)
    torch.nn.init.normal_(model.embedder.class_token)
    torch.nn.init.normal_(model.head[-1].weight)
    return model


def pick(tokens: Tensor, rows: Tensor) -> Tensor:
    """Rows (B, n) of tokens (B, T, D): (B, n, D)."""
    return torch.stack(
        [image[chosen] for image, chosen in zip(tokens, rows, strict=True)]
    )


def wrong_drops(
    model: VisionTransformer, images: Tensor, kept: Tensor
) -> dict[str, Tensor]:
    """What the usual mistakes make of the images: sentence -> logits."""
    embedder = model.embedder

    def encode(tokens: Tensor) -> Tensor:
        return model.classify(model.encode(tokens))

    tokens = embedder(images)
    bare = embedder.project(images)
    first = tokens[:, :1]
    patches = tokens[:, 1:]
    count = bare.shape[1]
    there = torch.zeros(len(images), count, dtype=torch.bool).scatter(1, kept, True)
    others = (
        torch.arange(count).expand(len(images), -1)[~there].reshape(len(images), -1)
    )
    joined = torch.cat(
        [embedder.class_token.expand(len(images), -1, -1), pick(bare, kept)], dim=1
    )
    rows, columns = model.config.grid
    side = model.config.patch_size
    window = (
        there.reshape(-1, 1, rows, columns)
        .repeat_interleave(side, 2)
        .repeat_interleave(side, 3)
    )
    image = images.mean(dim=(2, 3), keepdim=True)
    window = window.float()
    places = embedder.positions.expand(len(images), -1, -1)
    blank = there[..., None] * patches
    right = encode(torch.cat([first, pick(patches, kept)], dim=1))
    return {
        f"the patches before were kept: {SHIFT}": encode(
            torch.cat([first, pick(tokens, kept)], dim=1)
        ),
        KEEP_CLASS + AND + SHIFT: encode(pick(tokens, kept)),
        KEEP_CLASS: encode(pick(patches, kept)),
        "the class token stands last, but the answer is read from the first place": (
            encode(torch.cat([pick(patches, kept), first], dim=1))
        ),
        "the class token's own position is missing: take it, too, from model.embedder": encode(
            torch.cat(
                [embedder.class_token.expand_as(first), pick(patches, kept)], dim=1
            )
        ),
        PLACES: encode(joined + embedder.positions[:, : joined.shape[1]]),
        "the tokens have no places: take them from model.embedder, which adds the positions": encode(
            joined
        ),
        "the patches in kept were dropped, and the others kept": encode(
            torch.cat([first, pick(patches, others)], 1)
        ),
        "every image keeps the patches of the first one: kept has a row for each": (
            encode(torch.cat([first, patches[:, kept[0]]], dim=1))
        ),
        "the dropped patches are painted in grey, and still there: leave their tokens out": model(
            images * window
        ),
        "the dropped patches are painted in the mean of the image, and still there: leave their tokens out": model(
            images * window + image * (1 - window)
        ),
        "the tokens of the dropped patches are a mean, and still there: leave them out": encode(
            torch.cat(
                [
                    first,
                    torch.where(
                        there[..., None], patches, patches.mean(dim=1, keepdim=True)
                    ),
                ],
                1,
            )
        ),
        "the first patches are there, as many as kept has: its numbers say which": (
            encode(torch.cat([first, patches[:, : kept.shape[1]]], dim=1))
        ),
        "the positions are added twice: model.embedder has added them": encode(
            torch.cat([first, pick(patches, kept)], dim=1)
            + places[:, : 1 + kept.shape[1]]
        ),
        "patch n has row n + 1 of the positions, row 0 is the class token's": encode(
            torch.cat([first, pick(bare, kept) + pick(places, kept)], dim=1)
        ),
        "the tokens of the dropped patches are zeros, and still there: leave them out": encode(
            torch.cat([first, blank], dim=1)
        ),
        "the dropped patches are still there, all of them": model(images),
        "this is the answer without any patch": encode(first),
        "these are probabilities, the logits are asked for: leave the softmax out": (
            right.softmax(dim=1)
        ),
        "these are logarithms of probabilities, the logits are asked for": (
            right.log_softmax(dim=1)
        ),
        "these are the classes, the logits are asked for: leave the argmax out": (
            right.argmax(dim=1)
        ),
    }


@checked
def drop_patches(answer: Callable) -> str:
    """`my_drop_patches(model, images, kept)`: logits (B, classes) with only the patches
    `kept` (B, n) there.
    """
    batch, rows, columns, side = distinct(4, 3, 6)
    for count, more, without in (
        (batch, 0, rows * columns // 2),
        (1, 0, rows * columns - 1),
        (batch, 4, 1),
    ):
        # in the end more than 36 patches
        rows = rows + more
        columns = columns + more
        keep = rows * columns - without
        model = drawn_model(rows, columns, side)
        in_two_modes(model.requires_grad_(count > 1))
        images = torch.randn(count, 3, rows * side, columns * side)
        # in no order, others for each image
        kept = torch.rand(count, rows * columns).argsort(dim=1)[:, :keep]
        case = (
            f"{count} image{'s' * (count > 1)} of {rows * columns} patches, {keep} of"
            " them kept"
        )
        expected = "logits of shape (B, classes)"
        got = ask(
            answer, model, images, kept, expected=expected, case=case, clues=NARROW
        )
        compare(
            answer,
            got,
            interventions.drop_patches(model, images, kept),
            wrong_drops(model, images, kept),
            case,
        )
    return "the patches left out are no tokens any more, the others kept their places"
