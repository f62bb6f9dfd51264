"""Draw a model's matrices again within their roles: the resampling behind the interval of a model's number.

A model's matrices are a census of it, not a sample: how far the number moves when they are drawn again is its
*consistency over layers*. Percentile bootstrap, stratified: Efron & Tibshirani, "An Introduction to the Bootstrap"
(1993), section 13.3; Davison & Hinkley, "Bootstrap Methods and their Application" (1997), section 3.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Literal

import numpy as np

from wqscore.fits.interval import MIN_VALUES, Interval
from wqscore.matrices.matching import canonical_name
from wqscore.scoring.layer_score import LayerScore

MatrixKey = tuple[str, str, tuple[int, int, int]]

#: How often the matrices are drawn.
DRAWS = 1000
#: Roles with fewer matrices than this are drawn from together.
MIN_OF_ROLE = 4


def matrix_key(row: LayerScore) -> MatrixKey:
    """What the same matrix has in common in two models: its role, its name without prefixes, and its shape."""
    matrix = row.matrix
    return matrix.role, canonical_name(matrix.name), (matrix.slices, matrix.rows, matrix.columns)


def role_draws(roles: Sequence[str], seed: int) -> np.ndarray:
    """Draw matrices again within their strata, as many of each stratum as it has.

    Which are drawn depends on the seed and the roles alone: two models of one architecture are drawn alike.

    Args:
        roles: the role of each matrix.
        seed: the run's seed.

    Returns:
        Indices, shape (`DRAWS`, matrices), each row a draw.
    """
    stratum_of = _strata(roles)
    columns = []
    for stratum in sorted(set(stratum_of.values())):
        members = np.flatnonzero([stratum_of[role] == stratum for role in roles])
        rng = np.random.default_rng([seed, int.from_bytes(sha256(stratum.encode()).digest()), members.size])
        columns.append(members[rng.integers(members.size, size=(DRAWS, members.size))])
    return np.concatenate(columns, axis=1)


def summary_of(values: np.ndarray, statistic: Literal["median", "mean"]) -> np.ndarray:
    """The statistic that sums matrices up, over the last axis."""
    with np.errstate(over="ignore", invalid="ignore"):
        summary: np.ndarray = np.median(values, axis=-1) if statistic == "median" else values.mean(axis=-1)
    return summary


def interval_of(values: np.ndarray, drawn: np.ndarray, statistic: Literal["median", "mean"]) -> Interval | None:
    """The 95 % interval of a statistic over matrices that are drawn again; it contains the statistic itself.

    No value is changed, so both ends lie between the smallest and the largest value.

    Args:
        values: one per matrix, finite.
        drawn: `role_draws` of their roles.
        statistic: `median` or `mean`.

    Returns:
        `None` for fewer than `MIN_VALUES`, or where every draw gives one number, which proves no certainty.
    """
    if values.size < MIN_VALUES:
        return None
    value = float(summary_of(values, statistic))
    lo, hi = (float(end) for end in np.quantile(summary_of(values[drawn], statistic), [0.025, 0.975]))
    lo, hi = min(lo, value), max(hi, value)
    return Interval(lo, hi) if lo < hi and np.isfinite(hi - lo) else None


def _strata(roles: Sequence[str]) -> dict[str, str]:
    """The stratum of each role: itself, or the one that all roles of few matrices share.

    One matrix drawn again is itself, and says nothing of how matrices of its role differ. If the shared stratum has
    too few matrices, the smallest of the other roles joins it.
    """
    counts = Counter(roles)
    ascending = sorted(counts, key=lambda role: (counts[role], role))
    together = [role for role in ascending if counts[role] < MIN_OF_ROLE]
    others = ascending[len(together) :]
    while together and others and sum(counts[role] for role in together) < MIN_OF_ROLE:
        together.append(others.pop(0))
    shared = " and ".join(sorted(together))
    return {role: shared if role in together else role for role in counts}
