import hashlib
import json
import shutil
import tomllib
from pathlib import Path
from types import SimpleNamespace

import execute
import lab
import nbformat
import pytest
from execute import WIDGET, tidy
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook, new_output

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


def work_on(copy, text="mine"):
    copy.write_bytes(copy.read_bytes().replace(b"first", text.encode()))


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


def test_the_server_pairs_nothing(monkeypatch):
    """Copies that were made paired and worked on are not touched, but opened as they
    are.
    """
    started = []
    monkeypatch.setattr(lab, "copy_chapters", lambda source, target: [])
    monkeypatch.setattr(
        lab.subprocess,
        "run",
        lambda command: started.append(command) or SimpleNamespace(returncode=0),
    )
    assert lab.main() == 0
    assert "--ServerApp.jpserver_extensions={'jupyterlab_jupytext':False}" in started[0]


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
