"""A deck of ablation cards: questions, what was predicted, and the arms that answer, as
experiments/cards/*.yaml hold them.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml

CARDS = Path(__file__).parent / "cards"


@dataclass(frozen=True)
class Arm:
    """One kind of run: settings other than the deck's, the factors of the peak rate
    that are tried on another seed, and the arm of the same card that teaches it.
    """

    settings: dict
    rates: tuple[float, ...]
    teacher: str | None = None


@dataclass(frozen=True)
class Card:
    """A question. `asked` is the arm that is predicted, `prediction` its accuracy in
    percent; the first arm is what the others are measured against.
    """

    name: str
    question: str
    asked: str
    prediction: float
    arms: dict[str, Arm]


@dataclass(frozen=True)
class Deck:
    """Cards on one recipe with some settings changed."""

    name: str
    recipe: str
    settings: dict
    cards: tuple[Card, ...]

    def steps(self) -> dict[str, Arm]:
        """All arms by the card and the name where each comes first; one that several
        cards share is there once.
        """
        found: dict[str, Arm] = {}
        for card in self.cards:
            for name, arm in card.arms.items():
                if arm not in found.values():
                    found[f"{card.name}: {name}"] = arm
        return found

    def step_of(self, arm: Arm) -> str:
        """By which card and name an arm comes first."""
        return next(name for name, known in self.steps().items() if known == arm)


def read_deck(name: str) -> Deck:
    """The deck of experiments/cards/NAME.yaml. Raises ValueError for a card whose
    `asked` or teacher is none of its arms, whose asked arm is the first, or one of
    whose arms leaves out the recipe's own rate.
    """
    stored = yaml.safe_load((CARDS / f"{name}.yaml").read_text(encoding="utf-8"))
    rates = tuple(stored["rates"])
    cards = []
    for written in stored["cards"]:
        arms = {arm: read_arm(at, rates) for arm, at in written["arms"].items()}
        card = Card(**written | {"arms": arms})
        if card.asked not in list(arms)[1:]:
            raise ValueError(
                f"card {card.name!r} asks for {card.asked!r}, expected one of"
                f" {list(arms)[1:]}"
            )
        for title, arm in arms.items():
            if 1 not in arm.rates:
                raise ValueError(
                    f"arm {title!r} of card {card.name!r} is not tried at rate 1, the"
                    " recipe's"
                )
            if arm.teacher is not None and arm.teacher not in arms:
                raise ValueError(
                    f"card {card.name!r} has no arm {arm.teacher!r} to learn from"
                )
        cards.append(card)
    return Deck(name, stored["recipe"], stored["settings"], tuple(cards))


def read_arm(written: dict, rates: tuple[float, ...]) -> Arm:
    """An arm: its settings, and beside them `rates` and `teacher` where it has its
    own.
    """
    settings = {key: at for key, at in written.items() if "." in key}
    own = {key: at for key, at in written.items() if key not in settings}
    own["rates"] = tuple(own.get("rates", rates))
    return Arm(settings, **own)
