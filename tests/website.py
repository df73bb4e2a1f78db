"""The built website for the tests, on the disk and on a local server.

BOOK_SITE names a website that is built already. Without it one is built here: the
chapters with sliders are executed, or taken from the cache, and the others show their
committed outputs.

A test module takes the fixtures over by name: `site, served = website.site,
website.served`.
"""

import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def site() -> Path:
    if "BOOK_SITE" in os.environ:
        return Path(os.environ["BOOK_SITE"]).resolve()
    folder = ROOT / "book" / "_build" / "tested" / "html"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name("lock")):  # test modules run side by side
        built = subprocess.run(
            [sys.executable, ROOT / "book" / "build.py", folder],
            env={"BOOK_EXECUTE": "explorers", **os.environ},
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="session")
def served(site) -> str:
    """The address of the site on a local server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
