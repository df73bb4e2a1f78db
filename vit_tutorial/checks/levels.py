"""The levels of the capstone: a learner's whole model beside ours, with the same
weights, each level listening to one part of it.
"""

import runpy
from collections.abc import Callable, Mapping
from copy import deepcopy
from itertools import permutations
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from vit_tutorial.checks.counting import described
from vit_tutorial.checks.harness import (
    NotSolved,
    among,
    ask,
    called,
    compare,
    distinct,
    name_mistake,
    one_line,
)
from vit_tutorial.config import ViTConfig
from vit_tutorial.files import user_path
from vit_tutorial.model import VisionTransformer

# our model and images -> the logits of a mistake
Wrong = Callable[[VisionTransformer, Tensor], Tensor]


def from_file(path: str | Path) -> type:
    """The class MyViT in a Python file. Raises NotSolved when there is no such file, or
    none in it.
    """
    path = user_path(path)
    if not path.is_file():
        raise NotSolved(
            f"there is no file {path} here; the blank one lies beside the chapters"
        )
    try:
        names = runpy.run_path(str(path))
    except (Exception, SystemExit) as error:
        raise NotSolved(f"{path} cannot be read: {one_line(error)}") from None
    if "MyViT" not in names:
        raise NotSolved(f"{path} defines no class MyViT")
    return names["MyViT"]


def sizes(**others: object) -> ViTConfig:
    """A small square model with a class token and learned positions; its sizes are
    drawn afresh.
    """
    patch, channels, classes = distinct(3, 2, 6)
    heads = others.pop("heads", 1)
    defaults = {
        "image_size": 3 * patch,
        "depth": 1,
        "mlp_ratio": 2.0,
        "dim": 8 * heads,
        "norm_eps": 0.01,
    }
    return ViTConfig(
        patch_size=patch,
        channels=channels,
        classes=classes,
        heads=heads,
        **defaults | others,
    )


def pictures(c: ViTConfig, count: int = 3) -> Tensor:
    return torch.randn(count, c.channels, *c.sides)


def random_model(c: ViTConfig) -> VisionTransformer:
    """Our model with no parameter at zero or one, where a wrong place for it would not
    show.
    """
    model = VisionTransformer(c).eval()
    for name, parameter in model.named_parameters():
        nn.init.normal_(
            parameter, mean=float("norm" in name and "weight" in name), std=0.4
        )
    return model


def built(answer: Callable, c: ViTConfig) -> nn.Module:
    """The learner's model, in eval mode."""
    case = f"a small config: {described(c)}"
    model = ask(answer, c, expected="a model", case=case)
    if not isinstance(model, nn.Module):
        raise NotSolved(
            f"{called(answer)}(config) is a {type(model).__name__}, expected an"
            " nn.Module"
        )
    return model.eval()


def run(model: nn.Module, images: Tensor, case: str | None = None) -> Tensor:
    return ask(model, images, expected="logits of shape (B, classes)", case=case)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give our weights to the learner's `load`, or, where there is none, to
    `load_state_dict`.
    """
    by = "load" if hasattr(model, "load") else "load_state_dict"
    try:
        with torch.no_grad():
            getattr(model, by)({name: value.clone() for name, value in weights.items()})
    except (Exception, SystemExit) as error:
        also = (
            ""
            if by == "load"
            else "; name your parts as ours, or write load(self, weights)"
        )
        raise NotSolved(f"{by} raised {one_line(error)}{also}") from None


def left_out(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """The names of weights of which no number is in the model."""
    pool = torch.cat(
        [value.detach().flatten() for value in [*model.parameters(), *model.buffers()]]
    )
    return [
        name for name, value in weights.items() if not torch.isin(value, pool).any()
    ]


def compare_models(
    answer: Callable,
    c: ViTConfig,
    silence: Callable[[VisionTransformer], object] = lambda model: None,
    mistakes: Mapping[str, Wrong] | None = None,
    case: str | None = None,
) -> None:
    """Raise NotSolved unless the learner's model gives our logits, with the same
    weights, on the same images.

    `silence` changes our model first, so that only the part that a level is about can
    be heard. `mistakes` maps a sentence to what the mistake that it names makes of our
    model.
    """
    ours = random_model(c).double()
    images = pictures(c).double()

    def mistaken() -> dict[str, list[Tensor]]:
        table = {said: [wrong] for said, wrong in (mistakes or {}).items()} | OTHER_EPS
        return {
            said: [wrong(deepcopy(ours), images) for wrong in several]
            for said, several in table.items()
        }

    with torch.no_grad():
        silence(ours)
        want = ours(images)
        mine = built(answer, c).double()
        weights = ours.state_dict()
        load_weights(mine, weights)
        got = run(mine, images, case)
        right = not isinstance(got, Tensor) or nearly(got, want)
        if not right and (missing := left_out(mine, weights)):
            raise NotSolved(
                f"after load the numbers of {missing[0]} are nowhere in your model"
            )
        if isinstance(got, Tensor):
            name_mistake(got, [want], mistaken, among(nearly))
        compare(answer, got, want, case=case)
    if not right:
        off = (got - want).abs().max().item()
        raise NotSolved(
            f"the logits are off by {off:.0e}, too much for rounding in float64: is one"
            " function another?"
        )


def nearly(got: Tensor, want: Tensor) -> bool:
    """Equal within a tolerance that tells one GELU from the other; a softmax in float32
    on the way will do.
    """
    return got.shape == want.shape and torch.allclose(
        got.double(), want, rtol=2e-5, atol=2e-6
    )


def changed(change: Callable[[VisionTransformer], object]) -> Wrong:
    """A mistake that is a change of our model's weights or parts."""

    def wrong(model: VisionTransformer, images: Tensor) -> Tensor:
        change(model)
        return model(images)

    return wrong


def with_eps(value: float, everywhere: bool) -> Wrong:
    """LayerNorm's eps is written in, in all norms or in those of the blocks."""

    def change(model: VisionTransformer) -> None:
        for module in (model if everywhere else model.blocks).modules():
            if isinstance(module, nn.LayerNorm):
                module.eps = value

    return changed(change)


OTHER_EPS = {
    f"LayerNorm's eps is 1e-05 in {where}, or less: config.norm_eps says what it is": [
        with_eps(value, everywhere) for value in (1e-5, 1e-6, 1e-12)
    ]
    for where, everywhere in (("your model", True), ("your blocks", False))
}


def quiet_attention(model: VisionTransformer) -> None:
    """The attention of all blocks adds nothing to the stream."""
    for block in model.blocks:
        nn.init.zeros_(block.attention.out.weight)
        nn.init.zeros_(block.attention.out.bias)


def quiet_mlp(model: VisionTransformer) -> None:
    """The MLP of all blocks adds nothing to the stream."""
    for block in model.blocks:
        nn.init.zeros_(block.mlp[3].weight)
        nn.init.zeros_(block.mlp[3].bias)


def quiet_blocks(model: VisionTransformer) -> None:
    quiet_attention(model)
    quiet_mlp(model)


def even_attention(model: VisionTransformer) -> None:
    """Every token mixes the values of all with equal weights; the MLP adds nothing."""
    quiet_mlp(model)
    for block in model.blocks:
        keep = len(block.attention.qkv.bias) * 2 // 3
        block.attention.qkv.weight[:keep] = 0
        block.attention.qkv.bias[:keep] = 0


class Stream(nn.Module):
    """A block in which something is put together otherwise: `step(block, x)` -> x."""

    def __init__(
        self, block: nn.Module, step: Callable[[nn.Module, Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.block = block
        self.step = step

    def forward(self, x: Tensor, return_attention: bool = False) -> Tensor:
        return self.step(self.block, x)


def restacked(step: Callable[[nn.Module, Tensor], Tensor]) -> Wrong:
    """A mistake in how each block puts its parts together."""

    def change(model: VisionTransformer) -> None:
        model.blocks = nn.ModuleList(Stream(block, step) for block in model.blocks)

    return changed(change)


class Mixing(nn.Module):
    """Attention in which something is done otherwise: split into heads, mixed,
    merged.
    """

    def __init__(
        self,
        attention: nn.Module,
        mix: Callable,
        split: str | Callable,
        merge: str | Callable,
    ) -> None:
        super().__init__()
        self.attention = attention
        self.mix = mix
        self.split = split
        self.merge = merge

    def forward(self, tokens: Tensor, return_attention: bool = False) -> Tensor:
        heads = self.attention.heads
        joint = self.attention.qkv(tokens)
        q, k, v = (
            self.split(joint, heads)
            if callable(self.split)
            else rearrange(joint, self.split, three=3, h=heads)
        )
        mixed = self.mix(q, k, v)
        merged = (
            self.merge(mixed) if callable(self.merge) else rearrange(mixed, self.merge)
        )
        return self.attention.out(merged)


def softmax_mix(q: Tensor, k: Tensor, v: Tensor, dim: int = -1) -> Tensor:
    return (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=dim) @ v


def mixed(
    mix: Callable = softmax_mix,
    split: str | Callable = "b t (three h k) -> three b h t k",
    merge: str | Callable = "b h t k -> b t (h k)",
) -> Wrong:
    """A mistake within attention."""

    def change(model: VisionTransformer) -> None:
        for block in model.blocks:
            block.attention = Mixing(block.attention, mix, split, merge)

    return changed(change)


# ---- the levels up to attention


def read_at(place: int, roll: int = 0) -> Wrong:
    """The head reads another token, or the first of tokens whose places are shifted."""

    def wrong(model: VisionTransformer, images: Tensor) -> Tensor:
        model.embedder.positions.copy_(model.embedder.positions.roll(roll, dims=1))
        return model.head(model.embedder(images)[:, place])

    return wrong


def no_place(model: VisionTransformer, start: int, end: int | None) -> None:
    model.embedder.positions[:, start:end] = 0


def without_norm(model: VisionTransformer) -> None:
    model.head[0] = nn.Identity()


def normed_last(block: nn.Module, x: Tensor) -> Tensor:
    x = block.norm1(x + block.attention(x))
    return block.norm2(x + block.mlp(x))


def normed_after(block: nn.Module, x: Tensor) -> Tensor:
    x = x + block.norm1(block.attention(x))
    return x + block.norm2(block.mlp(x))


def class_token(answer: Callable) -> None:
    mistakes = {
        "the norm before the last linear layer is missing": changed(without_norm),
        "the stream itself is normed: norm what goes into attention and MLP, and add"
        " what comes out to the plain x": restacked(normed_last),
        "the norms come after attention and MLP: they come before, x +"
        " attention(norm1(x))": restacked(normed_after),
        "a residual is missing: what attention and MLP find is added to x": restacked(
            lambda block, x: 0 * x
        ),
        "the class token has a place too: positions are added after it was put in"
        " front": changed(lambda model: no_place(model, 0, 1)),
        "the class token stands last, and takes the last place: it stands"
        " first": read_at(0, roll=1),
        "the head reads the last token: the class token is the first": read_at(-1),
        "the head reads the first patch: the class token stands before it": read_at(1),
        "the head reads the mean of all tokens: it reads the class"
        " token": lambda model, images: model.head(model.embedder(images).mean(dim=1)),
        "the head reads the mean of the patches: it reads the class"
        " token": lambda model, images: model.head(
            model.embedder(images)[:, 1:].mean(dim=1)
        ),
        "these are probabilities: return logits, the loss does the"
        " softmax": lambda model, images: model(images).softmax(dim=1),
        "these are logarithms of probabilities: return logits, the loss does the"
        " softmax": lambda model, images: model(images).log_softmax(dim=1),
    }
    compare_models(answer, sizes(depth=2), quiet_blocks, mistakes)


def reorder(pattern: str, back: str) -> Callable[[VisionTransformer], None]:
    """A kernel that is read in another order than it was written."""

    def change(model: VisionTransformer) -> None:
        kernel = model.embedder.projection.weight
        names = {"c": kernel.shape[1], "p1": kernel.shape[2], "p2": kernel.shape[3]}
        other = rearrange(
            rearrange(kernel, f"d c p1 p2 -> d ({pattern})"),
            f"d ({back}) -> d c p1 p2",
            **names,
        )
        kernel.copy_(other.clone())

    return change


def cut_by_view(model: VisionTransformer, images: Tensor) -> Tensor:
    rows = images.reshape(len(images), model.config.tokens - 1, -1)
    kernel = model.embedder.projection
    model.embedder.project = lambda images: F.linear(
        rows, kernel.weight.flatten(1), kernel.bias
    )
    return model(images)


def columns_first(model: VisionTransformer) -> None:
    places = model.embedder.positions
    rows = model.config.grid[0]
    places[:, 1:] = rearrange(places[:, 1:], "b (y x) d -> b (x y) d", y=rows).clone()


def taken_for(order: tuple[int, ...]) -> Wrong:
    """Queries, keys and values taken for one another."""

    def change(model: VisionTransformer) -> None:
        for block in model.blocks:
            for joint in (block.attention.qkv.weight, block.attention.qkv.bias):
                thirds = joint.chunk(3)
                joint.copy_(torch.cat([thirds[part] for part in order]))

    return changed(change)


TURNS = {
    "q, k and v take turns in your rows: qkv stacks all of q, then all of k, then all"
    " of v": mixed(split="b t (h k three) -> three b h t k")
}
ORDERS = TURNS | {
    f"your q, k, v are our {', '.join('qkv'[part] for part in order)}: qkv stacks q,"
    " then k, then v": taken_for(order)
    for order in permutations(range(3))
    if order != (0, 1, 2)
}
# what of them is heard where queries and keys are silent and all values mix alike
VALUES = TURNS | {
    "your values are our queries or our keys: qkv stacks q, then k, then v": taken_for(
        (1, 2, 0)
    )
}


def turned_out(model: VisionTransformer) -> None:
    for block in model.blocks:
        block.attention.out.weight.copy_(block.attention.out.weight.mT.clone())


def no_bias(model: VisionTransformer) -> None:
    nn.init.zeros_(model.embedder.projection.bias)


ATTENTION = {
    "the class token hears no patch: a ViT has no causal mask, and PyTorch's own layers"
    " need batch_first=True": mixed(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)
    ),
    "the block does not run, or what attention finds is not added to x": restacked(
        lambda block, x: x
    ),
    "attention's output matrix is transposed: PyTorch keeps a linear map as (out,"
    " in)": changed(turned_out),
    "the norm before attention is missing": restacked(
        lambda block, x: x + block.attention(x)
    ),
    "what goes into attention passes norm1, in your model norm2": restacked(
        lambda block, x: x + block.attention(block.norm2(x))
    ),
}


def patches(answer: Callable) -> None:
    layout = "the numbers of a patch and of the kernel have to stand in one order"
    mistakes = {
        f"{layout}: flatten leaves a kernel as (c p1 p2), your patches are (p1 p2"
        " c)": changed(reorder("c p1 p2", "p1 p2 c")),
        f"{layout}: your kernel is (p1 p2 c), your patches are (c p1 p2)": changed(
            reorder("p1 p2 c", "c p1 p2")
        ),
        "rows and columns changed places within each patch": changed(
            reorder("c p2 p1", "c p1 p2")
        ),
        "a view cuts images into runs of pixels, not into squares: split both sides,"
        " then bring the axes together": cut_by_view,
        "the patches are read column by column: go row by row, as the positions"
        " do": changed(columns_first),
        "rows and columns of the image changed places": lambda model, images: model(
            images.mT
        ),
        "the bias of the patch projection is missing": changed(no_bias),
        "the positions are missing: add them to the tokens": changed(
            lambda model: no_place(model, 0, None)
        ),
        "the patches got no places": changed(lambda model: no_place(model, 1, None)),
    }
    compare_models(answer, sizes(), even_attention, mistakes | ATTENTION | VALUES)


def louder(factor: Callable[[int, int], float]) -> Wrong:
    """Scores that are too large or too small, by a factor of K and D."""

    def change(model: VisionTransformer) -> None:
        D = model.config.dim
        H = model.config.heads
        for block in model.blocks:
            for joint in (block.attention.qkv.weight, block.attention.qkv.bias):
                joint[:D] *= factor(D // H, D)

    return changed(change)


def attention(answer: Callable) -> None:
    mistakes = {
        "the scores are not divided by the root of K": louder(lambda K, D: K**0.5),
        "the scores are divided twice by the root of K, or once by K": louder(
            lambda K, D: K**-0.5
        ),
        "softmax ran over the queries: each query's weights over the keys sum to 1,"
        " dim=-1": mixed(lambda q, k, v: softmax_mix(q, k, v, dim=-2)),
        "softmax ran over the heads: take the last axis, the keys": mixed(
            lambda q, k, v: softmax_mix(q, k, v, dim=1)
        ),
        "softmax ran over the batch: take the last axis, the keys": mixed(
            lambda q, k, v: softmax_mix(q, k, v, dim=0)
        ),
        "the softmax is missing": mixed(
            lambda q, k, v: q @ k.mT / q.shape[-1] ** 0.5 @ v
        ),
    }
    compare_models(answer, sizes(), quiet_mlp, mistakes | ATTENTION | ORDERS)


def views(joint: Tensor, heads: int) -> list[Tensor]:
    return [
        part.reshape(len(part), heads, part.shape[1], -1)
        for part in joint.chunk(3, dim=-1)
    ]


def viewed(values: Tensor) -> Tensor:
    return values.reshape(len(values), values.shape[2], -1)


def one_head(joint: Tensor, heads: int) -> Tensor:
    return rearrange(joint, "b t (three k) -> three b 1 t k", three=3)


HEADS = {
    "a view is no transpose: split D into (h k) first, then bring the heads in front of"
    " the tokens": mixed(split=views),
    "a view is no transpose: bring the heads behind the tokens, then merge them to (h"
    " k)": mixed(merge=viewed),
    "two views are no transposes: the heads go in front of the tokens and come back"
    " behind them": mixed(split=views, merge=viewed),
    "D is split into (k h): a head's numbers stand side by side, (h k)": mixed(
        split="b t (three k h) -> three b h t k", merge="b h t k -> b t (k h)"
    ),
    "D is split into (k h): a head's numbers stand side by side, (h k); merged they"
    " do": mixed(split="b t (three k h) -> three b h t k"),
    "the heads are merged as (k h): a head's numbers stand side by side, (h k)": mixed(
        merge="b h t k -> b t (k h)"
    ),
    "q, k and v are cut out head by head: qkv stacks all of q, then all of k, then all"
    " of v": mixed(split="b t (h three k) -> three b h t k"),
    "there is one head of D numbers: split it into config.heads": mixed(split=one_head),
    "the scores are divided by the root of D: a head has K = D/H numbers": louder(
        lambda K, D: (K / D) ** 0.5
    ),
    "softmax ran over the heads: take the last axis, the keys": mixed(
        lambda q, k, v: softmax_mix(q, k, v, dim=1)
    ),
}


def heads(answer: Callable) -> None:
    compare_models(answer, sizes(heads=3), quiet_mlp, HEADS | ATTENTION | ORDERS)


# ---- the levels from the MLP on


def with_activation(layer: Callable[[], nn.Module]) -> Wrong:
    """Another function between the two linear layers."""

    def change(model: VisionTransformer) -> None:
        for block in model.blocks:
            block.mlp[1] = layer()

    return changed(change)


def mlp(answer: Callable) -> None:
    mistakes = {
        "the bend is a ReLU: it is a GELU": with_activation(nn.ReLU),
        "the bend is the GELU's approximation by tanh: nn.GELU() is the exact"
        " one": with_activation(lambda: nn.GELU("tanh")),
        "the bend is a SiLU: it is a GELU": with_activation(nn.SiLU),
        "nothing bends between the two linear layers: two of them are one without the"
        " GELU": with_activation(nn.Identity),
        "a second GELU bends what the MLP returns": restacked(
            lambda block, x: x + F.gelu(block.mlp(block.norm2(x)))
        ),
        "what goes into the MLP passes norm2, in your model norm1": restacked(
            lambda block, x: x + block.mlp(block.norm1(x))
        ),
        "the norm before the MLP is missing": restacked(
            lambda block, x: x + block.mlp(x)
        ),
        "the MLP's sum starts from the normed x: add to x itself": restacked(
            lambda block, x: block.norm2(x) + block.mlp(block.norm2(x))
        ),
        "the residual around the MLP is missing": restacked(
            lambda block, x: block.mlp(block.norm2(x))
        ),
    }
    # attention is quiet, so the few logits of one class token decide: both GELUs' may
    # lie that near
    for _ in range(3):
        compare_models(answer, sizes(), quiet_attention, mistakes)


def side_by_side(block: nn.Module, x: Tensor) -> Tensor:
    return x + block.attention(block.norm1(x)) + block.mlp(block.norm2(x))


def mlp_first(block: nn.Module, x: Tensor) -> Tensor:
    x = x + block.mlp(block.norm2(x))
    return x + block.attention(block.norm1(x))


def from_the_start(block: nn.Module, x: Tensor) -> Tensor:
    middle = x + block.attention(block.norm1(x))
    return x + block.mlp(block.norm2(middle))


def block(answer: Callable) -> None:
    mistakes = {
        "attention and MLP read the same x: the MLP comes after the sum with"
        " attention": restacked(side_by_side),
        "the MLP comes first: attention, then MLP": restacked(mlp_first),
        "what attention found is lost: the MLP is added to the sum, not to the x before"
        " it": restacked(from_the_start),
    }
    compare_models(answer, sizes(heads=2), mistakes=mistakes)


def picked(*order: int) -> Wrong:
    """The blocks in another order, some left out."""

    def change(model: VisionTransformer) -> None:
        model.blocks = nn.ModuleList(model.blocks[place] for place in order)

    return changed(change)


def normed_between(model: VisionTransformer) -> None:
    norm = model.head[0]
    model.blocks = nn.ModuleList(nn.Sequential(block, norm) for block in model.blocks)
    for block in model.blocks:
        block.forward = lambda x, return_attention=False, block=block: block[1](
            block[0](x)
        )
    model.head[0] = nn.Identity()


def depth(answer: Callable) -> None:
    mistakes = {
        "only the first block runs": picked(0),
        "only the last block runs: each works on what the one before returned": picked(
            2
        ),
        "the last block does not run": picked(0, 1),
        "the first block does not run": picked(1, 2),
        "the blocks run in reverse": picked(2, 1, 0),
        "the first block runs config.depth times: each has weights of its own": picked(
            0, 0, 0
        ),
        "the last block runs config.depth times: each has weights of its own": picked(
            2, 2, 2
        ),
        "the last norm stands after every block: it comes once, before the"
        " head": changed(normed_between),
    }
    compare_models(answer, sizes(depth=3, heads=2), mistakes=mistakes)
