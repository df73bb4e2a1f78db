"""What the machine has."""

import ctypes
import os


def memory() -> int | None:
    """How many bytes of memory this machine has; None where the system does not say."""
    if windows := getattr(ctypes, "windll", None):
        kilobytes = ctypes.c_ulonglong()
        there = ctypes.byref(kilobytes)
        said = windows.kernel32.GetPhysicallyInstalledSystemMemory(there)
        return 1024 * kilobytes.value if said else None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def refuse_too_large(needed: int, what: str) -> None:
    """Raise ValueError for what needs more bytes than this machine has of memory,
    before the system runs out of it and ends the process.
    """
    there = memory()
    if there is not None and needed > there:
        raise ValueError(
            f"{what} {needed / 1e9:,.0f} GB, this machine has {there / 1e9:,.0f}"
        )
