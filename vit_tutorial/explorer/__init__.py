"""The attention explorer: a widget in a notebook, and a page that needs no kernel."""

from vit_tutorial.explorer.widget import Explorer, explore

__all__ = ["Explorer", "explore"]
