"""Build the website: fetch MathJax, run the chapters, render the pages, say where to
open them.

python book/build.py [FOLDER]     into book/_build/html, or the folder
"""

import shutil
import subprocess
import sys
from pathlib import Path

import npm

from vit_tutorial.cli.console import typed

BOOK = Path(__file__).resolve().parent
BUILT = BOOK / "_build"
KERNEL_NOISE = "[IPKernelApp] WARNING | Kernel is running over TCP"


def fetch_mathjax() -> None:
    """Put MathJax in book/_build/static, from npm and only once."""
    target = BUILT / "static" / "mathjax"
    done = target / npm.version("mathjax")
    if done.exists():
        return
    source = npm.fetch("mathjax") / "es5"
    shutil.rmtree(target, ignore_errors=True)
    for folder in ("a11y", "input", "output", "sre", "ui"):
        shutil.copytree(source / folder, target / folder)
    shutil.copy(source / "tex-mml-chtml.js", target)
    done.touch()


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
    print(f"or serve it: {typed(server)}")
    return 0


if __name__ == "__main__":
    sys.exit(
        main(
            Path(sys.argv[1] if len(sys.argv) > 1 else BUILT / "html")
            .expanduser()
            .resolve()
        )
    )
