"""A Vision Transformer built by hand, chapter by chapter, ready to train and to look into."""

from vit_tutorial.checkpoint import load_checkpoint
from vit_tutorial.config import ViTConfig
from vit_tutorial.look import attention_maps, rollout
from vit_tutorial.model import VisionTransformer

__all__ = ["ViTConfig", "VisionTransformer", "attention_maps", "load_checkpoint", "rollout"]
__version__ = "0.1.0"
