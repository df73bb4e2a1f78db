"""What the page on speed says is what was measured."""

import re

import pytest
from pages import flat
from speed import write
from written import recorded

TEXT = flat("speed")


@pytest.fixture(scope="module")
def ways():
    found = recorded("speed-cpu")["ways"]
    return {name: way["times_as_fast"] for name, way in found.items()}


def test_what_it_says_of_the_ways(ways):
    assert "run in twelve ways" in TEXT and len(ways) == 12
    rounds = recorded("speed-cpu")["rounds"]
    assert f"median of {rounds} rounds" in TEXT
    for kind in ("inference", "training"):
        assert round(ways[f"{kind}, two threads"], 1) == 1.7
        assert abs(ways[f"{kind}, compiled"] - 1) < 0.05
    assert "two give 1.7 times" in TEXT and "Compiling" in TEXT
    assert "One image at a time is a little slower, and so are 256" in TEXT
    for count in (1, 256):
        assert 0.85 < ways[f"inference, batches of {count}"] < 0.95
    assert "maps** cost a tenth" in TEXT
    assert 1 / ways["inference, with maps"] - 1 == pytest.approx(0.1, abs=0.02)
    assert "doubles the speed of inference" in TEXT
    assert ways["inference, bfloat16"] == pytest.approx(2, abs=0.1)


def test_what_it_says_of_a_step():
    shares = recorded("speed-cpu")["shares_of_a_step"]
    products = shares["matrix products"] + shares["attention"]
    assert "Seven eighths are matrix products" in TEXT
    assert products == pytest.approx(7 / 8, abs=0.01)
    of_peak = recorded("step")["steps"]["plain"]["share_of_peak"]
    assert "takes only a third longer than its" in TEXT
    assert 1 / of_peak == pytest.approx(4 / 3, abs=0.05)


def test_what_it_says_of_other_libraries():
    times = recorded("step")["times_as_fast_as"]["training"]
    within = "timm, Hugging Face and `vit-pytorch` train the same model within 1 %"
    assert within in TEXT and "torchvision takes 5 % longer" in TEXT
    for name in ("timm", "huggingface", "vit-pytorch"):
        assert times[name]["median"] == pytest.approx(1, abs=0.01)
    assert round(100 * times["torchvision"]["median"]) == 105


def test_its_tables_hold_every_number_of_the_record(tmp_path, ways):
    write(tmp_path)
    rows = re.findall(
        r'<td>([^<]*)</td><td><meter max="2" value="([^"]*)".*?<td>([^<]*)</td>',
        (tmp_path / "ways.html").read_text(encoding="utf-8"),
    )
    assert rows == [(name, f"{way:g}", f"{way:.2f}") for name, way in ways.items()]
    text = (tmp_path / "shares.html").read_text(encoding="utf-8")
    shares = re.findall(r"<td>([0-9]+) %</td>", text)
    wanted = recorded("speed-cpu")["shares_of_a_step"].values()
    assert shares == [f"{100 * share:.0f}" for share in wanted]
