"""Answers to the exercises of chapter 09, wrong and right, as learners write them."""

import torch
from einops import repeat

from vit_tutorial import attention_maps, rollout
from vit_tutorial.interpret import interventions
from vit_tutorial.interpret.attribution import (
    attribute_contrast,
    attribute_gradient_attention,
)
from vit_tutorial.interpret.faithfulness import faithfulness
from vit_tutorial.interpret.interventions import drop_patches


def classify(model, tokens):
    """Logits from tokens."""
    return model.classify(model.encode(tokens))


def choose(tokens, kept):
    return tokens.gather(1, repeat(kept, "b n -> b n d", d=tokens.shape[-1]))


def parts(model, images):
    tokens = model.embedder(images)
    return tokens[:, :1], tokens[:, 1:]


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


def heights(model, images, order, labels):
    curve = []
    for gone in range(order.shape[1] + 1):
        chances = drop_patches(model, images, order[:, gone:]).softmax(dim=1)
        curve.append(chances[torch.arange(len(images)), labels])
    return torch.stack(curve, dim=1)


def falling(scores):
    return scores.argsort(dim=1, descending=True)


def by_trapezoid(model, images, scores, labels):
    curve = heights(model, images, falling(scores), labels)
    return torch.trapezoid(curve, dim=1) / scores.shape[1]


def by_hand(model, images, scores, labels):
    curve = heights(model, images, falling(scores), labels)
    return ((curve[:, 1:] + curve[:, :-1]) / 2).mean(dim=1)


def areas_image_by_image(model, images, scores, labels):
    areas = []
    for image, score, label in zip(images, scores, labels, strict=True):
        order = score.argsort(descending=True).tolist()
        points = []
        for count in range(len(order) + 1):
            left = torch.tensor(order[count:], dtype=torch.long)[None]
            points.append(
                drop_patches(model, image[None], left).softmax(dim=1)[0, label].item()
            )
        areas.append((sum(points) - (points[0] + points[-1]) / 2) / len(order))
    return torch.tensor(areas)


def by_the_package(model, images, scores, labels):
    return faithfulness(model, images, scores, labels, steps=scores.shape[1]).auc()[0]


def score_of_rollout(model, images, labels):
    return rollout(attention_maps(model, images))[:, 0, 1:]


def score_times_contrast(model, images, labels):
    return attribute_contrast(model, images) * score_of_rollout(model, images, labels)


def score_of_both(model, images, labels):
    return (
        score_of_rollout(model, images, labels)
        * attribute_gradient_attention(model, images, labels).sqrt()
    )


def score_in_double(model, images, labels):
    joint = torch.eye(37, dtype=torch.float64)
    for layer in attention_maps(model, images):
        joint = joint + layer.double().mean(dim=1) @ joint
    return joint[:, 0, 1:].log()


def score_of_contrast(model, images, labels):
    return attribute_contrast(model, images)


def score_of_deviations(model, images, labels):
    patches = images.unfold(2, 16, 16).unfold(3, 16, 16)
    return patches.var(dim=(-2, -1)).mean(dim=1).flatten(1)


def score_by_chance(model, images, labels):
    return torch.rand(len(images), 36)


def score_of_slopes(model, images, labels):
    return attribute_gradient_attention(model, images, labels)


def score_turned_round(model, images, labels):
    return -score_of_rollout(model, images, labels)


def score_of_nothing(model, images, labels):
    return torch.ones(len(images), 36)


def score_with_class_token(model, images, labels):
    return rollout(attention_maps(model, images))[:, 0]


def score_on_the_grid(model, images, labels):
    return score_of_rollout(model, images, labels).reshape(-1, 6, 6)


def score_without_numbers(model, images, labels):
    return score_of_rollout(model, images, labels) / 0 - torch.inf


def score_as_a_list(model, images, labels):
    return score_of_rollout(model, images, labels).tolist()


def score_of_a_model_in_training(model, images, labels):
    return score_of_rollout(model.train(), images, labels)


def areas_in_a_list(*given):
    return by_the_package(*given).tolist()


def areas_in_float64(*given):
    return by_the_package(*given).double()


def areas_somewhat_larger(*given):
    return by_the_package(*given) + 0.01


WRONG = {
    "deletion_area": [
        (areas_in_a_list, "returned a list, a tensor of shape (3,) was expected"),
        (areas_in_float64, "returned torch.float64, expected torch.float32"),
        (areas_somewhat_larger, "the shape is right, the values are not"),
    ],
    "drop_patches": [
        (tokens_only, "returned shape"),
        (with_attention, "returned a tuple"),
        (mode_changed, "left the model in train mode"),
        (thawed, "left the model to learn: it was frozen"),
        (made_double, "changed the model"),
        (first_36_patches, "raised RuntimeError: index"),
    ],
    "own_score": [
        (score_of_contrast, "this is contrast itself"),
        (score_of_deviations, "misses others that matter"),
        (score_by_chance, "contrast is as good or better in both"),
        (score_of_slopes, "it finds patches that suffice, but misses others"),
        (score_turned_round, "turned round it would be better"),
        (score_of_nothing, "prefers nothing"),
        (score_with_class_token, "returned shape (64, 37), expected (64, 36)"),
        (score_on_the_grid, "returned shape (64, 6, 6), expected (64, 36)"),
        (score_without_numbers, "not finite"),
        (score_as_a_list, "returned a list"),
        (score_of_a_model_in_training, "left the model in train mode"),
    ],
}
RIGHT = {
    "drop_patches": [
        by_indices,
        image_by_image,
        with_zero_in_front,
        by_one_hot,
        interventions.drop_patches,
    ],
    "deletion_area": [
        by_trapezoid,
        by_hand,
        areas_image_by_image,
        by_the_package,
    ],
    "own_score": [
        score_of_rollout,
        score_times_contrast,
        score_of_both,
        score_in_double,
    ],
}
