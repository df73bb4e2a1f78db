"""What is noted of a solved exercise, where, and how it is shown."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from vit_tutorial import checks
from vit_tutorial.checks import notes
from vit_tutorial.checks.harness import NotSolved, checked
from vit_tutorial.checks.notes import Exercise, Progress

BOOK = [
    Exercise("patchify", "01 Patches", "01_p.ipynb", "Cut (8 minutes)", "Cut", 8, 1),
    Exercise("even", "01 Patches", "01_p.ipynb", "Is it < 2?", "Is it < 2?", 4, 2),
    Exercise("attend", "03 Attention", "03_a.ipynb", "Attend", "Attend", 12, 3),
    Exercise("my_vit", "06 Training", "06_t.ipynb", "The capstone", "Capstone", 0, 0),
]


@checked
def even(answer):
    if answer % 2:
        raise NotSolved("odd")
    return "no rest"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lab(folder):
    entries = [asdict(exercise) for exercise in BOOK]
    (folder / ".exercises.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def solved_at(**times: str) -> Progress:
    return Progress(
        BOOK, {name: datetime.fromisoformat(time) for name, time in times.items()}
    )


def test_what_is_solved_in_a_lab_is_noted_once(lab):
    start = datetime.now().replace(microsecond=0)
    result = even(4)
    assert result.ok and result.message == "solved: no rest"
    assert repr(result) == (
        "solved: no rest (noted, 1 of 4: check.progress() shows where you are)"
    )
    assert files(lab) == {".exercises.json", ".solved", ".solved/even"}
    text = (lab / ".solved" / "even").read_text(encoding="utf-8")
    assert start <= datetime.fromisoformat(text.strip()) <= datetime.now()
    day_before = (start - timedelta(days=1)).isoformat()
    (lab / ".solved" / "even").write_text(day_before, encoding="utf-8")
    assert repr(even(6)) == "solved: no rest"
    assert (lab / ".solved" / "even").read_text(encoding="utf-8") == day_before
    assert not even(3) and checks.progress().solved == {
        "even": datetime.fromisoformat(day_before)
    }


def test_what_is_not_solved_is_not_noted(lab):
    assert not even(3) and not even("?")
    assert files(lab) == {".exercises.json"}


def test_the_checks_of_the_book_are_noted_by_their_names(lab):
    def cut(images, patch_size):
        walked = images.unfold(2, patch_size, patch_size)
        walked = walked.unfold(3, patch_size, patch_size)
        return walked.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)

    assert checks.patchify(cut).noted and "patchify" in checks.progress().solved
    assert {getattr(checks, name).__name__ for name in checks.__all__} == set(
        checks.__all__
    )


@pytest.mark.parametrize(
    "listed",
    [
        None,
        b"",
        b"{",
        b"\xff",
        b"3",
        b'["even"]',
        b'{"even": 1}',
        b'[{"check": "even"}]',
        json.dumps([asdict(BOOK[1]) | {"check": ["even"]}]).encode(),
        json.dumps([asdict(BOOK[1]) | {"title": 3}]).encode(),
        json.dumps([asdict(BOOK[1]) | {"minutes": "ten"}]).encode(),
        json.dumps([asdict(BOOK[1]) | {"stars": 4}]).encode(),
        json.dumps([asdict(BOOK[1]) | {"stars": [1]}]).encode(),
    ],
)
def test_without_a_list_of_exercises_nothing_is_written(folder, listed):
    if listed is not None:
        (folder / ".exercises.json").write_bytes(listed)
    before = files(folder)
    result = even(2)
    assert result.ok and repr(result) == result.message == "solved: no rest"
    assert files(folder) == before
    shown = checks.progress()
    assert repr(shown).startswith("nothing is kept here") and "\n" not in repr(shown)
    assert shown._repr_html_() is None


def test_a_check_that_is_no_exercise_of_the_book_is_not_noted(lab):
    (lab / ".exercises.json").write_text(
        json.dumps([asdict(BOOK[0])]), encoding="utf-8"
    )
    assert even(2).ok and files(lab) == {".exercises.json"}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"yesterday", b"2026-02-30"])
def test_a_note_that_cannot_be_read_is_none_and_is_mended(lab, content):
    (lab / ".solved").mkdir()
    (lab / ".solved" / "even").write_bytes(content)
    (lab / ".solved" / "something else").write_bytes(b"mine")
    assert checks.progress().count == "0 of 4"
    assert "1 of 4" in even(2).noted and checks.progress().count == "1 of 4"


@pytest.mark.parametrize("text", ["2026-02-03", "2026-02-03T04:05:06+07:00 \n"])
def test_a_note_may_be_written_by_hand(lab, text):
    even(2)
    (lab / ".solved" / "attend").write_text(text, encoding="utf-8")
    shown = checks.progress()
    assert shown.count == "2 of 4" and "✓ 2026-02-03" in repr(shown)
    assert shown.upcoming == BOOK[3]  # after the later of the two


def test_where_a_note_cannot_be_written_the_answer_is_right_all_the_same(
    lab, monkeypatch
):
    (lab / ".solved").write_bytes(b"a file, no folder")
    assert repr(even(2)) == "solved: no rest"
    (lab / ".solved").unlink()
    (lab / ".solved" / "even").mkdir(parents=True)
    assert repr(even(2)) == "solved: no rest" and checks.progress().count == "0 of 4"

    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    (lab / ".solved" / "even").rmdir()
    monkeypatch.setattr(notes, "write_file", full)
    assert repr(even(2)) == "solved: no rest" and not list((lab / ".solved").iterdir())


def test_a_note_is_whole_or_not_there(lab, monkeypatch):
    def cut(part, path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", cut)
        with pytest.raises(KeyboardInterrupt):
            even(2)
    assert files(lab) == {".exercises.json", ".solved"}


def test_several_notebooks_note_at_once(lab):
    names = [f"check_{number}" for number in range(40)]
    book = [asdict(BOOK[0]) | {"check": name} for name in names]
    (lab / ".exercises.json").write_text(json.dumps(book), encoding="utf-8")
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(notes.note, names))
    assert set(checks.progress().solved) == set(names)


@pytest.mark.parametrize(
    ("times", "upcoming"),
    [
        ({}, "patchify"),
        ({"patchify": "2026-01-01"}, "even"),
        # one was left out, and is not called back
        ({"even": "2026-01-01"}, "attend"),
        ({"attend": "2026-01-01", "patchify": "2026-01-02"}, "even"),
        # all in one second, as when a notebook is run from top to bottom
        ({"patchify": "2026-01-01", "attend": "2026-01-01"}, "my_vit"),
        ({"my_vit": "2026-01-01"}, "patchify"),
        # of a chapter that was taken out of the book
        ({"gone": "2026-01-09", "patchify": "2026-01-01"}, "even"),
        (dict.fromkeys(("patchify", "even", "attend", "my_vit"), "2026-01-01"), None),
    ],
)
def test_the_next_exercise_is_the_first_open_one_after_the_last_that_was_solved(
    times, upcoming
):
    found = solved_at(**times).upcoming
    assert (found and found.check) == upcoming


def test_progress_is_lines_in_a_shell():
    lines = repr(solved_at(patchify="2026-03-04 05:06", gone="2026-01-01")).splitlines()
    assert lines[:9] == [
        "1 of 4 exercises solved",
        "",
        "01 Patches",
        "  ✓ 2026-03-04  Cut",
        "> 4 min ★★      Is it < 2?",
        "",
        "03 Attention",
        "  12 min ★★★    Attend",
        "",
    ]
    assert "  open          Capstone" in lines
    assert "on this disk and nowhere else" in lines[-1]


def test_progress_is_a_table_with_links_in_a_notebook():
    html = solved_at(patchify="2026-03-04")._repr_html_()
    rows = re.findall(r"<tr>(.*?)</tr>", html)
    cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row) for row in rows]
    assert [len(row) for row in cells] == [3, 2, 2]
    assert cells[0] == [
        '<a href="01_p.ipynb">01 Patches</a>',
        '<a href="01_p.ipynb#heading=Cut-(8-minutes)">Cut</a><br>✓ 2026-03-04',
        '<a href="01_p.ipynb#heading=Is-it-&lt;-2?">Is it &lt; 2?</a>'
        "<br><b>next: 4 min ★★</b>",
    ]
    assert re.sub("<.*?>", "", html.partition("<table>")[0]) == (
        "1 of 4 exercises solved. Next: Is it &lt; 2? (4 min ★★), in 01 Patches."
    )
    done = Progress(BOOK, dict.fromkeys((one.check for one in BOOK), datetime.now()))
    assert "4 of 4" in done._repr_html_() and "ext: " not in done._repr_html_()
