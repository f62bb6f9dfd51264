"""The power-law fit alone: the compiled kernel and WeightWatcher's `WWFit` on the same eigenvalues.

Both use every point but the last as a candidate, and must give the same alpha. Medians of alternating runs after one
warm-up run of each. Usage: python -m benchmarks.fit_speed
"""

from __future__ import annotations

import contextlib
import io
import logging
from statistics import median

import numpy as np

from benchmarks.machine import machine_line
from benchmarks.timing import seconds
from wqscore.fits.power_law import fit_power_law

RUNS = 7
SIZES = (256, 512, 1024, 2048, 4096)


def spectra(n: int) -> dict[str, np.ndarray]:
    """Three kinds of n eigenvalues: noise, heavy-tailed entries, a decaying bulk."""
    rng = np.random.default_rng(n)
    matrices = {
        "gaussian": rng.standard_normal((n, n)),
        "student-3": rng.standard_t(3, (n, n)),
        "decaying": rng.standard_normal((n, n)) * np.arange(1, n + 1) ** -0.5,
    }
    return {kind: np.maximum(np.linalg.eigvalsh(w.T @ w), 0) for kind, w in matrices.items()}


def main() -> None:
    """Print the table."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        from weightwatcher.WW_powerlaw import WWFit
    logging.getLogger().setLevel(logging.ERROR)
    print(machine_line(["wqscore", "numpy", "numba", "weightwatcher"]))
    print(f"{'eigenvalues':>11} {'spectrum':>10} {'wqscore ms':>11} {'WeightWatcher ms':>17} {'ratio':>6}")
    for n in SIZES:
        for kind, eigenvalues in spectra(n).items():
            values = eigenvalues[eigenvalues > 1e-5]
            fit = fit_power_law(values, candidates="every-point")
            theirs = WWFit(values)
            assert fit is not None
            assert abs(fit.alpha - theirs.alpha) < 1e-9 * fit.alpha, "the two fits differ"
            ours_s, theirs_s = [], []
            for _ in range(RUNS):
                ours_s.append(seconds(lambda v=values: fit_power_law(v, candidates="every-point")))
                theirs_s.append(seconds(lambda v=values: WWFit(v)))
            a, b = median(ours_s), median(theirs_s)
            print(f"{n:>11} {kind:>10} {a * 1e3:>11.3f} {b * 1e3:>17.1f} {b / a:>6.0f}")


if __name__ == "__main__":
    main()
