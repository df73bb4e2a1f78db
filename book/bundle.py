"""Bundle the modules of vit_tutorial/explorer/js into one file for each entry: what a
widget and a page run, and what is installed with the package.

python book/bundle.py [FOLDER]     into vit_tutorial/explorer/bundle, or the folder
"""

import json
import subprocess
import sys
from pathlib import Path

import npm

EXPLORER = npm.BOOK.parent / "vit_tutorial" / "explorer"
BUNDLES = EXPLORER / "bundle"
ENTRIES = (
    "explorer.js",
    "attention_toy.js",
    "workbench.js",
    "film.js",
    "scatter.js",
    "deck.js",
)
WORKER = "engine_worker.js"  # a script of its own: a text in the bundles
HEADER = "// Made by `make bundle` from vit_tutorial/explorer/js: change it there."
# not minified: what runs on a page can be read there, and 80 kB of 3 MB are nothing
OPTIONS = ("--bundle", "--target=es2022", "--log-level=warning")


def bundle(folder: Path) -> int:
    """Write the bundles; returns esbuild's exit status. Where that is not 0, it has
    said why.
    """
    # from the disk a page may start a worker from a text alone, and no module
    worker = esbuild(WORKER, "--format=iife")
    if worker.returncode:
        return worker.returncode
    text = json.dumps(worker.stdout)
    options = [f"--banner:js={HEADER}", f"--outdir={folder}"]
    made = esbuild(*ENTRIES, "--format=esm", f"--define:ENGINE_WORKER={text}", *options)
    return made.returncode


def esbuild(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What esbuild makes of the modules; it says by itself what is wrong with them."""
    program = npm.fetch("esbuild") / "bin" / "esbuild"
    command = [npm.find("node"), str(program), *arguments, *OPTIONS]
    # paths in the bundles are relative to where it runs
    return subprocess.run(
        command, cwd=EXPLORER / "js", stdout=subprocess.PIPE, encoding="utf-8"
    )


if __name__ == "__main__":
    sys.exit(bundle(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else BUNDLES))
