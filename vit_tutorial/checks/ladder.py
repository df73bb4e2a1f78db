"""What the rungs of the capstone share: a learner's whole model beside ours, with the
same weights.
"""

import runpy
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor, nn

from vit_tutorial.checks.core import NotSolved, ask, called, compare, distinct, one_line
from vit_tutorial.checks.counting import described
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


def shaken(c: ViTConfig) -> VisionTransformer:
    """Our model with no parameter at zero or one, where a wrong place for it would not
    show.
    """
    model = VisionTransformer(c).eval()
    for name, parameter in model.named_parameters():
        nn.init.normal_(
            parameter, mean=float("norm" in name and "weight" in name), std=0.4
        )
    return model


def built(answer: Callable, c: ViTConfig, case: str = "a small config") -> nn.Module:
    """The learner's model, in eval mode."""
    model = ask(answer, c, expected="a model", case=f"{case}: {described(c)}")
    if not isinstance(model, nn.Module):
        raise NotSolved(
            f"{called(answer)}(config) is a {type(model).__name__}, expected an"
            " nn.Module"
        )
    return model.eval()


def run(model: nn.Module, images: Tensor, case: str | None = None) -> Tensor:
    return ask(model, images, expected="logits of shape (B, classes)", case=case)


def pour(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
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

    `silence` changes our model first, so that only the part that a rung is about can be
    heard. `mistakes` maps a sentence to what the mistake that it names makes of our
    model.
    """
    ours = shaken(c).double()
    images = pictures(c).double()
    with torch.no_grad():
        silence(ours)
        want = ours(images)
        mine = built(answer, c).double()
        weights = ours.state_dict()
        pour(mine, weights)
        got = run(mine, images, case)
        if not isinstance(got, Tensor) or nearly(got, want):
            return compare(answer, got, want, case=case)
        if missing := left_out(mine, weights):
            raise NotSolved(
                f"after load the numbers of {missing[0]} are nowhere in your model"
            )
        for sentence, mistake in (dict(mistakes or {}) | OTHER_EPS).items():
            if nearly(got, mistake(deepcopy(ours), images)):
                raise NotSolved(sentence)
        compare(answer, got, want, case=case)
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
    f"LayerNorm's eps is {value:g} in {where}: config.norm_eps says what it is": (
        with_eps(value, everywhere)
    )
    for value in (1e-5, 1e-6, 1e-12)
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
