"""Folders of pictures: what is a class, what a split, who is held out, and what is refused."""

import os
import unicodedata
from dataclasses import replace

import pytest
import torch
from PIL import Image

from vit_tutorial.data import DataConfig, describe, keep_apart, load_split
from vit_tutorial.folders import fingerprint, list_classes, read_folder, survey


def write_image(path, colour=(200, 0, 0), size=(16, 16), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)


def classes_in(root, names=("ants", "bees"), count=6, first=0):
    for name in names:
        for number in range(first, first + count):
            write_image(root / name / f"{number:03}.png", (10 * number % 256, 0, 0))
    return root


def names(pictures):
    return {picture.name for picture in pictures}


def refused(root, message, **options):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        survey(root, **{"fraction": 0.2, "seed": 0} | options)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 2000 and root.name in str(caught.value)


# Reading


def test_a_folder_is_read_in_order_resized_and_cropped(tmp_path):
    for number in range(4):
        write_image(tmp_path / "red" / f"{number}.png", (200, 10 * number, 0), (60, 40))
        write_image(tmp_path / "blue" / f"{number}.jpg", (0, 0, 200), (40, 60), quality=95)
    write_image(tmp_path / "red" / ".hidden.png")
    write_image(tmp_path / ".cache" / "0.png")
    (tmp_path / "README.txt").write_text("beside the classes", encoding="utf-8")
    found = read_folder(tmp_path, (32, 48))
    assert found.images.shape == (8, 3, 32, 48) and found.images.dtype == torch.uint8
    assert found.classes == ("blue", "red") and found.labels.tolist() == [0] * 4 + [1] * 4
    assert found.images[4:, 1, 0, 0].tolist() == [0, 10, 20, 30]


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", "Desktop.ini", ".DS_Store", "ehthumbs.db", "._0.png"])
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
    (tmp_path / "pets" / "wasps").symlink_to(tmp_path / "elsewhere" / "wasps")
    (tmp_path / "pets" / "ants" / "more").symlink_to(tmp_path / "elsewhere" / "black")
    classes, pictures = list_classes(tmp_path / "pets")
    assert classes == ("ants", "bees", "wasps")
    assert [sum(each.label == label for each in pictures) for label in range(3)] == [9, 6, 3]
    assert "ants/more/000.png" in names(pictures)


def test_a_folder_is_listed_once(tmp_path):
    classes_in(tmp_path)
    (tmp_path / "ants" / "round").symlink_to(tmp_path)
    refused(tmp_path, "is the same folder as|ants")
    (tmp_path / "ants" / "round").unlink()
    (tmp_path / "wasps").symlink_to(tmp_path / "bees")
    refused(tmp_path, "wasps is the same folder as .*bees")


def test_validation_is_no_link_to_training(tmp_path):
    classes_in(tmp_path / "train")
    (tmp_path / "val").symlink_to("train")
    refused(tmp_path, "val/ants is the same folder as .*train/ants")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    classes_in(tmp_path)
    (tmp_path / "ants" / "gone.png").symlink_to("nothing.png")
    with pytest.raises(ValueError, match="ants/gone.png is a link to nothing"):
        read_folder(tmp_path, 8)


def test_too_little_memory_is_one_line(tmp_path):
    with pytest.raises(ValueError, match="12 pictures of 9000000 x 9000000 pixels need .* GB of memory"):
        read_folder(classes_in(tmp_path), 9_000_000)


def test_too_few_or_empty_classes_are_refused(tmp_path):
    refused(tmp_path / "nowhere", "nowhere is no folder, expected")
    refused(tmp_path, "holds 0 subfolders, expected one for each of at least 2 classes$")
    classes_in(tmp_path / "data")
    refused(tmp_path, "holds 1 subfolders, .*: is .*data meant")
    (tmp_path / "data" / "wasps").mkdir()
    refused(tmp_path / "data", "wasps holds no files, expected the images of class 'wasps'")


def test_names_of_classes_are_text_and_distinct(tmp_path):
    classes_in(tmp_path / "two", (unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"), "a"), 1)
    refused(tmp_path / "two", "two folders 'é', in two spellings")
    classes_in(tmp_path / "lines", ("a\nb", "c"), 1)
    refused(tmp_path / "lines", "the name of a class")
    classes_in(tmp_path / "bytes", (os.fsdecode(b"\xff"), "c"), 1)
    refused(tmp_path / "bytes", "the name of a class")
    classes_in(tmp_path / "fine", ("گربه‌ها", "$x$", "a b", "猫"), 1)
    assert len(list_classes(tmp_path / "fine")[0]) == 4


# Splits


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Train", "Valid", "Test"),
        ("training", "validation", "testing"),
        ("TRAIN", "dev", "TEST"),
        ("train_set", "val-set", "Test Set"),
        ("train", "val", None),
        ("Training", None, "Testing"),
        ("train", None, None),
    ],
)
def test_the_usual_names_of_splits_are_known(tmp_path, train, val, test):
    for name, count in ((train, 20), (val, 3), (test, 4)):
        if name is not None:
            classes_in(tmp_path / name, count=count)
    found = survey(tmp_path, 0.2, 0)
    assert found.classes == ("ants", "bees")
    assert ("test" in found.splits) == (test is not None)
    if val is not None:
        assert {name: len(part) for name, part in found.splits.items() if name != "test"} == {"train": 40, "val": 6}
    else:
        assert len(found.splits["train"]) + len(found.splits["val"]) == 40
    for name, folder in ((train, "train"), (val, "val"), (test, "test")):
        assert name is None or all(f"/{name}/" in str(each.path) for each in found.splits[folder])
        assert name is None or f"pictures of {tmp_path / name}" in str(found)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["train/ants", "train/bees", "training/ants", "training/bees"], "2 folders for the split 'train'"),
        (["val/ants", "val/bees", "test/ants", "test/bees"], "expected a folder train"),
        (["train", "test"], "'test'.*looks like a split|'train'.*looks like a split"),
        (["train", "valid"], "looks like a split"),
        (["ants", "bees", "test"], "'test', which looks like a split"),
        (["ants", "bees", "validation"], "'validation', which looks like a split"),
        (["train/ants", "train/bees", "ants", "bees"], "beside them, 'ants' with other pictures"),
        (["train/ants", "train/bees", "test"], "beside them, 'test'"),
        (["train/ants", "train/bees", "val2/ants", "val2/bees"], "beside them, 'val2'"),
        (["train/ants", "val/ants"], "train holds 1 subfolders"),
        (["seg_train/ants", "seg_train/bees", "seg_test/ants", "seg_test/bees"], "'seg_test', which looks"),
        (["trainImages", "testImages"], "'testImages', which looks like a split"),
        (["test2017", "train2017"], "'test2017', which looks like a split"),
        (["fold1/ants", "fold1/bees", "fold2/ants", "fold2/bees"], "hold the same folders, .'ants', 'bees'."),
        (["übung/ants", "übung/bees", "prüfung/ants", "prüfung/bees"], "hold the same folders"),
        (["ants/train", "ants/val", "bees/train", "bees/val"], "hold the same folders|outside of classes"),
        (["images/train", "labels/train", "more"], "images holds .'train'., expected splits outside of classes"),
        (["train/ants", "train/bees", "val/ants", "val/wasps"], "val has classes .'ants', 'wasps'., expected those"),
    ],
)
def test_what_looks_like_splits_is_refused(tmp_path, folders, message):
    for folder in folders:
        write_image(tmp_path / folder / "0.png")
        write_image(tmp_path / folder / "1.png")
    refused(tmp_path, message)
    with pytest.raises(ValueError):
        read_folder(tmp_path, 8)


@pytest.mark.parametrize(
    "names",
    [
        ("bus", "car", "train"),
        ("invalid", "valid"),
        ("bullet_train", "steam_train", "tram"),
        ("test_tube", "flask", "train_station"),
        ("trainer", "valley"),
        ("old/cats", "new/dogs"),
    ],
)
def test_classes_that_sound_like_splits_are_classes(tmp_path, names):
    found = survey(classes_in(tmp_path, names), 0.2, 0)
    assert found.classes == tuple(sorted(name.split("/")[0] for name in names))


def test_what_is_not_used_is_said(tmp_path):
    classes_in(tmp_path / "train")
    classes_in(tmp_path / "test")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "list.txt").write_text("a list", encoding="utf-8")
    assert "not used: ('notes')" in str(survey(tmp_path, 0.2, 0))


def test_a_validation_folder_has_no_folds(tmp_path):
    classes_in(tmp_path / "train")
    classes_in(tmp_path / "val")
    refused(tmp_path, "fold is 1, but .*val holds the pictures of validation", fold=1)


def test_messages_about_many_classes_are_short(tmp_path):
    wrong = [f"class-{number:04}-{'x' * 90}" for number in range(300)]
    for name in wrong:
        write_image(tmp_path / "train" / name / "0.png", size=(1, 1))
        write_image(tmp_path / "val" / name.replace("0299", "0300") / "0.png", size=(1, 1))
    refused(tmp_path, r"300 in all.*; missing are \('class-0299-.*new are \('class-0300-")


# Who is held out


def split_of(root, **options):
    found = survey(root, **{"fraction": 0.2, "seed": 0} | options)
    return names(found.splits["train"]), names(found.splits["val"])


@pytest.mark.parametrize("count", [2, 3, 5, 50])
@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_more_pictures_take_none_out_of_training(tmp_path, count, fraction):
    """The one that was held out for want of another may be trained on later; never the other way round."""
    classes_in(tmp_path, count=count)
    try:
        trained, held_out = split_of(tmp_path, fraction=fraction)
    except ValueError as error:
        assert "leaves none for training" in str(error) and fraction == 0.5
        return
    assert trained | held_out == names(list_classes(tmp_path)[1]) and not trained & held_out
    for step in range(1, 8):
        classes_in(tmp_path, ("ants", "bees", "wasps"), count=3, first=count + 3 * step)
        now, val = split_of(tmp_path, fraction=fraction)
        assert trained <= now and not trained & val
        trained = now


def test_a_split_is_random_fixed_and_about_the_share(tmp_path):
    classes_in(tmp_path, count=200)
    train, val = split_of(tmp_path)
    assert split_of(tmp_path) == (train, val) and split_of(tmp_path, seed=1)[1] != val
    assert all(25 <= sum(name.startswith(kind) for name in val) <= 55 for kind in ("ants", "bees"))
    numbers = sorted(int(name[-7:-4]) for name in val if name.startswith("ants"))
    assert numbers[0] < 40 and numbers[-1] > 160
    folds = [split_of(tmp_path, fold=fold)[1] for fold in range(5)]
    assert set().union(*folds) == train | val and sum(map(len, folds)) == len(train | val)
    labels = [picture.label for picture in survey(tmp_path, 0.2, 0).splits["val"]]
    assert 0 < sum(labels[:20]) < 20  # the classes are mixed


def test_the_split_of_known_names_is_known(tmp_path):
    """On every system, in every version: who validates on pictures of an old run must not meet those trained on."""
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
    assert fingerprint(one.splits["val"]) == fingerprint(other.splits["val"]) != fingerprint(one.splits["train"])


def test_names_come_in_the_order_of_their_letters(tmp_path):
    for name in ("b", "B", "a-b", "a/b", "a10", "a2", "Z", "é"):
        write_image(tmp_path / "ants" / f"{name}.png")
    classes_in(tmp_path, ("bees", "Ants"), 1)
    classes, pictures = list_classes(tmp_path)
    assert classes == ("Ants", "ants", "bees")
    found = [picture.name for picture in pictures if picture.label == 1]
    assert found == sorted(found) and found[0] == "ants/B.png"


def test_a_class_too_small_to_split_is_named(tmp_path):
    classes_in(tmp_path, count=4)
    classes_in(tmp_path, ("wasps",), count=1)
    with pytest.raises(ValueError, match="class 'wasps' has 1 pictures, .* in fold 0 leaves none for training"):
        survey(tmp_path, 0.2, 0)


def test_the_fingerprint_notes_names_and_lengths(tmp_path):
    classes_in(tmp_path)
    before = fingerprint(list_classes(tmp_path)[1])
    assert before.startswith("12 pictures, ") and before == fingerprint(reversed(list_classes(tmp_path)[1]))
    write_image(tmp_path / "ants" / "000.png", size=(99, 99))
    other = fingerprint(list_classes(tmp_path)[1])
    (tmp_path / "ants" / "000.png").rename(tmp_path / "ants" / "zzz.png")
    assert len({before, other, fingerprint(list_classes(tmp_path)[1])}) == 3


# Through the settings


def test_a_config_loads_the_splits_of_a_folder(tmp_path):
    config = DataConfig("folder", root=str(classes_in(tmp_path)), image_size=8, val_fraction=0.25)
    train, val = load_split(config, "train"), load_split(config, "val")
    assert len(train) + len(val) == 12 and min(val.labels.bincount()) >= 1 and min(train.labels.bincount()) >= 1
    reds = torch.cat([part.images[part.labels == 1] for part in (train, val)])[:, 0, 0, 0]
    assert sorted(reds.tolist()) == [0, 10, 20, 30, 40, 50]
    assert train.origin and train.origin != val.origin
    with pytest.raises(ValueError, match="has no test split, expected the folders .*train and .*test"):
        load_split(config, "test")
    with pytest.raises(ValueError, match="image_size is not set, expected that of a model"):
        load_split(replace(config, image_size=None), "val")
    assert describe(config).endswith("; read at 8 x 8 pixels") and "2 classes ('ants', 'bees')" in describe(config)


def test_a_run_is_not_written_among_the_pictures(tmp_path):
    config = DataConfig("folder", root=str(classes_in(tmp_path / "pets")))
    keep_apart(config, tmp_path / "run")
    keep_apart(DataConfig("stl10", root=str(tmp_path)), tmp_path / "run")
    (tmp_path / "link").symlink_to("pets")
    for out in ("pets", "pets/run", "pets/ants/run", "link/run", "run/../pets/run"):
        with pytest.raises(ValueError, match="lies in .*pets, the folder of pictures"):
            keep_apart(config, tmp_path / out)
