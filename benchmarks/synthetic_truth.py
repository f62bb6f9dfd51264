"""Every estimator of a tail on 200 draws of each of several known laws: bias and spread.

First eigenvalues drawn from a law, then matrices of different aspect ratios, which should not matter. All values come
from the registry's functions, like a user's. Prints Markdown. Usage: python -m benchmarks.synthetic_truth
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from benchmarks.machine import machine_line
from wqscore.execution.threads import one_blas_thread
from wqscore.fits.sampling import Sampling
from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

DRAWS = 200
EIGENVALUES = 768
TAIL_SHARE = 4  # with a bulk, one eigenvalue in four is in the tail

EXPONENTS = ("alpha", "alpha_clipped", "alpha_hill", "alpha_peak", "tpl_alpha", "e_tpl_beta")
RATES = ("tpl_lambda", "e_tpl_lambda", "exp_lambda", "lognormal_mu", "lognormal_sigma")

SIDE = 200
NOISE_ASPECTS = (1, 2, 4, 8, 16)
HEAVY_ASPECTS = (1, 4, 16)
OF_MATRICES = ("alpha_hill", "alpha_farms", "alpha_excess", "alpha_ratio", "alpha")


@dataclass(frozen=True)
class Law:
    """A law of eigenvalues.

    Attributes:
        label: its name in the table.
        draw: draws a given number of eigenvalues.
        truth: expected values, by metric, for the metrics that estimate a parameter of this law.
    """

    label: str
    draw: Callable[[np.random.Generator, int], np.ndarray]
    truth: Mapping[str, float]


def pareto(alpha: float) -> Law:
    """λ^−α from 1 on; also a truncated power law, with Λ = 0."""
    truth = {**dict.fromkeys(EXPONENTS, alpha), "tpl_lambda": 0.0, "e_tpl_lambda": 0.0}
    return Law(f"Pareto, α {alpha:g}", lambda rng, n: 1 + rng.pareto(alpha - 1, n), truth)


def truncated(alpha: float, Lambda: float) -> Law:
    """λ^−α·e^(−Λλ) from 1 on, for α ≥ 0."""
    truth = {"tpl_alpha": alpha, "e_tpl_beta": alpha, "tpl_lambda": Lambda, "e_tpl_lambda": Lambda}
    label = f"truncated, α {alpha:g}, Λ {Lambda:g}"
    return Law(label, lambda rng, n: draw_truncated(rng, alpha, Lambda, n), truth)


def draw_truncated(rng: np.random.Generator, alpha: float, Lambda: float, n: int) -> np.ndarray:
    """Exact draws by rejection of exponential ones."""
    accepted = np.empty(0)
    while accepted.size < n:
        candidates = 1 + rng.exponential(1 / Lambda, 100 * n)
        accepted = np.append(accepted, candidates[rng.random(candidates.size) < candidates**-alpha])
    return accepted[:n]


def exponential(Lambda: float) -> Law:
    """e^(−Λλ) from 1 on; also a truncated power law, with α = 0."""
    truth = {
        "tpl_alpha": 0.0,
        "e_tpl_beta": 0.0,
        **dict.fromkeys(("tpl_lambda", "e_tpl_lambda", "exp_lambda"), Lambda),
    }
    return Law(f"exponential, Λ {Lambda:g}", lambda rng, n: 1 + rng.exponential(1 / Lambda, n), truth)


def lognormal(sigma: float) -> Law:
    """All λ, with normal ln λ of mean 0."""
    truth = {"lognormal_mu": 0.0, "lognormal_sigma": sigma}
    return Law(f"lognormal, σ {sigma:g}", lambda rng, n: rng.lognormal(0, sigma, n), truth)


def over_bulk(law: Law) -> Law:
    """A quarter of the eigenvalues from the law, the others uniform between 0 and 1, where the tail begins."""

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.concatenate([rng.random(n - n // TAIL_SHARE), law.draw(rng, n // TAIL_SHARE)])

    return Law(f"bulk + {law.label}", draw, law.truth)


def laws() -> list[Law]:
    """Tails alone, then tails over a bulk, then the lognormals, which include a bulk."""
    tails = [pareto(alpha) for alpha in (1.8, 2, 2.5, 3, 4, 5, 6)]
    tails += [truncated(alpha, Lambda) for alpha, Lambda in ((1.5, 0.1), (2, 0.01), (2, 0.1), (3, 0.1))]
    tails += [exponential(Lambda) for Lambda in (0.1, 1)]
    return [*tails, *map(over_bulk, tails), *(lognormal(sigma) for sigma in (0.5, 1, 2))]


def of_eigenvalues(law: Law, seed: tuple[int, ...]) -> MatrixAnalysis:
    """A diagonal matrix with eigenvalues of this law."""
    eigenvalues = np.sort(law.draw(np.random.default_rng(seed), EIGENVALUES))
    spectrum = Spectrum(eigenvalues, EIGENVALUES, EIGENVALUES, 1, 0.0, "finite")
    return MatrixAnalysis(np.diag(np.sqrt(eigenvalues))[None], spectrum, spectrum.floor)


def of_matrix(aspect: int, deviations: np.ndarray, seed: tuple[int, ...]) -> MatrixAnalysis:
    """Gaussian entries, each column with its own standard deviation."""
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((1, aspect * deviations.size, deviations.size)) * deviations
    spectrum = compute_spectrum(weights, 0.0)
    return MatrixAnalysis(weights, spectrum, spectrum.floor, sampling=Sampling(seed[-1]))


def values(analyses: Iterable[MatrixAnalysis], metrics: Sequence[str]) -> dict[str, np.ndarray]:
    """Each metric's value for each matrix."""
    rows = [[MATRIX_METRICS[name].compute(analysis) for name in metrics] for analysis in analyses]
    return dict(zip(metrics, np.array(rows).T, strict=True))


def cell(drawn: np.ndarray, truth: float | None, digits: int) -> str:
    """Signed bias, or the mean without a `truth`, and the spread; in parentheses the draws without a fit."""
    fitted = drawn[np.isfinite(drawn)]
    missing = f" ({drawn.size - fitted.size})" if fitted.size < drawn.size else ""
    if fitted.size < 2:
        return f"–{missing}"
    spread = f"{fitted.std(ddof=1):.{digits}f}"
    mean = f"*{fitted.mean():z.{digits}f}*" if truth is None else f"{fitted.mean() - truth:+z.{digits}f}"
    return f"{mean} ± {spread}{missing}".replace("-", "−")


def print_table(corner: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Print a Markdown table, each row as soon as it is computed."""
    print(f"\n| {corner} | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for label, cells in rows:
        print(f"| {label} | {' | '.join(cells)} |", flush=True)


def matrix_rows() -> Iterator[tuple[str, list[str]]]:
    """A row for every kind of matrix and aspect ratio."""
    quantiles = (np.arange(SIDE) + 0.5) / SIDE
    kinds = (
        ("noise", NOISE_ASPECTS, np.ones(SIDE)),
        # Variances of density exponent 3, the same at every aspect ratio; only the number of rows grows.
        ("heavy tail", HEAVY_ASPECTS, (1 - quantiles) ** -0.25),
    )
    for number, (kind, aspects, deviations) in enumerate(kinds):
        for aspect in aspects:
            analyses = (of_matrix(aspect, deviations, (2, number, aspect, draw)) for draw in range(DRAWS))
            found = values(analyses, OF_MATRICES)
            yield f"{kind} {aspect}:1", [cell(found[name], None, 2) for name in OF_MATRICES]


def main() -> None:
    """Print the three tables."""
    start = perf_counter()
    print(machine_line(["wqscore", "numpy", "numba"]))
    with one_blas_thread():
        drawn = [
            (law, values((of_eigenvalues(law, (1, i, draw)) for draw in range(DRAWS)), EXPONENTS + RATES))
            for i, law in enumerate(laws())
        ]
        for columns, digits in ((EXPONENTS, 2), (RATES, 3)):
            rows = (
                (law.label, [cell(found[name], law.truth.get(name), digits) for name in columns])
                for law, found in drawn
            )
            print_table(f"{EIGENVALUES} eigenvalues", columns, rows)
        print_table(f"{SIDE} columns", OF_MATRICES, matrix_rows())
    print(f"\n{DRAWS} draws each, {perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
