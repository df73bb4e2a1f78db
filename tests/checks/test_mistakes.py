"""The tables of mistakes in vit_tutorial/checks: on inputs as a check draws them no two
mistakes come to the same, and each, handed in as an answer, is told by its own name.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from unittest import mock

import answers
import pytest
import torch
from torch import Tensor

from vit_tutorial import checks
from vit_tutorial.checks import chapter_05, counting, harness
from vit_tutorial.checks.harness import AND, NotSolved
from vit_tutorial.initialisation import factorised

MODULES = [
    importlib.import_module(f"{checks.__name__}.{module.name}")
    for module in pkgutil.iter_modules(checks.__path__)
]
RIGHT = {name: rows[0] for name, rows in answers.gathered("RIGHT").items()}
COUNTS = {
    "parameters": (chapter_05.parameter_count, counting.parts_of_size),
    "bill": (chapter_05.multiply_adds, counting.parts_of_bill),
}
# a score is compared with contrast, and of registers it is asked what they do
NO_TABLE = {"own_score", "registers"}
LISTED = sorted(set(RIGHT) - set(COUNTS) - NO_TABLE)
# here what is compared is not what came back, but what a model or a step made of it
MADE = {"accumulated", "enlarge", "mended", "my_vit", "schedule"}
# here numbers are collected, call by call, and compared at once
NUMBERS = {
    "calibration_error",
    "difference",
    "field",
    "holm",
    "self_distillation",
    "which_patch",
}


@dataclass
class Comparison:
    """What a check gave to `name_mistake` once the answer was called `calls` times."""

    got: object
    want: object
    mistakes: Mapping[str, object]
    fits: Callable[[object, object], bool]
    calls: int

    def values(self, said: str) -> list[object]:
        """What comes of a mistake, which may be made in several ways."""
        value = self.mistakes[said]
        several = isinstance(value, list) and not isinstance(self.got, list)
        numbers = isinstance(self.got, Tensor) and isinstance(value, tuple)
        if numbers:
            return [torch.tensor(value).double()]
        return value if several else [value]

    def name(self, value: object) -> str:
        try:
            harness.name_mistake(value, self.want, lambda: self.mistakes, self.fits)
        except NotSolved as error:
            return str(error)
        return "nothing"


def run(name: str, answer: Callable, seed: int, spy: Callable | None = None):
    """What a check says when it draws from a seed; `spy` stands in its comparisons."""
    patches = [mock.patch.object(torch, "seed", partial(torch.manual_seed, seed))]
    patches += [
        mock.patch.object(module, "name_mistake", spy)
        for module in MODULES
        if spy and hasattr(module, "name_mistake")
    ]
    for patch in patches:
        patch.start()
    try:
        return getattr(checks, name)(answer)
    finally:
        for patch in patches:
            patch.stop()


@cache
def compared(name: str, seed: int) -> tuple[list[Comparison], list[object]]:
    """All comparisons of a right answer, and all that it returned."""
    found = []
    returned = []

    def spy(got, want, mistakes, fits=harness.operator.eq):
        found.append(Comparison(got, want, mistakes(), fits, len(returned)))

    def my_answer(*values):
        returned.append(RIGHT[name](*values))
        return returned[-1]

    keeps_its_class = isinstance(RIGHT[name], type)
    result = run(name, RIGHT[name] if keeps_its_class else my_answer, seed, spy)
    assert result.ok, result.message
    return found, returned


def told(name: str, seed: int) -> dict[str, tuple[Comparison, list[object]]]:
    """Each mistake, those of two left out, where it first makes a difference."""
    found = {}
    for one in compared(name, seed)[0]:
        for said in one.mistakes:
            values = one.values(said)
            silent = all(one.fits(value, one.want) for value in values)
            if AND not in said and (said not in found or not found[said][1]):
                found[said] = (one, [] if silent else values)
    return found


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", LISTED)
def test_no_two_mistakes_come_to_the_same_and_none_is_right(name, seed):
    mistakes = told(name, seed)
    assert len(mistakes) >= 5
    for said, (one, values) in mistakes.items():
        assert values, f"makes no difference anywhere: {said}"
        assert {one.name(value) for value in values} == {said}


def place_of(got: Tensor, returned: object) -> int | None:
    """Where in what came back `got` stands; None where it is all."""
    if isinstance(returned, Tensor):
        return None
    starts = [part.data_ptr() for part in returned]
    return starts.index(got.data_ptr())


def handed_in(name: str, said: str, one: Comparison, value: object) -> Callable:
    """An answer that is right up to a comparison, and there makes the mistake."""
    returned = compared(name, 0)[1][one.calls - 1]
    calls = []
    if name == "mimetic":  # what is compared is the product of what came back
        return lambda noise, rank: [
            factor.to(noise.dtype) for factor in factorised(value, rank)
        ]

    def number_by_number(*given):
        calls.append(given)
        return value[len(calls) - 1]

    def my_answer(*given):
        calls.append(given)
        right = RIGHT[name](*given)
        if len(calls) != one.calls:
            return right
        if isinstance(right, Mapping):
            return {**right, said.partition(": ")[0]: value}
        place = place_of(one.got, returned)
        if place is None:
            return value
        return tuple(value if i == place else part for i, part in enumerate(right))

    def my_pair(*given):
        calls.append(given)
        return value.tolist() if len(calls) == one.calls else RIGHT[name](*given)

    if name == "paired_bootstrap":
        return my_pair
    return number_by_number if name in NUMBERS else my_answer


def chosen(name: str) -> dict[str, tuple[Comparison, list[object]]]:
    """Of mistakes that name a tensor first, those of one tensor of each kind."""
    kinds = {}
    for said, rest in told(name, 0).items():
        kind = said.split(": ", 1)[1] if name == "renamed" else said
        kinds.setdefault(kind, (said, rest))
    return dict(kinds.values())


@pytest.mark.parametrize("name", sorted(set(LISTED) - MADE))
def test_a_mistake_that_is_handed_in_is_told_by_its_name(name):
    for said, (one, values) in chosen(name).items():
        result = run(name, handed_in(name, said, one, values[0]), seed=0)
        assert result.message == f"not solved yet: {said}"


@pytest.mark.parametrize("name", sorted(COUNTS))
@pytest.mark.parametrize("sign", [1, -1])
def test_a_part_that_is_missing_or_counted_twice_is_told_by_its_name(name, sign):
    count, parts = COUNTS[name]
    for said in parts(counting.VIT_B16):
        result = run(name, lambda c, s=said: count(c) - sign * parts(c)[s], seed=0)
        assert f": {said} (for " in result.message


def test_every_check_has_its_mistakes_listed():
    assert set(RIGHT) == set(checks.__all__) - {"Result", "progress"}
    assert set(LISTED) | set(COUNTS) | NO_TABLE == set(RIGHT)
