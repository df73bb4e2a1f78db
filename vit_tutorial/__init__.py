"""A Vision Transformer built by hand, chapter by chapter, ready to train and to look
into.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a checker of types cannot follow HOMES
    from vit_tutorial.config import ViTConfig as ViTConfig
    from vit_tutorial.explorer.widget import explore as explore
    from vit_tutorial.interpret.attention import attention_maps as attention_maps
    from vit_tutorial.interpret.attention import rollout as rollout
    from vit_tutorial.model import VisionTransformer as VisionTransformer
    from vit_tutorial.training.checkpoint import load_checkpoint as load_checkpoint
    from vit_tutorial.training.loop import train as train
    from vit_tutorial.training.metrics import evaluate as evaluate

# imported when they are asked for: the command line answers before PyTorch is there
HOMES = {
    "ViTConfig": "config",
    "VisionTransformer": "model",
    "attention_maps": "interpret.attention",
    "load_checkpoint": "training.checkpoint",
    "evaluate": "training.metrics",
    "explore": "explorer.widget",
    "rollout": "interpret.attention",
    "train": "training.loop",
}
__all__ = list(HOMES)
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *HOMES])
