"""Bundle the modules of vit_tutorial/explorer/js into one file for each entry: what a
widget and a page run, and what is installed with the package.

python book/bundle.py [FOLDER]     into vit_tutorial/explorer/bundle, or the folder
"""

import subprocess
import sys
from pathlib import Path

import npm

EXPLORER = npm.BOOK.parent / "vit_tutorial" / "explorer"
BUNDLES = EXPLORER / "bundle"
ENTRIES = ("explorer.js", "attention_toy.js")
HEADER = "// Made by `make bundle` from vit_tutorial/explorer/js: change it there."
# not minified: what runs on a page can be read there, and 40 kB of 3 MB are nothing
OPTIONS = ("--bundle", "--format=esm", "--target=es2022", "--log-level=warning")


def bundle(folder: Path) -> int:
    """Write the bundles; returns esbuild's exit status. Where that is not 0, it has
    said why.
    """
    esbuild = npm.fetch("esbuild") / "bin" / "esbuild"
    options = [*OPTIONS, f"--banner:js={HEADER}", f"--outdir={folder}"]
    command = [npm.find("node"), str(esbuild), *ENTRIES, *options]
    # paths in the bundles are relative to where it runs
    return subprocess.run(command, cwd=EXPLORER / "js").returncode


if __name__ == "__main__":
    sys.exit(bundle(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else BUNDLES))
