"""Answers to the exercises of chapter 08, wrong and right, as learners write them."""

import functools

import numpy as np
import torch
from einops import einsum, rearrange, reduce

from vit_tutorial.interpret.attention import rollout


def steps(weights, half=0.5):
    return [
        half * layer.mean(dim=1) + half * torch.eye(layer.shape[-1])
        for layer in weights
    ]


def product(matrices):
    return functools.reduce(lambda joint, step: step @ joint, matrices)


def identity_in_place(weights):
    for layer in weights:
        layer += torch.eye(layer.shape[-1])
    return product([layer.mean(dim=1) / 2 for layer in weights])


def emptied(weights):
    joint = torch.eye(weights[0].shape[-1])
    while weights:
        joint = (weights.pop(0).mean(dim=1) + torch.eye(joint.shape[-1])) / 2 @ joint
    return joint


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


def mean_entropy(layer):
    return torch.special.entr(layer).sum(dim=-1)


def sharp(reading):
    """An answer to `my_sharpness` that makes of each layer what `reading` says."""

    @functools.wraps(reading)
    def answer(weights):
        return torch.stack([reading(layer) for layer in weights])

    return answer


@sharp
def bare_logarithm(layer):
    return -(layer * layer.log()).sum(dim=-1).mean(dim=(0, 2))


def a_list(weights):
    return [mean_entropy(layer).mean(dim=(0, 2)) for layer in weights]


@sharp
def heads_right(layer):
    return mean_entropy(layer).mean(dim=(0, 2))


@sharp
def by_clamping(layer):
    return -(layer * layer.clamp(min=1e-12).log()).sum(dim=(0, 2, 3)) / (
        layer.shape[0] * layer.shape[2]
    )


@sharp
def by_distributions(layer):
    rows = rearrange(layer, "b h q k -> h (b q) k").double()
    return torch.distributions.Categorical(probs=rows).entropy().mean(dim=1).float()


def by_numpy(weights):
    table = np.stack([layer.numpy() for layer in weights]).astype(np.float64)
    logs = np.log(table, out=np.zeros_like(table), where=table > 0)
    return torch.from_numpy(-(table * logs).sum(-1).mean((1, 3))).float()


def right(weights):
    return product(steps(weights))


def identity(weights):
    return torch.eye(weights[0].shape[-1])


def three_heads(weights):
    return product(steps([layer[:, :3] for layer in weights]))


def without_class_token(weights):
    return product(steps([layer[..., 1:, 1:] for layer in weights]))


def yielded(weights):
    yield right(weights)


def normed_at_the_end(weights):
    joint = product(steps(weights, half=1))
    return joint / joint.sum(dim=-1, keepdim=True)


def summed_up(weights):
    joint = identity(weights)
    for layer in weights:
        joint = joint + layer.mean(dim=1) @ joint
    return joint / 2 ** len(weights)


def seen(layer, patch):
    return layer.mean(dim=1)[:, 1:, patch + 1]


def the_first_36(layer, patch):
    return layer.mean(dim=1)[:, 1:37, patch + 1]


def as_columns(layer, patch):
    return seen(layer, patch)[..., None]


def in_doubles(layer, patch):
    return seen(layer, patch).double()


def by_a_one(layer, patch):
    return (layer @ torch.eye(layer.shape[-1])[patch + 1]).mean(dim=1)[:, 1:]


def from_the_end(layer, patch):
    return layer.mean(dim=1)[:, 1:, patch + 1 - layer.shape[-1]]


@sharp
def clamped_in_place(layer):
    return -(layer.clamp_(min=1e-9) * layer.log()).sum(dim=-1).mean(dim=(0, 2))


@sharp
def zeros_by_where(layer):
    return (
        -(layer * torch.where(layer > 0, layer.log(), 0)).sum(dim=-1).mean(dim=(0, 2))
    )


@sharp
def nan_sums(layer):
    return -(layer * layer.log()).nansum(dim=-1).mean(dim=(0, 2))


WRONG = {
    "rollout": [
        (identity_in_place, "changed a tensor in the list that it was given, in place"),
        (emptied, "changed the list that it was given"),
        (as_numpy, "returned a ndarray"),
        (sum, "sum returned shape"),
        (three_heads, "the values are not"),
        (without_class_token, "returned shape"),
        (yielded, "returned a generator"),
    ],
    "sharpness": [
        (bare_logarithm, "not finite for weights some of which are exactly 0"),
        (a_list, "returned a list"),
        (clamped_in_place, "changed a tensor in the list that it was given, in place"),
    ],
    "gaze": [
        (the_first_36, "returned shape (2, 36), expected (2, 4"),
        (as_columns, "returned shape"),
        (in_doubles, "returned torch.float64"),
    ],
}
RIGHT = {
    "rollout": [
        solved_by_loops,
        solved_by_einsum,
        solved_from_the_end,
        rollout,
        normed_at_the_end,
        summed_up,
    ],
    "gaze": [
        gaze_by_turning,
        gaze_by_loops,
        gaze_by_indices,
        by_a_one,
        from_the_end,
    ],
    "sharpness": [
        heads_right,
        by_clamping,
        by_distributions,
        by_numpy,
        zeros_by_where,
        nan_sums,
    ],
}
