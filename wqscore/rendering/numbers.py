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
#: An interval wider than the first deserves two decimals; in three, one narrower than the second would vanish.
_WIDE, _LEAST = 0.1, 0.005
#: From here on, decimals say nothing beyond four digits.
_LARGE = 100


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


def decimals(width: float) -> int | None:
    """How many decimals a number deserves whose interval is so wide; `None` for four digits instead.

    Example:
        >>> decimals(0.7), decimals(0.03), decimals(1e-5)
        (2, 3, None)
    """
    return None if not width >= _LEAST else 2 if width > _WIDE else 3


def rounded(value: float, places: int | None) -> str:
    """A number with so many decimals; to four digits for `None`, and from 100 on.

    Example:
        >>> rounded(3.1, 2), rounded(183.25, 2), rounded(3.14159, None)
        ('3.10', '183.2', '3.142')
    """
    return figure(value) if places is None or not abs(value) < _LARGE else f"{value:.{places}f}"


def beside(value: float | None, interval: Interval | None) -> str:
    """A number as precise as its interval deserves; to four digits without one.

    Example:
        >>> beside(3.14159, Interval(2.9, 3.3)), beside(3.14159, None), beside(None, None)
        ('3.14', '3.142', '–')
    """
    if value is None or interval is None:
        return figure(value)
    return rounded(value, decimals(interval.hi - interval.lo))


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


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count with its noun in the singular or plural.

    Example:
        >>> counted(1, "model"), counted(2, "family", "families")
        ('1 model', '2 families')
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def ends(interval: Interval | None, count: int = 0, dash: str = " to ", places: int | None = None) -> str:
    """An interval with as many decimals as its width deserves, or why there is none.

    Args:
        interval: the interval.
        count: the matrices behind the number; 0 for a number that has no interval over matrices.
        dash: what stands between the ends.
        places: decimals that stand in a column with others, in place of those that its own width deserves.

    Example:
        >>> ends(Interval(2.0987, 3.2), 73), ends(None, 5), ends(None)
        ('2.10 to 3.20', 'too few matrices', '–')
    """
    if interval is not None:
        places = decimals(interval.hi - interval.lo) if places is None else places
        return f"{rounded(interval.lo, places)}{dash}{rounded(interval.hi, places)}"
    return TOO_FEW if 0 < count < MIN_VALUES else MISSING
