"""Call BLAS and LAPACK in place, without the interpreter's lock, with the fastest driver for the matrix's size.

NumPy's `eigvalsh` solves a copy, a third of the memory that a matrix takes, and has one driver. The library that
NumPy and SciPy are built with is also a separate package, scipy_openblas32, with the C interfaces of its headers.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np

#: From this side length on, matrices are reduced to tridiagonal form via a band matrix; benchmarks/eigensolvers.py.
TWO_STAGES = 2048
#: Diagonals of the band below the main one. LAPACK takes 32: from 3,072 on that is slower by 6 %.
BAND = 48
#: The steps of `dsyevd_2stage` with that band.
VIA_BAND = f"dsyevd_2stage, band of {BAND}"
#: Beyond these magnitudes squares of entries over- or underflow; LAPACK's drivers scale at the same ones.
_SMALLEST, _LARGEST = 2.0**-485, 2.0**485
#: Row-major, upper triangle, as it is and transposed; column-major.
_ROW_MAJOR, _UPPER, _PLAIN, _TRANSPOSED, _COLUMN_MAJOR = 101, 121, 111, 112, 102


def driver(side: int) -> str:
    """Return the LAPACK driver for a matrix of that side; the driver affects the last bits of the result."""
    return VIA_BAND if side >= TWO_STAGES else "dsyevd"


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
    name = driver(len(matrix))
    return eigenvalues_via_band(matrix, BAND) if name == VIA_BAND else eigenvalues_by(name, matrix)


def eigenvalues_by(name: str, matrix: np.ndarray) -> np.ndarray:
    """Like `symmetric_eigenvalues`, with the named driver of LAPACK."""
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


def eigenvalues_via_band(matrix: np.ndarray, width: int) -> np.ndarray:
    """Like `symmetric_eigenvalues`, by reduction to a band matrix and from there to a tridiagonal one.

    Source: Haidar, Ltaief & Dongarra, "Parallel reduction to condensed forms for symmetric eigenvalue problems using
    aggregated fine-grained and memory-aware kernels", SC 2011.

    Args:
        matrix: as there; its side is larger than the width.
        width: diagonals of the band below the main one.
    """
    side = len(matrix)
    factor = _scaled(matrix)
    band = np.empty((side, width + 1))
    reflectors, diagonal, beside = np.empty((3, side))
    # LAPACK is column-major: there the upper triangle of a row-major matrix is the lower one.
    first = (b"L", side, width, matrix, side, band, width + 1, reflectors)
    space = np.empty(1)
    fortran("dsytrd_sy2sb", *first, space, -1)
    space = np.empty(int(space[0]))
    fortran("dsytrd_sy2sb", *first, space, space.size)
    second = (b"Y", b"N", b"L", side, width, band, width + 1, diagonal, beside)
    chased, space = np.empty(1), np.empty(1)
    fortran("dsytrd_sb2st", *second, chased, -1, space, -1)
    chased, space = np.empty(int(chased[0])), np.empty(int(space[0]))
    fortran("dsytrd_sb2st", *second, chased, chased.size, space, space.size)
    fortran("dsterf", side, diagonal, beside)
    return diagonal / factor


def _scaled(matrix: np.ndarray) -> float:
    """Scale a matrix whose squares would over- or underflow, by a power of 2 that is returned."""
    largest = max(float(matrix.max()), -float(matrix.min()))
    if largest == 0 or _SMALLEST <= largest <= _LARGEST:
        return 1.0
    factor = 2.0 ** min(-int(np.frexp(largest)[1]), 1000)
    matrix *= factor
    return float(factor)


def fortran(name: str, *arguments: bytes | int | np.ndarray) -> None:
    """Call a routine of LAPACK by its Fortran name: letters and numbers by their addresses, letters' lengths last.

    Raises:
        np.linalg.LinAlgError: it fails.
    """
    failed = ctypes.c_int(0)
    passed: list[object] = []
    for each in arguments:
        if isinstance(each, np.ndarray):
            passed.append(_address(each))
        else:
            passed.append(ctypes.byref(ctypes.c_char(each) if isinstance(each, bytes) else ctypes.c_int(each)))
    lengths = [ctypes.c_size_t(1) for each in arguments if isinstance(each, bytes)]
    getattr(_library(), f"scipy_{name}_")(*passed, ctypes.byref(failed), *lengths)
    if failed.value:
        raise np.linalg.LinAlgError(f"{name} fails: {failed.value}")


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
