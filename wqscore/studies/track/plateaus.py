"""Where a known figure, such as the loss, stands still along a training."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

#: On a plateau a figure moves by at most this share of its range from one step to the next.
STILL = 0.02


def plateaus(values: Mapping[int, float]) -> list[tuple[int, int]]:
    """The first and the last step of each run of steps along which a figure moves little.

    Args:
        values: by step, finite.

    Example:
        >>> plateaus({0: 9.0, 10: 5.0, 20: 5.0, 30: 4.9, 40: 1.0, 50: 0.0})
        [(10, 30)]
    """
    steps = sorted(values)
    most = STILL * (max(values.values(), default=0) - min(values.values(), default=0))
    found: list[tuple[int, int]] = []
    for before, after in pairwise(steps):
        if abs(values[after] - values[before]) <= most:
            start = found.pop()[0] if found and found[-1][1] == before else before
            found.append((start, after))
    return found
