"""The figure of recorded cards: every run, the means, and what was predicted before.

python experiments/draw_cards.py stacks cards.png      all that are dealt
python experiments/draw_cards.py stacks one.svg --cards '["positions"]'
"""

from io import BytesIO
from pathlib import Path
from typing import Literal

from experiments.deck import read_deck
from experiments.results import ROOT, read_result, run
from vit_tutorial.files import user_path, write_file
from vit_tutorial.plots import plot_cards, use_style


def draw_cards(
    deck: Literal["stacks", "stl10"], out: Path, cards: list[str] | None = None
) -> None:
    """Draw the cards of results/ablations-DECK.json of which every arm has runs.

    Args:
        deck: which cards
        out: the picture, of a format that matplotlib writes
        cards: names of the cards, in the order in which they are drawn; all unless
            given
    """
    result = read_result(ROOT / "results" / f"ablations-{deck}.json", "cards")
    wanted = {card.name: set(card.arms) for card in read_deck(deck).cards}
    dealt = {
        card["name"]: card
        for card in result.get("cards", [])
        if {arm["name"] for arm in card["arms"]} == wanted.get(card["name"])
    }
    chosen = list(dealt) if cards is None else cards
    missing = [name for name in chosen if name not in dealt]
    if missing or not chosen:
        raise ValueError(
            f"cards are {missing or chosen}, expected some that are dealt of {deck}:"
            f" {list(dealt)}"
        )
    use_style()
    picture = BytesIO()
    plot_cards([dealt[name] for name in chosen]).savefig(
        picture, format=out.suffix.removeprefix(".") or "png"
    )
    write_file(user_path(out), picture.getvalue())


if __name__ == "__main__":
    run(draw_cards)
