"""What the system's allocator does with memory that a training step frees."""

import ctypes
import platform

# numbers of glibc's malloc.h, see mallopt(3)
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3


def keep_freed_memory() -> bool:
    """Let this process keep what it frees for what it allocates next, up to 2 GiB;
    whether the system could.

    A step on the CPU frees hundreds of MiB of activations and needs as many in the next
    step. Unless something younger lies behind them, glibc gives them back in between,
    and the kernel then fills fresh pages with zeros, in every step. Peak memory stays
    the same. Only glibc (most of Linux) is asked; a GPU's memory is PyTorch's own
    affair.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # Before glibc 2.35 32 MiB is the most it takes. First this one: with the other
    # alone even small blocks would go back to the kernel.
    if not (mallopt(M_MMAP_THRESHOLD, 2**30) or mallopt(M_MMAP_THRESHOLD, 2**25)):
        return False
    return bool(mallopt(M_TRIM_THRESHOLD, 2**31 - 1))
