"""The command `probe`: what it prints, whose data it takes, what it refuses."""

import json
from dataclasses import replace

import pytest
from small import TINY, refused, write_stl10

from vit_tutorial.cli.main import main
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import describe, load_split, sized_for
from vit_tutorial.selfsup import probes
from vit_tutorial.selfsup.probes import probe
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.loop import train

MODEL = ViTConfig(**TINY["model"])
DATA = DataConfig(**TINY["data"])
TRAIN = TrainConfig(**TINY["training"])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(MODEL, DATA, TRAIN, folder)
    return str(folder)


def measured(capsys, *arguments):
    """What the last line says, and the notes."""
    words = ["probe", *map(str, arguments), "--device", "cpu"]
    assert main(words) == 0
    said = capsys.readouterr()
    return json.loads(said.out.splitlines()[-1]), said.err


@pytest.mark.parametrize(
    ("words", "data", "split", "k", "tokens"),
    [
        ([], DATA, "val", 20, None),
        (
            ["--split", "test", "--k", "3", "--tokens", "mean"],
            DATA,
            "test",
            3,
            "mean",
        ),
        (
            ["--data.train_images", "25", "--data.split_seed", "4"],
            replace(DATA, train_images=25, split_seed=4),
            "val",
            20,
            None,
        ),
    ],
)
def test_probe_ends_in_json_and_knows_the_data_of_the_run(
    run, capsys, words, data, split, k, tokens
):
    said, notes = measured(capsys, "--checkpoint", run, *words)
    model, record = load_checkpoint(run)
    # of the fresh images of each epoch those of the first
    bank = load_split(data, "train", epoch=0)
    expected = probe(
        model, record.normalization, bank, load_split(data, split), k, tokens
    )
    about = {"checkpoint": run, "data": "stacks", "split": split, "epochs": 1}
    assert said == expected | about | {"tokens": tokens or "cls"}
    assert notes == ""
    assert (said["n_train"], said["n"]) == (data.train_images, 30)


def test_the_shipped_model_has_learnt_features(capsys):
    said, _ = measured(
        capsys,
        *("--checkpoint", "stacks", "--data.train_images", 200),
        *("--data.val_images", 100),
    )
    assert said["knn"] > 0.95 and said["linear"] > 0.95
    assert said["epochs"] == 24


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--k", "41"], "k is 41, but the bank has 40 images: expected 1 to 40"),
        (["--k", "0"], "k is 0, but the bank has 40 images"),
        (["--k", "few"], "k"),
        (["--split", "train"], "split"),
        (["--tokens", "all"], "tokens"),
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
        (
            ["--data.name", "folder", "--data.image_size", "[48, 96]"],
            "images of folder are 48 x 96, but model.image_size is 96 x 96",
        ),
    ],
)
def test_a_mistake_with_probe_is_one_line(run, capsys, words, message):
    assert message in refused(capsys, "probe", "--checkpoint", run, *words)


def test_a_checkpoint_that_is_not_there_is_one_line(capsys):
    line = refused(capsys, "probe", "--checkpoint", "nowhere")
    assert "no checkpoint 'nowhere'" in line


@pytest.mark.parametrize(
    ("change", "words", "message"),
    [
        ({"name": "cnn"}, [], "the model is a CNN, which has no tokens"),
        ({"pool": "mean"}, ["--tokens", "cls"], "the model has no class token"),
    ],
)
def test_a_model_without_these_tokens_is_one_line(
    tmp_path, capsys, change, words, message
):
    train(replace(MODEL, **change), DATA, TRAIN, tmp_path / "run")
    line = refused(capsys, "probe", "--checkpoint", tmp_path / "run", *words)
    assert message in line


def test_other_classes_are_no_hindrance_but_noted(run, capsys):
    """The probes learn the classes anew: no logit of the model is asked."""
    said, notes = measured(
        capsys, "--checkpoint", run, "--data.name", "pairs", "--k", "5"
    )
    assert said["data"] == "pairs" and said["n"] == 30
    assert notes.startswith("the data have classes ('different', 'same'), the model")
    assert notes.endswith("; the probes learn those of the data\n")
    assert notes.count("\n") == 1


def test_the_bank_of_a_run_without_labels_are_the_labelled_images(
    tmp_path, monkeypatch, capsys
):
    write_stl10(tmp_path, monkeypatch, images=60, labels=60)
    data = DataConfig(name="stl10", root=str(tmp_path))
    train(MODEL, data, TRAIN, tmp_path / "run")
    words = ("--checkpoint", tmp_path / "run", "--k", "5")
    labelled, _ = measured(capsys, *words)
    assert labelled["n_train"] == 50
    # the file of the other images, which is not there, is not asked for
    assert measured(capsys, *words, "--data.unlabelled", "true")[0] == labelled
    few, _ = measured(capsys, *words, "--data.labelled", "20")
    assert few["n_train"] == 20  # each once


def test_a_probe_that_has_not_converged_is_noted(run, capsys, monkeypatch):
    monkeypatch.setattr(probes, "STEPS", 1)
    _, notes = measured(capsys, "--checkpoint", run)
    assert notes == (
        "the linear probe has not converged after 1 steps: its classes are not final\n"
    )


def test_a_folder_is_described_and_its_pictures_are_the_runs(data, tmp_path, capsys):
    small = ViTConfig(image_size=12, patch_size=6, classes=2, dim=8, depth=1, heads=2)
    out = tmp_path / "run"
    train(small, data, TRAIN, out)
    said, notes = measured(capsys, "--checkpoint", out)
    sized = sized_for(data, small)
    assert notes.strip() == describe(sized)
    sizes = [len(load_split(sized, split)) for split in ("train", "val")]
    assert [said["n_train"], said["n"]] == sizes
    path = out / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["images"]["val"] = "others"
    path.write_text(json.dumps(config), encoding="utf-8")
    _, notes = measured(capsys, "--checkpoint", out)
    origin = load_split(sized, "val").origin
    assert f"the run's val split was others, this is {origin}: some may" in notes
