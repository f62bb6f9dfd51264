"""Draw a model's matrices again within their roles: the resampling behind the interval of a model's number.

A model's matrices are a census of it, not a sample: how far the number moves when they are drawn again is its
*consistency over layers*. Percentile bootstrap, stratified: Efron & Tibshirani, "An Introduction to the Bootstrap"
(1993), section 13.3; Davison & Hinkley, "Bootstrap Methods and their Application" (1997), section 3.2.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import numpy as np

from wqscore.cached_property import cached_property
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


@dataclass(frozen=True)
class RoleDraws:
    """Matrices drawn again.

    Attributes:
        indices: of the matrices, shape (`DRAWS`, matrices), each row a draw.
    """

    indices: np.ndarray

    @cached_property
    def times(self) -> np.ndarray:
        """How often each matrix is in each draw, shape (matrices, `DRAWS`)."""
        draws, matrices = self.indices.shape
        places = self.indices * draws + np.arange(draws)[:, None]
        counts = np.bincount(places.reshape(-1), minlength=matrices * draws)
        return counts.astype(np.min_scalar_type(matrices)).reshape(matrices, draws)

    def medians(self, values: np.ndarray) -> np.ndarray:
        """The median of each draw, shape (`DRAWS`,): as `np.median` has it, for one sort of the values.

        Args:
            values: one per matrix, finite.
        """
        order = np.argsort(values, kind="stable")
        below = np.cumsum(self.times[order], axis=0, dtype=self.times.dtype)
        middle = [values[order[(below <= k).sum(axis=0)]] for k in ((values.size - 1) // 2, values.size // 2)]
        medians: np.ndarray = np.mean(middle, axis=0) if values.size % 2 == 0 else middle[0]
        return medians

    def numbers(self, values: np.ndarray, statistic: Literal["median", "mean"]) -> np.ndarray:
        """The statistic that sums matrices up, of each draw, shape (`DRAWS`,).

        Args:
            values: one per matrix, finite.
            statistic: which.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            if statistic == "median":
                return self.medians(values)
            means: np.ndarray = values[self.indices].mean(axis=-1)
        return means


def role_draws(roles: Sequence[str], seed: int) -> RoleDraws:
    """Draw matrices again within their strata, as many of each stratum as it has.

    Which are drawn depends on the seed and the roles alone: two models of one architecture are drawn alike.

    Args:
        roles: the role of each matrix.
        seed: the run's seed.
    """
    stratum_of = _strata(roles)
    columns = []
    for stratum in sorted(set(stratum_of.values())):
        members = np.flatnonzero([stratum_of[role] == stratum for role in roles])
        rng = np.random.default_rng([seed, int.from_bytes(sha256(stratum.encode()).digest()), members.size])
        columns.append(members[rng.integers(members.size, size=(DRAWS, members.size))])
    return RoleDraws(np.concatenate(columns, axis=1))


def interval_of(values: np.ndarray, drawn: RoleDraws, statistic: Literal["median", "mean"]) -> Interval | None:
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
    with np.errstate(over="ignore", invalid="ignore"):
        value = float(np.median(values) if statistic == "median" else values.mean())
        lo, hi = (float(end) for end in np.quantile(drawn.numbers(values, statistic), [0.025, 0.975]))
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
