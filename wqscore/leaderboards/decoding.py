"""Decode records from JSON and check every type, since the file may be damaged or made by something else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from wqscore.fits.interval import Interval

Record = TypeVar("Record")


def decode(kind: type[Record], value: object) -> Record:
    """Turn parsed JSON into a record of frozen dataclasses, intervals, tuples, mappings, text and numbers.

    Args:
        kind: the dataclass.
        value: what `json.loads` returned.

    Raises:
        ValueError: a field is missing, unknown, of the wrong type, or not a finite number.
    """
    if not isinstance(value, dict) or not is_dataclass(kind):
        raise ValueError(f"is not a {kind.__name__}")
    hints = get_type_hints(kind)
    needed = {field.name for field in fields(kind) if field.default is MISSING}
    if not needed <= value.keys() <= hints.keys():
        raise ValueError(f"a {kind.__name__} has the fields {', '.join(hints)}")
    decoded = {name: _decoded(hints[name], each, f"{kind.__name__}.{name}") for name, each in value.items()}
    made: Record = kind(**decoded)
    return made


def _decoded(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is UnionType:
        # The only unions are `… | None`.
        return None if value is None else _decoded(next(k for k in arguments if k is not NoneType), value, where)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, list):
        return tuple(_decoded(arguments[0], each, where) for each in value)
    if origin is Mapping and isinstance(value, dict):
        return {key: _decoded(arguments[1], each, where) for key, each in value.items()}
    if kind is Interval and isinstance(value, list) and len(value) == 2:
        lo, hi = (_decoded(float, end, where) for end in value)
        if lo <= hi:
            return Interval(lo, hi)
    if is_dataclass(kind) and isinstance(kind, type):
        return decode(kind, value)
    if kind is float and type(value) in (int, float) and isfinite(value):
        return float(value)
    if kind in (str, int, bool) and type(value) is kind:
        return value
    raise ValueError(f"{where} is {str(value)[:40]!r}")
