"""What all checks share: fresh input, an answer that is tried with care, tables of
mistakes, and what was found told in one line.
"""

import math
import operator
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from itertools import combinations, product
from numbers import Real

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vit_tutorial.checks.notes import note
from vit_tutorial.checks.state import (
    SEED,
    copied,
    disturbed,
    disturbed_module,
    memory,
    record,
    restore,
    settings,
    stance,
)

AND = "; and "  # joins the sentences of two mistakes
TOLERANCE = {"rtol": 1e-3, "atol": 1e-5}  # of float32 in another order of sums


@dataclass(frozen=True)
class Result:
    """What a check found. It prints as one line, with what was `noted` of it where a
    learner works, and is true when the exercise is solved.
    """

    ok: bool
    message: str
    noted: str = ""

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return f"{self.message} ({self.noted})" if self.noted else self.message


class NotSolved(Exception):
    """Raised within a check, with the sentence that tells the learner what is not right
    yet.
    """


def checked(check: Callable[..., str]) -> Callable[..., Result]:
    """Make a check of a function that raises NotSolved, or returns what there is to say
    when all is right.

    Within it the random numbers are fresh; what was drawn before or comes after is not
    disturbed, nor is a setting.
    """

    @wraps(check)
    def run(answer: object) -> Result:
        before = settings()
        try:
            with torch.random.fork_rng(devices=[]), torch.enable_grad():
                torch.seed()
                said = check(answer)
            return Result(True, f"solved: {said}", note(check.__name__))
        except NotSolved as error:
            return Result(False, f"not solved yet: {error}")
        except Exception as error:
            # an answer so odd that the check itself stumbles: still no traceback of
            # ours
            return Result(
                False,
                f"not solved yet: {called(answer)} gave something unexpected"
                f" ({one_line(error)})",
            )
        finally:
            restore(before)

    return run


def called(answer: object) -> str:
    """The name of the learner's function or class."""
    return getattr(answer, "__name__", type(answer).__name__)


def one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__


def distinct(count: int, low: int, high: int) -> list[int]:
    """Sizes from `low` to `high`, drawn afresh and all different, so that no axis
    passes for another.
    """
    return (low + torch.randperm(high - low + 1)[:count]).tolist()


def ask(
    answer: Callable,
    *inputs: object,
    expected: str,
    case: str | None = None,
    noun: str = "model",
    free: Collection[object] = (),
    apart: bool = False,
    clues: Mapping[str, str] | None = None,
    **advice: str,
) -> object:
    """What the learner's function or class makes of `inputs`; it gets copies of
    tensors, through which gradients flow.

    `expected` says what it should return ("a tensor of shape (B, N, D)"), `case` what
    is special about these inputs ("images that are not square"), `noun` what a module
    among them is called, `clues` what a piece of an error's text points to; `advice`
    goes to `disturbed`. Raises NotSolved for what cannot be called, an exception, None,
    where an input that is not `free`, or a setting of PyTorch, is not as it was, and
    where what comes back is to be kept `apart` from the inputs and lies in their
    memory.
    """
    if not callable(answer):
        raise NotSolved(
            f"{type(answer).__name__} was given, a function or a class was expected"
        )
    name = called(answer)
    copies = [copied(value) for value in inputs]
    records = [record(value) for value in inputs]
    around = settings()
    standing = stance(answer) if isinstance(answer, nn.Module) else None
    try:
        got = answer(*copies)
    except (Exception, SystemExit) as error:
        where = f"for {case or described_inputs(inputs)}"
        texts = (said for text, said in (clues or {}).items() if text in str(error))
        clue = "".join(f": {said}" for said in [*texts][:1])
        raise NotSolved(f"{name} raised {one_line(error)}, {where}{clue}") from None
    if got is None:
        raise NotSolved(f"{name} returned None, {expected} was expected")
    unsettled(name, restore(around))
    if standing and (said := disturbed_module(answer, standing, "model")):
        raise NotSolved(f"{name} {said}")
    for copy, value, before in zip(copies, inputs, records, strict=True):
        watched = not any(value is one for one in free)
        if watched and (said := disturbed(copy, value, before, noun, **advice)):
            raise NotSolved(f"{name} {said}")
    if apart and memory(got) & memory(copies):
        raise NotSolved(
            f"{name} returned a tensor that it was given, not a new one: who changes"
            " one changes both; clone it"
        )
    return got


def described_inputs(inputs: Iterable[object]) -> str:
    shapes = [str(tuple(value.shape)) for value in inputs if isinstance(value, Tensor)]
    if shapes:
        return f"input of shape {' and '.join(shapes)}"
    return ", ".join(map(repr, inputs))


def unsettled(name: str, found: list[str]) -> None:
    """Raise NotSolved where settings of PyTorch were `found` changed."""
    if found:
        why = (
            "what is drawn next is no chance any more"
            if found == [SEED]
            else "it holds for all that runs after"
        )
        raise NotSolved(f"{name} changed {found[0]}, and {why}: leave it alone")


class Watching(TorchFunctionMode):
    """Within it `seen` collects the functions of PyTorch that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Callable] = []

    def __torch_function__(
        self,
        function: Callable,
        types: object,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> object:
        self.seen.append(function)
        return function(*args, **kwargs or {})


def same(got: Tensor, want: Tensor) -> bool:
    """Equal in shape and, within rounding, in values; False for anything that is not
    finite.
    """
    if got.shape != want.shape or not torch.isfinite(got).all():
        return False
    return torch.allclose(
        got.detach().double().cpu(), want.detach().double().cpu(), **TOLERANCE
    )


def told_apart(values: Iterable[Tensor]) -> bool:
    """Whether no two are the same by chance, so that each mistake among them can be
    named.
    """
    return not any(same(one, other) for one, other in combinations(values, 2))


def compare(
    answer: Callable,
    got: object,
    want: Tensor,
    mistakes: Mapping[str, Tensor] | None = None,
    case: str | None = None,
) -> None:
    """Raise NotSolved unless `got` is the tensor `want`: a tensor, its device, shape,
    type, values and gradient.

    `mistakes` maps a sentence to what the mistake that it names would have given for
    the same input: the first that fits is said, whether it differs from `want` in its
    shape or only in its values. A gradient is asked for where `want` has one.
    """
    name = called(answer)
    where = f" for {case}" if case else ""
    shape = tuple(want.shape)
    if not isinstance(got, Tensor):
        kind = type(got).__name__
        raise NotSolved(
            f"{name} returned a {kind}, a tensor of shape {shape} was expected{where}"
        )
    if got.device != want.device:
        raise NotSolved(
            f"{name} returned a tensor on {got.device}, expected it on {want.device},"
            " where its input is"
        )
    name_mistake(got, want, lambda: mistakes or {}, same)
    if got.shape != want.shape:
        found = tuple(got.shape)
        raise NotSolved(f"{name} returned shape {found}, expected {shape}{where}")
    if got.dtype != want.dtype:
        raise NotSolved(
            f"{name} returned {got.dtype}, expected {want.dtype}, the type of its input"
        )
    if not torch.isfinite(got).all():
        raise NotSolved(f"{name} returned numbers that are not finite{where}")
    if not same(got, want):
        said = farthest(got, want)
        raise NotSolved(f"the shape is right, the values are not{where}:{said}")
    # a view may have but the flag
    if want.requires_grad and not (got.requires_grad and (got.grad_fn or want.is_leaf)):
        raise NotSolved(
            f"{name} cuts the gradient: no detach, .data, .item(), numpy or no_grad on"
            " the way"
        )


def farthest(got: Tensor, want: Tensor) -> str:
    """Where two tensors of one shape differ most, and their values there."""
    place = (got.detach().double() - want.detach().double()).abs().argmax()
    index = [int(i) for i in torch.unravel_index(place, want.shape)]
    here = f" at {index}" if index else ""
    found, right = (value.flatten()[place].item() for value in (got, want))
    return f"{here} {found:.4g}, expected {right:.4g}"


def compare_gradients(
    answer: Callable, got: Tensor, want: Tensor, inputs: Mapping[str, Tensor]
) -> None:
    """Raise NotSolved unless `got` sends the same gradients as `want` to each of
    `inputs`, a tensor under its name.
    """
    direction = torch.randn_like(want)
    try:
        gradients = [
            torch.autograd.grad(
                result,
                list(inputs.values()),
                direction,
                retain_graph=True,
                allow_unused=True,
            )
            for result in (got, want)
        ]
    except RuntimeError as error:
        if "inplace operation" not in str(error):
            raise
        raise NotSolved(
            "x += ... changed a tensor that the backward pass needs: write x = x + ..."
        ) from None
    for name, mine, right in zip(inputs, *gradients, strict=True):
        if right is not None and (mine is None or not same(mine, right)):
            raise NotSolved(
                f"the values of {called(answer)} are right, its gradient for {name} is"
                " not: part is cut off"
            )


def listed(
    table: Mapping[str, Callable[..., object]], **drawn: object
) -> dict[str, object]:
    """What each mistake of a table makes of what was drawn: sentence -> value.

    A table maps the sentence that names a mistake to its formula, whose parameters are
    those names of `drawn` that it needs.
    """
    return {
        sentence: formula(
            **{name: drawn[name] for name in signature(formula).parameters}
        )
        for sentence, formula in table.items()
    }


def for_each(
    given: Iterable[tuple], table: Mapping[str, Callable]
) -> dict[str, list[object]]:
    """What each mistake of a table makes of all that was `given`, in order."""
    return {
        said: [formula(*values) for values in given] for said, formula in table.items()
    }


def combined(
    form: Callable[..., Tensor], table: Mapping[str, Mapping[str, object]]
) -> dict[str, Tensor]:
    """What `form` makes of each mistake of a table, then of every two: sentence ->
    value.

    `form` computes the exercise; its keywords are the places where one may slip, their
    defaults are right. `table` has for each keyword the wrong values under the sentence
    that names them. Mistakes in two places are named in one sentence.
    """
    found = {}
    for count in (1, 2):
        for places in combinations(table, count):
            for chosen in product(*(table[place].items() for place in places)):
                sentence = AND.join(sentence for sentence, _ in chosen)
                values = (value for _, value in chosen)
                found[sentence] = form(**dict(zip(places, values, strict=True)))
    return found


def name_mistake(
    got: object,
    want: object,
    mistakes: Callable[[], Mapping[str, object]],
    fits: Callable[[object, object], bool] = operator.eq,
) -> None:
    """Raise NotSolved with the first sentence of `mistakes` whose value is what came
    back where that is not right; one mistake is likelier than two, and said first.
    """
    if fits(got, want):
        return
    found = mistakes()
    for sentence in sorted(found, key=lambda sentence: sentence.count(AND)):
        if fits(got, found[sentence]):
            raise NotSolved(sentence)


def among(fits: Callable[[object, object], bool]) -> Callable[[object, list], bool]:
    """For mistakes that come in several ways: whether any of a list fits."""
    return lambda got, found: any(fits(got, one) for one in found)


def as_number(answer: Callable, got: object, what: str) -> float:
    """A number or a tensor of one number as a float; anything else raises NotSolved."""
    try:
        if isinstance(got, str):
            raise TypeError
        return float(got.detach() if isinstance(got, Tensor) else got)
    except (TypeError, ValueError, RuntimeError):
        raise NotSolved(
            f"{called(answer)} returned a {type(got).__name__}, {what} was expected"
        ) from None


def two(answer: Callable, got: object, expected: str) -> list[Tensor]:
    """The two tensors of a pair; NotSolved for anything else."""
    if (
        not isinstance(got, tuple | list)
        or len(got) != 2
        or not all(isinstance(value, Tensor) for value in got)
    ):
        inside = (
            f" of {', '.join(type(value).__name__ for value in got)}"
            if isinstance(got, tuple | list)
            else ""
        )
        raise NotSolved(
            f"{called(answer)} returned a {type(got).__name__}{inside}, {expected} was"
            " expected"
        )
    return list(got)


def whole(answer: Callable, got: object, advice: str) -> int:
    """An int, or what Python takes for one: of NumPy, or a tensor of one. NotSolved
    with `advice` for a fraction.
    """
    if isinstance(got, tuple | list):
        raise NotSolved(
            f"{called(answer)} returned {got}, one whole number was expected"
        )
    number = got.item() if isinstance(got, Tensor) and got.numel() == 1 else got
    try:
        if isinstance(number, bool):
            raise TypeError
        return operator.index(got)
    except TypeError:
        fraction = (
            isinstance(number, Real)
            and not isinstance(number, bool)
            and math.isfinite(number)
        )
        kind = type(got).__name__
        shown = " ".join(str(got).split())[:80]
        said = advice if fraction else "one whole number was expected"
        raise NotSolved(
            f"{called(answer)} returned {shown}, a {kind}: {said}"
        ) from None


def randomize(module: nn.Module) -> None:
    """Fill a module with fresh numbers, such that no part of it is silent and no two
    norms are alike.
    """
    for parameter in module.parameters():
        nn.init.normal_(
            parameter, std=parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 1.0
        )
