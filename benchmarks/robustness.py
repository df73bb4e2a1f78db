"""Whether what is trained live holds on any processor: the chapters' claims, and the
tests', under perturbation.

    python benchmarks/robustness.py                       all chapters and tests; writes
        results/robustness.json
    python benchmarks/robustness.py --only 03             the chapters whose names start
        so, or `tests`
    python benchmarks/robustness.py --seeds '[11, 12]'    other seeds of perturbation,
        beside those recorded
    python benchmarks/robustness.py --processes 2         two runs side by side

Another processor rounds otherwise, and training makes a difference of a rounding grow.
So each chapter trains once for each seed with every weight moved by a relative 1e-6 of
normal noise after the first step of its optimiser, and once each with one and two
threads, with ATen's plain kernels, and with AVX2's (the second time those of MKL and
oneDNN, too). A chapter's cells run as they stand, without its exercises and widgets and
without drawing a figure.

For each claim, a sentence with a number behind it, the result says in how many runs it
held, the worst value, how far inside its band that lies, and how many standard
deviations of all runs that is. What the file already holds is kept, so a run that was
cut off goes on, and several may share the chapters; a chapter whose code has changed
since starts anew. Exit code 1 where a claim fails.
"""

import os
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from io import StringIO
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch
from weakref import WeakSet

import jupytext
import matplotlib.pyplot as plt
import pytest
import torch
from filelock import FileLock
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

from benchmarks.claims import CLAIMS
from experiments.results import (
    ROOT,
    environment_info,
    read_result,
    run,
    write_result,
)
from vit_tutorial.data import datasets

sys.path.append(str(ROOT / "book"))
from execute import package_files  # noqa: E402

NOISE = 1e-6  # of a weight: about ten times the rounding of 32-bit numbers
# spreads, standard deviations of all runs, from the worst value to the end of the band
MARGIN = 2
TESTS = "tests"
SKIPPED = ("check.", "explore(", "drag_tokens(")  # exercises without an answer, widgets


@dataclass(frozen=True)
class Setting:
    """How a run differs from the others: the seed of its noise (None: no noise),
    threads, variables of its process.
    """

    name: str
    seed: int | None = None
    threads: int = 1
    variables: tuple[tuple[str, str], ...] = ()


PLAIN = ("ATEN_CPU_CAPABILITY", "default")
AVX2 = ("ATEN_CPU_CAPABILITY", "avx2")
LIBRARIES = (("MKL_ENABLE_INSTRUCTIONS", "AVX2"), ("ONEDNN_MAX_CPU_ISA", "AVX2"))
ONE_THREAD = Setting("one thread")
SURROUNDINGS = (
    ONE_THREAD,
    Setting("two threads", threads=2),
    Setting("ATen's plain kernels", variables=(PLAIN,)),
    Setting("ATen's kernels for AVX2", variables=(AVX2,)),
    Setting("all kernels for AVX2", variables=(AVX2, *LIBRARIES)),
)
Found = tuple[float, float | None, float | None]  # a value and its band


@contextmanager
def nudged(seed: int | None) -> Iterator[None]:
    """Within it every optimiser moves its weights by a relative NOISE after its first
    step; None moves nothing.
    """
    generator = torch.Generator().manual_seed(seed or 0)
    met = WeakSet()

    def nudge(optimizer: Optimizer, *_: object) -> None:
        if seed is None or optimizer in met:
            return
        met.add(optimizer)
        with torch.no_grad():
            for group in optimizer.param_groups:
                for weight in group["params"]:
                    noise = torch.randn(
                        weight.shape, generator=generator, dtype=weight.dtype
                    )
                    weight.mul_(1 + NOISE * noise.to(weight.device))

    handle = register_optimizer_step_post_hook(nudge)
    try:
        yield
    finally:
        handle.remove()


def values_of_chapter(path: Path) -> dict[str, Found]:
    """Run a chapter up to its last claim; each value is taken where the text comes to
    the claim's words, or, where a prediction says them first, as soon as it is
    there.

    Raises ValueError for words that do not stand in the chapter, and for a value that
    it never has.
    """
    claims = CLAIMS[path.stem]
    names = {"__name__": path.stem}
    values = {}
    said = set()
    unknown = {}  # by a claim's words, what its value lacks
    for cell in jupytext.read(path, fmt="md:myst").cells:
        if len(values) == len(claims):
            break
        if cell.cell_type == "code" and not any(
            word in cell.source for word in SKIPPED
        ):
            with (
                chdir(path.parent),
                patch.object(plt, "show", partial(plt.close, "all")),
            ):
                exec(compile(cell.source, str(path), "exec"), names)
        said |= {claim.says for claim in claims if claim.says in cell.source}
        for claim in claims:
            if claim.says in said and claim.says not in values:
                try:
                    value = float(eval(claim.value, names))
                    values[claim.says] = (value, claim.low, claim.high)
                except NameError as error:
                    unknown[claim.says] = error
    for claim in claims:
        if claim.says not in said:
            raise ValueError(f"{path.name} does not say {claim.says!r}")
        if claim.says not in values:
            lack = unknown[claim.says]
            raise ValueError(f"{path.name} says {claim.says!r}, but {lack}")
    return values


class Listener:
    """A plugin of pytest: of the tests it keeps those with the fixture `within`, and
    what they told it.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.values = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        torch.set_num_threads(self.threads)  # tests set one
        items[:] = [
            item for item in items if "within" in getattr(item, "fixturenames", ())
        ]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            name = report.nodeid.rpartition("::")[2]
            self.values |= {
                f"{name}: {says}": found for says, found in report.user_properties
            }


def training_tests() -> list[Path]:
    return [
        path
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if "within(" in path.read_text(encoding="utf-8")
    ]


def values_of_tests(threads: int) -> dict[str, Found]:
    """Run the tests that train; what they hold `within` a band."""
    listener = Listener(threads)
    with chdir(ROOT), redirect_stdout(StringIO()) as told:
        code = pytest.main(
            [*map(str, training_tests()), "-q", "-p", "no:cacheprovider"],
            plugins=[listener],
        )
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise ValueError(f"pytest stopped: {told.getvalue()}")
    return listener.values


def measure(part: str, setting: Setting) -> tuple[dict[str, Found], float]:
    """Train what a chapter or the tests train, in this process; what was found, and the
    seconds it took.
    """
    start = time.perf_counter()
    with nudged(setting.seed), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        if part == TESTS:
            found = values_of_tests(setting.threads)
        else:
            found = values_of_chapter(ROOT / "notebooks" / f"{part}.md")
    return found, time.perf_counter() - start


def prepare(threads: int) -> None:
    """A fresh process: its threads, and images that are drawn once for all its runs."""
    torch.set_num_threads(threads)
    plt.switch_backend("Agg")
    datasets.load_split = lru_cache(maxsize=24)(datasets.load_split)


@contextmanager
def pool_of(processes: int, setting: Setting) -> Iterator[ProcessPoolExecutor]:
    """Processes with the threads and variables of a setting, which libraries read when
    they are loaded.
    """
    variables = dict(setting.variables) | {
        "OMP_NUM_THREADS": str(setting.threads),
        "TQDM_DISABLE": "1",
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    pool = ProcessPoolExecutor(
        processes, get_context("spawn"), prepare, (setting.threads,)
    )
    try:
        yield pool
    finally:
        # what was not begun when a run failed stays undone
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def digest(part: str) -> str:
    """What the values of a part depend on: its code, the modules that it imports, and
    its claims.
    """
    if part == TESTS:
        sources = [path.read_text(encoding="utf-8") for path in training_tests()]
    else:
        notebook = jupytext.read(ROOT / "notebooks" / f"{part}.md", fmt="md:myst")
        sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    # no exercise is run
    modules = [path for path in package_files(sources) if "checks" not in path.parts]
    texts = [
        *sources,
        *(path.read_text(encoding="utf-8") for path in modules),
        repr(CLAIMS.get(part)),
    ]
    return sha256("\0".join(texts).encode()).hexdigest()[:12]


def summary(values: dict[str, float], low: float | None, high: float | None) -> dict:
    """How often a claim held, and how near it came to its bounds."""

    def inside(value: float) -> float:
        return min(
            ([value - low] if low is not None else [])
            + ([high - value] if high is not None else [])
        )

    worst = min(values.values(), key=inside)
    spread = statistics.pstdev(values.values())
    return {
        "low": low,
        "high": high,
        "runs": len(values),
        "held": sum(inside(value) > 0 for value in values.values()),
        "mean": round(statistics.mean(values.values()), 5),
        "least": round(min(values.values()), 5),
        "largest": round(max(values.values()), 5),
        "spread": round(spread, 5),
        "worst": round(worst, 5),
        "inside": round(inside(worst), 5),
        "spreads_inside": round(inside(worst) / spread, 1) if spread else None,
        "values": {name: round(value, 5) for name, value in values.items()},
    }


def fails(claim: dict) -> bool:
    """Whether a claim was broken once, or its worst value lies less than MARGIN spreads
    inside its band.
    """
    return claim["held"] < claim["runs"] or claim["inside"] < MARGIN * claim["spread"]


def line(says: str, claim: dict) -> str:
    spreads = (
        "no spread"
        if claim["spreads_inside"] is None
        else f"{claim['spreads_inside']} spreads"
    )
    return (
        f"{says[:60]:60} held {claim['held']} of {claim['runs']}, worst"
        f" {claim['worst']:g}, {claim['inside']:g} inside ({spreads})"
        + "  FAILS"
        * fails(claim)
    )


def lacking(
    done: dict, parts: list[str], settings: list[Setting]
) -> Iterator[tuple[str, Setting]]:
    """The runs that the result does not have yet."""
    for part, setting in product(parts, settings):
        claims = done[part]["claims"].values()
        if not claims or any(setting.name not in claim["values"] for claim in claims):
            yield part, setting


def add(claims: dict[str, dict], setting: Setting, found: dict[str, Found]) -> None:
    """Put what a run found beside what others found."""
    for says, (value, low, high) in found.items():
        before = claims[says]["values"] if says in claims else {}
        claims[says] = summary(before | {setting.name: value}, low, high)


def recorded(path: Path) -> dict[str, dict]:
    """The parts that a result has; none where there is no result yet."""
    parts: dict[str, dict] = read_result(path, "noise", "parts").get("parts", {})
    return parts


def store(
    path: Path, done: dict, part: str, setting: Setting, found: dict[str, Found]
) -> None:
    """Put what a run found into `done` and the result, beside what other processes have
    written there meanwhile.
    """
    lock = ROOT / "runs" / "robustness.lock"
    lock.parent.mkdir(exist_ok=True)
    with FileLock(lock):
        parts = recorded(path)
        if parts.get(part, {}).get("digest") == done[part]["digest"]:
            done[part] = parts[part]
        add(done[part]["claims"], setting, found)
        parts[part] = done[part]
        result = environment_info("cpu") | {"noise": NOISE, "parts": parts}
        write_result(path, result)


def main(
    only: str = "",
    seeds: list[int] | None = None,
    processes: int = 1,
    out: Path = ROOT / "results",
) -> int:
    """Train everything that is trained live, again and again, each time with other
    rounding.

    Args:
        only: the beginning of a chapter's name, or `tests`
        seeds: of the noise, beside those that the result already has; by default 1 to
            10
        processes: how many runs side by side, of those with one thread
        out: the folder of the result robustness.json
    """
    parts = [part for part in (*CLAIMS, TESTS) if part.startswith(only)]
    if not parts:
        raise ValueError(
            f"only is {only!r}, expected the beginning of one of"
            f" {', '.join((*CLAIMS, TESTS))}"
        )
    path = out / "robustness.json"
    done = recorded(path)
    for part in parts:
        if done.get(part, {}).get("digest") != digest(part):
            done[part] = {"digest": digest(part), "claims": {}}
    noisy = [
        Setting(f"seed {seed}", seed)
        for seed in (range(1, 11) if seeds is None else seeds)
    ]
    for surroundings in SURROUNDINGS:
        settings = (
            [surroundings, *noisy] if surroundings == ONE_THREAD else [surroundings]
        )
        with pool_of(
            processes if surroundings.threads == 1 else 1, surroundings
        ) as pool:
            runs = {
                pool.submit(measure, *run): run
                for run in list(lacking(done, parts, settings))
            }
            for ended in as_completed(runs):
                part, setting = runs[ended]
                found, seconds = ended.result()
                store(path, done, part, setting, found)
                values = ", ".join(f"{value:g}" for value, *_ in found.values())
                print(
                    f"{part:24}{setting.name:24}{seconds:6.0f} s   {values}", flush=True
                )
    claims = {
        says: claim for part in parts for says, claim in done[part]["claims"].items()
    }
    print(*(line(says, claim) for says, claim in claims.items()), sep="\n")
    return int(any(fails(claim) for claim in claims.values()))


if __name__ == "__main__":
    sys.exit(run(main))
