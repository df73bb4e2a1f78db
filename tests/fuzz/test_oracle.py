"""What is asked of any input: each way to break it is noticed, and all are counted."""

import time

import oracle
import pytest
import torch
from oracle import either_or

from vit_tutorial.config import ViTConfig, require


@pytest.fixture(autouse=True)
def tally(monkeypatch):
    monkeypatch.setattr(oracle, "TALLY", oracle.Tally())


def test_what_works_and_what_is_refused_is_counted():
    assert either_or("a", ViTConfig)
    assert not either_or("a", lambda: ViTConfig(dim=0), ["heads", "dim"])
    assert not either_or("b", lambda: ViTConfig(depth=-1), ["depth"])
    assert oracle.TALLY.worked == {"a": 1}
    assert oracle.TALLY.refused == {"a": 1, "b": 1}
    assert set(oracle.TALLY.seconds) == set(oracle.TALLY.memory) == {"a", "b"}


def raises(error):
    raise error


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ViTConfig(dim=0), "names none of"),
        (lambda: require(False, "two\nlines of heads"), "lines"),
        (lambda: require(False, "heads " * 400), "characters"),
        (lambda: require(False, ""), "''"),
        (lambda: raises(ValueError("not the package's heads")), "test_oracle.py"),
        (lambda: ViTConfig(heads=[][0]), "index out of range"),
        (lambda: torch.empty(10**11).fill_(1), "allocate|memory"),
        (lambda: torch.ones(10**8), "took .* MB"),
    ],
)
def test_what_is_no_refusal_is_noticed(call, message):
    with pytest.raises((AssertionError, IndexError, RuntimeError), match=message):
        either_or("a", call, ["heads"])


def test_what_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(oracle, "PATIENCE", 1)
    with pytest.raises(oracle.Hang, match="a takes more than 1 seconds"):
        either_or("a", lambda: time.sleep(60))
