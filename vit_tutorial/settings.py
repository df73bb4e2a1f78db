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
from typing import Literal, Union, get_args, get_origin

LARGEST = 2**63 - 1  # whole number that a tensor can hold
KINDS = {
    int: "a whole number",
    float: "a finite number",
    bool: "True or False",
    str: "text",
    NoneType: "None",
}


def coerce_fields(config: object) -> None:
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


def plain_value(value: object, kind: type) -> object:
    """The value as plain Python of the type `kind`. Raises TypeError when it is
    none.
    """
    options = get_args(kind)
    origin = get_origin(kind)
    if hasattr(value, "tolist"):  # NumPy's and torch's values
        with suppress(RuntimeError):  # of a tensor without values
            value = value.tolist()
    if origin in (Union, UnionType):
        for option in options:
            with suppress(TypeError):
                return plain_value(value, option)
    elif origin is Literal:
        if isinstance(value, str) and value in options:
            return str(value)
    elif origin is tuple:
        several = isinstance(value, Sequence | Set) and not isinstance(
            value, str | bytes
        )
        if several and options[-1] is ...:
            return tuple(plain_value(each, options[0]) for each in value)
        if several and len(value) == len(options):
            return tuple(map(plain_value, value, options))
    elif is_dataclass(kind) and isinstance(value, Mapping):
        return settings_of(kind, value)
    elif kind in (int, float):
        whole = is_number(value) and value == int(value) and abs(value) <= LARGEST
        if whole or (kind is float and is_number(value)):
            return kind(value)
    elif kind is str and isinstance(value, PathLike):
        return fsdecode(value)
    elif kind is str and type(value).__module__ == "torch":  # a device
        return str(value)
    elif isinstance(value, kind):
        return value
    raise TypeError


def settings_of(kind: type, values: Mapping) -> object:
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


def described(kind: type) -> str:
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
