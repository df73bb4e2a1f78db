"""Answers to the exercise of chapter 09, wrong and right, as learners write them."""

import torch
from einops import repeat

from vit_tutorial.interpret import interventions


def classify(model, tokens):
    """Logits from tokens."""
    return model.classify(model.encode(tokens))


def choose(tokens, kept):
    return tokens.gather(1, repeat(kept, "b n -> b n d", d=tokens.shape[-1]))


def parts(model, images):
    tokens = model.embedder(images)
    return tokens[:, :1], tokens[:, 1:]


def not_shifted(model, images, kept):
    tokens = model.embedder(images)
    return classify(model, torch.cat([tokens[:, :1], choose(tokens, kept)], dim=1))


def class_token_forgotten(model, images, kept):
    return classify(model, choose(parts(model, images)[1], kept))


def class_token_forgotten_not_shifted(model, images, kept):
    return classify(model, choose(model.embedder(images), kept))


def class_token_last(model, images, kept):
    first, patches = parts(model, images)
    return classify(model, torch.cat([choose(patches, kept), first], dim=1))


def places_afterwards(model, images, kept):
    chosen = choose(model.embedder.project(images), kept)
    tokens = torch.cat(
        [model.embedder.class_token.expand(len(images), -1, -1), chosen], dim=1
    )
    return classify(model, tokens + model.embedder.positions[:, : tokens.shape[1]])


def no_places(model, images, kept):
    chosen = choose(model.embedder.project(images), kept)
    return classify(
        model,
        torch.cat(
            [model.embedder.class_token.expand(len(images), -1, -1), chosen], dim=1
        ),
    )


def kept_dropped(model, images, kept):
    first, patches = parts(model, images)
    others = [
        [n for n in range(patches.shape[1]) if n not in row] for row in kept.tolist()
    ]
    return classify(
        model, torch.cat([first, choose(patches, torch.tensor(others))], dim=1)
    )


def first_row_for_all(model, images, kept):
    first, patches = parts(model, images)
    return classify(model, torch.cat([first, patches[:, kept[0]]], dim=1))


def painted(model, images, kept):
    rows, columns = model.config.grid
    side = model.config.patch_size
    there = (
        torch.zeros(len(images), rows * columns)
        .scatter(1, kept, 1.0)
        .reshape(-1, rows, columns)
    )
    return model(images * repeat(there, "b y x -> b 1 (y p) (x q)", p=side, q=side))


def zeros_for_tokens(model, images, kept):
    first, patches = parts(model, images)
    there = torch.zeros(patches.shape[:2]).scatter(1, kept, 1.0)
    return classify(model, torch.cat([first, patches * there[..., None]], dim=1))


def all_there(model, images, kept):
    return model(images)


def class_token_without_place(model, images, kept):
    first, patches = parts(model, images)
    return classify(
        model,
        torch.cat(
            [model.embedder.class_token.expand_as(first), choose(patches, kept)], dim=1
        ),
    )


def probabilities(model, images, kept):
    return interventions.drop_patches(model, images, kept).softmax(dim=-1)


def classes_named(model, images, kept):
    return interventions.drop_patches(model, images, kept).argmax(dim=-1)


def tokens_only(model, images, kept):
    first, patches = parts(model, images)
    return torch.cat([first, choose(patches, kept)], dim=1)


def with_attention(model, images, kept):
    first, patches = parts(model, images)
    kept = torch.cat([first, choose(patches, kept)], dim=1)
    features, weights = model.encode(kept, return_attention=True)
    return model.classify(features), weights


def mode_changed(model, images, kept):
    return interventions.drop_patches(model.train(), images, kept)


def by_indices(model, images, kept):
    first, patches = parts(model, images)
    return classify(
        model,
        torch.cat([first, patches[torch.arange(len(images))[:, None], kept]], dim=1),
    )


def image_by_image(model, images, kept):
    rows = []
    for image, wanted in zip(images, kept, strict=True):
        tokens = model.embedder(image[None])
        rows.append(
            classify(
                model,
                tokens[:, [0] + [1 + number for number in sorted(wanted.tolist())]],
            )[0]
        )
    return torch.stack(rows)


def with_zero_in_front(model, images, kept):
    rows = torch.cat([torch.zeros_like(kept[:, :1]), kept + 1], dim=1)
    with torch.no_grad():
        return classify(
            model, torch.take_along_dim(model.embedder(images), rows[..., None], dim=1)
        )


def painted_in_the_mean(model, images, kept):
    rows, columns = model.config.grid
    side = model.config.patch_size
    there = (
        torch.zeros(len(images), rows * columns)
        .scatter(1, kept, 1.0)
        .reshape(-1, rows, columns)
    )
    window = repeat(there, "b y x -> b 1 (y p) (x q)", p=side, q=side)
    return model(window * images + (1 - window) * images.mean(dim=(2, 3), keepdim=True))


def means_for_tokens(model, images, kept):
    first, patches = parts(model, images)
    there = torch.zeros(patches.shape[:2]).scatter(1, kept, 1.0)[..., None]
    return classify(
        model,
        torch.cat(
            [first, there * patches + (1 - there) * patches.mean(dim=1, keepdim=True)],
            dim=1,
        ),
    )


def the_first_ones(model, images, kept):
    return classify(model, model.embedder(images)[:, : 1 + kept.shape[1]])


def places_twice(model, images, kept):
    first, patches = parts(model, images)
    tokens = torch.cat([first, choose(patches, kept)], dim=1)
    return classify(model, tokens + model.embedder.positions[:, : tokens.shape[1]])


def place_of_the_patch_before(model, images, kept):
    places = model.embedder.positions.expand(len(images), -1, -1)
    tokens = choose(model.embedder.project(images), kept) + choose(places, kept)
    return classify(model, torch.cat([parts(model, images)[0], tokens], dim=1))


def log_probabilities(model, images, kept):
    return interventions.drop_patches(model, images, kept).log_softmax(dim=-1)


def first_36_patches(model, images, kept):
    first, patches = parts(model, images)
    return classify(model, torch.cat([first, choose(patches[:, :36], kept)], dim=1))


def thawed(model, images, kept):
    return interventions.drop_patches(model.requires_grad_(True), images, kept)


def made_double(model, images, kept):
    return interventions.drop_patches(model.double(), images.double(), kept).float()


def by_one_hot(model, images, kept):
    tokens = model.embedder(images)
    rows = torch.cat([torch.zeros_like(kept[:, :1]), kept + 1], dim=1)
    return classify(
        model, torch.nn.functional.one_hot(rows, tokens.shape[1]).float() @ tokens
    )


WRONG = {
    "drop_patches": [
        (not_shifted, "patch n is token n + 1"),
        (class_token_forgotten, "the class token is missing"),
        (class_token_forgotten_not_shifted, "the class token is missing"),
        (class_token_last, "stands last"),
        (places_afterwards, "the places are wrong"),
        (no_places, "the tokens have no places"),
        (kept_dropped, "were dropped, and the others kept"),
        (first_row_for_all, "every image keeps the patches of the first one"),
        (painted, "painted in grey"),
        (zeros_for_tokens, "are zeros"),
        (all_there, "still there, all of them"),
        (class_token_without_place, "class token's own position is missing"),
        (probabilities, "these are probabilities"),
        (classes_named, "these are the classes"),
        (tokens_only, "returned shape"),
        (with_attention, "returned a tuple"),
        (mode_changed, "left the model in train mode"),
        (thawed, "left the model to learn: it was frozen"),
        (made_double, "changed the model"),
        (painted_in_the_mean, "painted in the mean of the image"),
        (means_for_tokens, "are a mean, and still there"),
        (the_first_ones, "the first patches are there"),
        (places_twice, "the positions are added twice"),
        (place_of_the_patch_before, "patch n has row n + 1 of the positions"),
        (log_probabilities, "these are logarithms of probabilities"),
        (first_36_patches, "raised RuntimeError: index"),
    ]
}

RIGHT = {
    "drop_patches": [
        by_indices,
        image_by_image,
        with_zero_in_front,
        by_one_hot,
        interventions.drop_patches,
    ]
}
