"""What would be done with a checkpoint, from its headers alone."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.execution import one_blas_thread
from wqscore.matrices.model_config import ModelConfig
from wqscore.matrices.plan import Outcome, plan_matrices
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
from wqscore.presets import DEFAULT, Preset
from wqscore.spectra.eigenvalues import gram, gram_eigenvalues

_PROBE = 512
#: Operations of a values-only symmetric eigensolve of size N, over N³: the reduction to tridiagonal form.
_EIGENSOLVE = 4 / 3


@dataclass(frozen=True)
class ModelDescription:
    """A checkpoint's tensors and what scoring would do with each.

    Attributes:
        checkpoint: the opened checkpoint.
        preset: the preset it was planned for.
        outcomes: the matrices and skips, in the order of `layers.csv`.
        size: bytes that scoring would read.
        seconds: a rough estimate of the time on one core of this machine.
    """

    checkpoint: Checkpoint
    preset: Preset
    outcomes: tuple[Outcome, ...]
    size: int
    seconds: float

    @property
    def matrices(self) -> tuple[WeightMatrix, ...]:
        """The matrices that would be scored."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, WeightMatrix))

    @property
    def skipped(self) -> tuple[SkippedTensor, ...]:
        """The tensors that would not."""
        return tuple(outcome for outcome in self.outcomes if isinstance(outcome, SkippedTensor))


def describe_checkpoint(checkpoint: Checkpoint, preset: Preset = DEFAULT) -> ModelDescription:
    """Plan the scoring of a checkpoint without reading a weight."""
    outcomes = plan_matrices(checkpoint.tensors, ModelConfig(checkpoint.config), preset.matrices)
    matrices = [outcome for outcome in outcomes if isinstance(outcome, WeightMatrix)]
    tensors = {matrix.tensor.name: matrix.tensor.nbytes for matrix in matrices}
    operations = sum(_operations(matrix.rows, matrix.columns) * matrix.slices for matrix in matrices)
    return ModelDescription(checkpoint, preset, outcomes, sum(tensors.values()), operations / _speed())


def _operations(rows: int, columns: int) -> float:
    small, large = sorted((rows, columns))
    return small**2 * large + _EIGENSOLVE * small**3


def _speed() -> float:
    """Operations per second of one core, measured on one small matrix."""
    matrix = np.random.default_rng(0).standard_normal((_PROBE, _PROBE))
    with one_blas_thread():
        gram_eigenvalues(gram(matrix))
        start = perf_counter()
        gram_eigenvalues(gram(matrix))
        return _operations(_PROBE, _PROBE) / (perf_counter() - start)
