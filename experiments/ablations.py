"""Which pieces matter: the cards of chapter 11, dealt.

    python experiments/ablations.py stacks              every card of
        experiments/cards/stacks.yaml, into results/ablations-stacks.json
    python experiments/ablations.py stacks --cards '["positions"]'    one card alone
    python experiments/ablations.py stl10 --root data   STL-10 lies under
        DIR/stl10_binary
    python experiments/draw_cards.py stacks one.png --cards '["positions"]'   its figure

Rates are tried on a seed of their own, TUNING_SEED: all of them for the first arm of a
card, and for each arm that is clearly worse at the recipe's rate than the first. An arm
keeps the recipe's rate for the seeds that count unless another one was clearly better,
so that none is called worse for a rate that suits another. A run that diverges is right
about nothing: it counts with accuracy 0, and says so. Drawn images differ from seed to
seed; validation images are always the same. Runs live in
runs/ablations-DECK-CARD-ARM-RATE-SEED. Predictions stand in the cards, committed before
the runs.
"""

import json
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

from experiments.deck import Arm, Deck, read_deck
from experiments.plans import (
    Plan,
    as_words,
    measure,
    read_plan,
    refuse_others,
    seeded,
    trained,
)
from experiments.results import ROOT, commit, read_result, run
from experiments.runner import Job, Layout, complete
from vit_tutorial.training.distributed import pick_device

TUNING_SEED = 100
CLEARLY = 0.02  # of the accuracy: less is luck as often as not
KEPT = ("train_accuracy", "val_accuracy")  # of the curves


class Study:
    """The arms of a deck: what each trains, at which rate, and what it gave."""

    def __init__(self, deck: Deck, root: str) -> None:
        self.deck = deck
        self.root = root
        self.name = f"ablations-{deck.name}"
        self.steps = deck.steps()
        self.tuned: dict[str, dict[str, float]] = {}  # what is known of each step
        self.layout = Layout(("cards",), self.unpack, self.pack)

    # ---- in the result

    def unpack(self, result: dict) -> dict[str, dict]:
        """What the result holds of each arm."""
        found = {}
        for card in self.deck.cards:
            stored = {one["name"]: one["arms"] for one in result["cards"]}
            for arm in stored.get(card.name, []):
                if arm["name"] in card.arms:
                    step = self.deck.step_of(card.arms[arm["name"]])
                    found[step] = {key: at for key, at in arm.items() if key != "name"}
        return found

    def pack(self, steps: dict[str, dict]) -> dict:
        """The cards of which there is an arm, each with all its arms there are."""
        cards = []
        for card in self.deck.cards:
            arms = [
                {"name": name} | steps[step]
                for name, arm in card.arms.items()
                if (step := self.deck.step_of(arm)) in steps
            ]
            about = {
                "name": card.name,
                "question": card.question,
                "asked": card.asked,
                "prediction": card.prediction / 100,
            }
            if arms:
                cards.append(about | {"arms": arms})
        return {"cards": cards}

    # ---- in runs/

    def plan(self, arm: Arm, seed: int, rate: float) -> Plan:
        """What one run of an arm trains, its peak rate multiplied by `rate`."""
        settings = self.deck.settings | arm.settings | {"data.root": self.root}
        if arm.teacher:
            teacher = self.teacher_of(arm)
            made = self.folder(teacher, seed, self.rate(teacher))
            settings["training.teacher"] = str(made)
        plan = seeded(read_plan(self.deck.recipe, as_words(settings)), seed)
        peak_lr = rate * plan.training.peak_lr
        return replace(plan, training=replace(plan.training, peak_lr=peak_lr))

    def teacher_of(self, arm: Arm) -> Arm:
        """The arm that teaches this one."""
        card = next(card for card in self.deck.cards if arm in card.arms.values())
        return card.arms[arm.teacher or ""]

    def folder(self, arm: Arm, seed: int, rate: float) -> Path:
        """Where a run of an arm lives."""
        slug = re.sub(r"\W+", "-", self.deck.step_of(arm)).strip("-").lower()
        return ROOT / "runs" / f"{self.name}-{slug}-{rate:g}-{seed}"

    def measured(self, arm: Arm, seed: int, rate: float) -> dict:
        """Train one run as far as it is not trained, and what it gave."""
        if arm.teacher:
            teacher = self.teacher_of(arm)
            made = self.folder(teacher, seed, self.rate(teacher))
            trained(self.plan(teacher, seed, self.rate(teacher)), made)
        return measure(self.plan(arm, seed, rate), self.folder(arm, seed, rate))

    def tuning(self, arm: Arm) -> dict[str, float]:
        """The accuracy on the tuning seed at each rate that is tried, measured where
        the result does not say it; 0 where training diverged.
        """
        step = self.deck.step_of(arm)
        if step in self.tuned:
            return self.tuned[step]
        path = ROOT / "results" / f"{self.name}.json"
        result = read_result(path, *self.layout.parts)
        stored = self.unpack(result) if result else {}
        found = self.tuned[step] = stored.get(step, {}).get("tuning", {})
        if found:
            return found
        at_one = self.tried(arm, 1)
        firsts = [
            next(iter(card.arms.values()))
            for card in self.deck.cards
            if arm in card.arms.values()
        ]
        suits = arm not in firsts and all(
            at_one >= self.tuning(first)["1"] - CLEARLY for first in firsts
        )
        for rate in (1,) if suits else arm.rates:
            found[f"{rate:g}"] = at_one if rate == 1 else self.tried(arm, rate)
        return found

    def tried(self, arm: Arm, rate: float) -> float:
        """The accuracy at a rate on the tuning seed; 0 where training diverged."""
        try:
            accuracy: float = self.measured(arm, TUNING_SEED, rate)["val_accuracy"]
        except FloatingPointError:
            return 0.0
        return accuracy

    def rate(self, arm: Arm) -> float:
        """The recipe's rate, or the best on the tuning seed where that is clearly
        better.
        """
        found = self.tuning(arm)
        best = max(found, key=lambda rate: found[rate])
        return 1.0 if found["1"] >= found[best] - CLEARLY else float(best)

    # ---- for the runner

    def entry(self, arm: Arm, seed: int) -> dict:
        """What the result says of one run."""
        try:
            entry = self.measured(arm, seed, self.rate(arm))
        except FloatingPointError as error:  # which is what became of this arm
            return {"val_accuracy": 0.0, "diverged": str(error), "commit": commit()}
        kept = ("val_accuracy", "best_accuracy", "commit", "device", "parameters")
        seconds = round(sum(entry["curves"]["seconds"]), 1)
        curves = {name: entry["curves"][name] for name in KEPT}
        return {name: entry[name] for name in kept} | {
            "seconds": seconds,
            "curves": curves,
        }

    def about(self, arm: Arm) -> dict:
        """What the result says of an arm."""
        teacher = {"teacher": arm.teacher} if arm.teacher else {}
        tuning = self.tuning(arm)
        return {"settings": arm.settings, "tuning": tuning} | teacher

    def check(self, arm: Arm, path: Path, step: dict) -> None:
        """Raise ValueError where the result has other settings."""
        stored = {name: step.get(name) for name in ("settings", "teacher")}
        rates = [f"{rate:g}" for rate in arm.rates]
        wanted = {"settings": arm.settings, "teacher": arm.teacher}
        tried = list(step["tuning"])
        if stored != json.loads(json.dumps(wanted)) or tried not in (["1"], rates):
            raise ValueError(
                f"{path} has {self.deck.step_of(arm)!r} with other settings or rates:"
                " delete it there or choose another name"
            )
        base = seeded(read_plan(self.deck.recipe, as_words(self.deck.settings)), 0)
        config = read_result(path)["config"]
        refuse_others(path, config, base, ("data.root",))


def ablations(
    deck: Literal["stacks", "stl10"],
    seeds: int = 3,
    root: str = "data",
    cards: list[str] | None = None,
) -> None:
    """Train every arm of every card once a seed and write results/ablations-DECK.json.

    Args:
        deck: which cards
        seeds: how many an arm, from 0
        root: where the data lie
        cards: names of the cards to deal; all unless given
    """
    study = Study(read_deck(deck), root)
    names = [card.name for card in study.deck.cards]
    if unknown := [name for name in cards or [] if name not in names]:
        raise ValueError(f"no card {unknown[0]!r} in {deck}, expected some of {names}")
    chosen = [card for card in study.deck.cards if not cards or card.name in cards]
    only = [study.deck.step_of(arm) for card in chosen for arm in card.arms.values()]
    jobs = [
        Job(
            step,
            seed,
            partial(study.entry, arm, seed),
            partial(study.about, arm),
            partial(study.check, arm),
        )
        for step, arm in study.steps.items()
        for seed in range(seeds)
    ]
    base = read_plan(study.deck.recipe, as_words(study.deck.settings))
    config = seeded(base, 0).settings()
    config["data"]["root"] = "data"
    about = {"config": config, "tuning_seed": TUNING_SEED}
    device = pick_device(base.training.device).type
    complete(study.name, jobs, about, only, device=device, layout=study.layout)


if __name__ == "__main__":
    run(ablations)
