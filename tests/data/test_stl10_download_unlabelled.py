"""The images of STL-10 without labels are fetched behind the others, when asked for."""

import hashlib
from pathlib import Path

import pytest
import servers
from servers import CONTENTS, NAMES, assert_complete, fetch

from vit_tutorial.data import stl10

server = servers.server
UNLABELLED = "unlabeled_X.bin"
EVERYTHING = {name: CONTENTS[name] for name in (*NAMES, UNLABELLED)}


@pytest.fixture
def whole(server, monkeypatch):
    """The server, whose last file, too, is known."""
    content = CONTENTS[UNLABELLED]
    known = len(content), hashlib.md5(content).hexdigest()
    monkeypatch.setitem(stl10.STL10_FILES, UNLABELLED, known)
    return server


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_last_file_is_fetched_when_asked_for_and_only_then(tmp_path, whole):
    folder = fetch(tmp_path, whole)
    assert_complete(folder)
    assert whole.asked == [None]
    assert fetch(tmp_path, whole, unlabelled=True) == folder
    assert files_of(folder) == EVERYTHING and whole.asked == [None, None]
    for unlabelled in (True, False):
        fetch(tmp_path, whole, unlabelled=unlabelled)
    assert len(whole.asked) == 2


def test_the_labelled_files_that_are_there_are_left_alone(tmp_path, whole):
    folder = fetch(tmp_path, whole)
    before = {name: (folder / name).stat().st_mtime_ns for name in NAMES}
    fetch(tmp_path, whole, unlabelled=True)
    assert before == {name: (folder / name).stat().st_mtime_ns for name in NAMES}


def test_all_files_are_fetched_in_one_go_through_cuts(tmp_path, whole):
    whole.cuts = 2
    whole.after = 1_500_000  # in the last file
    folder = fetch(tmp_path, whole, unlabelled=True)
    assert files_of(folder) == EVERYTHING
    assert whole.asked == [None, "bytes=1500000-", "bytes=3000000-"]


def test_a_cut_in_the_last_file_leaves_nothing_half_written(tmp_path, whole):
    whole.cuts = 1
    whole.after = 1_500_000
    with pytest.raises(ConnectionError, match="1500000 bytes are kept"):
        fetch(tmp_path, whole, unlabelled=True, retries=0)
    archive = "stl10_binary.tar.gz.part"
    there = files_of(tmp_path / "stl10_binary")
    assert there.keys() == {*NAMES, archive, f"{archive}.json"}
    # without the flag everything is there, and what has arrived stays
    fetch(tmp_path, whole)
    assert files_of(tmp_path / "stl10_binary") == there
    folder = fetch(tmp_path, whole, unlabelled=True)
    assert files_of(folder) == EVERYTHING
    assert whole.asked == [None, "bytes=1500000-"]


def test_what_a_kill_left_behind_the_last_file_is_removed(tmp_path, whole):
    folder = fetch(tmp_path, whole, unlabelled=True)
    for name in ("stl10_binary.tar.gz.part", "stl10_binary.tar.gz.part.json"):
        (folder / name).write_bytes(b"{}")
        fetch(tmp_path, whole, unlabelled=True)
        assert files_of(folder) == EVERYTHING


def test_files_that_lie_in_the_root_itself_are_joined_there(tmp_path, whole):
    folder = fetch(tmp_path, whole).rename(tmp_path / "pictures")
    assert fetch(folder, whole, unlabelled=True) == folder
    assert files_of(folder) == EVERYTHING


def test_a_damaged_last_file_is_refused_and_fetched_again(tmp_path, whole):
    good = whole.content
    damaged = CONTENTS | {UNLABELLED: bytes(3_000_000)}
    whole.content = servers.make_archive(damaged)
    with pytest.raises(ValueError, match=f"{UNLABELLED}.*has MD5 .*expected"):
        fetch(tmp_path, whole, unlabelled=True)
    assert_complete(tmp_path / "stl10_binary")
    lacking = {name: CONTENTS[name] for name in CONTENTS if name != UNLABELLED}
    whole.content = servers.make_archive(lacking)
    with pytest.raises(ValueError, match=f"ends without {UNLABELLED}$"):
        fetch(tmp_path, whole, unlabelled=True)
    whole.content = good
    path = tmp_path / "stl10_binary" / UNLABELLED
    path.write_bytes(bytes(3_000_000))  # as long, and other bytes
    fetch(tmp_path, whole, unlabelled=True)
    assert path.read_bytes() == CONTENTS[UNLABELLED]


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="the system has no /dev/full"
)
@pytest.mark.parametrize(
    ("unlabelled", "full", "needed"),
    [(False, "train_X.bin", "0.7"), (True, UNLABELLED, "5.8")],
)
def test_a_full_disk_is_told_with_what_is_needed(
    tmp_path, whole, unlabelled, full, needed
):
    (tmp_path / "stl10_binary").mkdir()
    (tmp_path / "stl10_binary" / f"{full}.tmp").symlink_to("/dev/full")
    with pytest.raises(
        OSError, match=f"no space left on the disk, about {needed} GB are needed"
    ):
        fetch(tmp_path, whole, unlabelled=unlabelled)


def test_the_official_file_is_the_one_that_torchvision_knows():
    torchvision = pytest.importorskip("torchvision.datasets")
    checksums = dict(torchvision.STL10.train_list + torchvision.STL10.test_list)
    checksums = {name: checksums[name] for name in stl10.STL10_FILES}
    assert checksums == {name: md5 for name, (_, md5) in stl10.STL10_FILES.items()}
    assert stl10.STL10_FILES[UNLABELLED][0] == 100_000 * 27_648
