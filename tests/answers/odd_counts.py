"""Answers to the exercises of chapter 05 that go wrong in ways of their own."""

from collections import OrderedDict

from torch import nn

from answers.transformer import counting, multiplying, renaming

right_count = counting()
right_bill = multiplying()
right_names = renaming()
KERNEL = "embedder.projection.weight"


def hidden(c):
    return round(c.dim * c.mlp_ratio)


def one_side_of_a_patch(c):
    return right_count(c) - (c.patch_size**2 - c.patch_size) * c.channels * c.dim


def a_projection_for_each_patch(c):
    return right_count(c) + (c.tokens - 2) * (c.patch_size**2 * c.channels + 1) * c.dim


def a_head_for_each_token(c):
    return right_count(c) + (c.tokens - 1) * (c.dim + 1) * c.classes


def narrow_mlp(c):
    return right_count(c) - c.depth * (2 * c.dim + 1) * (hidden(c) - c.dim)


def all_of_it_depth_times(c):
    one_block = right_count(c) - counting(depth=c.depth - 1)(c)
    return c.depth * (right_count(c) - (c.depth - 1) * one_block)


def channel_by_count(c):
    return right_count(c) + 3 * c.channels


def yielded(c):
    yield right_count(c)


class AsAnObject:
    def __init__(self, c):
        self.count = right_count(c)


def one_head_meets(c):
    return right_bill(c) - 2 * c.depth * c.tokens**2 * (c.dim - c.dim // c.heads)


def pairs_alone(c):
    return right_bill(c) - 2 * c.depth * c.tokens**2 * (c.dim - 1)


def class_token_no_key(c):
    return right_bill(c) - 2 * c.depth * c.tokens * c.dim


def class_token_no_query_either(c):
    return right_bill(c) - 2 * c.depth * (c.tokens**2 - (c.tokens - 1) ** 2) * c.dim


def no_attention(c):
    return right_bill(c) - c.depth * (4 * c.tokens * c.dim**2 + 2 * c.tokens**2 * c.dim)


def places_multiplied(c):
    return right_bill(c) + c.tokens * c.dim


def scale_counted(c):
    return right_bill(c) + c.depth * c.heads * c.tokens**2


def head_for_each_patch(c):
    return right_bill(c) + c.dim * c.classes * (c.tokens - 2)


def rows_of_a_square(c):
    rows = c.sides[0] // c.patch_size
    return (
        right_bill(c) + (rows**2 - c.tokens + 1) * c.patch_size**2 * c.channels * c.dim
    )


def uncut_biases(weights):
    mine = right_names(weights)
    return {
        name: (
            weights[name.replace("query", "qkv")]
            if "query.bias" in name
            else mine[name]
        )
        for name in mine
    }


def kernel_turned_only(weights):
    return right_names(weights) | {KERNEL: weights[KERNEL].permute(0, 2, 3, 1)}


def kernel_as_it_was(weights):
    return right_names(weights) | {KERNEL: weights[KERNEL]}


def with_a_prefix(weights):
    return {f"module.{name}": value for name, value in right_names(weights).items()}


def pairs_of_names(weights):
    yield from right_names(weights).items()


def in_halves(weights):
    return {name: value.half() for name, value in right_names(weights).items()}


def as_parameters(weights):
    return OrderedDict(
        (name, nn.Parameter(value)) for name, value in right_names(weights).items()
    )


WRONG = {
    "parameters": [
        (one_side_of_a_patch, "552,960 too few: c.patch_size is one side of a patch"),
        (a_projection_for_each_patch, "one projection serves all patches"),
        (a_head_for_each_token, "the head reads one vector"),
        (narrow_mlp, "the MLP is D * c.mlp_ratio wide, not D"),
        (all_of_it_depth_times, "only the blocks are there c.depth times"),
        (channel_by_count, "9 too many; one block alone has"),
        (yielded, "a whole number was expected"),
        (AsAnObject, "a whole number was expected"),
    ],
    "bill": [
        (one_head_meets, "2*T*T*K a block is what one head meets and mixes"),
        (pairs_alone, "a query meets a key in D multiplications"),
        (class_token_no_key, "the class token is a key, too"),
        (class_token_no_query_either, "the class token is a query and a key, too"),
        (no_attention, "attention, its four linear maps and its two products"),
        (places_multiplied, "positions are added, not multiplied with"),
        (scale_counted, "the scale and the softmax are free"),
        (head_for_each_patch, "the head reads one vector, not the T - 1 patches"),
        (rows_of_a_square, "right for ViT-B/16, but not for"),
    ],
    "renamed": [
        (uncut_biases, "query.bias: it is all of qkv: cut it in three"),
        (kernel_turned_only, "it is still a kernel"),
        (kernel_as_it_was, "it is still a kernel"),
        (with_a_prefix, "the class knows no 'module."),
        (pairs_of_names, "returned a generator, a dict of tensors was expected"),
        (in_halves, "returned torch.float16, expected torch.float32"),
    ],
}
RIGHT = {"renamed": [as_parameters]}
