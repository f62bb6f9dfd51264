"""Cost as matrices grow: the time of one square matrix compared with its floor, and the memory of a process.

Processor time: `score_matrix`, without and with resampling, compared with the Gram product and the eigensolve of the
same weights, already in memory as float64; one thread, runs alternate, ratios are medians of pairs.

Memory: the peak of `wqscore score` on a checkpoint of one matrix, and on one of four with `--jobs 2`, minus that on
tiny checkpoints with as many jobs; in multiples of the largest matrix in float64, per concurrently scored matrix.
Target: at most 2.5. 8,192 runs only with `--full`. Usage: python -m benchmarks.growth [--full]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.bert_base import OF_MATRICES, PLAIN, planned, solve
from benchmarks.machine import machine_line
from benchmarks.models import write_model
from benchmarks.processes import run, score
from benchmarks.timing import in_turn, processor_seconds, ratio
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.execution.threads import one_blas_thread
from wqscore.fits.sampling import USUAL
from wqscore.presets.registry import DEFAULT
from wqscore.refs.parsing import parse_ref
from wqscore.scoring.score_matrix import score_matrix

#: Runs, by size.
RUNS = {256: 15, 512: 9, 1024: 5, 2048: 3, 4096: 1}
SIZES_OF_MEMORY = (1024, 2048, 4096)
LARGEST = 8192
TINY = 64
MAX_MEMORY = 2.5
CONFIG = {"model_type": "llama", "num_hidden_layers": 4}


def write_squares(folder: Path, count: int, size: int, dtype: str) -> Path:
    """A checkpoint of square matrices."""
    shapes = {f"model.layers.{i}.self_attn.o_proj.weight": (size, size) for i in range(count)}
    return write_model(folder, shapes, dtype, CONFIG)


def time_line(folder: Path, size: int, runs: int) -> str:
    """The line of the time table for one size."""
    (matrix,) = planned(open_checkpoint(parse_ref(str(write_squares(folder, 1, size, "F32")))))
    array = matrix.tensor.read()
    weights = array.astype(np.float64)
    functions: dict[str, Callable[[], object]] = {
        "floor": lambda: solve(weights),
        "wqscore": lambda: score_matrix(matrix, array, DEFAULT, OF_MATRICES, PLAIN),
        "all of it": lambda: score_matrix(matrix, array, DEFAULT, OF_MATRICES, USUAL),
    }
    taken = in_turn(functions, runs, processor_seconds)
    cells = (f"{median(taken[name]):>9.4f} {ratio(taken, name, 'floor'):>6.2f}" for name in functions)
    return f"{size:>6} {runs:>4} {' '.join(cells)}"


def memory_line(folder: Path, base_mb: float, count: int, jobs: int, size: int, dtype: str) -> str:
    """The line of the memory table for one checkpoint."""
    usage = run(score(write_squares(folder, count, size, dtype), "--jobs", str(jobs)))
    in_float64 = 8e-6 * size**2
    times = (usage.peak_mb - base_mb) / in_float64 / jobs
    missed = " misses" if times > MAX_MEMORY else ""
    took = f"{usage.wall:>7.1f} {usage.cpu:>7.1f} {usage.peak_mb:>8.0f} {times:>6.2f}{missed}"
    return f"{size:>6} {dtype:>6} {count:>8} {jobs:>4} {took}"


def main() -> None:
    """Print the tables."""
    is_full = "--full" in sys.argv[1:]
    print(machine_line(["wqscore", "numpy", "numba"]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        columns = f"{'floor s':>9} {'':>6} {'wqscore s':>9} {'ratio':>6} {'all of it':>9} {'ratio':>6}"
        print(f"{'size':>6} {'runs':>4} {columns}")
        with one_blas_thread():
            time_line(folder, TINY, 1)
            for size, runs in (RUNS | ({LARGEST: 1} if is_full else {})).items():
                print(time_line(folder, size, runs), flush=True)
        # With as many threads, since each has its own buffers.
        bases = {
            (count, jobs): run(score(write_squares(folder, count, TINY, "F32"), "--jobs", str(jobs))).peak_mb
            for count, jobs in ((1, 1), (4, 2))
        }
        print("base: " + ", ".join(f"{base:.0f} MB with --jobs {jobs}" for (_, jobs), base in bases.items()))
        print(
            f"{'size':>6} {'':>6} {'matrices':>8} {'jobs':>4} {'seconds':>7} {'cpu s':>7} {'peak MB':>8} {'times':>6}"
        )
        for size in (*SIZES_OF_MEMORY, *((LARGEST,) if is_full else ())):
            for dtype in ("F32", "BF16"):
                for count, jobs in bases:
                    print(memory_line(folder, bases[count, jobs], count, jobs, size, dtype), flush=True)


if __name__ == "__main__":
    main()
