"""The checks of chapter 05: the parameters and the bill counted by hand, weights under
other names.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vit_tutorial.checks.core import NotSolved, ask, called, checked, compare, distinct
from vit_tutorial.checks.counting import BLOCK, ROUNDED, VIT_B16, compare_counts
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.images import normalise
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.training.checkpoint import load_checkpoint


def parts_of_size(c: ViTConfig) -> dict[str, int]:
    """What is easily forgotten, or counted once too often, and how many parameters it
    is.
    """
    D = c.dim
    L = c.depth
    T = c.tokens
    M = round(c.dim * c.mlp_ratio)
    pixels = c.patch_size**2
    block = 4 * c.dim**2 + 2 * c.dim * M + 9 * c.dim + M
    around = (pixels * c.channels + 1) * D + (T + 3) * D + (D + 1) * c.classes
    return {
        "one row of D numbers: the class token, its place among the positions, or the bias of the patch projection": (
            D
        ),
        "the norm before the head, a scale and an offset (or two single rows of D)": (
            2 * D
        ),
        "the positions, one row of D for each of the c.tokens tokens": T * D,
        "the positions of the patches": (T - 1) * D,
        "the weights of the patch projection": pixels * c.channels * D,
        "a pixel has c.channels values, so a patch has P*P*C": (
            pixels * (c.channels - 1) * D
        ),
        "c.patch_size is one side of a patch, so a patch has P*P*C values": (
            (pixels - c.patch_size) * c.channels * D
        ),
        "the patch projection takes c.channels channels, not always 3": (
            pixels * (c.channels - 3) * D
        ),
        "one projection serves all patches: its weights are counted once": (
            pixels * c.channels * D * (T - 2)
        ),
        "one projection serves all patches: its weights and its bias are counted once": (
            (pixels * c.channels + 1) * D * (T - 2)
        ),
        "the biases of q, k and v, 3D a block": 3 * D * L,
        "a bias of D in each block: attention's output has one, the MLP's second layer has one": (
            D * L
        ),
        "the bias of the MLP's first layer, one for each hidden unit, in each block": (
            M * L
        ),
        "both biases of the MLP, in each block": (M + D) * L,
        "the biases of the four linear maps, in each block": (5 * D + M) * L,
        "all biases of linear maps, in the blocks and around them": (
            (5 * D + M) * L + D + c.classes
        ),
        "2D a block: one of its norms, or half of both (a norm has a scale and an offset), or two of its biases": (
            2 * D * L
        ),
        "half of every norm: each has a scale and an offset": (2 * L + 1) * D,
        "4D a block: its two norms, or the biases of q, k, v and output": 4 * D * L,
        "all norms, two in each block and one before the head": (4 * L + 2) * D,
        "the weights of attention's output, D*D a block": D * D * L,
        "attention's output, D*D + D a block": (D * D + D) * L,
        "two of the three D*D of q, k and v, in each block": 2 * D * D * L,
        "heads share the D columns: q, k and v are D to 3D together, however many heads": (
            3 * D * D * (c.heads - 1) * L
        ),
        "one of the MLP's two matrices, in each block": D * M * L,
        f"{ROUNDED}, yours is cut off": (
            (2 * D + 1) * (M - math.floor(c.dim * c.mlp_ratio)) * L
        ),
        f"{ROUNDED}, yours is rounded up": (
            (2 * D + 1) * (M - math.ceil(c.dim * c.mlp_ratio)) * L
        ),
        "the MLP is D * c.mlp_ratio wide, not always 4D": (2 * D + 1) * (M - 4 * D) * L,
        "the MLP is D * c.mlp_ratio wide, not D": (2 * D + 1) * (M - D) * L,
        "the bias of the head, one for each class": c.classes,
        "the weights of the head": D * c.classes,
        "the head, weights and biases": (D + 1) * c.classes,
        "the head reads one vector: it is counted once, not for each token": (
            (D + 1) * c.classes * (T - 1)
        ),
        "all blocks but one: there are c.depth of them": block * (L - 1),
        "only the blocks are there c.depth times: what stands around them is counted once": (
            around * (L - 1)
        ),
        BLOCK: block,
        "all blocks": block * L,
    }


@checked
def parameters(answer: Callable) -> str:
    """`answer(c)` -> the number of parameters of VisionTransformer(c), with class token
    and learned positions.
    """

    def want(c: ViTConfig) -> int:
        with torch.device("meta"):
            return count_parameters(VisionTransformer(c))

    compare_counts(answer, want, parts_of_size, "parameters")
    return "86,567,656 for ViT-B/16, and right for sizes that nobody has published"


def parts_of_bill(c: ViTConfig) -> dict[str, int]:
    """What is easily forgotten in the multiply-adds for one image, or counted once too
    often.
    """
    D = c.dim
    L = c.depth
    T = c.tokens
    M = round(c.dim * c.mlp_ratio)
    N = c.tokens - 1
    pixels = c.patch_size**2 * D
    product = T * T * D
    linear = 4 * D * D + 2 * D * M
    smaller = linear * N + 2 * N * N * D  # a block that forgets the class token
    return {
        "the class token comes after the projection: only the T - 1 patches are projected": (
            pixels * c.channels
        ),
        "the projection runs once for each of the T - 1 patches": (
            pixels * c.channels * (N - 1)
        ),
        "the patch projection": pixels * c.channels * N,
        "a pixel has c.channels values, so a patch has P*P*C": (
            pixels * (c.channels - 1) * N
        ),
        "c.patch_size is one side of a patch, so a patch has P*P*C values": (
            c.patch_size * (c.patch_size - 1) * D * c.channels * N
        ),
        "the patch projection takes c.channels channels, not always 3": (
            pixels * (c.channels - 3) * N
        ),
        "positions are added, not multiplied with": T * D,
        "T*T*D a block, one of attention's two products: queries meet keys, then weights mix values": (
            product * L
        ),
        "2*T*T*D a block, attention's two products: queries meet keys, then weights mix values": (
            2 * product * L
        ),
        "each of the T queries meets T keys, so it is 2*T*T*D a block, not 2*T*D": (
            2 * T * N * D * L
        ),
        "a query meets a key in D multiplications, so it is 2*T*T*D a block, not 2*T*T": (
            2 * T * T * (D - 1) * L
        ),
        "the class token is a key, too: each query meets T of them, not T - 1": (
            2 * T * D * L
        ),
        "the class token is a query and a key, too: T*T, not (T - 1)*(T - 1)": (
            2 * (T * T - N * N) * D * L
        ),
        "2*T*T*K a block is what one head meets and mixes, all of them together 2*T*T*D": (
            2 * T * T * (D - D // c.heads) * L
        ),
        "the scale and the softmax are free": T * T * c.heads * L,
        "a head works on K = D/H numbers, so all heads together cost what one of D would": (
            2 * product * (c.heads - 1) * L
        ),
        "attention's output projection, T*D*D a block": T * D * D * L,
        "q, k and v are three maps of D*D, in each block": 2 * T * D * D * L,
        "q, k and v, T*3*D*D a block": 3 * T * D * D * L,
        "attention, its four linear maps and its two products": (
            (4 * T * D * D + 2 * product) * L
        ),
        "one of the MLP's two matrices, in each block": T * D * M * L,
        "the MLP's two matrices, in each block": 2 * T * D * M * L,
        f"{ROUNDED}, yours is cut off": (
            2 * T * D * (M - math.floor(c.dim * c.mlp_ratio)) * L
        ),
        f"{ROUNDED}, yours is rounded up": (
            2 * T * D * (M - math.ceil(c.dim * c.mlp_ratio)) * L
        ),
        "the MLP is D * c.mlp_ratio wide, not always 4D": 2 * T * D * (M - 4 * D) * L,
        "the MLP is D * c.mlp_ratio wide, not D": 2 * T * D * (M - D) * L,
        "the class token goes through the blocks too: T tokens, not T - 1": (
            (linear * T + 2 * product - smaller) * L
        ),
        "the linear maps of a block run for each of the T tokens": linear * N * L,
        "a bias is added, not multiplied with": (
            ((5 * D + M) * T) * L + D * N + c.classes
        ),
        "a bias is added, not multiplied with (those in the blocks)": (
            (5 * D + M) * T * L
        ),
        "the head": D * c.classes,
        "the head reads one vector, not all T": D * c.classes * N,
        "the head reads one vector, not the T - 1 patches": D * c.classes * (N - 1),
        BLOCK: linear * T + 2 * product,
        "all blocks but one: there are c.depth of them": (
            (linear * T + 2 * product) * (L - 1)
        ),
    }


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


def misplaced(
    name: str, weights: Mapping[str, Tensor], want: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """What a likely mistake makes of the tensor `name`, under the sentence that names
    the mistake.
    """
    mistakes = {}
    if name == "embedder.projection.weight":
        rows = "patchify writes a patch pixel by pixel, (p1 p2 c)"
        for order, said in (
            ("d (c p1 p2)", "a flattened kernel goes channel by channel, (c p1 p2)"),
            ("d (p2 p1 c)", "rows and columns of the kernel changed places"),
            (
                "d (c p2 p1)",
                (
                    "rows and columns of the kernel changed places, and the channels"
                    " stand first"
                ),
            ),
        ):
            mistakes[f"{said}; {rows}"] = rearrange(
                weights[name], f"d c p1 p2 -> {order}"
            )
        flat = (
            "it is still a kernel: the linear layer takes a row for each output, and"
            f" {rows}"
        )
        mistakes[flat] = weights[name]
        mistakes[f"{flat}, side by side"] = rearrange(
            weights[name], "d c p1 p2 -> d p1 p2 c"
        )
    for number, part in enumerate(("query", "key", "value")):
        if f".{part}." in name:
            whole = weights[name.replace(part, "qkv")]
            mistakes["it is all of qkv: cut it in three, the bias too"] = whole
            mistakes[
                "you took every third row; qkv stacks all of q, then all of k, then all"
                " of v"
            ] = whole[number::3]
            D = len(whole) // 3
            for heads in (heads for heads in range(2, D + 1) if D % heads == 0):
                wrong = rearrange(
                    whole, "(h three k) ... -> three (h k) ...", h=heads, three=3
                )[number]
                mistakes[
                    f"you cut qkv head by head, as if it had {heads}; it stacks all of"
                    " q, then of k, then of v"
                ] = wrong
            for other in {"query", "key", "value"} - {part}:
                rows = want[name.replace(part, other)]
                mistakes[
                    f"these are the rows of {other}; qkv stacks q, then k, then v"
                ] = rows
            if whole.ndim == 2:
                columns = whole.chunk(3, dim=1)[number]
                mistakes[
                    "you cut columns; a linear map is kept as (out, in), and q, k, v"
                    " are outputs"
                ] = columns
    if want[name].ndim == 2:
        mistakes["it is transposed; PyTorch keeps a linear map as (out, in)"] = want[
            name
        ].mT
    return mistakes


@checked
def renamed(answer: Callable) -> str:
    """`answer(weights)` -> our state dict under the names of a class with three layers
    and a manual embedder.
    """
    depth, heads, patch, channels, rows, columns = distinct(6, 2, 9)
    c = ViTConfig(
        (rows * patch, columns * patch),
        patch,
        channels,
        dim=6 * heads,
        depth=depth,
        heads=heads,
    )
    ours = VisionTransformer(c).eval()
    for parameter in ours.parameters():
        # no zeros and ones, which would pass for each other
        nn.init.normal_(parameter, std=0.3)
    shipped, record = load_checkpoint("stacks")
    for model in (ours, shipped):
        weights = model.state_dict()
        got = ask(
            answer,
            dict(weights),
            expected="a dict of tensors",
            case="the weights of a small model",
        )
        want = other_names(weights)
        compare_names(answer, got, want)
        for name, right in want.items():
            mistakes = {
                f"{name}: {said}": wrong
                for said, wrong in misplaced(name, weights, want).items()
            }
            # which loading does as well
            mine = got[name].float() if got[name].dtype == torch.float64 else got[name]
            compare(answer, mine, right, mistakes, case=name)
    own = other_class(shipped.config)
    drawn = stacks(20, seed=int(torch.randint(2**31, ())))
    own.load_state_dict(dict(got))
    with torch.no_grad():
        logits = own(normalise(drawn.images, record.mean, record.std))
    right = (logits.argmax(dim=1) == drawn.labels).sum().item()
    return (
        f"the class with three layers knows what our weights know: {right} of 20 stacks"
        " are named right"
    )
