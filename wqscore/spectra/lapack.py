"""BLAS and LAPACK routines that work in place and let other threads run.

NumPy's `eigvalsh` solves a copy, a third of the memory that a matrix takes, and SciPy's wrappers keep the
interpreter's lock. SciPy publishes where its routines lie for compiled callers, and numba reads that.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np

#: What solves: LAPACK's divide and conquer driver, which for eigenvalues alone is Pal, Walker and Kahan's QR.
DRIVER = "dsyevd"

_Routine = Callable[..., None]


def load() -> None:
    """Load the routines' library: what limits BLAS's threads finds only what is loaded."""
    _routine("scipy.linalg.cython_lapack", DRIVER, 11)
    _routine("scipy.linalg.cython_blas", "dsyrk", 10)


def add_gram(block: np.ndarray, total: np.ndarray) -> None:
    """Add BᵀB to a symmetric matrix, of which only the upper triangle is kept.

    Args:
        block: B, float64, row-major, shape (rows, N).
        total: float64, row-major, shape (N, N), changed in place.
    """
    rows, side = block.shape
    # Fortran sees the transposes: its lower triangle is this one's upper.
    _call(
        _routine("scipy.linalg.cython_blas", "dsyrk", 10),
        b"L",
        b"N",
        ctypes.c_int(side),
        ctypes.c_int(rows),
        ctypes.c_double(1.0),
        block,
        ctypes.c_int(side),
        ctypes.c_double(1.0),
        total,
        ctypes.c_int(side),
    )


def symmetric_eigenvalues(matrix: np.ndarray) -> np.ndarray:
    """Eigenvalues of a symmetric matrix, ascending; the matrix is destroyed.

    Args:
        matrix: float64, row-major, shape (N, N), finite; its upper triangle is read.

    Raises:
        np.linalg.LinAlgError: they don't converge.

    Example:
        >>> symmetric_eigenvalues(np.array([[2.0, 1.0], [1.0, 2.0]])).round(12).tolist()
        [1.0, 3.0]
    """
    side = len(matrix)
    values, size, info = np.empty(side), ctypes.c_int(side), ctypes.c_int(0)
    solve = _routine("scipy.linalg.cython_lapack", DRIVER, 11)
    best, best_int, ask = np.empty(1), np.empty(1, np.intc), ctypes.c_int(-1)
    _call(solve, b"N", b"L", size, matrix, size, values, best, ask, best_int, ask, info)
    work, integers = np.empty(int(best[0])), np.empty(int(best_int[0]), np.intc)
    lengths = ctypes.c_int(work.size), ctypes.c_int(integers.size)
    _call(solve, b"N", b"L", size, matrix, size, values, work, lengths[0], integers, lengths[1], info)
    if info.value:
        raise np.linalg.LinAlgError(f"{DRIVER}: the eigenvalues of a matrix of side {side} don't converge")
    return values


@cache
def _routine(module: str, name: str, arguments: int) -> _Routine:
    from numba.extending import get_cython_function_address

    # Calls through ctypes release the interpreter's lock.
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)
    return kind(get_cython_function_address(module, name))


def _call(routine: _Routine, *arguments: bytes | np.ndarray | ctypes.c_int | ctypes.c_double) -> None:
    """Call a Fortran routine, which takes the address of everything."""
    kept = [ctypes.c_char(each) if isinstance(each, bytes) else each for each in arguments]
    routine(*(each.ctypes.data if isinstance(each, np.ndarray) else ctypes.addressof(each) for each in kept))
