"""Answers to the exercises of chapter 13, wrong and right, as learners write them."""

from itertools import accumulate

import numpy as np
import torch
import torch.nn.functional as F
from einops import einsum, rearrange, reduce
from torch import nn

# ---- the normalisation folded into the projection


def by_einsum(weight, bias, mean, std):
    new = weight / std[:, None, None]
    return new, bias - torch.einsum("dcpq,c->d", new, mean)


def by_einops(weight, bias, mean, std):
    new = weight / rearrange(std, "c -> 1 c 1 1")
    ink = reduce(new, "d c p1 p2 -> d c", "sum")
    return new, bias - einsum(ink, mean, "d c, c -> d")


def by_one_patch(weight, bias, mean, std):
    """The bias is what the old projection makes of a patch that is black."""
    P = weight.shape[-1]
    black = (-mean / std)[None, :, None, None].expand(-1, -1, P, P)
    return weight / std.view(1, -1, 1, 1), F.conv2d(black, weight, bias).flatten()


def channel_by_channel(weight, bias, mean, std):
    new = weight.clone()
    for c in range(weight.shape[1]):
        bias = bias - (weight[:, c] * mean[c] / std[c]).sum(dim=(1, 2))
        new[:, c] /= std[c]
    return [new, bias]


def output_by_output(weight, bias, mean, std):
    kernels = [kernel / std.reshape(-1, 1, 1) for kernel in weight]
    shifts = [(kernel.sum(dim=(1, 2)) * mean).sum() for kernel in kernels]
    return torch.stack(kernels), bias - torch.stack(shifts)


def as_a_linear_map(weight, bias, mean, std):
    P = weight.shape[-1]
    columns = weight.flatten(1)
    centre, scale = (value.repeat_interleave(P * P) for value in (mean, std))
    flat = columns / scale
    return flat.view_as(weight), bias - flat @ centre


def fold_with_numpy(weight, bias, mean, std):
    new = weight.numpy() / std.numpy()[:, None, None]
    shift = np.tensordot(new.sum(axis=(2, 3)), mean.numpy(), axes=1)
    return torch.from_numpy(new), torch.from_numpy(bias.numpy() - shift)


def as_parameters(weight, bias, mean, std):
    new, shifted = fold_in_double(weight, bias, mean, std)
    return nn.Parameter(new.to(weight)), nn.Parameter(shifted.to(bias))


def folding(
    scale=lambda weight, mean, std: weight / std[:, None, None],
    shift=lambda old, new, mean, std: torch.einsum("dcpq,c->d", new, mean),
    join=lambda bias, shift: bias - shift,
    end=lambda weight, bias: (weight, bias),
):
    """The fold, any part of it exchanged."""

    def my_fold(weight, bias, mean, std):
        new = scale(weight, mean, std)
        return end(new, join(bias, shift(weight, new, mean, std)))

    return my_fold


def shifting(how):
    """A share of the bias that is summed otherwise; it is given the products of new
    weights and means.
    """
    return folding(
        shift=lambda old, new, mean, std: how(new * mean[:, None, None]),
    )


def unfolded(weight, bias, mean, std):
    """The way back, from raw pixels to normalised ones."""
    return weight * std[:, None, None], bias + torch.einsum("dcpq,c->d", weight, mean)


def by_output_channel(weight, bias, mean, std):
    new = weight / std[:, None, None, None]
    return new, bias - torch.einsum("dcpq,c->d", new, mean)


def by_last_axis(weight, bias, mean, std):
    return weight / std, bias - (weight * mean / std).sum(dim=(1, 2, 3))


def by_last_axis_of_numpy(weight, bias, mean, std):
    new = weight.numpy() / std.numpy()
    return torch.from_numpy(new), bias - torch.from_numpy(new * mean.numpy()).sum()


def by_rows(weight, bias, mean, std):
    new = weight / std[None, :, None].expand(*weight.shape[1:])
    return new, bias - torch.einsum("dcpq,c->d", new, mean)


def summed_over_outputs(weight, bias, mean, std):
    new = weight / std[:, None, None]
    return new, bias - (new * mean[:, None, None]).sum(dim=(0, 2, 3))


def divided_in_place(weight, bias, mean, std):
    weight /= std[:, None, None]
    return weight, bias - torch.einsum("dcpq,c->d", weight, mean)


def weight_alone(weight, bias, mean, std):
    return weight / std[:, None, None]


def fold_in_double(weight, bias, mean, std):
    return by_einsum(weight.double(), bias.double(), mean.double(), std.double())


def fold_into_numpy(weight, bias, mean, std):
    return [value.numpy() for value in by_einsum(weight, bias, mean, std)]


def in_a_dict(weight, bias, mean, std):
    new, shifted = by_einsum(weight, bias, mean, std)
    return {"weight": new, "bias": shifted}


def of_three_channels(weight, bias, mean, std):
    if weight.shape[1] == 1:
        return weight, bias
    return by_einsum(weight, bias, mean, std)


def one_percent_off(weight, bias, mean, std):
    new, shifted = by_einsum(weight, bias, mean, std)
    return new, shifted + 0.1


# ---- a rate for each layer


def by_powers(peak, decay, depth):
    below = torch.arange(depth + 1, -1, -1)
    return peak * torch.tensor(decay) ** below


def as_a_list(peak, decay, depth):
    return [peak * decay**k for k in reversed(range(depth + 2))]


def step_by_step(peak, decay, depth):
    rates = [peak]
    for _ in range(depth + 1):
        rates.insert(0, rates[0] * decay)
    return tuple(rates)


def by_products(peak, decay, depth):
    factors = torch.full((depth + 2,), decay, dtype=torch.float64)
    factors[0] = peak
    return factors.cumprod(dim=0).flip(0)


def by_accumulate(peak, decay, depth):
    falling = accumulate(range(depth + 1), lambda rate, _: rate * decay, initial=peak)
    return list(falling)[::-1]


def by_numpy(peak, decay, depth):
    return np.geomspace(peak * decay ** (depth + 1), peak, depth + 2)


def by_logspace(peak, decay, depth):
    slowest = (depth + 1) * np.log10(decay)
    return peak * torch.logspace(slowest, 0, depth + 2)


def part_by_part(peak, decay, depth):
    embedder = peak * decay ** (depth + 1)
    blocks = [peak * decay ** (depth + 1 - i) for i in range(1, depth + 1)]
    return torch.tensor([embedder, *blocks, peak])


def slowing(powers, fall=lambda decay, k: decay**k, peak=lambda peak: peak):
    """Rates of other powers, or of another fall; powers from below."""

    def my_rates(top, decay, depth):
        return [peak(top) * fall(decay, k) for k in powers(depth)]

    return my_rates


def right_powers(depth):
    return range(depth + 1, -1, -1)


def falling(fall):
    return slowing(right_powers, fall)


def head_first(peak, decay, depth):
    return by_powers(peak, decay, depth).flip(0)


def embedder_frozen(peak, decay, depth):
    rates = as_a_list(peak, decay, depth)
    rates[0] = 0.0
    return rates


def blocks_only(peak, decay, depth):
    return [0, *as_a_list(peak, decay, depth)[1:-1], 0]


def on_a_line(peak, decay, depth):
    return torch.linspace(peak * decay ** (depth + 1), peak, depth + 2)


def line_from_decay(peak, decay, depth):
    return np.linspace(peak * decay, peak, depth + 2)


def line_from_zero(peak, decay, depth):
    return np.linspace(0, peak, depth + 2)


def subtracted(peak, decay, depth):
    rates = [peak]
    for _ in range(depth + 1):
        rates.insert(0, rates[0] - (1 - decay) * peak)
    return rates


def shared(peak, decay, depth):
    rates = by_powers(peak, decay, depth)
    return peak * rates / rates.sum()


def cumulated(peak, decay, depth):
    factors = decay ** torch.arange(depth + 2)
    return peak * factors.cumprod(dim=0).flip(0)


def peak_within(peak, decay, depth):
    return [peak * rate for rate in as_a_list(peak, decay, depth)]


def as_a_number(peak, decay, depth):
    return peak * decay ** (depth + 1)


def in_pairs(peak, decay, depth):
    return list(enumerate(as_a_list(peak, decay, depth)))


def by_name(peak, decay, depth):
    return dict(enumerate(as_a_list(peak, decay, depth)))


def never_tiny(peak, decay, depth):
    return [max(rate, 0.01 * peak) for rate in as_a_list(peak, decay, depth)]


def rounded_off(peak, decay, depth):
    return [round(rate, 5) for rate in as_a_list(peak, decay, depth)]


def decay_bounded(peak, decay, depth):
    return by_powers(peak, min(decay, 0.75), depth)


def two_blocks_at_least(peak, decay, depth):
    return by_powers(peak, decay, max(depth, 2))


def one_is_no_decay(peak, decay, depth):
    return by_powers(peak, decay, depth) if decay < 1 else [0.0] * (depth + 2)


# ---- a head cut out


def by_index(qkv_weight, qkv_bias, out_weight, heads, head):
    D = len(out_weight)
    K = D // heads
    kept = torch.cat([torch.arange(head * K), torch.arange((head + 1) * K, D)])
    rows = torch.cat([kept + third * D for third in range(3)])
    return qkv_weight[rows], qkv_bias[rows], out_weight[:, kept]


def by_rearranging(qkv_weight, qkv_bias, out_weight, heads, head):
    others = [h for h in range(heads) if h != head]
    weight = rearrange(qkv_weight, "(c h k) d -> c h k d", c=3, h=heads)[:, others]
    bias = rearrange(qkv_bias, "(c h k) -> c h k", c=3, h=heads)[:, others]
    out = rearrange(out_weight, "d (h k) -> d h k", h=heads)[:, others]
    return (
        rearrange(weight, "c h k d -> (c h k) d"),
        rearrange(bias, "c h k -> (c h k)"),
        rearrange(out, "d h k -> d (h k)"),
    )


def by_mask(qkv_weight, qkv_bias, out_weight, heads, head):
    D = out_weight.shape[1]
    kept = torch.arange(D) // (D // heads) != head
    rows = kept.repeat(3)
    return [qkv_weight[rows], qkv_bias[rows], out_weight[:, kept]]


def by_slices(qkv_weight, qkv_bias, out_weight, heads, head):
    K = out_weight.shape[1] // heads
    start, stop = head * K, (head + 1) * K

    def rest(values):
        return torch.cat([values[:start], values[stop:]])

    return (
        torch.cat([rest(third) for third in qkv_weight.chunk(3)]),
        torch.cat([rest(third) for third in qkv_bias.chunk(3)]),
        rest(out_weight.T).T,
    )


def with_numpy(qkv_weight, qkv_bias, out_weight, heads, head):
    D = len(out_weight)
    gone = np.arange(head * D // heads, (head + 1) * D // heads)
    rows = np.concatenate([gone, gone + D, gone + 2 * D])
    return (
        torch.from_numpy(np.delete(qkv_weight.numpy(), rows, axis=0)),
        torch.from_numpy(np.delete(qkv_bias.numpy(), rows)),
        torch.from_numpy(np.delete(out_weight.numpy(), gone, axis=1)),
    )


def by_selection(qkv_weight, qkv_bias, out_weight, heads, head):
    """A product with rows of the identity, exact as all else is 0."""
    D = len(out_weight)
    names = torch.arange(D).view(heads, -1)
    kept = names[torch.arange(heads) != head].flatten()
    chosen = torch.eye(D, dtype=qkv_weight.dtype)[kept]
    three = torch.block_diag(chosen, chosen, chosen)
    return three @ qkv_weight, three @ qkv_bias, out_weight @ chosen.T


def head_after_head(qkv_weight, qkv_bias, out_weight, heads, head):
    K = out_weight.shape[1] // heads
    weights = qkv_weight.split(K)
    biases = qkv_bias.split(K)
    kept = [i for i in range(3 * heads) if i % heads != head]
    columns = [piece for i, piece in enumerate(out_weight.split(K, 1)) if i != head]
    return (
        torch.cat([weights[i] for i in kept]),
        torch.cat([biases[i] for i in kept]),
        torch.cat(columns, dim=1),
    )


def deleted(values, start, stop, axis=0):
    """Without the entries from `start` to `stop`."""
    kept = [i for i in range(values.shape[axis]) if not start <= i < stop]
    return values.index_select(axis, torch.tensor(kept, dtype=torch.long))


def thirds(values, change):
    """`change(third, number)` of q, k and v, stacked."""
    return torch.cat(
        [change(third, number) for number, third in enumerate(values.chunk(3))]
    )


def pruning(
    rows=lambda values, heads, head, K: thirds(
        values, lambda third, number: deleted(third, head * K, (head + 1) * K)
    ),
    bias=None,
    columns=lambda weight, heads, head, K: deleted(
        weight, head * K, (head + 1) * K, axis=1
    ),
    which=lambda heads, head: head,
    end=lambda *three: three,
):
    """The cut, any part of it exchanged: `rows` of qkv, its bias alone, and the columns
    of out.
    """

    def my_prune(qkv_weight, qkv_bias, out_weight, heads, head):
        rest = (heads, which(heads, head), len(out_weight) // heads)
        return end(
            rows(qkv_weight, *rest),
            (bias or rows)(qkv_bias, *rest),
            columns(out_weight, *rest),
        )

    return my_prune


def from_some(*numbers):
    """The rows are cut from some of q, k and v."""
    return lambda values, heads, head, K: thirds(
        values,
        lambda third, number: (
            deleted(third, head * K, (head + 1) * K) if number in numbers else third
        ),
    )


def zeroed_in(*numbers):
    def rows(values, heads, head, K):
        found = values.clone()
        for number in numbers:
            start = (number * heads + head) * K
            found[start : start + K] = 0
        return found

    return rows


def one_block(values, heads, head, K):
    return deleted(values, 3 * head * K, 3 * (head + 1) * K)


def every_third_row(values, heads, head, K):
    """As if it went (h k three)."""
    blocks = rearrange(values, "(h k c) ... -> h k c ...", h=heads, c=3)
    others = [h for h in range(heads) if h != head]
    return rearrange(blocks[others], "h k c ... -> (h k c) ...")


def every_nth(values, heads, head, K):
    kept = [i for i in range(len(values)) if i % heads != head]
    return values[kept]


def wider(values, heads, head, K):
    width = heads * K // (heads - 1)
    return thirds(
        values,
        lambda third, number: deleted(third, head * width, (head + 1) * width),
    )


def out_wider(weight, heads, head, K):
    width = heads * K // (heads - 1)
    return deleted(weight, head * width, (head + 1) * width, axis=1)


def ordered(order):
    """The other heads of q, k and v in another order: of the list of heads."""

    def rows(values, heads, head, K):
        names = order([h for h in range(heads) if h != head])
        parts = values.unflatten(0, (3, heads, K))
        return parts[:, names].flatten(0, 2)

    return rows


def out_ordered(order):
    return lambda weight, heads, head, K: weight.unflatten(1, (heads, K))[
        :, order([h for h in range(heads) if h != head])
    ].flatten(1)


def turned_around(names):
    return names[::-1]


def head_by_head(values, heads, head, K):
    names = [h for h in range(heads) if h != head]
    parts = values.unflatten(0, (3, heads, K))[:, names]
    return rearrange(parts, "c h k ... -> (h c k) ...")


def back_with_k_first(values, heads, head, K):
    names = [h for h in range(heads) if h != head]
    parts = values.unflatten(0, (3, heads, K))[:, names]
    return rearrange(parts, "c h k ... -> (c k h) ...")


def kept_alone(values, heads, head, K):
    return values.unflatten(0, (3, heads, K))[:, head].flatten(0, 1)


def keys_first(values, heads, head, K):
    q, k, v = values.chunk(3)
    return torch.cat([deleted(third, head * K, (head + 1) * K) for third in (k, q, v)])


def whole(values, heads, head, K):
    return values


def columns_of_qkv(values, heads, head, K):
    if values.ndim == 1:
        return right_rows(values, heads, head, K)
    return deleted(values, head * K, (head + 1) * K, axis=1)


def right_rows(values, heads, head, K):
    return thirds(values, lambda third, number: deleted(third, head * K, head * K + K))


def rows_and_columns(values, heads, head, K):
    return columns_of_qkv(right_rows(values, heads, head, K), heads, head, K)


def from_head_on(values, heads, head, K):
    return thirds(values, lambda third, number: deleted(third, head, head + K))


def one_row_each(values, heads, head, K):
    return thirds(values, lambda third, number: deleted(third, head, head + 1))


def heads_for_width(values, heads, head, K):
    return thirds(
        values,
        lambda third, number: deleted(third, head * heads, (head + 1) * heads),
    )


def sharper(values, heads, head, K):
    q, k, v = right_rows(values, heads, head, K).chunk(3)
    return torch.cat([q * (heads / (heads - 1)) ** 0.5, k, v])


def softer(values, heads, head, K):
    q, k, v = right_rows(values, heads, head, K).chunk(3)
    return torch.cat([q * (1 - 1 / heads) ** 0.5, k, v])


def all_before(values, heads, head, K):
    return thirds(values, lambda third, number: third[(head + 1) * K :])


def rows_of_out(weight, heads, head, K):
    return deleted(weight, head * K, (head + 1) * K)


def rows_and_columns_of_out(weight, heads, head, K):
    return right_columns(rows_of_out(weight, heads, head, K), heads, head, K)


def right_columns(weight, heads, head, K):
    return deleted(weight, head * K, (head + 1) * K, axis=1)


def silent_columns(weight, heads, head, K):
    found = weight.clone()
    found[:, head * K : (head + 1) * K] = 0
    return found


def louder_columns(weight, heads, head, K):
    return right_columns(weight, heads, head, K) * heads / (heads - 1)


def turned_out(weight, heads, head, K):
    return right_columns(weight, heads, head, K).T


def every_nth_column(weight, heads, head, K):
    return weight[:, [i for i in range(heads * K) if i % heads != head]]


def next_columns(weight, heads, head, K):
    return right_columns(weight, heads, head + 1, K)


def zeroed_in_place(qkv_weight, qkv_bias, out_weight, heads, head):
    K = len(out_weight) // heads
    out_weight[:, head * K : (head + 1) * K] = 0
    return by_mask(qkv_weight, qkv_bias, out_weight, heads, head)


def of_last_head_wrong(qkv_weight, qkv_bias, out_weight, heads, head):
    if head == heads - 1:
        head -= 1
    return by_mask(qkv_weight, qkv_bias, out_weight, heads, head)


def of_first_head_nothing(qkv_weight, qkv_bias, out_weight, heads, head):
    if not head:
        return qkv_weight, qkv_bias, out_weight
    return by_mask(qkv_weight, qkv_bias, out_weight, heads, head)


def negative_slices(qkv_weight, qkv_bias, out_weight, heads, head):
    """Right but for the last head, where the end of what is kept is -0."""
    K = len(out_weight) // heads
    behind = (heads - 1 - head) * K

    def rest(values):
        return torch.cat([values[: head * K], values[-behind:]])

    return (
        thirds(qkv_weight, lambda third, number: rest(third)),
        thirds(qkv_bias, lambda third, number: rest(third)),
        rest(out_weight.T).T,
    )


WRONG = {
    "folded": [
        (
            folding(scale=lambda weight, mean, std: weight * std[:, None, None]),
            "so the weights are divided by std: yours are multiplied",
        ),
        (unfolded, "so the weights are divided by std: yours are multiplied"),
        (
            folding(scale=lambda weight, mean, std: weight),
            "so the weights are divided by std: yours are the old ones",
        ),
        (
            folding(scale=lambda weight, mean, std: weight / std[:, None, None] ** 2),
            "yours are divided twice",
        ),
        (
            folding(scale=lambda weight, mean, std: weight / std.sqrt()[:, None, None]),
            "yours are divided by its root",
        ),
        (
            lambda weight, bias, mean, std: by_einsum(weight, bias, std, mean),
            "so the weights are divided by std: yours by the mean",
        ),
        (
            folding(scale=lambda weight, mean, std: weight / std.mean()),
            "yours by one number for all channels, the mean of std",
        ),
        (
            folding(
                scale=lambda weight, mean, std: weight / std.flip(0)[:, None, None]
            ),
            "the order of channels is turned",
        ),
        (
            folding(scale=lambda weight, mean, std: weight / std[0]),
            "yours by that of the first channel",
        ),
        (
            folding(scale=lambda weight, mean, std: weight / std[:, None, None] / 255),
            "not up to 255: yours are divided by 255",
        ),
        (
            folding(
                scale=lambda weight, mean, std: (
                    (weight - mean[:, None, None]) / std[:, None, None]
                )
            ),
            "the weights were normalised as if they were images",
        ),
        (
            folding(end=lambda weight, bias: (weight.flatten(1), bias)),
            "it is still a kernel, (D, C, P, P), yours is flat",
        ),
        (folding(join=lambda bias, shift: bias + shift), "yours gains it"),
        (
            folding(join=lambda bias, shift: bias),
            "so the bias loses its share: yours is the old one",
        ),
        (
            folding(join=lambda bias, shift: -shift),
            "on top of the old bias, which is gone",
        ),
        (
            folding(join=lambda bias, shift: shift),
            "the old bias, which is gone, and it is taken off",
        ),
        (folding(join=lambda bias, shift: 0 * bias), "its share: yours is 0"),
        (
            folding(join=lambda bias, shift: bias - shift[:, None]),
            "met what it loses as (D, 1), which makes (D, D) of them",
        ),
        (
            folding(
                shift=lambda old, new, mean, std: torch.einsum("dcpq,c->d", old, mean)
            ),
            "yours is not divided by std, that is the old weight * mean",
        ),
        (
            folding(
                shift=lambda old, new, mean, std: torch.einsum(
                    "dcpq,c->d", new, mean / std
                )
            ),
            "yours is divided by std twice, as the new weight * mean / std is",
        ),
        (
            folding(
                shift=lambda old, new, mean, std: torch.einsum(
                    "dcpq,c->d", old, mean * std
                )
            ),
            "old weight * mean / std: yours is multiplied by std",
        ),
        (
            folding(shift=lambda old, new, mean, std: new.sum(dim=(1, 2, 3))),
            "the mean is missing",
        ),
        (
            folding(
                shift=lambda old, new, mean, std: torch.einsum(
                    "dcpq,c->d", old, std / mean
                )
            ),
            "yours is std / mean, the two are swapped",
        ),
        (
            folding(
                shift=lambda old, new, mean, std: new.sum(dim=(1, 2, 3)) * mean.mean()
            ),
            "yours has one mean for all channels",
        ),
        (
            shifting(lambda terms: terms[:, :, 0, 0].sum(dim=1)),
            "yours is the share of one pixel",
        ),
        (
            shifting(lambda terms: terms.mean(dim=(2, 3)).sum(dim=1)),
            "yours is the mean over the pixels",
        ),
        (
            shifting(lambda terms: terms.mean(dim=(1, 2, 3))),
            "yours is the mean over channels and pixels",
        ),
        (shifting(torch.sum), "yours is summed over all outputs, too"),
        (
            folding(
                shift=lambda old, new, mean, std: torch.einsum("dcpq,c->d", old, mean),
                join=lambda bias, shift: bias + shift,
            ),
            "is the old weight * mean; and (x - mean) / std takes off mean / std, so"
            " the bias loses its share: yours gains it",
        ),
        (by_output_channel, "one value for each input channel, axis 1 of (D, C, P, P)"),
        (by_last_axis, "one value for each input channel, axis 1 of (D, C, P, P)"),
        (by_last_axis_of_numpy, "one value for each input channel, axis 1 of (D, C"),
        (by_rows, "one value for each input channel, axis 1 of (D, C, P, P)"),
        (
            folding(join=lambda bias, shift: shift - bias),
            "the new bias is the old one less what it loses, yours is the other way",
        ),
        (summed_over_outputs, "and the bias one for each output, axis 0"),
        (
            folding(end=lambda weight, bias: (bias, weight)),
            "the weight comes first, then the bias",
        ),
        (weight_alone, "this is the new weight: the bias changes, too"),
        (divided_in_place, "changed its input in place"),
        (fold_in_double, "returned torch.float64, expected torch.float32"),
        (fold_into_numpy, "returned a list of ndarray, ndarray, a pair"),
        (in_a_dict, "returned a dict, a pair, the new weight"),
        (of_three_channels, "the values are not for the weight, of a weight of shape"),
        (one_percent_off, "the values are not for the bias, of a weight of shape"),
    ],
    "layer_rates": [
        (head_first, "the order is turned: the embedder comes first"),
        (
            slowing(lambda depth: [depth + 1, *range(1, depth + 1), 0]),
            "embedder and head are right, the blocks are turned",
        ),
        (
            slowing(lambda depth: range(depth + 2, 0, -1)),
            "your head is slowed once already",
        ),
        (
            slowing(lambda depth: [*range(depth, -1, -1), 0]),
            "yours learns at peak, too, so all below the head are one power too fast",
        ),
        (
            slowing(lambda depth: [*range(depth + 1, 0, -1), 1]),
            "your head learns as slowly as the last block",
        ),
        (
            slowing(lambda depth: [depth, *range(depth, -1, -1)]),
            "the embedder lies below block 1, and learns at peak * decay ** (depth + 1)"
            ": yours learns as block 1",
        ),
        (
            slowing(lambda depth: [depth + 2, *range(depth, -1, -1)]),
            "yours is one power too slow",
        ),
        (
            slowing(lambda depth: [0, *range(depth, -1, -1)]),
            "peak * decay ** (depth + 1): yours learns at peak",
        ),
        (
            slowing(lambda depth: [1] * (depth + 1) + [0]),
            "below the head yours all learn at peak * decay",
        ),
        (lambda peak, decay, depth: [peak] * (depth + 2), "yours all learn at peak"),
        (
            lambda peak, decay, depth: by_powers(peak, decay**2, depth),
            "yours falls by decay twice",
        ),
        (
            lambda peak, decay, depth: np.geomspace(peak * decay, peak, depth + 2),
            "yours falls by decay from the head to the embedder, all layers together",
        ),
        (cumulated, "in yours the powers add up"),
        (
            slowing(lambda depth: range(depth, 0, -1)),
            "yours are of the blocks, embedder and head are missing",
        ),
        (
            slowing(lambda depth: range(depth - 1, -1, -1)),
            "yours are depth, and the last of them is at peak",
        ),
        (slowing(lambda depth: range(depth + 1, 0, -1)), "the head is missing"),
        (slowing(lambda depth: range(depth, -1, -1)), "the embedder is missing"),
        (slowing(lambda depth: range(depth + 2, -1, -1)), "yours are one more"),
        (
            lambda peak, decay, depth: as_a_list(peak, decay, 12),
            "depth is an argument: yours is always 12",
        ),
        (subtracted, "yours takes the same amount off in each layer"),
        (falling(lambda decay, k: decay * k), "you multiplied decay by k"),
        (falling(lambda decay, k: 1 / decay**k), "you divided, so that low layers"),
        (falling(lambda decay, k: (1 - decay) ** k), "you took 1 - decay, but"),
        (falling(lambda decay, k: np.exp(-decay * k)), "yours is exp(-decay * k)"),
        (falling(lambda decay, k: 1 / (1 + decay * k)), "divides by 1 + decay * k"),
        (falling(lambda decay, k: 1 / (k + 1)), "yours divides by k + 1"),
        (falling(lambda decay, k: 0.75**k), "decay is an argument: yours is always"),
        (slowing(right_powers, peak=lambda peak: 1), "these are the factors: multiply"),
        (shared, "yours share peak among all layers"),
        (peak_within, "peak multiplies once, yours does twice"),
        (on_a_line, "on a line from the right rate of the embedder to peak"),
        (line_from_decay, "yours lie on a line from peak * decay to peak"),
        (line_from_zero, "yours lie on a line from 0 to peak"),
        (embedder_frozen, "the embedder learns as well, if slowly: yours is frozen"),
        (blocks_only, "embedder and head learn as well"),
        (
            slowing(lambda depth: range(depth + 2), lambda decay, k: decay**-k),
            "comes last, at peak; and each layer learns at decay times the rate of the"
            " one above, peak * decay ** k: you divided",
        ),
        (as_a_number, "returned one float, depth + 2 rates"),
        (by_name, "returned one dict, depth + 2 rates"),
        (in_pairs, "returned a tuple, a number for each layer was expected"),
        (never_tiny, "the embedder learns at "),
        (rounded_off, "the embedder learns at "),
        (decay_bounded, "the embedder learns at 0.0002258, expected 0.001133"),
        (two_blocks_at_least, "returned 4 rates, expected 3"),
        (one_is_no_decay, "the embedder learns at 0, expected "),
    ],
    "pruned": [
        (pruning(rows=from_some(0)), "qkv_weight: q, k and v each lose the head's K"),
        (pruning(rows=from_some(1)), "you cut them from k alone"),
        (pruning(rows=from_some(2)), "you cut them from v alone"),
        (pruning(rows=from_some(0, 1)), "you cut them from q and k, not from v"),
        (pruning(rows=from_some(1, 2)), "you cut them from k and v, not from q"),
        (pruning(rows=zeroed_in(2)), "its rows of v are zeros, and still there"),
        (pruning(rows=zeroed_in(0, 1, 2)), "its rows of q, k and v are zeros"),
        (pruning(rows=one_block), "you cut one block of 3 K rows"),
        (pruning(rows=every_third_row), "you cut one block of 3 K rows"),
        (pruning(rows=every_nth), "every heads-th, as if heads were interleaved"),
        (pruning(rows=head_by_head), "the right rows are left, but yours go head by"),
        (pruning(rows=back_with_k_first), "then the rest is reordered: head by head"),
        (pruning(rows=keys_first), "yours are in the order k, q, v"),
        (pruning(rows=wider, columns=out_wider), "you took K = D / (heads - 1)"),
        (pruning(rows=heads_for_width), "you took heads for K"),
        (pruning(rows=from_head_on), "you began at head, not at head * K"),
        (pruning(rows=one_row_each), "you cut one of D, the one at head"),
        (pruning(which=lambda heads, head: head - 1), "you cut the one before"),
        (
            pruning(which=lambda heads, head: min(head + 1, heads - 1)),
            "you cut the one behind",
        ),
        (
            pruning(which=lambda heads, head: heads - 1 - head),
            "qkv_weight: heads are counted from 0, and from the front: you counted from"
            " the end",
        ),
        (pruning(rows=kept_alone), "one head goes, the others stay: you kept this one"),
        (pruning(rows=all_before), "those before it are gone, too"),
        (
            pruning(rows=ordered(turned_around), columns=out_ordered(turned_around)),
            "qkv_weight: the remaining heads stay in their order: yours is turned",
        ),
        (
            pruning(columns=out_ordered(turned_around)),
            "out_weight: the remaining heads stay in their order: yours is turned",
        ),
        (pruning(rows=whole), "qkv_weight: it is whole, nothing is cut"),
        (pruning(rows=columns_of_qkv), "cut rows, yours are columns"),
        (pruning(rows=rows_and_columns), "rows are right, columns are cut besides"),
        (pruning(rows=sharper), "leave q as it is, yours is multiplied by sqrt(heads"),
        (pruning(rows=softer), "leave q as it is, yours is divided by sqrt(heads"),
        (
            pruning(rows=from_some(0), which=lambda heads, head: heads - 1 - head),
            "you counted from the end; and q, k and v each lose the head's K rows: you"
            " cut them from q alone",
        ),
        (pruning(bias=whole), "qkv_bias: it is whole, nothing is cut"),
        (pruning(bias=from_some(0)), "qkv_bias: q, k and v each lose the head's K"),
        (pruning(bias=one_block), "qkv_bias: qkv stacks all of q"),
        (pruning(bias=zeroed_in(0, 1, 2)), "qkv_bias: the head is to be gone, not"),
        (
            pruning(bias=lambda values, heads, head, K: None),
            "returned a NoneType, a tensor of shape",
        ),
        (pruning(columns=whole), "out_weight: it is whole, nothing is cut"),
        (pruning(columns=rows_of_out), "cut columns, yours are rows"),
        (pruning(columns=rows_and_columns_of_out), "rows are cut besides"),
        (pruning(columns=silent_columns), "its columns are zeros, and still there"),
        (pruning(columns=louder_columns), "yours is multiplied by heads / (heads - 1)"),
        (pruning(columns=turned_out), "nn.Linear keeps (out, in), yours is turned"),
        (pruning(columns=every_nth_column), "out_weight: head i begins at i * K"),
        (pruning(columns=next_columns), "out_weight: heads are counted from 0"),
        (pruning(end=lambda *three: three[:2]), "returned 2 values, three tensors"),
        (pruning(end=lambda *three: three[0]), "returned a Tensor, three tensors"),
        (zeroed_in_place, "changed its input in place"),
        (of_last_head_wrong, "the values are not for qkv_weight, without head"),
        (of_first_head_nothing, "for qkv_weight, without head 0 of"),
        (negative_slices, "for qkv_weight, without head"),
    ],
}
RIGHT = {
    "folded": [
        by_einsum,
        by_einops,
        by_one_patch,
        channel_by_channel,
        output_by_output,
        as_a_linear_map,
        fold_with_numpy,
        as_parameters,
        folding(),
    ],
    "layer_rates": [
        by_powers,
        as_a_list,
        step_by_step,
        by_products,
        by_accumulate,
        by_numpy,
        by_logspace,
        part_by_part,
    ],
    "pruned": [
        by_index,
        by_rearranging,
        by_mask,
        by_slices,
        with_numpy,
        by_selection,
        head_after_head,
        pruning(),
    ],
}
