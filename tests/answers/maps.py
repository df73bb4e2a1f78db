"""Answers to two exercises of chapter 08, rollout and gaze, wrong and right, as
learners write them.
"""

import functools

import torch
from einops import einsum, reduce

from vit_tutorial.interpret.attention import rollout


def steps(weights, half=0.5):
    return [
        half * layer.mean(dim=1) + half * torch.eye(layer.shape[-1])
        for layer in weights
    ]


def product(matrices):
    return functools.reduce(lambda joint, step: step @ joint, matrices)


def unhalved(weights):
    return product(steps(weights, half=1))


def from_the_right(weights):
    return product(steps(weights)[::-1])


def unhalved_from_the_right(weights):
    return product(steps(weights, half=1)[::-1])


def no_residual(weights):
    return product([layer.mean(dim=1) for layer in weights])


def heads_added(weights):
    return product(
        [(layer.sum(dim=1) + torch.eye(layer.shape[-1])) / 2 for layer in weights]
    )


def heads_added_then_normalised(weights):
    sums = [layer.sum(dim=1) + torch.eye(layer.shape[-1]) for layer in weights]
    return product([step / step.sum(dim=-1, keepdim=True) for step in sums])


def largest_head(weights):
    most = [layer.max(dim=1).values + torch.eye(layer.shape[-1]) for layer in weights]
    return product([step / step.sum(dim=-1, keepdim=True) for step in most])


def columns_normalised(weights):
    return product([step / step.sum(dim=-2, keepdim=True) for step in steps(weights)])


def averaged_layers(weights):
    return torch.stack(steps(weights)).mean(dim=0)


def place_by_place(weights):
    return functools.reduce(torch.mul, steps(weights))


def last_layer(weights):
    return steps(weights)[-1]


def first_forgotten(weights):
    return product(steps(weights)[1:])


def class_row(weights):
    return product(steps(weights))[:, 0, 1:]


def heads_apart(weights):
    return product([(layer + torch.eye(layer.shape[-1])) / 2 for layer in weights])


def heads_averaged_last(weights):
    return heads_apart(weights).mean(dim=1)


def images_averaged_for_heads(weights):
    return product(
        [(layer.mean(dim=0) + torch.eye(layer.shape[-1])) / 2 for layer in weights]
    )


def batch_squeezed(weights):
    return product([step.squeeze() for step in steps(weights)])


def identity_in_place(weights):
    for layer in weights:
        layer += torch.eye(layer.shape[-1])
    return product([layer.mean(dim=1) / 2 for layer in weights])


def emptied(weights):
    joint = torch.eye(weights[0].shape[-1])
    while weights:
        joint = (weights.pop(0).mean(dim=1) + torch.eye(joint.shape[-1])) / 2 @ joint
    return joint


def one_image(weights):
    return product(steps(weights))[0]


def as_numpy(weights):
    return product(steps(weights)).numpy()


def solved_by_loops(weights):
    joint = []
    for image in range(len(weights[0])):
        mixed = torch.eye(weights[0].shape[-1], dtype=torch.float64)
        for layer in weights:
            mean = sum(head.double() for head in layer[image]) / layer.shape[1]
            mixed = 0.5 * mixed + 0.5 * mean @ mixed
        joint.append(mixed.float())
    return torch.stack(joint)


def solved_by_einsum(weights):
    joint = torch.eye(weights[0].shape[-1]).expand(len(weights[0]), -1, -1)
    for layer in weights:
        joint = (
            joint / 2
            + einsum(layer, joint, "b h t s, b s u -> b t u") / 2 / layer.shape[1]
        )
    return joint


def solved_from_the_end(weights):
    joint = torch.eye(weights[0].shape[-1])
    for step in reversed(steps(weights)):
        joint = joint @ step
    return joint.detach()


def gaze_row(layer, patch):
    return layer.mean(dim=1)[:, patch + 1, 1:]


def gaze_row_of_token(layer, patch):
    return layer.mean(dim=1)[:, patch, 1:]


def gaze_before(layer, patch):
    return layer.mean(dim=1)[:, 1:, patch]


def gaze_no_class_token(layer, patch):
    return layer.mean(dim=1)[:, :-1, patch]


def gaze_with_class_token(layer, patch):
    return layer.mean(dim=1)[:, :, patch + 1]


def gaze_last_row_missing(layer, patch):
    return layer.mean(dim=1)[:, :-1, patch + 1]


def gaze_heads_apart(layer, patch):
    return layer[:, :, 1:, patch + 1]


def gaze_heads_added(layer, patch):
    return layer.sum(dim=1)[:, 1:, patch + 1]


def gaze_first_image(layer, patch):
    return layer.mean(dim=1)[0, 1:, patch + 1]


def gaze_averaged(layer, patch):
    return layer.mean(dim=(0, 1))[1:, patch + 1]


def gaze_shared_out(layer, patch):
    column = layer.mean(dim=1)[:, 1:, patch + 1]
    return column / column.sum(dim=1, keepdim=True)


def gaze_wrong_axis(layer, patch):
    return layer.mean(dim=0)[:, 1:, patch + 1]


def gaze_by_turning(layer, patch):
    return reduce(layer, "b h q k -> b k q", "mean")[:, 1:, 1:][:, patch]


def gaze_by_loops(layer, patch):
    rows = [
        [
            sum(image[:, query, patch + 1]) / len(image)
            for query in range(1, layer.shape[2])
        ]
        for image in layer
    ]
    return torch.tensor(rows)


def gaze_by_indices(layer, patch):
    return layer.index_select(3, torch.tensor([patch + 1]))[:, :, 1:, 0].mean(1)


WRONG = {
    "rollout": [
        (unhalved, "do not sum to 1: the identity was added and nothing halved"),
        (from_the_right, "wrong order"),
        (
            unhalved_from_the_right,
            "nothing halved, (mean + identity) / 2; and the layers are multiplied",
        ),
        (no_residual, "residual is missing"),
        (heads_added, "added, not averaged"),
        (heads_added_then_normalised, "keeps less than half"),
        (largest_head, "largest head"),
        (columns_normalised, "columns sum to 1"),
        (averaged_layers, "multiply them"),
        (place_by_place, "place by place"),
        (last_layer, "last layer alone"),
        (first_forgotten, "first layer is missing"),
        (class_row, "row of the class token"),
        (heads_apart, "average them first"),
        (heads_averaged_last, "averaged at the end"),
        (images_averaged_for_heads, "images were averaged (axis 0), not the heads"),
        (batch_squeezed, "an axis of length 1 went lost, as it does in squeeze()"),
        (identity_in_place, "changed a tensor in the list that it was given, in place"),
        (emptied, "changed the list that it was given"),
        (one_image, "keep B as the first axis"),
        (as_numpy, "returned a ndarray"),
        (sum, "sum returned shape"),
    ],
    "gaze": [
        (gaze_row, "what the patch itself looks at"),
        (gaze_row_of_token, "what the patch itself looks at"),
        (gaze_before, "patch before"),
        (gaze_no_class_token, "counted as a patch"),
        (gaze_with_class_token, "class token's own row"),
        (gaze_last_row_missing, "last patch is missing"),
        (gaze_heads_apart, "average them first"),
        (gaze_heads_added, "added, their mean"),
        (gaze_first_image, "only one image"),
        (gaze_averaged, "images are averaged"),
        (gaze_shared_out, "share of its own row"),
        (gaze_wrong_axis, "images were averaged (axis 0), not the heads"),
    ],
}

RIGHT = {
    "rollout": [solved_by_loops, solved_by_einsum, solved_from_the_end, rollout],
    "gaze": [gaze_by_turning, gaze_by_loops, gaze_by_indices],
}
