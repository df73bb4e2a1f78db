import gzip
import socket
from pathlib import Path

import pytest
import servers
from servers import (
    ARCHIVE,
    CONTENTS,
    assert_complete,
    fetch,
    make_archive,
    random_bytes,
)

from vit_tutorial.data.stl10_download import download_stl10

server = servers.server


def test_it_stops_after_the_last_labelled_file_and_does_nothing_the_second_time(
    tmp_path, server
):
    folder = fetch(tmp_path, server)
    assert folder == tmp_path / "stl10_binary"
    assert_complete(folder)
    assert fetch(tmp_path, server) == folder
    assert server.asked == [None]


def test_the_unlabelled_images_are_not_fetched(tmp_path, server):
    # Larger than what sockets hold between a server and a client that has stopped to
    # read.
    server.content = make_archive(
        CONTENTS | {"unlabeled_X.bin": bytes(30_000_000)}, compresslevel=0
    )
    assert_complete(fetch(tmp_path, server))
    assert server.sent < 15_000_000


def test_a_cut_is_resumed_in_the_same_call(tmp_path, server):
    server.cuts = 2
    assert_complete(fetch(tmp_path, server))
    assert server.asked == [None, "bytes=150000-", "bytes=300000-"]


def test_a_cut_is_resumed_by_the_next_call(tmp_path, server):
    server.cuts = 1
    with pytest.raises(ConnectionError, match="150000 bytes are kept") as error:
        fetch(tmp_path, server, retries=0)
    assert server.url in str(error.value) and "\n" not in str(error.value)
    assert_complete(fetch(tmp_path, server))
    assert server.asked == [None, "bytes=150000-"]


def test_a_stalled_server_counts_as_a_cut(tmp_path, server):
    server.cuts = 2
    server.stall = True
    with pytest.raises(
        ConnectionError, match=r"no data for 0.2 s.*150000 bytes are kept"
    ):
        fetch(tmp_path, server, retries=0, timeout=0.2)
    assert_complete(fetch(tmp_path, server, timeout=0.2))
    assert server.asked == [None, "bytes=150000-", "bytes=300000-"]


def test_a_server_that_ignores_ranges_starts_anew(tmp_path, server):
    server.cuts = 1
    server.ranges = False
    assert_complete(fetch(tmp_path, server))
    assert server.asked[:2] == [None, "bytes=150000-"] and server.asked[-1] is None


def test_a_server_that_ignores_ranges_and_is_always_cut_is_given_up(tmp_path, server):
    server.cuts = 100
    server.ranges = False
    with pytest.raises(ConnectionError, match="only sends it from the start"):
        fetch(tmp_path, server)


@pytest.mark.parametrize(
    "tag", ['"two"', ""], ids=["another ETag", "another length and no ETag"]
)
def test_a_file_that_has_changed_on_the_server_starts_anew(tmp_path, server, tag):
    server.content = make_archive(CONTENTS | {"class_names.txt": b"old\n" * 500})
    server.cuts = 1
    server.tag = '"one"' if tag else ""
    with pytest.raises(ConnectionError):
        fetch(tmp_path, server, retries=0)
    server.content = ARCHIVE
    server.tag = tag
    assert_complete(fetch(tmp_path, server))


def changed(name: str, content: bytes) -> bytes:
    return make_archive(CONTENTS | {name: content})


@pytest.mark.parametrize(
    "content, message",
    [
        (
            changed("train_X.bin", random_bytes(7, 200_000)),
            "train_X.bin.*has MD5 .*expected",
        ),
        (
            changed("test_X.bin", random_bytes(7, 100)),
            "test_X.bin in .* has 100 bytes, expected 200000",
        ),
        (ARCHIVE[:200_000] + bytes(1000) + ARCHIVE[201_000:], "is damaged|has MD5"),
        (gzip.decompress(ARCHIVE)[:300_000], "is damaged or no tar.gz"),
        (b"<html>moved</html>", "is damaged or no tar.gz"),
        (ARCHIVE[:300_000], "is damaged or no tar.gz|ends without"),
        (
            make_archive({"class_names.txt": b"cat\n"}),
            "ends without test_X.bin, test_y.bin, train_X.bin, train_y.bin",
        ),
    ],
    ids=[
        "wrong checksum",
        "wrong length",
        "broken gzip",
        "no gzip",
        "a web page",
        "ends early",
        "no images",
    ],
)
def test_a_wrong_archive_is_refused_and_the_right_one_accepted_afterwards(
    tmp_path, server, content, message
):
    server.content = content
    with pytest.raises(ValueError, match=message) as error:
        fetch(tmp_path, server)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "stl10_binary").glob("*.tmp")) and not list(
        (tmp_path / "stl10_binary").glob("*.part*")
    )
    server.content = ARCHIVE
    assert_complete(fetch(tmp_path, server))


def test_a_damaged_file_is_fetched_again(tmp_path, server):
    folder = fetch(tmp_path, server)
    (folder / "train_y.bin").write_bytes(bytes(50))
    assert_complete(fetch(tmp_path, server))


def test_names_in_the_archive_do_not_lead_out_of_the_folder(tmp_path, server):
    server.content = make_archive(
        {"../../escaped.txt": b"out", "../../class_names.txt": b"cat\ndog\n"} | CONTENTS
    )
    assert_complete(fetch(tmp_path / "a" / "b", server))
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and not (
        tmp_path / "a" / "escaped.txt"
    ).exists()


@pytest.mark.parametrize(
    "status, message", [(404, "404"), (503, "503 .*tried 3 times")]
)
def test_a_server_that_refuses_is_named(tmp_path, server, status, message):
    server.status = status
    with pytest.raises(ConnectionError, match=message):
        fetch(tmp_path, server, retries=2)


def test_a_refused_connection_is_told_at_once(tmp_path, server):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/stl10_binary.tar.gz"
        with pytest.raises(ConnectionError, match="refused") as error:
            download_stl10(tmp_path, url, timeout=2, wait=60)
    assert url in str(error.value)


def test_a_mistyped_address_is_told_and_what_has_arrived_is_kept(tmp_path, server):
    server.cuts = 1
    with pytest.raises(ConnectionError):
        fetch(tmp_path, server, retries=0)
    with pytest.raises(
        ValueError, match="'stl10.tar.gz' is no address of a file, expected http"
    ):
        download_stl10(tmp_path, "stl10.tar.gz")
    assert_complete(fetch(tmp_path, server))
    assert server.asked == [None, "bytes=150000-"]


def test_what_has_arrived_without_a_note_of_its_version_is_not_trusted(
    tmp_path, server
):
    server.cuts = 1
    with pytest.raises(ConnectionError):
        fetch(tmp_path, server, retries=0)
    (tmp_path / "stl10_binary" / "stl10_binary.tar.gz.part.json").write_text(
        "{", encoding="utf-8"
    )
    assert_complete(fetch(tmp_path, server))
    assert server.asked[-1] is None


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="the system has no /dev/full"
)
def test_a_full_disk_is_told(tmp_path, server):
    (tmp_path / "stl10_binary").mkdir()
    (tmp_path / "stl10_binary" / "test_X.bin.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError, match="no space left on the disk"):
        fetch(tmp_path, server)
