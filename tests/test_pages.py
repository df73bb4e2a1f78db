"""The pages beside the chapters: what they show runs, what they say of the package is
so.
"""

import json
import re
import shlex
import shutil
from contextlib import chdir
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pages import ROOT, SMALL, fences, flat, page, sections
from PIL import Image
from sphinx.directives.code import LiteralIncludeReader
from torch.nn.functional import gelu

from vit_tutorial.cli.main import main
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.loop import stop_if_not_finite, train

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


def test_both_forms_of_gelu_differ_by_as_little_as_the_paper_map_says():
    x = torch.linspace(-10, 10, 10_001, dtype=torch.float64)
    difference = (gelu(x) - gelu(x, approximate="tanh")).abs().max()
    assert f"differ by {difference:.4f} at most" in flat("paper_map")


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
    try:
        main(arguments)
    except SystemExit:
        pass
    return "".join(capsys.readouterr())


def like(wanted: str, got: str) -> bool:
    """Whether two outputs agree; `...` stands for anything, and long lines may be
    broken on a page.
    """
    return OutputChecker().check_output(wanted, got, ELLIPSIS | NORMALIZE_WHITESPACE)


SHOWN = ("how_to_use", "teaching", "prerequisites", "paper_map", "troubleshooting")


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


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "Makefile",
            "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 ...",
        ),
        (
            "book/build.py",
            (
                "MathJax could not be fetched: the first build of the website needs the"
                " network"
            ),
        ),
        ("book/lab.py", "is yours and stays; the chapter has changed since"),
        (
            "vit_tutorial/data/stl10_download.py",
            "bytes are kept, run the download again to go on",
        ),
        ("vit_tutorial/training/checkpoint.py", "another process is training in"),
    ],
)
def test_a_quoted_message_stands_in_the_code(source, message):
    code = (ROOT / source).read_text(encoding="utf-8")
    whole = re.sub(r'"\n\s*f?"', "", code)  # of a text in pieces
    assert message in page("troubleshooting") and message in whole


def test_the_quoted_message_of_a_lost_run_is_the_real_one():
    with pytest.raises(FloatingPointError) as error:
        stop_if_not_finite(torch.tensor([1.0] * 40 + [torch.nan]), epoch=3)
    assert f"`{error.value}`" in page("troubleshooting")


def test_sessions_last_90_minutes():
    plans = re.findall(
        r"^\|---\|---\|\n((?:\|.*\|\n)+)", page("teaching"), re.MULTILINE
    )
    totals = [
        sum(int(minutes) for minutes in re.findall(r"^\| (\d+) \|", plan, re.MULTILINE))
        for plan in plans
    ]
    assert totals == [90] * 7


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


def test_letters_of_the_glossary_have_the_sizes_of_the_models():
    columns = {
        "small": ViTConfig(**SMALL),
        "base": ViTConfig(image_size=224, patch_size=16, dim=768, heads=12),
    }
    for place, c in enumerate(columns.values()):
        sizes = {
            "C": c.channels,
            "P": c.patch_size,
            "T": c.tokens,
            "D": c.dim,
            "H": c.heads,
            "K": c.dim // c.heads,
        }
        sizes |= {
            "N": c.grid[0] * c.grid[1],
            "B": "any",
            "Y, X": f"{c.sides[0]}, {c.sides[1]}",
        }
        rows = re.findall(
            r"^\| `([A-Z, ]+)` \| .* \| (.*) \| (.*) \|$",
            page("glossary"),
            re.MULTILINE,
        )
        assert {row[0]: row[1 + place] for row in rows} == {
            letter: str(size) for letter, size in sizes.items()
        }


def test_figures_on_the_pages_are_those_of_the_records():
    def mean(record: str, *keys: str, digits: int = 0) -> str:
        value = json.loads(
            (ROOT / "results" / f"{record}.json").read_text(encoding="utf-8")
        )
        for key in (*keys, "mean"):
            value = value[key]
        return f"{100 * value:.{digits}f}"

    with_adamw = mean("stacks-adamw")
    slower = mean("stacks-adamw-2.5e-4")
    with_muon = mean("stacks", digits=1)
    few, augmented = (
        mean("generalising", "runs", f"ViT, 500{how}") for how in ("", ", augmented")
    )
    block, positions = (
        mean("scoreboard", "steps", step) for step in ("block", "positions")
    )
    rates = (
        f"at {with_adamw} % with AdamW at one rate, at {slower} % with an eighth of it,"
        f" and at {with_muon} % with Muon"
    )
    assert rates in flat("since_2020")
    assert (
        f"stood at {with_adamw} % after 24 epochs, and at {slower} % with an eighth of"
        " that rate" in flat("troubleshooting")
    )
    assert f"with Muon inside the blocks it reaches {with_muon} %" in flat(
        "troubleshooting"
    )
    assert f"`stl10-laptop` reaches {mean('stl10-laptop')} %" in flat("troubleshooting")
    assert f"with 500 stacks from {few} to {augmented} %" in flat("troubleshooting")
    assert (
        f"compare with: {block} %, where thinking before talking reached {positions} %"
        in flat("teaching")
    )


def test_exercises_of_the_sessions_are_those_of_the_chapters():
    named = re.findall(r"\| exercise: ([^,|]+(?:, then fall)?)", page("teaching"))
    chapters = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.md")
    )
    turns = re.findall(r"^### Your turn \([^)]*\): (.+)$", chapters, re.MULTILINE)
    assert len(named) == 6 and {name.strip() for name in named} <= set(turns)
