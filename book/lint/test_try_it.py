"""What the page of the workbench says of 400 drawings is what the record says, and its
links set what its text says.
"""

import re
from html import unescape
from urllib.parse import parse_qs

from written import ROOT, recorded

TEXT = (ROOT / "book" / "try_it.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())
RECORD = recorded("interventions")


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def test_what_positions_are_worth():
    without = RECORD["without_positions"]
    assert RECORD["images"] == 400 and without["pair"] == RECORD["whole"]
    assert f"in {percent(without['pair'])} of 400 drawings, as with" in WORDS
    assert f"{percent(without['right'])} are right" in WORDS


def test_which_layers_attention_is_needed():
    first, second, third, last = map(percent, RECORD["attention_silent"])
    assert third == last
    assert (
        f"Without the attention of layer 2, {second} of 400 drawings are right, without"
        f" that of layer 1 {first}, without that of layer 3 or 4 still {last}, where"
        f" the whole model has {percent(RECORD['whole'])}."
    ) in WORDS
    heads = [share for layer in RECORD["head_silent"] for share in layer]
    costs = 100 * (RECORD["whole"] - min(heads))
    assert f"none costs more than {costs:.1f} point" in WORDS


def test_when_the_class_token_carries_the_answer():
    one, two, three = (
        percent(row["donor"]) for row in RECORD["class_token_copied"][1:4]
    )
    assert (
        f"{one} answer for the other picture when the state is copied after layer 1,"
        f" {two} after layer 2, {three} after layer 3"
    ) in WORDS


def test_what_each_layer_says():
    shares = [f"{100 * share:.1f}" for share in RECORD["lens"][1:]]
    said = f"{', '.join(shares[:-1])} and {shares[-1]} % of 400 drawings are right"
    assert said in WORDS


def test_each_link_sets_what_stands_beside_it():
    links = re.findall(r'<a href="#([^"]+)">([^<]+)</a>', TEXT)
    states = {words: parse_qs(unescape(link)) for link, words in links}
    assert all(state["model"] == ["stacks"] for state in states.values())
    for layer, name in enumerate(["the first", "the second", "the third", "the last"]):
        assert states[name]["silent"] == [f"{layer}-attention"]
    for layer, name in enumerate(["After layer 1", "after layer 2", "after layer 3"]):
        assert states[name]["copy"] == [f"2-{1 + layer}-0"]
    assert states["rollout"]["map"] == ["rollout"]
    assert states["gradient x attention"]["map"] == ["gradient x attention"]
