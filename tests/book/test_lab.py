import hashlib
import json
import os
import re
import shutil
import tomllib
from pathlib import Path
from types import SimpleNamespace

import execute
import jupyterlab
import lab
import nbformat
import pytest
from execute import WIDGET, tidy
from nbformat import NotebookNode
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)

from vit_tutorial import checks
from vit_tutorial.checks import notes

ROOT = Path(__file__).parents[2]
PAIR = {"formats": "md:myst,ipynb"}


@pytest.fixture
def folders(tmp_path):
    """Chapters as they come, two of them, and the place for the copies."""
    source = tmp_path / "notebooks"
    (source / "figures").mkdir(parents=True)
    for name in ("01_one", "02_two"):
        publish(source, name, "first")
    (source / "my_vit.py").write_text("blank", encoding="utf-8")
    return source, tmp_path / "lab"


def publish(source, name, text):
    """A chapter as it lies in notebooks/, or lay there: paired with its text."""
    notebook = new_notebook(
        cells=[new_markdown_cell(text, id="only")], metadata={"jupytext": PAIR}
    )
    nbformat.write(notebook, source / f"{name}.ipynb")


def texts(target):
    return [
        nbformat.read(path, 4).cells[0].source
        for path in sorted(target.glob("*.ipynb"))
    ]


def work_on(copy, before="first"):
    copy.write_bytes(copy.read_bytes().replace(before.encode(), b"mine"))


def test_a_copy_that_was_worked_on_stays(folders):
    source, target = folders
    assert lab.copy_chapters(source, target) == []
    work_on(target / "01_one.ipynb")
    (target / "my_vit.py").write_text("mine, too", encoding="utf-8")
    # it is newer, but the chapter is the same
    assert lab.copy_chapters(source, target) == []
    for name in ("01_one", "02_two", "03_three"):
        publish(source, name, "second")
    (source / "figures" / "block.svg").write_text("<svg/>", encoding="utf-8")
    assert lab.copy_chapters(source, target) == ["01_one.ipynb"]
    assert texts(target) == ["mine", "second", "second"]
    assert (target / "my_vit.py").read_text(encoding="utf-8") == "mine, too"
    assert (target / "figures" / "block.svg").read_text(encoding="utf-8") == "<svg/>"


def test_copies_stand_alone(folders):
    """jupytext would write a text beside a paired copy, and refuse the next chapter of
    that name because of it.
    """
    source, target = folders
    lab.copy_chapters(source, target)
    copies = [nbformat.read(path, 4) for path in target.glob("*.ipynb")]
    assert copies and not [copy for copy in copies if "jupytext" in copy.metadata]
    assert (
        "jupytext"
        not in execute.read_text(
            sorted((ROOT / "notebooks").glob("03_*.md"))[0]
        ).metadata
    )


def test_a_text_is_paired_where_the_chapters_are_and_nowhere_else():
    config = tomllib.loads(
        (ROOT / "notebooks" / "jupytext.toml").read_text(encoding="utf-8")
    )
    assert config == {"formats": "md:myst,ipynb"}
    assert not [
        name
        for name in ("jupytext.toml", "lab/jupytext.toml")
        if (ROOT / name).exists()
    ]


def test_copies_that_were_made_paired_are_known_again(folders):
    """As they lie in a lab that is older than this: the one untouched is brought up to
    date, the other stays.
    """
    source, target = folders
    target.mkdir()
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in source.glob("*.ipynb")
    }
    (target / ".copied.json").write_text(json.dumps(digests), encoding="utf-8")
    for name in digests:
        shutil.copyfile(source / name, target / name)
    work_on(target / "01_one.ipynb")
    assert lab.copy_chapters(source, target) == []
    pairs = [
        "jupytext" in nbformat.read(path, 4).metadata
        for path in sorted(target.glob("*.ipynb"))
    ]
    assert pairs == [True, False] and texts(target) == ["mine", "first"]


@pytest.mark.parametrize("record", [None, "", "[1]", "{", '{"01_one.ipynb": 3}'])
def test_copies_are_known_without_the_record_of_copying(folders, record):
    source, target = folders
    lab.copy_chapters(source, target)
    work_on(target / "02_two.ipynb")
    if record is None:
        (target / ".copied.json").unlink()
    else:
        (target / ".copied.json").write_text(record, encoding="utf-8")
    # which it was made from is not known any more
    assert lab.copy_chapters(source, target) == ["02_two.ipynb"]
    publish(source, "01_one", "second")
    lab.copy_chapters(source, target)
    assert texts(target) == ["second", "mine"]


def test_a_copy_that_is_cut_off_is_no_copy(folders, monkeypatch):
    source, target = folders

    def cut(part, path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", cut)
        with pytest.raises(KeyboardInterrupt):
            lab.copy_chapters(source, target)
    assert lab.copy_chapters(source, target) == [] and texts(target) == [
        "first",
        "first",
    ]
    assert not list(target.glob(".*.part"))


@pytest.mark.parametrize("killed_at", range(5))
def test_a_kill_between_two_files_costs_nothing(folders, monkeypatch, killed_at):
    """Twice, and the chapters change each time: neither is an untouched copy taken for
    one that was worked on, nor the other way round.
    """
    source, target = folders
    lab.copy_chapters(source, target)
    write = lab.write_file
    for text in ("second", "third"):
        publish(source, "01_one", text)
        publish(source, "02_two", text)
        written = []

        def until(path, content, written=written):
            if len(written) == killed_at:
                raise KeyboardInterrupt
            written.append(path)
            write(path, content)

        with monkeypatch.context() as patch:
            patch.setattr(lab, "write_file", until)
            with pytest.raises(KeyboardInterrupt):
                lab.copy_chapters(source, target)
    (target / "my_vit.py").write_text("mine", encoding="utf-8")
    for name in ("01_one", "02_two"):
        publish(source, name, "fourth")
    assert lab.copy_chapters(source, target) == []
    assert texts(target) == ["fourth", "fourth"]
    work_on(target / "01_one.ipynb", before="fourth")
    assert lab.copy_chapters(source, target) == []  # of this form, not of an old one
    assert texts(target) == ["mine", "fourth"]
    assert (target / "my_vit.py").read_text(encoding="utf-8") == "mine"


@pytest.fixture
def started(folders, monkeypatch):
    """The commands that `make lab` runs, and their environments; nothing starts."""
    found = []
    monkeypatch.setattr(lab, "ROOT", folders[0].parent)
    monkeypatch.setattr(
        lab.subprocess,
        "run",
        lambda command, env: (
            found.append((command, env)) or SimpleNamespace(returncode=0)
        ),
    )
    return found


def test_the_server_pairs_nothing(started):
    """Copies that were made paired and worked on are not touched, but opened as they
    are.
    """
    assert lab.main() == 0
    command, _ = started[0]
    assert "--ServerApp.jpserver_extensions={'jupyterlab_jupytext':False}" in command


def test_the_first_chapter_is_opened_then_the_one_worked_on_last(folders, started):
    _, target = folders

    def opened():
        assert lab.main() == 0
        command, _ = started[-1]
        address = [part for part in command if "default_url" in part]
        return [part.removeprefix("--LabApp.default_url=") for part in address]

    assert opened() == ["/lab/tree/01_one.ipynb"]
    # copied anew, and later than the other: not worked on
    publish(folders[0], "02_two", "second")
    assert opened() == ["/lab/tree/01_one.ipynb"]
    for number, name in enumerate(("02_two.ipynb", "01_one.ipynb", "02_two.ipynb")):
        (target / name).write_text("{}", encoding="utf-8")
        os.utime(target / name, (10_000_000 + number,) * 2)
        assert opened() == [f"/lab/tree/{name}"]
    (target / "03_Größe & Maß.ipynb").write_text("{}", encoding="utf-8")
    assert opened() == ["/lab/tree/03_Gr%C3%B6%C3%9Fe%20%26%20Ma%C3%9F.ipynb"]


def test_jupyterlab_asks_nothing_and_looks_for_nothing_unless_told_to(
    started, monkeypatch
):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/my/own")
    assert lab.main() == 0
    monkeypatch.delenv("JUPYTER_CONFIG_PATH")
    assert lab.main() == 0
    paths = [env["JUPYTER_CONFIG_PATH"].split(os.pathsep) for _, env in started]
    ours = str(ROOT / "book" / "jupyter")
    assert paths == [["/my/own", ours], [ours]]
    written = json.loads(
        (Path(ours) / "labconfig" / "default_setting_overrides.json").read_text(
            encoding="utf-8"
        )
    )
    for name, values in written.items():
        package, _, plugin = name.partition(":")
        schema = Path(jupyterlab.__file__).parent / "schemas" / package
        known = json.loads((schema / f"{plugin}.json").read_text(encoding="utf-8"))[
            "properties"
        ]
        assert set(values) <= set(known)
        assert values == {"checkForUpdates": False, "fetchNews": "false"}


def lines_of_exercises():
    """What the texts of the chapters ask, line by line: chapter, heading, check."""
    for text in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.md")):
        for line in text.read_text(encoding="utf-8").splitlines():
            if line.startswith(("## ", "### ")):
                heading = line.lstrip("# ")
            elif line.startswith("check."):
                name = line.removeprefix("check.").partition("(")[0]
                yield text.stem, heading, name


def test_the_exercises_of_all_chapters_are_listed_beside_the_copies(
    tmp_path, monkeypatch
):
    lab.copy_chapters(ROOT / "notebooks", tmp_path)
    monkeypatch.chdir(tmp_path)
    listed = notes.listed()
    assert [
        (one.file.removesuffix(".ipynb"), one.heading, one.check) for one in listed
    ] == list(lines_of_exercises())
    names = {one.check for one in listed}
    assert names == set(checks.__all__) - {"Result", "progress"}
    assert len(names) == len(listed)
    words = {0: "", 1: "one star", 2: "two stars", 3: "three stars"}
    for one in listed:
        assert one.chapter[:2] == one.file[:2] and ":" not in one.chapter
        assert re.fullmatch(r"\d\d [A-Z][\w -]+", one.chapter)
        effort = f" ({one.minutes} minutes, {words[one.stars]})"
        assert (effort in one.heading) == (one.check != "my_vit")
        assert one.title.lower() in one.heading.lower() and "(" not in one.title
        assert one.title[0].isupper() and not one.title.startswith("Your turn")
    assert {one.check: one.title for one in listed}["patchify"] == "Cut without walking"
    assert checks.progress().count == f"0 of {len(listed)}"


def test_the_list_follows_the_chapters_not_the_copies(folders):
    source, target = folders
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# 01 One: a claim"),
            new_markdown_cell(
                "## Part\n\ntext\n\n### Again (5 minutes, one star)\n\nDo."
            ),
            new_code_cell("def mine():\n    ...\n\n\ncheck.again(mine)"),
        ]
    )
    nbformat.write(notebook, source / "01_one.ipynb")
    lab.copy_chapters(source, target)
    (target / "01_one.ipynb").write_text("mine", encoding="utf-8")
    for minutes in (5, 7):
        notebook.cells[1].source = f"### Again ({minutes} minutes, one star)\n\nDo."
        nbformat.write(notebook, source / "01_one.ipynb")
        lab.copy_chapters(source, target)
        assert json.loads((target / ".exercises.json").read_text(encoding="utf-8")) == [
            {
                "check": "again",
                "chapter": "01 One",
                "file": "01_one.ipynb",
                "heading": f"Again ({minutes} minutes, one star)",
                "title": "Again",
                "minutes": minutes,
                "stars": 1,
            }
        ]


def test_what_is_solved_stays_when_the_chapters_come_anew(folders):
    source, target = folders
    lab.copy_chapters(source, target)
    (target / ".solved").mkdir()
    (target / ".solved" / "again").write_text("2026-01-02", encoding="utf-8")
    publish(source, "01_one", "second")
    lab.copy_chapters(source, target)
    assert (target / ".solved" / "again").read_text(encoding="utf-8") == "2026-01-02"


def test_outputs_are_kept_without_bars_and_widgets():
    picture = {"image/png": "AAAA", "text/plain": "Explorer()"}
    outputs = [
        new_output(
            "stream",
            name="stderr",
            text="\r 50%|###   | 1/2 [00:01]\r100%|######| 2/2 [00:02]\n",
        ),
        new_output("stream", name="stderr", text="a warning\n"),
        new_output("display_data", data={WIDGET: {}, "text/plain": "HBox()"}),
        new_output(
            "execute_result", data={WIDGET: {}, "text/html": "<div></div>", **picture}
        ),
        new_output("stream", name="stdout", text="100 %\n"),
    ]
    kept: list[NotebookNode] = tidy(outputs)
    assert [output.get("text", output.get("data")) for output in kept] == [
        "a warning\n",
        picture,
        "100 %\n",
    ]
