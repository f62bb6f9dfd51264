"""Tell from its numbers that a stored matrix is no weight: a constant, a mask, sine waves or a filter bank.

Training leaves none of these behind. A tensor that is named as a weight is held to be one unless it is a basis or a
filter bank, so that a damaged weight, all of one value, still counts against its model.
"""

from __future__ import annotations

import re

import numpy as np

#: A word in the last component of a name that says that the tensor is a weight: `weight_hh_l0`, `Wx`, `W_0`.
_WEIGHT_WORD = re.compile(r"(?:.*_)?(?:weights?|kernels?|[Ww][xh]?\d*)(?:_.*)?", re.DOTALL)
#: Two values are looked for in the whole tensor only if its start has no third.
_START = 4096
#: The shortest wave and the fewest waves that are told from trained rows.
_MIN_WAVE, _MIN_WAVES = 32, 16
#: At most so many waves are looked at.
_SAMPLE = 32
#: Share of a wave's energy within two bins of the largest, which leakage and a Hann window leave.
_IN_PEAK = 0.9
_BESIDE_PEAK = 2
#: At least so many of the waves have frequencies of their own.
_DISTINCT = 0.25
#: A bank's filters overlap their neighbours only.
_MAX_FILLED = 0.3
#: They do overlap: a filter has at least so many entries on average, where a diagonal matrix has one a row.
_MIN_BAND = 2


def not_a_weight(name: str, values: np.ndarray, is_layers: bool = False) -> str:
    """Tell what a matrix is that is no weight.

    Args:
        name: the tensor's name.
        values: its values, of any shape; axes of size 1 are ignored.
        is_layers: whether the file's graph has a layer that takes it for its weight, whatever its name.

    Returns:
        What it is, in words; empty for a weight, and for anything not sure to be none.

    Example:
        >>> not_a_weight("block.causal", np.tril(np.ones((8, 8))))
        'two values, one of them 0: a mask'
        >>> not_a_weight("block.fc.weight", np.ones((8, 8)))
        ''
    """
    if not (is_layers or _is_weights_name(name)) and (found := _mask(values)):
        return found
    matrix = values.squeeze()
    if matrix.ndim != 2 or min(matrix.shape) < 2:
        return ""
    if _is_filter_bank(matrix) or _is_filter_bank(matrix.T):
        return "bands without negative weights: a filter bank"
    if _are_waves(matrix) or _are_waves(matrix.T):
        return "sine waves: a Fourier basis or a table of positions"
    return ""


def _is_weights_name(name: str) -> bool:
    return _WEIGHT_WORD.fullmatch(name.removesuffix(":0").replace("/", ".").rpartition(".")[2]) is not None


def _mask(values: np.ndarray) -> str:
    flat = values.reshape(-1)
    if len(_distinct(flat[:_START])) <= 2 and len(found := _distinct(flat)) <= 2:
        if len(found) == 1:
            return "" if found[0] == 0 else "one value only: a constant"
        if np.isneginf(found[0]) or 0 in found:
            return "two values, one of them 0: a mask"
    matrix = values.squeeze()
    if matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] > 2 and (_is_lower(matrix) or _is_lower(matrix.T)):
        return "triangular: a mask or a factor"
    return ""


def _distinct(values: np.ndarray) -> np.ndarray:
    """The distinct values, ascending, as float64."""
    return np.unique(values.astype(np.float64))


def _is_lower(matrix: np.ndarray) -> bool:
    """Whether everything above the diagonal is 0, the first row first, and something is not."""
    return not matrix[0, 1:].any() and not np.triu(matrix, 1).any() and bool(matrix.any())


def _is_filter_bank(matrix: np.ndarray) -> bool:
    """Whether each row is one band of positive numbers, and the bands overlap and move along with the rows."""
    first = matrix[len(matrix) // 2].astype(np.float64)
    if len(matrix) < _MIN_WAVES or (first < 0).any() or not 0 < np.count_nonzero(first) <= _MAX_FILLED * len(first):
        return False
    rows = matrix.astype(np.float64)
    if not (np.isfinite(rows).all() and (rows >= 0).all() and (rows > 0).mean() <= _MAX_FILLED):
        return False
    filled = (rows > 0)[(rows > 0).any(axis=1)]
    if np.count_nonzero(filled) < _MIN_BAND * len(filled):
        return False
    starts = filled.argmax(axis=1)
    ends = filled.shape[1] - filled[:, ::-1].argmax(axis=1)
    in_one_piece = bool((filled.sum(axis=1) == ends - starts).all())
    return (
        in_one_piece and len(filled) >= _MIN_WAVES and len(np.unique(starts)) > len(filled) // 2 and _sorted(starts)
    )


def _sorted(values: np.ndarray) -> bool:
    return bool((np.diff(values) >= 0).all())


def _are_waves(matrix: np.ndarray) -> bool:
    """Whether each row has nearly all of its energy about one frequency, and the rows have many frequencies."""
    if matrix.shape[0] < _MIN_WAVES or matrix.shape[1] < _MIN_WAVE:
        return False
    chosen = np.unique(np.linspace(0, len(matrix) - 1, _SAMPLE).astype(int))
    rows = matrix[chosen].astype(np.float64)
    rows = rows[np.isfinite(rows).all(axis=1) & (np.abs(rows) > 1e-6).any(axis=1)]
    if len(rows) < len(chosen) // 2:
        return False
    rows /= np.abs(rows).max(axis=1, keepdims=True)
    energy = np.abs(np.fft.rfft(rows, axis=1)) ** 2
    peaks = energy.argmax(axis=1)
    bins = np.arange(energy.shape[1])
    near = np.abs(bins[None, :] - peaks[:, None]) <= _BESIDE_PEAK
    in_peak = (energy * near).sum(axis=1) >= _IN_PEAK * energy.sum(axis=1)
    return bool(in_peak.all()) and len(np.unique(peaks)) >= max(_DISTINCT * len(rows), 3)
