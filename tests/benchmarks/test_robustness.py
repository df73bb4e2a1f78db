"""What is trained live and what is said of it: the claims are all watched, and the
noise is where it should be.
"""

import ast
import json
import re
from concurrent.futures import Future
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import jupytext
import matplotlib.pyplot as plt
import pytest
import torch
from filelock import FileLock, Timeout

from benchmarks import robustness
from benchmarks.claims import CLAIMS, Claim

ROOT = Path(__file__).parents[2]
# Bands of what no chapter trains: untrained models, and the one that ships.
UNTRAINED = {
    "more than 100 times as large as at the start",
    "at least 90 of 100 right",
    "singular values at most 5 make half of the sum",
    "less than 0.00001 apart",
    "less than 0.001 apart",
}
CHAPTERS = pytest.mark.parametrize("name", CLAIMS)


def cells(name: str, kind: str) -> list[str]:
    notebook = jupytext.read(ROOT / "notebooks" / f"{name}.md", fmt="md:myst")
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def bands(source: str) -> list[str]:
    """The words before each comparison that a cell prints: print("words:", a < b) or
    print(f"words: {a < b}").
    """
    found = []
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    for call in (call for call in calls if ast.unparse(call.func) == "print"):
        parts = [value for one in call.args for value in getattr(one, "values", [one])]
        for words, value in pairwise(parts):
            if isinstance(getattr(value, "value", value), ast.Compare):
                found.append(words.value.strip(" ,;:"))
    return found


@CHAPTERS
def test_every_band_that_a_chapter_prints_is_watched(name):
    printed = [words for source in cells(name, "code") for words in bands(source)]
    watched = [claim.says for claim in CLAIMS[name]]
    assert [
        words
        for words in printed
        if not any(part in words for part in (*watched, *UNTRAINED))
    ] == []


@CHAPTERS
def test_every_claim_stands_once_in_its_chapter_and_has_a_band(name):
    text = cells(name, "code") + cells(name, "markdown")
    for claim in CLAIMS[name]:
        assert sum(source.count(claim.says) for source in text) == 1, claim.says
        assert claim.low is not None or claim.high is not None


def test_every_chapter_that_trains_has_claims():
    trains = re.compile(
        r"\b(fit|learn|(train|run)_epoch)\(|\.backward\(\)\n\s*optimizer\.step"
    )
    texts = sorted((ROOT / "notebooks").glob("*.md"))
    training = [
        path.stem
        for path in texts
        if any(trains.search(source) for source in cells(path.stem, "code"))
        and path.stem != "10_train_stl10"  # measures how long a step takes
    ]
    assert training == list(CLAIMS)


def test_weights_are_moved_once_and_by_little():
    weight = torch.ones(10_000, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=1.0)
    weight.grad = torch.zeros_like(weight)
    with robustness.nudged(3):
        optimizer.step()
        moved = weight.detach() - 1
        optimizer.step()
    assert moved.std().item() == pytest.approx(1e-6, rel=0.1)
    assert torch.equal(weight.detach() - 1, moved)
    other = torch.ones(10_000, requires_grad=True)
    other.grad = torch.zeros_like(other)
    for seed, same in ((4, False), (3, True)):
        with torch.no_grad(), robustness.nudged(seed):
            torch.optim.SGD([other.fill_(1)], lr=1.0).step()
        assert torch.equal(other.detach() - 1, moved) is same
    for no_noise in (robustness.nudged(None), nullcontext()):  # and none is left behind
        with torch.no_grad(), no_noise:
            torch.optim.SGD([other.fill_(1)], lr=1.0).step()
        assert torch.equal(other.detach(), torch.ones(10_000))


def test_a_fresh_process_draws_images_once(monkeypatch):
    monkeypatch.setattr(robustness.datasets, "load_split", lambda *which: object())
    robustness.prepare(torch.get_num_threads())
    assert robustness.datasets.load_split(1) is robustness.datasets.load_split(1)


CHAPTER = """
# Title

```{code-cell} ipython3
x = 1
print("x is above 0:", x > 0)
```

Then it is two.

```{code-cell} ipython3
check.something(x)
```

```{code-cell} ipython3
x = 3
```

Now three.
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A project with one chapter, claims of it, and no other process than this one."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "02_x.md").write_text(CHAPTER, encoding="utf-8")
    claims = [Claim("x is above 0", "x", 0.0), Claim("Now three", "x", 2.5, 3.4)]
    monkeypatch.setattr(robustness, "ROOT", tmp_path)
    monkeypatch.setattr(robustness, "CLAIMS", {"02_x": claims})
    monkeypatch.setattr(robustness, "training_tests", list)
    runs = []

    def submit(measure, part, setting):
        runs.append((part, setting.name))
        ended = Future()
        ended.set_result(measure(part, setting))
        return ended

    monkeypatch.setattr(
        robustness,
        "pool_of",
        lambda count, setting: nullcontext(SimpleNamespace(submit=submit)),
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path, runs, claims


def test_a_value_is_taken_where_the_text_says_it(desk):
    path = desk[0] / "notebooks" / "02_x.md"
    show = plt.show
    assert robustness.values_of_chapter(path) == {
        "x is above 0": (1.0, 0.0, None),
        "Now three": (3.0, 2.5, 3.4),
    }
    # what runs after it draws as before
    assert plt.show is show and Path.cwd() == desk[0]
    desk[2].append(Claim("never said", "x", 0.0))
    with pytest.raises(ValueError, match="02_x.md does not say 'never said'"):
        robustness.values_of_chapter(path)
    desk[2][1:] = [Claim("Now three", "renamed + x", 2.5, 3.4)]
    with pytest.raises(ValueError, match="02_x.md says 'Now three', but name 'renamed"):
        robustness.values_of_chapter(path)


def test_a_record_goes_on_and_starts_anew_with_other_code(desk, capsys):
    folder, runs, _ = desk
    assert robustness.main("02", [1], out=folder) == 0
    assert [name for _, name in runs] == [
        "one thread",
        "seed 1",
        *(s.name for s in robustness.SURROUNDINGS[1:]),
    ]
    assert robustness.main("02", [1, 2], out=folder) == 0 and runs[6:] == [
        ("02_x", "seed 2")
    ]
    claim = json.loads((folder / "robustness.json").read_text(encoding="utf-8"))[
        "parts"
    ]["02_x"]["claims"]["Now three"]
    assert (claim["held"], claim["runs"], claim["worst"], claim["inside"]) == (
        7,
        7,
        3.0,
        0.4,
    )
    path = folder / "notebooks" / "02_x.md"
    path.write_text(CHAPTER.replace("x = 3", "x = 4"), encoding="utf-8")
    assert robustness.main("02", [], out=folder) == 1 and len(runs) == 12
    assert (
        "Now three" in (said := capsys.readouterr().out)
        and "held 0 of 5, worst 4, -0.6 inside" in said
    )
    with pytest.raises(
        ValueError, match="only is '9', expected the beginning of one of 02_x, tests"
    ):
        robustness.main("9", [], out=folder)


def test_two_calls_at_once_keep_what_each_has_found(desk, monkeypatch):
    """Of another chapter, and of the same one with other seeds."""
    folder, runs, claims = desk
    path = folder / "notebooks" / "03_y.md"
    path.write_text(CHAPTER, encoding="utf-8")
    monkeypatch.setattr(robustness, "CLAIMS", {"02_x": claims, "03_y": claims})
    measure, write = robustness.measure, robustness.write_result
    others = [("03", [1]), ("02", [7])]

    def beaten(part, setting):
        if others:
            robustness.main(*others.pop(), out=folder)
        return measure(part, setting)

    def watching(place, result):
        with pytest.raises(Timeout):
            FileLock(folder / "runs" / "robustness.lock", timeout=0).acquire()
        write(place, result)

    monkeypatch.setattr(robustness, "measure", beaten)
    monkeypatch.setattr(robustness, "write_result", watching)
    assert robustness.main("02", [1], out=folder) == 0
    parts = json.loads((folder / "robustness.json").read_text(encoding="utf-8"))
    plain = {setting.name for setting in robustness.SURROUNDINGS}
    found = {
        name: {frozenset(claim["values"]) for claim in part["claims"].values()}
        for name, part in parts["parts"].items()
    }
    assert found == {
        "02_x": {frozenset(plain | {"seed 1", "seed 7"})},
        "03_y": {frozenset(plain | {"seed 1"})},
    }


@pytest.mark.parametrize(
    ("values", "low", "high", "worst", "broken"),
    [
        ((0.8, 0.9, 1.0), 0.5, None, 0.8, False),
        ((0.8, 0.9, 1.0), 0.7, None, 0.8, True),  # inside, but by 1.2 spreads only
        ((0.8, 0.9, 1.0), None, 0.95, 1.0, True),
        ((0.45, 0.5, 0.53), 0.3, 0.7, 0.45, False),
        ((1.0, 1.0, 1.0), 0.99, None, 1.0, False),
        ((1.0, 1.0, 1.0), 1.0, None, 1.0, True),
    ],
)
def test_a_claim_holds_with_a_margin(values, low, high, worst, broken):
    claim = robustness.summary(
        {str(place): value for place, value in enumerate(values)}, low, high
    )
    assert claim["worst"] == worst and robustness.fails(claim) is broken


# Where the text gives the least and the largest value of all runs: chapter, claim, its
# scale to per cent, words around.
SPANS = [
    (
        "02_tokens_and_places",
        "it comes to rest just below the dashed line",
        100,
        "the dashed line: {} in runs that",
    ),
    ("02_tokens_and_places", "Past the line", 100, "Past the line, {} in such runs"),
    (
        "03_attention",
        '"above" can be told',
        100,
        '"above" can be told: {} in runs that',
    ),
    (
        "05_vision_transformer",
        "Four blocks trail one",
        100,
        "Not higher: {} in runs that",
    ),
    ("06_training", "at least 90 %", 1, "carries it to {} in runs that"),
]


@pytest.mark.parametrize(
    ("name", "says", "scale", "words"), SPANS, ids=[says for _, says, *_ in SPANS]
)
def test_the_text_says_how_far_runs_lie_apart(name, says, scale, words):
    text = "\n".join(cells(name, "markdown"))
    assert re.search(re.escape(words).replace(r"\{\}", r"\d+( to \d+)? %"), text)
    path = ROOT / "results" / "robustness.json"
    recorded = (
        json.loads(path.read_text(encoding="utf-8"))["parts"] if path.exists() else {}
    )
    if name in recorded:
        claim = recorded[name]["claims"][says]
        least = round(scale * claim["least"])
        largest = round(scale * claim["largest"])
        assert (
            words.format(
                f"{least} %" if least == largest else f"{least} to {largest} %"
            )
            in text
        )


def test_the_record_is_of_these_claims_and_all_hold():
    path = ROOT / "results" / "robustness.json"
    if not path.exists():
        pytest.skip(
            "results/robustness.json does not exist yet: run benchmarks/robustness.py"
        )
    parts = json.loads(path.read_text(encoding="utf-8"))["parts"]
    # a part is on record as a whole or not at all
    assert parts and set(parts) <= {*CLAIMS, "tests"}
    settings = {setting.name for setting in robustness.SURROUNDINGS} | {
        f"seed {seed}" for seed in range(1, 11)
    }
    for name, part in parts.items():
        for says, claim in part["claims"].items():
            assert not robustness.fails(claim), f"{name}: {says}"
            assert settings <= set(claim["values"])
    for name, claims in ((name, CLAIMS[name]) for name in parts if name in CLAIMS):
        recorded = {
            says: (claim["low"], claim["high"])
            for says, claim in parts[name]["claims"].items()
        }
        assert recorded == {claim.says: (claim.low, claim.high) for claim in claims}
