"""What chapter 11 says of recorded ablations is what the record says."""

from statistics import mean

from pages import flat
from written import chapter, recorded

from vit_tutorial.training.metrics import difference, holm

TEXT = chapter("11_what_matters")
CARDS = {
    card["name"]: card
    for deck in ("ablations-stacks", "ablations-stl10")
    for card in recorded(deck)["cards"]
}
PHOTOGRAPHS = [name for name in CARDS if name.endswith(", photographs")]


def arm(card, name):
    (found,) = [one for one in CARDS[card]["arms"] if one["name"] == name]
    return found


def runs(card, name):
    return [100 * run["val_accuracy"] for run in arm(card, name)["runs"]]


def reached(card, name):
    return mean(runs(card, name))


def gap(card, name):
    return reached(card, name) - reached(card, CARDS[card]["arms"][0]["name"])


def guess(card):
    return round(100 * CARDS[card]["prediction"])


def compared():
    """(card, arm, gap, error, p) of all arms, each against the first of its card."""
    rows = []
    for name, card in CARDS.items():
        first, *others = (one["name"] for one in card["arms"])
        for other in others:
            shares = [[run / 100 for run in runs(name, one)] for one in (first, other)]
            rows.append((name, other, *difference(*shares)))
    return rows


def test_every_arm_has_three_runs_that_trained_for_16_epochs():
    assert "is three runs here" in TEXT
    for name, card in CARDS.items():
        assert len(card["arms"]) > 1, name
        for one in card["arms"]:
            assert [run["seed"] for run in one["runs"]] == [0, 1, 2], name
    training = recorded("ablations-stacks")["config"]["training"]
    data = recorded("ablations-stacks")["config"]["data"]
    assert (training["epochs"], data["train_images"]) == (16, 2000)
    assert "16 epochs of 2,000 fresh stacks" in TEXT
    steps = 16 * data["train_images"] / training["batch_size"]
    assert steps == 500 and "500 steps did not hear it" in TEXT


def test_rates_were_tried_as_it_says():
    assert "took one that was two points better" in TEXT
    for card in CARDS.values():
        first, *others = card["arms"]
        base = first["tuning"]["1"]
        for one in others:
            clearly_worse = one["tuning"]["1"] < base - 0.02
            assert len(one["tuning"]) > 1 or not clearly_worse
        assert len(first["tuning"]) > 1


def test_the_wall_of_those_who_know_no_order():
    assert "right in 60 of 100 at best" in TEXT
    for name in ("learned", "none"):
        assert 58 < reached("positions", name) < 60.2
    assert "at all three rates" in TEXT
    assert all(share < 0.62 for share in arm("positions", "learned")["tuning"].values())
    loud = sorted(runs("start of positions", "between 0 and 1"))
    assert f"is heard: {loud[0]:.0f} to {loud[-1]:.0f}" in TEXT


def test_what_it_says_of_patches_epochs_and_the_lines_since_2020():
    few = [f"{share:.0f}" for share in runs("patch size", "24")]
    said = "of 24 pixels, 16 in all, they give {}, {} and {}, and were still climbing"
    assert said.format(*few) in TEXT and abs(gap("patch size", "8")) < 0.2
    for run in arm("patch size", "24")["runs"]:
        assert run["val_accuracy"] > run["curves"]["val_accuracy"][-5] + 0.01
    half = [f"{share:.0f}" for share in sorted(runs("epochs", "8"))]
    assert "Muon in half of the epochs: {}, {} and {}.".format(*half) in TEXT
    assert "With 24 epochs all three pass 99.7" in TEXT
    assert min(runs("epochs", "24")) > 99.7
    lines = [one["name"] for one in CARDS["since 2020"]["arms"][1:]]
    assert "Each of four lines alone lies within a point" in TEXT
    assert all(abs(gap("since 2020", name)) < 1 for name in lines)
    whole = reached("since 2020", "all six")
    said = (
        f"all six together {gap('since 2020', 'all six'):.1f} above it, at {whole:.1f}"
    )
    assert said in TEXT


def test_the_page_since_2020_says_what_all_six_lines_give():
    page = flat("since_2020")
    judged = {row[:2]: row[2:4] for row in compared()}
    gap_there, error = judged["since 2020", "all six"]
    said = f"give {100 * gap_there:.1f} ± {100 * error:.1f} points on drawn stacks"
    gap_there, error = judged["since 2020, photographs", "all six"]
    said += f" and {100 * gap_there:.1f} ± {100 * error:.1f} on photographs"
    assert said in page and "No difference stands" in page
    names = [row[:2] for row in compared() if row[0].startswith("since 2020")]
    names += [("pooling", "mean"), ("rotary positions", "rotary")]
    stood = dict(zip(judged, holm([row[-1] for row in compared()]), strict=True))
    assert not any(stood[name] for name in names)


def test_what_it_says_of_depth():
    assert abs(gap("depth", "2 blocks")) < 1 and abs(gap("depth", "8 blocks")) < 1
    one = reached("depth", "1 block")
    said = f"one gives {one:.0f} where we had guessed {guess('depth')}"
    assert said in TEXT
    cut = sorted(runs("residual stream", "cut"))
    said = f"Without shortcuts {cut[0]:.0f} to {cut[-1]:.0f} are right, not our"
    assert f"{said} {guess('residual stream')}" in TEXT


def test_what_it_says_of_norms_and_rates():
    tuned = {one["name"]: one["tuning"] for one in CARDS["norm"]["arms"]}
    at_one = {name: 100 * rates["1"] for name, rates in tuned.items()}
    said = "{:.1f} before each part, {:.1f} behind"
    assert said.format(at_one["before each part"], at_one["behind each part"]) in TEXT
    assert f"and {at_one['none']:.1f} without any" in TEXT
    assert "At half the rate, the lowest we tried, all three learn" in TEXT
    assert all(rates["0.5"] > 0.9 for rates in tuned.values())


def test_what_it_says_of_heads():
    one = reached("heads", "1 head")
    assert f"is right in {one:.0f}, where we had guessed {guess('heads')}" in TEXT
    assert abs(gap("pooling", "mean")) < 0.5 and "shows no difference" in TEXT


def test_what_it_says_of_few_pictures():
    few = reached("images", "500")
    assert f"and {few:.0f} % of new ones" in TEXT and few < 60
    known = [
        run["curves"]["train_accuracy"][-1] for run in arm("images", "500")["runs"]
    ]
    assert min(known) > 0.999 and "known by heart, 100 % of them" in TEXT
    assert abs(gap("augmentation", "mixed")) < 1
    assert f"give {gap('augmentation', 'changed'):.0f} points" in TEXT


def test_what_it_says_of_optimisers_and_rotary_positions():
    slow = sorted(runs("optimiser", "AdamW"))
    said = "with three seeds, where Muon gives 98 to 99"
    assert "gives {:.0f}, {:.0f} and {:.0f} ".format(*slow) + said in TEXT
    assert len(arm("optimiser", "AdamW")["tuning"]) == 5 and "of five rates" in TEXT
    assert all(98 <= run < 99.5 for run in runs("optimiser", "Muon"))
    for name in ("rotary", "both"):
        assert abs(gap("rotary positions", name)) < 1


def test_what_it_says_of_computed_starts_and_the_cnn():
    few = "a computed start, few images"
    assert round(gap(few, "mimetic")) == 10 and "ten points for a formula" in TEXT
    assert "none of its runs as low as the best drawn one" in TEXT
    assert min(runs(few, "mimetic")) > max(runs(few, "drawn"))
    assert "the convolutional one five, with runs that overlap" in TEXT
    assert round(gap(few, "convolutional")) == 5
    assert min(runs(few, "convolutional")) < max(runs(few, "drawn"))
    card = "a CNN's guidance"
    said = f"A CNN names {reached(card, 'the CNN'):.1f} % after 500 changed pictures"
    assert said in TEXT
    said = f"{reached(card, 'guided'):.1f}, against {reached(card, 'alone'):.1f} alone"
    assert said in TEXT


def test_what_it_says_of_photographs():
    assert len(PHOTOGRAPHS) == 7 and "Seven questions more" in TEXT
    config = recorded("ablations-stl10")["config"]
    sizes = (config["model"]["patch_size"], config["model"]["depth"])
    assert (*sizes, config["training"]["epochs"]) == (16, 4, 8)
    assert "patches of 16 pixels, four blocks, eight epochs" in TEXT
    base = reached("positions, photographs", "sin-cos")
    assert f"a run, {base:.0f} % in the end" in TEXT and "at 45 % it has hardly" in TEXT
    worth = -gap("positions", "none"), -gap("positions, photographs", "none")
    said = "Positions, worth {:.0f} points on stacks, are worth {:.0f}".format(*worth)
    assert said in TEXT
    assert "Computed starts, a gain with few stacks, gain nothing" in TEXT
    starts = "a computed start, photographs"
    assert all(gap(starts, name) < 0 for name in ("mimetic", "convolutional"))
    changed = gap("augmentation", "changed")
    assert f"Changed pictures, worth {changed:.0f}, are worth nothing yet" in TEXT
    assert -2 < gap("augmentation, photographs", "none") < 2
    known = [
        100 * mean(run["curves"]["train_accuracy"][-1] for run in one["runs"])
        for one in CARDS["augmentation, photographs"]["arms"]
    ]
    said = (
        f"{known[1]:.0f} % of the training pictures are known, with them {known[0]:.0f}"
    )
    assert said in TEXT
    lost = -gap("augmentation, photographs", "mixed, too")
    assert f"mixing takes {lost:.0f}." in TEXT
    stem = gap("embedder, photographs", "stem")
    assert f"A stem of convolutions gives {stem:.0f}, where the ladder" in TEXT
    ladder = recorded("ladder-laptop")["steps"]
    with_stem, without = (
        ladder[name]["runs"][0]["val_accuracy"]
        for name in ("+ convolutional stem", "+ moving average")
    )
    assert 10 < 100 * (with_stem - without) < 11 and "has it at eleven" in TEXT
    card = "a CNN's guidance, photographs"
    cnn, guided = reached(card, "the CNN"), reached(card, "guided")
    said = f"A CNN is right in {cnn:.0f}, and a ViT that it guides in {guided:.0f}, two"
    assert said in TEXT and round(gap(card, "guided")) == 2


def test_how_many_stand_and_how_far_off_we_were():
    rows = compared()
    judged = holm([row[-1] for row in rows])
    stands = {row[:2]: stood for row, stood in zip(rows, judged, strict=True)}
    assert "loses 29 points, 500 pictures instead of fresh ones lose 45" in TEXT
    assert not stands["residual stream", "cut"] and not stands["images", "500"]
    assert round(gap("residual stream", "cut")) == -29
    assert round(gap("images", "500")) == -45
    assert (sum(judged), len(rows)) == (5, 47)
    assert "Five of 47 do, none of them on photographs" in TEXT
    assert not any(stood for row, stood in stands.items() if row[0] in PHOTOGRAPHS)
    assert sum(row[-1] < 0.05 for row in rows) == 13 and "thirteen would pass" in TEXT
    asked = [(card["name"], card["asked"]) for card in CARDS.values()]
    off = mean(abs(reached(*one) - guess(one[0])) for one in asked)
    assert round(off) == 8 and "guessed wrong by eight points on average" in TEXT
    assert len(asked) == 24 and "what twenty-four changes do" in TEXT
