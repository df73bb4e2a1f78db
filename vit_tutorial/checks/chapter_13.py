"""Checks of chapter 13: a normalisation folded into a projection, rates that fall from
layer to layer, and a head cut out of its layer.
"""

from collections.abc import Callable
from functools import partial
from itertools import combinations

import torch
from torch import Tensor

from vit_tutorial.checks.harness import (
    AND,
    NotSolved,
    as_number,
    ask,
    called,
    checked,
    combined,
    compare,
    distinct,
    listed,
    name_mistake,
    same,
    told_apart,
    two,
)
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.optimizers import scale_by_layer


def single(mistakes: dict[str, Tensor]) -> list[Tensor]:
    """What comes of one mistake alone."""
    return [value for said, value in mistakes.items() if AND not in said]


# ---- the normalisation as part of the projection


NEW_WEIGHTS = "a pair, the new weight (D, C, P, P) and bias (D,),"
# what PyTorch and NumPy say where axes do not meet
AXES = dict.fromkeys(
    ("must match the size", "must match the existing size", "broadcast"),
    "mean and std have one value for each input channel, axis 1 of (D, C, P, P), and"
    " the bias one for each output, axis 0",
)
DIVIDED = "(x - mean) / std divides, so the weights are divided by std:"
# of weight (D, C, P, P), and of mean and std (C, 1, 1)
FOLDED = {
    f"{DIVIDED} yours are multiplied": lambda weight, std: weight * std,
    f"{DIVIDED} yours are the old ones": lambda weight: weight,
    f"{DIVIDED} yours are divided twice": lambda weight, std: weight / std**2,
    f"{DIVIDED} yours are divided by its root": lambda weight, std: weight / std**0.5,
    f"{DIVIDED} yours by the mean": lambda weight, mean: weight / mean,
    f"{DIVIDED} yours are multiplied by the mean": lambda weight, mean: weight * mean,
    f"{DIVIDED} yours by one number for all channels, the mean of"
    " std": lambda weight, std: weight / std.mean(),
    f"{DIVIDED} yours by that of another channel, the order of channels is"
    " turned": lambda weight, std: weight / std.flip(0),
    f"{DIVIDED} yours by that of the first channel": lambda weight, std: (
        weight / std[0]
    ),
    "the images come in [0, 1], not up to 255: yours are divided by 255,"
    " too": lambda weight, std: weight / (255 * std),
    "the images come in [0, 1], not up to 255: yours are multiplied by"
    " 255": lambda weight, std: 255 * weight / std,
    "the weights were normalised as if they were images: mean goes into the"
    " bias": lambda weight, mean, std: (weight - mean) / std,
    "the mean goes into the bias, and divides or multiplies no"
    " weight": lambda weight, mean, std: weight * mean / std,
    "it is still a kernel, (D, C, P, P), yours is flat": lambda want: want.flatten(1),
    "input and output channels have changed places, (D, C, P, P)": lambda want: (
        want.transpose(0, 1)
    ),
}
ALL_PIXELS = "an output sums over the channels and pixels of its patch, and so does it:"
TAKEN_OFF = "(x - mean) / std takes off mean / std, so the bias loses its share:"
SHARE = "what an output loses is the sum of old weight * mean / std:"
# `ratio` (C, 1, 1) is what multiplies the old weights, `total` makes outputs (D,) of
# their products, `join` the new bias
SHIFTED = {
    "ratio": {
        f"{SHARE} yours is not divided by std, that is the old weight"
        " * mean": lambda mean, std: mean,
        f"{SHARE} yours is multiplied by std": lambda mean, std: mean * std,
        f"{SHARE} yours is divided by std twice, as the new weight * mean / std"
        " is": lambda mean, std: mean / std**2,
        f"{SHARE} yours is std / mean, the two are swapped": lambda mean, std: (
            std / mean
        ),
        f"{SHARE} the mean is missing": lambda mean, std: 1 / std,
        f"{SHARE} yours is old weight * std": lambda mean, std: std,
        f"{SHARE} yours is the new weight * std, which is the old"
        " one": lambda mean, std: torch.ones_like(std),
        f"{SHARE} yours has one mean for all channels": lambda mean, std: (
            mean.mean() / std
        ),
        f"{SHARE} yours has one std for all channels": lambda mean, std: (
            mean / std.mean()
        ),
        f"{SHARE} yours has the means of other channels, their order is"
        " turned": lambda mean, std: mean.flip(0) / std,
        f"{SHARE} the mean is of images in [0, 1], yours is divided by 255"
        " once more": lambda mean, std: mean / std / 255,
    },
    "total": {
        f"{ALL_PIXELS} yours is the share of one pixel": lambda terms: terms[
            :, :, 0, 0
        ].sum(dim=1),
        f"{ALL_PIXELS} yours is the mean over the pixels": lambda terms: terms.mean(
            dim=(2, 3)
        ).sum(dim=1),
        f"{ALL_PIXELS} yours is the mean over the channels": lambda terms: terms.sum(
            dim=(2, 3)
        ).mean(dim=1),
        f"{ALL_PIXELS} yours is the mean over channels and pixels": lambda terms: (
            terms.mean(dim=(1, 2, 3))
        ),
        f"{ALL_PIXELS} yours is of one row of pixels": lambda terms: terms[:, :, 0].sum(
            dim=(1, 2)
        ),
        f"{ALL_PIXELS} yours is of the first channel": lambda terms: terms[:, 0].sum(
            dim=(1, 2)
        ),
        "each output has its own share, yours is summed over all outputs,"
        " too": lambda terms: terms.sum() + torch.zeros_like(terms[:, 0, 0, 0]),
        "each output has its own share, yours is the mean of all of"
        " them": lambda terms: (
            terms.sum(dim=(1, 2, 3)).mean() + torch.zeros_like(terms[:, 0, 0, 0])
        ),
    },
    "join": {
        f"{TAKEN_OFF} yours gains it": lambda bias, shift: bias + shift,
        f"{TAKEN_OFF} yours is the old one": lambda bias, shift: bias,
        "what the mean does comes on top of the old bias, which is"
        " gone": lambda bias, shift: -shift,
        "what the mean does comes on top of the old bias, which is gone, and it is"
        " taken off": lambda bias, shift: shift,
        "the new bias is the old one less what it loses, yours is the other way"
        " round": lambda bias, shift: shift - bias,
        f"{TAKEN_OFF} yours loses it twice": lambda bias, shift: bias - 2 * shift,
        f"{TAKEN_OFF} yours is 0": lambda bias, shift: torch.zeros_like(bias),
        "the bias (D,) met what it loses as (D, 1), which makes (D, D) of"
        " them": lambda bias, shift: bias - shift[:, None],
        "the bias as (D, 1) met what it loses, (D,), which makes (D, D) of"
        " them": lambda bias, shift: bias[:, None] - shift,
    },
}


def shifted(
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    std: Tensor,
    ratio: Callable = lambda mean, std: mean / std,
    total: Callable = lambda terms: terms.sum(dim=(1, 2, 3)),
    join: Callable = lambda bias, shift: bias - shift,
) -> Tensor:
    """The new bias (D,) from mean and std (C, 1, 1); the last three arguments are the
    places to slip.
    """
    return join(bias, total(weight * ratio(mean, std)))


def fold_of(*given: Tensor) -> tuple[Tensor, Tensor]:
    """The new weight and bias, computed in float64, in the type of what was given."""
    weight, bias, mean, std = by_channel(*(value.double() for value in given))
    dtype = given[0].dtype
    return (weight / std).to(dtype), shifted(weight, bias, mean, std).to(dtype)


def by_channel(weight: Tensor, bias: Tensor, mean: Tensor, std: Tensor) -> tuple:
    """The same, mean and std as (C, 1, 1)."""
    return weight, bias, mean[:, None, None], std[:, None, None]


def wrong_folds(*given: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What the usual mistakes make of the weight, and of the bias."""
    weight, bias, mean, std = by_channel(*given)
    weights = listed(FOLDED, weight=weight, mean=mean, std=std, want=weight / std)
    return weights, combined(partial(shifted, weight, bias, mean, std), SHIFTED)


def drawn_projection(
    D: int, C: int, P: int, dtype: torch.dtype, told: bool
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Weight, bias, mean and std; where mistakes are to be `told`, no two come to the
    same.
    """
    while True:
        given = (
            torch.randn(D, C, P, P, dtype=dtype),
            torch.randn(D, dtype=dtype),
            0.3 + 0.4 * torch.rand(C, dtype=dtype),
            0.15 + 0.2 * torch.rand(C, dtype=dtype),
        )
        tables = zip(fold_of(*given), wrong_folds(*given), strict=True)
        if not told or all(
            told_apart([want, *single(found)]) for want, found in tables
        ):
            return given


def check_fold(answer: Callable, given: tuple, case: str, told: bool) -> list[Tensor]:
    """What the learner's function makes of a projection; NotSolved unless it is
    right.
    """
    got = ask(answer, *given, expected=NEW_WEIGHTS, case=case, clues=AXES)
    weight, bias = fold_of(*given)
    if isinstance(got, Tensor) and same(got, weight):
        raise NotSolved(
            "this is the new weight: the bias changes, too, return both as a pair"
        )
    mine = two(answer, got, NEW_WEIGHTS)
    if mine[0].shape == bias.shape and mine[1].shape == weight.shape:
        raise NotSolved("the weight comes first, then the bias")
    weights, biases = wrong_folds(*given) if told else (None, None)
    compare(answer, mine[0], weight, weights, f"the weight, of {case}")
    compare(answer, mine[1], bias, biases, f"the bias, of {case}")
    return mine


@checked
def folded(answer: Callable) -> str:
    """`my_fold(weight, bias, mean, std)`: (D, C, P, P), (D,), (C,), (C,) -> the weight
    and bias that do for images in [0, 1] what the old ones do for normalised ones.
    """
    D, C, P = distinct(3, 3, 8)
    for outputs, channels, side, dtype in (
        (D, C, P, torch.float32),
        (C, P, D, torch.float64),
        (D, 1, P, torch.float32),
        (D, C, 1, torch.float32),
        (1, C, P, torch.float32),
    ):
        told = min(outputs, channels, side) > 1  # a mean of one is its sum
        given = drawn_projection(outputs, channels, side, dtype, told)
        check_fold(answer, given, f"a weight of shape {tuple(given[0].shape)}", told)
    model, record = load_checkpoint("stacks")
    projection = model.embedder.projection
    old = (projection.weight.detach(), projection.bias.detach())
    given = (*old, torch.tensor(record.mean), torch.tensor(record.std))
    new = check_fold(answer, given, "the shipped model", told=False)
    drawn = stacks(20, seed=int(torch.randint(2**31, ())))
    with torch.no_grad():
        projection.weight.copy_(new[0])
        projection.bias.copy_(new[1])
        logits = model(drawn.images / 255)
    right = (logits.argmax(dim=1) == drawn.labels).sum().item()
    return f"from raw pixels the shipped model names {right} of 20 stacks right"


# ---- a rate for each layer


RATES = "depth + 2 rates, from the embedder to the head,"
FULL = "the head learns at peak, and the last block at peak * decay:"
LAST = "the embedder lies below block 1, and learns at peak * decay ** (depth + 1):"
POWER = "each layer learns at decay times the rate of the one above, peak * decay ** k:"
ALL = "depth + 2 layers have a rate:"


def downwards(first: int, last: int) -> list[int]:
    return list(range(first, last - 1, -1))


# of the depth: the powers of decay, from the embedder to the head
POWERS = {
    "the order is turned: the embedder comes first, and is the slowest; the head comes"
    " last, at peak": lambda depth: list(range(depth + 2)),
    "embedder and head are right, the blocks are turned: block 1 lies lowest, the last"
    " one right below the head": lambda depth: [depth + 1, *range(1, depth + 1), 0],
    f"{FULL} your head is slowed once already, and all below it once too"
    " often": lambda depth: downwards(depth + 2, 1),
    f"{FULL} yours learns at peak, too, so all below the head are one power too"
    " fast": lambda depth: [*downwards(depth, 0), 0],
    f"{FULL} your head learns as slowly as the last block": lambda depth: [
        *downwards(depth + 1, 1),
        1,
    ],
    f"{LAST} yours learns as block 1": lambda depth: [depth, *downwards(depth, 0)],
    f"{LAST} yours is one power too slow": lambda depth: [
        depth + 2,
        *downwards(depth, 0),
    ],
    f"{LAST} yours learns at peak": lambda depth: [0, *downwards(depth, 0)],
    f"{LAST} yours learns as the last block": lambda depth: [1, *downwards(depth, 0)],
    f"{POWER} below the head yours all learn at peak * decay": lambda depth: [
        *[1] * (depth + 1),
        0,
    ],
    f"{POWER} yours all learn at peak": lambda depth: [0] * (depth + 2),
    f"{POWER} from layer to layer yours falls by decay twice": lambda depth: [
        2 * below for below in downwards(depth + 1, 0)
    ],
    f"{POWER} yours falls by decay from the head to the embedder, all layers"
    " together": lambda depth: [
        below / (depth + 1) for below in downwards(depth + 1, 0)
    ],
    f"{POWER} in yours the powers add up, you multiplied by decay ** k once more in"
    " each layer": lambda depth: [
        below * (below + 1) / 2 for below in downwards(depth + 1, 0)
    ],
    f"{ALL} yours are of the blocks, embedder and head are missing": lambda depth: (
        downwards(depth, 1)
    ),
    f"{ALL} yours are depth, and the last of them is at peak": lambda depth: downwards(
        depth - 1, 0
    ),
    f"{ALL} the head is missing": lambda depth: downwards(depth + 1, 1),
    f"{ALL} the embedder is missing": lambda depth: downwards(depth, 0),
    f"{ALL} yours are one more, below the embedder there is nothing": lambda depth: (
        downwards(depth + 2, 0)
    ),
    "depth is an argument: yours is always 12": lambda depth: downwards(13, 0),
}
RATES_TABLE = {
    "powers": POWERS,
    "fall": {
        f"{POWER} yours takes the same amount off in each layer": lambda decay, below: (
            1 - (1 - decay) * below
        ),
        f"{POWER} you multiplied decay by k, instead of taking the"
        " power": lambda decay, below: decay * below,
        f"{POWER} you divided, so that low layers are the"
        " fastest": lambda decay, below: decay ** (-below),
        f"{POWER} you took 1 - decay, but decay is what is left, not what is taken"
        " off": lambda decay, below: (1 - decay) ** below,
        f"{POWER} yours is exp(-decay * k)": lambda decay, below: (
            -decay * below
        ).exp(),
        f"{POWER} yours divides by 1 + decay * k": lambda decay, below: (
            1 / (1 + decay * below)
        ),
        f"{POWER} yours divides by k + 1": lambda decay, below: 1 / (1 + below),
        "decay is an argument: yours is always 0.75": lambda decay, below: 0.75**below,
    },
    "scale": {
        "these are the factors: multiply them by peak": lambda peak, factors: factors,
        "the head learns at peak, yours share peak among all"
        " layers": lambda peak, factors: peak * factors / factors.sum(),
        "peak multiplies once, yours does twice": lambda peak, factors: (
            peak**2 * factors
        ),
    },
}
LINE = f"{POWER} yours lie on a line"
OTHER_RATES = {
    f"{LINE} from the right rate of the embedder to peak": lambda peak, decay, depth: (
        torch.linspace(peak * decay ** (depth + 1), peak, depth + 2)
    ),
    f"{LINE} from peak * decay to peak": lambda peak, decay, depth: torch.linspace(
        peak * decay, peak, depth + 2
    ),
    f"{LINE} from 0 to peak": lambda peak, depth: torch.linspace(0, peak, depth + 2),
    "the embedder learns as well, if slowly: yours is frozen": lambda want: torch.cat(
        [0 * want[:1], want[1:]]
    ),
    "embedder and head learn as well: only the blocks do in yours": lambda want: (
        torch.cat([0 * want[:1], want[1:-1], 0 * want[-1:]])
    ),
}


def slowed(
    peak: float,
    decay: float,
    depth: int,
    powers: Callable = lambda depth: downwards(depth + 1, 0),
    fall: Callable = lambda decay, below: decay**below,
    scale: Callable = lambda peak, factors: peak * factors,
) -> Tensor:
    """The rates in float64; the last three arguments are the places to slip."""
    below = torch.tensor(powers(depth), dtype=torch.float64)
    return scale(peak, fall(decay, below))


def rates_of(peak: float, decay: float, depth: int) -> Tensor:
    """The rates that the package's optimiser gives the layers: (depth + 2,)."""
    model = VisionTransformer(ViTConfig(4, 2, dim=2, depth=depth, heads=1))
    groups = scale_by_layer([{"params": list(model.parameters())}], model, decay)
    scales = {
        id(weight): group.get("lr_scale", 1.0)
        for group in groups
        for weight in group["params"]
    }
    layers = [model.embedder, *model.blocks, model.head]
    found = [scales[id(next(layer.parameters()))] for layer in layers]
    return peak * torch.tensor(found, dtype=torch.float64)


def wrong_rates(peak: float, decay: float, depth: int) -> dict[str, Tensor]:
    """What the usual mistakes make of the numbers: sentence -> rates."""
    form = partial(slowed, peak, decay, depth)
    others = listed(OTHER_RATES, peak=peak, decay=decay, depth=depth, want=form())
    found = {said: rates.double() for said, rates in others.items()}
    return found | combined(form, RATES_TABLE)


def close(got: Tensor, want: Tensor) -> bool:
    """Equal but for rounding, however small they are."""
    return got.shape == want.shape and torch.allclose(got, want, rtol=1e-4, atol=0)


def drawn_rates() -> tuple[float, float, int]:
    """Peak, decay and depth with which no two mistakes come to the same."""
    while True:
        some, other = torch.rand(2).tolist()
        given = (1e-3 * (0.5 + some), 0.55 + 0.15 * other, distinct(1, 5, 9)[0])
        values = [slowed(*given), *single(wrong_rates(*given))]
        if not any(close(*pair) for pair in combinations(values, 2)):
            return given


def ask_rates(
    answer: Callable, peak: float, decay: float, depth: int, case: str
) -> Tensor:
    """What the learner's function returns, as (n,) in float64."""
    got = ask(answer, peak, decay, depth, expected=RATES, case=case)
    values = got.tolist() if hasattr(got, "tolist") else got
    if not isinstance(values, tuple | list):
        raise NotSolved(
            f"{called(answer)} returned one {type(got).__name__}, {RATES} were expected"
        )
    return torch.tensor(
        [as_number(answer, value, "a number for each layer") for value in values],
        dtype=torch.float64,
    )


@checked
def layer_rates(answer: Callable) -> str:
    """`my_rates(peak, decay, depth)` -> the rates of embedder, blocks and head, (depth
    + 2,).
    """
    peak, decay, depth = drawn_rates()
    for given in (
        (peak, decay, depth),
        (0.3, 0.8, 24),
        (2e-4, decay, 1),
        (peak, 1.0, depth + 1),
    ):
        case = "peak={:.3g}, decay={:.3g}, depth={}".format(*given)
        got = ask_rates(answer, *given, case)
        want = rates_of(*given)
        if given[-1] == depth:
            name_mistake(got, want, partial(wrong_rates, *given), close)
        compare_rates(answer, got, want, case)
    slowest = decay ** (depth + 1)
    return f"with {depth} blocks the embedder learns at {slowest:.1%} of the head's"


def compare_rates(answer: Callable, got: Tensor, want: Tensor, case: str) -> None:
    if len(got) != len(want):
        raise NotSolved(
            f"{called(answer)} returned {len(got)} rates, expected {len(want)} ({case})"
        )
    layers = ["the embedder", *(f"block {i}" for i in range(1, len(want) - 1))]
    for layer, mine, rate in zip([*layers, "the head"], got, want, strict=True):
        if not close(mine, rate):
            raise NotSolved(
                f"{layer} learns at {mine:.4g}, expected {rate:.4g} ({case})"
            )


# ---- a layer with one head less


NAMES = ("qkv_weight", "qkv_bias", "out_weight")
THREE = f"three tensors, {', '.join(NAMES)},"


def without(parts: Tensor, head: int) -> Tensor:
    """Rows (parts, H, K, ...) but those of one head."""
    return torch.cat([parts[:, :head], parts[:, head + 1 :]], dim=1)


def cut(parts: Tensor, head: int) -> Tensor:
    """Rows (parts, H, K, ...) but those of one head, stacked again."""
    return without(parts, head).flatten(0, 2)


def cut_rows(parts: Tensor, start: int, stop: int) -> Tensor:
    """Of each part all rows but those from `start` to `stop`."""
    rows = parts.flatten(1, 2)
    return torch.cat([rows[:, :start], rows[:, stop:]], dim=1).flatten(0, 1)


def cut_some(parts: Tensor, head: int, which: tuple[int, ...]) -> Tensor:
    """The head is cut from `which` of the parts alone."""
    return torch.cat(
        [
            cut(part, head) if place in which else part.flatten(0, 2)
            for place, part in enumerate(parts.split(1))
        ]
    )


def silenced(parts: Tensor, head: int, which: tuple[int, ...]) -> Tensor:
    """The head's rows are zeros in `which` of the parts."""
    found = parts.clone()
    for place in which:
        found[place, head] = 0
    return found.flatten(0, 2)


def rescaled(parts: Tensor, head: int, power: float) -> Tensor:
    """The first part is multiplied by a power of heads / (heads - 1)."""
    found = without(parts, head)
    found[0] *= (parts.shape[1] / (parts.shape[1] - 1)) ** power
    return found.flatten(0, 2)


def interleaved(parts: Tensor, head: int) -> Tensor:
    """Cut as if a head's rows were head, head + H, head + 2 H and so on."""
    G, H, K = parts.shape[:3]
    other = parts.flatten(0, 2).unflatten(0, (G, K, H)).transpose(1, 2)
    return without(other, head).transpose(1, 2).flatten(0, 2)


def in_blocks(parts: Tensor, head: int) -> Tensor:
    """Cut as if q, k and v of each head stood together: one block of rows."""
    G, H, K = parts.shape[:3]
    blocks = parts.flatten(0, 2).unflatten(0, (H, G, K)).transpose(0, 1)
    return without(blocks, head).transpose(0, 1).flatten(0, 2)


def bounds(head: int, width: int) -> tuple[int, int]:
    """The first row of a head, and the one behind it."""
    return head * width, (head + 1) * width


OTHER_HEAD = "heads are counted from 0, and from the front:"
WHICH = {
    f"{OTHER_HEAD} you cut the one before": lambda head, H: head - 1,
    f"{OTHER_HEAD} you cut the one behind": lambda head, H: head + 1,
    f"{OTHER_HEAD} you counted from the end": lambda head, H: H - 1 - head,
}
ORDER = "the remaining heads stay in their order:"
WIDTH = "head i begins at i * K and is K = D / heads wide:"
REST = "one head goes, the others stay:"
ANY = {
    "it is whole, nothing is cut": lambda parts, head: parts.flatten(0, 2),
    f"{REST} you kept this one alone": lambda parts, head: parts[:, head].flatten(0, 1),
    f"{REST} those before it are gone, too": lambda parts, head: parts[
        :, head + 1 :
    ].flatten(0, 2),
    f"{REST} those behind it are gone, too": lambda parts, head: parts[
        :, :head
    ].flatten(0, 2),
    f"{ORDER} yours is turned": lambda parts, head: (
        without(parts, head).flip(1).flatten(0, 2)
    ),
    f"{ORDER} in yours the last one fills the gap": lambda parts, head: torch.cat(
        [parts[:, :head], parts[:, -1:], parts[:, head + 1 : -1]], dim=1
    ).flatten(0, 2),
    f"{ORDER} yours begins with those behind the gap": lambda parts, head: torch.cat(
        [parts[:, head + 1 :], parts[:, :head]], dim=1
    ).flatten(0, 2),
    f"{WIDTH} you took K = D / (heads - 1), but the heads stay as wide as they"
    " are": lambda parts, head: cut_rows(
        parts, *bounds(head, parts.shape[1] * parts.shape[2] // (parts.shape[1] - 1))
    ),
    f"{WIDTH} you began at head, not at head * K": lambda parts, head: cut_rows(
        parts, head, head + parts.shape[2]
    ),
    f"{WIDTH} you took heads for K": lambda parts, head: cut_rows(
        parts, *bounds(head, parts.shape[1])
    ),
    f"{WIDTH} you cut one of D, the one at head": lambda parts, head: cut_rows(
        parts, head, head + 1
    ),
    f"{WIDTH} you cut every heads-th, as if heads were interleaved": interleaved,
    "the right ones are cut, and then the rest is reordered: head by head,"
    " (h k), not (k h)": lambda parts, head: (
        without(parts, head).transpose(1, 2).flatten(0, 2)
    ),
}
ALL_THREE = "q, k and v each lose the head's K rows:"
STACKED = "qkv stacks all of q, then all of k, then all of v:"
GONE = "the head is to be gone, not silent:"
SCALE = "K is what it was, and so is sqrt(K): leave q as it is, yours is"
# what concerns q, k and v
STACK = {
    **{
        f"{ALL_THREE} you cut them from {said}": partial(cut_some, which=which)
        for said, which in {
            "q alone": (0,),
            "k alone": (1,),
            "v alone": (2,),
            "q and k, not from v": (0, 1),
            "q and v, not from k": (0, 2),
            "k and v, not from q": (1, 2),
        }.items()
    },
    **{
        f"{GONE} its rows of {said} are zeros, and still there": partial(
            silenced, which=which
        )
        for said, which in {
            "v": (2,),
            "q, k and v": (0, 1, 2),
            "q and k": (0, 1),
        }.items()
    },
    f"{STACKED} you cut one block of 3 K rows, as if it went head by head": in_blocks,
    f"{STACKED} the right rows are left, but yours go head by"
    " head": lambda parts, head: without(parts, head).transpose(0, 1).flatten(0, 2),
    **{
        f"{STACKED} yours are in the order {said}": lambda parts, head, order=order: (
            cut(parts[order], head)
        )
        for said, order in {
            "k, q, v": [1, 0, 2],
            "q, v, k": [0, 2, 1],
            "v, k, q": [2, 1, 0],
            "k, v, q": [1, 2, 0],
            "v, q, k": [2, 0, 1],
        }.items()
    },
    f"{SCALE} multiplied by sqrt(heads / (heads - 1))": partial(rescaled, power=0.5),
    f"{SCALE} divided by sqrt(heads / (heads - 1))": partial(rescaled, power=-0.5),
}
# what concerns the columns of out_weight alone
COLUMNS = {
    f"{GONE} its columns are zeros, and still there": partial(silenced, which=(0,)),
    "out adds up what the heads say, the rest stays as it is: yours is multiplied by"
    " heads / (heads - 1)": partial(rescaled, power=1),
    "out adds up what the heads say, the rest stays as it is: yours is divided by"
    " heads / (heads - 1)": partial(rescaled, power=-1),
}
STAY = "the tokens stay D wide:"
# of a matrix, and of what is right
AXES_CUT = {
    "qkv_weight": {
        "nn.Linear keeps (out, in), and a head is of the outputs: cut rows, yours are"
        " columns": lambda whole, head, heads: columns_cut(whole, head, heads),
        f"{STAY} rows are right, columns are cut besides": lambda want, head, heads: (
            columns_cut(want, head, heads)
        ),
        "nn.Linear keeps (out, in), yours is turned": lambda want: want.mT,
    },
    "out_weight": {
        "nn.Linear keeps (out, in), and a head is of the inputs: cut columns, yours are"
        " rows": lambda whole, head, heads: columns_cut(whole.mT, head, heads).mT,
        f"{STAY} columns are right, rows are cut besides": lambda want, head, heads: (
            columns_cut(want.mT, head, heads).mT
        ),
        "nn.Linear keeps (out, in), yours is turned": lambda want: want.mT,
    },
}


def columns_cut(weight: Tensor, head: int, heads: int) -> Tensor:
    return cut(weight.mT.unflatten(0, (1, heads, -1)), head).mT


def of_rows(
    rows: Tensor,
    parts: int,
    head: int,
    heads: int,
    which: Callable = lambda head, heads: head,
    cut: Callable = cut,
) -> Tensor:
    """Rows (parts H K, ...) without a head; the last two arguments are the places to
    slip.
    """
    return cut(rows.unflatten(0, (parts, heads, -1)), which(head, heads))


def wrong_cuts(name: str, whole: Tensor, head: int, heads: int) -> dict[str, Tensor]:
    """What the usual mistakes make of one of the tensors: sentence -> tensor."""
    if name == "out_weight":
        form = partial(of_rows, whole.mT, 1, head, heads)
        rows = combined(form, {"which": WHICH, "cut": ANY | COLUMNS})
        found = {said: value.mT for said, value in rows.items()}
        want = form().mT
    else:
        form = partial(of_rows, whole, 3, head, heads)
        found = combined(form, {"which": WHICH, "cut": ANY | STACK})
        want = form()
    drawn = {"whole": whole, "want": want, "head": head, "heads": heads}
    found = listed(AXES_CUT.get(name, {}), **drawn) | found
    return {f"{name}: {said}": value for said, value in found.items()}


def drawn_layer(heads: int, K: int, dtype: torch.dtype) -> tuple:
    """Weights of an attention layer: (3 D, D), (3 D,) and (D, D)."""
    D = heads * K
    shapes = ((3 * D, D), (3 * D,), (D, D))
    return tuple(torch.randn(shape, dtype=dtype) for shape in shapes)


def left_of(layer: tuple, heads: int, head: int) -> list[Tensor]:
    """What is left of each of the tensors."""
    qkv_weight, qkv_bias, out_weight = layer
    return [
        of_rows(qkv_weight, 3, head, heads),
        of_rows(qkv_bias, 3, head, heads),
        of_rows(out_weight.mT, 1, head, heads).mT,
    ]


def told_layer() -> tuple[tuple, int, int, list[dict[str, Tensor]]]:
    """A layer, its heads and one of them, and what the usual mistakes make of each
    tensor, no two alike.
    """
    while True:
        (heads,) = distinct(1, 5, 7)
        (K,) = distinct(1, 8, 10)  # at least heads - 1, so D / (heads - 1) is wider
        head = int(torch.randint(1, heads - 2, ()))  # behind it are at least two
        layer = drawn_layer(heads, K, torch.float32)
        # which rows are left is the same for weight and bias, and so for columns
        biases = wrong_cuts("qkv_bias", layer[1], head, heads)
        if told_apart([left_of(layer, heads, head)[1], *single(biases)]):
            weights = wrong_cuts("qkv_weight", layer[0], head, heads)
            columns = wrong_cuts("out_weight", layer[2], head, heads)
            return layer, heads, head, [weights, biases, columns]


def ask_pruned(
    answer: Callable, layer: tuple, heads: int, head: int, case: str
) -> list[object]:
    """The three things that the learner's function returns."""
    got = ask(answer, *layer, heads, head, expected=THREE, case=case)
    if not isinstance(got, tuple | list):
        raise NotSolved(
            f"{called(answer)} returned a {type(got).__name__}, {THREE} were expected"
        )
    if len(got) != 3:
        raise NotSolved(
            f"{called(answer)} returned {len(got)} values, {THREE} were expected"
        )
    return list(got)


@checked
def pruned(answer: Callable) -> str:
    """`my_prune(qkv_weight, qkv_bias, out_weight, heads, head)`: (3 D, D), (3 D,), (D,
    D) -> the three without one head, the others in their order: (3 (D - K), D), (3 (D -
    K),), (D, D - K).
    """
    layer, heads, head, tables = told_layer()
    cases = [(layer, heads, head, tables)]
    for count, K, which, dtype in (
        (heads, 3, 0, torch.float32),
        (heads + 1, 4, heads, torch.float64),
        (2, 5, 0, torch.float32),
        (2, 3, 1, torch.float32),
        (heads, 1, 2, torch.float32),
        (12, 2, 10, torch.float32),
    ):
        cases.append((drawn_layer(count, K, dtype), count, which, [None] * 3))
    for given, count, which, mistakes in cases:
        D = given[2].shape[0]
        case = f"head {which} of {count}, D = {D}"
        got = ask_pruned(answer, given, count, which, case)
        wanted = left_of(given, count, which)
        for name, mine, want, found in zip(NAMES, got, wanted, mistakes, strict=True):
            compare(answer, mine, want, found, f"{name}, without {case}")
    less = sum(map(torch.numel, layer)) - sum(
        map(torch.numel, left_of(layer, heads, head))
    )
    return (
        f"without head {head} of {heads} the layer has {less:,} numbers less, and the"
        " others say what they said"
    )
