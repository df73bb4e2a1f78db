"""Fine-tuning: a model that starts with the weights of another run, and a part of it
that stays as it is.
"""

import re
from pathlib import Path
from types import MethodType

from torch import nn

from vit_tutorial.config import ViTConfig
from vit_tutorial.data.images import Normalization
from vit_tutorial.embedding import interpolate_positions
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import is_transformer
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.config import TrainConfig

# what two models must have in common, for the weights of one to fit the other and to
# mean the same there
SHARED = (
    "name",
    "patch_size",
    "channels",
    "dim",
    "depth",
    "heads",
    "mlp_ratio",
    "pool",
    "positions",
    "embedder",
    "norm_eps",
)
# to a CNN the other sizes say nothing
SHARED_BY_CNNS = ("name", "channels")
# the last linear layer: a Vision Transformer's, a CNN's, torchvision's
CLASSIFIER = re.compile(r"(head\.1|head|fc)\.(weight|bias)")


def prepare(
    model: nn.Module,
    config: TrainConfig,
    classes: tuple[str, ...],
    normalization: Normalization,
    resume: bool,
) -> None:
    """Make a run's fresh model what `config.init` and `config.freeze` say.

    One that is resumed finds its weights in its own state and no longer needs the other
    run. Raises what `start_from` and `freeze` raise.
    """
    if config.init and not resume:
        start_from(model, config.init, classes, normalization)
    freeze(model, config.freeze)


def start_from(
    model: nn.Module,
    name_or_path: str | Path,
    classes: tuple[str, ...],
    normalization: Normalization,
) -> None:
    """Give a model the weights of a run, which is what `load_checkpoint` takes.

    Its last linear layer keeps its own where the run's classes are not exactly
    `classes`. Learnt positions are stretched over a grid of another size (Dosovitskiy
    et al. 2021, section 3.2). Raises ValueError, one line, for a run of another
    architecture or normalisation, and what `load_checkpoint` raises.
    """
    other, run = load_checkpoint(name_or_path)
    theirs = run.config.model
    own: ViTConfig = model.config  # type: ignore[assignment]
    for name in SHARED if is_transformer(theirs) else SHARED_BY_CNNS:
        if getattr(theirs, name) != getattr(own, name):
            raise ValueError(
                f"{name_or_path} has model.{name} {getattr(theirs, name)!r}, but the"
                f" model that is to start from it has {getattr(own, name)!r}"
            )
    if run.normalization != normalization:
        raise ValueError(
            f"{name_or_path} was trained with mean {list(run.mean)} and std"
            f" {list(run.std)}, the data have {list(normalization.mean)} and"
            f" {list(normalization.std)}: give data.mean and data.std the run's values"
        )
    weights = {
        name: weight
        for name, weight in other.state_dict().items()
        if run.classes == classes or not CLASSIFIER.fullmatch(name)
    }
    # sines and cosines are no weights: the model has its own
    if own.grid != theirs.grid and (name := "embedder.positions") in weights:
        weights[name] = interpolate_positions(
            weights[name], theirs.grid, own.grid, antialias=True
        )
    model.load_state_dict(model.state_dict() | weights)


def freeze(model: nn.Module, count: int) -> None:
    """Keep the embedder, tokens beside its own, such as registers, and the first
    `count` blocks as they are, buffers included; 0 freezes nothing.

    They stay in eval mode when the model is brought into training mode: a batch norm
    keeps its statistics, and nothing is dropped out. Raises ValueError for more blocks
    than there are, and for a model that is no Vision Transformer.
    """
    if count == 0:
        return
    if not isinstance(model, VisionTransformer):
        raise ValueError(
            f"freeze is {count}, which needs the blocks of a Vision Transformer, but"
            f" the model is a {type(model).__name__}: expected 0"
        )
    if count > len(model.blocks):
        raise ValueError(
            f"freeze is {count}, but the model has {len(model.blocks)} blocks"
        )
    for weight in model.parameters(recurse=False):
        weight.requires_grad_(False)
    for part in (model.embedder, *model.blocks[:count]):
        part.requires_grad_(False)
        part.eval()
        # a method, not a function: a copy of the part then has its own
        part.train = MethodType(stay, part)


def thaw(model: nn.Module) -> None:
    """Let all of a model learn again, whatever `freeze` has made of it."""
    model.requires_grad_(True)
    for part in model.modules():
        vars(part).pop("train", None)


def stay(part: nn.Module, mode: bool = True) -> nn.Module:
    """What `train` and `eval` do to a part that is frozen: nothing."""
    return part
