"""What all settings share: values that people give become the plain values that a run
writes down.
"""

import reprlib
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import fields, is_dataclass
from math import isfinite
from numbers import Real
from os import PathLike, fsdecode
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

LARGEST = 2**63 - 1  # whole number that a tensor can hold
KINDS = {
    int: "a whole number",
    float: "a finite number",
    bool: "True or False",
    str: "text",
    NoneType: "None",
}


def coerce_fields(config: Any) -> None:
    """Give each field of a frozen dataclass a plain Python value of its type, in
    `__post_init__`.

    Whatever is clear is taken: 2.0 or NumPy's 2 for a whole number, a tensor of one
    value, a list or an array for a tuple, a Path for text, a dict for settings.
    Raises ValueError with the field, the value and what was expected.
    """
    for field in fields(config):
        value = getattr(config, field.name)
        try:
            plain = plain_value(value, field.type)
        except TypeError:
            found = f"{field.name} is {shown(value)}, expected {described(field.type)}"
            raise ValueError(found) from None
        object.__setattr__(config, field.name, plain)


def expect_between(config: object, least: float, most: float, *names: str) -> None:
    """Raise ValueError for the first of the fields `names` that is out of bounds."""
    for name in names:
        value = getattr(config, name)
        if not least <= value <= most:
            raise ValueError(
                f"{name} is {value}, expected at least {least}, at most {most:,}"
            )


def plain_value(value: Any, kind: Any) -> object:
    """The value as plain Python of the type `kind`. Raises TypeError when it is
    none.
    """
    options = get_args(kind)
    origin = get_origin(kind)
    if hasattr(value, "tolist"):  # NumPy's and torch's values
        with suppress(RuntimeError):  # of a tensor without values
            value = value.tolist()
    if origin in (Union, UnionType):
        return _first_that_fits(value, options)
    if origin is tuple:
        return _plain_tuple(value, options)
    if origin is Literal:
        return _one_of(value, options)
    if kind in (int, float):
        return _plain_number(value, kind)
    if kind is str:
        return _plain_text(value)
    if is_dataclass(kind) and isinstance(value, Mapping):
        return settings_of(kind, value)
    if isinstance(value, kind):
        return value
    raise TypeError


def _first_that_fits(value: Any, kinds: tuple) -> object:
    for kind in kinds:
        with suppress(TypeError):
            return plain_value(value, kind)
    raise TypeError


def _plain_tuple(value: Any, kinds: tuple) -> tuple:
    """One value of each kind, or any number of the first where the second is `...`."""
    if not isinstance(value, Sequence | Set) or isinstance(value, str | bytes):
        raise TypeError
    if kinds[-1] is ...:
        return tuple(plain_value(each, kinds[0]) for each in value)
    if len(value) != len(kinds):
        raise TypeError
    return tuple(map(plain_value, value, kinds))


def _one_of(value: Any, texts: tuple) -> str:
    if isinstance(value, str) and value in texts:
        return str(value)
    raise TypeError


def _plain_number(value: Any, kind: type[int] | type[float]) -> int | float:
    if is_number(value):
        whole = value == int(value) and abs(value) <= LARGEST
        if whole or kind is float:
            return kind(value)
    raise TypeError


def _plain_text(value: Any) -> str:
    """Text as it is, a path, or a device of torch, which is not imported for it."""
    if isinstance(value, PathLike):
        return fsdecode(value)
    if type(value).__module__ == "torch":
        return str(value)
    if isinstance(value, str):
        return value
    raise TypeError


def settings_of(kind: Any, values: Mapping) -> Any:
    """A config dataclass from its fields. Raises ValueError for a field it does not
    have.
    """
    known = [field.name for field in fields(kind)]
    for name in values:
        if name not in known:
            raise ValueError(f"no setting {shown(name)}, expected some of {known}")
    return kind(**values)


def is_number(value: object) -> bool:
    """Whether a value is a finite number that floating point can hold; True is none."""
    with suppress(OverflowError):
        return (
            isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
        )
    return False


def described(kind: Any) -> str:
    """What is expected of a value of the type `kind`, in words."""
    options = get_args(kind)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return " or ".join(map(described, options))
    if origin is Literal:
        return f"one of {options}"
    if origin is tuple:
        count = "" if options[-1] is ... else f"{len(options)} "
        return f"{count}values, each {described(options[0])}"
    return KINDS.get(kind, f"the settings of {kind.__name__}")


def shown(value: object) -> str:
    """A value as an error shows it: short, in one line."""
    try:
        return " ".join(reprlib.repr(value).split())
    except ValueError:  # a whole number of more digits than Python prints
        return "a number of thousands of digits"
