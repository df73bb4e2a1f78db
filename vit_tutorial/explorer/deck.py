"""Cards that ask how a model did; a reader guesses before the recorded runs are shown,
and is told how far off the guess was.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt

from vit_tutorial.explorer.output import Output, piece, png
from vit_tutorial.plots import plot_cards, use_style

CARD = ("name", "question", "asked", "prediction", "arms")
ARM = ("name", "mean", "spread", "runs")
RUN = ("val_accuracy",)


def deck(cards: Sequence[dict], title: str = "") -> Output:
    """Cards of recorded runs, one shown at a time: its question, the mean of the first
    arm, and a slider for the mean of the arm that is `asked` about.

    A card has `name`, `question`, `asked`, our `prediction` and `arms`; an arm has
    `name`, `mean`, `spread` (None for a single run) and `runs`, each with its
    `val_accuracy`. All accuracies are shares from 0 to 1; other keys are ignored. What
    the other arms reached and what we predicted is shown when the guess is made. The
    picture holds all of it. Raises ValueError for no cards, missing keys, an arm
    without runs, an asked arm that is the first or none, shares outside 0 to 1, and
    names that are not their own.
    """
    _check(cards)
    data = {"title": title, "cards": [_shown(card) for card in cards]}
    html = piece("deck", data, "The deck needs JavaScript.")
    with plt.rc_context():
        use_style()
        figure = plot_cards(cards)
        picture = png(figure)
        plt.close(figure)  # or a notebook shows it once more
    names = ", ".join(str(card["name"]) for card in cards)
    count = "1 card" if len(cards) == 1 else f"{len(cards)} cards"
    return Output(html, picture, f"deck({count}: {names})")


def _shown(card: dict) -> dict[str, Any]:
    """What the page has of a card: shares in per cent, `asked` as a number of an
    arm.
    """
    arms = [
        {
            "name": str(arm["name"]),
            "mean": _percent(arm["mean"]),
            "spread": None if len(arm["runs"]) == 1 else _percent(arm["spread"]),
            "runs": [_percent(run["val_accuracy"]) for run in arm["runs"]],
        }
        for arm in card["arms"]
    ]
    return {
        "name": str(card["name"]),
        "question": str(card["question"]),
        "asked": [arm["name"] for arm in card["arms"]].index(card["asked"]),
        "prediction": _percent(card["prediction"]),
        "arms": arms,
    }


def _percent(share: float) -> float:
    return round(100 * float(share), 1)


def _check(cards: Sequence[dict]) -> None:
    if len(cards) == 0:
        raise ValueError("no cards, expected at least one")
    for at, card in enumerate(cards):
        _check_keys(f"card {at}", card, CARD)
        _check_card(f"card {card['name']!r}", card)
    _check_names("cards", cards)


def _check_card(says: str, card: dict) -> None:
    _check_share(f"the prediction of {says}", card["prediction"])
    for at, arm in enumerate(card["arms"]):
        _check_keys(f"arm {at} of {says}", arm, ARM)
        _check_arm(f"arm {arm['name']!r} of {says}", arm)
    _check_names(f"arms of {says}", card["arms"])
    open_arms = [arm["name"] for arm in card["arms"][1:]]
    if card["asked"] not in open_arms:
        raise ValueError(
            f"{says} asks about {card['asked']!r}, expected an arm after the first, one"
            f" of {open_arms}"
        )


def _check_arm(says: str, arm: dict) -> None:
    if len(arm["runs"]) == 0:
        raise ValueError(f"{says} has no runs, expected at least one")
    for at, run in enumerate(arm["runs"]):
        _check_keys(f"run {at} of {says}", run, RUN)
        _check_share(f"the accuracy of run {at} of {says}", run["val_accuracy"])
    _check_share(f"the mean of {says}", arm["mean"])
    if len(arm["runs"]) > 1:
        _check_share(f"the spread of {says}", arm["spread"])


def _check_keys(says: str, given: Any, keys: Sequence[str]) -> None:
    for key in keys:
        if not isinstance(given, Mapping) or key not in given:
            raise ValueError(f"{says} has no {key!r}, expected {', '.join(keys)}")


def _check_share(says: str, share: Any) -> None:
    if not isinstance(share, (int, float)) or not 0 <= share <= 1:
        raise ValueError(f"{says} is {share!r}, expected a share from 0 to 1")


def _check_names(says: str, given: Sequence[dict]) -> None:
    names = [str(each["name"]) for each in given]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two {says} are called {name!r}, expected other names")
