"""How well the interval of alpha and the p-value are calibrated, on draws from known laws.

First power laws: how often the 95 % interval contains the exponent, and how often p-values are small. Then spectra
that are not power laws: how often the p-value rejects them, and how often with a cut on D as well. Prints Markdown.
Usage: python -m benchmarks.calibration
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np

from benchmarks.machine import machine_line
from benchmarks.synthetic_truth import (
    TAIL_SHARE,
    Law,
    exponential,
    lognormal,
    over_bulk,
    pareto,
    print_table,
    truncated,
)
from wqscore.execution.threads import one_blas_thread
from wqscore.fits.comparison import against_truncated
from wqscore.fits.goodness import p_value, p_value_at
from wqscore.fits.power_law import fit_power_law, fit_power_law_at
from wqscore.fits.resampling import resampling_interval
from wqscore.fits.truncated_power_law import fit_truncated_power_law
from wqscore.spectra.spectrum import compute_spectrum

DRAWS = 400
OTHER_DRAWS = 100  # of each law that is not a power law
TAIL_SIZES = (50, 200, 1000)
SIZES = (200, 768)
LEVEL = 0.1
CUTS = (0.05, 0.075, 0.10, 0.125)
#: Share of draws whose interval must contain the truth, by tail size; largest share of power laws with p < 0.1.
COVERAGE = {50: (0.88, 1.0), 200: (0.90, 0.99), 1000: (0.90, 0.99)}
LARGEST_SHARE = 0.14

#: Eigenvalues of one draw and the floor.
Draw = Callable[[int], tuple[np.ndarray, float]]


def of_law(law: Law, size: int, key: int) -> Draw:
    """Draws of `size` points of the law."""
    return lambda draw: (np.sort(law.draw(np.random.default_rng((key, size, draw)), size)), 0.0)


def of_noise(aspect: int, columns: int, key: int) -> Draw:
    """The eigenvalues of a Gaussian matrix."""

    def draw_one(draw: int) -> tuple[np.ndarray, float]:
        rng = np.random.default_rng((key, columns, draw))
        spectrum = compute_spectrum(rng.standard_normal((1, aspect * columns, columns)), 0.0)
        return spectrum.eigenvalues, spectrum.floor

    return draw_one


def over_smooth_body(alpha: float) -> tuple[Law, float]:
    """Density ∝ λ^−α from 1 on and e^−α(λ−1) below, joined smoothly; and the number of draws per draw in the tail.

    Clauset, Shalizi & Newman (2009), section 3.3.
    """
    per_tail = 1 + (alpha - 1) * np.expm1(alpha) / alpha

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        n_tail = round(n / per_tail)
        body = -np.log1p(np.expm1(-alpha) * rng.random(n - n_tail)) / alpha
        return np.concatenate([body, 1 + rng.pareto(alpha - 1, n_tail)])

    return Law(f"smooth body + Pareto, α {alpha:g}", draw, {}), per_tail


def goodness(draw_one: Draw, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """D and p-value of every draw, xmin chosen."""
    found = []
    for draw in range(draws):
        eigenvalues, floor = draw_one(draw)
        fit = fit_power_law(eigenvalues, floor)
        found.append((fit.D, p_value(eigenvalues, floor, fit, seed=draw)))
    distances, p_values = np.array(found).T
    return distances, p_values


def shares_flagged(distances: np.ndarray, p_values: np.ndarray) -> list[str]:
    """Median D, the share with p < 0.1, and the share that also exceeds each cut on D."""
    rejected = p_values < LEVEL
    shares = [rejected.mean(), *((rejected & (distances > cut)).mean() for cut in CUTS)]
    return [f"{np.median(distances):.3f}", *map(percent, shares)]


def percent(share: float) -> str:
    """A share in percent: no decimals, or one below ten."""
    return f"{100 * share:.0f} %" if share >= 0.0995 or share == 0 else f"{100 * share:.1f} %"


def checked(share: float, lowest: float, highest: float) -> str:
    """A share in percent, marked if it misses its target."""
    return percent(share) + ("" if lowest <= share <= highest else " misses")


def coverage_rows() -> Iterator[tuple[str, list[str]]]:
    """Power laws: how often the interval contains the exponent, and the p-value with xmin chosen."""
    smooth = over_smooth_body(2.5)
    bulks = [(over_bulk(pareto(alpha)), TAIL_SHARE, alpha) for alpha in (2.0, 3.0, 5.0)]
    for key, (law, per_tail, alpha) in enumerate([(pareto(3), 1, 3.0), *bulks, (*smooth, 2.5)]):
        for n_tail in TAIL_SIZES:
            draw_one = of_law(law, round(n_tail * per_tail), key)
            intervals = [resampling_interval(*draw_one(draw), seed=draw) for draw in range(DRAWS)]
            held = np.mean([interval.lo <= alpha <= interval.hi for interval in intervals])
            width = np.median([interval.hi - interval.lo for interval in intervals])
            distances, p_values = goodness(draw_one, DRAWS)
            yield (
                f"{law.label}, {n_tail} in the tail",
                [
                    checked(held, *COVERAGE[n_tail]),
                    f"{width:.2f}",
                    checked((p_values < LEVEL).mean(), 0, LARGEST_SHARE),
                    *shares_flagged(distances, p_values)[2:],
                ],
            )


def given_rows() -> Iterator[tuple[str, list[str]]]:
    """Power laws that start at a given xmin: the p-value."""
    for n_tail in TAIL_SIZES:
        draw_one = of_law(pareto(3), n_tail, 10)
        fits = [fit_power_law_at(*draw_one(draw), xmin=1.0) for draw in range(DRAWS)]
        p_values = np.array([p_value_at(fit, seed=draw) for draw, fit in enumerate(fits)])
        yield f"{n_tail}", [percent((p_values < level).mean()) for level in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)]


def nested_rows() -> Iterator[tuple[str, list[str]]]:
    """Power laws that start at a given xmin: the truncated power law against the power law."""
    for key, alpha in enumerate((1.5, 2, 3, 5, 8), start=60):
        for n_tail in TAIL_SIZES:
            draw_one = of_law(pareto(alpha), n_tail, key)
            found = []
            for draw in range(DRAWS):
                eigenvalues, floor = draw_one(draw)
                fit = fit_power_law_at(eigenvalues, floor, xmin=1.0)
                truncated_fit = fit_truncated_power_law(eigenvalues, floor, xmin=1.0)
                found.append(against_truncated(eigenvalues, fit, truncated_fit).p)
            p_values = np.array(found)
            shares = [(p_values == 1).mean(), *((p_values < level).mean() for level in (0.01, 0.05, 0.1))]
            yield f"Pareto, α {alpha:g}, {n_tail}", [percent(share) for share in shares]


def power_rows() -> Iterator[tuple[str, list[str]]]:
    """Spectra that are not power laws: the p-value with xmin chosen."""
    laws = [*map(lognormal, (0.5, 1, 2)), exponential(1), exponential(0.1), over_bulk(exponential(1))]
    for key, law in enumerate([*laws, truncated(2, 0.1)], start=20):
        for size in SIZES:
            yield f"{law.label}, {size}", shares_flagged(*goodness(of_law(law, size, key), OTHER_DRAWS))
    for key, aspect in enumerate((1, 4), start=40):
        for size in SIZES:
            yield (
                f"Gaussian matrix {aspect}:1, {size}",
                shares_flagged(*goodness(of_noise(aspect, size, key), OTHER_DRAWS)),
            )


def main() -> None:
    """Print the tables."""
    start = perf_counter()
    print(machine_line(["wqscore", "numpy", "numba"]))
    cuts = [f"and D > {cut:g}" for cut in CUTS]
    with one_blas_thread():
        print_table(
            "xmin given, n_tail", [f"p < {level:g}" for level in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9)], given_rows()
        )
        print_table("power laws", ["in the interval", "its width", "p < 0.1", *cuts], coverage_rows())
        print_table("LR_tpl, xmin given", ["LR = 0", "p < 0.01", "p < 0.05", "p < 0.1"], nested_rows())
        print_table("no power laws", ["median D", "p < 0.1", *cuts], power_rows())
    print(f"\n{DRAWS} draws of each power law, {OTHER_DRAWS} of each other spectrum, {perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
