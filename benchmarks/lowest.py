"""Whether the tests pass with the lowest version of everything that pyproject.toml
allows.

    uv venv --python 3.11 /tmp/lowest
    uv pip install --python /tmp/lowest --resolution lowest-direct -e '.[test,bench]'
    /tmp/lowest/bin/python benchmarks/lowest.py            into results/lowest.json
    /tmp/lowest/bin/python benchmarks/lowest.py --tests '[tests/convert]'   some of them

It is to be run by an environment that uv has filled so (5.4 GB), and refuses another.
Where tests fail, either they ask too much or a lower bound is too low. What is compared
to the letter, or shown in a browser, is held to the versions of constraints.txt alone:
the chapters and the website. The exit code is 1 when a test fails.
"""

import sys
import tempfile
import tomllib
from collections import Counter
from importlib.metadata import distributions, version
from pathlib import Path
from subprocess import run as call
from xml.etree import ElementTree

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from experiments.results import ROOT, environment_info, run, write_result

TESTS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "tests").iterdir()
    if path.match("test_*.py")
    or (path.is_dir() and path.name not in ("book", "explorer"))
    and any(path.glob("test_*.py"))
)


def lowest_versions() -> dict[str, Version]:
    """The lower bound of each dependency of pyproject.toml, by its name."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return {
        one.name: Version(bound.version)
        for one in (Requirement(text) for texts in lists for text in texts)
        for bound in one.specifier
        if bound.operator == ">="
    }


def ruled_out(name: str, bound: Version) -> bool:
    """Whether another library that is installed asks for more than a lower bound."""
    asked = [
        Requirement(text) for one in distributions() for text in one.requires or ()
    ]
    return any(
        canonicalize_name(one.name) == canonicalize_name(name)
        and not one.specifier.contains(bound)
        for one in asked
        if one.marker is None or one.marker.evaluate({"extra": ""})
    )


def check_lowest(installed: dict[str, str], bounds: dict[str, Version]) -> None:
    """Raise ValueError unless each version is its bound, as far as that goes: 1.11.1 is
    one for 1.11, of which there is no other. Where another library asks for more, any
    version will do.
    """
    for name, bound in bounds.items():
        found = Version(installed[name])
        is_bound = found.release[: len(bound.release)] == bound.release
        if not is_bound and not ruled_out(name, bound):
            raise ValueError(
                f"{name} is {found}, expected {bound}, the lowest: fill an environment"
                " as benchmarks/lowest.py says"
            )


def count(report: Path) -> list[dict]:
    """How many tests of each module passed, failed and were skipped, from pytest's XML;
    a module that cannot be imported is one that failed.
    """
    rows: dict[str, Counter] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        parts = (case.get("classname") or case.get("name") or "").split(".")
        stem = next(at for at, part in enumerate(parts) if part.startswith("test_"))
        module = "/".join(parts[: stem + 1]) + ".py"
        ends = {child.tag for child in case}
        end = "failed" if ends & {"failure", "error"} else "passed"
        rows.setdefault(module, Counter(passed=0, failed=0, skipped=0))[
            "skipped" if "skipped" in ends else end
        ] += 1
    return [{"tests": module, **ends} for module, ends in sorted(rows.items())]


def lowest(tests: list[str] = TESTS, out: Path = ROOT / "results/lowest.json") -> int:
    """Run the tests here, and write what came of it.

    Args:
        tests: modules and folders of tests
        out: file of the result
    """
    bounds = lowest_versions()
    check_lowest({name: version(name) for name in bounds}, bounds)
    about = environment_info("cpu", *bounds)
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.xml"
        words = ["-q", "-p", "no:xdist", "--continue-on-collection-errors"]
        words += [f"--junit-xml={report}", *tests]
        call([sys.executable, "-m", "pytest", *words], cwd=ROOT)
        rows = count(report) if report.exists() else []
    if not rows:
        raise ValueError(f"{' '.join(tests)}: pytest ran no test")
    write_result(out, about | {"modules": rows})
    return int(any(row["failed"] for row in rows))


if __name__ == "__main__":
    sys.exit(run(lowest))
