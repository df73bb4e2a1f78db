"""A Vision Transformer built by hand, chapter by chapter, ready to train and to look
into.
"""

from importlib import import_module

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
