"""The command line's words: what a mistake is answered with, and what --help
explains.
"""

import pytest
from small import refused

from vit_tutorial.cli.main import main
from vit_tutorial.training.checkpoint import SHIPPED
from vit_tutorial.training.config import RENAMED


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--training.peak_lr", "nan"),
        ("--training.epochs", "2.5"),
        ("--training.compile", "maybe"),
        ("--training.augment.crop", "0.5"),
        ("--training.augment.crop", "[1]"),
        ("--data.mean", "0.5"),
        ("--data.mean", "[a, 0, 0]"),
        ("--model.pool", "max"),
        ("--model.image_size", "[96]"),
    ],
)
def test_a_value_is_named_with_what_was_expected(flag, value, tmp_path, capsys):
    """In the words of jsonargparse, in one line."""
    said = refused(capsys, "train", "--out", tmp_path / "run", flag, value)
    assert said.startswith("error: ") and flag.removeprefix("--") in said
    assert "xpected" in said or "validate" in said
    assert value.strip("[]").split(",")[0] in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        ("train", ["out"]),
        ("attend", ["images", "checkpoint", "out"]),
        ("attend image.png --checkpoint stacks", ["out"]),
        ("evaluate", ["checkpoint"]),
        ("probe", ["checkpoint"]),
        ("download", ["name"]),
    ],
)
def test_what_is_missing_is_named(words, missing, capsys):
    said = refused(capsys, *words.split())
    names = said.removeprefix("error: the following arguments are required: ")
    command = words.split()[0]
    assert names.strip() == ", ".join(f"{command}.{name}" for name in missing)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_is_answered_with_the_new_one(old, new, tmp_path, capsys):
    said = refused(capsys, "train", "--out", tmp_path / "run", f"--training.{old}", "1")
    assert said.endswith(f"; training.{old} is now training.{new}\n")
    recipe = tmp_path / "recipe.yaml"
    part, _, name = old.rpartition(".")
    text = f"{{{part}: {{{name}: 1}}}}" if part else f"{{{name}: 1}}"
    recipe.write_text(f"training: {text}", encoding="utf-8")
    said = refused(capsys, "train", "--config", recipe, "--out", tmp_path / "run")
    assert f"is now training.{new.split('.')[0] if part else new}" in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG", "recipe.yaml is no YAML: 'utf-8' codec can't decode"),
        (b"model: [1, 2", 'no YAML: while parsing a flow sequence in "'),
        (
            b"hello",
            "recipe.yaml holds 'hello', expected settings of model, data or training",
        ),
        (b"", "recipe.yaml holds None, expected settings of"),
        (b"training:", "recipe.yaml holds no value for training"),
        (
            b"training:\n  seed:\n  epochs: 1",
            "recipe.yaml holds no value for training.seed",
        ),
        (
            b"model: &m {dim: 8}\ndata: *m",
            "recipe.yaml holds an alias (*name): write the value out",
        ),
        (b"{a: " * 5000, "recipe.yaml is no YAML"),
        (b"model: 3", "recipe.yaml: model is 3, expected settings"),
        (
            b"training: {augment: [1]}",
            "recipe.yaml: training.augment is [1], expected settings",
        ),
        (b"out: 3", "out"),
    ],
)
def test_a_file_that_is_no_recipe_is_named(content, message, tmp_path, capsys):
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    assert message in refused(
        capsys, "train", "--config", path, "--out", tmp_path / "run"
    )
    assert not (tmp_path / "run").exists()


def test_an_unknown_setting_of_a_run_is_named_with_its_file(tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text(
        (SHIPPED / "stacks" / "config.json")
        .read_text(encoding="utf-8")
        .replace('"dim"', '"dimm"'),
        encoding="utf-8",
    )
    (tmp_path / "model.safetensors").touch()
    message = f"error: {path} holds an unknown setting: model.dimm\n"
    assert refused(capsys, "evaluate", "--checkpoint", tmp_path) == message


def test_out_that_is_a_file_or_nowhere_is_named(tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    small = [
        "--data.train_images",
        10,
        "--data.val_images",
        10,
        "--training.device",
        "cpu",
    ]
    assert f"{file} is a file, expected the folder of a run" in refused(
        capsys, "train", "--out", file, *small
    )
    out = tmp_path / "missing" / "map.png"
    line = refused(capsys, "attend", "--checkpoint", "stacks", file, "--out", out)
    assert f"--out is {out}, but there is no folder {out.parent}" in line


@pytest.mark.parametrize(
    ("command", "explained"),
    [
        ("train", ["grad_clip_norm", "root", "crop", "mixup"]),
        ("evaluate", ["root"]),
        ("probe", ["root"]),
    ],
)
def test_help_explains_the_settings(command, explained, capsys):
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    said = capsys.readouterr().out
    assert done.value.code == 0 and "Raises" not in said
    assert all(f"`{name}`" in said for name in explained)
