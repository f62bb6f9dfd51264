"""Spearman's rho and Kendall's tau-b of two columns, with p-values and intervals fit for a handful of models.

Kendall, "Rank Correlation Methods" (4th ed. 1970), chapters 3 and 4, for both with ties and chapter 8 for the partial
ones; Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010), article 39, for p-values from random permutations;
Bonett & Wright, Psychometrika 65 (2000), 23–28, for the intervals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from math import atanh, factorial, sqrt, tanh
from statistics import NormalDist
from typing import Literal

import numpy as np

from wqscore.fits.interval import Interval

#: Up to here all n! orders are enumerated (40,320 of them).
EXACT_UP_TO = 8
#: Random orders beyond: no p-value is below 1e-4.
PERMUTATIONS = 9_999
#: Below, the variance of tau is not defined.
LEAST_FOR_INTERVAL = 5
_CHUNK = 1_000
_Z = NormalDist().inv_cdf(0.975)

PMethod = Literal["exact", "permutation"]


@dataclass(frozen=True)
class Coefficient:
    """A rank correlation.

    Attributes:
        value: −1 to 1.
        p: two-sided, of an absolute value as large if every order of y were equally likely.
        interval: 95 %, `None` where there is none (`tau_interval`).
    """

    value: float
    p: float
    interval: Interval | None


@dataclass(frozen=True)
class RankCorrelation:
    """Both coefficients of n pairs.

    Attributes:
        n: how many pairs.
        tau: Kendall's tau-b.
        rho: Spearman's.
        p_method: `exact`, from all n! orders, or `permutation`, from 9,999 random ones.
    """

    n: int
    tau: Coefficient
    rho: Coefficient
    p_method: PMethod


def rank_correlation(x: np.ndarray, y: np.ndarray, seed: int) -> RankCorrelation | None:
    """Correlate two columns by their ranks.

    Args:
        x: finite, shape (n,).
        y: shape (n,).
        seed: of the random orders; columns of one length share them.

    Returns:
        The coefficients; `None` where one column is the same throughout, or has fewer than two values.
    """
    tau, rho = kendall_tau_b(x, y), spearman(x, y)
    if tau is None or rho is None:
        return None
    tau_p, rho_p = p_values(x, y, seed)
    return RankCorrelation(
        n=x.size,
        tau=Coefficient(tau, tau_p, tau_interval(tau, x.size)),
        rho=Coefficient(rho, rho_p, rho_interval(rho, x.size)),
        p_method="exact" if x.size <= EXACT_UP_TO else "permutation",
    )


def kendall_tau_b(x: np.ndarray, y: np.ndarray) -> float | None:
    """Return (concordant − discordant)/√(pairs untied in x · pairs untied in y); `None` where that is 0/0.

    Args:
        x: shape (n,).
        y: shape (n,).

    Example:
        >>> round(kendall_tau_b(np.array([1, 2, 3, 4]), np.array([1, 3, 2, 4])), 3)  # 5 pairs of 6 agree
        0.667
    """
    signs_x, signs_y = _signs(x), _signs(y)
    # Each pair is counted twice above and below.
    untied = int(np.count_nonzero(signs_x)) * int(np.count_nonzero(signs_y))
    return int((signs_x * signs_y).sum()) / sqrt(untied) if untied else None


def spearman(x: np.ndarray, y: np.ndarray) -> float | None:
    """Return Pearson's correlation of the mean ranks; `None` where it is 0/0; arguments as for `kendall_tau_b`.

    Example:
        >>> spearman(np.array([1, 2, 3, 4]), np.array([1, 3, 2, 4]))  # 1 − 6·2/(4·15)
        0.8
    """
    ranks_x, ranks_y = _centred_ranks(x), _centred_ranks(y)
    squares = int(ranks_x @ ranks_x) * int(ranks_y @ ranks_y)
    return int(ranks_x @ ranks_y) / sqrt(squares) if squares else None


def p_values(x: np.ndarray, y: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the two-sided p-values of tau-b and of rho, ties kept.

    Up to 8 pairs they are the share of all n! orders of y whose coefficient is as far from 0. Beyond, they are
    (1 + #)/(1 + 9,999) of random orders, which keeps the error rate at what it says.
    """
    signs, ranks, ranks_y = _signs(x), _centred_ranks(x), _centred_ranks(y)
    # Sums of whole numbers: what is as extreme as the observed one is so exactly.
    tau_seen, rho_seen = _concordance(signs, ranks_y[np.newaxis])[0], ranks @ ranks_y
    as_extreme = np.zeros(2, dtype=np.int64)
    for orders in _orders(x.size, seed):
        shuffled = ranks_y[orders]
        as_extreme[0] += np.count_nonzero(np.abs(_concordance(signs, shuffled)) >= abs(tau_seen))
        as_extreme[1] += np.count_nonzero(np.abs(shuffled @ ranks) >= abs(rho_seen))
    if x.size <= EXACT_UP_TO:
        tau, rho = as_extreme / factorial(x.size)
    else:
        tau, rho = (1 + as_extreme) / (1 + PERMUTATIONS)
    return float(tau), float(rho)


def concordance_of_orders(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return concordant less discordant pairs of x and y, then of x and y in 9,999 random orders, shape (10,000,).

    Args:
        x: shape (n,).
        y: shape (n,).
        rng: draws the orders.
    """
    ranks = _centred_ranks(y)
    orders = rng.permuted(np.tile(np.arange(x.size), (PERMUTATIONS, 1)), axis=1)
    signs, chunks = _signs(x), np.array_split(ranks[orders], 1 + x.size // 50)
    return np.concatenate([_concordance(signs, ranks[np.newaxis]), *(_concordance(signs, each) for each in chunks)])


def tau_interval(tau: float, n: int) -> Interval | None:
    """Return the 95 % interval tanh(atanh(tau) ± 1.96·√(.437/(n − 4))).

    `None` below 5 pairs, and for ±1, from which nothing can be said of the spread. The variance is that of
    independent draws from a bivariate normal; there, for |tau| up to .5, it held the truth in 93 to 97 % of 2,000
    draws with 8 to 50 pairs, and in 99 to 100 % with 5. Models of one family are not independent, so it may be too
    narrow for them.

    Example:
        >>> low, high = tau_interval(0.734, 40)
        >>> round(low, 4), round(high, 4)
        (0.6178, 0.8188)
    """
    return _fisher(tau, 0.437 / (n - 4)) if n >= LEAST_FOR_INTERVAL else None


def rho_interval(rho: float, n: int) -> Interval | None:
    """Return the 95 % interval tanh(atanh(rho) ± 1.96·√((1 + rho²/2)/(n − 3))); see `tau_interval`."""
    return _fisher(rho, (1 + rho**2 / 2) / (n - 3)) if n >= LEAST_FOR_INTERVAL else None


def least_telling_tau(n: int) -> float | None:
    """Return the |tau| below which the interval of n pairs holds 0; `None` where there is no interval."""
    return tanh(_Z * sqrt(0.437 / (n - 4))) if n >= LEAST_FOR_INTERVAL else None


def partial_correlation(xy: float, xz: float, yz: float) -> float | None:
    """Return the correlation of x and y given z, from the three between them; `None` where z decides x or y.

    The same formula holds for tau-b and for rho. It takes out what is monotone in z.

    Example:
        >>> round(partial_correlation(0.5, 0.5, 0.5), 4)
        0.3333
    """
    left = (1 - xz**2) * (1 - yz**2)
    # Rounding may carry it beyond ±1 where z decides nearly all.
    return min(1.0, max(-1.0, (xy - xz * yz) / sqrt(left))) if left > 1e-12 else None


def _fisher(value: float, variance: float) -> Interval | None:
    if abs(value) >= 1:
        return None
    centre, reach = atanh(value), _Z * sqrt(variance)
    return Interval(tanh(centre - reach), tanh(centre + reach))


def _signs(values: np.ndarray) -> np.ndarray:
    """Which of each two is larger: −1, 0 or 1, shape (n, n)."""
    ranks = _centred_ranks(values)
    signs: np.ndarray = np.sign(ranks[:, np.newaxis] - ranks)
    return signs


def _centred_ranks(values: np.ndarray) -> np.ndarray:
    """Twice the mean ranks less n + 1: whole numbers that sum to 0."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = 2 * np.cumsum(counts) - counts - values.size
    return ranks[places]


def _concordance(signs: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """Concordant less discordant pairs for each row of y's ranks, shape (orders, n)."""
    total = np.zeros(len(ranks))
    exact = signs.astype(float)  # sums of them stay whole, and BLAS takes no integers
    ranks = ranks.astype(float)
    for i in range(len(signs) - 1):
        total += np.sign(ranks[:, i, np.newaxis] - ranks[:, i + 1 :]) @ exact[i, i + 1 :]
    return total


def _orders(n: int, seed: int) -> Iterator[np.ndarray]:
    """All orders of n things, or random ones, a chunk of rows at a time."""
    if n <= EXACT_UP_TO:
        yield np.array(list(permutations(range(n))), dtype=np.intp)
        return
    rng = np.random.default_rng([seed, n])
    for start in range(0, PERMUTATIONS, _CHUNK):
        rows = min(_CHUNK, PERMUTATIONS - start)
        yield rng.permuted(np.tile(np.arange(n), (rows, 1)), axis=1)
