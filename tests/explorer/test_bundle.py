"""The explorer's scripts: modules that stand by themselves, tested in node, and bundles
that are what the modules say.
"""

import json
import re
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path

import bundle
import npm
import pytest
from modules import SOURCES, javascript

MODULES = {
    path.relative_to(SOURCES).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(SOURCES.rglob("*.js"))
}
FROM = re.compile(r'^(?:import|export)\b[^;]*?\bfrom "([^"]+)";', re.MULTILINE)
TESTS = sorted((Path(__file__).parent / "js").glob("*.test.mjs"))


def imports(name: str) -> list[str]:
    """The modules that a module imports."""
    folder = (SOURCES / name).parent
    paths = [(folder / found).resolve() for found in FROM.findall(MODULES[name])]
    return [path.relative_to(SOURCES.resolve()).as_posix() for path in paths]


def test_the_worker_is_a_text_that_one_argument_holds():
    """Windows takes 32,767 characters in all: it stands in a definition of
    esbuild's.
    """
    made = bundle.esbuild(bundle.WORKER, "--format=iife")
    argument = f"--define:ENGINE_WORKER={json.dumps(made.stdout)}"
    assert made.returncode == 0
    assert len(subprocess.list2cmdline([argument])) < 31_000


def test_the_modules_do_in_node_what_their_tests_say():
    command = [npm.find("node"), "--test", *map(str, TESTS)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_imports_itself_through_others():
    known = {name: imports(name) for name in MODULES}
    assert known["explorer.js"] == ["explorer/widget.js", "explorer/page.js"]
    order = list(TopologicalSorter(known).static_order())
    assert sorted(order) == sorted(MODULES)


def test_each_module_stands_by_itself():
    """Every name that it imports is there; entries alone ask for a page at once."""
    alone = [f"./{name}" for name in MODULES if name not in bundle.ENTRIES]
    found = javascript("", f"(await Promise.all({alone}.map((m) => import(m)))).length")
    assert found == len(alone)


def test_the_committed_bundles_are_those_of_the_modules(tmp_path):
    assert bundle.bundle(tmp_path) == 0
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    there = {path.name: path.read_bytes() for path in bundle.BUNDLES.iterdir()}
    assert made.keys() == there.keys() == set(bundle.ENTRIES)
    differing = [name for name in made if made[name] != there[name]]
    assert not differing, f"{differing} are older than their modules: make bundle"


def test_a_broken_module_is_reported(tmp_path, monkeypatch, capfd):
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "one.js").write_text('import "./two.js";', encoding="utf-8")
    monkeypatch.setattr(bundle, "EXPLORER", tmp_path)
    (tmp_path / "js" / "worker.js").write_text("", encoding="utf-8")
    monkeypatch.setattr(bundle, "ENTRIES", ("one.js",))
    monkeypatch.setattr(bundle, "WORKER", "worker.js")
    assert bundle.bundle(tmp_path / "made") != 0
    assert "two.js" in capfd.readouterr().err


@pytest.mark.parametrize("name", bundle.ENTRIES)
def test_a_bundle_is_small_and_needs_nothing_else(name):
    text = (bundle.BUNDLES / name).read_text(encoding="utf-8")
    assert text.startswith(bundle.HEADER) and text.isascii()
    assert len(text) < 110_000
    assert not re.search(r"^import\b|\brequire\(|https?:", text, re.MULTILINE)
