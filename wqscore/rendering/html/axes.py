"""The axes of pictures that are drawn here, as Vega draws them: D3's round numbers and bands, labels that fit."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10, sqrt

#: The smallest ratio of a step to its power of ten at which ten, five and two times that power is the rounder step.
_FACTORS = ((sqrt(50), 10), (sqrt(10), 5), (sqrt(2), 2))
#: The widths of Helvetica's letters, in the font's size, where they are not those of digits.
_DIGIT = 0.556
_WIDTHS = {"i": 0.222, "l": 0.222, ".": 0.278, ",": 0.278, "t": 0.278, "c": 0.5, "k": 0.5, "v": 0.5, "m": 0.833}
#: The share of a step between two bands, and before the first.
_GAP = 0.2


def round_step(low: float, high: float, count: int) -> float:
    """Return 1, 2 or 5 times a power of ten that divides a range into about so many parts (d3-array, `tickStep`).

    Example:
        >>> round_step(0, 16, 8), round_step(1, 4.5, 8)
        (2.0, 0.5)
    """
    raw = (high - low) / count
    power = 10.0 ** floor(log10(raw))
    return next((factor for least, factor in _FACTORS if raw / power >= least), 1) * power


def nice(low: float, high: float) -> tuple[float, float]:
    """Return a range that holds the given one and begins and ends with round numbers (d3-scale, `linear.nice`).

    Example:
        >>> nice(1, 15.3)
        (0.0, 16.0)
    """
    before = 0.0
    for _ in range(10):
        step = round_step(low, high, 10)
        if step == before:
            break
        low, high, before = floor(low / step) * step, ceil(high / step) * step, step
    return low, high


def ticks(low: float, high: float, count: int) -> list[tuple[float, str]]:
    """Return the round numbers within a range, about so many, each with its label.

    Example:
        >>> ticks(0.0, 1.0, 2)
        [(0.0, '0.0'), (0.5, '0.5'), (1.0, '1.0')]
    """
    step = round_step(low, high, count)
    digits = max(0, -floor(log10(step)))
    # A little more than half a rounding error, so that the ends are among them.
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [(n * step, f"{n * step:,.{digits}f}") for n in range(first, last + 1)]


def bands(count: int, width: float) -> tuple[list[float], float]:
    """Return where the bands of an ordinal axis begin, and how wide one is (d3-scale, `scaleBand`).

    Example:
        >>> bands(1, 120.0)
        ([20.0], 80.0)
    """
    step = width / (count + _GAP)
    return [step * (place + _GAP) for place in range(count)], step * (1 - _GAP)


def text_width(text: str, size: float) -> float:
    """Return how wide a number or a word in small letters is, in the unit of the font's size."""
    return size * sum(_WIDTHS.get(letter, _DIGIT) for letter in text)


def apart(labels: Sequence[str], centres: Sequence[float], size: float) -> list[str]:
    """Return the labels that are shown so that none overlaps the one before it (vega-view-transforms, `overlap`).

    Example:
        >>> apart(["9", "10", "11"], [0.0, 8.0, 16.0], 11)
        ['9', '11']
    """
    shown, end = [], float("-inf")
    for label, centre in zip(labels, centres, strict=True):
        half = text_width(label, size) / 2
        if centre - half >= end:
            shown.append(label)
            end = centre + half
    return shown
