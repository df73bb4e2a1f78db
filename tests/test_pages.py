"""The pages beside the chapters: what they show runs, what they say of the package is so."""

import json
import re
import shlex
import shutil
import sys
from contextlib import chdir
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from types import ModuleType, SimpleNamespace

import package
import pytest
import torch
from PIL import Image
from sphinx.directives.code import LiteralIncludeReader

from vit_tutorial.cli import main
from vit_tutorial.config import ViTConfig
from vit_tutorial.data import DataConfig
from vit_tutorial.train import TrainConfig, stop_if_not_finite, train

ROOT = Path(__file__).parent.parent
BOOK = ROOT / "book"
MODEL = ("config", "patches", "embedding", "attention", "block", "model")  # in order of import
SMALL = {"image_size": 96, "patch_size": 16, "dim": 96, "depth": 4, "heads": 4, "positions": "sincos"}


def page(name: str) -> str:
    return (BOOK / f"{name}.md").read_text()


def fences(text: str, language: str) -> list[str]:
    """The contents of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def sections(text: str) -> dict[str, str]:
    """The sections of a page by the address of their heading (level 2)."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    return {title.lower().replace(" ", "-"): body for title, body in zip(parts[::2], parts[1::2], strict=True)}


# ---- the ViT since 2020: every difference is applied to the package, and counted


def indented(hunk: str, margin: int) -> tuple[list[str], list[str]]:
    """The old and the new lines of a hunk, `margin` spaces further in."""
    old, new = ([line[2:] for line in hunk.splitlines() if line[0] in f" {sign}"] for sign in "-+")
    return tuple([" " * margin + line if line else "" for line in lines] for lines in (old, new))


def apply(diff: str) -> dict[str, str]:
    """The sources of the model's modules with a difference applied; each of its old lines must stand there, once."""
    sources = {name: (ROOT / "vit_tutorial" / f"{name}.py").read_text() for name in MODEL}
    for module, body in re.findall(r"^=== vit_tutorial/(\w+)\.py\n(.*?)(?=^=== |\Z)", diff, re.MULTILINE | re.DOTALL):
        for scope, hunk in re.findall(r"^@@ (\w+)\n(.*?)(?=^@@ |\Z)", body, re.MULTILINE | re.DOTALL):
            lines, spans = sources[module].splitlines(), package.definitions(sources[module])
            first, last = spans[scope] if scope != "imports" else (0, min(start for start, _ in spans.values()))
            hunks = [indented(hunk, margin) for margin in range(0, 13, 4)]  # on the page it stands at the margin
            at = [(n, old, new) for old, new in hunks for n in range(first, last) if lines[n : n + len(old)] == old]
            assert len(at) == 1, f"{module}.py, {scope}: the old lines of this stand there {len(at)} times:\n{hunk}"
            place, old, new = at[0]
            lines[place : place + len(old)] = new
            sources[module] = "\n".join(lines) + "\n"
    return sources


@pytest.fixture
def changed(monkeypatch):
    """A function from a difference to the changed module `vit_tutorial.model`, imported beside the real one."""

    def build(diff: str) -> ModuleType:
        for name, source in apply(diff).items():
            module = ModuleType(f"vit_tutorial.{name}")
            monkeypatch.setitem(sys.modules, module.__name__, module)
            exec(compile(source, f"{name}.py", "exec"), vars(module))
        return module

    return build


DIFFS = {name: fences(text, "diff")[0] for name, text in sections(page("since_2020")).items() if fences(text, "diff")}
COSTS = {
    name: (int(parameters.replace(",", "")), int(tokens))
    for name, parameters, tokens in re.findall(
        r"^\| \[[^\]]+\]\(#([\w-]+)\) \| ([\d,]+) \| (\d+) \|$", page("since_2020"), re.MULTILINE
    )
}
OTHER_SIZES = {"no-class-token": {"pool": "mean"}, "distillation-token": {"positions": "learned"}}


def test_every_change_is_in_the_table_of_costs():
    assert list(COSTS) == ["no-class-token", *DIFFS]


@pytest.mark.parametrize("name", COSTS)
def test_a_change_runs_and_costs_what_the_page_says(changed, name):
    model_module = changed(DIFFS.get(name, ""))
    torch.manual_seed(0)
    model = model_module.VisionTransformer(model_module.ViTConfig(**SMALL | OTHER_SIZES.get(name, {})))
    images = torch.randn(2, 3, 96, 96)
    outputs = model(images)
    sum(logits.square().sum() for logits in (outputs if isinstance(outputs, tuple) else [outputs])).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    logits, weights = model.eval()(images, return_attention=True)
    assert logits.shape == (2, 10)
    torch.testing.assert_close(logits, model(images))  # the fused attention got the same change
    assert (model_module.count_parameters(model), weights[0].shape[-1]) == COSTS[name]


def test_the_model_as_it_is_costs_what_the_page_says(changed):
    model_module = changed("")
    parameters = model_module.count_parameters(model_module.VisionTransformer(model_module.ViTConfig(**SMALL)))
    assert f"| the model as it is | {parameters:,} | 37 |" in page("since_2020")


def test_rotary_scores_know_only_how_far_apart_two_patches_are(changed):
    changed(DIFFS["rotary-positions"])
    rotate = sys.modules["vit_tutorial.attention"].rotate
    q, k = torch.randn(2, 1, 1, 1, 24, dtype=torch.float64).expand(2, 1, 1, 37, 24)  # the same content everywhere
    scores = (rotate(q) @ rotate(k).mT)[0, 0, 1:, 1:].reshape(6, 6, 6, 6)  # from (row, column) to (row, column)
    torch.testing.assert_close(scores[:5, :5, :5, :5], scores[1:, 1:, 1:, 1:], rtol=0, atol=1e-5)
    assert (scores[0, 0] - scores[0, 0, 0, 0]).abs().flatten().sort().values[1] > 1e-3  # and they do know that


def test_an_encoder_takes_any_patches():
    names = {}
    exec(fences(page("since_2020"), "python")[0], names)
    assert names["tokens"].shape == (2, 37, 96)
    assert [layer.shape for layer in names["weights"]] == [(2, 4, 10, 10)] * 4
    assert names["logits"].shape == (2, 10)


# ---- the paper map: the lines it shows stand in the marked cell of the section it links to


def included() -> list[tuple[str, str, str, dict[str, str]]]:
    """The lines that the paper map shows: chapter, address of the section linked to last, module, options."""
    found, chapter, place = [], "", ""
    token = r"\(\.\./notebooks/(\w+)\.ipynb#([\w-]+)\)|^```\{literalinclude\} \.\./(\S+)\n((?::.*\n)*)"
    for one, other, module, options in re.findall(token, page("paper_map"), re.MULTILINE):
        chapter, place = (one, other) if one else (chapter, place)
        if module:
            found.append((chapter, place, module, dict(re.findall(r"^:([\w-]+): ?(.*)$", options, re.MULTILINE))))
    return found


@pytest.mark.parametrize(("chapter", "place", "module", "options"), included())
def test_lines_of_the_paper_map_stand_in_the_cell_it_leads_to(chapter, place, module, options):
    options = {name: value or None for name, value in options.items()}
    reader = LiteralIncludeReader(str(ROOT / module), options, SimpleNamespace(source_encoding="utf-8"))
    text, count = reader.read()
    lines = (ROOT / module).read_text().splitlines()[reader.lineno_start - 1 :][:count]
    assert [line.strip() for line in lines] == [line.strip() for line in text.splitlines()], "not their numbers"
    body = sections((ROOT / "notebooks" / f"{chapter}.md").read_text())[place]
    cells = [cell for cell in fences(body, r"\{code-cell\} ipython3") if cell.startswith(f"# {module}\n")]
    assert any("\n".join(lines) in cell for cell in cells), f"{chapter}#{place} shows other lines of {module}"
    assert options["caption"] == module and "lineno-match" in options


# ---- what a page shows runs: Python and what it prints or raises, commands and what they answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where a reader with troubles might stand: a run, a broken one, pickles, half of STL-10, pictures."""
    root = tmp_path_factory.mktemp("reader")
    model = ViTConfig(image_size=96, patch_size=32, dim=16, depth=1, heads=2)
    data = DataConfig(train_images=20, val_images=10)
    train(model, data, TrainConfig(epochs=1, batch_size=10), root / "runs" / "mine")
    shutil.copytree(root / "runs" / "mine", root / "edited")
    settings = root / "edited" / "config.json"
    settings.write_text(settings.read_text().replace('"dim": 16', '"dim": 32'))
    torch.save({"weight": torch.zeros(1)}, root / "weights.pth")
    (root / "renamed").mkdir()
    torch.save({"weight": torch.zeros(1)}, root / "renamed" / "model.safetensors")
    (root / "renamed" / "config.json").write_text((root / "runs" / "mine" / "config.json").read_text())
    (root / "data" / "stl10_binary").mkdir(parents=True)
    (root / "data" / "stl10_binary" / "train_X.bin").write_bytes(bytes(1000))
    (root / "flat").mkdir()
    for name in ("cats", "dogs"):
        (root / "pets" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (12, 12)).save(root / "pets" / name / f"{number}.png")
    (root / "answers").mkdir()
    (root / "answers" / "17.py").write_text("from vit_tutorial.patches import patchify as my_patchify\n")
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
    program, arguments = "python -m vit_tutorial ", shlex.split(line)[3:]
    assert line.startswith(program)
    try:
        main(arguments)
    except SystemExit:
        pass
    return "".join(capsys.readouterr())


def like(wanted: str, got: str) -> bool:
    """Whether two outputs agree; `...` stands for anything, and long lines may be broken on a page."""
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
            for line, wanted in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
                assert like(wanted, got := run_command(line, capsys)), f"{line}\nanswers\n{got}"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("Makefile", "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.12 ..."),
        ("book/build.py", "MathJax could not be fetched: the first build of the website needs the network"),
        ("book/lab.py", "is yours and stays; the chapter has changed since"),
        ("vit_tutorial/download.py", "bytes are kept, run the download again to go on"),
        ("vit_tutorial/checkpoint.py", "another process is training in"),
    ],
)
def test_a_quoted_message_stands_in_the_code(source, message):
    assert message in page("troubleshooting") and message in (ROOT / source).read_text()


def test_the_quoted_message_of_a_lost_run_is_the_real_one():
    with pytest.raises(FloatingPointError) as error:
        stop_if_not_finite(torch.tensor([1.0] * 40 + [torch.nan]), epoch=3)
    assert f"`{error.value}`" in page("troubleshooting")


def test_sessions_last_90_minutes():
    plans = re.findall(r"^\|---\|---\|\n((?:\|.*\|\n)+)", page("teaching"), re.MULTILINE)
    totals = [sum(int(minutes) for minutes in re.findall(r"^\| (\d+) \|", plan, re.MULTILINE)) for plan in plans]
    assert totals == [90] * 6


def test_commands_of_the_homework_train_and_judge(tmp_path, capsys):
    small = "--data.train_images 20 --data.val_images 10 --training.epochs 2 --training.snapshots []"
    training, judging = fences(page("teaching"), "sh")[0].replace("\\\n", "").splitlines()
    with chdir(tmp_path):
        run_command(f"{training} {small}", capsys)
        assert json.loads(run_command(judging, capsys).splitlines()[-1])["n"] == 10


def test_letters_of_the_glossary_have_the_sizes_of_the_models():
    columns = {"small": ViTConfig(**SMALL), "base": ViTConfig(image_size=224, patch_size=16, dim=768, heads=12)}
    for place, c in enumerate(columns.values()):
        sizes = {"C": c.channels, "P": c.patch_size, "T": c.tokens, "D": c.dim, "H": c.heads, "K": c.dim // c.heads}
        sizes |= {"N": c.grid[0] * c.grid[1], "B": "any", "Y, X": f"{c.sides[0]}, {c.sides[1]}"}
        rows = re.findall(r"^\| `([A-Z, ]+)` \| .* \| (.*) \| (.*) \|$", page("glossary"), re.MULTILINE)
        assert {row[0]: row[1 + place] for row in rows} == {letter: str(size) for letter, size in sizes.items()}
