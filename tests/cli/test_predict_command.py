"""The commands that answer in JSON, `predict` and `evaluate --detail`; `--quiet` and
`--version`.
"""

import json
import re

import pytest
import torch
import yaml
from PIL import Image
from small import TINY, refused

from vit_tutorial import __version__
from vit_tutorial.cli.main import main
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.training.checkpoint import load_checkpoint


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Three drawings as files, and as (3, C, Y, X)."""
    folder = tmp_path_factory.mktemp("pictures")
    images = stacks(3, seed=4).images
    paths = [str(folder / f"{number}.png") for number in range(3)]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    return paths, images


def lines(said):
    return [json.loads(line) for line in said.splitlines()]


def test_predict_answers_a_line_a_file(pictures, capsys):
    paths, images = pictures
    assert main(["predict", "--checkpoint", "stacks", *paths, "--topk", "2"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    model, run = load_checkpoint("stacks")
    with torch.no_grad():
        shares = model(run.normalization(images)).softmax(dim=1)
    for line, path, share in zip(lines(said.out), paths, shares, strict=True):
        best = share.topk(2)
        assert line["file"] == path
        assert [one["class"] for one in line["classes"]] == [
            run.classes[label] for label in best.indices
        ]
        assert [one["probability"] for one in line["classes"]] == pytest.approx(
            best.values.tolist(), abs=1e-5
        )


def test_predict_gives_five_classes_unless_asked(pictures, capsys):
    assert main(["predict", "--checkpoint", "stacks", pictures[0][0]]) == 0
    assert len(json.loads(capsys.readouterr().out)["classes"]) == 5


def test_a_file_that_cannot_be_read_stops_no_other(pictures, tmp_path, capsys):
    paths, _ = pictures
    notes = tmp_path / "notes.txt"
    notes.write_text("no picture", encoding="utf-8")
    none = tmp_path / "none.png"
    files = [paths[0], str(notes), paths[1], str(none)]
    assert main(["predict", "--checkpoint", "stacks", *files]) == 2
    said = capsys.readouterr()
    assert [line["file"] for line in lines(said.out)] == paths[:2]
    first, second = said.err.splitlines()
    assert first.startswith("error: ") and "notes.txt cannot be read" in first
    assert second.startswith("error: ") and "none.png" in second
    refused(capsys, "predict", "--checkpoint", "stacks", none)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        # said before any file is read
        (["none.png", "--topk", "0"], "topk is 0, expected a whole number"),
        (["--topk", "few"], "topk"),
        (["--checkpoint", "MISSING"], "no checkpoint 'MISSING'"),
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
    ],
)
def test_a_slip_with_predict_is_one_line(words, message, pictures, capsys):
    start = ["predict", "--checkpoint", "stacks", pictures[0][0]]
    assert message in refused(capsys, *start, *words)


def test_evaluate_tells_the_classes_apart_where_asked(capsys):
    words = ["evaluate", "--checkpoint", "stacks", "--data.val_images", "60"]
    words += ["--data.decoys", "patterned"]  # which mislead the model
    assert main(words) == 0
    plain = json.loads(capsys.readouterr().out)
    assert main([*words, "--detail", "true"]) == 0
    found = json.loads(capsys.readouterr().out)
    table = found.pop("confusion")
    classes = found.pop("classes")
    assert found == plain
    model, run = load_checkpoint("stacks")
    data = stacks(60, seed=1, decoys="patterned")
    with torch.no_grad():
        taken = model(run.normalization(data.images)).argmax(dim=1).tolist()
    wanted = [[0] * 10 for _ in range(10)]
    for label, other in zip(data.labels.tolist(), taken, strict=True):
        wanted[label][other] += 1
    assert table == wanted
    assert found["accuracy"] < 1
    assert [one["class"] for one in classes] == list(run.classes)
    for label, one in enumerate(classes):
        assert one["n"] == sum(wanted[label])
        assert one["accuracy"] == pytest.approx(wanted[label][label] / one["n"])


def test_a_class_without_images_has_no_accuracy(capsys):
    words = ["evaluate", "--checkpoint", "stacks", "--data.val_images", "4"]
    assert main([*words, "--detail", "true"]) == 0
    classes = json.loads(capsys.readouterr().out)["classes"]
    assert sum(one["n"] for one in classes) == 4
    assert all((one["accuracy"] is None) == (one["n"] == 0) for one in classes)
    assert None in [one["accuracy"] for one in classes]


def test_a_quiet_training_says_nothing_but_what_goes_wrong(
    tmp_path, capsys, monkeypatch
):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY), encoding="utf-8")
    words = ["train", "--config", str(path), "--out"]
    # a terminal, where there would be a bar
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main([*words, str(tmp_path / "loud")]) == 0
    said = capsys.readouterr()
    assert "epoch   1" in said.out and "epoch 1/1" in said.err
    assert main([*words, str(tmp_path / "run"), "--quiet", "true"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")
    assert (tmp_path / "run" / "model.safetensors").is_file()
    again = refused(capsys, *words, tmp_path / "run", "--quiet", "true")
    assert "already holds a run" in again


def test_the_program_says_its_version(capsys):
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert re.fullmatch(rf".* {re.escape(__version__)}\n", capsys.readouterr().out)
