"""Estimate the work of scoring from the shapes of the matrices, and measure this machine's speed at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from math import inf
from statistics import median
from time import get_clock_info, thread_time

import numpy as np
from blake3 import blake3

from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.execution.threads import one_blas_thread
from wqscore.fits.methods import TAILS
from wqscore.fits.sampling import USUAL, Sampling
from wqscore.integrity.contents import examine
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.presets.preset import Preset
from wqscore.spectra.eigenvalues import gram, gram_eigenvalues

#: Operations of a values-only symmetric eigensolve of size N, over N³: the reduction to tridiagonal form. The
#: eigenvalues of that take some N² more, one after the other, as long as so many N² of the reduction.
_REDUCTION, _TRIDIAGONAL = 4 / 3, 200
#: Beyond this side a Gram matrix leaves the processor's cache (16 MB), and half of the reduction waits for memory:
#: 8 bytes for four operations, read at three quarters of the speed of a plain product with a vector.
_CACHED_SIDE, _BYTES_PER_OPERATION = 1448, 8 / 4 / 0.75
#: An eigensolve beside a Gram matrix of as many rows; and passes over the entries beside both.
_SOLVE, _PASSES = 3, 100
#: What costs as much as passing over so many entries: fitting a power law to N points again is a start and N steps,
#: and each matrix has a cost of its own.
_REFIT, _REFIT_POINT, _MATRIX = 3_000, 8.5, 120_000
#: The windows of `spectra.windows`: their largest side, and the most positions along a side of W.
_WINDOW, _POSITIONS = 2000, 10
#: The side of the matrix that is tried: a smaller one is solved at a lower rate, a larger one takes longer.
_PROBE, _REPEATS = 640, 3
#: A pass over the entries takes that much longer with the sums for the verdicts, which are compiled: to load what
#: runs them takes longer than all that is measured.
_WITH_SUMS = 1.5
#: Entries that no cache holds, 64 MB of them.
_UNCACHED = (4096, 2048)


@dataclass(frozen=True)
class Work:
    """Amounts of work, by what limits them.

    Attributes:
        gram: multiplications and additions of Gram matrices, in pairs.
        solving: operations of eigensolves in the processor's cache.
        uncached: operations of larger ones.
        entries: entries that are passed over, and what costs as much.
        solves: eigensolves.
    """

    gram: float = 0.0
    solving: float = 0.0
    uncached: float = 0.0
    entries: float = 0.0
    solves: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Work)))


@dataclass(frozen=True)
class Speed:
    """How fast one core does each kind of work.

    Attributes:
        gram: pairs of multiplication and addition of a Gram matrix, per second.
        solving: operations of an eigensolve in the processor's cache, per second.
        memory: bytes that are read from memory, per second; infinite where no work needs to wait for it.
        entries: entries that are passed over, per second.
    """

    gram: float
    solving: float
    memory: float
    entries: float

    def seconds(self, work: Work) -> float:
        """About how long some work takes on one core."""
        by_memory = work.uncached / 2 * (1 / self.gram + _BYTES_PER_OPERATION / self.memory)
        return work.gram / self.gram + work.solving / self.solving + by_memory + work.entries / self.entries


def work_of(matrices: Iterable[WeightMatrix], preset: Preset, sampling: Sampling = USUAL) -> Work:
    """The work of scoring matrices with a preset's metrics, without the shuffles that only noise is put to.

    At the speed of `measure_speed` the estimate holds within a factor of 1.5 for the preset `default`, of 2
    for the others. Reading is not in it: it waits for the disk or the network.

    Args:
        matrices: what is scored.
        preset: its fits, and whether it has windows, decide on the work.
        sampling: how much random work there is.
    """
    refits = sampling.bootstrap + sampling.gof if preset.fits == TAILS else 0
    return sum((_work(matrix, refits, "alpha_farms" in preset.core) for matrix in matrices), Work())


def _work(matrix: WeightMatrix, refits: int, windows: bool) -> Work:
    rows, columns = solved_sides(matrix)
    points = min(rows, columns) * matrix.slices
    fits = refits * (_REFIT + _REFIT_POINT * points)
    found = _solves(rows, columns, matrix.slices) + Work(entries=rows * columns * matrix.slices + fits + _MATRIX)
    if windows:
        side = min(_WINDOW, rows, columns)
        positions = min(_POSITIONS, rows - side + 1) * min(_POSITIONS, columns - side + 1)
        found += _solves(side, side, positions * matrix.slices)
    return found


def cost(matrices: Iterable[WeightMatrix]) -> int:
    """How much longer some matrices take than others, in no unit: for an order, and for shares of the whole."""
    total = 0
    for matrix in matrices:
        small, large = sorted(solved_sides(matrix))
        total += (small**2 * (large + _SOLVE * small) + _PASSES * small * large) * matrix.slices
    return total


def solved_sides(matrix: WeightMatrix) -> tuple[int, int]:
    """The sides of the matrix that is solved: W, or the core of a product of two thin matrices."""
    tensor = matrix.tensor
    if isinstance(tensor, DecodedTensor) and tensor.decoding.factors is not None:
        rank = min(side for part in tensor.decoding.parts for side in part.shape)
        return rank, rank
    return matrix.rows, matrix.columns


def _solves(rows: int, columns: int, count: int) -> Work:
    small, large = sorted((rows, columns))
    operations = _REDUCTION * (small**3 + _TRIDIAGONAL * small**2) * count
    products = small**2 * large * count
    if small <= _CACHED_SIDE:
        return Work(gram=products, solving=operations, solves=count)
    return Work(gram=products, uncached=operations, solves=count)


def measure_speed(uncached: bool = True) -> Speed:
    """Measure this machine's speed on one small matrix; takes about a tenth of a second.

    Args:
        uncached: whether there is work that waits for memory; if not, how fast that is read is not measured, which
            takes a third of the time.
    """
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((_PROBE, _PROBE), dtype=np.float32)
    with one_blas_thread():
        products: list[np.ndarray] = []

        def pass_over() -> None:
            examine(matrix)
            blake3(matrix.reshape(-1).view(np.uint8).data)

        work = _solves(_PROBE, _PROBE, 1)
        multiplying = _usual(lambda: products.append(gram(matrix)))
        # Overwrites its matrix, so that each is solved once.
        solving = _usual(lambda: gram_eigenvalues(products.pop()))
        return Speed(
            gram=work.gram / multiplying,
            solving=work.solving / solving,
            memory=_memory_speed() if uncached else inf,
            entries=matrix.size / _usual(pass_over) / _WITH_SUMS,
        )


def _memory_speed() -> float:
    large, vector = np.ones(_UNCACHED), np.ones(_UNCACHED[1])
    return large.nbytes / _usual(lambda: large @ vector)


def _usual(task: Callable[[], object]) -> float:
    """CPU seconds that a task takes, the median of a few runs."""
    seconds = []
    for _ in range(_REPEATS):
        start = thread_time()
        task()
        seconds.append(thread_time() - start)
    return max(median(seconds), get_clock_info("thread_time").resolution)
