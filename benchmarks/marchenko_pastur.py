"""The Marchenko–Pastur fit on matrices with known noise and spikes, from 200 to 2,000 eigenvalues.

Noise: the share of seeds without spikes, the share with the verdict `random` (up to 500 eigenvalues), the worst error
of sigma, and how often λ_max lies beyond the 99 % and the 99.9 % point of the Tracy–Widom law. Spikes: the share of
seeds in which exactly the planted number is found; each is planted so that its eigenvalue is a given multiple of the
edge. Usage: python -m benchmarks.marchenko_pastur
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.machine import machine_line
from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.spectra.marchenko_pastur import TRACY_WIDOM_999, bulk_edge, fit_marchenko_pastur
from wqscore.spectra.spectrum import compute_spectrum

SEEDS = {200: 200, 500: 60, 1000: 12, 2000: 3}
ASPECTS = (1, 2, 4)
HEIGHTS = ((1.5,) * 5, (10.0,) * 5, (1e3,) * 5, (1e4,) * 5, (1.5, 1e4))
TRACY_WIDOM_99 = 2.0234
LARGEST_JUDGED = 500


def noise(n: int, aspect: int, seed: int) -> np.ndarray:
    """Entries of variance 1."""
    return np.random.default_rng((n, aspect, seed)).standard_normal((aspect * n, n))


def planted(n: int, aspect: int, heights: tuple[float, ...], seed: int) -> np.ndarray:
    """Noise plus orthogonal directions: one of strength l, in σ²M, has the eigenvalue (1 + l)(1/Q + l)/l."""
    rng = np.random.default_rng((1, n, aspect, seed))
    left, _ = np.linalg.qr(rng.standard_normal((aspect * n, len(heights))))
    right, _ = np.linalg.qr(rng.standard_normal((n, len(heights))))
    b = np.array(heights) * (1 + aspect**-0.5) ** 2 - 1 - 1 / aspect
    strength = (b + np.sqrt(b**2 - 4 / aspect)) / 2
    return noise(n, aspect, seed) + (left * np.sqrt(strength * aspect * n)) @ right.T


def fields(n: int, aspect: int, matrices: Iterator[np.ndarray]) -> np.ndarray:
    """Columns: spikes, |sigma − 1|, λ_max in Tracy–Widom widths beyond the edge of σ = 1; a row for each matrix."""
    edge, width = bulk_edge(aspect * n, n)
    rows = []
    for matrix in matrices:
        spectrum = compute_spectrum([matrix], 0.0)
        fit = fit_marchenko_pastur(spectrum.eigenvalues, aspect * n, n)
        rows.append((fit.num_spikes, abs(fit.sigma - 1), (spectrum.largest - edge) / width))
    return np.array(rows)


def share_random(n: int, aspect: int, seeds: int) -> str:
    """The share of noise matrices with the verdict `random`, in percent."""
    if n > LARGEST_JUDGED:
        return "–"
    analyses = []
    for seed in range(seeds):
        weights = noise(n, aspect, seed)[np.newaxis]
        spectrum = compute_spectrum(weights, 0.0)
        analyses.append(MatrixAnalysis(weights, spectrum, spectrum.floor).is_random)
    return f"{np.mean(analyses):.1%}"


def main() -> None:
    """Print both tables."""
    print(machine_line(["wqscore", "numpy"]))
    head = f"{'noise':>6} {'aspect':>6} {'seeds':>6} {'no spike':>9} {'random':>7} {'sigma off':>10}"
    print(f"{head} {'beyond 99 %':>12} {'99.9 %':>7}")
    for n, seeds in SEEDS.items():
        for aspect in ASPECTS:
            table = fields(n, aspect, (noise(n, aspect, seed) for seed in range(seeds)))
            print(
                f"{n:>6} {aspect:>6} {seeds:>6} {np.mean(table[:, 0] == 0):>9.1%} "
                f"{share_random(n, aspect, seeds):>7} {table[:, 1].max():>10.2%} "
                f"{np.mean(table[:, 2] > TRACY_WIDOM_99):>12.1%} {np.mean(table[:, 2] > TRACY_WIDOM_999):>7.1%}",
                flush=True,
            )
    print(f"\n{'spikes':>6} {'aspect':>6} {'seeds':>6} {'planted at':>20} {'all found':>10} {'sigma off':>10}")
    for n, seeds in SEEDS.items():
        some = max(2, seeds // 10)
        for aspect in ASPECTS:
            for heights in HEIGHTS:
                table = fields(n, aspect, (planted(n, aspect, heights, seed) for seed in range(some)))
                label = f"{len(heights)} x {heights[0]:g}" if len(set(heights)) == 1 else "1.5 and 10000"
                print(
                    f"{n:>6} {aspect:>6} {some:>6} {label:>20} {np.mean(table[:, 0] == len(heights)):>10.1%} "
                    f"{table[:, 1].max():>10.2%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
