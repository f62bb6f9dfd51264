"""Which eigensolver is fastest at which size: one Gram matrix by every driver available from Python.

NumPy's `eigvalsh` (LAPACK's dsyevd on a copy), SciPy's `eigh` with its drivers ev, evd and evr, torch, and what
wqscore can call in place: dsyevd, the two-stage reduction dsyevd_2stage, whose band has 32 diagonals, and the same
steps with the band that wqscore takes; all in float64, eigenvalues only, on one thread. Runs alternate. For each
driver: median processor seconds, and median ratio of pairs to NumPy. The benchmark stops unless all drivers agree.
Sizes from 2,048 on have fewer runs; 8,192 runs only with `--full`.
Usage: python -m benchmarks.eigensolvers [--full]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from statistics import median

import numpy as np
import scipy.linalg
import torch

from benchmarks.machine import machine_line
from benchmarks.models import trained_looking
from benchmarks.timing import in_turn, processor_seconds, ratio
from wqscore.execution.threads import one_blas_thread
from wqscore.spectra import lapack

#: Runs, by size.
RUNS = {256: 15, 512: 15, 768: 9, 1024: 7, 2048: 3, 4096: 1}
RUNS_OF_FULL = {8192: 1}
#: Relative to the largest eigenvalue.
TOLERANCE = 1e-12

Driver = Callable[[np.ndarray], np.ndarray]


def by_scipy(driver: str) -> Driver:
    """One of SciPy's drivers."""
    return lambda product: scipy.linalg.eigh(product, eigvals_only=True, driver=driver, check_finite=False)


def by_torch(product: np.ndarray) -> np.ndarray:
    """Torch's eigenvalues."""
    return torch.linalg.eigvalsh(torch.from_numpy(product)).numpy()


def in_place(driver: str) -> Driver:
    """One of the drivers that wqscore can call in OpenBLAS; it destroys its input, so it gets a copy."""

    def solve(product: np.ndarray) -> np.ndarray:
        return lapack.eigenvalues_by(driver, product.copy())

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
        "dsyevd": in_place("dsyevd"),
        "dsyevd_2stage": in_place("dsyevd_2stage"),
        f"band of {lapack.BAND}": lambda product: lapack.eigenvalues_via_band(product.copy(), lapack.BAND),
    }
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
