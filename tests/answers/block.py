"""Answers to the two lines of a block (chapter 04)."""

import torch
import torch.nn.functional as F
from torch import nn


def post(block, x):
    x = block.norm1(x + block.attention(x))
    return block.norm2(x + block.mlp(x))


def stream_normed(block, x):
    x = block.norm1(x)
    x = x + block.attention(x)
    x = block.norm2(x)
    return x + block.mlp(x)


def stream_normed_once(block, x):
    x = block.norm1(x)
    x = x + block.attention(x)
    return x + block.mlp(block.norm2(x))


def no_sums(block, x):
    return block.mlp(block.norm2(block.attention(block.norm1(x))))


def one_sum_missing(block, x):
    x = x + block.attention(block.norm1(x))
    return block.mlp(block.norm2(x))


def first_sum_missing(block, x):
    x = block.attention(block.norm1(x))
    return x + block.mlp(block.norm2(x))


def no_norms(block, x):
    x = x + block.attention(x)
    return x + block.mlp(x)


def norm_after_the_layer(block, x):
    x = x + block.norm1(block.attention(x))
    return x + block.norm2(block.mlp(x))


def norm1_twice(block, x):
    x = x + block.attention(block.norm1(x))
    return x + block.mlp(block.norm1(x))


def norms_exchanged(block, x):
    x = x + block.attention(block.norm2(x))
    return x + block.mlp(block.norm1(x))


def side_by_side(block, x):
    return x + block.attention(block.norm1(x)) + block.mlp(block.norm2(x))


def old_stream_added(block, x):
    y = x + block.attention(block.norm1(x))
    return x + block.mlp(block.norm2(y))


def norm_at_the_end(block, x):
    x = x + block.attention(block.norm1(x))
    return block.norm2(x + block.mlp(block.norm2(x)))


def attention_twice(block, x):
    x = x + block.attention(block.norm1(x))
    return x + block.attention(block.norm2(x))


def thinking_first(block, x):
    x = x + block.mlp(block.norm2(x))
    return x + block.attention(block.norm1(x))


def first_line_alone(block, x):
    return x + block.attention(block.norm1(x))


def stream_forgotten(block, x):
    y = block.attention(block.norm1(x))
    return x + block.mlp(block.norm2(y))


def added_in_place(block, x):
    x += block.attention(block.norm1(x))
    x += block.mlp(block.norm2(x))
    return x


def detached_stream(block, x):
    x = x.detach() + block.attention(block.norm1(x))
    return x + block.mlp(block.norm2(x))


def block_called(block, x):
    return block(x)


def pre_norm_with_names(block, stream):
    middle = torch.add(block.attention(block.norm1(stream)), stream)
    return torch.add(block.mlp(block.norm2(middle)), middle)


def pre_norm_by_loop(layers, z):
    for norm, layer in (("norm1", "attention"), ("norm2", "mlp")):
        z = z + layers[layer](layers[norm](z))
    return z


def pre_norm_in_one(block, x):
    return (y := x + block.attention(block.norm1(x))) + block.mlp(block.norm2(y))


class PreNorm(nn.Module):
    def forward(self, block, x):
        told = block["attention"](
            F.layer_norm(x, x.shape[-1:], block.norm1.weight, block.norm1.bias)
        )
        return x + told + block.mlp(block.norm2(x + told))


WRONG = {
    "pre_norm": [
        (post, "in both lines: the norm comes after the sum: that is post-norm"),
        (stream_normed, "in both lines: the stream itself was normed"),
        (stream_normed_once, "in the line of attention: the stream itself was normed"),
        (no_sums, "in both lines: what the layer says replaces x"),
        (one_sum_missing, "in the line of the MLP: what the layer says replaces x"),
        (first_sum_missing, "in the line of attention: what the layer says replaces x"),
        (no_norms, "in both lines: the norm is missing"),
        (norm_after_the_layer, "in both lines: the norm comes after the layer"),
        (norm1_twice, "norm1 stands before both layers"),
        (norms_exchanged, "norm1 and norm2 have changed places"),
        (side_by_side, "the second line starts from the old x"),
        (old_stream_added, "the second sum adds the old x"),
        (norm_at_the_end, "a norm follows at the end"),
        (attention_twice, "attention stands in both lines"),
        (thinking_first, "the MLP comes before attention"),
        (first_line_alone, "only the first line is done"),
        (stream_forgotten, "without the stream"),
        (added_in_place, "changed its input in place"),
        (detached_stream, "its gradient for x is not"),
        (block_called, "raised NotImplementedError"),
    ],
}
RIGHT = {
    "pre_norm": [pre_norm_with_names, pre_norm_by_loop, pre_norm_in_one, PreNorm()],
}
