"""The ablation cards: what a deck holds, and how it is dealt, on models that learn in a
moment.
"""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import ablations, deck, plans, runner
from experiments.deck import Arm, Card, Deck, read_deck
from experiments.results import run
from vit_tutorial.models import build_model

ROOT = Path(__file__).parents[2]
DECKS = sorted(path.stem for path in deck.CARDS.glob("*.yaml"))
TINY = {
    "training.epochs": 1,
    "training.warmup_epochs": 0,
    "training.batch_size": 8,
    "training.device": "cpu",
    "training.snapshots": [],
    "model.patch_size": 48,
    "model.dim": 16,
    "model.depth": 1,
    "model.heads": 2,
    "data.train_images": 16,
    "data.val_images": 20,
}
PLAIN = Arm({}, (1,))
MEAN = Arm({"model.pool": "mean"}, (0.5, 1, 2))
CNN = Arm({"model.name": "cnn", "training.optimizer": "adamw"}, (1,))
TAUGHT = Arm({}, (1,), teacher="the CNN")
SMALL = Deck(
    "stacks",
    "stacks",
    TINY,
    (
        Card("pooling", "One?", "mean", 40, {"as it is": PLAIN, "mean": MEAN}),
        Card(
            "guidance",
            "Two?",
            "taught",
            50,
            {"alone": PLAIN, "the CNN": CNN, "taught": TAUGHT},
        ),
    ),
)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder for results and runs, and a small deck; the names of the runs
    that are trained are kept in `trained`.
    """
    (tmp_path / "results").mkdir()
    real = plans.train
    trained = []
    for module in (runner, plans, ablations):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(ablations, "read_deck", lambda name: SMALL)
    monkeypatch.setattr(sys, "argv", ["experiments/ablations.py", "stacks"])
    monkeypatch.setattr(
        plans, "train", lambda *given: (trained.append(given[3].name), real(*given))
    )
    return tmp_path, trained


def stored(desk):
    path = desk[0] / "results" / "ablations-stacks.json"
    return json.loads(path.read_text(encoding="utf-8"))


def arms_of(card):
    return {arm["name"]: arm for arm in card["arms"]}


# ---- what a deck holds


@pytest.mark.parametrize("name", DECKS)
def test_every_arm_is_a_plan_that_differs_from_the_deck_as_it_says(name):
    study = ablations.Study(read_deck(name), "data")
    base = plans.flat(study.plan(Arm({}, (1,)), 0, 1).settings())
    for arm in study.steps.values():
        plan = study.plan(replace(arm, teacher=None), 0, 1)
        new = plans.flat(plan.settings())
        changed = {key for key in new if new[key] != base[key]}
        assert changed == set(arm.settings)
        assert arm.rates and all(rate > 0 for rate in arm.rates)
        build_model(replace(plan.model, dim=8, depth=1, heads=1))


@pytest.mark.parametrize("name", DECKS)
def test_every_card_asks_what_an_arm_answers(name):
    cards = read_deck(name).cards
    assert read_deck(name).name == name
    assert len({card.name for card in cards}) == len(cards)
    for card in cards:
        assert 0 <= card.prediction <= 100 and card.question.endswith("?")
        assert len({str(arm) for arm in card.arms.values()}) == len(card.arms)


def test_a_card_that_asks_for_no_arm_of_its_own_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(deck, "CARDS", tmp_path)
    text = "recipe: stacks\nsettings: {}\nrates: [1]\ncards:\n"
    card = "- {name: a, question: 'Q?', asked: %s, prediction: 5, arms: %s}\n"
    for asked, arms, says in (
        (
            "zwei",
            "{one: {}, two: {model.depth: 2}}",
            "asks for 'zwei', expected one of",
        ),
        ("one", "{one: {}, two: {model.depth: 2}}", "asks for 'one', expected one of"),
        ("two", "{one: {}, two: {teacher: CNN}}", "no arm 'CNN' to learn from"),
        ("two", "{one: {}, two: {rates: [2]}}", "arm 'two' of card 'a' is not tried"),
    ):
        (tmp_path / "own.yaml").write_text(
            text + card % (asked, arms), encoding="utf-8"
        )
        with pytest.raises(ValueError, match=says):
            read_deck("own")


# ---- how it is dealt


def chosen(tuning):
    """Which rate counts: the recipe's, unless another is two points better."""
    best = max(tuning, key=lambda rate: tuning[rate])
    return best if tuning[best] > tuning["1"] + 0.02 else "1"


def test_cards_are_dealt_once_and_an_arm_of_two_cards_is_trained_once(desk, capsys):
    ablations.ablations("stacks", seeds=2, cards=["pooling"])
    result = stored(desk)
    assert result["tuning_seed"] == 100 and result["config"]["model"]["dim"] == 16
    (pooling,) = [card for card in result["cards"] if card["name"] == "pooling"]
    assert pooling | {"arms": []} == {
        "name": "pooling",
        "question": "One?",
        "asked": "mean",
        "prediction": 0.4,
        "arms": [],
    }
    plain, mean = pooling["arms"]
    assert [arm["name"] for arm in (plain, mean)] == ["as it is", "mean"]
    assert mean["settings"] == {"model.pool": "mean"}
    assert [one["seed"] for one in mean["runs"]] == [0, 1]
    found = [one["val_accuracy"] for one in mean["runs"]]
    assert mean["mean"] == pytest.approx(sum(found) / 2, abs=1e-4)
    assert mean["runs"][0]["curves"]["val_accuracy"] == [found[0]]
    # the first arm of the other card is the same
    (guidance,) = [card for card in result["cards"] if card["name"] == "guidance"]
    assert guidance["arms"] == [plain | {"name": "alone"}]
    # rates on the tuning seed, the recipe's first, then two seeds at one of them
    rate = chosen(mean["tuning"])
    tried = sorted(mean["tuning"], key=lambda one: one != "1")
    names = [f"ablations-stacks-pooling-mean-{one}-100" for one in tried]
    names += [f"ablations-stacks-pooling-mean-{rate}-{seed}" for seed in (0, 1)]
    assert [name for name in desk[1] if "-mean-" in name] == names
    last = (desk[0] / "runs" / names[-1] / "config.json").read_text(encoding="utf-8")
    training = json.loads(last)["training"]
    assert training["peak_lr"] == 1e-3 * float(rate) and training["seed"] == 1
    assert json.loads(last)["data"]["split_seed"] == 1

    count = len(desk[1])
    ablations.ablations("stacks", seeds=2, cards=["pooling"])
    assert len(desk[1]) == count and stored(desk) == result
    capsys.readouterr()
    ablations.ablations("stacks", seeds=2)
    assert stored(desk)["cards"][0] == pooling
    taught = arms_of(stored(desk)["cards"][1])["taught"]
    assert taught["teacher"] == "the CNN"
    run = desk[0] / "runs" / "ablations-stacks-guidance-taught-1-1"
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    teacher = config["training"]["teacher"]
    assert Path(teacher).name == "ablations-stacks-guidance-the-cnn-1-1"
    assert str(desk[0]) not in json.dumps(stored(desk))
    assert "guidance: taught" in capsys.readouterr().out


def test_what_the_result_says_of_a_rate_is_not_measured_again(desk):
    ablations.ablations("stacks", seeds=1, cards=["pooling"])
    for made in (desk[0] / "runs").glob("ablations-*"):
        made.rename(made.with_name("lost-" + made.name))
    count = len(desk[1])
    ablations.ablations("stacks", seeds=2, cards=["pooling"])
    assert [name[-2:] for name in desk[1][count:]] == ["-1", "-1"]


@pytest.mark.parametrize(
    ("tuning", "rate"),
    [
        ({"0.5": 0.5, "1": 0.94, "2": 0.95}, 1),
        ({"0.5": 0.5, "1": 0.92, "2": 0.95}, 2),
        ({"0.5": 0.97, "1": 0.92, "2": 0.95}, 0.5),
    ],
)
def test_another_rate_counts_where_it_is_clearly_better(monkeypatch, tuning, rate):
    study = ablations.Study(SMALL, "data")
    monkeypatch.setattr(study, "tuning", lambda arm: tuning)
    assert study.rate(MEAN) == rate


@pytest.mark.parametrize(
    ("accuracy", "tried"),
    [(0.7, ["1"]), (0.685, ["1"]), (0.675, ["0.5", "1", "2"])],
)
def test_other_rates_are_tried_for_an_arm_that_is_clearly_worse(
    desk, monkeypatch, accuracy, tried
):
    study = ablations.Study(SMALL, "data")

    def measured(arm, seed, rate):
        return {"val_accuracy": accuracy if arm == MEAN else 0.7}

    monkeypatch.setattr(study, "measured", measured)
    assert list(study.tuning(MEAN)) == tried
    assert study.tuning(MEAN)["1"] == accuracy


def test_all_rates_are_tried_for_the_first_arm_of_any_card(desk, monkeypatch):
    first = Card("depth", "Three?", "plain", 40, {"mean": MEAN, "plain": PLAIN})
    study = ablations.Study(replace(SMALL, cards=(*SMALL.cards, first)), "data")
    monkeypatch.setattr(study, "measured", lambda *given: {"val_accuracy": 0.5})
    assert list(study.tuning(MEAN)) == ["0.5", "1", "2"]


def test_a_rate_at_which_training_diverges_is_not_the_best(desk, monkeypatch):
    study = ablations.Study(SMALL, "data")

    def fragile(arm, seed, rate):
        if rate > 1:
            raise FloatingPointError("the loss is nan")
        return {"val_accuracy": 0.2 if arm == MEAN else 0.4}

    monkeypatch.setattr(study, "measured", fragile)
    assert study.tuning(MEAN) == {"0.5": 0.2, "1": 0.2, "2": 0.0}


def test_a_run_that_diverges_is_recorded_and_the_next_ones_are_trained(
    desk, monkeypatch
):
    real = ablations.measure

    def fragile(plan, out):
        if plan.training.seed == 0 and plan.model.pool == "mean":
            raise FloatingPointError("the loss is nan")
        return real(plan, out)

    monkeypatch.setattr(ablations, "measure", fragile)
    ablations.ablations("stacks", seeds=2, cards=["pooling"])
    runs = arms_of(stored(desk)["cards"][0])["mean"]["runs"]
    assert runs[0]["val_accuracy"] == 0 and runs[0]["diverged"] == "the loss is nan"
    assert runs[1]["val_accuracy"] > 0 and "diverged" not in runs[1]


def test_rates_are_tried_once(desk, monkeypatch):
    tried = []
    real = ablations.measure

    def noted(plan, out):
        if plan.training.seed == ablations.TUNING_SEED:
            tried.append(out.name)
        return real(plan, out)

    monkeypatch.setattr(ablations, "measure", noted)
    ablations.ablations("stacks", seeds=2, cards=["pooling"])
    mean = arms_of(stored(desk)["cards"][0])["mean"]
    assert len(tried) == len(set(tried)) == len(PLAIN.rates) + len(mean["tuning"])


def test_settings_of_a_deck_may_be_words(desk, monkeypatch):
    other = replace(SMALL, settings=TINY | {"model.name": "registers"})
    monkeypatch.setattr(ablations, "read_deck", lambda name: other)
    ablations.ablations("stacks", seeds=1, cards=["pooling"])
    assert stored(desk)["config"]["model"]["name"] == "registers"


def test_unknown_cards_and_other_settings_are_refused(desk, monkeypatch):
    with pytest.raises(ValueError, match="no card 'pool' in stacks, expected some of"):
        ablations.ablations("stacks", cards=["pool"])
    ablations.ablations("stacks", seeds=1, cards=["pooling"])
    result = stored(desk)
    other = replace(SMALL, settings=TINY | {"model.dim": 8})
    monkeypatch.setattr(ablations, "read_deck", lambda name: other)
    with pytest.raises(ValueError, match="was made with model.dim 16, not 8"):
        ablations.ablations("stacks", seeds=1)
    changed = MEAN.settings | {"model.depth": 2}
    arms = SMALL.cards[0].arms | {"mean": replace(MEAN, settings=changed)}
    other = replace(SMALL, cards=(replace(SMALL.cards[0], arms=arms),))
    monkeypatch.setattr(ablations, "read_deck", lambda name: other)
    with pytest.raises(
        ValueError, match="'pooling: mean' with other settings or rates"
    ):
        ablations.ablations("stacks", seeds=1)
    assert stored(desk) == result


@pytest.mark.parametrize(
    ("tried", "accepted"), [("1", True), ("0.5 1 2", True), ("1 2", False)]
)
def test_an_arm_of_other_rates_is_refused(tmp_path, monkeypatch, tried, accepted):
    study = ablations.Study(SMALL, "data")
    step = {"settings": MEAN.settings, "tuning": dict.fromkeys(tried.split(), 0.5)}
    config = study.plan(PLAIN, 0, 1).settings()
    path = tmp_path / "kept.json"
    path.write_text(json.dumps({"config": config}), encoding="utf-8")
    if accepted:
        study.check(MEAN, path, step)
    else:
        with pytest.raises(ValueError, match="mean' with other settings or rates"):
            study.check(MEAN, path, step)


# ---- results on file


@pytest.mark.parametrize("name", DECKS)
def test_a_deck_on_file_is_complete(tmp_path, name, monkeypatch):
    """The command that made it trains nothing and leaves it as it is: who changes a
    card deals it anew.
    """

    def refuse(*given):
        raise AssertionError("nothing is left to measure")

    path = ROOT / "results" / f"ablations-{name}.json"
    if not path.exists():
        pytest.skip(f"{path.name} is not made yet")
    content = path.read_bytes()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / path.name).write_bytes(content)
    for module in (runner, plans, ablations):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(ablations, "measure", refuse)
    _, script, *words = shlex.split(json.loads(content)["command"])
    monkeypatch.setattr(sys, "argv", [script, *words])
    run(ablations.ablations)
    assert (tmp_path / "results" / path.name).read_bytes() == content
