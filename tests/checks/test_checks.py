from collections import Counter

import answers
import pytest
import torch
from torch import nn

from vit_tutorial import checks
from vit_tutorial.checks.harness import (
    NotSolved,
    Result,
    ask,
    checked,
    compare,
    compare_gradients,
    distinct,
)

WRONG = [
    (name, *row) for name, rows in answers.gathered("WRONG").items() for row in rows
]
RIGHT = [
    (name, row) for name, rows in answers.gathered("RIGHT").items() for row in rows
]


def called(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(("name", "answer", "said"), WRONG, ids=called)
def test_a_wrong_answer_is_refused_with_the_message_that_fits(name, answer, said):
    for _ in range(3):  # sizes and values differ each time
        result = getattr(checks, name)(answer)
        assert not result.ok and result.message.startswith("not solved yet: ")
        assert said in result.message and "\n" not in result.message


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=called)
def test_a_right_answer_passes_however_it_is_written(name, answer):
    for _ in range(3):
        result = getattr(checks, name)(answer)
        assert result.ok and result.message.startswith("solved: "), result.message


def test_every_check_is_proved_both_ways():
    wrong = Counter(row[0] for row in WRONG)
    right = Counter(row[0] for row in RIGHT)
    names = set(checks.__all__) - {"Result", "progress"}
    assert set(wrong) == set(right) == names
    assert {name for name in names if wrong[name] < 3 or right[name] < 3} == set()


@checked
def doubled(answer):
    batch, width = distinct(2, 2, 5)
    x = torch.randn(batch, width, requires_grad=True)
    got = ask(answer, x, expected="a tensor of shape (B, D)", case="a small x")
    compare(answer, got, 2 * x, {"you squared it": x**2, "one axis is gone": 2 * x[0]})
    compare_gradients(answer, got, 2 * x, {"x": x})
    return "twice as much"


def odd(x):
    raise KeyError("a\nb")


class Strange(torch.Tensor):
    @property
    def shape(self):
        raise RuntimeError("nobody knows")


class Doubling(nn.Module):
    def forward(self, x):
        return x + x


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda x: None,
            "<lambda> returned None, a tensor of shape (B, D) was expected",
        ),
        (lambda x: x**2, "you squared it"),
        (lambda x: 2 * x[0], "one axis is gone"),
        (lambda x: 2 * x[:, :1], "returned shape"),
        (lambda x: 2 * x.double(), "returned torch.float64, expected torch.float32"),
        (lambda x: 2 * x.to("meta"), "returned a tensor on meta, expected it on cpu"),
        (lambda x: 2 * x / 0, "not finite"),
        (lambda x: 2 * x + 1, "the shape is right, the values are not: at ["),
        (lambda x: 2 * x.detach(), "cuts the gradient"),
        (torch.no_grad()(lambda x: x.mul(2).requires_grad_()), "cuts the gradient"),
        (lambda x: x + x.detach(), "its gradient for x is not"),
        (lambda x: x.mul_(2), "changed its input in place"),
        (lambda x: (2 * x).tolist(), "returned a list, a tensor of shape"),
        (lambda x: Strange(), "gave something unexpected (RuntimeError: nobody knows)"),
        (odd, "odd raised KeyError: 'a\\nb', for a small x"),
        (quit, "raised SystemExit"),
        (7, "int was given, a function or a class was expected"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(answer, message):
    result = doubled(answer)
    assert not result and repr(result) == result.message and message in result.message
    assert result.message.startswith("not solved yet: ") and "\n" not in result.message


@pytest.mark.parametrize(
    "answer", [lambda x: 2 * x, lambda x: (x.double() * 2).float(), Doubling()]
)
def test_what_is_right_is_said_too(answer):
    assert doubled(answer) == Result(True, "solved: twice as much")


def test_a_check_draws_afresh_and_leaves_the_random_numbers_alone():
    seen = []

    @checked
    def looking(answer):
        seen.append(torch.rand(()).item())
        return ""

    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    drawn = []
    for _ in range(4):
        drawn.append(torch.rand(()))
        looking(None)
    assert torch.equal(torch.stack(drawn), expected) and len(set(seen)) == 4


def test_a_check_brings_gradients_back_on():
    with torch.no_grad():
        assert doubled(lambda x: 2 * x)


def test_sizes_never_repeat():
    assert sorted(distinct(4, 3, 6)) == [3, 4, 5, 6]


def test_a_tensor_without_axes_is_compared_too():
    with pytest.raises(NotSolved, match="the values are not: 1, expected 2"):
        compare(abs, torch.tensor(1.0), torch.tensor(2.0))


def test_one_slip_is_named_before_two_that_come_to_the_same():
    wrong = {
        "turned; and in another order": torch.zeros(2),
        "turned at the end": torch.zeros(2),
    }
    with pytest.raises(NotSolved, match="^turned at the end$"):
        compare(abs, torch.zeros(2), torch.ones(2), wrong)
