"""Read fields of a JSON document that anyone may have edited."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, nan
from typing import Any


class DamagedError(Exception):
    """A field of the wrong type; the message is its name."""


def field(table: Mapping[str, Any], name: str, kind: type) -> Any:
    """The value of a field.

    Raises:
        DamagedError: it is missing, or of another type.
    """
    value = table.get(name)
    if type(value) is not kind:
        raise DamagedError(name)
    return value


def finite(value: object, name: str) -> float:
    """A number; NaN for `null`.

    Raises:
        DamagedError: it is no number, or too large for one.
    """
    if value is None:
        return nan
    try:
        number = float(value) if type(value) in (int, float) else nan  # type: ignore[arg-type]
    except OverflowError:
        number = nan
    if not isfinite(number):
        raise DamagedError(name)
    return number
