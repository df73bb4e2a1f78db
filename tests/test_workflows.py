"""What GitHub runs: each workflow asks for little, and names only what is here. The
machines themselves are GitHub's.
"""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import vit_tutorial

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / ".github" / "workflows").iterdir())
}
JOBS = {
    f"{name}: {key}": job
    for name, workflow in WORKFLOWS.items()
    for key, job in workflow["jobs"].items()
}
RUNS = [
    (name, step["run"])
    for name, job in JOBS.items()
    for step in job["steps"]
    if "run" in step
]
# what a command makes, or asks another machine for
MADE = {".venv", "runs", "runs/audited.txt", "runs/lowest.json", "runs/wheel.json"}
MADE |= {"book/_build/html", "book/_build/links"}
each_workflow = pytest.mark.parametrize("name", WORKFLOWS)
each_job = pytest.mark.parametrize("name", JOBS)
each_run = pytest.mark.parametrize(("name", "line"), RUNS)


def triggers(name: str) -> dict:
    """When a workflow is run: YAML 1.1 reads the key `on` as true."""
    return WORKFLOWS[name][True]


def pythons(job: dict) -> list[str]:
    """The versions of Python that a job sets up."""
    found = [
        step["with"]["python-version"]
        for step in job["steps"]
        if "setup-python" in step.get("uses", "")
    ]
    return [
        version
        for text in found
        for version in (
            job["strategy"]["matrix"]["python"] if "matrix.python" in text else [text]
        )
    ]


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@each_workflow
def test_a_workflow_reads_and_cancels_what_a_newer_push_makes_idle(name):
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"].endswith("-${{ github.ref }}")
    assert "pull_request_target" not in triggers(name)


def test_contributing_lists_each_and_when_it_runs():
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", text("CONTRIBUTING.md"), re.MULTILINE)
    assert [name for name, _ in rows] == [
        "ci",
        "machines",
        "versions",
        "links",
        "audit",
    ]
    assert set(dict(rows)) == set(WORKFLOWS)
    for name, when in rows:
        assert ("weekly" in when) == ("schedule" in triggers(name))


@each_job
def test_a_job_ends_and_may_do_no_more_than_it_needs(name):
    job = JOBS[name]
    assert 0 < job["timeout-minutes"] <= 120
    publishes = any("deploy-pages" in step.get("uses", "") for step in job["steps"])
    allowed = {"pages": "write", "id-token": "write"}
    assert job.get("permissions") == (allowed if publishes else None)
    if publishes:
        # neither a fork's code nor any step of ours runs with the right to publish
        assert job["if"] == "github.event_name == 'push'" and job["needs"]
        assert all("run" not in step for step in job["steps"])


@each_job
def test_actions_are_github_s_own_and_pinned_to_a_major_version(name):
    for step in JOBS[name]["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
        if "actions/checkout" in step.get("uses", ""):
            assert step["with"] == {"persist-credentials": False}


def test_one_action_has_one_version():
    uses = {
        step["uses"] for job in JOBS.values() for step in job["steps"] if "uses" in step
    }
    assert len(uses) == len({one.partition("@")[0] for one in uses})


@each_workflow
def test_no_secret_is_asked_for_and_no_stranger_s_text_gets_into_a_command(name):
    for line in text(f".github/workflows/{name}.yml").splitlines():
        assert "secrets." not in line.replace("secrets.GITHUB_TOKEN", "")
    for _, line in RUNS:
        assert "${{" not in line


@each_run
def test_a_command_names_what_is_here(name, line):
    """Every word with a slash or an ending is a file or folder, every extra is one."""
    (step,) = [step for step in JOBS[name]["steps"] if step.get("run") == line]
    folder = ROOT / step.get("working-directory", ".")
    assert folder.is_dir()
    for word in shlex.split(line):
        extras = re.fullmatch(r"\.\[([\w,]+)\]", word)
        if extras:
            missing = set(extras[1].split(",")) - set(PROJECT["optional-dependencies"])
            assert not missing
        elif re.search(r"/|\.\w+$|^tests$|^notebooks$", word) and word not in MADE:
            venv = re.fullmatch(r"(\$BIN|\.venv/bin)/python", word)
            version = re.fullmatch(r"3\.\d+", word)
            assert venv or version or (folder / word).exists(), word
    for target in re.findall(r"\bmake (\w+)", line):
        assert re.search(rf"^{target}:", text("Makefile"), re.MULTILINE)


def test_a_script_that_is_started_by_name_may_be_started():
    listed = ["git", "-C", str(ROOT), "ls-files", "--stage", ".ci/run"]
    told = subprocess.run(listed, capture_output=True, encoding="utf-8").stdout
    assert told.startswith("100755") and ("ci: everything", ".ci/run") in RUNS


def test_pythons_are_those_that_the_project_says():
    supported = [
        one.rpartition(" ")[2]
        for one in PROJECT["classifiers"]
        if re.search(r":: Python :: 3\.", one)
    ]
    tried = pythons(JOBS["machines: machines"])
    job = JOBS["machines: machines"]
    (may_fail,) = set(tried) - set(supported)
    assert job["continue-on-error"] == f"${{{{ matrix.python == '{may_fail}' }}}}"
    assert set(supported) <= set(tried)
    wanted = SpecifierSet(PROJECT["requires-python"])
    every = {version for job in JOBS.values() for version in pythons(job)}
    assert all(wanted.contains(version) for version in every) and every <= set(tried)
    # the lowest Python with the lowest versions, the highest with the newest
    numbers = sorted(supported, key=lambda version: int(version.partition(".")[2]))
    below = f"3.{int(numbers[0].partition('.')[2]) - 1}"
    assert not wanted.contains(below)
    assert pythons(JOBS["versions: lowest"]) == [numbers[0]]
    assert pythons(JOBS["versions: newest"]) == [numbers[-1]]
    assert f"--python {numbers[0]} " in JOBS["versions: lowest"]["steps"][2]["run"]


def test_what_a_matrix_leaves_out_is_run_elsewhere():
    (left_out,) = JOBS["machines: machines"]["strategy"]["matrix"]["exclude"]
    everything = JOBS["ci: everything"]
    assert left_out["os"] == everything["runs-on"]
    assert pythons(everything) == [left_out["python"]]


def test_machines_run_what_the_book_says_where_there_is_no_make():
    said = text("book/troubleshooting.md").partition("### There is no make")[2]
    said = said.partition("###")[0].replace("\\", "/")
    commands = re.findall(r"^    (?:py -[\d.]+|\S+/python) (.*)", said, re.MULTILINE)
    tests = next(command for command in commands if "-m pytest" in command)
    # chapters are compared where the versions are those of their outputs
    commands.append(re.sub(r" --nbval.*", " tests", tests))
    commands.append("benchmarks/wheel.py --torch fetch --out runs/wheel.json")
    for name, line in RUNS:
        if name == "machines: machines":
            assert line.removeprefix("$BIN/").removeprefix("python ") in commands
    assert JOBS["machines: machines"]["strategy"]["matrix"]["include"] == [
        {"os": "windows-latest", "bin": ".venv/Scripts"}
    ]
    assert ".venv/Scripts/python -m pytest" in said


def test_the_newest_versions_are_held_to_what_make_test_asks():
    asked = re.search(r"-m pytest (-q -rs .*)", text("Makefile"))[1]
    lines = [line for name, line in RUNS if name == "versions: newest"]
    assert f".venv/bin/python -m pytest {asked}" in lines
    assert not any("--constraint" in line for line in lines)


def test_what_changes_by_itself_is_looked_at_every_week():
    for name in ("versions", "links", "audit"):
        (when,) = triggers(name)["schedule"]
        assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", when["cron"])
        assert "workflow_dispatch" in triggers(name)
        for path in (triggers(name).get("pull_request") or {}).get("paths", ()):
            assert (ROOT / path).exists(), path


def test_updates_are_asked_for_where_versions_stand():
    updates = yaml.safe_load(text(".github/dependabot.yml"))["updates"]
    manifests = {
        "pip": "pyproject.toml",
        "npm": "package-lock.json",
        "github-actions": ".github/workflows",
    }
    assert {one["package-ecosystem"] for one in updates} == set(manifests)
    for one in updates:
        folder = ROOT / one["directory"].lstrip("/")
        assert (folder / manifests[one["package-ecosystem"]]).exists()
        assert one["schedule"] == {"interval": "weekly"}


def test_who_cites_cites_this_version():
    cited = yaml.safe_load(text("CITATION.cff"))
    assert cited["cff-version"] == "1.2.0" and cited["type"] == "software"
    assert cited["version"] == vit_tutorial.__version__
    assert set(cited) >= {"message", "title", "authors"}
    assert all(author["name"] for author in cited["authors"])
    licences = re.findall(r"MIT|CC[ -]BY[ -]4\.0", text("LICENSE"))
    assert {one.replace(" ", "-") for one in licences} == set(cited["license"])


def test_types_come_with_the_package():
    assert (ROOT / "vit_tutorial" / "py.typed").read_text(encoding="utf-8") == ""
    assert "Typing :: Typed" in PROJECT["classifiers"]
    # a checker of types cannot follow __getattr__
    for name in vit_tutorial.__all__:
        home = vit_tutorial.HOMES[name]
        line = f"    from vit_tutorial.{home} import {name} as {name}\n"
        assert line in text("vit_tutorial/__init__.py")


def test_forms_ask_for_something():
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").iterdir():
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert form["name"] and form["description"] and form["body"]
    targets = re.findall(r"`make (\w+)`", text(".github/pull_request_template.md"))
    assert len(targets) >= 3
    for target in targets:
        assert re.search(rf"^{target}:", text("Makefile"), re.MULTILINE)


def test_extras_that_extras_name_exist():
    for texts in PROJECT["optional-dependencies"].values():
        for requirement in map(Requirement, texts):
            if requirement.name == PROJECT["name"]:
                assert requirement.extras <= set(PROJECT["optional-dependencies"])
