"""What is printed, and what is not: no torch for a slip of the pen, no traceback, no
run that ends with its reader.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from small import TINY, refused

from vit_tutorial import __main__
from vit_tutorial.cli import commands, console
from vit_tutorial.cli import main as cli
from vit_tutorial.cli.main import main

ROOT = Path(__file__).parents[2]


def python(*arguments, **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | options.pop("env", {})
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, **options
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["train", "--help"], 0),
        (["trian"], 2),
        (["train", "--out", "run", "--model.dept", "3"], 2),
        (["train", "--out", "run", "--model.dim", "7"], 2),
        (["evaluate", "--chekpoint", "stacks"], 2),
    ],
)
def test_neither_help_nor_a_slip_waits_for_torch(words, code, tmp_path):
    check = (
        "import sys\nfrom vit_tutorial.__main__ import run\ntry: code = run()\nexcept"
        " SystemExit as done: code = done.code\nprint('heavy:', [name for name in"
        " ('torch', 'numpy', 'matplotlib', 'PIL') if name in sys.modules], code)"
    )
    done = python("-c", check, *words, cwd=tmp_path)
    assert done.stdout.endswith(f"heavy: [] {code}\n"), done.stderr
    assert code == 0 or done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("system", "line"),
    [
        ("posix", "--out 'a run' --set 'x=\"y\"'"),
        ("nt", '--out "a run" --set x=\\"y\\"'),
    ],
)
def test_words_are_quoted_as_the_systems_shell_has_it(system, line, monkeypatch):
    monkeypatch.setattr(console, "os", SimpleNamespace(name=system))
    assert console.typed(["--out", "a run", "--set", 'x="y"']) == line


def test_the_package_gives_its_names_when_asked():
    check = (
        "import sys, vit_tutorial as v; print(sorted(v.__all__), 'torch' in"
        " sys.modules, set(v.__all__) <= set(dir(v)))"
    )
    names = [
        "ViTConfig",
        "VisionTransformer",
        "attention_maps",
        "evaluate",
        "explore",
        "load_checkpoint",
        "rollout",
        "train",
    ]
    assert python("-c", check).stdout == f"{names} False True\n"
    for name in names:
        done = python("-c", f"from vit_tutorial import {name}; print({name}.__name__)")
        assert done.stdout == f"{name}\n"
    assert (
        "has no attribute 'nothing'"
        in python("-c", "import vit_tutorial; vit_tutorial.nothing").stderr
    )


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("a\nb"),
            "RuntimeError: a (VIT_TRACEBACK=1 in the environment shows where)",
        ),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate"
                " 64000000000 bytes."
            ),
            "too little memory for 64.0 GB more",
        ),
        (MemoryError(), "too little memory: MemoryError"),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried"),
            "CUDA out of memory. Tried",
        ),
        (
            KeyError("x"),
            "KeyError: 'x' (VIT_TRACEBACK=1 in the environment shows where)",
        ),
        (
            RecursionError("too deep"),
            "RecursionError: too deep (VIT_TRACEBACK=1 in the environment shows where)",
        ),
        (ValueError("dim 7"), "dim 7"),
        (
            OSError(28, "No space left on device", "run"),
            "[Errno 28] No space left on device: 'run'",
        ),
    ],
)
def test_any_error_is_one_line(error, said, capsys, monkeypatch):
    def fail(settings):
        raise error

    monkeypatch.setitem(cli.COMMANDS, "train", fail)
    assert refused(capsys, "train", "--out", "run") == f"error: {said}\n"
    monkeypatch.setenv("VIT_TRACEBACK", "1")
    with pytest.raises(type(error)):
        main(["train", "--out", "run"])


def test_torchrun_is_told_the_line(tmp_path, capsys, monkeypatch):
    path = tmp_path / "error.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(path))
    line = refused(capsys, "train", "--out", "", "--training.device", "cpu")
    assert (
        json.loads(path.read_text(encoding="utf-8"))["message"]
        == line
        == "error: out is '', expected the folder of the run\n"
    )


def test_an_interrupt_while_starting_is_one_line(capsys, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupt)
    assert __main__.run() == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


@pytest.mark.parametrize(
    "argv", [[], ["train"], ["train", "--out"], ["evaluate", "--out", "x"]]
)
def test_an_interrupt_needs_no_folder(argv):
    assert cli.resume_hint(argv) == "interrupted"


def test_a_reader_who_leaves_ends_no_training(tmp_path):
    config = tmp_path / "tiny.yaml"
    config.write_text(
        json.dumps(TINY | {"training": TINY["training"] | {"epochs": 3}}),
        encoding="utf-8",
    )
    command = [
        sys.executable,
        "-m",
        "vit_tutorial",
        "train",
        "--config",
        str(config),
        "--out",
        str(tmp_path / "run"),
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as training:
        training.stdout.readline()
        training.stdout.close()  # as head -1 does
        said = training.stderr.read()
    assert training.returncode == 0 and said == ""
    assert (
        len(json.loads((tmp_path / "run" / "history.json").read_text(encoding="utf-8")))
        == 3
    )


@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="this system has no disk that is always full"
)
def test_a_full_disk_under_the_output_ends_nothing():
    command = [
        sys.executable,
        "-c",
        "from vit_tutorial.cli.console import say; say('a'); say('b')",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            command,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            encoding="utf-8",
        )
    assert done.returncode == 0 and done.stderr == ""


def test_a_loss_that_is_no_number_is_not_printed_as_json(capsys, monkeypatch):
    monkeypatch.setattr(
        commands, "evaluate", lambda *a: {"accuracy": 0.1, "loss": float("nan"), "n": 3}
    )
    line = refused(capsys, "evaluate", "--checkpoint", "stacks", "--data.val_images", 3)
    assert "the loss is nan: the weights of stacks are of no use" in line


def test_what_print_config_prints_is_a_config(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["train", "--out", "run", "--model.depth", "2", "--print_config"])
    path = tmp_path / "printed.yaml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["train", "--config", str(path), "--print_config"])
    assert capsys.readouterr().out == path.read_text(encoding="utf-8")


def test_a_name_that_the_terminal_cannot_show_is_no_error(tmp_path):
    done = python(
        "-m",
        "vit_tutorial",
        "train",
        "--config",
        "\u732b",
        "--out",
        "run",
        env={"PYTHONIOENCODING": "ascii"},
        cwd=tmp_path,
    )
    assert done.returncode == 2 and "no config '\\u732b'" in done.stderr


def test_a_long_error_is_cut_in_the_middle(capsys):
    line = refused(
        capsys, "train", "--out", "x", "--model.nothing", "9" * 10_000, "the end"
    )
    assert (
        len(line) < 700
        and "unrecognized arguments: --model.nothing 999" in line
        and line.endswith("9 the end\n")
    )


def test_a_number_beyond_floating_point_is_one_line(capsys):
    line = refused(capsys, "train", "--out", "x", "--training.peak_lr", "9" * 400)
    assert line == "error: a number is too large: int too large to convert to float\n"


def test_words_for_an_error_without_any():
    assert console.in_words(RuntimeError()).startswith("RuntimeError: RuntimeError (")


def test_the_command_it_names_measures_the_run_it_made(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(json.dumps(TINY), encoding="utf-8")
    assert main(["train", "--config", "tiny.yaml", "--out", "stacks"]) == 0
    words = (
        capsys.readouterr()
        .out.splitlines()[-1]
        .partition("python -m vit_tutorial ")[2]
        .split()
    )
    assert main(words) == 0
    # 1,000 are the shipped model's
    assert json.loads(capsys.readouterr().out)["n"] == 30
