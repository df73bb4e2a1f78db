"""Command lines and recipes of any words: a command runs, or ends with code 2 and one
line on stderr.
"""

import os
import shutil
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import yaml
from damage import edited
from hypothesis import given
from hypothesis import strategies as st
from oracle import bounded, check_line
from small import MODEL, TRAIN, link
from strategies import JSON, SCALARS, edits, few_of, settings_for

from vit_tutorial.cli import main as cli
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.loop import train

PARTS = {"model": ViTConfig, "data": DataConfig, "training": TrainConfig}


def run(kind, *words):
    """Run a command: 0, or 2 and a line at the end of stderr that is no surprise."""
    said = StringIO()
    with bounded(kind) as outcome, redirect_stdout(StringIO()), redirect_stderr(said):
        try:
            code = cli.main(list(words))
        except SystemExit as end:  # of the parser: a mistake, or --help
            code = end.code
        outcome["worked"] = code == 0
    assert code in (0, 2), (code, words)
    lines = said.getvalue().splitlines()
    assert "Traceback" not in said.getvalue()
    assert not [line for line in lines if "VIT_TRACEBACK" in line], lines[-1]
    if code == 2:
        assert lines and lines[-1].startswith("error: "), lines
        check_line(lines[-1], [])


@pytest.fixture
def parsed(monkeypatch, tmp_path):
    """Commands are understood and not carried out."""
    for name in cli.COMMANDS:
        monkeypatch.setitem(cli.COMMANDS, name, lambda settings: None)
    with chdir(tmp_path):
        yield


def flag(path):
    """A setting and a value, as two words or as one."""
    texts = SCALARS.map(str) | JSON.map(str)
    return st.tuples(texts, st.booleans()).map(
        lambda pair: [f"{path}={pair[0]}"] if pair[1] else [path, pair[0]]
    )


FLAGS = [
    *("--out", "--config", "--checkpoint", "--resume", "--quiet", "--init", "--k"),
    *("--topk", "--split", "--layer", "--head", "--rollout", "--format", "--dtype"),
    *("--root", "--device", "--tokens", "--unlabelled", "--print_config", "--", "-x"),
    *(f"--{part}.{name}" for part in PARTS for name in PARTS[part].__annotations__),
    *("--model", "--data", "--training", "--training.augment.crop", "--model.x"),
]


@given(
    st.sampled_from([*cli.COMMANDS] * 4 + ["", "fly", "--help", "--version"]),
    st.lists(
        st.sampled_from(FLAGS).flatmap(flag) | st.lists(SCALARS.map(str), max_size=1),
        max_size=4,
    ),
)
def understood(command, flags):
    run("words of a command", command, *(word for part in flags for word in part))


def test_any_words_are_understood_or_refused(parsed):
    few_of(1)(understood)()


def settings_text():
    """Recipes: settings of the right names, or anything YAML can say."""
    known = st.fixed_dictionaries(
        {}, optional={name: settings_for(kind) for name, kind in PARTS.items()}
    )
    return st.one_of(known, JSON).map(
        lambda value: yaml.dump(value, allow_unicode=True)
    )


PIECES = st.sampled_from(
    [
        *("model:", "data: ", "training: ", "{", "}", "[", "]", ",", ": ", "- ", "\n"),
        *("  ", "\t", "depth: 2", "&a ", "*a", "<<: ", "!!python/object:os.system ls"),
        *("!!binary ", "? ", "| \n", "1e999", ".nan", "~", "0x10", "2020-01-01", "#"),
        *("\x00", "\x85", "\ufeff", "---\n", "...\n", "%YAML 9.9\n", "'", '"', "é"),
    ]
)


def recipe(content, path):
    path.write_bytes(content)
    run("recipes", "train", "--config", str(path), "--out", "run")


def test_any_recipe_is_understood_or_refused(parsed, tmp_path):
    path = tmp_path / "recipe.yaml"

    @few_of(0.5)
    @given(settings_text(), st.none() | edits())
    def tried(text, changes):
        content = text.encode("utf-8", "surrogatepass")
        recipe(edited(content, changes) if changes else content, path)

    tried()


def test_anything_that_looks_like_yaml_is_understood_or_refused(parsed, tmp_path):
    path = tmp_path / "recipe.yaml"

    @few_of(0.5)
    @given(st.lists(PIECES, max_size=12))
    def tried(pieces):
        recipe("".join(pieces).encode(), path)

    tried()


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """A folder with a run, pictures and what is none of both."""
    place = tmp_path_factory.mktemp("place")
    train(MODEL, data, TRAIN, place / "run")
    shutil.copy(Path(data.root) / "dark" / "00.png", place / "picture.png")
    (place / "empty").touch()
    (place / "folder").mkdir()
    link(place / "nothing", "nowhere")
    return place


PATHS = st.one_of(
    st.sampled_from(
        [
            *("run", "run/model.safetensors", "run/state.safetensors", "picture.png"),
            *("run/config.json", "empty", "folder", "nothing", "nowhere/at/all", ""),
            *(
                ".",
                "/",
                "~",
                "~nobody",
                "a" * 300,
                "picture.png/x",
                "stacks",
                "-",
                "\n",
            ),
        ]
    ),
    st.text(st.characters(exclude_characters="/\x00"), max_size=6),
)
OPTIONS = {
    "evaluate": ("--split", "--detail", "--device", "--data.root"),
    "predict": ("--topk", "--device"),
    "attend": ("--layer", "--head", "--rollout"),
    "export": ("--dtype",),
}


@pytest.mark.parametrize("command", OPTIONS)
def test_a_command_on_any_path_works_or_is_refused(folder, command):
    options = st.sampled_from(OPTIONS[command]).flatmap(
        lambda name: st.just([name]) if name == "--rollout" else flag(name)
    )

    @few_of(0.3)
    @given(
        st.just("run") | PATHS,
        st.just("picture.png") | PATHS,
        st.just("out.png") | PATHS.filter(lambda path: not path.startswith("run")),
        st.just([]) | options,
    )
    def tried(checkpoint, picture, out, option):
        words = [command, "--checkpoint", checkpoint, *option]
        words += {"export": ["--format", "web"], "evaluate": []}.get(
            command, [f"./{picture}" if picture[:1] == "-" else picture]
        )
        if command in ("attend", "export"):
            words += [f"--out={out if command == 'attend' else 'web'}"]
        with chdir(folder):
            run(f"command: {command}", *words)
            assert os.path.isfile("picture.png")

    tried()
