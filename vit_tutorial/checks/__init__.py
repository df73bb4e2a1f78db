"""The checks behind the book's exercises: `check.patchify(my_patchify)` answers in one
line.

A check compares with the package's own code on fresh random input and names the likely
mistake.
"""

from vit_tutorial.checks.attention import attend
from vit_tutorial.checks.betting import deletion_area, own_score
from vit_tutorial.checks.block import layer_norm, pre_norm
from vit_tutorial.checks.capstone import my_vit
from vit_tutorial.checks.comparing import paired_bootstrap
from vit_tutorial.checks.core import Result
from vit_tutorial.checks.cropping import boxes
from vit_tutorial.checks.dropping import drop_patches
from vit_tutorial.checks.fields import field
from vit_tutorial.checks.heads import head_parts, lean_biases
from vit_tutorial.checks.judging import calibration_error
from vit_tutorial.checks.maps import gaze, rollout, sharpness
from vit_tutorial.checks.mending import mended
from vit_tutorial.checks.notepads import registers
from vit_tutorial.checks.sequences import overlap, patchify, which_patch
from vit_tutorial.checks.steps import accumulated
from vit_tutorial.checks.tokens import enlarge, kernel
from vit_tutorial.checks.training import schedule, smoothed
from vit_tutorial.checks.transformer import bill, parameters, renamed
from vit_tutorial.checks.turning import upside_down

__all__ = [
    "Result",
    "accumulated",
    "attend",
    "bill",
    "boxes",
    "calibration_error",
    "deletion_area",
    "drop_patches",
    "enlarge",
    "field",
    "gaze",
    "head_parts",
    "kernel",
    "layer_norm",
    "lean_biases",
    "mended",
    "my_vit",
    "overlap",
    "own_score",
    "paired_bootstrap",
    "parameters",
    "patchify",
    "pre_norm",
    "registers",
    "renamed",
    "rollout",
    "schedule",
    "sharpness",
    "smoothed",
    "upside_down",
    "which_patch",
]
