"""How localised singular vectors are: over how many entries each one spreads, in the bulk and in the tail.

A noise vector has Gaussian entries and spreads over all of them; one that has learnt few inputs is large on those.

Source: Martin & Mahoney, "Implicit self-regularization in deep neural networks", arXiv 1810.01075, and
WeightWatcher 0.7.7, `analyze(vectors=True)`, whose columns these are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import nan

import numpy as np

from wqscore.spectra.vectors import singular_vectors

_BINS = 100
#: Added to every bin's density, as WeightWatcher does.
_DENSITY_OFFSET = 1e-10
#: Bin width where all entries are equal: `numpy.histogram` then takes a range of 1.
_WIDTH_OF_NO_RANGE = 1 / _BINS
#: Vectors binned at a time: larger arrays of bin numbers cost more than they save.
_BLOCK = 64


@dataclass(frozen=True)
class VectorStatistics:
    """Mean and population variance over some of a matrix's vectors; NaN where there is none.

    Attributes:
        mean_vec_entropy: mean of `vector_entropy`.
        var_vec_entropy: its variance.
        mean_loc_ratio: mean of `localisation_ratio`.
        var_loc_ratio: its variance.
        mean_part_ratio: mean of `participation_ratio`.
        var_part_ratio: its variance.
    """

    mean_vec_entropy: float = nan
    var_vec_entropy: float = nan
    mean_loc_ratio: float = nan
    var_loc_ratio: float = nan
    mean_part_ratio: float = nan
    var_part_ratio: float = nan


@dataclass(frozen=True)
class VectorLocalisation:
    """Localisation of the singular vectors of one weight matrix.

    Attributes:
        bulk: over the vectors with λ < xmin.
        tail: over those with λ ≥ xmin.
    """

    bulk: VectorStatistics
    tail: VectorStatistics


def localise(slices: Iterable[np.ndarray], n_tail: int | None) -> VectorLocalisation:
    """Measure the singular vectors of a matrix, or those of a convolution's slices pooled.

    The tail is counted from the top rather than compared with xmin, an eigenvalue whose last bits depend on the
    solver. Vectors of a null space are an arbitrary basis of it, and count in the bulk.

    Args:
        slices: one or more rows × columns arrays of one shape, any real float dtype.
        n_tail: eigenvalues of all slices that are ≥ xmin; `None` where there is no fit.

    Returns:
        All NaN where there is no fit, or an entry is not finite.

    Example:
        >>> localise([np.diag([1.0, 2.0, 3.0])], n_tail=1).tail.mean_loc_ratio  # each vector is one entry
        1.0
    """
    eigenvalues, measured = [], []
    for matrix in slices if n_tail is not None else ():
        values, vectors = singular_vectors(matrix)
        if not values.size:
            return VectorLocalisation(VectorStatistics(), VectorStatistics())
        eigenvalues.append(values)
        measured.append(_measure(vectors))
    if n_tail is None or not measured:
        return VectorLocalisation(VectorStatistics(), VectorStatistics())
    order = np.argsort(np.concatenate(eigenvalues), kind="stable")
    ascending = np.concatenate(measured, axis=1)[:, order]
    bulk = max(order.size - n_tail, 0)
    return VectorLocalisation(_statistics(ascending[:, :bulk]), _statistics(ascending[:, bulk:]))


def localisation_ratio(vectors: np.ndarray) -> np.ndarray:
    """‖v‖₁/‖v‖_∞ of each column: 1 for a single entry, n for n entries of one size.

    Args:
        vectors: shape (n, k), no column 0.

    Example:
        >>> localisation_ratio(np.array([[1.0, 0.5], [0.0, -0.5], [0.0, 0.5], [0.0, 0.5]])).tolist()
        [1.0, 4.0]
    """
    sizes = np.abs(vectors)
    ratio: np.ndarray = sizes.sum(axis=0) / sizes.max(axis=0)
    return ratio


def participation_ratio(vectors: np.ndarray) -> np.ndarray:
    """‖v‖₂/‖v‖₄ of each column: 1 for a single entry, n^(1/4) for n entries of one size.

    Args:
        vectors: shape (n, k), no column 0.

    Example:
        >>> participation_ratio(np.full((16, 1), 0.25)).tolist()
        [2.0]
    """
    squares = vectors**2
    ratio: np.ndarray = np.sqrt(squares.sum(axis=0)) / (squares**2).sum(axis=0) ** 0.25
    return ratio


def vector_entropy(vectors: np.ndarray) -> np.ndarray:
    """−Σ p ln p of each column, p the normalised 100-bin histogram of |v| over its range; at most ln 100.

    Source: WeightWatcher 0.7.7, `RMT_Util.discrete_entropy`; the mean of |v| that it subtracts shifts the bins with
    the entries. Entries that differ only by rounding fill one bin; a histogram of them would show rounding noise.

    Args:
        vectors: shape (n, k), columns of unit length.

    Example:
        >>> vector_entropy(np.array([[0.6], [0.8]])).round(6).tolist()  # two bins, one entry each
        [0.693147]
    """
    sizes = np.ascontiguousarray(np.abs(vectors).T)
    columns, entries = sizes.shape
    sizes -= sizes.mean(axis=1, keepdims=True)
    smallest = sizes.min(axis=1, keepdims=True)
    extent = sizes.max(axis=1, keepdims=True) - smallest
    rounding = entries * float(np.finfo(np.float64).eps)
    width = np.where(extent > rounding, extent / _BINS, _WIDTH_OF_NO_RANGE)
    bins = np.minimum(((sizes - smallest) / width).astype(np.int64), _BINS - 1)
    bins += _BINS * np.arange(columns)[:, np.newaxis]
    counts = np.bincount(bins.ravel(), minlength=_BINS * columns).reshape(columns, _BINS)
    p = counts / (entries * width) + _DENSITY_OFFSET
    p /= p.sum(axis=1, keepdims=True)
    entropy: np.ndarray = -(p * np.log(p)).sum(axis=1)
    return entropy


def _measure(vectors: np.ndarray) -> np.ndarray:
    """Entropy, localisation ratio and participation ratio of each column; shape (3, k)."""
    blocks = (vectors[:, start : start + _BLOCK] for start in range(0, vectors.shape[1], _BLOCK))
    measures = (vector_entropy, localisation_ratio, participation_ratio)
    return np.concatenate([np.stack([measure(block) for measure in measures]) for block in blocks], axis=1)


def _statistics(measured: np.ndarray) -> VectorStatistics:
    """Mean and variance of each of the three rows."""
    if not measured.shape[1]:
        return VectorStatistics()
    (entropy, entropy_var), (loc, loc_var), (part, part_var) = (
        (float(row.mean()), float(row.var())) for row in measured
    )
    return VectorStatistics(entropy, entropy_var, loc, loc_var, part, part_var)
