"""What the tests of the download share: a server that misbehaves as it is told, and the
archive it has.
"""

import hashlib
import io
import random
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vit_tutorial.data import stl10
from vit_tutorial.data.stl10_download import download_stl10

NAMES = ("test_X.bin", "test_y.bin", "train_X.bin", "train_y.bin")


def random_bytes(seed: int, count: int) -> bytes:
    return random.Random(seed).randbytes(count)


CONTENTS = {
    "class_names.txt": b"cat\ndog\n",
    "fold_indices.txt": b"0 1 2\n",
    **{
        name: random_bytes(seed, 200_000 if "X" in name else 50)
        for seed, name in enumerate(NAMES)
    },
    "unlabeled_X.bin": random_bytes(9, 3_000_000),
}


def make_archive(contents: dict[str, bytes], compresslevel: int = 1) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w:gz", compresslevel=compresslevel
    ) as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"stl10_binary/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


ARCHIVE = make_archive(CONTENTS)


class Server(ThreadingHTTPServer):
    """Sends `content`; cuts or stalls each of the first `cuts` answers after `after`
    bytes; notes what it did.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = ARCHIVE
        self.tag = '"one"'
        self.ranges = True
        self.cuts = 0
        self.after = 150_000
        self.stall = False
        self.status = 200
        # what is told of it, where that is not the truth
        self.length: str | None = None
        self.asked: list[str | None] = []
        self.sent = 0
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/stl10_binary.tar.gz"

    def handle_error(self, request, client_address) -> None:
        """A client that hangs up early is what is tested: no traceback."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *values) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        same = self.headers.get("If-Range") in (None, server.tag)
        start = (
            int(wanted.removeprefix("bytes=").rstrip("-"))
            if wanted and server.ranges and same
            else 0
        )
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range",
                f"bytes {start}-{len(server.content) - 1}/{len(server.content)}",
            )
        self.send_header("ETag", server.tag)
        self.send_header(
            "Content-Length", server.length or str(len(server.content) - start)
        )
        self.end_headers()
        cut = server.cuts > 0
        server.cuts -= cut
        for at in range(
            start, start + server.after if cut else len(server.content), 10_000
        ):
            self.wfile.write(server.content[at : at + 10_000])
            server.sent += 10_000
        if cut and server.stall:
            server.released.wait(10)


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    table = {
        name: (len(CONTENTS[name]), hashlib.md5(CONTENTS[name]).hexdigest())
        for name in NAMES
    }
    monkeypatch.setattr(stl10, "STL10_FILES", table)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(root: Path, server: Server, **options) -> Path:
    return download_stl10(
        root, server.url, **{"timeout": 5, "retries": 2, "wait": 0.01} | options
    )


def assert_complete(folder: Path) -> None:
    """The labelled files and nothing else, byte for byte: the texts have no checksum,
    so they are not taken.
    """
    wanted = {name: CONTENTS[name] for name in NAMES}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == wanted
