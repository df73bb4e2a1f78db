"""Checks of chapter 05: the parameters and the bill counted by hand, weights under
other names.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vit_tutorial.checks.counting import (
    VIT_B16,
    compare_counts,
    parts_of_bill,
    parts_of_size,
)
from vit_tutorial.checks.harness import (
    NotSolved,
    ask,
    called,
    checked,
    compare,
    distinct,
)
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.images import normalise
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.training.checkpoint import load_checkpoint


def parameter_count(c: ViTConfig) -> int:
    with torch.device("meta"):
        return count_parameters(VisionTransformer(c))


@checked
def parameters(answer: Callable) -> str:
    """`answer(c)` -> the number of parameters of VisionTransformer(c), with class token
    and learned positions.
    """
    compare_counts(answer, parameter_count, parts_of_size, "parameters")
    return "86,567,656 for ViT-B/16, and right for sizes that nobody has published"


@cache
def multiply_adds(c: ViTConfig) -> int:
    """By PyTorch's own counter, on one image without content; it counts a
    multiplication and its addition as two.
    """
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        VisionTransformer(c)(
            torch.empty(1, c.channels, *c.sides), return_attention=True
        )
    return counter.get_total_flops() // 2


@checked
def bill(answer: Callable) -> str:
    """`answer(c)` -> the multiply-adds of VisionTransformer(c) for one image; norms,
    softmax and GELU are free.
    """
    compare_counts(answer, multiply_adds, parts_of_bill, "multiply-adds")
    return (
        f"{multiply_adds(VIT_B16):,} multiply-adds for ViT-B/16, as PyTorch's own"
        " counter says"
    )


class SeparateAttention(nn.Module):
    """Attention as many others write it, with three layers in the place of `qkv`: (B,
    T, D) -> (B, T, D).
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (
            nn.Linear(dim, dim) for _ in range(4)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        layers = (self.query, self.key, self.value)
        q, k, v = (
            rearrange(layer(tokens), "b t (h k) -> b h t k", h=self.heads)
            for layer in layers
        )
        return self.out(
            rearrange(F.scaled_dot_product_attention(q, k, v), "b h t k -> b t (h k)")
        )


def other_class(c: ViTConfig) -> VisionTransformer:
    """The learner's class of the exercise: manual embedder, and attention in three
    layers.
    """
    model = VisionTransformer(replace(c, embedder="manual")).eval()
    for block in model.blocks:
        block.attention = SeparateAttention(c.dim, c.heads)
    return model


def other_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Our tensors under the names, and in the shapes, of `other_class`."""
    names = {}
    for name, value in weights.items():
        if ".qkv." in name:
            for part, rows in zip(
                ("query", "key", "value"), value.chunk(3), strict=True
            ):
                names[name.replace("qkv", part)] = rows
        else:
            kernel = name == "embedder.projection.weight"
            names[name] = (
                rearrange(value, "d c p1 p2 -> d (p1 p2 c)") if kernel else value
            )
    return names


def compare_names(answer: Callable, got: object, want: Mapping[str, Tensor]) -> None:
    """Raise NotSolved, naming the first, unless `got` is a dict of tensors under the
    names of `want`.
    """
    if not isinstance(got, Mapping):
        raise NotSolved(
            f"{called(answer)} returned a {type(got).__name__}, a dict of tensors was"
            " expected"
        )
    left, missing = (
        [name for name in one if name not in other]
        for one, other in ((got, want), (want, got))
    )
    if any(".qkv." in str(name) for name in left):
        name = next(name for name in left if ".qkv." in str(name))
        raise NotSolved(
            f"{name} is in your dict: the class has query, key and value in its place"
        )
    if missing:
        also = f", and the class knows no {left[0]!r}" if left else ""
        raise NotSolved(f"{missing[0]} is missing{also}")
    if left:
        raise NotSolved(f"the class knows no {left[0]!r}")
    for name, value in got.items():
        if not isinstance(value, Tensor):
            raise NotSolved(
                f"{name} is a {type(value).__name__}, a tensor was expected"
            )


ROWS = "patchify writes a patch pixel by pixel, (p1 p2 c)"
FLAT = f"it is still a kernel: the linear layer takes a row for each output, and {ROWS}"
KERNELS = {
    f"a flattened kernel goes channel by channel, (c p1 p2); {ROWS}": "d (c p1 p2)",
    f"rows and columns of the kernel changed places; {ROWS}": "d (p2 p1 c)",
    "rows and columns of the kernel changed places, and the channels stand first;"
    f" {ROWS}": "d (c p2 p1)",
    FLAT: "d c p1 p2",
    f"{FLAT}, side by side": "d p1 p2 c",
}
ROLES = ("query", "key", "value")


def wrong_thirds(name: str, part: str, weights: Mapping[str, Tensor]) -> dict:
    """What the usual mistakes make of one third of qkv: sentence -> tensor."""
    number = ROLES.index(part)
    whole = weights[name.replace(part, "qkv")]
    D = len(whole) // 3
    by_head = {
        f"you cut qkv head by head, as if it had {heads}; it stacks all of q, then of"
        " k, then of v": rearrange(
            whole, "(h three k) ... -> three (h k) ...", h=heads, three=3
        )[number]
        for heads in range(2, D)  # as many as D would be every third row
        if D % heads == 0
    }
    found = {
        "it is all of qkv: cut it in three, the bias too": whole,
        "you took every third row; qkv stacks all of q, then all of k, then all"
        " of v": whole[number::3],
        **by_head,
    }
    for other, rows in zip(ROLES, whole.chunk(3), strict=True):
        if other != part:
            found[f"these are the rows of {other}; qkv stacks q, then k, then v"] = rows
    if whole.ndim == 2:
        cut = (
            "you cut columns; a linear map is kept as (out, in), and q, k, v are"
            " outputs"
        )
        found[cut] = whole.chunk(3, dim=1)[number]
    return found


def misplaced(
    name: str, weights: Mapping[str, Tensor], want: Tensor
) -> dict[str, Tensor]:
    """What the usual mistakes make of the tensor `name`: sentence -> tensor."""
    found = {}
    if name == "embedder.projection.weight":
        found = {
            said: rearrange(weights[name], f"d c p1 p2 -> {order}")
            for said, order in KERNELS.items()
        }
    for part in ROLES:
        if f".{part}." in name:
            found = wrong_thirds(name, part, weights)
    if want.ndim == 2:
        found["it is transposed; PyTorch keeps a linear map as (out, in)"] = want.mT
    return {f"{name}: {said}": wrong for said, wrong in found.items()}


def compare_renamed(answer: Callable, model: VisionTransformer) -> dict[str, Tensor]:
    """The answer for the weights of a model; NotSolved unless it is right."""
    weights = model.state_dict()
    expected = "a dict of tensors"
    case = "the weights of a small model"
    got = ask(answer, dict(weights), expected=expected, case=case)
    want = other_names(weights)
    compare_names(answer, got, want)
    for name, right in want.items():
        # which loading does as well
        mine = got[name].float() if got[name].dtype == torch.float64 else got[name]
        compare(answer, mine, right, misplaced(name, weights, right), case=name)
    return dict(got)


@checked
def renamed(answer: Callable) -> str:
    """`answer(weights)` -> our state dict under the names of a class with three layers
    and a manual embedder.
    """
    depth, heads, patch, channels, rows, columns = distinct(6, 2, 9)
    sides = (rows * patch, columns * patch)
    c = ViTConfig(sides, patch, channels, dim=6 * heads, depth=depth, heads=heads)
    ours = VisionTransformer(c).eval()
    for parameter in ours.parameters():
        # no zeros and ones, which would pass for each other
        nn.init.normal_(parameter, std=0.3)
    compare_renamed(answer, ours)
    shipped, record = load_checkpoint("stacks")
    own = other_class(shipped.config)
    own.load_state_dict(compare_renamed(answer, shipped))
    drawn = stacks(20, seed=int(torch.randint(2**31, ())))
    with torch.no_grad():
        logits = own(normalise(drawn.images, record.mean, record.std))
    right = (logits.argmax(dim=1) == drawn.labels).sum().item()
    return (
        f"the class with three layers knows what our weights know: {right} of 20 stacks"
        " are named right"
    )
