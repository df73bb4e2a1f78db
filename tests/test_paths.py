import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from vit_tutorial import load_checkpoint
from vit_tutorial.cli.main import main
from vit_tutorial.files import user_path, user_word

TINY = {
    "model": {
        "image_size": 48,
        "patch_size": 24,
        "dim": 4,
        "depth": 1,
        "heads": 1,
        "classes": 2,
    },
    "data": {"name": "pairs", "train_images": 8, "val_images": 4},
    "training": {"epochs": 1, "batch_size": 4, "device": "cpu"},
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder; the current one is another."""
    (tmp_path / "home").mkdir()
    (tmp_path / "elsewhere").mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "home"


def test_a_path_may_begin_at_home(home):
    assert user_path("~/runs") == user_path(Path("~/runs")) == home / "runs"
    assert user_path("~") == home
    for as_it_is in ("runs", "a/~/b", "./~", "~nobody-is-called-this/runs", str(home)):
        assert user_path(as_it_is) == Path(as_it_is)


def test_a_word_of_a_command_line_may_begin_at_home(home):
    assert user_word("--out=~/runs") == f"--out={home}/runs"
    assert user_word("~/photo.jpg") == f"{home}/photo.jpg"
    for as_it_is in (
        "train",
        "--out",
        "--out=",
        "--resume",
        "--out=a~b",
        "--note=a=~/b",
        "3",
        "",
    ):
        assert user_word(as_it_is) == as_it_is


def test_a_run_in_the_home_folder(home, capsys):
    (home / "tiny.yaml").write_text(yaml.safe_dump(TINY), encoding="utf-8")
    assert main(["train", "--config=~/tiny.yaml", "--out", "~/run"]) == 0
    assert main(["train", "--config", "~/tiny.yaml", "--out=~/run", "--resume"]) == 0
    assert main(["evaluate", "--checkpoint=~/run"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["n"] == 4
    model, _ = load_checkpoint("~/run")
    assert model.config.dim == 4
    assert load_checkpoint(Path("~/run/model.safetensors"))[0].config == model.config
    assert not list((home.parent / "elsewhere").iterdir())


def test_an_output_named_in_a_config_may_begin_at_home(home):
    (home / "tiny.yaml").write_text(
        yaml.safe_dump(TINY | {"out": "~/run"}), encoding="utf-8"
    )
    assert main(["train", "--config", "~/tiny.yaml"]) == 0
    assert (home / "run" / "model.safetensors").is_file()


def test_a_config_is_read_in_utf_8_whatever_the_machine_has(home):
    """Python warns where a file is read in the machine's own encoding; the mark is what
    editors on Windows write.
    """
    text = yaml.safe_dump(TINY | {"out": "Läufe/猫"}, allow_unicode=True)
    Path("tiny.yaml").write_text(text, encoding="utf-8-sig")
    strict = [
        "-X",
        "warn_default_encoding",
        "-W",
        "error::EncodingWarning:jsonargparse._paths",
    ]
    command = [
        sys.executable,
        *strict,
        "-m",
        "vit_tutorial",
        "train",
        "--config",
        "tiny.yaml",
    ]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run(
        command, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert Path("Läufe", "猫", "model.safetensors").is_file()
