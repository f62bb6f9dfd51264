"""The 72 matrices of BERT-base's layers: wqscore compared with LAPACK alone and with WeightWatcher.

The floor is NumPy's time for the Gram products and the eigensolves of the same weights, already in memory as float64,
in a plain pool of as many threads as wqscore has, each with one BLAS thread; "floor in place" is the same with the
in-place calls that wqscore makes. wqscore scores the checkpoint on disk in the same process, after imports and
compilation, without and with resampling; WeightWatcher's `analyze` gets the same folder and its default threads. Runs
alternate; ratios are medians of pairs. Targets: at most 1.15 times the floor, at least six times as fast as
WeightWatcher. `--without-weightwatcher` leaves WeightWatcher out.

Then the processor time of each stage separately, on one thread, one matrix after the other.
Usage: python -m benchmarks.bert_base [--without-weightwatcher]
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
from blake3 import blake3

from benchmarks.machine import machine_line
from benchmarks.models import write_model
from benchmarks.timing import in_turn, processor_seconds, ratio
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.execution.resources import Resources, cores
from wqscore.execution.threads import one_blas_thread
from wqscore.fits.sampling import USUAL, Sampling
from wqscore.integrity.contents import examine
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import plan_matrices
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.metrics.registry import CORE, MATRIX_METRICS
from wqscore.presets.registry import DEFAULT
from wqscore.refs.parsing import parse_ref
from wqscore.scoring.score_checkpoint import Work, score_checkpoint
from wqscore.scoring.score_matrix import judge, layer_score
from wqscore.spectra.eigenvalues import gram, gram_eigenvalues, upper_gram
from wqscore.spectra.spectrum import Spectrum

RUNS = 5
STAGE_RUNS = 3
MAX_OVER_FLOOR, MIN_SPEEDUP = 1.15, 6
HIDDEN, INNER, LAYERS = 768, 3072, 12
CONFIG = {
    "model_type": "bert",
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_attention_heads": 12,
    "num_hidden_layers": LAYERS,
    "vocab_size": 30522,
}
#: No resampling, no p-values.
PLAIN = Sampling(bootstrap=0, gof=0)
OF_MATRICES = tuple(name for name in CORE if name in MATRIX_METRICS)


def shapes() -> dict[str, tuple[int, ...]]:
    """Shapes of the layers' matrices, by name; no embeddings."""
    square, wide, tall = (HIDDEN, HIDDEN), (INNER, HIDDEN), (HIDDEN, INNER)
    of_layer = {
        "attention.self.query": square,
        "attention.self.key": square,
        "attention.self.value": square,
        "attention.output.dense": square,
        "intermediate.dense": wide,
        "output.dense": tall,
    }
    return {f"encoder.layer.{i}.{name}.weight": shape for i in range(LAYERS) for name, shape in of_layer.items()}


def planned(checkpoint: Checkpoint) -> list[WeightMatrix]:
    """The checkpoint's matrices."""
    outcomes = plan_matrices(checkpoint.tensors, ModelConfig(checkpoint.config), DEFAULT.matrices)
    return [outcome for outcome in outcomes if isinstance(outcome, WeightMatrix)]


def in_float64(array: np.ndarray) -> np.ndarray:
    """A matrix as `solve` takes it: float64, the longer side first."""
    return np.ascontiguousarray(array if array.shape[0] >= array.shape[1] else array.T, np.float64)


def solve(tall: np.ndarray) -> np.ndarray:
    """One matrix by NumPy: its Gram product and eigenvalues."""
    return np.linalg.eigvalsh(tall.T @ tall)


def solve_in_place(tall: np.ndarray) -> np.ndarray:
    """One matrix by wqscore's in-place calls, without NumPy's copies."""
    return gram_eigenvalues(upper_gram(tall))


def floor(solver: Callable[[np.ndarray], np.ndarray], matrices: Sequence[np.ndarray], jobs: int) -> None:
    """Solve all matrices in threads, each with one BLAS thread."""
    with one_blas_thread(), ThreadPoolExecutor(jobs) as pool:
        list(pool.map(solver, matrices))


def weightwatcher_analysis(folder: Path) -> Callable[[], object]:
    """A call of WeightWatcher's `analyze` on a folder; the import is done here, untimed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        import weightwatcher
    logging.disable(logging.CRITICAL)
    return lambda: weightwatcher.WeightWatcher(model=str(folder)).analyze(plot=False)


def stages(matrix: WeightMatrix) -> dict[str, float]:
    """Processor seconds of every stage of one matrix, each with the results of the earlier stages ready."""
    taken: dict[str, float] = {}

    def timed(stage: str, function: Callable[[], object]) -> None:
        taken[stage] = processor_seconds(function)

    timed("read", matrix.tensor.read)
    array = matrix.tensor.read()
    tall = in_float64(array)
    timed("floor: Gram", lambda: tall.T @ tall)
    product = gram(array)
    timed("floor: eigensolve", lambda: np.linalg.eigvalsh(product))
    timed("digest", lambda: blake3(array.reshape(-1).view(np.uint8).data))
    timed("Gram", lambda: upper_gram(array))
    in_place = product.copy()
    timed("eigensolve", lambda: gram_eigenvalues(in_place))
    eigenvalues, unit_roundoff = gram_eigenvalues(product), matrix.tensor.dtype.unit_roundoff
    spectrum = Spectrum(eigenvalues, matrix.rows, matrix.columns, 1, unit_roundoff, "finite")
    values = matrix.values(array)

    def analysis(sampling: Sampling) -> MatrixAnalysis:
        return MatrixAnalysis(values, spectrum, DEFAULT.floor(spectrum), DEFAULT.fits, sampling=sampling)

    plain, usual = analysis(PLAIN), analysis(USUAL)
    timed("power law", lambda: plain.power_law)
    timed("sums over the entries", lambda: plain.entries)
    timed("random, trap", lambda: (plain.is_random, plain.has_traps, plain.is_random_scaled))
    timed("range of alpha", lambda: plain.alpha_range)
    timed("damaged lines", lambda: examine(values[0]))
    metrics: dict[str, float] = {}
    timed("metrics", lambda: metrics.update({name: DEFAULT.function(name)(plain) for name in OF_MATRICES}))
    # `layer_score` examines the lines again.
    timed("row", lambda: layer_score(matrix, spectrum, metrics, judge(plain, DEFAULT), OF_MATRICES))
    taken["row"] -= taken["damaged lines"]
    assert usual.power_law is not None
    timed("interval of alpha", lambda: usual.interval)
    timed("goodness of fit", lambda: usual.p_value)
    return taken


def print_stages(checkpoint: Checkpoint) -> None:
    """Print the table of the stages and of a whole run on one thread."""
    matrices = planned(checkpoint)
    runs = []
    with one_blas_thread():
        for _ in range(STAGE_RUNS):
            of_matrices = [stages(matrix) for matrix in matrices]
            runs.append({stage: sum(each[stage] for each in of_matrices) for stage in of_matrices[0]})
            runs[-1]["whole run"] = processor_seconds(
                lambda: score_checkpoint(checkpoint, sampling=PLAIN, work=Work(Resources(1)))
            )
    taken = {stage: median(run[stage] for run in runs) for stage in runs[0]}
    least = taken.pop("floor: Gram") + taken.pop("floor: eigensolve")
    whole = taken.pop("whole run")
    resampling = {stage: taken.pop(stage) for stage in ("interval of alpha", "goodness of fit")}
    taken["all else"] = whole - sum(taken.values())
    print(f"processor time on one thread, {len(matrices)} matrices, median of {STAGE_RUNS}")
    print(f"{'stage':>30} {'seconds':>8} {'of the floor':>13}")
    rows = {"floor": least, **taken, "whole run": whole, **resampling}
    for stage, spent in rows.items():
        print(f"{stage:>30} {spent:>8.3f} {spent / least:>12.1%}")


def main() -> None:
    """Print the tables."""
    jobs = cores()
    with tempfile.TemporaryDirectory() as name:
        folder = write_model(Path(name), shapes(), "F32", CONFIG)
        checkpoint = open_checkpoint(parse_ref(str(folder)))
        matrices = [in_float64(matrix.tensor.read()) for matrix in planned(checkpoint)]
        functions: dict[str, Callable[[], object]] = {
            "floor": lambda: floor(solve, matrices, jobs),
            "floor in place": lambda: floor(solve_in_place, matrices, jobs),
            "wqscore": lambda: score_checkpoint(checkpoint, sampling=PLAIN),
            "wqscore, all of it": lambda: score_checkpoint(checkpoint),
        }
        packages = ["wqscore", "numpy", "numba"]
        if "--without-weightwatcher" not in sys.argv[1:]:
            functions["WeightWatcher"] = weightwatcher_analysis(folder)
            packages += ["weightwatcher", "torch", "scipy"]
        for warm in list(functions)[:4]:
            functions[warm]()
        taken = in_turn(functions, RUNS)
        print(machine_line(packages))
        print(f"{len(matrices)} matrices, {jobs} threads × 1 BLAS thread, median of {RUNS}")
        print(f"{'':>20} {'seconds':>8} {'of the floor':>13} {'beside wqscore':>15}")
        for each, runs in taken.items():
            over, beside = ratio(taken, each, "floor"), ratio(taken, each, "wqscore")
            missed = (each == "wqscore" and over > MAX_OVER_FLOOR) or (
                each == "WeightWatcher" and beside < MIN_SPEEDUP
            )
            print(f"{each:>20} {median(runs):>8.2f} {over:>13.2f} {beside:>15.2f}{' misses' if missed else ''}")
        print_stages(checkpoint)


if __name__ == "__main__":
    main()
