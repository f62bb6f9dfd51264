"""Call BLAS and LAPACK in place, without the interpreter's lock, with the fastest driver for the matrix's size.

NumPy's `eigvalsh` solves a copy, a third of the memory that a matrix takes, and has one driver. The library that
NumPy and SciPy are built with is also a separate package, scipy_openblas32, with the C interfaces of its headers.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np

#: From this side length on, reduction to tridiagonal form via a band matrix is faster; benchmarks/eigensolvers.py.
TWO_STAGES = 2048
#: Row-major, upper triangle, as it is and transposed; column-major.
_ROW_MAJOR, _UPPER, _PLAIN, _TRANSPOSED, _COLUMN_MAJOR = 101, 121, 111, 112, 102


def driver(side: int) -> str:
    """Return the LAPACK driver for a matrix of that side; the driver affects the last bits of the result."""
    return "dsyevd_2stage" if side >= TWO_STAGES else "dsyevd"


def load() -> None:
    """Load the library, so that limits on BLAS threads apply to it: they reach only loaded libraries."""
    _library()


def add_gram(block: np.ndarray, total: np.ndarray) -> None:
    """Add BᵀB to a symmetric matrix, of which only the upper triangle is stored.

    Args:
        block: B, float64, row-major or column-major without gaps, shape (rows, N); the same bits either way.
        total: float64, row-major, shape (N, N), changed in place.
    """
    rows, side = block.shape
    one = ctypes.c_double(1.0)
    form, width = (_TRANSPOSED, side) if block.flags.c_contiguous else (_PLAIN, rows)
    _library().scipy_cblas_dsyrk(
        _ROW_MAJOR, _UPPER, form, side, rows, one, _address(block), width, one, _address(total), side
    )


def symmetric_eigenvalues(matrix: np.ndarray) -> np.ndarray:
    """Return the eigenvalues of a symmetric matrix, ascending; the matrix is overwritten.

    Args:
        matrix: float64, row-major, shape (N, N), finite; its upper triangle is read.

    Raises:
        np.linalg.LinAlgError: the eigenvalues don't converge.
        MemoryError: LAPACK can't allocate its workspace.

    Example:
        >>> symmetric_eigenvalues(np.array([[2.0, 1.0], [1.0, 2.0]])).round(12).tolist()
        [1.0, 3.0]
    """
    return eigenvalues_by(driver(len(matrix)), matrix)


def eigenvalues_by(name: str, matrix: np.ndarray) -> np.ndarray:
    """Like `symmetric_eigenvalues`, with the named driver."""
    side = len(matrix)
    values = np.empty(side)
    # LAPACK is column-major: there the upper triangle of a row-major matrix is the lower one.
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
    """Load the library; calls through ctypes release the interpreter's lock."""
    import scipy_openblas32

    folder = Path(scipy_openblas32.get_lib_dir())
    library = ctypes.CDLL(
        str(next(file for file in sorted(folder.iterdir()) if file.suffix in {".so", ".dylib", ".dll"}))
    )
    library.scipy_LAPACKE_set_nancheck(0)  # the caller has looked
    return library


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
