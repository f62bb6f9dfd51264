"""Turning points of a metric over the steps of a run: the extremum of its moving median, where matrices agree on it.

Moving medians: Tukey, "Exploratory Data Analysis" (1977), chapter 7. The matrices are drawn again as for every
interval of a model's number (`role_draws`), the same ones at all steps.

`ranking.steps` has another test of a turn: it follows the one metric that ranks, and what it says has to agree with
the ranks, so it takes the ranking's tests of pairs and their correction; a track of every metric has none of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wqscore.fits.interval import MIN_VALUES
from wqscore.scoring.role_draws import role_draws

#: Fewer steps have no turning point: one on each side, smoothed.
MIN_STEPS = 4
#: A turn below this share of the largest value is rounding.
_ROUNDING = 1e-9
_ENDS = (0.025, 0.975)
Kind = Literal["lowest", "highest"]


@dataclass(frozen=True)
class Turn:
    """Where a metric turns.

    Attributes:
        place: of the step at which the moving median is lowest, or highest.
        kind: which of the two.
        first: place of the first step of the 95 % interval: where it turns if matrices are drawn again.
        last: place of the last.
        size: how far the moving median comes back on the side where it does so less.
        width: of the 95 % interval of `size`, below `size`.
    """

    place: int
    kind: Kind
    first: int
    last: int
    size: float
    width: float


def moving_median(values: np.ndarray) -> np.ndarray:
    """The median of each value and its two neighbours; at an end, of it and its one neighbour, which is their mean.

    Args:
        values: shape (…, n), n at least 2.

    Example:
        >>> moving_median(np.array([4.0, 2.0, 9.0, 3.0])).tolist()
        [3.0, 4.0, 3.0, 6.0]
    """
    inner = np.median(np.stack([values[..., :-2], values[..., 1:-1], values[..., 2:]]), axis=0)
    first, last = values[..., :2].mean(axis=-1), values[..., -2:].mean(axis=-1)
    return np.concatenate([first[..., None], inner, last[..., None]], axis=-1)


def find_turns(
    values: np.ndarray, roles: Sequence[str], statistic: Literal["median", "mean"], seed: int
) -> tuple[Turn, ...]:
    """Find where a metric turns: at most one lowest and one highest point.

    An extremum of the moving median counts if the median comes back from it on both sides, by more than the width of
    the interval of that distance over matrices drawn again.

    Args:
        values: of the matrices at each step, shape (steps, matrices), finite.
        roles: of the matrices.
        statistic: what sums matrices up.
        seed: of the draws.
    """
    steps, matrices = values.shape
    if steps < MIN_STEPS or matrices < MIN_VALUES:
        return ()
    with np.errstate(over="ignore", invalid="ignore"):
        drawn = role_draws(roles, seed)
        curve = np.median(values, axis=-1) if statistic == "median" else values.mean(axis=-1)
        curves = np.stack([drawn.numbers(each, statistic) for each in values], axis=-1)
        found = (_turn(kind, curve, curves) for kind in ("lowest", "highest"))
        return tuple(turn for turn in found if turn is not None)


def _turn(kind: Kind, curve: np.ndarray, curves: np.ndarray) -> Turn | None:
    """The lowest or highest point of a curve; `curves` has a row for each draw."""
    sign = 1.0 if kind == "highest" else -1.0
    smooth = sign * moving_median(curve)
    place = int(_highest(smooth, sign * curve))
    if place in (0, smooth.size - 1):
        return None
    sides = int(smooth[:place].argmin()), place + 1 + int(smooth[place + 1 :].argmin())
    size = float(smooth[place] - smooth[list(sides)].max())
    smooths = sign * moving_median(curves)
    sizes = smooths[:, place] - smooths[:, sides].max(axis=1)
    low, high = np.quantile(sizes, _ENDS)
    width = float(high - low)
    if not size > max(width, _ROUNDING * float(np.abs(curve).max())):
        return None
    first, last = np.quantile(_highest(smooths, sign * curves), _ENDS, method="nearest")
    return Turn(place, kind, min(int(first), place), max(int(last), place), size, width)


def _highest(smooth: np.ndarray, raw: np.ndarray) -> np.ndarray:
    """Where the moving median is highest, along the last axis; of equals, where the curve itself is."""
    is_top = smooth == smooth.max(axis=-1, keepdims=True)
    places: np.ndarray = np.where(is_top, raw, -np.inf).argmax(axis=-1)
    return places
