"""What a machine says of its memory, Windows among them."""

import ctypes
import os
from types import SimpleNamespace

import pytest

from vit_tutorial.machine import memory, refuse_too_large


def windows(monkeypatch, says):
    """Let this be Windows, which has no sysconf and may say how many kilobytes."""

    def installed(there):
        there._obj.value = says
        return bool(says)

    kernel = SimpleNamespace(GetPhysicallyInstalledSystemMemory=installed)
    library = SimpleNamespace(kernel32=kernel)
    monkeypatch.setattr(ctypes, "windll", library, raising=False)
    monkeypatch.delattr(os, "sysconf")


def test_windows_is_asked_in_its_own_way(monkeypatch):
    windows(monkeypatch, says=8 * 2**20)
    assert memory() == 8 * 2**30
    refuse_too_large(8 * 2**30, "it needs")
    with pytest.raises(ValueError, match="^it needs 9 GB, this machine has 9$"):
        refuse_too_large(8 * 2**30 + 1, "it needs")


def test_where_a_system_does_not_say_nothing_is_refused(monkeypatch):
    windows(monkeypatch, says=0)
    assert memory() is None
    refuse_too_large(2**60, "it needs")
    monkeypatch.delattr(ctypes, "windll")
    assert memory() is None


@pytest.mark.skipif(not os.path.exists("/proc/meminfo"), reason="not Linux")
def test_linux_says_what_its_own_table_says():
    with open("/proc/meminfo", encoding="utf-8") as table:
        kilobytes = int(table.readline().split()[1])
    assert memory() == 1024 * kilobytes
