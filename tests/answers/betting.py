"""Answers to the exercises of chapter 09 on the area of deletion and on a score of
one's own, wrong and right.
"""

import torch

from vit_tutorial import attention_maps, rollout
from vit_tutorial.interpret.attribution import (
    attribute_contrast,
    attribute_gradient_attention,
)
from vit_tutorial.interpret.faithfulness import faithfulness
from vit_tutorial.interpret.interventions import drop_patches


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


def image_by_image(model, images, scores, labels):
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
    return faithfulness(model, images, scores, labels, steps=scores.shape[1]).areas()[0]


def insertion(model, images, scores, labels):
    return faithfulness(model, images, scores, labels, steps=scores.shape[1]).areas()[1]


def lowest_first(model, images, scores, labels):
    return (
        torch.trapezoid(heights(model, images, scores.argsort(dim=1), labels), dim=1)
        / scores.shape[1]
    )


def mean_of_points(model, images, scores, labels):
    return heights(model, images, falling(scores), labels).mean(dim=1)


def summed(model, images, scores, labels):
    return torch.trapezoid(heights(model, images, falling(scores), labels), dim=1)


def divided_by_points(model, images, scores, labels):
    return torch.trapezoid(heights(model, images, falling(scores), labels), dim=1) / (
        scores.shape[1] + 1
    )


def of_logits(model, images, scores, labels):
    order = falling(scores)
    rows = torch.arange(len(images))
    curve = [
        drop_patches(model, images, order[:, gone:])[rows, labels]
        for gone in range(order.shape[1] + 1)
    ]
    return torch.trapezoid(torch.stack(curve, dim=1), dim=1) / order.shape[1]


def of_the_guess(model, images, scores, labels):
    return by_trapezoid(model, images, scores, model(images).argmax(dim=1))


def of_the_largest(model, images, scores, labels):
    order = falling(scores)
    curve = [
        drop_patches(model, images, order[:, n:]).softmax(dim=1).amax(dim=1)
        for n in range(order.shape[1] + 1)
    ]
    return torch.trapezoid(torch.stack(curve, dim=1), dim=1) / order.shape[1]


def never_empty(model, images, scores, labels):
    curve = heights(model, images, falling(scores), labels)[:, :-1]
    return torch.trapezoid(curve, dim=1) / (curve.shape[1] - 1)


def never_whole(model, images, scores, labels):
    curve = heights(model, images, falling(scores), labels)[:, 1:]
    return torch.trapezoid(curve, dim=1) / (curve.shape[1] - 1)


def order_of_the_first(model, images, scores, labels):
    order = falling(scores[:1]).expand(len(images), -1)
    return (
        torch.trapezoid(heights(model, images, order, labels), dim=1) / scores.shape[1]
    )


def ranks_for_patches(model, images, scores, labels):
    order = falling(scores).argsort(dim=1)
    return (
        torch.trapezoid(heights(model, images, order, labels), dim=1) / scores.shape[1]
    )


def one_number(model, images, scores, labels):
    return by_trapezoid(model, images, scores, labels).mean()


def the_curve(model, images, scores, labels):
    return heights(model, images, falling(scores), labels)


def over_the_images(model, images, scores, labels):
    order = falling(scores)
    rows = torch.arange(len(images))
    curve = [
        drop_patches(model, images, order[:, n:]).softmax(dim=0)[rows, labels]
        for n in range(order.shape[1] + 1)
    ]
    return torch.trapezoid(torch.stack(curve, dim=1), dim=1) / order.shape[1]


def the_fall(model, images, scores, labels):
    curve = heights(model, images, falling(scores), labels)
    return torch.trapezoid(curve[:, :1] - curve, dim=1) / scores.shape[1]


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


def score_of_the_last_layer(model, images, labels):
    return attention_maps(model, images)[-1].mean(dim=1)[:, 0, 1:]


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


@torch.no_grad()
def score_one_by_one(model, images, labels):
    """How far the probability falls without each patch alone."""
    everything = torch.arange(36).expand(len(images), -1)
    rows = torch.arange(len(images))
    left = [
        drop_patches(
            model, images, everything[:, [n for n in range(36) if n != gone]]
        ).softmax(dim=1)[rows, labels]
        for gone in range(36)
    ]
    return 1 - torch.stack(left, dim=1)


WRONG = {
    "deletion_area": [
        (insertion, "the lowest scores went first, which is the area of insertion"),
        (lowest_first, "the lowest scores went first"),
        (mean_of_points, "those at the ends count half"),
        (summed, "divide by the number of steps"),
        (divided_by_points, "not by that of points"),
        (of_logits, "these are logits"),
        (of_the_guess, "labels say which one"),
        (of_the_largest, "largest probability at each step"),
        (never_empty, "the last point is missing"),
        (never_whole, "the first point is missing"),
        (order_of_the_first, "in the order of the first one"),
        (ranks_for_patches, "you sorted twice"),
        (one_number, "the images are averaged"),
        (the_curve, "this is the curve"),
        (over_the_images, "runs over the images"),
        (the_fall, "how far the probability falls"),
    ],
    "own_score": [
        (score_of_contrast, "this is contrast itself"),
        (score_of_deviations, "misses others that matter"),
        (score_by_chance, "contrast is as good or better in both"),
        (score_of_the_last_layer, "contrast is as good or better in both"),
        (score_of_slopes, "it finds patches that suffice, but misses others"),
        (score_one_by_one, "contrast is as good or better in both"),
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
    "deletion_area": [by_trapezoid, by_hand, image_by_image, by_the_package],
    "own_score": [
        score_of_rollout,
        score_times_contrast,
        score_of_both,
        score_in_double,
    ],
}
