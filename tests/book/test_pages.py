"""The pages beside the chapters: what they show runs, what they say of the package is
so.
"""

import json
import re
import shlex
import shutil
from contextlib import chdir, suppress
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pages import ROOT, fences, page, sections
from PIL import Image
from sphinx.directives.code import LiteralIncludeReader

from vit_tutorial.cli.main import main
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.loop import train
from vit_tutorial.training.progress import stop_if_not_finite

# ---- the paper map: the lines it shows stand in the marked cell of the section it
# links to


def included() -> list[tuple[str, str, str, dict[str, str]]]:
    """The lines that the paper map shows: chapter, address of the section linked to
    last, module, options.
    """
    found = []
    chapter = ""
    place = ""
    token = (
        r"\(\.\./notebooks/(\w+)\.ipynb#([\w-]+)\)|^```\{literalinclude\}"
        r" \.\./(\S+)\n((?::.*\n)*)"
    )
    for one, other, module, options in re.findall(
        token, page("paper_map"), re.MULTILINE
    ):
        chapter, place = (one, other) if one else (chapter, place)
        if module:
            found.append(
                (
                    chapter,
                    place,
                    module,
                    dict(re.findall(r"^:([\w-]+): ?(.*)$", options, re.MULTILINE)),
                )
            )
    return found


@pytest.mark.parametrize(("chapter", "place", "module", "options"), included())
def test_lines_of_the_paper_map_stand_in_the_cell_it_leads_to(
    chapter, place, module, options
):
    options = {name: value or None for name, value in options.items()}
    reader = LiteralIncludeReader(
        str(ROOT / module), options, SimpleNamespace(source_encoding="utf-8")
    )
    text, count = reader.read()
    lines = (
        (ROOT / module)
        .read_text(encoding="utf-8")
        .splitlines()[reader.lineno_start - 1 :][:count]
    )
    assert [line.strip() for line in lines] == [
        line.strip() for line in text.splitlines()
    ], "not their numbers"
    body = sections((ROOT / "notebooks" / f"{chapter}.md").read_text(encoding="utf-8"))[
        place
    ]
    cells = [
        cell
        for cell in fences(body, r"\{code-cell\} ipython3")
        if cell.startswith(f"# {module}\n")
    ]
    assert any("\n".join(lines) in cell for cell in cells), (
        f"{chapter}#{place} shows other lines of {module}"
    )
    assert options["caption"] == module and "lineno-match" in options


# ---- what a page shows runs: Python and what it prints or raises, commands and what
# they answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where a reader with troubles might stand: a run, a broken one, pickles, half of
    STL-10, pictures.
    """
    root = tmp_path_factory.mktemp("reader")
    model = ViTConfig(image_size=96, patch_size=32, dim=16, depth=1, heads=2)
    data = DataConfig(train_images=20, val_images=10)
    train(model, data, TrainConfig(epochs=1, batch_size=10), root / "runs" / "mine")
    shutil.copytree(root / "runs" / "mine", root / "edited")
    settings = root / "edited" / "config.json"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace('"dim": 16', '"dim": 32'),
        encoding="utf-8",
    )
    torch.save({"weight": torch.zeros(1)}, root / "weights.pth")
    (root / "renamed").mkdir()
    torch.save({"weight": torch.zeros(1)}, root / "renamed" / "model.safetensors")
    (root / "renamed" / "config.json").write_text(
        (root / "runs" / "mine" / "config.json").read_text(encoding="utf-8"),
        encoding="utf-8",
    )
    (root / "data" / "stl10_binary").mkdir(parents=True)
    (root / "data" / "stl10_binary" / "train_X.bin").write_bytes(bytes(1000))
    (root / "flat").mkdir()
    for name in ("cats", "dogs"):
        (root / "pets" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (12, 12)).save(root / "pets" / name / f"{number}.png")
    (root / "answers").mkdir()
    (root / "answers" / "17.py").write_text(
        "from vit_tutorial.patches import patchify as my_patchify\n", encoding="utf-8"
    )
    return root


def run_python(source: str, names: dict, capsys) -> str:
    """What a cell prints; the last line of its traceback, if it raises."""
    try:
        exec(compile(source, "page", "exec"), names)
    except Exception as error:
        return f"{type(error).__name__}: {error}\n"
    return capsys.readouterr().out


def run_command(line: str, capsys) -> str:
    """What `python -m vit_tutorial ...` prints on both streams."""
    program = "python -m vit_tutorial "
    arguments = shlex.split(line)[3:]
    assert line.startswith(program)
    with suppress(SystemExit):
        main(arguments)
    return "".join(capsys.readouterr())


def like(wanted: str, got: str) -> bool:
    """Whether two outputs agree; `...` stands for anything, and long lines may be
    broken on a page.
    """
    return OutputChecker().check_output(wanted, got, ELLIPSIS | NORMALIZE_WHITESPACE)


SHOWN = (
    "how_to_use",
    "teaching",
    "prerequisites",
    "paper_map",
    "reference",
    "troubleshooting",
)


@pytest.mark.parametrize("name", SHOWN)
def test_code_on_a_page_runs_and_prints_what_stands_below_it(name, folder, capsys):
    names = {}
    blocks = re.findall(
        r"^```python\n(.*?)^```$(?:\n\n(?:<details>[^\n]*\n\n)?```text\n(.*?)^```$)?",
        page(name),
        re.MULTILINE | re.DOTALL,
    )
    with chdir(folder):
        for source, wanted in blocks:
            got = run_python(source, names, capsys)
            assert like(wanted, got), f"{source}\nprints\n{got}"


@pytest.mark.parametrize("name", SHOWN)
def test_commands_on_a_page_answer_as_shown(name, folder, capsys):
    with chdir(folder):
        for block in fences(page(name), "console"):
            for line, wanted in re.findall(
                r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE
            ):
                assert like(wanted, got := run_command(line, capsys)), (
                    f"{line}\nanswers\n{got}"
                )


def test_the_quoted_message_of_a_lost_run_is_the_real_one():
    with pytest.raises(FloatingPointError) as error:
        stop_if_not_finite(torch.tensor([1.0] * 40 + [torch.nan]), epoch=3)
    assert f"`{error.value}`" in page("troubleshooting")


def test_commands_of_the_homework_train_and_judge(tmp_path, capsys):
    small = (
        "--data.train_images 20 --data.val_images 10 --training.epochs 2"
        " --training.snapshots []"
    )
    training, judging = (
        fences(page("teaching"), "sh")[0].replace("\\\n", "").splitlines()
    )
    with chdir(tmp_path):
        run_command(f"{training} {small}", capsys)
        assert json.loads(run_command(judging, capsys).splitlines()[-1])["n"] == 10
