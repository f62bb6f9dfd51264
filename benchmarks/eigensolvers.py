"""What a better eigensolver could still win: the eigenvalues of one Gram matrix by every driver that Python reaches.

NumPy's `eigvalsh`, which wqscore calls, is LAPACK's syevd. Beside it SciPy's `eigh` with its drivers ev, evd and evr,
LAPACK's two-stage reduction dsyevd_2stage (called in SciPy's own OpenBLAS, for no function of SciPy leads to it), and
torch; all in float64, eigenvalues only, on one thread. Runs alternate; beside each driver's median of processor
seconds stands the median ratio of pairs to NumPy's. All agree, or the benchmark stops. Sizes from 2,048 on have fewer
runs, and 8,192 comes with `--full` alone. Usage: python -m benchmarks.eigensolvers [--full]
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import scipy
import scipy.linalg
import torch

from benchmarks.machine import machine_line
from benchmarks.models import trained_looking
from benchmarks.timing import in_turn, processor_seconds, ratio
from wqscore.execution import one_blas_thread

#: Sizes, and how many runs each has.
RUNS = {256: 15, 512: 15, 768: 9, 1024: 7, 2048: 3, 4096: 1}
RUNS_OF_FULL = {8192: 1}
#: Of the largest eigenvalue.
TOLERANCE = 1e-12

Driver = Callable[[np.ndarray], np.ndarray]


def by_scipy(driver: str) -> Driver:
    """One of SciPy's drivers."""
    return lambda product: scipy.linalg.eigh(product, eigvals_only=True, driver=driver, check_finite=False)


def by_torch(product: np.ndarray) -> np.ndarray:
    """Torch's eigenvalues."""
    return torch.linalg.eigvalsh(torch.from_numpy(product)).numpy()


def two_stage() -> Driver | None:
    """LAPACK's dsyevd_2stage; `None` where SciPy's wheel does not bring an OpenBLAS of its own."""
    libraries = sorted(Path(scipy.__file__).parent.with_name("scipy.libs").glob("libscipy_openblas*"))
    if not libraries:
        return None
    dsyevd_2stage = ctypes.CDLL(str(libraries[0])).scipy_dsyevd_2stage_

    def call(a: np.ndarray, eigenvalues: np.ndarray, work: np.ndarray, whole: np.ndarray, query: bool) -> None:
        n, info = ctypes.c_int(a.shape[0]), ctypes.c_int()
        sizes = (ctypes.c_int(-1 if query else array.size) for array in (work, whole))
        of_work, of_whole = map(ctypes.byref, sizes)
        order = ctypes.byref(n)
        matrix, values, doubles, integers = (
            each.ctypes.data_as(ctypes.c_void_p) for each in (a, eigenvalues, work, whole)
        )
        # Fortran wants the lengths of the two strings last.
        one = ctypes.c_size_t(1)
        dsyevd_2stage(
            b"N",
            b"L",
            order,
            matrix,
            order,
            values,
            doubles,
            of_work,
            integers,
            of_whole,
            ctypes.byref(info),
            one,
            one,
        )
        assert info.value == 0, f"dsyevd_2stage: {info.value}"

    def solve(product: np.ndarray) -> np.ndarray:
        # Symmetric, so that its rows may be taken for columns.
        a, eigenvalues = product.copy(), np.empty(product.shape[0])
        work, whole = np.empty(1), np.empty(1, np.int32)
        call(a, eigenvalues, work, whole, query=True)
        call(a, eigenvalues, np.empty(int(work[0])), np.empty(int(whole[0]), np.int32), query=False)
        return eigenvalues

    return solve


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    drivers: dict[str, Driver] = {
        "numpy": np.linalg.eigvalsh,
        "scipy ev": by_scipy("ev"),
        "scipy evd": by_scipy("evd"),
        "scipy evr": by_scipy("evr"),
        "torch": by_torch,
    }
    staged = two_stage()
    if staged:
        drivers["dsyevd_2stage"] = staged
    print(machine_line(["wqscore", "numpy", "scipy", "torch"]))
    print(f"{'size':>5} {'runs':>4} {'Gram':>8} " + " ".join(f"{name:>15}" for name in drivers))
    with one_blas_thread():
        for size, runs in (RUNS | (RUNS_OF_FULL if "--full" in sys.argv[1:] else {})).items():
            weights = trained_looking((size, size), size).astype(np.float64)
            product = weights.T @ weights
            expected = np.linalg.eigvalsh(product)
            for name, driver in drivers.items() if size < min(RUNS_OF_FULL) else ():
                error = np.abs(driver(product) - expected).max() / expected[-1]
                assert error < TOLERANCE, f"{name} differs by {error} at {size}"
            calls = {name: lambda d=driver, p=product: d(p) for name, driver in drivers.items()}
            taken = in_turn({"Gram": lambda w=weights: w.T @ w, **calls}, runs, processor_seconds)
            cells = (f"{median(taken[name]):>9.4f} {ratio(taken, name, 'numpy'):>5.2f}" for name in drivers)
            print(f"{size:>5} {runs:>4} {median(taken['Gram']):>8.4f} {' '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
