"""Models for other programs, and from other libraries."""

from vit_tutorial.convert.libraries import (
    from_huggingface,
    from_timm,
    from_torchvision,
    to_huggingface,
    to_timm,
    to_torchvision,
)

__all__ = [
    "from_timm",
    "from_torchvision",
    "from_huggingface",
    "to_timm",
    "to_torchvision",
    "to_huggingface",
]
