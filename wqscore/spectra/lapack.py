"""BLAS and LAPACK in place, without the interpreter's lock, and with the driver that is fastest for a size.

NumPy's `eigvalsh` solves a copy, a third of the memory that a matrix takes, and has one driver. The library that
NumPy and SciPy are built with comes as a package of its own, with the C interfaces that its headers declare.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np

#: From this side on the reduction to tridiagonal form by way of a band is faster; benchmarks/eigensolvers.py.
TWO_STAGES = 2048
#: Row-major, upper triangle, transposed; column-major.
_ROW_MAJOR, _UPPER, _TRANSPOSED, _COLUMN_MAJOR = 101, 121, 112, 102


def driver(side: int) -> str:
    """LAPACK's name of what solves a matrix of that side: it decides on the last bits."""
    return "dsyevd_2stage" if side >= TWO_STAGES else "dsyevd"


def load() -> None:
    """Load the library: what limits BLAS's threads finds only what is loaded."""
    _library()


def add_gram(block: np.ndarray, total: np.ndarray) -> None:
    """Add BᵀB to a symmetric matrix, of which only the upper triangle is kept.

    Args:
        block: B, float64, row-major, shape (rows, N).
        total: float64, row-major, shape (N, N), changed in place.
    """
    rows, side = block.shape
    one = ctypes.c_double(1.0)
    _library().scipy_cblas_dsyrk(
        _ROW_MAJOR, _UPPER, _TRANSPOSED, side, rows, one, _address(block), side, one, _address(total), side
    )


def symmetric_eigenvalues(matrix: np.ndarray) -> np.ndarray:
    """Eigenvalues of a symmetric matrix, ascending; the matrix is destroyed.

    Args:
        matrix: float64, row-major, shape (N, N), finite; its upper triangle is read.

    Raises:
        np.linalg.LinAlgError: they don't converge.
        MemoryError: no memory to work in.

    Example:
        >>> symmetric_eigenvalues(np.array([[2.0, 1.0], [1.0, 2.0]])).round(12).tolist()
        [1.0, 3.0]
    """
    return eigenvalues_by(driver(len(matrix)), matrix)


def eigenvalues_by(name: str, matrix: np.ndarray) -> np.ndarray:
    """The same by one of the two drivers."""
    side = len(matrix)
    values = np.empty(side)
    # Column by column, as LAPACK works, the upper triangle is the lower one.
    job, triangle = ctypes.c_char(b"N"), ctypes.c_char(b"L")
    solve = getattr(_library(), f"scipy_LAPACKE_{name}")
    failed = solve(_COLUMN_MAJOR, job, triangle, side, _address(matrix), side, _address(values))
    if failed < 0:
        raise MemoryError(f"no memory to solve a matrix of side {side}")
    if failed:
        raise np.linalg.LinAlgError(f"{name}: the eigenvalues of a matrix of side {side} don't converge")
    return values


@cache
def _library() -> ctypes.CDLL:
    """The library; calls through ctypes release the interpreter's lock."""
    import scipy_openblas32

    folder = Path(scipy_openblas32.get_lib_dir())
    library = ctypes.CDLL(
        str(next(file for file in sorted(folder.iterdir()) if file.suffix in {".so", ".dylib", ".dll"}))
    )
    library.scipy_LAPACKE_set_nancheck(0)  # the caller has looked
    return library


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
