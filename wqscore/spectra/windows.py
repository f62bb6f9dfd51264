"""Spectra of square windows of a matrix, which do not depend on its aspect ratio: FARMS.

Hu et al., "Eigenspectrum Analysis of Neural Networks without Aspect Ratio Bias", ICML 2025 (arXiv 2506.06280).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from wqscore.spectra.spectrum import Spectrum, compute_spectrum

_MAX_WINDOW = 2000
_POSITIONS = 10


def window_spectrum(slices: Iterable[np.ndarray], unit_roundoff: float) -> Spectrum:
    """Compute the pooled eigenvalues of r×r windows, r = min(2000, rows, columns).

    Windows begin at up to 10 evenly spread positions per side, the first and the last possible included, or at one
    where r equals the side. Sides beyond 10·r are not covered in full.

    `alpha_farms` is `hill_alpha(spectrum.eigenvalues, spectrum.floor)`: the floor is that of one r×r matrix with the
    windows' mean square entry and their largest eigenvalue. Up to 100 eigensolves a slice.

    Args:
        slices: one or more rows × columns arrays of one shape, any real float dtype; a convolution's are pooled.
        unit_roundoff: u of the data type the weights are stored in.

    Returns:
        A spectrum of `slices` windows of `rows` = `columns` = r. Its state is that of the windows: `zero` is possible
        for a matrix that is not zero outside of them.

    Example:
        >>> matrix = np.kron(np.ones((3, 1)), np.diag([1.0, 2.0]))  # 6×2: windows begin at rows 0, 1, 2, 3 and 4
        >>> spectrum = window_spectrum([matrix], unit_roundoff=2.0**-24)
        >>> spectrum.slices, spectrum.eigenvalues.round(12).tolist()
        (5, [1.0, 1.0, 1.0, 1.0, 1.0, 4.0, 4.0, 4.0, 4.0, 4.0])
    """
    return compute_spectrum(_windows(slices, _spread), unit_roundoff)


def published_window_spectrum(matrix: np.ndarray, unit_roundoff: float) -> Spectrum:
    """Compute the pooled eigenvalues of windows at the positions of FARMS' published code for language models.

    There the step between positions is a whole number, so that up to 8 rows or columns at the end are in no window.
    The settings are its r = 2000, aspect ratio 1 and 10 positions. It fits all of these eigenvalues by
    `published_fit_at_peak`, not by the Hill estimator; its code for image classifiers is entirely different.

    Args:
        matrix: rows × columns.
        unit_roundoff: u of the data type the weights are stored in.
    """
    return compute_spectrum(_windows([matrix], _published), unit_roundoff)


def _windows(slices: Iterable[np.ndarray], positions: Callable[[int], Iterable[int]]) -> Iterator[np.ndarray]:
    for matrix in slices:
        rows, columns = matrix.shape
        r = min(_MAX_WINDOW, rows, columns)
        for top in positions(rows - r):
            for left in positions(columns - r):
                yield matrix[top : top + r, left : left + r]


def _spread(last: int) -> list[int]:
    return sorted({k * last // (_POSITIONS - 1) for k in range(_POSITIONS)})


def _published(last: int) -> range:
    step = max(1, last // (_POSITIONS - 1))
    return range(0, last + 1, step)[:_POSITIONS]
