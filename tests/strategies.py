"""Random input for the fuzz tests: values of right and wrong types, tensors, models."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import inf, nan
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor, nn

from vit_tutorial.config import ViTConfig
from vit_tutorial.models import build_model
from vit_tutorial.settings import shown

HUGE = (10**6, 10**6 + 1, 10**9, 10**12, 2**63 - 1, 2**63, 2**64, 10**30, 10**400)
WHOLE = st.one_of(
    st.integers(-3, 20),
    st.sampled_from([32, 48, 64, 96, 128, 192, 255, 256]),
    st.integers(),
    st.sampled_from(HUGE),
    st.sampled_from(HUGE).map(lambda number: -number),
)
NUMBERS = st.one_of(
    st.floats(-0.5, 1.5),
    st.floats(),
    st.sampled_from([nan, inf, -inf, 0.0, -0.0, 1e-320, 1e308, 1e-9, 0.5, 1.0]),
)
ODD = (
    torch.tensor(3),
    torch.tensor(2.5),
    torch.tensor(nan),
    torch.tensor(True),
    torch.tensor(1j),
    torch.zeros(0),
    torch.ones(2, 2),
    torch.tensor([0.5, 0.5, 0.5]),
    torch.empty(2, device="meta"),
    np.int64(4),
    np.float32(0.5),
    np.array([96, 96]),
    np.array("text"),
    np.datetime64("2020-01-01"),
    Fraction(1, 3),
    Decimal("NaN"),
    Decimal("1e400"),
    Path("data"),
    torch.device("cpu"),
    torch.float32,
    b"bytes",
    range(3),
    object(),
    int,
    ViTConfig(),
)
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["", "auto", "cls", "a\nb", "\x00", "\ud800", "~", "9" * 5000]),
)
SCALARS = st.one_of(st.none(), st.booleans(), WHOLE, NUMBERS, TEXTS)
ANYTHING = st.one_of(
    SCALARS,
    st.sampled_from(ODD),
    st.lists(SCALARS, max_size=4),
    st.lists(SCALARS, max_size=3).map(tuple),
    st.dictionaries(TEXTS, SCALARS, max_size=2),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=6,
)


def of_kind(kind: Any) -> st.SearchStrategy:
    """Values of a setting's type: those that may be, and some beyond."""
    options = get_args(kind)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return st.one_of(*map(of_kind, options))
    if origin is Literal:
        return st.sampled_from(options)
    if origin is tuple and options[-1] is ...:
        return st.lists(of_kind(options[0]), max_size=4)
    if origin is tuple:
        return st.tuples(*map(of_kind, options))
    if is_dataclass(kind):
        return settings_for(kind)
    plain = {
        int: WHOLE,
        float: NUMBERS | WHOLE,
        bool: st.booleans(),
        str: TEXTS,
        NoneType: st.none(),
    }
    return plain[kind]


@lru_cache
def settings_for(kind: Any) -> st.SearchStrategy[dict]:
    """Some of the fields of a config, most of them of the right type."""
    optional = {
        field.name: st.integers(0, 9).flatmap(
            lambda number, kind=field.type: ANYTHING if number < 2 else of_kind(kind)
        )
        for field in fields(kind)
    }
    few = st.lists(st.sampled_from(sorted(optional)), min_size=1, max_size=4)
    return few.flatmap(
        lambda names: st.fixed_dictionaries({name: optional[name] for name in names})
    )


def words_of(settings: Mapping) -> list[str]:
    """The names of settings, those within included, as a message may say them."""
    words = []
    for name, value in settings.items():
        words.append(name if isinstance(name, str) and name.isidentifier() else "")
        if isinstance(value, Mapping):
            words += ["no setting", *words_of(value)]
    return [word for word in words if word]


FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
DTYPES = (*FLOATS, torch.uint8, torch.int64, torch.int32, torch.bool, torch.complex64)
ANY_SIDE = st.integers(0, 9)
FILLS = ("zeros", "ones", "random", "large", "negative", "nan", "inf")


@st.composite
def tensors(
    draw: st.DrawFn,
    rank: int | None = None,
    sides: st.SearchStrategy[int] = ANY_SIDE,
    dtypes: tuple[torch.dtype, ...] = DTYPES,
) -> Tensor:
    """A tensor of any shape, type and values."""
    rank = draw(st.integers(0, 5)) if rank is None else rank
    shape = [draw(sides) for _ in range(rank)]
    return filled(
        shape, draw(st.sampled_from(dtypes)), draw(st.sampled_from(FILLS)), len(shape)
    )


def filled(shape: list[int], dtype: torch.dtype, fill: str, seed: int = 0) -> Tensor:
    """A tensor with such values, as far as its type has them."""
    generator = torch.Generator().manual_seed(seed)
    values = {
        "zeros": torch.zeros(shape),
        "ones": torch.ones(shape),
        "random": torch.rand(shape, generator=generator),
        "large": 200 * torch.rand(shape, generator=generator),
        "negative": -torch.ones(shape),
        "nan": torch.full(shape, nan),
        "inf": torch.full(shape, inf),
    }[fill]
    if not dtype.is_floating_point and not dtype.is_complex:
        values = values.nan_to_num(0, posinf=255, neginf=0)
    return values.to(dtype)


@st.composite
def nearly(draw: st.DrawFn, *shape: int, dtypes: tuple[torch.dtype, ...]) -> Tensor:
    """A tensor of this shape, or with a side or two changed, one more or one less."""
    sides = list(shape)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        place = draw(st.integers(0, len(sides)))
        change = draw(st.sampled_from(["other", "more", "less"]))
        if change == "more":
            sides.insert(place, draw(st.integers(0, 3)))
        elif place < len(sides) and change == "less":
            del sides[place]
        elif place < len(sides):
            sides[place] = draw(st.integers(0, 12))
    dtype = draw(st.sampled_from(dtypes))
    return filled(sides, dtype, draw(st.sampled_from(FILLS)), len(sides))


TINY = ViTConfig(
    image_size=8, patch_size=4, dim=8, depth=2, heads=2, classes=3, mlp_ratio=2.0
)


@lru_cache
def tiny(**changes: Any) -> nn.Module:
    """A small model in eval mode: of 8 x 8 pixels, 4 patches, 3 classes."""
    torch.manual_seed(0)
    return build_model(replace(TINY, **changes)).eval()


# how a message may name what lies in a tensor
SAID = ("not finite", "no images", "no pictures", "floats from", "twice", "nan")


def facts(*arguments: object) -> list[str]:
    """How a message may name arguments: sides, types and values, also of what lies in
    them.
    """
    words: list[str] = []
    for each in arguments:
        if isinstance(each, Tensor):
            words += [*map(str, each.shape), str(tuple(each.shape)), str(each.dtype)]
            words += SAID
            if each.numel() and not each.is_complex():
                words += [f"{value.item():g}" for value in each.aminmax()]
        elif isinstance(each, list | tuple):
            words += [str(len(each)), *facts(*each)]
        elif isinstance(each, nn.Module):
            words += [type(each).__name__, each.config.name, each.config.pool]
        elif each is not None:
            words += [str(each), shown(each)]
    return words


def few_of(share: float) -> settings:
    """That share of the inputs that the profile asks for."""
    return settings(max_examples=max(3, round(share * settings.default.max_examples)))


CHANGES = ("cut", "flip", "insert", "delete", "repeat", "fill", "number")


def edits() -> st.SearchStrategy[list]:
    """One to three changes of the bytes of a file: what, where as a share of its
    length, how many bytes, and what is put there.
    """
    change = st.tuples(
        st.sampled_from(CHANGES),
        st.floats(0, 1) | st.floats(0, 0.02),
        st.integers(1, 40),
        st.binary(min_size=1, max_size=12),
    )
    return st.lists(change, min_size=1, max_size=3)
