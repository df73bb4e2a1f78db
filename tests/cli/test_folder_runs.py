"""Training on a folder of pictures, from the first look at it to measuring what was
learnt.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.cm import viridis
from PIL import Image

from vit_tutorial.cli import attend
from vit_tutorial.cli.main import main
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import describe, load_split, sized_for
from vit_tutorial.data.image_files import read_image
from vit_tutorial.data.images import normalise, resize
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.loop import train

MODEL = ViTConfig(
    image_size=(16, 32), patch_size=8, classes=2, dim=16, depth=1, heads=2
)
TRAIN = TrainConfig(epochs=1, batch_size=8, device="cpu")
WORDS = [
    "--data.name",
    "folder",
    "--model.image_size",
    "[16, 32]",
    "--model.patch_size",
    "8",
    "--model.dim",
    "16",
]
WORDS += [
    "--model.depth",
    "1",
    "--model.heads",
    "2",
    "--model.classes",
    "2",
    "--training.device",
    "cpu",
]
WORDS += ["--training.epochs", "1", "--training.batch_size", "8"]


def noise(path, seed, level=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(
        level - 60, level + 60, (20, 30, 3), dtype=np.uint8
    )
    Image.fromarray(pixels).save(path)


@pytest.fixture
def pets(tmp_path):
    for label, name in enumerate(("cat", "dog")):
        for number in range(12):
            noise(
                tmp_path / "pets" / name / f"{number:02}.png",
                100 * label + number,
                70 + 100 * label,
            )
    return tmp_path / "pets"


@pytest.fixture
def data(pets):
    return DataConfig("folder", root=str(pets))


def test_the_size_is_set_once_and_the_run_notes_its_pictures(
    pets, data, tmp_path, capsys
):
    out = tmp_path / "run"
    assert main(["train", *WORDS, "--data.root", str(pets), "--out", str(out)]) == 0
    said = capsys.readouterr()
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    sized = sized_for(data, MODEL)
    assert said.err.strip() == describe(sized) and describe(sized).endswith(
        "read at 16 x 32 pixels"
    )
    assert config["data"]["image_size"] == [16, 32]
    assert config["images"] == {
        split: load_split(sized, split).origin for split in ("train", "val")
    }
    assert main(["evaluate", "--checkpoint", str(out)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["n"] == len(
        load_split(sized, "val")
    ) and said.err.strip() == describe(sized)


def test_a_run_and_its_pictures_stay_together(pets, data, tmp_path, capsys):
    train(MODEL, data, TRAIN, tmp_path / "run")
    train(MODEL, data, TRAIN, tmp_path / "run", resume=True)
    for number in range(12, 24):
        noise(pets / "cat" / f"{number}.png", number)
    with pytest.raises(
        ValueError,
        match=r"images\.(train|val) was '\d+ pictures, \w+' and is now '\d+ pictures",
    ):
        train(MODEL, data, TRAIN, tmp_path / "run", resume=True)
    assert main(["evaluate", "--checkpoint", str(tmp_path / "run")]) == 0
    assert "the run's val split was" in capsys.readouterr().err


def test_an_older_run_may_have_been_trained_on_the_pictures(data, tmp_path, capsys):
    train(MODEL, data, TRAIN, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    del config["images"]
    path.write_text(json.dumps(config), encoding="utf-8")
    main(["evaluate", "--checkpoint", str(tmp_path / "run")])
    assert "split was pictures that it does not name" in capsys.readouterr().err


def test_a_broken_picture_of_either_split_is_refused_before_anything_is_written(
    pets, data, tmp_path
):
    for path in sorted(pets.glob("*/0[0-4].png")):
        whole = path.read_bytes()
        path.write_bytes(whole[:40])
        with pytest.raises(ValueError, match=f"{path.name} cannot be read as an image"):
            train(MODEL, data, TRAIN, tmp_path / "run")
        assert not (tmp_path / "run").exists()
        path.write_bytes(whole)
    train(MODEL, data, TRAIN, tmp_path / "run")


def test_a_size_or_a_place_that_clashes_is_refused_before_anything_is_written(
    pets, data, tmp_path
):
    with pytest.raises(
        ValueError,
        match="images of folder are 16 x 16, but model.image_size is 16 x 32",
    ):
        train(MODEL, replace(data, image_size=16), TRAIN, tmp_path / "run")
    with pytest.raises(
        ValueError,
        match="images of stacks are 96 x 96, but model.image_size is 16 x 32",
    ):
        train(MODEL, DataConfig(), TRAIN, tmp_path / "run")
    with pytest.raises(ValueError, match="lies in .*pets, the folder of pictures"):
        train(MODEL, data, TRAIN, pets / "run")
    assert not (tmp_path / "run").exists() and not (pets / "run").exists()


def test_what_is_odd_about_the_data_is_noted(data, tmp_path):
    lines = []
    train(
        MODEL, data, replace(TRAIN, batch_size=64), tmp_path / "few", note=lines.append
    )
    assert (
        lines[1].endswith("images are fewer than a batch of 64: each epoch is one step")
        and len(lines) == 2
    )
    lines.clear()
    small = DataConfig("pairs", image_size=32, train_images=8, val_images=8)
    train(
        replace(MODEL, image_size=16),
        small,
        TRAIN,
        tmp_path / "pairs",
        note=lines.append,
    )
    assert lines == ["images of pairs have 48 pixels a side, 32 is not used"]


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_fewer_images_than_a_batch_are_learnt_from_in_every_epoch(
    data, tmp_path, epochs
):
    config = replace(
        TRAIN, batch_size=64, epochs=epochs, grad_clip_norm=0.0, weight_decay=0.0
    )
    rates = [
        row["learning_rate"]
        for row in train(MODEL, data, config, tmp_path / "run")[1].history
    ]
    assert len(rates) == epochs and min(rates) > 0 and max(rates) == config.peak_lr


def test_other_classes_are_one_short_line(data, tmp_path, capsys):
    train(MODEL, data, TRAIN, tmp_path / "run")
    for number in range(300):
        for split in ("train", "val"):
            path = tmp_path / "many" / split / f"{number:04}{'x' * 200}" / "0.png"
            path.parent.mkdir(parents=True)
            Image.new("RGB", (1, 1)).save(path)
    words = ["--data.root", str(tmp_path / "many")]
    assert main(["evaluate", "--checkpoint", str(tmp_path / "run"), *words]) == 2
    said = capsys.readouterr().err
    assert (
        "300 in all" in said
        and "the model was trained for ('cat', 'dog')" in said
        and len(said) < 1500
    )


# The attention over pictures


@pytest.fixture
def run(data, tmp_path):
    train(MODEL, data, TRAIN, tmp_path / "run")
    return load_checkpoint(tmp_path / "run")


def test_attend_shows_the_pixels_of_training(data, run, tmp_path):
    model, record = run
    path = next(Path(data.root).glob("cat/*.png"))
    images, read, lines = attend.read_all([str(path)], record.config)
    assert torch.equal(images[0], read_image(path, (16, 32)))
    assert read == [str(path)] and not lines
    data = replace(data, image_size=(64, 128))
    train(MODEL, data, TRAIN, tmp_path / "large")
    images, *_ = attend.read_all(
        [str(path)], load_checkpoint(tmp_path / "large")[1].config
    )
    assert torch.equal(images, resize(read_image(path, (64, 128))[None], (16, 32)))


def test_attend_looks_at_few_pictures_at_a_time(run):
    model, record = run
    images = torch.randint(256, (40, 3, 16, 32), dtype=torch.uint8)
    sizes = []
    whole = model(normalise(images, record.mean, record.std), return_attention=True)[1][
        0
    ].detach()
    model.register_forward_pre_hook(lambda model, inputs: sizes.append(len(inputs[0])))
    weights, titles = attend.look_at(model, images, record, None, None, False)
    assert max(sizes) <= 16 and sum(sizes) == len(titles) == 40
    torch.testing.assert_close(weights, whole.mean(dim=1)[:, 0, 1:])


def test_attend_leaves_out_what_it_cannot_read(pets, run, tmp_path, capsys):
    (pets / "notes.txt").write_text("no picture", encoding="utf-8")
    wrong = [str(pets / "notes.txt"), str(pets), "nothing.png"]
    out = tmp_path / "map.png"
    right = [str(path) for path in sorted(pets.glob("cat/*.png"))[:3]]
    command = ["attend", "--checkpoint", str(tmp_path / "run"), "--out", str(out)]
    assert main([*command, wrong[0], right[0], *wrong[1:], *right[1:]]) == 0
    said = capsys.readouterr()
    assert "over 3 images" in said.out and out.exists()
    assert [line.startswith("left out: ") for line in said.err.splitlines()] == [
        True
    ] * 3
    assert main([*command, *wrong]) == 2
    assert (
        "none of 3 pictures can be read; the first: left out: "
        in capsys.readouterr().err
    )


def test_a_workbench_holds_the_model_and_what_can_be_read(pets, run, tmp_path, capsys):
    (pets / "notes.txt").write_text("no picture", encoding="utf-8")
    right = [str(path) for path in sorted(pets.glob("cat/*.png"))[:2]]
    out = tmp_path / "page.html"
    command = ["workbench", "--checkpoint", str(tmp_path / "run"), "--out", str(out)]
    assert main([*command, right[0], str(pets / "notes.txt"), right[1]]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{out}: 2 pictures and the model, ")
    assert said.err.startswith("left out: ") and "notes.txt" in said.err
    page = out.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and 'name="viewport"' in page
    data = page.partition('type="application/json">')[2].partition("</script>")[0]
    (subject,) = json.loads(data)["subjects"]
    assert [each["title"] for each in subject["pictures"]] == [
        Path(path).name for path in right
    ]
    assert subject["classes"] == list(run[1].classes) and subject["model"]
    out.unlink()
    assert main([*command, "nothing.png"]) == 2 and not out.exists()
    elsewhere = [*command[:-1], str(tmp_path / "none" / "page.html")]
    capsys.readouterr()
    assert main([*elsewhere, right[0]]) == 2
    assert "but there is no folder" in capsys.readouterr().err
    for wrong, message in [
        ("", "--out is ''"),
        (str(tmp_path), "expected the file of the page"),
        (right[0], "which is one of the pictures"),
    ]:
        assert main([*command[:-1], wrong, right[0]]) == 2
        assert message in capsys.readouterr().err
    assert read_image(right[0], (16, 32)).any()  # it is there still


def test_attend_says_how_many_pictures_fit(run):
    model, record = run
    most = attend.most_pictures((16, 32))
    with pytest.raises(
        ValueError,
        match=f"{most + 1} pictures do not fit into a figure, expected at most {most}",
    ):
        attend.read_all(["nothing.png"] * (most + 1), record.config)
    images = torch.zeros(5, 3, 16, 32, dtype=torch.uint8)
    figure = attend.draw_attention(
        images, torch.ones(5, 8), (2, 4), ["$x$ $"] * 5, "all"
    )
    assert figure.get_figheight() * figure.dpi < attend.TALLEST
    assert (
        most / 2 * attend.cell((16, 32), attend.DPI_OF_MANY, 2)[0] + attend.FOOT
        <= attend.TALLEST
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_each_picture_lies_beside_the_one_under_its_attention(channels):
    images = torch.stack(
        [
            torch.full((channels, 16, 32), 50 * number, dtype=torch.uint8)
            for number in range(5)
        ]
    )
    weights = torch.eye(8)[:5]  # of picture n all on patch n
    figure = attend.draw_attention(images, weights, (2, 4), list("abcde"), "all")
    # a long name stays within its picture
    assert all(text.get_clip_box() for text in figure.texts[:-1])
    sheet = np.concatenate([strip.get_array()[attend.GAP :] for strip in figure.images])
    height, width = attend.cell((16, 32), attend.DPI, 2)
    height -= attend.GAP
    assert [text.get_text() for text in figure.texts] == [
        *"abcde",
        "all (yellow: most)",
    ]
    dark, bright = ((153 * np.array(viridis(end)[:3])) for end in (0.0, 1.0))
    for number in range(5):
        top = number // 2 * height
        left = number % 2 * 2 * width
        assert (
            sheet[top : top + height - 9, left : left + width - 9] == 50 * number
        ).all()
        under = sheet[top:, left + width :] - 0.4 * 50 * number
        for patch in range(8):
            y = height * (1 + 2 * (patch // 4)) // 4
            x = width * (1 + 2 * (patch % 4)) // 8
            assert np.allclose(under[y, x], bright if patch == number else dark, atol=1)
