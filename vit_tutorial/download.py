"""Fetch the labelled part of STL-10: a stream that is resumed after a cut and stopped after the last file needed."""

import errno
import json
import os
import tarfile
import time
import urllib.request
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from pathlib import Path, PurePosixPath
from urllib.error import HTTPError

from tqdm import tqdm

from vit_tutorial import data

STL10_URL = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
TEXTS = ("class_names.txt", "fold_indices.txt")  # taken where they come before the last of the labelled files
CHUNK = 2**16  # bytes
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def download_stl10(
    root: str | Path, url: str = STL10_URL, timeout: float = 30.0, retries: int = 5, wait: float = 1.0
) -> Path:
    """Fetch the labelled images of STL-10 into root/stl10_binary and return that folder.

    The archive is 2.6 GB, nearly all of it unlabelled images behind the labelled ones, and is left as soon as these
    have arrived. What has arrived is kept in a .part file; after a cut, in this call or in a later one, the rest is
    asked for. Each file is checked before it gets its name. Files already there and right: nothing is fetched.
    `timeout`: seconds without data that count as a cut; `wait`: seconds before the first of `retries`, then doubled.
    Raises ConnectionError (network), ValueError (not the files expected) or OSError (disk), each with one line.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is no address of a file, expected http://... or https://...")
    folder = Path(root) / "stl10_binary"
    if not _missing(folder):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / "stl10_binary.tar.gz.part"
        for _ in range(retries + 1):
            try:
                with closing(_Arriving(url, part, timeout, retries, wait)) as stream:
                    _unpack(stream, folder)
                break
            except _StartAnew:
                _forget(part)
            except (tarfile.TarError, EOFError) as error:
                _forget(part)
                raise ValueError(f"{url} is damaged or no tar.gz archive ({error}): run the download again") from error
            except ValueError:
                _forget(part)
                raise
        else:
            raise ConnectionError(f"{url}: was cut {retries + 1} times, and the server only sends it from the start")
        _forget(part)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise OSError(f"{folder}: no space left on the disk, about 0.7 GB are needed") from error
        raise
    return folder


def _missing(folder: Path) -> set[str]:
    """The labelled files that are not there or not right."""
    missing = set()
    for name in data.STL10_FILES:
        try:
            data.check_stl10_file(folder / name)
        except (FileNotFoundError, ValueError):
            missing.add(name)
    return missing


def _unpack(stream: "_Arriving", folder: Path) -> None:
    """Write the labelled files of the archive, and stop reading it after the last one."""
    missing = _missing(folder)
    total = sum(data.STL10_FILES[name][0] for name in missing)
    with (
        tqdm(total=total, unit="B", unit_scale=True, desc="STL-10") as bar,
        tarfile.open(fileobj=stream, mode="r|gz", bufsize=CHUNK) as archive,
    ):
        for member in archive:
            name = PurePosixPath(member.name).name  # only the name: an archive does not say where to write
            if not member.isfile() or name not in (*missing, *TEXTS):
                continue
            expected = data.STL10_FILES[name][0] if name in missing else min(member.size, 10**6)
            if member.size != expected:
                raise ValueError(f"{name} in {stream.url} has {member.size} bytes, expected {expected}")
            bar.set_description(name)
            _write(archive, member, folder / name, bar if name in missing else None)
            missing.discard(name)
            if not missing:
                return
    raise ValueError(f"{stream.url} ends without {', '.join(sorted(missing))}")


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, bar: tqdm | None) -> None:
    """Copy one file out of the archive under a temporary name, check it, rename it."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with archive.extractfile(member) as source, temporary.open("wb") as target:
            while chunk := source.read(CHUNK):
                target.write(chunk)
                if bar is not None:
                    bar.update(len(chunk))
        if path.name in data.STL10_FILES:
            data.check_stl10_file(temporary, path.name)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _forget(part: Path) -> None:
    """Remove what has arrived, and the note beside it."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _note(part: Path) -> Path:
    """Where it is written down which version of the file has been arriving."""
    return part.with_name(part.name + ".json")


class _StartAnew(Exception):
    """What has arrived cannot be continued: the server has another file by now, or sends whole files only."""


class _Arriving:
    """The archive as a stream to read: first what an earlier try has kept, then the network, which is kept as well."""

    def __init__(self, url: str, part: Path, timeout: float, retries: int, wait: float) -> None:
        self.url, self.part, self.timeout, self.retries, self.wait = url, part, timeout, retries, wait
        self.kept = part.open("a+b")
        self.kept.seek(0)
        self.position, self.length = 0, None  # bytes
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
                    self.response, self.length = _ask(self.url, self.part, self.position, self.timeout)
                    self.answered = True
                chunk = self.response.read1(count) if self.position != self.length else b""
                if chunk or self.length in (None, self.position):
                    return chunk
                reason = "the connection was cut"
            except (OSError, HTTPException) as error:
                if getattr(error, "errno", None) in DISK_FULL:
                    raise
                reason = f"no data for {self.timeout:g} s" if isinstance(error, TimeoutError) else _reason(error)
                final = error.code < 500 if isinstance(error, HTTPError) else not self.answered
                if final:
                    raise ConnectionError(f"{self.url}: {reason}") from error
            self.response = None
        kept = f"{self.position} bytes are kept, run the download again to go on"
        raise ConnectionError(f"{self.url}: {reason}, tried {self.retries + 1} times; {kept}")


def _reason(error: Exception) -> str:
    """What went wrong, in a few words."""
    if isinstance(error, HTTPError):
        return f"the server answers {error.code} {error.reason}"
    return str(getattr(error, "reason", error)) or type(error).__name__


def _ask(url: str, part: Path, position: int, timeout: float) -> tuple[HTTPResponse, int | None]:
    """Ask for the file from `position` on, if it is still the one noted beside `part`; its whole length where known.

    Raises _StartAnew when the answer does not go on where `part` ends (RFC 9110, sections 13.1.5 and 14.4).
    """
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        note = {}
    headers = {"Range": f"bytes={position}-"} if position else {}
    if position and note.get("version"):
        headers["If-Range"] = note["version"]
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        if error.code == 416:  # the file ends before `position`
            raise _StartAnew from error
        raise
    if position:
        span, _, length = response.headers.get("Content-Range", "").partition("/")
        same = note.get("url") == url and str(note.get("length")) == length
        if response.status != 206 or not span.startswith(f"bytes {position}-") or not same:
            response.close()
            raise _StartAnew
        return response, int(length)
    length = response.headers.get("Content-Length")
    length = None if length is None else int(length)
    tag = response.headers.get("ETag", "")
    version = response.headers.get("Last-Modified") if not tag or tag.startswith("W/") else tag  # weak tags do not do
    _note(part).write_text(json.dumps({"url": url, "version": version, "length": length}), encoding="utf-8")
    return response, length
