import platform
import subprocess
import sys

import pytest

from vit_tutorial.training import allocator

# as in training: many tensors that live together and are freed together
COUNT_FAULTS = """
import resource
import torch
from vit_tutorial.training.allocator import keep_freed_memory

def faults(rounds=10):
    for round in range(-2, rounds):
        if round == 0:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        alive = [torch.ones(2**20) for _ in range(16)]
        del alive
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

given_back = faults()
assert keep_freed_memory()
print(given_back, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked")
def test_freed_memory_is_used_again():
    """In a process of its own, for there is no way back."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT_FAULTS],
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    given_back, kept = map(int, done.stdout.split())
    assert kept < given_back / 10


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.delattr(allocator.ctypes, "CDLL")
    assert not allocator.keep_freed_memory()


def test_a_glibc_that_takes_less_gets_less(monkeypatch):
    asked = []

    def mallopt(option, value):
        asked.append((option, value))
        return int(value <= 2**25 or option == allocator.M_TRIM_THRESHOLD)

    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.31"))
    monkeypatch.setattr(
        allocator.ctypes, "CDLL", lambda name: type("libc", (), {"mallopt": mallopt})
    )
    assert allocator.keep_freed_memory()
    assert asked == [(-3, 2**30), (-3, 2**25), (-1, 2**31 - 1)]
