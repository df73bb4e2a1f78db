"""The checks behind the book's exercises: `check.patchify(my_patchify)` answers in one line.

A check compares with the package's own code on fresh random input and names the likely mistake.
"""

from vit_tutorial.checks.core import Result
from vit_tutorial.checks.sequences import overlap, patchify, which_patch
from vit_tutorial.checks.tokens import enlarge, kernel, registers

__all__ = [
    "Result",
    "enlarge",
    "kernel",
    "overlap",
    "patchify",
    "registers",
    "which_patch",
]
