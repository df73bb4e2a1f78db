"""What servers, archives and folders should not hold, and do."""

import gzip
import io
import tarfile
import tracemalloc
from pathlib import Path

import pytest
import servers
from filelock import FileLock
from servers import ARCHIVE, NAMES, assert_complete, fetch

from vit_tutorial.data.stl10_download import download_stl10

server = servers.server


@pytest.mark.parametrize("length", ["abc", "-5", "1e6", "", "9" * 5000, "\u00b2"])
def test_a_length_that_is_none_costs_nothing_that_has_arrived(tmp_path, server, length):
    server.length = length or " "
    server.cuts = 1
    with pytest.raises(ConnectionError, match="150000 bytes are kept"):
        fetch(tmp_path, server, retries=0)
    assert_complete(fetch(tmp_path, server))
    assert server.asked == [None, "bytes=150000-"]


@pytest.mark.parametrize(
    "note",
    [
        "[]",
        '"text"',
        "3",
        "null",
        "[" * 100_000,
        '{"version": 3}',
        '{"version": "a\\nb"}',
        '{"version": "\\u732b"}',
        "\ud800",
    ],
    ids=[
        "a list",
        "text",
        "a number",
        "null",
        "deep",
        "a number as version",
        "two lines",
        "no Latin",
        "no UTF-8",
    ],
)
def test_a_note_that_is_none_starts_anew(tmp_path, server, note):
    server.cuts = 1
    with pytest.raises(ConnectionError):
        fetch(tmp_path, server, retries=0)
    path = tmp_path / "stl10_binary" / "stl10_binary.tar.gz.part.json"
    path.write_bytes(note.encode("utf-8", "surrogatepass"))
    assert_complete(fetch(tmp_path, server))
    assert server.asked[-1] is None


@pytest.mark.parametrize(
    "url",
    [
        "http://[",
        "http://",
        "http://a b/c",
        "http://127.0.0.1:port/",
        "http://\u00e9/\u00e9",
    ],
)
def test_an_address_that_leads_nowhere_costs_nothing_that_has_arrived(
    tmp_path, server, url
):
    server.cuts = 1
    with pytest.raises(ConnectionError):
        fetch(tmp_path, server, retries=0)
    with pytest.raises(ConnectionError) as error:
        download_stl10(tmp_path, url, timeout=2, wait=60)
    assert str(error.value).startswith(url) and "\n" not in str(error.value)
    assert_complete(fetch(tmp_path, server))
    assert server.asked == [None, "bytes=150000-"]


def bomb(kind: bytes, size: int) -> bytes:
    """An archive whose first member is a header of zeros, as long as is said; a
    thousandth of that when packed.
    """
    member = tarfile.TarInfo("stl10_binary/long")
    member.type = kind
    member.size = size
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        file.write(
            member.tobuf(tarfile.USTAR_FORMAT if size < 8**11 else tarfile.GNU_FORMAT)
        )
        for _ in range(min(size, 64_000_000) // 1_000_000):
            file.write(bytes(1_000_000))
        file.write(gzip.decompress(ARCHIVE))
    return packed.getvalue()


KINDS = [
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.GNUTYPE_SPARSE,
    tarfile.REGTYPE,
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_header_of_zeros_fills_no_memory(tmp_path, server, kind):
    server.content = bomb(kind, 64_000_000)
    tracemalloc.start()
    try:
        assert_complete(fetch(tmp_path, server))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_what_unpacks_without_end_is_refused(tmp_path, server, kind):
    server.content = bomb(kind, 10**18)
    with pytest.raises(ValueError, match="unpacks to more than 4 GB, expected STL-10"):
        fetch(tmp_path, server)
    assert not list((tmp_path / "stl10_binary").iterdir())


def test_many_empty_members_have_an_end(tmp_path, server, monkeypatch):
    monkeypatch.setattr("vit_tutorial.data.stl10_download.UNPACKED", 10**5)
    server.content = gzip.compress(tarfile.TarInfo("empty").tobuf() * 1000)
    with pytest.raises(ValueError, match="unpacks to more than"):
        fetch(tmp_path, server)


@pytest.mark.parametrize("below", ["stl10_binary", "pictures"])
def test_files_that_lie_in_the_root_itself_are_not_fetched_again(
    tmp_path, server, below
):
    folder = fetch(tmp_path, server).rename(tmp_path / below)
    assert fetch(folder, server) == folder
    assert server.asked == [None] and sorted(
        path.name for path in folder.iterdir()
    ) == sorted(NAMES)


def test_a_download_one_level_too_deep_goes_where_it_belongs(
    tmp_path, server, monkeypatch
):
    (tmp_path / "stl10_binary").mkdir()
    monkeypatch.chdir(tmp_path / "stl10_binary")
    assert_complete(fetch(Path("."), server))
    assert fetch(tmp_path, server) == tmp_path / "stl10_binary"
    assert len(server.asked) == 1


def test_a_root_in_the_home_folder(tmp_path, server, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert fetch("~/data", server) == tmp_path / "data" / "stl10_binary"


def test_one_folder_takes_one_download(tmp_path, server):
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    with (
        FileLock(folder / ".lock"),
        pytest.raises(ValueError, match="another process is downloading into .*binary"),
    ):
        fetch(tmp_path, server)
    assert not server.asked
    assert_complete(fetch(tmp_path, server))  # and no lock is left


def test_a_disk_without_locks_takes_a_download(tmp_path, server, monkeypatch):
    def fail(self):
        raise OSError("No locks available")

    monkeypatch.setattr(FileLock, "acquire", fail)
    assert_complete(fetch(tmp_path, server))
