"""Whether bad input, by the thousand, works or is refused in one line.

    python benchmarks/fuzz.py                 into results/fuzz.json
    python benchmarks/fuzz.py --inputs 60     a tenth of the inputs
    python benchmarks/fuzz.py --only files    the files of tests/fuzz/ whose names hold
        this word

Settings, tensors, files, command lines and sizes are drawn at random; `tests/oracle.py`
says what is asked of each: it works, or it is refused with an error of the package's
own, in one line that names what was found, within a minute and 268 MB of memory (1.1
GB of a picture). The tests try a few that are always the same, this command very many.
The result says of each kind how many there were, how many worked and were refused, the
slowest in seconds and how much the process grew at most. Exit code 1 where one was
neither.
"""

import sys
import time
from contextlib import chdir
from pathlib import Path

import pytest
from hypothesis import settings

from experiments.results import ROOT, environment_info, run, write_result

sys.path.append(str(ROOT / "tests"))
from oracle import (  # noqa: E402
    LONGEST,
    MOST_MEMORY,
    MOST_OF_A_PICTURE,
    PATIENCE,
    TALLY,
    Tally,
)


class Listener:
    """A plugin of pytest: it lets each test try many inputs, and keeps the names of
    those that fail.
    """

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self) -> None:
        settings.register_profile(
            "many", settings.default, max_examples=self.inputs, derandomize=False
        )
        settings.load_profile("many")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid.rpartition("/")[2])


def summary(tally: Tally) -> dict[str, dict]:
    """What became of the inputs of each kind."""
    return {
        kind: {
            "inputs": tally.worked[kind] + tally.refused[kind],
            "worked": tally.worked[kind],
            "refused": tally.refused[kind],
            "slowest_seconds": round(tally.seconds[kind], 3),
            "grew_mb": round(tally.memory[kind] / 1e6, 1),
        }
        for kind in sorted(tally.seconds)
    }


def main(
    inputs: int = 600,
    seed: int = 0,
    only: str = "",
    out: Path = ROOT / "results/fuzz.json",
) -> int:
    """Try inputs of all kinds, and write what became of them.

    Args:
        inputs: about how many each test tries; slow ones try a part of them
        seed: of what is drawn
        only: a word in the names of the files of tests to run
        out: file of the result
    """
    files = sorted((ROOT / "tests" / "fuzz").glob("test_fuzz_*.py"))
    files = [path for path in files if only in path.stem]
    if not files:
        raise ValueError(f"only is {only!r}, expected a word such as 'files'")
    if inputs < 1:
        raise ValueError(f"inputs is {inputs}, expected at least 1")
    listener = Listener(inputs)
    words = ["-q", "-p", "no:cacheprovider", f"--hypothesis-seed={seed}"]
    began = time.perf_counter()
    with chdir(ROOT):
        code = pytest.main([*map(str, files), *words], plugins=[listener])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        name = pytest.ExitCode(code).name
        raise ValueError(f"pytest ended with {name}, expected OK or TESTS_FAILED")
    kinds = summary(TALLY)
    rows = kinds.values()
    result = environment_info("cpu", "hypothesis") | {
        "inputs": sum(row["inputs"] for row in rows),
        "worked": sum(row["worked"] for row in rows),
        "refused": sum(row["refused"] for row in rows),
        "seconds": round(time.perf_counter() - began),
        "slowest_seconds": max((row["slowest_seconds"] for row in rows), default=0),
        "grew_mb": max((row["grew_mb"] for row in rows), default=0),
        "bounds": {
            "seconds": PATIENCE,
            "mb": round(MOST_MEMORY / 1e6),
            "mb_of_a_picture": round(MOST_OF_A_PICTURE / 1e6),
            "characters": LONGEST,
        },
        "failed": listener.failed,
        "kinds": kinds,
    }
    write_result(out, result)
    for kind, row in kinds.items():
        print(f"{kind:36}", *(f"{name} {value:<8}" for name, value in row.items()))
    print(f"{result['inputs']:,} inputs, {len(listener.failed)} tests failed")
    return int(bool(listener.failed))


if __name__ == "__main__":
    sys.exit(run(main))
