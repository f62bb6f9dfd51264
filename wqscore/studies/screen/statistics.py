"""Statistics of a change ΔW that need no fit: its norm, how concentrated its spectrum is, the tails of its entries.

The same kinds of numbers as in "Weight space detection of backdoors in LoRA adapters" (arXiv 2602.15195), each of one
module here, and never of a classifier's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite, log, nan, sqrt

import numpy as np

from wqscore.checkpoints.adapters.low_rank import LowRank

#: In the order of their columns.
STATISTICS = ("norm", "energy_share", "entropy", "stable_rank", "kurtosis")
#: Entries of ΔW that are computed at a time, in float64.
_BLOCK = 1 << 20


def spectral_statistics(eigenvalues: np.ndarray, most: int) -> dict[str, float]:
    """Norm, energy share, entropy and stable rank.

    Args:
        eigenvalues: those of ΔWᵀΔW that are no rounding, positive and finite, at least one.
        most: how many there can be at most: the rank of the factors, or the smaller side.

    Returns:
        `norm`, ‖ΔW‖_F = √Σλ; `energy_share`, λ_max/Σλ, that of the leading direction; `entropy`, −Σ p ln p / ln most,
        p = λ/Σλ, 0 for one direction and 1 for equal ones, NaN where there can be only one; `stable_rank`, Σλ/λ_max.

    Example:
        >>> spectral_statistics(np.array([1.0, 3.0]), 2)["energy_share"]
        0.75
    """
    total, largest = float(eigenvalues.sum()), float(eigenvalues.max())
    p = eigenvalues / total
    entropy = float(-(p * np.log(p)).sum()) / log(most) if most > 1 else nan
    return {
        "norm": sqrt(total),
        "energy_share": largest / total,
        "entropy": max(entropy, 0.0) if isfinite(entropy) else nan,
        "stable_rank": total / largest,
    }


def kurtosis(blocks: Iterable[np.ndarray], mean: float) -> float:
    """The excess kurtosis of entries, m₄/m₂² − 3 about their mean: 0 for a normal law; NaN where all are equal.

    Args:
        blocks: the entries, float64, in any shapes.
        mean: theirs.
    """
    count, second, fourth = 0, 0.0, 0.0
    for block in blocks:
        squares = np.square(block - mean)
        count += squares.size
        second += float(squares.sum())
        fourth += float(np.square(squares, out=squares).sum())
    return fourth * count / second**2 - 3 if second > 0 else nan


def low_rank_statistics(weights: LowRank) -> dict[str, float] | str:
    """The statistics of ΔW = s·B·A, of which a block of rows is computed at a time.

    Returns:
        By name; or why there are none.
    """
    core = weights.core
    if not np.isfinite(core).all():
        return "a factor holds NaN or infinities, or the product overflows"
    singular = np.linalg.svd(core, compute_uv=False)
    floor = core.shape[0] * np.finfo(np.float64).eps * float(singular.max(initial=0.0))
    eigenvalues = np.square(singular[singular > floor])
    if not eigenvalues.size or not eigenvalues.sum() > 0:
        return "ΔW is zero: never trained, or left alone"
    # The kurtosis has no scale: factors of size 1 can't overflow.
    a, b = (each.astype(np.float64) / np.abs(each).max() for each in (weights.A, weights.B))
    mean = float(b.sum(axis=0) @ a.sum(axis=1)) / (b.shape[0] * a.shape[1])
    return spectral_statistics(eigenvalues, min(core.shape)) | {"kurtosis": kurtosis(_products(a, b), mean)}


def values_statistics(delta: np.ndarray, eigenvalues: np.ndarray, floor: float) -> dict[str, float] | str:
    """The statistics of a ΔW that is there as a whole.

    Args:
        delta: ΔW, shape (slices, rows, columns), float64 and finite.
        eigenvalues: of all slices' ΔWᵀΔW.
        floor: what is rounding.

    Returns:
        By name; or why there are none.
    """
    above = eigenvalues[eigenvalues > floor]
    if not above.size:
        return "ΔW is zero, or nothing but rounding"
    most = delta.shape[0] * min(delta.shape[1:])
    scale = float(np.abs(delta).max())
    blocks = (each / scale for each in delta)
    return spectral_statistics(above, most) | {"kurtosis": kurtosis(blocks, float(delta.mean()) / scale)}


def _products(a: np.ndarray, b: np.ndarray) -> Iterator[np.ndarray]:
    height = max(1, _BLOCK // a.shape[1])
    for start in range(0, b.shape[0], height):
        yield b[start : start + height] @ a
