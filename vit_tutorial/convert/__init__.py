"""Models for other programs, and from other libraries."""

from vit_tutorial.convert.libraries import (
    from_timm,
    from_torchvision,
    from_transformers,
    to_timm,
    to_torchvision,
    to_transformers,
)

__all__ = [
    "from_timm",
    "from_torchvision",
    "from_transformers",
    "to_timm",
    "to_torchvision",
    "to_transformers",
]
