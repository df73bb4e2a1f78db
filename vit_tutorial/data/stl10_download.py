"""Fetch STL-10, of which mostly the labelled part is wanted: a stream that is resumed
after a cut and stopped after the last file needed.
"""

import errno
import gzip
import json
import os
import re
import tarfile
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import IO, cast
from urllib.error import HTTPError

from filelock import FileLock, Timeout
from tqdm import tqdm

from vit_tutorial.data import stl10
from vit_tutorial.data.stl10 import UNLABELLED
from vit_tutorial.files import user_path

STL10_URL = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
# bytes, of which the archive has 3.1: what unpacks to more is something else
UNPACKED = 4 * 10**9
CHUNK = 2**16  # bytes
# on the disk until all has arrived: the files, and the archive up to the last of them
GB_NEEDED = {False: 0.7, True: 5.8}
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def download_stl10(
    root: str | Path,
    url: str = STL10_URL,
    timeout: float = 30.0,
    retries: int = 5,
    wait: float = 1.0,
    unlabelled: bool = False,
) -> Path:
    """Fetch the labelled images of STL-10, and with `unlabelled` the 100,000 others,
    into root/stl10_binary and return that folder.

    The archive is 2.6 GB, nearly all of it unlabelled images behind the labelled ones,
    and is left as soon as the last file wanted is there. What has arrived is kept in a
    .part file; after a cut, in this call or in a later one, the rest is asked for. Each
    file is checked before it gets its name, and what cannot be checked is not taken.
    Files already there and right, also in `root` itself, are not fetched. `timeout`:
    seconds without data that count as a cut; `wait`: seconds before the first of
    `retries`, then doubled. Raises ConnectionError (network), ValueError (not the files
    expected, or another process at it) or OSError (disk), each with one line.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(
            f"{url!r} is no address of a file, expected http://... or https://..."
        )
    folder = _folder(user_path(root))
    part = _part(folder)
    missing = _missing(folder, unlabelled)
    if not missing:
        if unlabelled:  # a kill may have come before it was removed
            _forget(part)
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            _fetch(folder, missing, url, timeout, retries, wait)
            _forget(part)
    except OSError as error:
        if error.errno in DISK_FULL:
            needed = GB_NEEDED[unlabelled]
            raise OSError(
                f"{folder}: no space left on the disk, about {needed} GB are needed"
            ) from error
        raise
    return folder


def _fetch(
    folder: Path,
    missing: set[str],
    url: str,
    timeout: float,
    retries: int,
    wait: float,
) -> None:
    """Write the missing files into the folder. Raises what `download_stl10` does."""
    part = _part(folder)
    for _ in range(retries + 1):
        try:
            with closing(_Arriving(url, part, timeout, retries, wait)) as stream:
                _unpack(stream, folder, missing)
            return
        except _StartAnew:
            _forget(part)
        except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
            _forget(part)
            raise ValueError(
                f"{url} is damaged or no tar.gz archive ({error}): run the download"
                " again"
            ) from error
        except ValueError:  # what has arrived holds other files than STL-10's
            _forget(part)
            raise
    raise ConnectionError(
        f"{url}: was cut {retries + 1} times, and the server only sends it from the"
        " start"
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other downloads out of a folder: they would write into the same files.
    Raises ValueError when one is at work there. A disk that knows no locks keeps none
    out.
    """
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise ValueError(f"another process is downloading into {folder}") from error
    except (OSError, NotImplementedError):
        pass
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes it when it is released
            (folder / ".lock").unlink()
        lock.release()


def _folder(root: Path) -> Path:
    """Where the files belong: root/stl10_binary, unless `root` has them or is that
    folder itself.
    """
    inside = root / "stl10_binary"
    here = all((root / name).is_file() for name in _wanted(unlabelled=False))
    return (
        root
        if here or (root.resolve().name == "stl10_binary" and not inside.is_dir())
        else inside
    )


def _part(folder: Path) -> Path:
    """Where what has arrived of the archive is kept."""
    return folder / "stl10_binary.tar.gz.part"


def _wanted(unlabelled: bool) -> list[str]:
    """The files to fetch: the labelled ones, or all."""
    return [name for name in stl10.STL10_FILES if unlabelled or name != UNLABELLED]


def _missing(folder: Path, unlabelled: bool) -> set[str]:
    """The files wanted that are not there or not right."""
    missing = set()
    for name in _wanted(unlabelled):
        try:
            stl10.check_stl10_file(folder / name)
        except (FileNotFoundError, ValueError):
            missing.add(name)
    return missing


def _unpack(stream: "_Arriving", folder: Path, missing: set[str]) -> None:
    """Write the missing files of the archive, and stop reading it after the last one.
    Each is missing no longer as soon as it is written.
    """
    total = sum(stl10.STL10_FILES[name][0] for name in missing)
    with (
        tqdm(total=total, unit="B", unit_scale=True, desc="STL-10") as bar,
        # which reads on and on, and never back
        gzip.GzipFile(fileobj=cast(IO[bytes], stream), mode="rb") as archive,
    ):
        for name, size in _members(archive, stream.url):
            if name not in missing:
                continue
            if size != stl10.STL10_FILES[name][0]:
                raise ValueError(
                    f"{name} in {stream.url} has {size} bytes, expected"
                    f" {stl10.STL10_FILES[name][0]}"
                )
            bar.set_description(name)
            _write(archive, folder / name, bar)
            missing.discard(name)
            if not missing:
                return
    raise ValueError(f"{stream.url} ends without {', '.join(sorted(missing))}")


def _members(archive: BufferedIOBase, url: str) -> Iterator[tuple[str, int]]:
    """The files of an archive that is being read, name and bytes, each while `archive`
    stands at its beginning.

    Only the name: an archive does not say where to write. Members that tell more of
    another one (long names and the like), which `tarfile` would read into memory at any
    length, are passed over: the files wanted need none.
    """
    while header := _read(archive, tarfile.BLOCKSIZE):
        if not any(header):  # the end of the archive
            return
        member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        start = archive.tell()
        end = start + -(-member.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        if end > UNPACKED:
            raise ValueError(
                f"{url} unpacks to more than {UNPACKED / 1e9:g} GB, expected STL-10"
            )
        if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
            yield PurePosixPath(member.name).name, member.size
        while archive.tell() < end:
            _read(archive, min(CHUNK, end - archive.tell()))


def _read(archive: BufferedIOBase, count: int) -> bytes:
    """`count` bytes, or none at the end of the archive. Raises EOFError where it ends
    in between.
    """
    read = archive.read(count)
    if 0 < len(read) < count:
        raise EOFError("it ends early")
    return read


def _write(archive: BufferedIOBase, path: Path, bar: tqdm) -> None:
    """Copy one file out of the archive under a temporary name, check it, rename it."""
    temporary = path.with_name(path.name + ".tmp")
    left = stl10.STL10_FILES[path.name][0]
    try:
        with temporary.open("wb") as target:
            while left:
                chunk = _read(archive, min(CHUNK, left))
                if not chunk:
                    raise EOFError("it ends early")
                target.write(chunk)
                left -= len(chunk)
                bar.update(len(chunk))
        stl10.check_stl10_file(temporary, path.name)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _forget(part: Path) -> None:
    """Remove what has arrived, and the note beside it."""
    for path in (part, _note(part)):
        if path.exists():  # a disk that cannot be written to refuses in any case
            path.unlink()


def _note(part: Path) -> Path:
    """Where it is written down which version of the file has been arriving."""
    return part.with_name(part.name + ".json")


class _StartAnew(Exception):
    """What has arrived cannot be continued: the server has another file by now, or
    sends whole files only.
    """


class _Arriving:
    """The archive as a stream to read: first what an earlier try has kept, then the
    network, which is kept as well.
    """

    def __init__(
        self, url: str, part: Path, timeout: float, retries: int, wait: float
    ) -> None:
        self.url = url
        self.part = part
        self.timeout = timeout
        self.retries = retries
        self.wait = wait
        self.kept = part.open("a+b")
        self.kept.seek(0)
        self.position = 0
        self.length: int | None = None
        self.response: HTTPResponse | None = None
        self.answered = False  # whether the server ever answered

    def close(self) -> None:
        self.kept.close()
        if self.response is not None:
            self.response.close()

    def read(self, count: int) -> bytes:
        """At most `count` bytes; none at the end of the archive."""
        chunk = self.kept.read(count)
        if not chunk:
            chunk = self._receive(count)
            self.kept.write(chunk)
            self.kept.flush()
        self.position += len(chunk)
        return chunk

    def _receive(self, count: int) -> bytes:
        for attempt in range(self.retries + 1):
            if attempt:
                time.sleep(self.wait * 2 ** (attempt - 1))
            try:
                if self.response is None:
                    self.response, self.length = _ask(
                        self.url, self.part, self.position, self.timeout
                    )
                    self.answered = True
                chunk = (
                    self.response.read1(count) if self.position != self.length else b""
                )
                if chunk or self.length == self.position:
                    return chunk
                reason = "the connection was cut"
            except (OSError, HTTPException, ValueError) as error:
                # ValueError: an address that is none
                if getattr(error, "errno", None) in DISK_FULL:
                    raise
                reason = (
                    f"no data for {self.timeout:g} s"
                    if isinstance(error, TimeoutError)
                    else _reason(error)
                )
                final = (
                    error.code < 500
                    if isinstance(error, HTTPError)
                    else not self.answered
                )
                if final:
                    raise ConnectionError(f"{self.url}: {reason}") from error
            self.response = None
        kept = f"{self.position} bytes are kept, run the download again to go on"
        raise ConnectionError(
            f"{self.url}: {reason}, tried {self.retries + 1} times; {kept}"
        )


def _reason(error: Exception) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, HTTPError):
        return f"the server answers {error.code} {error.reason}"
    return str(getattr(error, "reason", error)) or type(error).__name__


def _ask(
    url: str, part: Path, position: int, timeout: float
) -> tuple[HTTPResponse, int | None]:
    """Ask for the file from `position` on, if it is still the one noted beside `part`;
    its whole length where known.

    Raises _StartAnew when the answer does not go on where `part` ends (RFC 9110,
    sections 13.1.5 and 14.4).
    """
    note = _read_note(part)
    headers = {"Range": f"bytes={position}-"} if position else {}
    if position and note.get("version"):
        headers["If-Range"] = note["version"]
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=timeout
        )
    except HTTPError as error:
        if error.code == 416:  # the file ends before `position`
            raise _StartAnew from error
        raise
    if position:
        span, _, length = response.headers.get("Content-Range", "").partition("/")
        length = _count(length)
        # it was not told, and the version alone vouches for the file
        if note.get("length") is None:
            same = bool(note.get("version"))
        else:
            same = note["length"] == length
        same = same and note.get("url") == url
        if (
            response.status != 206
            or not span.startswith(f"bytes {position}-")
            or not same
        ):
            response.close()
            raise _StartAnew
        return response, length
    length = _count(response.headers.get("Content-Length", ""))
    tag = response.headers.get("ETag", "")
    # weak tags do not do
    version = (
        response.headers.get("Last-Modified")
        if not tag or tag.startswith("W/")
        else tag
    )
    _note(part).write_text(
        json.dumps({"url": url, "version": version, "length": length}), encoding="utf-8"
    )
    return response, length


def _read_note(part: Path) -> dict:
    """The note beside `part`; empty where there is none, or anything else but one."""
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    if not isinstance(note, dict) or not isinstance(note.get("version"), str | None):
        return {}
    # it becomes a line of a request
    return {} if re.search(r"[^ -~]", note.get("version") or "") else note


def _count(text: str) -> int | None:
    """The number of bytes that a server tells; None where that is no number."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text.strip()) else None
