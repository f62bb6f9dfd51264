"""Fingerprints of a matrix's leading singular directions, by which matrices of different shapes can be compared."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np

from wqscore.sketches.kernel import SEED
from wqscore.sketches.sketch import parse_floats
from wqscore.spectra.eigenvalues import BLOCK_ROWS, gram

#: Leading directions, and the numbers kept of each.
COUNT, SIGNS = 4, 16
#: What stored fingerprints were made with; `VERSION` is raised when the same weights give others.
RECIPE = {"seed": SEED, "count": COUNT, "signs": SIGNS}
VERSION = 1
_SHAPE = (2, COUNT, SIGNS)
#: Up to this side all directions are solved for.
_SMALL = 160
#: Steps of Lanczos for larger ones, and the residual, over λ_max, up to which a direction is believed.
_STEPS, _RESIDUAL = 120, 1e-4
#: A direction whose eigenvalue is as near as this to the next, relatively, can be any in their plane.
_GAP = 1e-3
#: Eigenvalues of a Gram matrix below this share of its largest entry are rounding.
_RESOLVED = 1e-10
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def directions_of(weights: np.ndarray) -> np.ndarray:
    """Return the fingerprints of the leading left and right singular vectors, float32.

    Args:
        weights: shape (slices, rows, columns), any float type.

    Returns:
        Shape (2, COUNT, SIGNS), left ones first: the sums of a vector's entries with fixed random signs, after its
        largest entry is made positive. All 0 for a direction that is not defined: of several slices, of a matrix that
        is zero or not finite, or of an eigenvalue that its neighbour nearly equals.
    """
    found = np.zeros(_SHAPE, np.float32)
    matrix = weights[0]
    if len(weights) > 1:
        return found
    is_tall = matrix.shape[0] >= matrix.shape[1]
    with np.errstate(over="ignore", invalid="ignore"):
        product = gram(matrix)
    if not np.isfinite(product).all() or not product.any():
        return found
    # In place, since it may be as large as the matrix.
    product /= product.diagonal().max()
    values, vectors = _leading(product)
    others = _images(matrix if is_tall else matrix.T, vectors[:, :COUNT])
    for place in range(min(COUNT, len(values))):
        after = values[place + 1] if place + 1 < len(values) else 0.0
        before = values[place - 1] if place else np.inf
        gap = min(values[place] - after, before - values[place])
        if not (values[place] > _RESOLVED and gap > _GAP * values[place]):
            continue
        pair = (others[:, place], vectors[:, place]) if is_tall else (vectors[:, place], others[:, place])
        for side, vector in enumerate(pair):
            found[side, place] = _fingerprint(vector / np.linalg.norm(vector))
    # As the store keeps them, so that numbers are the same with and without it.
    return found.astype(np.float16).astype(np.float32)


def directions_value(found: np.ndarray) -> str:
    """Fingerprints as JSON, 256 bytes in Base64."""
    return b64encode(found.astype("<f2").tobytes()).decode("ascii")


def parse_directions(value: Any) -> np.ndarray:
    """The inverse of `directions_value`.

    Raises:
        ValueError: the value is none.
    """
    return parse_floats(value, "<f2", _SHAPE)


def _leading(product: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues that can be believed, descending, one more than needed, and their vectors."""
    size = len(product)
    if size <= _SMALL:
        values, vectors = np.linalg.eigh(product)
        return values[::-1][: COUNT + 1], vectors[:, ::-1][:, : COUNT + 1]
    basis, diagonal, below = np.empty((_STEPS, size)), np.zeros(_STEPS), np.zeros(_STEPS)
    vector = _signs(size)[:, 0] / np.sqrt(size)
    for step in range(_STEPS):
        basis[step] = vector
        image = product @ vector
        diagonal[step] = vector @ image
        for _ in range(2):
            image -= basis[: step + 1].T @ (basis[: step + 1] @ image)
        below[step] = np.linalg.norm(image)
        vector = image / max(float(below[step]), np.finfo(float).tiny)
    ritz, within = np.linalg.eigh(np.diag(diagonal) + np.diag(below[:-1], 1) + np.diag(below[:-1], -1))
    ritz, within = ritz[::-1][: COUNT + 1], within[:, ::-1][:, : COUNT + 1]
    believed = int(np.cumprod(below[-1] * np.abs(within[-1]) <= _RESIDUAL * ritz[0]).sum())
    return ritz[:believed], basis.T @ within[:, :believed]


def _images(tall: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """W times some vectors, a block of rows at a time, float64."""
    starts = range(0, len(tall), BLOCK_ROWS)
    return np.concatenate([tall[start : start + BLOCK_ROWS].astype(np.float64) @ vectors for start in starts])


def _fingerprint(vector: np.ndarray) -> np.ndarray:
    largest = vector[np.abs(vector).argmax()]
    found: np.ndarray = np.sign(largest) * (vector @ _signs(len(vector)))
    return found


def _signs(length: int) -> np.ndarray:
    """Fixed random signs, shape (length, SIGNS); those of a place don't depend on the length."""
    codes = np.arange(length, dtype=np.uint64) + np.uint64(SEED)
    codes = (codes ^ (codes >> np.uint64(30))) * _MIX[0]
    codes = (codes ^ (codes >> np.uint64(27))) * _MIX[1]
    bits = (codes ^ (codes >> np.uint64(31)))[:, None] >> np.arange(SIGNS, dtype=np.uint64)
    return np.where(bits & np.uint64(1), 1.0, -1.0)
