import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file
from small import TINY, refused

from vit_tutorial.cli import commands
from vit_tutorial.cli import main as cli
from vit_tutorial.cli.main import main
from vit_tutorial.data.image_files import read_image
from vit_tutorial.models import build_model
from vit_tutorial.training.checkpoint import load_checkpoint, save_run


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "--config", config, "--out", str(folder)]) == 0
    return str(folder)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A wide photograph, lying on its side as cameras store it: white on the left once
    it is upright.
    """
    path = tmp_path_factory.mktemp("photos") / "photo.jpg"
    upright = Image.new("RGB", (300, 200))
    upright.paste("white", (0, 0, 150, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees, clockwise, to see it upright
    upright.rotate(90, expand=True).save(path, exif=exif)
    return str(path)


def printed(capsys, monkeypatch, *arguments):
    """The settings that training would get."""
    got = []
    monkeypatch.setitem(cli.COMMANDS, "train", got.append)
    assert main(["train", "--out", "unused", *arguments]) == 0
    return got[0]


def test_train_says_where_the_run_is_and_how_to_measure_it(config, tmp_path, capsys):
    out = str(tmp_path / "a run")
    assert main(["train", "--config", config, "--out", out]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("epoch   1: train loss 2.") and said.err == ""
    assert f"evaluate --checkpoint '{out}'" in said.out
    assert {path.name for path in (tmp_path / "a run").iterdir()} >= {
        "model.safetensors",
        "config.json",
        "history.json",
        "state.safetensors",
    }


@pytest.mark.parametrize(
    "name",
    ["stacks", "stacks-decoys", "stl10", "stl10-laptop", "stl10-seed", "stl10-small"],
)
def test_a_packaged_config_is_found_by_name(name, capsys, monkeypatch):
    assert (
        printed(capsys, monkeypatch, "--config", name).data.name == name.split("-")[0]
    )


def test_the_seed_recipe_is_the_playgrounds(capsys, monkeypatch):
    got = printed(capsys, monkeypatch, "--config", "stl10-seed")
    m = got.model
    t = got.training
    a = got.training.augment
    assert (m.image_size, m.patch_size, m.depth, m.dim, m.heads, m.dropout) == (
        112,
        16,
        3,
        384,
        6,
        0.1,
    )
    assert m.dim * m.mlp_ratio == 1536
    assert (t.batch_size, t.epochs, t.optimizer, t.weight_decay, t.warmup_epochs) == (
        256,
        100,
        "adamw",
        1e-3,
        10,
    )
    assert (t.warmup_start_lr, t.peak_lr, t.min_lr, t.label_smoothing) == (
        1e-7,
        1e-3,
        1e-6,
        0.1,
    )
    assert (a.crop, a.flip, a.rotation) == ((0.8, 1.0), True, 10)
    assert (a.brightness, a.contrast, a.saturation, a.hue) == (0.4, 0.4, 0.4, 0.1)
    assert (got.data.mean, got.data.std) == ((0, 0, 0), (1, 1, 1))


@pytest.mark.parametrize("before", [True, False])
def test_what_is_typed_wins_over_the_config(config, capsys, monkeypatch, before):
    typed = [
        "--model.depth",
        "5",
        "--training.augment.crop",
        "[0.5, 1]",
        "--data.name=pairs",
    ]
    recipe = [f"--config={config}"]
    got = printed(capsys, monkeypatch, *(typed + recipe if before else recipe + typed))
    assert (got.model.depth, got.model.dim, got.data.name, got.training.epochs) == (
        5,
        16,
        "pairs",
        1,
    )
    assert got.training.augment.crop == (0.5, 1.0)


@pytest.mark.parametrize(
    ("words", "init"),
    [
        ([], ""),
        (["--init", "one"], "one"),
        (["--init=one"], "one"),
        (["--training.init", "one"], "one"),
        (["--config", "YAML"], "of the file"),
        (["--init", "one", "--config", "YAML"], "one"),
        (["--config", "YAML", "--init", "one"], "one"),
        # of what is typed twice the later holds, as of any other setting
        (["--init", "one", "--init", "two"], "two"),
        (["--init", "one", "--training.init", "two"], "two"),
        (["--training.init", "one", "--init", "two"], "two"),
    ],
)
def test_init_is_short_for_training_init(words, init, tmp_path, capsys, monkeypatch):
    path = tmp_path / "config.yaml"
    path.write_text("training: {init: of the file}", encoding="utf-8")
    words = [str(path) if word == "YAML" else word for word in words]
    assert printed(capsys, monkeypatch, *words).training.init == init


def test_a_run_that_starts_from_another_is_resumed_without_it(
    config, run, tmp_path, capsys
):
    other = tmp_path / "other"
    shutil.copytree(run, other)
    out = str(tmp_path / "run")
    words = ["train", "--config", config, "--out", out, "--init", str(other)]
    frozen = ["--training.freeze", "2", "--training.layer_decay", "0.5"]
    assert main([*words, *frozen]) == 0
    found, theirs = (
        load_file(Path(folder) / "model.safetensors") for folder in (out, run)
    )
    assert {name for name in found if not found[name].equal(theirs[name])} == {
        f"head.{part}" for part in ("0.weight", "0.bias", "1.weight", "1.bias")
    }
    # a head of 16 values: its norm, and 10 classes
    learnt = 2 * 16 + 16 * 10 + 10
    count = sum(value.numel() for value in found.values())
    said = f"{count:,} parameters, {count - learnt:,} of them frozen, after epoch 1."
    assert said in capsys.readouterr().out
    shutil.rmtree(other)
    assert main(["train", "--out", out, "--resume"]) == 0
    capsys.readouterr()
    line = refused(capsys, "train", "--out", out, "--resume", "--init", run)
    assert "training.init was" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "subcommand"),
        (["fly"], "fly"),
        (["train"], "out"),
        (["train", "--out"], "out"),
        (
            ["train", "--out", "OUT", "--config", "nothing"],
            (
                "no config 'nothing'.*'stacks', 'stacks-decoys', 'stl10',"
                " 'stl10-laptop', 'stl10-seed', 'stl10-small'"
            ),
        ),
        (["train", "--out", "OUT", "--config"], "config"),
        (["train", "--out", "OUT", "--model.width", "3"], "model.width"),
        (
            ["train", "--out", "OUT", "--model.dept", "3"],
            "unrecognized arguments: --model.dept 3",
        ),
        (["train", "--out", "OUT", "--model.depth", "deep"], "model.depth.*deep"),
        (["train", "--out", "OUT", "--model.pool", "max"], "model.pool.*max"),
        (
            ["train", "--out", "OUT", "--model.patch_size", "7"],
            "image_size 96 is not divisible by patch_size 7",
        ),
        (
            ["train", "--out", "OUT", "--model.heads", "5"],
            "dim 192 is not divisible by heads 5",
        ),
        (["train", "--out", "OUT", "--init"], "--init"),
        (["train", "--out", "OUT", "--init", "MISSING"], "no checkpoint 'MISSING'"),
        (["train", "--out", "OUT", "--training.freeze", "7"], "the model has 6 blocks"),
        (["train", "--out", "OUT", "--training.layer_decay", "2"], "layer_decay is 2"),
        (["train", "--out", "OUT", "--data.std", "[0, 1, 1]"], "std is"),
        (["train", "--out", "OUT", "--training.epochs", "0"], "epochs is 0"),
        (["train", "--out", "OUT", "--training.augment.crop", "[1, 2]"], "crop is"),
        (["train", "--out", "OUT", "--training.augment.crop", "3"], "crop"),
        (
            ["train", "--out", "OUT", "--training.device", "abacus"],
            "device 'abacus' cannot be used here",
        ),
        (
            [
                "train",
                "--out",
                "OUT",
                "--data.name",
                "folder",
                "--data.root",
                "MISSING",
            ],
            "MISSING",
        ),
        (
            ["train", "--out", "OUT", "--data.name", "stl10", "--data.root", "MISSING"],
            "download stl10",
        ),
        (["train", "--out", "OUT", "--resume"], "holds no run to resume"),
        (["evaluate"], "checkpoint"),
        (["evaluate", "--checkpoint", "MISSING"], "no checkpoint 'MISSING'"),
        (["download", "imagenet"], "imagenet"),
    ],
)
def test_a_mistake_is_one_line(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, *arguments)
    assert re.search(message, line), line
    assert not (tmp_path / "OUT" / "state.safetensors").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {width: 3}", "width"),
        ("model: {depth: deep}", "model.depth"),
        ("model: {depth: 2.5}", "model.depth"),
        ("model: {dim: 10, heads: 3}", "dim 10 is not divisible by heads 3"),
        ("model: [1, 2", "config"),
        ("speed: 3", "speed"),
        ("just words", "words"),
        ("training: {augment: {mirror: true}}", "mirror"),
    ],
)
def test_a_mistake_in_yaml_is_one_line(text, message, tmp_path, capsys):
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    assert message in refused(
        capsys, "train", "--config", path, "--out", tmp_path / "run"
    )
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_is_one_line(config, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert "file" in refused(
        capsys, "train", "--config", config, "--out", tmp_path / "file" / "run"
    )
    assert "file" in refused(
        capsys, "train", "--config", config, "--out", tmp_path / "file"
    )


def test_a_second_run_in_a_folder_is_one_line_and_resuming_needs_no_config(
    config, run, capsys
):
    assert "already holds a run" in refused(
        capsys, "train", "--config", config, "--out", run
    )
    line = refused(
        capsys,
        "train",
        "--config",
        config,
        "--out",
        run,
        "--resume",
        "--model.depth",
        3,
    )
    assert "model.depth was 2 and is now 3" in line
    assert main(["train", "--out", run, "--resume"]) == 0


@pytest.mark.parametrize("begun", [False, True])
def test_an_interrupt_tells_how_to_go_on(config, tmp_path, capsys, monkeypatch, begun):
    def interrupt(settings):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a run").mkdir()
    if begun:
        (tmp_path / "a run" / "state.safetensors").touch()
    monkeypatch.setitem(cli.COMMANDS, "train", interrupt)
    assert main(["train", "--config", config, "--out", "a run"]) == 130
    again = (
        f"; go on with: python -m vit_tutorial train --config {config} --out 'a run'"
        " --resume"
    )
    assert capsys.readouterr().err.strip() == "interrupted" + again * begun


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"name": "stacks"', '"name": 3'),
        ('"val_images"', '"images"'),
        ('"data"', '"date"'),
        ("{", ""),
    ],
)
def test_a_broken_config_of_a_run_is_one_line(run, tmp_path, capsys, old, new):
    for name in ("config.json", "model.safetensors", "state.safetensors"):
        (tmp_path / name).write_bytes(Path(run, name).read_bytes())
    broken = (tmp_path / "config.json").read_text(encoding="utf-8").replace(old, new)
    (tmp_path / "config.json").write_text(broken, encoding="utf-8")
    refused(capsys, "evaluate", "--checkpoint", tmp_path)
    refused(capsys, "train", "--resume", "--out", tmp_path)


@pytest.mark.parametrize("state", ["model.safetensors", "config.json"])
def test_resuming_from_what_is_no_state_is_one_line(run, tmp_path, capsys, state):
    (tmp_path / "config.json").write_bytes(Path(run, "config.json").read_bytes())
    (tmp_path / "state.safetensors").write_bytes(Path(run, state).read_bytes())
    assert "state.safetensors is" in refused(
        capsys, "train", "--resume", "--out", tmp_path
    )


@pytest.mark.parametrize("split", ["val", "test"])
def test_evaluate_ends_in_json_and_knows_the_data_of_the_run(run, capsys, split):
    assert main(["evaluate", "--checkpoint", run, "--split", split]) == 0
    scores = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (
        scores["n"] == 30
        and scores["split"] == split
        and scores["data"] == "stacks"
        and 0 <= scores["accuracy"] <= 1
    )
    if split == "val":
        last = json.loads(Path(run, "history.json").read_text(encoding="utf-8"))[-1]
        assert scores["accuracy"] == last["val_accuracy"] and scores[
            "loss"
        ] == pytest.approx(last["val_loss"])
    assert main(["evaluate", "--checkpoint", run, "--data.val_images", "10"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 10


def test_evaluate_refuses_other_classes_and_a_pickle(run, tmp_path, capsys):
    assert "the data have classes" in refused(
        capsys, "evaluate", "--checkpoint", run, "--data.name", "pairs"
    )
    torch.save({}, tmp_path / "model.pt")
    assert "never loaded" in refused(
        capsys, "evaluate", "--checkpoint", tmp_path / "model.pt"
    )


def drawn(run, tmp_path, *arguments):
    out = tmp_path / "figure.png"
    assert main(["attend", "--checkpoint", run, *arguments, "--out", str(out)]) == 0
    with Image.open(out) as file:
        return torch.frombuffer(
            bytearray(file.convert("RGB").tobytes()), dtype=torch.uint8
        ).view(*file.size[::-1], 3)


def test_attend_draws_what_it_is_asked_for(run, photo, tmp_path, capsys):
    choices = [[], ["--layer", "0"], ["--head", "0"], ["--head", "1"], ["--rollout"]]
    figures = [drawn(run, tmp_path, photo, *choice) for choice in choices]
    # without the line that says which it is
    above = [figure[: figure.shape[0] - 60] for figure in figures]
    for index, figure in enumerate(above):
        assert all(not torch.equal(figure, other) for other in above[:index])
    said = capsys.readouterr().out
    assert (
        "layer 1, mean over heads, over 1 image\n" in said
        and "layer 1, head 0" in said
        and "rollout" in said
    )


def test_attend_turns_and_crops_photos_and_takes_many(run, photo, tmp_path):
    figure = drawn(run, tmp_path, photo)
    height = figure.shape[0] - 60
    width = figure.shape[1] // 2
    assert (
        figure[height // 2, width // 4].min() > 200
        and figure[height // 2, 3 * width // 4].max() < 50
    )
    # two rows of half the size
    assert drawn(run, tmp_path, *[photo] * 3).shape[0] > figure.shape[0] * 0.9


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_has_the_models_size_and_channels(photo, channels):
    image = read_image(Path(photo), (40, 80), channels)
    assert image.shape == (channels, 40, 80) and image.dtype == torch.uint8
    assert image[:, :, 5].min() > 200 and image[:, :, -5].max() < 50


def test_attend_without_class_token_is_the_mean_over_queries(
    config, photo, tmp_path, capsys
):
    run = str(tmp_path / "run")
    assert (
        main(["train", "--config", config, "--out", run, "--model.pool", "mean"]) == 0
    )
    drawn(run, tmp_path, photo)
    assert "mean over queries" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layer", "2"], "layer is 2, but the model has layers 0 to 1"),
        (["--head", "-1"], "head is -1, but the model has heads 0 to 1"),
        (["--rollout", "--head", "0"], "--head was given, too"),
        (["--layer", "top"], "layer"),
        (["--out", "figure.xyz"], "xyz"),
        (["--out", "missing/figure.png"], "missing/figure.png"),
    ],
)
def test_a_mistake_with_attend_is_one_line(
    run, photo, arguments, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert message in refused(
        capsys, "attend", "--checkpoint", run, photo, "--out", "figure.png", *arguments
    )
    assert not list(tmp_path.iterdir())


def test_attend_writes_over_no_picture(run, photo, capsys):
    before = Path(photo).read_bytes()
    line = refused(capsys, "attend", "--checkpoint", run, photo, "--out", photo)
    assert line == f"error: --out is {photo}, which is one of the pictures\n"
    assert Path(photo).read_bytes() == before


def test_a_model_without_attention_is_one_line(run, photo, tmp_path, capsys):
    _, trained = load_checkpoint(run)
    config = replace(trained.config.model, name="cnn")
    other = replace(trained, config=replace(trained.config, model=config))
    (folder := tmp_path / "cnn").mkdir()
    save_run(folder, build_model(config), [], None, other)
    out = tmp_path / "figure.png"
    line = refused(capsys, "attend", "--checkpoint", folder, photo, "--out", out)
    says = f"{folder} is a CNN, which has no attention, expected a Vision Transformer"
    assert line == f"error: {says}\n" and not out.exists()


def test_a_file_that_is_no_image_is_one_line(run, config, tmp_path, capsys):
    out = tmp_path / "figure.png"
    assert "cannot be read as an image" in refused(
        capsys, "attend", "--checkpoint", run, config, "--out", out
    )
    assert "nothing.png" in refused(
        capsys, "attend", "--checkpoint", run, "nothing.png", "--out", out
    )
    assert str(tmp_path) in refused(
        capsys, "attend", "--checkpoint", run, tmp_path, "--out", out
    )


@pytest.mark.parametrize(
    ("words", "unlabelled"), [([], False), (["--unlabelled", "true"], True)]
)
def test_download_is_given_the_folder_and_what_to_fetch(
    words, unlabelled, monkeypatch, tmp_path
):
    asked = []
    monkeypatch.setattr(
        commands, "download_stl10", lambda *a, **k: asked.append((a, k))
    )
    assert main(["download", "stl10", "--root", str(tmp_path), *words]) == 0
    assert asked == [((str(tmp_path),), {"unlabelled": unlabelled})]
