"""Check the sizes that a file claims before anything is computed from them."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

_LIMIT = 2**63


def are_counts(*values: Any) -> bool:
    """Whether all values are integers from 0 to 2⁶³ − 1; a boolean is not one."""
    return all(type(value) is int and 0 <= value < _LIMIT for value in values)


def fits_memory(shape: Iterable[int], itemsize: int = 1) -> bool:
    """Whether an array has fewer than 2⁶³ bytes, as NumPy requires; axes of size 0 are left out of the product."""
    return prod(size for size in shape if size) * itemsize < _LIMIT
