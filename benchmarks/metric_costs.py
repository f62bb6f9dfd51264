"""What each choice of `--metrics` costs, compared with the eigensolves that it needs.

For every group of metrics that share a computation, `score_matrix` is timed with the core metrics and that group, and
with the core alone, both without resampling, which is a separate group. The additional eigensolves are counted, and
timed separately: the same Gram products and eigensolves, on weights already in float64. Runs alternate, on one BLAS
thread; medians of processor time, which a busy machine changes least. Target: a choice adds at most 1.3 times its
eigensolves. A choice without eigensolves is compared with the one eigensolve that every matrix needs.

The matrices: two of all-MiniLM-L6-v2, and two larger generated ones with a decaying bulk, the largest only for the
choices that need few eigensolves. Usage: python -m benchmarks.metric_costs
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from benchmarks.machine import machine_line
from benchmarks.timing import processor_seconds
from benchmarks.whole_process import FOLDER
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.execution.threads import one_blas_thread
from wqscore.fits.sampling import USUAL
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.metrics.metric import MatrixMetric
from wqscore.metrics.registry import CORE, MATRIX_METRICS, METRICS, choose_metrics
from wqscore.presets.registry import DEFAULT
from wqscore.refs.parsing import parse_ref
from wqscore.scoring.score_matrix import score_matrix
from wqscore.spectra import eigenvalues

TARGET = 1.3
RUNS = 5
#: Smallest side of a large matrix, on which a run takes seconds and 100 windows take minutes.
LARGE, RUNS_OF_LARGE = 2000, 1
EVERYTHING = "all but resampling"
CHOICES_OF_LARGE = ("shuffles", "vectors")
REAL = ("encoder.layer.3.attention.self.query.weight", "encoder.layer.3.intermediate.dense.weight")
DRAWN = ((3072, 768), (2048, 2048))


@dataclass(frozen=True)
class Case:
    """A matrix, its values, and the values of its base."""

    matrix: WeightMatrix
    array: np.ndarray
    base: np.ndarray

    @property
    def side(self) -> int:
        """The size of its Gram matrix."""
        return min(self.matrix.rows, self.matrix.columns)


@dataclass(frozen=True, eq=False)
class Solve:
    """One eigensolve: the function and its argument."""

    function: Callable[[np.ndarray], object]
    product: np.ndarray


def cases() -> list[Case]:
    """The matrices."""
    checkpoint = open_checkpoint(parse_ref(str(FOLDER)))
    outcomes = plan_matrices(checkpoint.tensors, ModelConfig(checkpoint.config), DEFAULT.matrices)
    planned = {o.name: o for o in outcomes if isinstance(o, WeightMatrix)}
    rng = np.random.default_rng(0)
    found = [(planned[name], planned[name].tensor.read()) for name in REAL]
    for rows, columns in DRAWN:
        # Mixed columns: correlated, as those of trained matrices are, so that the verdict needs no shuffles.
        mixing = np.arange(1, columns + 1)[:, np.newaxis] ** -0.5 * rng.standard_normal((columns, columns))
        weights = 0.04 / columns**0.5 * rng.standard_normal((rows, columns)) @ mixing
        drawn = replace(found[0][0], name="drawn", cut=Cut((1, rows, columns)), rows=rows, columns=columns)
        found.append((drawn, weights.astype(np.float32)))
    made = []
    for matrix, array in found:
        moved = array + 1e-3 * rng.standard_normal(array.shape).astype(np.float32)
        made.append(Case(matrix, array, matrix.values(moved)))
    return made


def choices() -> dict[str, tuple[str, ...]]:
    """Groups of metrics that share a computation; together with the core, every metric of a matrix."""

    def where(holds: Callable[[MatrixMetric], bool]) -> tuple[str, ...]:
        return tuple(name for name, metric in MATRIX_METRICS.items() if holds(metric) and not metric.core)

    groups = {
        "free of cost": where(lambda m: m.cost == "free"),
        "tpl": where(lambda m: m.name.startswith("tpl")),
        "e_tpl, exp": where(lambda m: m.name.startswith(("e_tpl", "exp"))),
        "lognormal": where(lambda m: m.name.startswith("lognormal")),
        "ratios": where(lambda m: m.name.startswith(("R_", "LR_", "p_"))),
        "resampling": tuple(name for name in CORE if METRICS[name].cost == "resampling"),
        "base": where(lambda m: m.cost == "base"),
        "shuffles": where(lambda m: m.cost == "shuffles"),
        "windows": where(lambda m: m.cost == "windows"),
        "vectors": where(lambda m: m.cost == "vectors"),
    }
    assert {*CORE, *(name for group in groups.values() for name in group)} >= {*MATRIX_METRICS}
    every = [name for name in choose_metrics("all") if name in MATRIX_METRICS]
    return {**groups, EVERYTHING: tuple(name for name in every if METRICS[name].cost != "resampling")}


@contextmanager
def counted(solves: list[Solve], side: int) -> Iterator[None]:
    """Record every eigensolve of at least that side, which leaves out the far smaller ones of Lanczos steps."""

    def noting(function: Callable[[np.ndarray], object]) -> Callable[[np.ndarray], object]:
        def call(product: np.ndarray) -> object:
            if product.shape[0] >= side:
                solves.append(Solve(function, product.copy()))
            return function(product)

        return call

    originals = eigenvalues.symmetric_eigenvalues, np.linalg.eigh
    eigenvalues.symmetric_eigenvalues, np.linalg.eigh = (noting(function) for function in originals)
    try:
        yield
    finally:
        eigenvalues.symmetric_eigenvalues, np.linalg.eigh = originals


def score(case: Case, group: tuple[str, ...]) -> None:
    """Score a matrix with the core and a group."""
    of_core = tuple(name for name in CORE if METRICS[name].cost != "resampling")
    names = tuple(dict.fromkeys((*of_core, *group)))
    score_matrix(case.matrix, case.array, DEFAULT, names, USUAL, case.base)


def solves_of(case: Case, group: tuple[str, ...]) -> list[Solve]:
    """The eigensolves that scoring needs."""
    solves: list[Solve] = []
    with counted(solves, min(case.side, LARGE)):
        score(case, group)
    return solves


def without(solves: list[Solve], own: list[Solve]) -> list[Solve]:
    """The eigensolves that a choice needs and the core alone doesn't."""
    extra = list(solves)
    for one in own:
        extra.remove(next(solve for solve in extra if solve.function is one.function))
    return extra


def floor(solves: list[Solve], tall: np.ndarray) -> None:
    """The Gram products and the eigensolves alone."""
    for solve in solves:
        np.dot(tall.T, tall)
        solve.function(solve.product)


def measure(case: Case) -> Iterator[str]:
    """The lines of one matrix."""
    weights = case.matrix.values(case.array)[0].astype(np.float64)
    tall = weights if case.matrix.rows >= case.matrix.columns else np.ascontiguousarray(weights.T)
    groups = {name: group for name, group in choices().items() if case.side < LARGE or name in CHOICES_OF_LARGE}
    own = solves_of(case, ())
    extra = {name: without(solves_of(case, group), own) for name, group in groups.items()}
    floors: dict[str, list[float]] = {name: [] for name in groups}
    added: dict[str, list[float]] = {name: [] for name in groups}
    for _ in range(RUNS_OF_LARGE if case.side >= LARGE else RUNS):
        core = processor_seconds(lambda: score(case, ()))
        for name, group in groups.items():
            added[name].append(processor_seconds(lambda g=group: score(case, g)) - core)
            # Windows are square; everything is the shuffles and the windows.
            operand = tall[: case.side] if name == "windows" else tall
            solves = () if name == EVERYTHING else extra[name] or own[:1]
            floors[name].append(processor_seconds(lambda s=solves, o=operand: floor(s, o)))
        if EVERYTHING in floors:
            floors[EVERYTHING][-1] = floors["shuffles"][-1] + floors["windows"][-1]
    for name, group in groups.items():
        ratio = median(a / f for a, f in zip(added[name], floors[name], strict=True))
        shape, solves = f"{case.matrix.rows}×{case.matrix.columns}", extra[name]
        needed = f"{len(solves)} {solves[0].function.__name__}" if solves else "none"
        verdict = " misses" if solves and ratio > TARGET else ""
        times = f"{median(added[name]) * 1e3:>9.1f} {median(floors[name]) * 1e3:>9.1f} {ratio:>6.2f}"
        yield f"{shape:>10} {name:>18} {len(group):>7} {needed:>12} {times}{verdict}"


def main() -> None:
    """Print the table."""
    print(machine_line(["wqscore", "numpy", "numba"]))
    times = f"{'adds ms':>9} {'floor ms':>9} {'ratio':>6}"
    print(f"{'matrix':>10} {'choice':>18} {'metrics':>7} {'eigensolves':>12} {times}")
    with one_blas_thread():
        for case in cases():
            for line in measure(case):
                print(line, flush=True)


if __name__ == "__main__":
    main()
