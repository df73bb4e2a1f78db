import warnings

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.text import Text

from vit_tutorial import fonts, plots
from vit_tutorial.cli.attend import draw_attention
from vit_tutorial.fonts import fitted, literal

MONEY = [
    "cost_$5_$10",
    "$a$",
    "one $",
    r"back\slash \$ $x^2$",
    "_private",
    "100 % ~ #1 {&}",
]
UNKNOWN = "\U0003fffd"  # a code point that no font has


@pytest.fixture(autouse=True)
def strict():
    """Every figure is drawn, and a warning is a failure: Matplotlib's show our source
    to the reader.
    """
    plt.switch_backend("Agg")
    fonts._family.cache_clear()
    with warnings.catch_warnings(), plt.rc_context():
        warnings.simplefilter("error")
        yield
    plt.close("all")
    fonts._family.cache_clear()


def shown(figure: Figure) -> set[str]:
    """The texts of a figure as they are drawn; raises where one is typeset as a
    formula.
    """
    figure.canvas.draw()
    texts = set()
    for text in figure.findobj(Text):
        drawn, formula = text._preprocess_math(text.get_text())
        assert not formula or text.get_text().startswith("$10^"), (
            f"{text.get_text()!r} is a formula"
        )
        texts.add(drawn)
    return texts


def figures(names):
    """Every figure of the package that has names in it."""
    count = len(names)
    counts = torch.eye(count)
    maps = torch.rand(2, count, 4)
    labels = torch.arange(count)
    bins = {"confidence": [0.3], "accuracy": [0.5], "n": [4]}
    yield plots.show_images(torch.rand(count, 3, 4, 4), names)
    yield plots.show_matrix(counts, labels=names)
    yield plots.show_curves({name: [1.0, 2.0] for name in names}, "epoch", "loss")
    yield plots.scoreboard(dict.fromkeys(names, 0.5))
    yield plots.show_grids(dict.fromkeys(names, counts))
    yield plots.show_maps(maps.movedim(1, 0), grid=(2, 2), rows=names)
    yield plots.show_maps(maps, grid=(2, 2), columns=names)
    yield plots.show_ladder({name: (counts, counts) for name in names})
    yield plots.show_confusion(labels, {"guess": labels}, names)
    yield plots.show_confusion(labels, dict.fromkeys(names, labels), names)
    yield plots.show_counts(counts.long(), names)
    yield plots.show_reliability(dict.fromkeys(names, bins))
    yield plots.show_bands(
        {name: [[1, 2], [2, 3]] for name in names}, "epoch", "accuracy"
    )
    yield plots.show_steps(
        {name: [0.5] for name in names}, dict.fromkeys(names), images=100
    )
    runs = {"mean": 0.5, "spread": None, "runs": [{"val_accuracy": 0.5}]}
    arms = [{"name": name} | runs for name in names]
    yield plots.plot_cards(
        [{"question": "?", "asked": names[0], "prediction": 0.5, "arms": arms}]
    )
    yield draw_attention(
        torch.zeros(count, 3, 8, 8, dtype=torch.uint8),
        torch.rand(count, 4),
        (2, 2),
        names,
        "head 0",
    )


def test_names_are_drawn_as_they_are_and_what_no_font_has_is_spelt_out():
    for figure in figures([*MONEY, f"{UNKNOWN} one"]):
        assert {*MONEY, r"\U0003fffd one"} <= shown(figure)


def test_a_title_is_drawn_as_it_is():
    assert "$5 to $10" in shown(plots.show_matrix(torch.eye(2), title="$5 to $10"))
    assert "$5 to $10" in shown(
        plots.show_curves({"a": [1.0]}, "x", "y", title="$5 to $10")
    )


def test_odd_characters_do_no_harm():
    names = [
        "caf\udce9",
        "tab\there",
        "\x07bell",
        "two\nlines",
        "zero\U000e0001width",
        "cafe\u0301",
        "a\u20dd",
    ]
    spelt = [
        r"caf\udce9",
        "tab here",
        r"\x07bell",
        "two\nlines",
        "zerowidth",
        "caf\u00e9",
        r"a\u20dd",
    ]
    assert set(spelt) <= shown(plots.show_counts(torch.eye(len(names)).long(), names))


def test_letters_come_from_another_font_that_is_installed(monkeypatch):
    """STIXGeneral comes with Matplotlib and has an A in a circle, which DejaVu Sans
    lacks.
    """
    entries = [
        font
        for font in font_manager.fontManager.ttflist
        if font.name in ("DejaVu Sans", "STIXGeneral")
    ]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", entries)
    figure = plots.show_confusion(
        torch.tensor([0, 1]),
        {"\u24b6": torch.tensor([0, 1])},
        ["class \u24b6", "plain"],
    )
    assert {"class \u24b6", "\u24b6", "plain"} <= shown(figure)
    families = {text.get_text(): text.get_fontfamily() for text in figure.findobj(Text)}
    assert (
        families["class \u24b6"]
        == families["\u24b6"]
        == [*families["plain"], "STIXGeneral"]
    )


def test_a_figure_keeps_its_font_where_that_has_the_letters():
    figure = Figure()
    text = figure.text(0, 0, "Größe", family="DejaVu Serif")
    assert fitted(figure) is figure
    assert text.get_fontfamily() == ["DejaVu Serif"]


def test_a_font_of_placeholders_is_no_font():
    # Matplotlib 3.11 brings Last Resort, which has a box for it
    assert literal(UNKNOWN) == r"\U0003fffd"


def test_a_font_that_has_gone_is_passed_over(tmp_path):
    assert fonts._characters(str(tmp_path / "gone.ttf")) == frozenset()
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert fonts._characters(str(tmp_path / "broken.ttf")) == frozenset()
