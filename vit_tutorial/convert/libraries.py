"""Vision Transformers of torchvision, timm and transformers as ours, and back."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, cast

import torch
from einops import rearrange
from torch import Tensor, nn

from vit_tutorial.config import MOST, require
from vit_tutorial.convert.hub import hub_file, hub_weights, load_library
from vit_tutorial.convert.naming import (
    Table,
    give_weights,
    join_qkv,
    numbers,
    rebuild,
    split_qkv,
    take_tensors,
)
from vit_tutorial.convert.tables import (
    ROOTS,
    TIMM,
    TORCHVISION,
    TRANSFORMERS_DINOV2,
    TRANSFORMERS_VIT,
)
from vit_tutorial.convert.web import VARIANTS, web_tensors
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import MODELS
from vit_tutorial.settings import shown
from vit_tutorial.training.checkpoint import (
    opened,
    read_tensors,
    set_weights,
    shape_of,
)
from vit_tutorial.training.run import checked_file, in_line

# the models of `vit_tutorial/models.py` that another library has
KNOWN = (*VARIANTS, "registers", "registers-and-layer-scale")


def from_torchvision(model: nn.Module, classes: int = 10) -> VisionTransformer:
    """A VisionTransformer of torchvision as ours, in eval mode, on the CPU, float32,
    without dropout.

    Where its heads were taken off ours is a fresh one of `classes`. torchvision
    publishes its weights as pickles: load them with torchvision and give the model.
    Raises ValueError, with its name, for what has no place in ours.
    """
    require(
        isinstance(model, nn.Module),
        f"the model is {shown(model)}, expected a module: torchvision's own weights are"
        " pickles, which are never loaded by name",
    )
    weights, theirs = take_tensors(model, "torchvision", TORCHVISION)
    side = cast("int", model.image_size)
    return rebuild(model, weights, theirs, (side, side), "cls", classes)


def from_timm(model_or_name: nn.Module | str, classes: int = 10) -> VisionTransformer:
    """A VisionTransformer of timm as ours, in eval mode, on the CPU, float32, without
    dropout and stochastic depth.

    A name, "vit_small_patch16_224" or "hf-hub:OWNER/NAME", is loaded from the hub, from
    safetensors only. LayerScale and four registers make it the variant that has them;
    where timm adds positions to registers, they come as the sum. A model without a head
    gets a fresh one of `classes`. Raises ValueError, with its name, for what has no
    place in ours.
    """
    if isinstance(model_or_name, str):
        model: Any = load_timm(model_or_name)
    else:
        model = model_or_name
    weights, theirs = take_tensors(model, "timm", TIMM)
    check_timm_pool(model)
    if "embedder.positions" in weights:
        place_prefix(weights, model.no_embed_class)
    pool = "cls" if model.global_pool == "token" else "mean"
    sides = model.patch_embed.img_size
    return rebuild(model, weights, theirs, sides, pool, classes)


def from_huggingface(
    model_or_name: nn.Module | str, classes: int = 10
) -> VisionTransformer:
    """A ViT, DINOv2 or DINOv2 with registers of transformers as ours, in eval mode, on
    the CPU, float32, without dropout and stochastic depth.

    A name, OWNER/NAME of the hub or a folder, is loaded from safetensors only. A model
    without a classifier gets a fresh head of `classes`; a pooler and a mask token are
    left behind, they take no part in the features. Raises ValueError, with its name,
    for what has no place in ours.
    """
    if isinstance(model_or_name, str):
        model: Any = load_transformers(model_or_name)
    else:
        model = model_or_name
    dinov2 = type(model).__name__.startswith("Dinov2")
    table: Table = TRANSFORMERS_DINOV2 if dinov2 else TRANSFORMERS_VIT
    prefix = transformers_prefix(model)
    weights, theirs = take_tensors(model, "transformers", table, prefix)
    body = getattr(model, prefix[:-1]) if prefix else model
    sides = body.embeddings.patch_embeddings.image_size
    if dinov2:
        require_square(sides)
        if "head.1.weight" in weights:
            of_class, of_mean = weights["head.1.weight"].chunk(2, dim=1)
            require(
                not bool(of_mean.any()),
                "classifier.weight reads the mean of the patches beside the class"
                " token, which has no place in this model: give its"
                f" {prefix[:-1]}, without the classifier",
            )
            weights["head.1.weight"] = of_class
    return rebuild(model, join_qkv(weights), theirs, sides, "cls", classes)


def to_torchvision(model: VisionTransformer) -> nn.Module:
    """Our model as torchvision's VisionTransformer: the same logits, in eval mode, on
    the CPU, float32, without dropout.

    Raises ValueError for a model that torchvision has no place for.
    """
    weights = our_tensors(model)
    c = model.config
    scaled = [name for name in weights if "factors" in name or name == "registers"]
    require(not scaled, f"name is {c.name!r}, torchvision has a plain ViT only")
    require(c.pool == "cls", f"pool is {c.pool!r}, torchvision reads the class token")
    require_square(c.sides)
    library = load_library("torchvision.models.vision_transformer")
    theirs = library.VisionTransformer(
        image_size=c.sides[0],
        patch_size=c.patch_size,
        num_layers=c.depth,
        num_heads=c.heads,
        hidden_dim=c.dim,
        mlp_dim=hidden_units(weights),
        num_classes=c.classes,
        norm_layer=partial(nn.LayerNorm, eps=c.norm_eps),
    )
    if c.channels != 3:  # the only number that it makes
        side = c.patch_size
        theirs.conv_proj = nn.Conv2d(c.channels, c.dim, kernel_size=side, stride=side)
    give_weights(theirs, weights, TORCHVISION)
    return theirs.eval()


def to_timm(model: VisionTransformer) -> nn.Module:
    """Our model as timm's VisionTransformer: the same logits, in eval mode, on the CPU,
    float32, without dropout and stochastic depth.

    Raises ValueError for a model that timm has no place for.
    """
    weights = our_tensors(model)
    c = model.config
    positions = weights["embedder.positions"]
    of_class = c.pool == "cls" and bool(positions[:, 0].any())
    registers = weights.get("registers")
    count = 0 if registers is None else registers.shape[1]
    if of_class:  # then timm has positions for the registers, too
        none = positions.new_zeros(1, count, c.dim)
        parts = [positions[:, :1], none, positions[:, 1:]]
        weights["embedder.positions"] = torch.cat(parts, dim=1)
    elif c.pool == "cls":
        weights["embedder.positions"] = positions[:, 1:]
    library = load_library("timm.models.vision_transformer")
    theirs = library.VisionTransformer(
        img_size=c.sides,
        patch_size=c.patch_size,
        in_chans=c.channels,
        num_classes=c.classes,
        global_pool="token" if c.pool == "cls" else "avg",
        embed_dim=c.dim,
        depth=c.depth,
        num_heads=c.heads,
        # it rounds down, and a quotient may be a little too small
        mlp_ratio=(hidden_units(weights) + 0.5) / c.dim,
        init_values=1.0 if "blocks.0.end1.factors" in weights else None,
        class_token=c.pool == "cls",
        no_embed_class=not of_class,
        reg_tokens=count,
        norm_layer=partial(library.LayerNorm, eps=c.norm_eps),
    )
    give_weights(theirs, weights, TIMM)
    return theirs.eval()


def to_huggingface(model: VisionTransformer) -> nn.Module:
    """Our model as transformers' ViTForImageClassification, or that of DINOv2 for
    LayerScale, with registers or without: the same logits, in eval mode, on the CPU,
    float32, without dropout and stochastic depth.

    DINOv2's classifier reads the mean of the patches, too: with weights of zero. It
    always has LayerScale: with registers alone the factors are 1. Raises ValueError for
    a model that transformers has no place for.
    """
    weights = our_tensors(model)
    c = model.config
    require(c.pool == "cls", f"pool is {c.pool!r}, transformers reads the class token")
    hidden = hidden_units(weights)
    options = {
        "hidden_size": c.dim,
        "num_hidden_layers": c.depth,
        "num_attention_heads": c.heads,
        "layer_norm_eps": c.norm_eps,
        "image_size": c.sides,
        "patch_size": c.patch_size,
        "num_channels": c.channels,
        "num_labels": c.classes,
    }
    library = load_library("transformers")
    registers = "registers" in weights
    if not registers and "blocks.0.end1.factors" not in weights:
        config = library.ViTConfig(**options, intermediate_size=hidden)
        theirs = library.ViTForImageClassification(config)
        give_weights(theirs, split_qkv(weights), TRANSFORMERS_VIT, "vit.")
        return theirs.eval()
    require_square(c.sides)
    require(
        hidden % c.dim == 0,
        f"mlp_ratio is {c.mlp_ratio}, transformers' DINOv2 takes whole numbers",
    )
    for name in [
        f"blocks.{n}.end{end}.factors" for n in range(c.depth) for end in "12"
    ]:
        weights.setdefault(name, torch.ones(c.dim))
    head = weights["head.1.weight"]
    weights["head.1.weight"] = torch.cat([head, torch.zeros_like(head)], dim=1)
    options["mlp_ratio"] = hidden // c.dim
    if registers:
        config = library.Dinov2WithRegistersConfig(**options)
        theirs = library.Dinov2WithRegistersForImageClassification(config)
    else:
        config = library.Dinov2Config(**options, use_mask_token=False)
        theirs = library.Dinov2ForImageClassification(config)
    prefix = transformers_prefix(theirs)
    give_weights(theirs, split_qkv(weights), TRANSFORMERS_DINOV2, prefix)
    return theirs.eval()


def our_tensors(model: VisionTransformer) -> dict[str, Tensor]:
    """All that the forward pass needs, float32 on the CPU; the patches' projection is a
    convolution. Raises ValueError for a model that no library has.
    """
    expected = f"expected one of {', '.join(KNOWN)}"
    kind = type(model).__name__
    # of another package, or a CNN
    c: Any = getattr(model, "config", None)
    name = getattr(c, "name", kind)
    require(name in KNOWN, f"the model is {name!r}, {expected}")
    # not of a subclass, either: its forward pass may be another
    require(type(model) is MODELS[name], f"the model is a {kind}, {expected}")
    require(
        c.embedder in ("convolutional", "manual"),
        f"embedder is {c.embedder!r}, which other libraries have no place for",
    )
    tensors = {
        name: numbers(name, tensor) for name, tensor in web_tensors(model).items()
    }
    projection = tensors["embedder.projection.weight"]
    if projection.ndim == 2:
        tensors["embedder.projection.weight"] = rearrange(
            projection, "d (y x c) -> d c y x", y=c.patch_size, x=c.patch_size
        )
    return tensors


def hidden_units(weights: Mapping[str, Tensor]) -> int:
    """How wide the MLP of a block is."""
    return len(weights["blocks.0.mlp.0.weight"])


def require_square(sides: Any) -> None:
    """Raise ValueError for images that are not square."""
    rows, columns = sides
    require(rows == columns, f"images are {rows} x {columns}, expected square ones")


def check_timm_pool(model: Any) -> None:
    """Raise ValueError for a way to one vector an image that ours does not have."""
    pool = model.global_pool
    reads = f"global_pool is {pool!r}"
    require(pool in ("token", "avg"), f"{reads}, which has no place in this model")
    if pool == "avg":
        for there, feature in (
            (model.has_class_token, "beside a class token"),
            (isinstance(model.fc_norm, nn.Identity), "without fc_norm"),
            (model.pool_include_prefix, "over registers, too"),
        ):
            require(not there, f"{reads} {feature}, which has no place in this model")


def place_prefix(weights: dict[str, Tensor], patches_only: bool) -> None:
    """Give the class token a row of the positions, and none to registers: timm has both
    or neither (`no_embed_class`).
    """
    positions = weights["embedder.positions"]
    count = int("embedder.class_token" in weights)
    registers = weights.get("registers")
    if patches_only:
        none = positions.new_zeros(1, count, positions.shape[-1])
        weights["embedder.positions"] = torch.cat([none, positions], dim=1)
    elif registers is not None:
        end = count + registers.shape[1]
        weights["registers"] = registers + positions[:, count:end]
        kept = [positions[:, :count], positions[:, end:]]
        weights["embedder.positions"] = torch.cat(kept, dim=1)


def load_timm(name: str) -> nn.Module:
    """A model of timm with the hub's weights, from safetensors only."""
    timm = load_library("timm")
    try:
        model = timm.create_model(name, pretrained=False)
    # RuntimeError: it knows no such name; OSError: the hub has none, for "hf-hub:..."
    except (RuntimeError, OSError) as error:
        raise ValueError(f"timm: {' '.join(str(error).split()):.300}") from error
    repository = model.pretrained_cfg.get("hf_hub_id")
    require(bool(repository), f"the hub has no weights of timm's {name}")
    take_tensors(model, "timm", TIMM)  # refused before anything is fetched
    path = hub_weights(repository)
    weights, _ = read_tensors(path)
    adapt = load_library("timm.models.vision_transformer").checkpoint_filter_fn
    set_weights(model, adapt(weights, model), path)
    return model


def load_transformers(name: str) -> nn.Module:
    """A model of transformers with the hub's or a folder's weights, from safetensors
    only. Raises ValueError for a config that describes none, for a file that is damaged
    or of other sizes, before a model is built, and for one that lacks some weights.
    """
    transformers = load_library("transformers")
    about = hub_file(name, "config.json")
    config = checked_file(about, as_settings)
    kind = (config.get("architectures") or ["none"])[0]
    expected = ROOTS["transformers"]
    require(kind in expected, f"{name} is a {kind}, expected {' or '.join(expected)}")
    path = hub_weights(name)
    theirs = getattr(transformers, kind)
    with blamed_on(about):
        check_sizes(theirs, config, path)
    for key, tensor in read_tensors(path)[0].items():
        damaged = f"{path} is damaged: {in_line(key)}"
        require(tensor.is_floating_point(), f"{damaged} is {tensor.dtype}")
        numbers(damaged, tensor)
    with blamed_on(about):
        model, report = theirs.from_pretrained(
            path.parent,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused below, in one line
        )
    for fault in ("missing", "mismatched", "unexpected"):
        names = sorted(
            key if isinstance(key, str) else key[0] for key in report[f"{fault}_keys"]
        )
        left = [key for key in names if "pooler" not in key and "mask_token" not in key]
        require(not left, f"{path} is of another architecture: {fault} {left[:1]}")
    return model


def as_settings(config: object) -> dict:
    """What config.json of a model of transformers holds. Raises ValueError for anything
    but settings, for a number that no size is, and where the kinds of model are no list
    of names.
    """
    if not isinstance(config, dict):
        raise ValueError(f"is broken: it holds {shown(config)}, expected settings")
    for name, value in config.items():
        if isinstance(value, int) and value > MOST:  # it would list them one by one
            raise ValueError(
                f"is broken: {in_line(name)} is {shown(value)}, expected at most"
                f" {MOST:,}"
            )
    kinds = config.get("architectures") or []
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        raise ValueError(
            f"is broken: architectures is {shown(kinds)}, expected a list of names"
        )
    return config


def check_sizes(theirs: Any, config: dict, path: Path) -> None:
    """Raise ValueError for a file whose tensors hold far more or fewer values than the
    model of a config, which is not built for it.
    """
    with opened(path) as file:
        shapes = [shape_of(file, name) for name in file.keys()]  # noqa: SIM118
    other = f"{path} is of another architecture"
    depth = config.get("num_hidden_layers")
    require(
        not isinstance(depth, int) or depth <= len(shapes),
        f"{other}: its config has {depth} layers, the file {len(shapes)} tensors",
    )
    settings = theirs.config_class.from_dict(config)
    # where tensors take no memory. Besides, from_pretrained replaces torch.linspace for
    # a moment: PyTorch must have listed its own before, or `with torch.device(...)` no
    # longer heeds it
    with torch.device("meta"):
        model = theirs(settings)
    described = sum(tensor.numel() for tensor in model.state_dict().values())
    held = sum(map(prod, shapes))
    require(
        max(described, held) <= 20 * min(described, held) + 10**7,
        f"{other}: the model of its config has {described:,} values, the file {held:,}",
    )


@contextmanager
def blamed_on(path: Path) -> Iterator[None]:
    """What a library raises over a file, whatever it is, as ValueError in one line with
    the path.
    """
    try:
        yield
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        if isinstance(error, ValueError):
            said = " ".join(str(error).split())
        raise ValueError(f"{path} describes no model: {said:.300}") from error


def transformers_prefix(model: Any) -> str:
    """What a classifier's names begin with: "vit.", say; nothing without one."""
    prefix = getattr(model, "base_model_prefix", "")
    return f"{prefix}." if prefix and hasattr(model, prefix) else ""
