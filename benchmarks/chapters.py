"""What each chapter costs: seconds and memory of executing it, against the limits the
book promises.

    python benchmarks/chapters.py              all chapters; writes
        results/chapters.json
    python benchmarks/chapters.py --only 03    the chapters whose names start so; the
        others keep the costs they had

Each chapter runs in a kernel of its own, with all cores, as `make book` runs it. Exit
code 1 where a limit is broken.
"""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import jupytext
import psutil
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from experiments.results import (
    ROOT,
    environment_info,
    read_result,
    run,
    write_result,
)

SECONDS_IN_ALL = 10 * 60
SECONDS_EACH = 2 * 60
GB_EACH = 2.0


class MemoryWatch(threading.Thread):
    """Notes the largest resident memory, in GB, of a kernel and its children from
    `start` to `stop`.
    """

    def __init__(self, kernel: KernelManager) -> None:
        super().__init__(daemon=True)
        self.kernel = kernel
        self.peak = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.05):
            pid = getattr(self.kernel.provisioner, "pid", None)
            if pid is None:  # not started yet
                continue
            try:
                kernel = psutil.Process(pid)
                family = [kernel, *kernel.children(recursive=True)]
                self.peak = max(
                    self.peak,
                    sum(process.memory_info().rss for process in family) / 1e9,
                )
            except psutil.NoSuchProcess:  # gone between two looks
                continue

    def stop(self) -> float:
        self.ended.set()
        self.join()
        return self.peak


def execute(path: Path) -> dict[str, float]:
    """Run one chapter; raises CellExecutionError when a cell fails."""
    notebook = jupytext.read(path, fmt="md:myst")
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(
        notebook, timeout=600, resources=resources, kernel_name="python3"
    )
    client.create_kernel_manager()
    watch = MemoryWatch(client.km)
    watch.start()
    start = time.perf_counter()
    try:
        # a warning about ports, once a chapter
        client.execute(stderr=subprocess.DEVNULL)
    finally:
        seconds = time.perf_counter() - start
        peak = watch.stop()
    return {"seconds": round(seconds, 1), "peak_gb": round(peak, 2)}


def broken_limits(chapters: dict[str, dict[str, float]]) -> list[str]:
    """A line for each promise that does not hold."""
    total = sum(cost["seconds"] for cost in chapters.values())
    broken = (
        [f"all: {total:.0f} s, at most {SECONDS_IN_ALL} s"]
        if total > SECONDS_IN_ALL
        else []
    )
    for name, cost in chapters.items():
        if cost["seconds"] > SECONDS_EACH:
            broken.append(f"{name}: {cost['seconds']} s, at most {SECONDS_EACH} s")
        if cost["peak_gb"] > GB_EACH:
            broken.append(f"{name}: {cost['peak_gb']} GB, at most {GB_EACH} GB")
    return broken


def main(
    notebooks: Path = ROOT / "notebooks", out: Path = ROOT / "results", only: str = ""
) -> int:
    """Measure the seconds and the memory of every chapter.

    Args:
        notebooks: the folder of the chapters, NN_name.md
        out: the folder of the result chapters.json
        only: the beginning of a chapter's name; the others keep what they had
    """
    os.environ["TQDM_DISABLE"] = "1"
    paths = [
        path
        for path in sorted(notebooks.glob("[0-9][0-9]_*.md"))
        if path.name.startswith(only)
    ]
    if not paths:
        raise ValueError(f"no chapter {only or 'NN_name'}*.md in {notebooks}")
    chapters = {}
    for path in paths:
        print(f"{path.stem:28}", end="", flush=True)
        try:
            chapters[path.stem] = cost = execute(path)
        except (CellExecutionError, RuntimeError, TimeoutError) as error:
            # a cell failed, its kernel died, it hung
            print(f"failed\n{error}", file=sys.stderr)
            return 1
        print(f"{cost['seconds']:8.1f} s{cost['peak_gb']:8.2f} GB", flush=True)
    total = sum(c["seconds"] for c in chapters.values())
    largest = max(c["peak_gb"] for c in chapters.values())
    print(f"{'all, and the largest':28}{total:8.1f} s{largest:8.2f} GB")
    print(
        f"{'limits':28}{SECONDS_IN_ALL:8.1f} s{GB_EACH:8.2f} GB   ({SECONDS_EACH} s"
        " each)"
    )
    if only:
        before = read_result(out / "chapters.json").get("chapters", {})
        chapters = dict(sorted((before | chapters).items()))
    result = environment_info("cpu", "torchvision", "matplotlib", "nbclient")
    write_result(out / "chapters.json", result | {"chapters": chapters})
    broken = broken_limits(chapters)
    for line in broken:
        print(f"over the limit: {line}", file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(run(main))
