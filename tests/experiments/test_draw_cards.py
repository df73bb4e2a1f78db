"""The figure of recorded cards: those that are dealt whole, and no others."""

import json

import pytest
from matplotlib import pyplot as plt
from PIL import Image

from experiments import draw_cards
from experiments.deck import read_deck


@pytest.fixture
def record(tmp_path, monkeypatch):
    """A folder with a record of two cards of `stacks`: of the second an arm is
    missing.
    """
    whole, half = read_deck("stacks").cards[:2]
    cards = []
    for card, names in ((whole, list(whole.arms)), (half, list(half.arms)[:1])):
        arms = [
            {
                "name": name,
                "mean": 0.5,
                "spread": 0.1,
                "runs": [{"val_accuracy": 0.4}, {"val_accuracy": 0.6}],
            }
            for name in names
        ]
        about = {"name": card.name, "question": card.question, "asked": card.asked}
        cards.append(about | {"prediction": card.prediction / 100, "arms": arms})
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "ablations-stacks.json"
    path.write_text(json.dumps({"cards": cards}), encoding="utf-8")
    monkeypatch.setattr(draw_cards, "ROOT", tmp_path)
    yield tmp_path
    plt.close("all")


def test_it_draws_every_card_of_which_all_arms_have_run(record, monkeypatch):
    drawn = []
    real = draw_cards.plot_cards
    monkeypatch.setattr(
        draw_cards, "plot_cards", lambda cards: drawn.append(cards) or real(cards)
    )
    draw_cards.draw_cards("stacks", record / "cards.png")
    assert [card["name"] for card in drawn[0]] == ["positions"]
    with Image.open(record / "cards.png") as picture:
        assert picture.format == "PNG" and picture.width > 400


@pytest.mark.parametrize(
    ("deck", "cards", "found"),
    [
        ("stacks", ["start of positions"], "['start of positions'], expected"),
        ("stacks", ["no such"], "['no such'], expected some that are dealt of stacks"),
        ("stacks", [], "cards are [], expected"),
        ("stl10", None, "of stl10: []"),
    ],
)
def test_what_is_not_dealt_is_named_and_nothing_is_written(record, deck, cards, found):
    with pytest.raises(ValueError) as raised:
        draw_cards.draw_cards(deck, record / "cards.png", cards)
    assert found in str(raised.value)
    assert not (record / "cards.png").exists()


def test_an_unknown_format_is_one_line_and_leaves_the_old_file(record):
    old = record / "cards.nonsense"
    old.write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match="nonsense"):
        draw_cards.draw_cards("stacks", old)
    assert old.read_text(encoding="utf-8") == "mine"
