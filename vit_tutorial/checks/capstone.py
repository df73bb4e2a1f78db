"""The check of the capstone: a learner's whole Vision Transformer, level by level up to
our weights in it.
"""

from collections.abc import Callable
from dataclasses import replace
from dis import get_instructions
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.checks import levels
from vit_tutorial.checks.counting import (
    described,
    explained,
    other_sizes,
    parts_of_size,
)
from vit_tutorial.checks.harness import (
    NotSolved,
    called,
    checked,
    compare,
    compare_gradients,
    distinct,
    one_line,
    same,
)
from vit_tutorial.checks.levels import (
    built,
    changed,
    compare_models,
    from_file,
    load_weights,
    pictures,
    random_model,
    run,
    sizes,
)
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.data.images import normalise
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.training.checkpoint import load_checkpoint

ALLOWED = ("vit_tutorial.config",)
OTHERS = ("vit_tutorial", "torchvision", "timm", "transformers")


def borrowed(model: nn.Module) -> str | None:
    """The name of something that the code of the model's classes takes from a package
    of models; None for nothing.
    """
    kinds = {kind for module in model.modules() for kind in type(module).__mro__}
    mine = [
        kind
        for kind in kinds
        if kind.__module__.partition(".")[0] not in ("torch", "builtins")
    ]
    left = [
        value
        for kind in mine
        for value in vars(kind).values()
        if isinstance(value, FunctionType)
    ]
    seen: set[FunctionType] = set()
    while left:
        function = left.pop()
        if function in seen:
            continue
        seen.add(function)
        for name in used_names(function.__code__):
            value = function.__globals__.get(name)
            home = (
                name
                if value is None
                else getattr(value, "__module__", None)
                or getattr(value, "__name__", "")
            )
            if home.partition(".")[0] in OTHERS and home not in ALLOWED:
                return name
            if isinstance(value, FunctionType) and home == function.__module__:
                left.append(value)
    return None


def used_names(code: CodeType) -> set[str]:
    """What a function, and those written within it, reads from its module or
    imports.
    """
    here = {
        step.argval
        for step in get_instructions(code)
        if step.opname in ("LOAD_GLOBAL", "IMPORT_NAME")
    }
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return here.union(*map(used_names, inner))


def a_class(answer: Callable) -> None:
    if isinstance(answer, nn.Module):
        raise NotSolved(
            f"a model was given: check the class {called(answer)} itself, it is built"
            " here in several sizes"
        )
    if isinstance(answer, type) and answer.__init__ is nn.Module.__init__:
        raise NotSolved(f"{called(answer)} has no __init__(self, config) yet")
    model = built(answer, sizes())
    for module in model.modules():
        for kind in type(module).__mro__:
            if kind.__module__.partition(".")[0] in OTHERS:
                raise NotSolved(
                    f"{kind.__name__} comes from {kind.__module__}; this one is to be"
                    " yours"
                )
    if found := borrowed(model):
        raise NotSolved(f"{found} is used in your class; what it does is to be yours")
    if type(model).forward is nn.Module.forward:
        raise NotSolved(f"{called(answer)} has no forward(self, images) yet")


def logits(answer: Callable) -> None:
    c = sizes()
    model = built(answer, c)
    for count in (3, 1):
        got = run(model, pictures(c, count), f"{count} images")
        if not isinstance(got, Tensor):
            raise NotSolved(
                f"the model returned a {type(got).__name__}, expected a tensor of"
                " logits"
            )
        if got.shape != (count, c.classes):
            shape = tuple(got.shape)
            raise NotSolved(
                f"{count} image{'s' * (count > 1)} gave shape {shape}, expected (B,"
                f" classes), here {(count, c.classes)}"
            )


def size(answer: Callable) -> None:
    configs = [other_sizes(up=False), other_sizes(up=True)]
    got = [count_parameters(built(answer, c)) for c in configs]
    want = [count_parameters(VisionTransformer(c)) for c in configs]
    if got == want:
        return
    differences = [w - g for w, g in zip(want, got, strict=True)]
    columns = [parts_of_size(c) for c in configs]
    table = {part: [column[part] for column in columns] for part in columns[0]}
    said = explained(table, differences, configs)
    counts = f"{got[0]:,} parameters, expected {want[0]:,}, for {described(configs[0])}"
    raise NotSolved(f"{called(answer)} has {said or counts}")


def load(answer: Callable) -> None:
    c = sizes(depth=2, heads=2)
    load_weights(built(answer, c), random_model(c).state_dict())


def anywhere(answer: Callable) -> None:
    c = sizes(depth=2, heads=2)
    wide = built(answer, c).double()
    got = run(wide, pictures(c).double(), "weights and images in float64")
    if got.dtype != torch.float64:
        raise NotSolved(f"float64 weights and images gave logits of {got.dtype}")
    away = built(answer, c).to("meta")
    try:
        away(pictures(c).to("meta"))
    except Exception as error:
        where = (
            "weights and images are on another device; a tensor made in forward, or"
            " kept as no parameter, stays behind"
        )
        raise NotSolved(
            f"{called(answer)} raised {one_line(error)}, when {where}"
        ) from None


def batch(answer: Callable) -> None:
    c = sizes(depth=2, heads=2)
    model = built(answer, c)
    ours = random_model(c)
    load_weights(model, ours.state_dict())
    images = pictures(c, 5)
    together = run(model, images, "5 images")
    alone = torch.cat([run(model, image[None], "one image") for image in images])
    if not same(alone, together):
        raise NotSolved("an image's logits depend on the images beside it in the batch")
    load_weights(model, random_model(c).state_dict())
    fresh = built(answer, c)
    fresh.load_state_dict(model.state_dict(), strict=False)
    if not same(run(model, images, "a second load"), run(fresh, images)):
        raise NotSolved(
            "other weights were loaded, and numbers of the old ones are still used:"
            " forward kept them"
        )


def use_of_config(answer: Callable) -> None:
    patch, rows, columns = distinct(3, 2, 5)
    sides = {"image_size": (rows * patch, columns * patch), "patch_size": patch}
    mistakes = {
        "the patches are read column by column: go row by row": changed(
            levels.columns_first
        )
    }
    for channels in (1, 4):
        c = ViTConfig(
            **sides,
            channels=channels,
            classes=3,
            dim=12,
            depth=2,
            heads=3,
            mlp_ratio=1.5,
        )
        compare_models(
            answer,
            c,
            mistakes=mistakes,
            case=f"images of {c.sides} pixels with {channels} channels",
        )


def dropout(answer: Callable) -> None:
    c = sizes(depth=2, heads=2)
    ours = random_model(c)
    images = pictures(c, 8)
    for rate in (0.0, 0.5):
        model = built(answer, replace(c, dropout=rate))
        load_weights(model, ours.state_dict())
        model.train()
        one, other = (
            run(model, images, f"train mode, dropout={rate}") for _ in range(2)
        )
        if same(one, other) != (rate == 0):
            what = (
                "the same logits twice: nothing is dropped"
                if rate
                else "other logits each time"
            )
            raise NotSolved(f"with config.dropout={rate}, train mode gives {what}")
        model.eval()
        one, other = (
            run(model, images, f"eval mode, dropout={rate}") for _ in range(2)
        )
        if not same(one, other):
            raise NotSolved(
                "eval mode still drops: use nn.Dropout, or F.dropout with"
                " training=self.training"
            )
        compare(
            answer,
            one.detach(),
            ours(images).detach(),
            case=f"eval mode, dropout={rate}",
        )


def gradients(answer: Callable) -> None:
    c = sizes(depth=2, heads=2)
    model = built(answer, c)
    ours = random_model(c)
    load_weights(model, ours.state_dict())
    images = pictures(c).requires_grad_()
    got = run(model.train(), images)
    want = ours(images)
    if not got.requires_grad:
        raise NotSolved(
            "no gradient comes back from the logits: no detach, .data or no_grad in"
            " forward"
        )
    labels = torch.arange(len(images)) % c.classes
    try:
        F.cross_entropy(got, labels).backward()
    except RuntimeError as error:
        if "inplace operation" not in str(error):
            raise
        raise NotSolved(
            "x += ... changed a tensor that the backward pass needs: write x = x + ..."
        ) from None
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.grad is None:
            raise NotSolved(
                f"{name} gets no gradient: it is not used in forward, or detached there"
            )
    compare_gradients(answer, run(model, images), want, {"the images": images})


@cache
def shipped() -> tuple[ViTConfig, dict[str, Tensor], Tensor, Tensor, Tensor]:
    """Our `stacks` model with its positions as a table: config, weights, 250 new
    images, their labels, its logits.
    """
    model, record = load_checkpoint("stacks")
    drawn = load_split(DataConfig(), "test")
    images = normalise(drawn.images[:250], record.mean, record.std)
    with torch.no_grad():
        logits = model(images)
    weights = model.state_dict() | {"embedder.positions": model.embedder.positions}
    return (
        replace(model.config, positions="learned"),
        weights,
        images,
        drawn.labels[:250],
        logits,
    )


def our_weights(answer: Callable) -> str:
    c, weights, images, labels, want = shipped()
    model = built(answer, c)
    load_weights(model, weights)
    with torch.no_grad():
        got = run(model, images, "stacks")
    compare(answer, got, want, case="stacks, with our weights")
    right = (got.argmax(dim=1) == labels).sum().item()
    return f"your code with our weights names {right} of {len(images)} new stacks"


LEVELS = {
    "a class": a_class,
    "logits": logits,
    "size": size,
    "load": load,
    "any device, any type": anywhere,
    "batch": batch,
    "class token to head": levels.class_token,
    "patches and places": levels.patches,
    "attention": levels.attention,
    "heads": levels.heads,
    "MLP": levels.mlp,
    "block": levels.block,
    "depth": levels.depth,
    "config": use_of_config,
    "dropout": dropout,
    "gradients": gradients,
    "our weights": our_weights,
}


@checked
def my_vit(answer: Callable | str | Path) -> str:
    """`answer`, a class or the file that defines MyViT, is a Vision Transformer that
    takes our weights.

    `answer(config)` is an nn.Module for configs with a class token and learned
    positions; called with images (B, C, Y, X) it returns logits (B, classes).
    `load(weights)` takes our state dict; without it, it has our names.
    """
    if isinstance(answer, str | Path):
        answer = from_file(answer)
    for number, (name, level) in enumerate(LEVELS.items(), start=1):
        try:
            found = level(answer)
        except NotSolved as error:
            raise NotSolved(
                f"rung {number} of {len(LEVELS)}, {name}: {error}"
            ) from None
        except Exception as error:  # as in `checked`, with the level
            raise NotSolved(
                f"rung {number} of {len(LEVELS)}, {name}: something unexpected"
                f" ({one_line(error)})"
            ) from None
    return f"all {len(LEVELS)} rungs hold; {found}"
