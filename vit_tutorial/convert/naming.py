"""From the tensors of another library's model to those of ours, and back."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from vit_tutorial.config import ViTConfig
from vit_tutorial.convert.tables import ACTIVATIONS, COMMON, FEATURES, PARTS, ROOTS
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import build_model

Table = Mapping[str, str | None]
# by whether the model has LayerScale, and whether it has registers
NAMES = {
    (False, False): "vit",
    (True, False): "layer-scale",
    (False, True): "registers",
    (True, True): "registers-and-layer-scale",
}
KINDS = ("weight", "bias")


def expand(table: Table, depth: int, prefix: str = "") -> dict[str, str | None]:
    """A table for so many blocks: their full names, and ours.

    All of theirs but the classifier's begin with `prefix`.
    """
    names = {}
    for theirs, ours in table.items():
        start = "" if theirs.startswith("classifier") else prefix
        for number in map(str, range(depth if "{n}" in theirs else 1)):
            for kind in KINDS if "*" in theirs else ("",):
                full = theirs.replace("{n}", number).replace("*", kind)
                names[start + full] = ours and ours.replace("{n}", number).replace(
                    "*", kind
                )
    return names


def count_blocks(names: Iterable[str], table: Table, prefix: str = "") -> int:
    """How many blocks tensors of these names are from."""
    start = next(row for row in table if "{n}" in row).split("{n}")[0]
    block = re.compile(re.escape(prefix + start) + r"([0-9]+)\.")
    found = (block.match(name) for name in names)
    return max((int(match[1]) + 1 for match in found if match), default=0)


def take_tensors(
    model: nn.Module, library: str, table: Table, prefix: str = ""
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A library's tensors by our names, float32 on the CPU, and their names by ours.

    Raises ValueError, naming it, for the first tensor or part of the model that has no
    place in ours, and for values that are not finite.
    """
    if not isinstance(model, nn.Module):
        raise ValueError(
            f"the model is a {type(model).__name__}, expected a model of {library}"
        )
    state = model.state_dict()
    names = expand(table, count_blocks(state, table, prefix), prefix)
    refuse_parts(model, [name for name in state if name not in names], library)
    weights = {}
    for name, tensor in state.items():
        ours = names[name]
        if ours is not None:
            weights[ours] = numbers(name, tensor)
    theirs = {ours: name for name, ours in reversed(names.items()) if ours}
    return weights, theirs


def numbers(name: str, tensor: Tensor) -> Tensor:
    """A tensor in float32 on the CPU. Raises ValueError, naming it, for one on the meta
    device, and for values that are not finite or too large for float32.
    """
    if tensor.is_meta:
        raise ValueError(
            f"{name} is on the meta device, which holds no numbers: load the model on"
            " another"
        )
    copy = tensor.detach().to("cpu", torch.float32)
    if not copy.isfinite().all():
        raise ValueError(f"{name} holds values that are not finite in float32")
    return copy


def refuse_parts(model: nn.Module, unplaced: Sequence[str], library: str) -> None:
    """Raise ValueError for tensors without a place, and for classes that are not known
    to compute what ours do; first for those whose feature has a name.
    """
    for name in unplaced:
        if because(name):
            raise ValueError(f"{name} has no place in this model{because(name)}")
    if not known(model, ROOTS[library], library):
        expected = " or ".join(ROOTS[library])
        raise ValueError(
            f"the model is {kind_of(model)}, expected {library}'s {expected}"
        )
    parts = (*ROOTS[library], *PARTS[library], *ACTIVATIONS, *COMMON)
    for name, part in model.named_modules():
        kind = kind_of(part)
        if not known(part, parts, library):
            raise ValueError(
                f"{name} is {kind}, which has no place in this model{because(kind)}"
            )
        if getattr(part, "approximate", "none") != "none":
            raise ValueError(
                f"{name} is a GELU that is approximated, which has no place in this"
                " model"
            )
    if unplaced:
        raise ValueError(f"{unplaced[0]} has no place in this model")


def known(part: nn.Module, classes: Sequence[str], library: str) -> bool:
    """Whether the class is one of these, of the library or of PyTorch."""
    kinds = (f"{home}'s {name}" for home in ("torch", library) for name in classes)
    return kind_of(part) in kinds


def kind_of(part: nn.Module) -> str:
    """A class as messages name it: "timm's Block", say."""
    return f"{type(part).__module__.split('.')[0]}'s {type(part).__name__}"


def because(name: str) -> str:
    """The feature that a name gives away, as the end of a sentence."""
    features = (FEATURES[piece] for piece in FEATURES if piece in name)
    return next((f": {feature}" for feature in features), "")


def rebuild(
    model: nn.Module,
    weights: dict[str, Tensor],
    theirs: Mapping[str, str],
    sides: Sequence[int],
    pool: str,
    classes: int,
) -> VisionTransformer:
    """Our model with the weights of another library's; `sides` are rows and columns of
    an image.

    Without a head among the weights its head is a fresh one of `classes`. A missing
    bias is zero. Raises ValueError naming a weight that is missing or of another shape,
    and for sizes that our config refuses.
    """
    config = read_config(model, weights, theirs, sides, pool, classes)
    ours = cast("VisionTransformer", build_model(config))
    fresh = ours.state_dict()
    if "head.1.weight" not in weights:
        weights |= {name: fresh[name] for name in ("head.1.weight", "head.1.bias")}
    for name, expected in fresh.items():
        if name.endswith(".bias"):
            weights.setdefault(name, torch.zeros_like(expected))
        shape = found(weights, name, theirs).shape
        if shape != expected.shape:
            raise ValueError(
                f"{theirs.get(name, name)} holds {tuple(shape)}, expected"
                f" {tuple(expected.shape)}"
            )
    ours.load_state_dict(weights)
    return ours.eval()


def read_config(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    theirs: Mapping[str, str],
    sides: Sequence[int],
    pool: Any,
    classes: int,
) -> ViTConfig:
    """Our config of another library's model. Raises ValueError for patches that are not
    square or overlap, and for blocks that differ.
    """
    check_patches(model)
    kernel = found(weights, "embedder.projection.weight", theirs)
    hidden = found(weights, "blocks.0.mlp.0.weight", theirs)
    dim, channels, patch_size, _ = kernel.shape
    depth = count_blocks(weights, {"blocks.{n}.": None})
    activations = sum(type(part).__name__ in ACTIVATIONS for part in model.modules())
    if activations != depth:
        raise ValueError(f"the model has {activations} GELUs in {depth} blocks")
    heads = {
        value
        for part in model.modules()
        for name in ("num_heads", "num_attention_heads")
        if (value := getattr(part, name, None)) is not None
    }
    eps = {part.eps for part in model.modules() if isinstance(part, nn.LayerNorm)}
    head = weights.get("head.1.weight")
    registers = weights.get("registers")
    if registers is not None and registers.shape[1] != 4:
        raise ValueError(
            f"{theirs['registers']} holds {registers.shape[1]} registers, expected 4"
        )
    rows, columns = sides
    return ViTConfig(
        image_size=rows if rows == columns else (rows, columns),
        patch_size=patch_size,
        channels=channels,
        classes=classes if head is None else len(head),
        dim=dim,
        depth=depth,
        heads=sole(heads, "numbers of heads"),
        mlp_ratio=len(hidden) / dim,
        pool=pool,
        norm_eps=sole(eps, "values of eps in its norms"),
        name=NAMES["blocks.0.end1.factors" in weights, registers is not None],
    )


def found(
    weights: Mapping[str, Tensor], name: str, theirs: Mapping[str, str]
) -> Tensor:
    """A weight by our name. Raises ValueError with theirs when it is missing."""
    if name not in weights:
        raise ValueError(f"{theirs.get(name, name)} is missing")
    return weights[name]


def check_patches(model: nn.Module) -> None:
    """Raise ValueError for patches that are not square, overlap or leave gaps."""
    for name, part in model.named_modules():
        if isinstance(part, nn.Conv2d):
            kernel = part.kernel_size
            stride = part.stride
            plain = part.padding == (0, 0) and part.dilation == (1, 1)
            if kernel != stride or kernel[0] != kernel[1] or not plain:
                raise ValueError(
                    f"{name} is {part}, expected square patches side by side"
                )


def sole(values: set, what: str) -> Any:
    """The one value that all blocks have. Raises ValueError for several."""
    if len(values) != 1:
        raise ValueError(f"the model has {len(values)} {what}, expected one")
    return next(iter(values))


def give_weights(
    model: nn.Module, weights: Mapping[str, Tensor], table: Table, prefix: str = ""
) -> None:
    """Copy weights, by our names, into another library's model, made for them."""
    state = model.state_dict()
    names = expand(table, count_blocks(state, table, prefix), prefix)
    model.load_state_dict(
        {
            theirs: state[theirs] if (ours := names[theirs]) is None else weights[ours]
            for theirs in state
        }
    )


def join_qkv(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Queries', keys' and values' weights one below the other, as `qkv`."""
    joined = {}
    for name, tensor in weights.items():
        whole = re.sub(r"\.[qkv]\.(weight|bias)$", r".qkv.\1", name)
        letters = (whole.replace("qkv", letter) for letter in "qkv")
        parts = [weights[letter] for letter in letters if letter in weights]
        joined[whole] = torch.cat(parts) if whole != name else tensor
    return joined


def split_qkv(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The thirds of `qkv`, by names of their own."""
    split = {}
    for name, tensor in weights.items():
        if ".qkv." in name:
            for letter, part in zip("qkv", tensor.chunk(3), strict=True):
                split[name.replace("qkv", letter)] = part
        else:
            split[name] = tensor
    return split
