"""A fixed-seed sketch of a matrix, by which two of one shape are found to be alike without keeping either.

Count-sketch: a hash of seed, row and column gives each entry a bucket and a sign (Charikar, Chen & Farach-Colton,
"Finding frequent items in data streams", ICALP 2002). The cosine of two sketches estimates that of the matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wqscore.integrity.contents import digest

#: Decides the hash: sketches of another seed can't be compared with these.
SEED = 20260101
#: The cosine of unrelated matrices' sketches has the standard error 1/√128 = 0.09.
BUCKETS = 128
#: Entries hashed at a time.
_BLOCK = 1 << 20
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
#: Signs are the hash's lowest bit.
_ONE = np.uint64(1)


@dataclass(frozen=True)
class Fingerprint:
    """What identifies a matrix by its contents.

    Attributes:
        digest: of its values as stored.
        sketch: shape (BUCKETS,), of length 1; all 0 for a matrix without a direction: zero or not finite.
    """

    digest: bytes
    sketch: np.ndarray


def fingerprint(values: np.ndarray) -> Fingerprint:
    """Return the digest and the sketch of a matrix, shape (slices, rows, columns)."""
    return Fingerprint(digest(values), sketch(values))


def sketch(values: np.ndarray) -> np.ndarray:
    """Return a matrix's sketch, of length 1.

    Args:
        values: shape (slices, rows, columns), any float type.
    """
    rows = values.reshape(-1, values.shape[-1])
    total = np.zeros(BUCKETS)
    height = max(1, _BLOCK // rows.shape[1])
    for start in range(0, len(rows), height):
        block = np.asarray(rows[start : start + height], dtype=np.float64)
        hashed = _hashed(np.arange(start, start + len(block), dtype=np.uint64), rows.shape[1])
        signs = np.where(hashed & _ONE, 1.0, -1.0)
        buckets = ((hashed >> _ONE) % np.uint64(BUCKETS)).astype(np.intp)
        with np.errstate(invalid="ignore", over="ignore"):
            total += np.bincount(buckets.ravel(), (signs * block).ravel(), BUCKETS)
    length = float(np.sqrt(np.square(total).sum()))
    return total / length if 0 < length < np.inf else np.zeros(BUCKETS)


def _hashed(rows: np.ndarray, columns: int) -> np.ndarray:
    """A hash of the seed and each row and column, shape (rows, columns)."""
    of_rows = _mixed(rows + np.uint64(SEED))
    return _mixed(of_rows[:, None] ^ (np.arange(columns, dtype=np.uint64) * _GOLDEN)[None, :])


def _mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea & Flood, OOPSLA 2014)."""
    values = (values + _GOLDEN).astype(np.uint64)
    values = (values ^ (values >> np.uint64(30))) * _MIX[0]
    values = (values ^ (values >> np.uint64(27))) * _MIX[1]
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed
