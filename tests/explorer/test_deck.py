"""The cards in a real browser: guessed by keyboard, revealed, and scored."""

import copy
import io
import math

import browser
import matplotlib.pyplot as plt
import pytest
from IPython.core.formatters import DisplayFormatter
from pieces import assert_own_ids, assert_readable, open_pieces
from PIL import Image
from playwright.sync_api import Locator

from vit_tutorial.explorer.deck import deck

chromium = browser.chromium
guarded = browser.guarded

SHAPES = ("mean", "run", "you", "we")
# where the marks of a row stand, from 0 at the left end of its scale to 100
MARKS = """(row, names) => {
  const scale = row.querySelector("line").parentElement.getBoundingClientRect();
  return names.map((name) => [...row.querySelectorAll(`.${name}`)].map((mark) => {
    const { left, width } = mark.firstChild.getBoundingClientRect();
    return 100 * (left + width / 2 - scale.left) / scale.width;
  }));
}"""


def arm(name: str, *scores: float, spread: float | None = None) -> dict:
    runs = [{"seed": at, "val_accuracy": score} for at, score in enumerate(scores)]
    mean = sum(scores) / len(scores)
    return {"name": name, "mean": mean, "spread": spread, "runs": runs}


def card(name: str, asked: str, prediction: float, *arms: dict) -> dict:
    question = f"What of {name}?"
    about = {"name": name, "question": question, "asked": asked, "config": {}}
    return about | {"prediction": prediction, "arms": list(arms)}


WHOLE = arm("sin-cos", 0.951, 0.965, spread=0.0099)
CARDS = [
    card(
        "positions",
        "none",
        0.55,
        WHOLE,
        arm("learned", 0.62, 0.64, spread=0.0141),
        arm("none", 0.371, 0.391, spread=0.0141),
    ),
    card("<b>x</b> $1$", "<i>y</i>", 0.905, arm("as it is", 1.0), arm("<i>y</i>", 0.0)),
]
OTHER = [card("heads", "1 head", 0.9, WHOLE, arm("1 head", 0.93))]
SAID = [
    "It was right on 38.1 %; you said 52 %, we 55 %: off by 13.9 and 16.9 points.",
    "It was right on 0.0 %; you said 0 %, we 90.5 %: off by 0.0 and 90.5 points.",
]
SCORE = "You were off by 7.0 points on average, we by 53.7."  # of 13.9, 16.9, 0, 90.5


def opened(guarded, folder, *cards, title="What matters", **options) -> list[Locator]:
    shown = [deck(each, title) for each in cards or (CARDS,)]
    return open_pieces(guarded.page, folder, "deck", *shown, **options)


def button(shown: Locator, name: str) -> Locator:
    return shown.get_by_role("button", name=name)


def slider(shown: Locator) -> Locator:
    return shown.get_by_label("your guess", exact=True)


def text(shown: Locator, name: str) -> str:
    return shown.locator(f".{name}").inner_text()


def is_off(shown: Locator, *names: str) -> list[bool]:
    return [button(shown, name).is_disabled() for name in names]


def rows(shown: Locator) -> dict[str, tuple[str, list[list[float]]]]:
    """The number of each row and where its marks stand, by its name."""
    found = {}
    for row in shown.locator(".row:has(line)").all():
        marks = row.evaluate(MARKS, SHAPES)
        found[text(row, "name")] = (text(row, "number"), marks)
    return found


def at(*places: list[float]) -> list:
    return [pytest.approx(each, abs=0.2) for each in places]


@pytest.mark.parametrize("family", ["sans-serif", "monospace"])
@pytest.mark.parametrize("width", [560, 704])
def test_numbers_end_with_the_cards_however_large_the_text(
    guarded, tmp_path, family, width
):
    cards = [card("c", "b", 0.5, arm("a", 0.989), arm("b", 1.0, 0.9, spread=0.1234))]
    (shown,) = opened(guarded, tmp_path, cards)
    button(shown, "reveal").click()
    shown.evaluate(
        "(deck, style) => Object.assign(deck.parentElement.style, style)",
        {"fontFamily": family, "fontSize": "20px", "width": f"{width}px"},
    )
    beyond = shown.locator(".row:has(line) .number").evaluate_all(
        """all => all.map((number) => {
          const text = document.createRange();
          text.selectNodeContents(number);
          const [end, edge] = [text, number.closest(".vit-deck")].map(
            (one) => one.getBoundingClientRect().right);
          return end - edge;
        })"""
    )
    assert len(beyond) == 2 and max(beyond) < 0.5


def test_a_card_shows_the_others_only_after_the_guess(guarded, tmp_path):
    (shown,) = opened(guarded, tmp_path)
    assert shown.get_attribute("aria-label") == "What matters"
    assert text(shown, "count") == "card 1 of 2"
    assert text(shown, "question") == "What of positions?"
    assert text(shown, "reference") == "To compare with: sin-cos, 95.8 ± 1.0 %."
    whole = ("95.8 ± 1.0 %", at([95.8], [95.1, 96.5], [], []))
    assert rows(shown) == {"sin-cos": whole, "none": ("?", at([], [], [50], []))}
    for key, guess in [("ArrowRight", 51), ("End", 100), ("Home", 0), ("PageUp", 10)]:
        slider(shown).press(key)
        assert slider(shown).get_attribute("aria-valuetext") == f"{guess} %"
        assert text(shown, "value") == f"{guess} %"
        assert rows(shown)["none"] == ("?", at([], [], [guess], []))
    words = shown.inner_text()
    assert not any(told in words for told in ("learned", "38", "55", "we:"))
    slider(shown).fill("52")
    button(shown, "reveal").click()
    assert rows(shown) == {
        "sin-cos": whole,
        "learned": ("63.0 ± 1.4 %", at([63], [62, 64], [], [])),
        "none": ("38.1 ± 1.4 %", at([38.1], [37.1, 39.1], [52], [55])),
    }
    ours, bar, guess = (
        shown.locator(f".row .{name} > *").last.bounding_box()
        for name in ("we", "mean", "you")
    )
    middles = [box["y"] + box["height"] / 2 for box in (ours, bar, guess)]
    assert middles[0] + 9 < middles[1] < middles[2] - 9  # none hides another
    assert shown.get_by_role("status").inner_text() == SAID[0]
    assert shown.get_by_role("status").get_attribute("aria-live") == "polite"
    legend = shown.locator(".legend > span").all_inner_texts()
    assert legend == ["a run", "mean", "you: 52 %", "we: 55 %"]
    assert slider(shown).is_disabled() and text(shown, "score") == ""
    guarded.assert_clean()


def test_the_keyboard_alone_plays_a_deck(guarded, tmp_path):
    (shown,) = opened(guarded, tmp_path)
    names = ("reveal", "back", "next card")

    def press(*keys: str) -> None:
        for key in keys:
            guarded.page.keyboard.press(key)

    assert is_off(shown, *names) == [False, True, True]
    press("Tab", "ArrowRight", "ArrowUp")
    press("Tab", "Tab", "Tab", "Enter")  # no next card before this one is revealed
    assert text(shown, "count") == "card 1 of 2"
    press("Shift+Tab", "Shift+Tab", "Enter")
    assert text(shown, "said") == SAID[0]
    assert is_off(shown, *names) == [True, True, False]
    press("Enter")  # once more changes nothing
    assert text(shown, "said") == SAID[0]
    press("Tab", "Tab", "Space")
    assert text(shown, "count") == "card 2 of 2" and text(shown, "said") == ""
    assert slider(shown).get_attribute("aria-valuetext") == "50 %"
    press("Home", "Tab", "Enter")  # the slider has the focus
    assert text(shown, "said") == SAID[1]
    assert is_off(shown, *names) == [True, False, True]
    assert text(shown, "score") == SCORE
    press("Tab", "Enter")
    assert text(shown, "count") == "card 1 of 2" and text(shown, "said") == SAID[0]
    assert slider(shown).is_disabled() and slider(shown).input_value() == "52"
    press("Tab", "Tab", "Enter")
    assert text(shown, "count") == "card 1 of 2" and text(shown, "score") == ""
    assert slider(shown).input_value() == "50" and not slider(shown).is_disabled()
    assert not button(shown, "start again").is_visible()
    press("ArrowRight")
    assert slider(shown).input_value() == "51"
    guarded.assert_clean()


def test_all_decks_of_a_page_are_scored_together(guarded, tmp_path):
    first, other = opened(guarded, tmp_path, CARDS, OTHER)
    slider(first).fill("52")
    button(first, "reveal").click()
    slider(other).fill("97")
    button(other, "reveal").click()
    both = "You were off by 4.0 points on average, we by 3.0. All decks"
    # 13.9 and 4, 16.9 and 3
    assert text(other, "score") == f"{both} so far: 2 of 3 cards, you 9.0, we 10.0."
    assert text(first, "score") == ""
    button(first, "next card").click()
    slider(first).press("Home")
    button(first, "reveal").click()
    # 0 and 90.5 are added
    all_three = "All decks: 3 of 3 cards, you 6.0, we 36.8."
    assert text(first, "score") == f"{SCORE} {all_three}"
    assert text(other, "score").endswith(f" {all_three}")
    live = [one.locator(".score").get_attribute("aria-live") for one in (first, other)]
    assert live == ["polite", "off"]  # one deck speaks at a time
    button(first, "start again").click()
    only = f"{both} so far: 1 of 3 cards, you 4.0, we 3.0."
    assert (text(first, "score"), text(other, "score")) == ("", only)
    guarded.assert_clean()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_phones_and_dark_pages_show_it(guarded, tmp_path, theme):
    wide = arm("word" * 20, 0.5, 0.75, spread=0.1768)
    long = [card("long " * 30 + "word" * 30, "word" * 20, 1.0, WHOLE, wide)]
    shown = opened(guarded, tmp_path, CARDS, long, theme=theme)
    texts = ".title, .count, .question, .reference, label, button, .name, .number"
    assert_readable(guarded.page, shown[0], texts, theme)
    for each in shown:
        slider(each).press("End")
        button(each, "reveal").click()
    texts += ", .said, .score, .legend > span"
    for each in shown:
        assert_readable(guarded.page, each, texts, theme)
    assert_own_ids(guarded.page)
    scale = shown[1].locator(".row > svg").first
    narrow = scale.bounding_box()["width"]
    assert narrow > 240  # of 320: name and number stand above it
    guarded.assert_clean()


def test_words_are_words(guarded, tmp_path):
    title = "</script><img src=x onerror=alert(1)>"
    (shown,) = opened(guarded, tmp_path, CARDS[1:], title=title)
    assert text(shown, "title") == title
    assert text(shown, "question") == "What of <b>x</b> $1$?"
    # one run: a dot, and no spread
    one_run = ("100.0 %", at([100], [100], [], []))
    assert rows(shown) == {
        "as it is": one_run,
        "<i>y</i>": ("?", at([], [], [50], [])),
    }
    assert shown.locator("img, b, i").count() == 0
    guarded.assert_clean()


def test_a_notebook_gets_a_page_and_a_picture():
    shown = deck(CARDS, "A $title")
    data, _ = DisplayFormatter().format(shown)
    assert data["text/plain"] == "deck(2 cards: positions, <b>x</b> $1$)"
    assert deck(OTHER).text == "deck(1 card: heads)"
    assert "http" not in data["text/html"] and "<b>" not in data["text/html"]
    assert len(data["text/html"]) < 20_000
    picture = Image.open(io.BytesIO(shown.png))
    assert data["image/png"] and picture.format == "PNG" and picture.width == 770
    again = deck(CARDS, "A $title")
    assert (again.html, again.png) == (shown.html, shown.png)


def test_the_picture_leaves_the_notebook_s_figures_as_they_are():
    with plt.rc_context({"figure.dpi": 50}):
        deck(OTHER)
        assert plt.get_fignums() == [] and plt.rcParams["figure.dpi"] == 50


WITHIN = "expected a share from 0 to 1"


@pytest.mark.parametrize(
    "path, value, says",
    [
        ([], [], "no cards, expected at least one"),
        ([0], "positions", "card 0 has no 'name', expected name, question, asked, "),
        ([0, "asked"], None, "card 0 has no 'asked', expected name, question, asked,"),
        ([1, "arms"], None, "card 1 has no 'arms', expected name"),
        ([0, "asked"], "x", "asks about 'x', expected an arm after the first, one of"),
        ([0, "asked"], "sin-cos", r"'sin-cos', expected .* of \['learned', 'none'\]"),
        ([0, "arms"], [], r"asks about 'none', expected .* one of \[\]"),
        ([0, "prediction"], 55, f"prediction of card 'positions' is 55, {WITHIN}"),
        ([0, "prediction"], "55 %", f"card 'positions' is '55 %', {WITHIN}"),
        ([0, "prediction"], math.nan, f"is nan, {WITHIN}"),
        ([0, "arms", 1, "mean"], 63.0, "mean of arm 'learned' of card 'positions' is"),
        ([0, "arms", 1, "spread"], None, f"spread of arm 'learned' .* None, {WITHIN}"),
        ([0, "arms", 1, "runs"], [], "arm 'learned' of card 'positions' has no runs"),
        ([0, "arms", 1, "mean"], None, "arm 1 of card 'positions' has no 'mean', exp"),
        (
            [0, "arms", 1, "runs", 0, "val_accuracy"],
            -0.1,
            f"accuracy of run 0 of arm 'learned' of card 'positions' is -0.1, {WITHIN}",
        ),
        (
            [0, "arms", 1, "runs", 1],
            {},
            "run 1 of arm 'learned' of card 'positions' has no 'val_accuracy'",
        ),
        ([0, "arms", 1, "name"], "none", "two arms of card 'positions' are called 'n"),
        ([1, "name"], "positions", "two cards are called 'positions', expected other"),
    ],
)
def test_wrong_use_is_named_in_one_line(path, value, says):
    """The value at the end of a path; a key is taken away where the text says so."""
    cards = copy.deepcopy(CARDS)
    if not path:
        cards = value
    else:
        *way, last = path
        place = cards
        for step in way:
            place = place[step]
        if value is None and "has no" in says:
            del place[last]
        else:
            place[last] = value
    with pytest.raises(ValueError, match=says) as caught:
        deck(cards)
    assert "\n" not in str(caught.value)
