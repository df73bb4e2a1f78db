"""What a folder is taken for: classes, splits, or what only looks like them and is
refused.
"""

import pytest
from pets import classes_in, read_folder, refused, write_image

from vit_tutorial.data.folder import survey


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
        assert {
            name: len(part) for name, part in found.splits.items() if name != "test"
        } == {"train": 40, "val": 6}
    else:
        assert len(found.splits["train"]) + len(found.splits["val"]) == 40
    for name, folder in ((train, "train"), (val, "val"), (test, "test")):
        assert name is None or all(
            name in each.path.parts for each in found.splits[folder]
        )
        assert name is None or f"pictures of {tmp_path / name}" in str(found)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (
            ["train/ants", "train/bees", "training/ants", "training/bees"],
            "2 folders for the split 'train'",
        ),
        (["val/ants", "val/bees", "test/ants", "test/bees"], "expected a folder train"),
        (["train", "test"], "'test'.*looks like a split|'train'.*looks like a split"),
        (["train", "valid"], "looks like a split"),
        (["ants", "bees", "test"], "'test', which looks like a split"),
        (["ants", "bees", "validation"], "'validation', which looks like a split"),
        (
            ["train/ants", "train/bees", "ants", "bees"],
            "beside them, 'ants' with other pictures",
        ),
        (["train/ants", "train/bees", "test"], "beside them, 'test'"),
        (["train/ants", "train/bees", "val2/ants", "val2/bees"], "beside them, 'val2'"),
        (["train/ants", "val/ants"], "train holds 1 subfolders"),
        (
            ["seg_train/ants", "seg_train/bees", "seg_test/ants", "seg_test/bees"],
            "'seg_test', which looks",
        ),
        (["trainImages", "testImages"], "'testImages', which looks like a split"),
        (["test2017", "train2017"], "'test2017', which looks like a split"),
        (
            ["fold1/ants", "fold1/bees", "fold2/ants", "fold2/bees"],
            "hold the same folders, .'ants', 'bees'.",
        ),
        (
            ["übung/ants", "übung/bees", "prüfung/ants", "prüfung/bees"],
            "hold the same folders",
        ),
        (
            ["ants/train", "ants/val", "bees/train", "bees/val"],
            "hold the same folders|outside of classes",
        ),
        (
            ["images/train", "labels/train", "more"],
            "images holds .'train'., expected splits outside of classes",
        ),
        (
            ["train/ants", "train/bees", "val/ants", "val/wasps"],
            "val has classes .'ants', 'wasps'., expected those",
        ),
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
        write_image(
            tmp_path / "val" / name.replace("0299", "0300") / "0.png", size=(1, 1)
        )
    refused(
        tmp_path, r"300 in all.*; missing are \('class-0299-.*new are \('class-0300-"
    )
