"""The checks behind the book's exercises: `check.patchify(my_patchify)` answers in one
line.

A check compares with the package's own code on fresh random input and names the likely
mistake. `check.progress()` shows which exercises are solved.
"""

from vit_tutorial.checks.capstone import my_vit
from vit_tutorial.checks.chapter_01 import overlap, patchify, which_patch
from vit_tutorial.checks.chapter_02 import enlarge, kernel, registers
from vit_tutorial.checks.chapter_03 import attend, head_parts, lean_biases
from vit_tutorial.checks.chapter_04 import layer_norm, mended, pre_norm
from vit_tutorial.checks.chapter_05 import bill, parameters, renamed
from vit_tutorial.checks.chapter_06 import accumulated, schedule, smoothed
from vit_tutorial.checks.chapter_07 import boxes, field, upside_down
from vit_tutorial.checks.chapter_08 import gaze, rollout, sharpness
from vit_tutorial.checks.chapter_09 import deletion_area, drop_patches, own_score
from vit_tutorial.checks.chapter_10 import calibration_error, paired_bootstrap
from vit_tutorial.checks.chapter_11 import difference, holm, mimetic
from vit_tutorial.checks.chapter_12 import masking, neighbours, self_distillation
from vit_tutorial.checks.chapter_13 import folded, layer_rates, pruned
from vit_tutorial.checks.harness import Result
from vit_tutorial.checks.notes import progress

__all__ = [
    "Result",
    "accumulated",
    "attend",
    "bill",
    "boxes",
    "calibration_error",
    "deletion_area",
    "difference",
    "drop_patches",
    "enlarge",
    "field",
    "folded",
    "gaze",
    "head_parts",
    "holm",
    "kernel",
    "layer_norm",
    "layer_rates",
    "lean_biases",
    "masking",
    "mended",
    "mimetic",
    "my_vit",
    "neighbours",
    "overlap",
    "own_score",
    "paired_bootstrap",
    "parameters",
    "patchify",
    "pre_norm",
    "progress",
    "pruned",
    "registers",
    "renamed",
    "rollout",
    "schedule",
    "self_distillation",
    "sharpness",
    "smoothed",
    "upside_down",
    "which_patch",
]
