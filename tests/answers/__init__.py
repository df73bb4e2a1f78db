"""Wrong and right answers to the exercises, as learners write them: one of each kind
that the tables of mistakes in vit_tutorial/checks do not hold.

WRONG: check -> [(answer, what the message must say), ...].
RIGHT: check -> [answer, ...], at least three that differ from the solution in the
chapter.
"""

import importlib
import pkgutil


def gathered(table: str) -> dict[str, list]:
    """The rows of all modules: check -> rows."""
    found: dict[str, list] = {}
    for module in pkgutil.iter_modules(__path__):
        rows = getattr(importlib.import_module(f"{__name__}.{module.name}"), table)
        for name, some in rows.items():
            found.setdefault(name, []).extend(some)
    return found
