"""How often a ranking of equal models asserts an order, and how often it finds a true shift.

The values are metrics of real matrices: pools of random matrices of one law are solved and fitted as checkpoints are,
and each model's values are drawn from a pool, so that all models of a ranking are of one law. Prints Markdown.
Usage: python -m benchmarks.null_rankings > benchmarks/null_rankings.md
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.machine import machine_line
from benchmarks.synthetic_truth import print_table
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.execution.threads import one_blas_thread
from wqscore.fits.power_law import PowerLawFit, fit_power_law
from wqscore.fits.sampling import USUAL
from wqscore.matrices.architecture import Architecture
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.presets.registry import DEFAULT
from wqscore.ranking.ranks import Placing, place_models
from wqscore.refs.reference import ModelRef
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.summary import ModelSummary, Statistic
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

RANKINGS = 1000
POOL = 1000
SIDE = 128
ROLES = 6
MODELS = (2, 5, 10, 20)
LAYERS = (1, 2, 6, 12)
#: Standard deviation of the exponent over the matrices of a pool; that of the fits is larger.
SPREADS = (0.2, 0.4, 0.6)
SHIFTS = (0.0, 0.25, 0.5)
#: The pairs of a comparison that is to find a shift: ten layers of four roles.
PAIRED = (10, 4)
LARGEST_SHARE = 0.05
LEAST_POWER = 0.6
HEAD = f"""# Rankings of equal models, and of one that is shifted

`python -m benchmarks.null_rankings`, {RANKINGS:,} rankings a cell, fixed seeds. Targets: equal models are told apart
in at most {LARGEST_SHARE:.0%} of rankings, and a shift of alpha by 0.5 over 40 pairs of matrices is found in at
least {LEAST_POWER:.0%}. The standard error is 0.7 points at 5 %, and 1.5 at 60 %.
"""

_FIT = PowerLawFit(alpha=3.0, xmin=1.0, D=0.05, sigma=0.2, n_tail=50)
_SPECTRUM = Spectrum(np.ones(SIDE), SIDE, SIDE, 1, 2.0**-24, "finite")


def alphas(spread: float, key: int) -> np.ndarray:
    """Fitted alphas of matrices whose columns have Pareto scales; exponents of mean 2.6 and this spread."""
    quantiles = (np.arange(SIDE) + 0.5) / SIDE
    found = []
    for draw in range(POOL):
        rng = np.random.default_rng((key, draw))
        exponent = max(rng.normal(2.6, spread), 1.5)
        scales = np.sqrt((1 - quantiles) ** (-1 / (exponent - 1)))
        spectrum = compute_spectrum((rng.standard_normal((SIDE + 64, SIDE)) * scales)[np.newaxis], 0.0)
        fit = fit_power_law(spectrum.eigenvalues, spectrum.floor)
        if fit is not None:
            found.append(fit.alpha)
    return np.array(found)


def stable_ranks(key: int) -> np.ndarray:
    """Stable ranks of noise of Student's t with a spike and a part of low rank."""
    found = []
    for draw in range(POOL):
        rng = np.random.default_rng((key, draw))
        weights = rng.standard_t(4, (SIDE, SIDE)) * 0.05
        weights += np.outer(rng.standard_normal(SIDE), rng.standard_normal(SIDE)) * 0.1
        weights += rng.standard_normal((SIDE, 30)) @ rng.standard_normal((30, SIDE)) * 0.02
        eigenvalues = compute_spectrum(weights[np.newaxis], 0.0).eigenvalues
        found.append(eigenvalues.sum() / eigenvalues.max())
    return np.array(found)


@cache
def rows_of(layers: int, roles: int) -> tuple[LayerScore, ...]:
    """The matrices of a model, layer by layer, still without values."""
    rows = []
    for layer in range(layers):
        for role in range(roles):
            name = f"layers.{layer}.part{role}.weight"
            stored = TensorRef(name, (SIDE, SIDE), STORED_DTYPES["F32"], Path("model.safetensors"), len(rows))
            matrix = WeightMatrix(name, stored, Cut((SIDE, SIDE)), f"role{role}", SIDE, SIDE)
            rows.append(LayerScore(matrix, {}, "ok", "", (), _SPECTRUM, _FIT))
    return tuple(rows)


def model(metric: str, values: np.ndarray) -> ModelScore:
    """A scored model with these values, shape (layers, roles)."""
    cells = zip(rows_of(*values.shape), values.flat, strict=True)
    rows = [replace(row, metrics={metric: float(value)}) for row, value in cells]
    statistic = Statistic(*[float(np.median(values))] * 8, count=len(rows))
    summary = ModelSummary({metric: statistic}, {}, 1.0, 1.0, len(rows), len(rows), len(rows), 0, {})
    ref = ModelRef("model", "folder")
    return ModelScore(ref, None, "", Architecture(), 1, DEFAULT, USUAL, (metric,), tuple(rows), summary)


def placed(
    metric: str, pool: np.ndarray, shapes: Sequence[tuple[int, int]], shift: float, key: Sequence[int]
) -> tuple[Placing, bool]:
    """Models drawn from a pool, whose roles have levels of their own; and whether the last one, shifted, is last."""
    rng = np.random.default_rng(key)
    models = []
    for number, (layers, roles) in enumerate(shapes):
        values = rng.choice(pool, (layers, roles)) + np.linspace(0, 1, roles)
        models.append(model(metric, values + shift * (number == len(shapes) - 1)))
    placing = place_models(models, MATRIX_METRICS[metric], DEFAULT)
    return placing, placing.places[-1].score is models[-1]


def asserts_an_order(placing: Placing) -> bool:
    """Whether any model is ahead of another, by its pairs, its ranges or its letters."""
    by_pairs = any(not difference.tied for difference in placing.differences.values())
    by_ranges = any((each.best, each.worst) != (1, len(placing.places)) for each in placing.places)
    by_letters = not set.intersection(*(set(each.ties) for each in placing.places))
    assert by_pairs == by_ranges == by_letters
    return by_pairs


def checked(share: float, lowest: float, highest: float) -> str:
    """A share in percent, marked if it misses its target."""
    return f"{100 * share:.1f} %" + ("" if lowest <= share <= highest else " misses")


def null_rows(metric: str, pool: np.ndarray, deeper: int) -> Iterator[tuple[str, list[str]]]:
    """Equal models: the share of rankings that assert an order. Every other model has `deeper` times the layers."""
    for layers in LAYERS:
        cells = []
        for models in MODELS:
            shapes = [(layers * (deeper if number % 2 else 1), ROLES) for number in range(models)]
            keys = ((deeper, layers, models, draw) for draw in range(RANKINGS))
            share = np.mean([asserts_an_order(placed(metric, pool, shapes, 0.0, key)[0]) for key in keys])
            cells.append(checked(float(share), 0, LARGEST_SHARE))
        yield f"{layers}", cells


def power_rows(pools: Sequence[np.ndarray]) -> Iterator[tuple[str, list[str]]]:
    """Two models, one of them shifted: the share of rankings that put the right one ahead."""
    for number, pool in enumerate(pools):
        cells = [f"{pool.std():.2f}"]
        for shift in SHIFTS:
            found = []
            for draw in range(RANKINGS):
                placing, right = placed("alpha", pool, [PAIRED] * 2, shift, (9, number, draw))
                found.append(asserts_an_order(placing) and (right or not shift))
            share = float(np.mean(found))
            cells.append(checked(share, LEAST_POWER if shift == 0.5 else 0, 1 if shift else LARGEST_SHARE))
        yield f"{SPREADS[number]}", cells


def main() -> None:
    """Print the tables."""
    print(HEAD)
    print(machine_line(["wqscore", "numpy", "numba"]))
    with one_blas_thread():
        pools = [alphas(spread, number) for number, spread in enumerate(SPREADS)]
        stable = stable_ranks(len(SPREADS))
        columns = [f"{models} models" for models in MODELS]
        print('\n## Equal models: rankings with at least one false "ahead"')
        print(f"\nEach layer has {ROLES} matrices, each of a role of its own.")
        print_table("alpha, paired; layers", columns, null_rows("alpha", pools[1], 1))
        print_table(
            "stable_rank, every other model twice as deep; layers", columns, null_rows("stable_rank", stable, 2)
        )
        print("\n## Two models of 40 paired matrices: rankings that find the shift")
        print_table(
            "spread of the true exponents", ["spread of alpha", *(f"shift {s:g}" for s in SHIFTS)], power_rows(pools)
        )


if __name__ == "__main__":
    main()
