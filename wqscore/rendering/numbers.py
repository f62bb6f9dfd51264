"""Numbers in every output: how missing ones are written, and how many digits a person sees."""

from __future__ import annotations

import re
from math import isfinite

from wqscore.fits.interval import MIN_VALUES, Interval

#: A cell; `None` is a missing value, and no number is NaN or infinite.
Cell = str | int | float | None
#: How a missing value is shown to a person.
MISSING = "–"
#: What is shown in place of an interval over fewer matrices than one needs.
TOO_FEW = "too few matrices"


def number(value: float, count: bool = False) -> int | float | None:
    """A number as a cell: `None` for NaN or an infinity, an integer for a count."""
    if not isfinite(value):
        return None
    return int(value) if count and value.is_integer() else value


def figure(value: float | None) -> str:
    """A number to four digits; a dash if it is missing.

    Example:
        >>> figure(3.14159), figure(float("nan"))
        ('3.142', '–')
    """
    shown = None if value is None else number(value)
    if shown is None:
        return MISSING
    return f"{shown:,.0f}" if 10_000 <= abs(shown) < 1e9 else f"{shown:.4g}"


def four_digits(shown: str) -> str:
    """A number as `figure` shows it, with the zeros at its end that belong to its four digits.

    Example:
        >>> four_digits("2.94"), four_digits("3"), four_digits("12.5"), four_digits("–")
        ('2.940', '3.000', '12.50', '–')
    """
    if not re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", shown):
        return shown
    whole, _, rest = shown.lstrip("+-").partition(".")
    significant = len(whole.lstrip("0")) or len(rest.lstrip("0")) - len(rest)
    places = max(4 - significant, len(rest), 0)
    return f"{float(shown):.{places}f}" if len(whole) < 4 else shown


def size(count: int | None) -> str:
    """A count of parameters in thousands, millions or billions; a dash where it is not known.

    Example:
        >>> size(22713216), size(None)
        ('22.7M', '–')
    """
    if count is None:
        return MISSING
    for unit, scale in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g}{unit}"
    return str(count)


def ends(interval: Interval | None, count: int = 0, dash: str = " to ") -> str:
    """An interval to four digits, or why there is none.

    Args:
        interval: the interval.
        count: the matrices behind the number; 0 for a number that has no interval over matrices.
        dash: what stands between the ends.

    Example:
        >>> ends(Interval(2.0987, 3.2), 73), ends(None, 5), ends(None)
        ('2.099 to 3.2', 'too few matrices', '–')
    """
    if interval is not None:
        return f"{figure(interval.lo)}{dash}{figure(interval.hi)}"
    return TOO_FEW if 0 < count < MIN_VALUES else MISSING
