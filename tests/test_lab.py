import lab
from execute import WIDGET, tidy
from nbformat import NotebookNode
from nbformat.v4 import new_output


def test_a_copy_that_was_worked_on_stays(tmp_path):
    source, target = tmp_path / "notebooks", tmp_path / "lab"
    (source / "figures").mkdir(parents=True)
    for name in ("01_one", "02_two"):
        (source / f"{name}.ipynb").write_text("first", encoding="utf-8")
    (source / "my_vit.py").write_text("blank", encoding="utf-8")
    assert lab.copy_chapters(source, target) == []
    (target / "01_one.ipynb").write_text("mine", encoding="utf-8")
    (target / "my_vit.py").write_text("mine, too", encoding="utf-8")
    for name in ("01_one", "02_two", "03_three"):
        (source / f"{name}.ipynb").write_text("second", encoding="utf-8")
    (source / "figures" / "block.svg").write_text("<svg/>", encoding="utf-8")
    assert lab.copy_chapters(source, target) == ["01_one.ipynb"]
    assert [path.read_text(encoding="utf-8") for path in sorted(target.glob("*.ipynb"))] == ["mine", "second", "second"]
    assert (target / "my_vit.py").read_text(encoding="utf-8") == "mine, too"
    assert (target / "figures" / "block.svg").read_text(encoding="utf-8") == "<svg/>"


def test_outputs_are_kept_without_bars_and_widgets():
    picture = {"image/png": "AAAA", "text/plain": "Explorer()"}
    outputs = [
        new_output("stream", name="stderr", text="\r 50%|###   | 1/2 [00:01]\r100%|######| 2/2 [00:02]\n"),
        new_output("stream", name="stderr", text="a warning\n"),
        new_output("display_data", data={WIDGET: {}, "text/plain": "HBox()"}),
        new_output("execute_result", data={WIDGET: {}, "text/html": "<div></div>", **picture}),
        new_output("stream", name="stdout", text="100 %\n"),
    ]
    kept: list[NotebookNode] = tidy(outputs)
    assert [output.get("text", output.get("data")) for output in kept] == ["a warning\n", picture, "100 %\n"]
