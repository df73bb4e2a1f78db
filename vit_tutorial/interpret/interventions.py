"""What changes when something is taken away or put in the place of something else:
patches, positions, heads, branches of a block, states of tokens, what the weights have
learnt.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from vit_tutorial.interpret.attention import evaluating
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import build_model
from vit_tutorial.variants import Rotation


@torch.no_grad()
def drop_patches(model: VisionTransformer, images: Tensor, kept: Tensor) -> Tensor:
    """Logits (B, classes) of images of which only the patches `kept` (B, n) are there,
    each in its own place.

    The others become no tokens at all; the class token always stays. `kept` are numbers
    from 0 to N - 1, in any order. Runs in eval mode without gradients and leaves the
    model as it was. Raises ValueError for patches there are not, a patch given twice,
    and no patch at all where there is no class token.
    """
    first = int(model.config.pool == "cls")
    patches = math.prod(model.config.grid)
    if (
        kept.ndim != 2
        or len(kept) != len(images)
        or kept.is_floating_point()
        or kept.dtype == torch.bool
    ):
        raise ValueError(
            f"kept is {tuple(kept.shape)} of {kept.dtype}, expected ({len(images)}, n)"
            " numbers of patches to keep"
        )
    if kept.shape[1] + first == 0:
        raise ValueError(
            "no patch is kept and the model has no class token, expected at least 1"
            " patch"
        )
    if kept.numel() and not 0 <= kept.min() <= kept.max() < patches:
        raise ValueError(
            f"kept runs from {kept.min()} to {kept.max()}, expected patches from 0 to"
            f" {patches - 1}"
        )
    if (kept.sort(dim=1).values.diff(dim=1) == 0).any():
        raise ValueError(
            "a patch is kept twice in one image, expected each number at most once"
        )
    with evaluating(model):
        tokens = model.embed(images)
        chosen = tokens[:, first:].gather(
            1, kept.long().to(tokens.device)[..., None].expand(-1, -1, tokens.shape[-1])
        )
        features = model.encode(torch.cat([tokens[:, :first], chosen], dim=1))
        assert isinstance(features, Tensor)  # no attention was asked for
        return model.classify(features)


def randomize_cascade(
    model: VisionTransformer, parts: int, seed: int = 0
) -> VisionTransformer:
    """A copy whose last `parts` parts have fresh weights: the head, then blocks from
    the last to the first, embedder.

    Adebayo et al. 2018, cascading randomisation. Raises ValueError for more parts than
    there are.
    """
    names = [
        "head",
        *(f"blocks.{block}" for block in reversed(range(model.config.depth))),
        "embedder",
    ]
    if not 0 <= parts <= len(names):
        raise ValueError(
            f"parts is {parts}, expected 0 to {len(names)}: head, {model.config.depth}"
            " blocks, embedder"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        copy = cast(VisionTransformer, build_model(model.config))
    copy.to(next(model.parameters()))
    fresh = tuple(f"{name}." for name in names[:parts])
    state = {
        name: tensor
        for name, tensor in model.state_dict().items()
        # what variants have besides goes with the embedder
        if parts < len(names) and not name.startswith(fresh)
    }
    copy.load_state_dict(copy.state_dict() | state)
    return copy.train(model.training)


@contextmanager
def without_positions(model: VisionTransformer) -> Iterator[None]:
    """Inside, no token gets a position, nor does the class token; afterwards the model
    is as it was.

    What the model then answers is the same for every order of the patches' tokens:
    attention takes them as a set (Dosovitskiy et al. 2021, table 8, train such a
    model). Learned and fixed positions alike are zero inside. Raises ValueError for a
    model that turns places into queries and keys as well.
    """
    if any(isinstance(part, Rotation) for part in model.modules()):
        raise ValueError(
            f"the rotary positions of {model.config.name!r} cannot be left out,"
            " expected a model that adds its positions"
        )
    positions: Tensor = model.embedder.positions
    given = positions.data
    positions.data = torch.zeros_like(given)
    try:
        yield
    finally:
        positions.data = given


@contextmanager
def silenced(
    model: VisionTransformer,
    heads: Collection[tuple[int, int]] = (),
    parts: Collection[tuple[int, str]] = (),
) -> Iterator[None]:
    """Inside, the model runs without some of its heads and branches; afterwards it is
    as it was.

    `heads` are pairs (layer, head): what the head mixed is zero before the output
    projection, whose bias stays (Michel, Levy and Neubig 2019). `parts` are pairs
    (layer, "attention") or (layer, "mlp"): nothing of that branch is added to the
    residual stream (Bhojanapalli et al. 2021). All are numbered from 0. The weights
    that `return_attention` returns are those that would have been used. Raises
    ValueError for layers, heads and parts there are not.
    """
    c = model.config
    for layer, head in heads:
        expect_below(layer, c.depth, "layer", "heads to silence")
        expect_below(head, c.heads, "head", "heads to silence")
    for layer, part in parts:
        expect_below(layer, c.depth, "layer", "parts to silence")
        if part not in ("attention", "mlp"):
            raise ValueError(
                f"part {part!r} among the parts to silence, expected 'attention' or"
                " 'mlp'"
            )
    with ExitStack() as hooks:
        for layer in {layer for layer, _ in heads}:
            quiet = [head for where, head in heads if where == layer]
            block: Any = model.blocks[layer]
            hook = without_heads(quiet, c.dim // c.heads)
            hooks.enter_context(block.attention.out.register_forward_pre_hook(hook))
        for layer, part in parts:
            branch = getattr(model.blocks[layer], part)
            hooks.enter_context(branch.register_forward_hook(without_branch))
        yield


@contextmanager
def patched(
    model: VisionTransformer,
    states: Sequence[Tensor],
    places: Collection[tuple[int, int]],
) -> Iterator[None]:
    """Inside, some tokens' residual states are those of another run, as
    `residual_states` returns them; afterwards the model is as it was.

    `states` are `depth` + 1 tensors, of one picture (1, T, D) or of as many as the
    model is given. `places` are pairs (layer, token): in layer 0 the token itself, in
    layer n its state after n blocks. What comes later is computed from it, so the
    answer shows how much of the difference of two pictures the token carries there.
    Activation patching: Vig et al. 2020; Meng et al. 2022, section 2; Zhang and Nanda
    2024. Raises ValueError for layers and tokens there are not and, when the model
    runs, for states of another shape.
    """
    stages = [model.embedder, *model.blocks]
    if len(states) != len(stages):
        raise ValueError(
            f"states of {len(states)} layers, expected {len(stages)}: the tokens and"
            f" what each of {model.config.depth} blocks makes of them"
        )
    for layer, token in places:
        expect_below(layer, len(stages), "layer", "places to patch")
        expect_below(token, model.config.tokens, "token", "places to patch")
    with ExitStack() as hooks:
        for layer in {layer for layer, _ in places}:
            tokens = [token for where, token in places if where == layer]
            hooks.enter_context(
                stages[layer].register_forward_hook(with_states(states[layer], tokens))
            )
        yield


def expect_below(number: int, count: int, name: str, among: str) -> None:
    """Raise ValueError unless 0 <= number < count."""
    if not 0 <= number < count:
        raise ValueError(
            f"{name} {number} among the {among}, expected 0 to {count - 1}"
        )


def without_heads(heads: list[int], width: int) -> Callable[..., Tensor]:
    """A hook before the output projection: its input (B, T, H*K) with zeros for some
    heads, each `width` values wide.
    """

    def hook(projection: nn.Module, given: tuple[Tensor]) -> Tensor:
        mixed = given[0].unflatten(-1, (-1, width))
        kept = torch.ones(mixed.shape[-2], 1, dtype=torch.bool, device=mixed.device)
        kept[heads] = False
        return mixed.where(kept, 0).flatten(-2)

    return hook


def without_branch(branch: nn.Module, given: tuple, made: Any) -> Any:
    """A hook after a branch: zeros in place of what it made; weights that come with it
    stay.
    """
    if isinstance(made, tuple):
        return torch.zeros_like(made[0]), *made[1:]
    return torch.zeros_like(made)


def with_states(states: Tensor, tokens: list[int]) -> Callable[..., Any]:
    """A hook after the embedder or a block: `states` of some tokens in place of its
    own; weights that come with them stay.
    """

    def hook(stage: nn.Module, given: tuple, made: Any) -> Any:
        x = made[0] if isinstance(made, tuple) else made
        if states.shape not in (x.shape, (1, *x.shape[1:])):
            raise ValueError(
                f"states are {tuple(states.shape)}, expected {tuple(x.shape)} or one"
                " picture's"
            )
        x = x.clone()
        x[:, tokens] = states[:, tokens].to(x)
        return (x, *made[1:]) if isinstance(made, tuple) else x

    return hook
