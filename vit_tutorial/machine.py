"""What the machine has."""

import os


def refuse_too_large(needed: int, what: str) -> None:
    """Raise ValueError for what needs more bytes than this machine has of memory,
    before the system runs out of it and kills.
    """
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system says
        return
    if needed > there:
        raise ValueError(
            f"{what} {needed / 1e9:,.0f} GB, this machine has {there / 1e9:,.0f}"
        )
