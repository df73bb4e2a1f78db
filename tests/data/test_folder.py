"""Folders of pictures: what is read, who is held out."""

import os
import unicodedata
from dataclasses import replace

import pytest
import torch
from pets import classes_in, names, read_folder, refused, write_image
from small import link

from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import describe, keep_apart, load_split
from vit_tutorial.data.folder import fingerprint, list_classes, survey

# Reading


def test_a_folder_is_read_in_order_resized_and_cropped(tmp_path):
    for number in range(4):
        write_image(tmp_path / "red" / f"{number}.png", (200, 10 * number, 0), (60, 40))
        write_image(
            tmp_path / "blue" / f"{number}.jpg", (0, 0, 200), (40, 60), quality=95
        )
    write_image(tmp_path / "red" / ".hidden.png")
    write_image(tmp_path / ".cache" / "0.png")
    (tmp_path / "README.txt").write_text("beside the classes", encoding="utf-8")
    found = read_folder(tmp_path, (32, 48))
    assert found.images.shape == (8, 3, 32, 48) and found.images.dtype == torch.uint8
    assert (
        found.classes == ("blue", "red") and found.labels.tolist() == [0] * 4 + [1] * 4
    )
    assert found.images[4:, 1, 0, 0].tolist() == [0, 10, 20, 30]


@pytest.mark.parametrize(
    "name",
    ["Thumbs.db", "desktop.ini", "Desktop.ini", ".DS_Store", "ehthumbs.db", "._0.png"],
)
def test_what_systems_leave_behind_is_no_picture(tmp_path, name):
    classes_in(tmp_path)
    for place in (tmp_path, tmp_path / "ants"):
        (place / name).write_bytes(b"no picture")
    write_image(tmp_path / "__MACOSX" / "ants" / "0.png")
    write_image(tmp_path / "@eaDir" / "0.png")
    assert len(read_folder(tmp_path, 8)) == 12


def test_links_and_folders_within_are_entered(tmp_path):
    classes_in(tmp_path / "pets")
    classes_in(tmp_path / "elsewhere", ("wasps", "black"), 3)
    link(tmp_path / "pets" / "wasps", tmp_path / "elsewhere" / "wasps")
    link(tmp_path / "pets" / "ants" / "more", tmp_path / "elsewhere" / "black")
    classes, pictures = list_classes(tmp_path / "pets")
    assert classes == ("ants", "bees", "wasps")
    assert [sum(each.label == label for each in pictures) for label in range(3)] == [
        9,
        6,
        3,
    ]
    assert "ants/more/000.png" in names(pictures)


def test_a_folder_is_listed_once(tmp_path):
    classes_in(tmp_path)
    link(tmp_path / "ants" / "round", tmp_path)
    refused(tmp_path, "is the same folder as|ants")
    (tmp_path / "ants" / "round").unlink()
    link(tmp_path / "wasps", tmp_path / "bees")
    refused(tmp_path, "wasps is the same folder as .*bees")


def test_validation_is_no_link_to_training(tmp_path):
    classes_in(tmp_path / "train")
    link(tmp_path / "val", "train")
    refused(tmp_path, "val.ants is the same folder as .*train.ants")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    classes_in(tmp_path)
    link(tmp_path / "ants" / "gone.png", "nothing.png")
    with pytest.raises(ValueError, match="ants.gone.png is a link to nothing"):
        read_folder(tmp_path, 8)


def test_too_little_memory_is_one_line(tmp_path):
    with pytest.raises(
        ValueError, match="12 pictures of 9000000 x 9000000 pixels need .* GB of memory"
    ):
        read_folder(classes_in(tmp_path), 9_000_000)


def test_too_few_or_empty_classes_are_refused(tmp_path):
    refused(tmp_path / "nowhere", "nowhere is no folder, expected")
    refused(
        tmp_path, "holds 0 subfolders, expected one for each of at least 2 classes$"
    )
    classes_in(tmp_path / "data")
    refused(tmp_path, "holds 1 subfolders, .*: is .*data meant")
    (tmp_path / "data" / "wasps").mkdir()
    refused(
        tmp_path / "data", "wasps holds no files, expected the images of class 'wasps'"
    )


def test_names_of_classes_are_text_and_distinct(tmp_path):
    classes_in(
        tmp_path / "two",
        (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"), "a"),
        1,
    )
    refused(tmp_path / "two", "two folders 'é', in two spellings")
    classes_in(tmp_path / "lines", ("a\nb", "c"), 1)
    refused(tmp_path / "lines", "the name of a class")
    classes_in(tmp_path / "bytes", (os.fsdecode(b"\xff"), "c"), 1)
    refused(tmp_path / "bytes", "the name of a class")
    classes_in(tmp_path / "fine", ("گربه‌ها", "$x$", "a b", "猫"), 1)
    assert len(list_classes(tmp_path / "fine")[0]) == 4


# Who is held out


def split_of(root, **options):
    found = survey(root, **{"fraction": 0.2, "seed": 0} | options)
    return names(found.splits["train"]), names(found.splits["val"])


@pytest.mark.parametrize("count", [2, 3, 5, 50])
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_more_pictures_take_none_out_of_training(tmp_path, count, fraction):
    """The one that was held out for want of another may be trained on later; never the
    other way round.
    """
    classes_in(tmp_path, count=count)
    try:
        trained, held_out = split_of(tmp_path, fraction=fraction)
    except ValueError as error:
        assert "leaves none for training" in str(error) and fraction == 0.5
        return
    assert (
        trained | held_out == names(list_classes(tmp_path)[1])
        and not trained & held_out
    )
    for step in range(1, 8):
        classes_in(tmp_path, ("ants", "bees", "wasps"), count=3, first=count + 3 * step)
        now, val = split_of(tmp_path, fraction=fraction)
        assert trained <= now and not trained & val
        trained = now


def test_a_split_is_random_fixed_and_about_the_share(tmp_path):
    classes_in(tmp_path, count=200)
    train, val = split_of(tmp_path)
    assert split_of(tmp_path) == (train, val) and split_of(tmp_path, seed=1)[1] != val
    assert all(
        25 <= sum(name.startswith(kind) for name in val) <= 55
        for kind in ("ants", "bees")
    )
    numbers = sorted(int(name[-7:-4]) for name in val if name.startswith("ants"))
    assert numbers[0] < 40 and numbers[-1] > 160
    folds = [split_of(tmp_path, fold=fold)[1] for fold in range(5)]
    assert set().union(*folds) == train | val and sum(map(len, folds)) == len(
        train | val
    )
    labels = [picture.label for picture in survey(tmp_path, 0.2, 0).splits["val"]]
    assert 0 < sum(labels[:20]) < 20  # the classes are mixed


def test_the_split_of_known_names_is_known(tmp_path):
    """On every system, in every version: who validates on pictures of an old run must
    not meet those trained on.
    """
    assert split_of(classes_in(tmp_path, count=8))[1] == KNOWN


KNOWN = {"ants/001.png", "ants/006.png", "bees/000.png"}


def test_names_decide_and_not_places(tmp_path):
    """Moved, linked, or with accents written as another system does: the same split."""
    nfc, nfd = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    classes_in(tmp_path / "one", (nfc, "bees"), 30)
    classes_in(tmp_path / "other", (nfd, "bees"), 30)
    assert split_of(tmp_path / "one") == split_of(tmp_path / "other")
    one, other = (survey(tmp_path / name, 0.2, 0) for name in ("one", "other"))
    assert one.classes == other.classes == ("bees", nfc)
    assert (
        fingerprint(one.splits["val"])
        == fingerprint(other.splits["val"])
        != fingerprint(one.splits["train"])
    )


def test_names_come_in_the_order_of_their_letters(tmp_path):
    for name in ("b", "B", "a-b", "a/b", "a10", "a2", "Z", "é"):
        write_image(tmp_path / "ants" / f"{name}.png")
    if (tmp_path / "Ants").exists():
        pytest.skip("to this system large and small letters are the same")
    classes_in(tmp_path, ("bees", "Ants"), 1)
    classes, pictures = list_classes(tmp_path)
    assert classes == ("Ants", "ants", "bees")
    found = [picture.name for picture in pictures if picture.label == 1]
    assert found == sorted(found) and found[0] == "ants/B.png"


def test_a_class_too_small_to_split_is_named(tmp_path):
    classes_in(tmp_path, count=4)
    classes_in(tmp_path, ("wasps",), count=1)
    with pytest.raises(
        ValueError,
        match="class 'wasps' has 1 pictures, .* in fold 0 leaves none for training",
    ):
        survey(tmp_path, 0.2, 0)


def test_the_fingerprint_notes_names_and_lengths(tmp_path):
    classes_in(tmp_path)
    before = fingerprint(list_classes(tmp_path)[1])
    assert before.startswith("12 pictures, ") and before == fingerprint(
        reversed(list_classes(tmp_path)[1])
    )
    write_image(tmp_path / "ants" / "000.png", size=(99, 99))
    other = fingerprint(list_classes(tmp_path)[1])
    (tmp_path / "ants" / "000.png").rename(tmp_path / "ants" / "zzz.png")
    assert len({before, other, fingerprint(list_classes(tmp_path)[1])}) == 3


# Through the settings


def test_a_config_loads_the_splits_of_a_folder(tmp_path):
    config = DataConfig(
        "folder", root=str(classes_in(tmp_path)), image_size=8, val_fraction=0.25
    )
    train = load_split(config, "train")
    val = load_split(config, "val")
    assert (
        len(train) + len(val) == 12
        and min(val.labels.bincount()) >= 1
        and min(train.labels.bincount()) >= 1
    )
    reds = torch.cat([part.images[part.labels == 1] for part in (train, val)])[
        :, 0, 0, 0
    ]
    assert sorted(reds.tolist()) == [0, 10, 20, 30, 40, 50]
    assert train.origin and train.origin != val.origin
    with pytest.raises(
        ValueError, match="has no test split, expected the folders .*train and .*test"
    ):
        load_split(config, "test")
    with pytest.raises(
        ValueError, match="image_size is not set, expected that of a model"
    ):
        load_split(replace(config, image_size=None), "val")
    assert describe(config).endswith(
        "; read at 8 x 8 pixels"
    ) and "2 classes ('ants', 'bees')" in describe(config)


def test_a_run_is_not_written_among_the_pictures(tmp_path):
    config = DataConfig("folder", root=str(classes_in(tmp_path / "pets")))
    keep_apart(config, tmp_path / "run")
    keep_apart(DataConfig("stl10", root=str(tmp_path)), tmp_path / "run")
    link(tmp_path / "link", "pets")
    for out in ("pets", "pets/run", "pets/ants/run", "link/run", "run/../pets/run"):
        with pytest.raises(ValueError, match="lies in .*pets, the folder of pictures"):
            keep_apart(config, tmp_path / out)
