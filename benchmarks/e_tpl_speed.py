"""E-TPL on 768 eigenvalues: wqscore's fit and powerlaw 1.5's, which WeightWatcher's `fit="E_TPL"` calls.

In every row both fit the same candidates for xmin; the benchmark stops unless they find the same law. The definition
takes the candidates within 5 % of the ESD's mode. WeightWatcher 0.7.7 takes many more: the lower end of its window is
log10(0.95·mode) by mistake, here below every eigenvalue. That call takes a minute or more; it is timed once, only
with `--full`.

Usage: python -m benchmarks.e_tpl_speed [--full]
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.machine import machine_line
from wqscore.execution.threads import one_blas_thread
from wqscore.fits.mode import esd_mode, starts_at_mode
from wqscore.fits.tempered_scan import best_start
from wqscore.fits.truncated_power_law import fit_e_tpl, fit_truncated_power_law

SIZE = 768
RUNS = 25
THEIR_RUNS = 3
#: Absolute for α, relative for Λ: powerlaw's search ends about 1e-4 from the optimum.
TOLERANCE = 1e-3


def eigenvalues() -> np.ndarray:
    """Eigenvalues of a 3072×768 matrix with decaying columns and entries of the size of trained weights."""
    weights = 0.04 * np.random.default_rng(SIZE).standard_normal((4 * SIZE, SIZE)) * np.arange(1, SIZE + 1) ** -0.5
    return np.linalg.eigvalsh(weights.T @ weights)


def timed(function: Callable[[], tuple[float, float]], runs: int) -> tuple[tuple[float, float], float]:
    """A function's result and the median wall time of its calls, in seconds."""
    seconds = []
    for _ in range(runs):
        start = perf_counter()
        result = function()
        seconds.append(perf_counter() - start)
    return result, median(seconds)


def powerlaw_fit(values: np.ndarray, starts: np.ndarray) -> tuple[float, float]:
    """α and Λ by powerlaw, called as WeightWatcher does; `starts` are the consecutive indices of the candidates."""
    from weightwatcher.WW_powerlaw import pl_fit

    # powerlaw leaves out the last eigenvalue of the range.
    ends = float(values[starts[0]]), float(values[starts[-1] + 1])
    kind = "truncated_power_law"
    fit = pl_fit(data=values, xmin=ends, distribution=kind, pl_package="powerlaw").truncated_power_law
    return fit.alpha, fit.Lambda


def weightwatcher_fit(values: np.ndarray) -> tuple[float, float]:
    """α and Λ by the call that `analyze(fit="E_TPL", pl_package="powerlaw")` makes."""
    from weightwatcher import WeightWatcher

    alpha, Lambda, *_ = WeightWatcher().fit_powerlaw(
        values, plot=False, fix_fingers="xmin_peak", fit_type="truncated_power_law", pl_package="powerlaw"
    )
    return alpha, Lambda


def scan(values: np.ndarray, starts: np.ndarray) -> tuple[float, float]:
    """α and Λ by wqscore's scan over any candidates."""
    _, alpha, rate, *_ = best_start(np.log(values / values[-1]), starts)
    return alpha, rate / float(values[-1])


def at(values: np.ndarray, xmin: float | None = None) -> tuple[float, float]:
    """α and Λ of wqscore's fit at `xmin`, or of its E-TPL without one."""
    fit = fit_truncated_power_law(values, xmin=xmin) if xmin else fit_e_tpl(values)
    assert fit is not None
    return fit.alpha, fit.Lambda


def compare(
    name: str, ours: Callable[[], tuple[float, float]], theirs: Callable[[], tuple[float, float]], runs: int
) -> None:
    """Time both sides after one warm-up run of wqscore, and print a line of the table."""
    ours()
    (alpha, Lambda), our_seconds = timed(ours, RUNS)
    (their_alpha, their_Lambda), their_seconds = timed(theirs, runs)
    same = abs(alpha - their_alpha) < TOLERANCE and abs(Lambda / their_Lambda - 1) < TOLERANCE
    assert same, f"the two fits differ: {alpha}, {Lambda} and {their_alpha}, {their_Lambda}"
    ratio = their_seconds / our_seconds
    print(f"{name:>39} {our_seconds * 1e3:>10.3f} {their_seconds:>11.2f} {ratio:>7,.0f}", flush=True)


def main() -> None:
    """Print the table."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        import weightwatcher  # noqa: F401
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    values = eigenvalues()
    starts = starts_at_mode(values)
    one = starts[:1]
    print(machine_line(["wqscore", "numpy", "numba", "weightwatcher", "powerlaw"]))
    print(f"{'candidates for xmin':>39} {'wqscore ms':>10} {'powerlaw s':>11} {'ratio':>7}")
    with one_blas_thread():
        at_one = float(values[one[0]])
        compare("one", lambda: at(values, at_one), lambda: powerlaw_fit(values, one), THEIR_RUNS)
        name = f"within 5 % of the mode, {starts.size}"
        compare(name, lambda: at(values), lambda: powerlaw_fit(values, starts), 1)
        if "--full" in sys.argv[1:]:
            below = np.flatnonzero(values <= 1.5 * esd_mode(values))[:-1]
            name = f"WeightWatcher's own E_TPL, {below.size}"
            compare(name, lambda: scan(values, below), lambda: weightwatcher_fit(values), 1)


if __name__ == "__main__":
    main()
