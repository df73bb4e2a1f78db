"""Answers to the exercises of chapter 08 that go wrong in ways of their own."""

import math

import torch

from answers.maps import product, steps
from answers.sharpness import heads_right, mean_entropy, sharp


def right(weights):
    return product(steps(weights))


def identity(weights):
    return torch.eye(weights[0].shape[-1])


def one_everywhere(weights):
    return product([(layer.mean(dim=1) + 1) / 2 for layer in weights])


def residual_once(weights):
    return (product([layer.mean(dim=1) for layer in weights]) + identity(weights)) / 2


def residual_in_the_first(weights):
    return product([steps(weights)[0], *(layer.mean(dim=1) for layer in weights[1:])])


def four_layers(weights):
    return product(steps(weights[:4]))


def three_heads(weights):
    return product(steps([layer[:, :3] for layer in weights]))


def without_class_token(weights):
    return product(steps([layer[..., 1:, 1:] for layer in weights]))


def halved_in_place(weights):
    for layer in weights:
        layer.div_(2)
    return right(weights)


def all_stages(weights):
    return torch.stack([right(weights[:count]) for count in range(1, len(weights) + 1)])


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


def shared_among_patches(layer, patch):
    patches = layer[:, :, 1:, 1:]
    return (patches / patches.sum(dim=-1, keepdim=True)).mean(dim=1)[..., patch]


def mean_shared_among_patches(layer, patch):
    patches = layer.mean(dim=1)[:, 1:, 1:]
    return (patches / patches.sum(dim=-1, keepdim=True))[..., patch]


def without_itself(layer, patch):
    return torch.cat(
        [seen(layer, patch)[:, :patch], seen(layer, patch)[:, patch + 1 :]], dim=1
    )


def itself_at_0(layer, patch):
    return seen(layer, patch).index_fill(1, torch.tensor(patch), 0)


def at_the_class_token(layer, patch):
    return layer.mean(dim=1)[:, 1:, 0]


def turned(layer, patch):
    return seen(layer, patch).T


def squeezed(layer, patch):
    return seen(layer, patch).squeeze()


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
def over_images_and_heads(layer):
    return mean_entropy(layer).mean(dim=(0, 1))


@sharp
def softmax_again(layer):
    return mean_entropy(layer.softmax(dim=-1)).mean(dim=(0, 2))


@sharp
def first_image(layer):
    return mean_entropy(layer)[0].mean(dim=-1)


@sharp
def first_key_left_out(layer):
    return mean_entropy(layer[..., 1:]).mean(dim=(0, 2))


@sharp
def queries_with_zeros_left_out(layer):
    return (-(layer * layer.log()).sum(dim=-1)).nanmean(dim=(0, 2))


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


def what_is_lacking(weights):
    return math.log(weights[0].shape[-1]) - heads_right(weights)


def last_layer(weights):
    return heads_right(weights)[-1]


def last_row(weights):
    return heads_right(weights)[-1:]


def in_one_row(weights):
    return heads_right(weights).flatten()


def axes_lost(weights):
    return heads_right(weights).squeeze()


WRONG = {
    "rollout": [
        (one_everywhere, "torch.eye is 1 on the diagonal alone"),
        (residual_once, "not once past all of them"),
        (residual_in_the_first, "not past the first alone"),
        (four_layers, "not solved yet: "),
        (three_heads, "the values are not"),
        (without_class_token, "returned shape"),
        (halved_in_place, "changed a tensor in the list that it was given, in place"),
        (all_stages, "returned shape"),
        (yielded, "returned a generator"),
    ],
    "gaze": [
        (shared_among_patches, "the shares are made to sum to 1 over the patches"),
        (mean_shared_among_patches, "the mean of the heads is made to sum to 1"),
        (without_itself, "the patch's look at itself is left out"),
        (itself_at_0, "the patch's look at itself is set to 0"),
        (at_the_class_token, "what each patch gives the class token"),
        (turned, "the axes are swapped: images first"),
        (squeezed, "an axis of length 1 went lost"),
        (the_first_36, "returned shape (2, 36), expected (2, 4"),
        (as_columns, "returned shape"),
        (in_doubles, "returned torch.float64"),
    ],
    "sharpness": [
        (over_images_and_heads, "the mean ran over images and heads"),
        (softmax_again, "these are shares already"),
        (first_image, "only the first image was asked"),
        (first_key_left_out, "the class token's key is left out"),
        (queries_with_zeros_left_out, "queries whose weights hold a 0 are left out"),
        (clamped_in_place, "changed a tensor in the list that it was given, in place"),
        (what_is_lacking, "what ln T lacks"),
        (last_layer, "only the last layer is there"),
        (last_row, "only the last layer is there"),
        (in_one_row, "the layers are joined to one row"),
        (axes_lost, "an axis of length 1 went lost"),
    ],
}
RIGHT = {
    "rollout": [normed_at_the_end, summed_up],
    "gaze": [by_a_one, from_the_end],
    "sharpness": [zeros_by_where, nan_sums],
}
