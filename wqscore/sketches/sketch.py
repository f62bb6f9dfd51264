"""What is kept of a matrix to compare it by: its count-sketch, its share of zeros, and how few values it has."""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np

from wqscore.checkpoints.adapters.low_rank import LowRank, delta
from wqscore.sketches.count_sketch import BUCKETS, count_sketch, sketch_of_blocks
from wqscore.sketches.kernel import SEED

#: What a stored sketch was made with; `VERSION` is raised when the same weights give another.
RECIPE = {"seed": SEED, "buckets": BUCKETS}
VERSION = 1
#: Neighbouring entries among which distinct values are counted: no more than share a scale in the usual formats.
_RUN = 32
#: Fewer entries of a run that are not 0 tell nothing.
_LEAST = 24
#: Runs that are looked at, along rows and along columns.
_RUNS = 32
#: Rows of a product of thin matrices that are formed at a time.
_ROWS = 512


@dataclass(frozen=True)
class Sketch:
    """What is kept of a matrix.

    Attributes:
        sums: the count-sketch of W/‖W‖_F, shape (BUCKETS,), float32; all 0 for a matrix without a direction: zero or
            not finite.
        zeros: the share of entries that are 0.
        levels: the most distinct values, 0 apart, among 32 neighbours, of a sample; 0 where that can't be told.
    """

    sums: np.ndarray
    zeros: float
    levels: int


def sketch_of(weights: np.ndarray | LowRank, norm: float) -> Sketch:
    """Sketch a matrix.

    Args:
        weights: shape (slices, rows, columns), any float type; or the two thin matrices that it is a product of.
        norm: ‖W‖_F.
    """
    if isinstance(weights, LowRank):
        starts = range(0, len(weights.B), _ROWS)
        blocks = (delta(weights.A, weights.B[start : start + _ROWS], weights.scale) for start in starts)
        sums, zeros = sketch_of_blocks(blocks)
        size, levels = len(weights.B) * weights.A.shape[1], 0
    else:
        sums, zeros = count_sketch(weights)
        size, levels = weights.size, _levels(weights)
    return Sketch(_of_unit(sums, norm), zeros / size, levels)


def unit_sketch(values: np.ndarray) -> np.ndarray:
    """The count-sketch of a matrix alone, of length 1, shape (BUCKETS,); all 0 for one without a direction."""
    sums = count_sketch(values)[0]
    with np.errstate(over="ignore", invalid="ignore"):
        return _of_unit(sums, sqrt(float(np.square(sums).sum())))


def sketch_value(sketch: Sketch) -> dict[str, Any]:
    """A sketch as JSON, 0.7 kB."""
    text = b64encode(np.asarray(sketch.sums, "<f4").tobytes()).decode("ascii")
    return {"sums": text, "zeros": sketch.zeros, "levels": sketch.levels}


def parse_sketch(value: Any) -> Sketch:
    """The inverse of `sketch_value`.

    Raises:
        ValueError: the value is no sketch.
    """
    if not isinstance(value, dict) or value.keys() != {"sums", "zeros", "levels"}:
        raise ValueError("not the fields of a sketch")
    zeros, levels = value["zeros"], value["levels"]
    if type(zeros) not in (int, float) or not 0 <= zeros <= 1 or type(levels) is not int or levels < 0:
        raise ValueError("not the numbers of a sketch")
    return Sketch(parse_floats(value["sums"], "<f4", (BUCKETS,)), float(zeros), levels)


def parse_floats(text: Any, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """Finite numbers from Base64, float32.

    Raises:
        ValueError: it is none, or of another size.
    """
    if not isinstance(text, str):
        raise ValueError("not Base64")
    found = np.frombuffer(b64decode(text, validate=True), dtype).astype(np.float32)
    if found.size != np.prod(shape) or not np.isfinite(found).all():
        raise ValueError("not the numbers expected")
    return found.reshape(shape)


def _of_unit(sums: np.ndarray, norm: float) -> np.ndarray:
    if not (isfinite(norm) and norm > 0 and np.isfinite(sums).all()):
        return np.zeros(BUCKETS, np.float32)
    return (sums / norm).astype(np.float32)


def _levels(weights: np.ndarray) -> int:
    """The most distinct values among neighbours along rows, or along columns if they are fewer there."""
    matrix = weights[0]
    found = [most for most in (_most_distinct(matrix), _most_distinct(matrix.T)) if most]
    return min(found, default=0)


def _most_distinct(matrix: np.ndarray) -> int:
    """The most distinct values in some runs along the rows of a matrix; 0 without a run that tells."""
    length = min(_RUN, matrix.shape[1])
    if length < _LEAST:
        return 0
    picked = np.linspace(0, len(matrix) - 1, min(_RUNS, len(matrix)), dtype=np.int64)
    # Runs start where a group of 32 does.
    starts = (picked * 7919 % max(1, matrix.shape[1] // _RUN)) * _RUN
    runs = np.sort(matrix[picked[:, None], starts[:, None] + np.arange(length)].astype(np.float64), axis=1)
    is_new = np.concatenate([np.ones((len(runs), 1), bool), runs[:, 1:] != runs[:, :-1]], axis=1)
    counts = (is_new & (runs != 0)).sum(axis=1)[(runs != 0).sum(axis=1) >= _LEAST]
    return int(counts.max()) if counts.size else 0
