"""Get the spectra of a score's matrices, and solve their shuffles from the weights, read again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.checkpoints.decoding import read_contents
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.errors import CheckpointError
from wqscore.execution.threads import one_blas_thread
from wqscore.matrices.plan import matrices_of
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.metrics.analysis import MatrixAnalysis
from wqscore.refs.callers import as_ref
from wqscore.refs.reference import Model
from wqscore.scoring.find_layer import choose_layer
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.matrix_spectrum import MatrixSpectrum
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.score_checkpoint import planned

#: The weights that are read again have the same ‖W‖_F² as those that were scored, to this relative difference.
_SAME = 1e-6


def spectrum_of(score: ModelScore, name: str, shuffled: bool = False, model: Model = None) -> MatrixSpectrum:
    """Return the spectrum of one matrix of a score.

    Args:
        score: the score.
        name: the matrix's name, or a part that is in no other's.
        shuffled: read the weights again, and solve the matrix with its entries shuffled too, by the score's seed.
        model: where to read them; the scored model's files if `None`.

    Raises:
        UsageError: no matrix has the name, or several.
        CheckpointError: the matrix has no spectrum; its weights are not at hand any more, or are others.
    """
    row = choose_layer(score, name)
    return matrix_spectrum(score, row, _shuffled(score, [row], model)[0] if shuffled else None)


def matrix_spectrum(score: ModelScore, row: LayerScore, shuffled: np.ndarray | None = None) -> MatrixSpectrum:
    """Return the spectrum of a row.

    Raises:
        CheckpointError: the matrix has no spectrum.
    """
    if not row.spectrum.eigenvalues.size:
        reason = row.reason or f"the engine {score.engine} reports none: score it with wqscore's own"
        raise CheckpointError(f"{score.ref.label}: {row.matrix.name}: has no spectrum to draw: {reason}")
    floor = score.preset.floor(row.spectrum)
    return MatrixSpectrum(row.matrix.name, row.matrix.role, row.spectrum, floor, row.fit, row.verdict, shuffled)


def all_spectra(score: ModelScore, shuffled: bool = False, model: Model = None) -> list[MatrixSpectrum]:
    """Return the spectra of all matrices that have one, in the order of the rows; arguments as for `spectrum_of`."""
    rows = [row for row in score.layers if row.spectrum.eigenvalues.size]
    shuffles = _shuffled(score, rows, model) if shuffled else [None] * len(rows)
    return [matrix_spectrum(score, row, found) for row, found in zip(rows, shuffles, strict=True)]


def _shuffled(score: ModelScore, rows: Sequence[LayerScore], model: Model) -> list[np.ndarray]:
    """The eigenvalues of each matrix with its entries shuffled."""
    again: dict[str, WeightMatrix] = {}
    if model is not None:
        again = {each.name: each for each in matrices_of(planned(open_checkpoint(as_ref(model)), score.preset))}
    with one_blas_thread():
        return [_shuffle(score, row, again.get(row.matrix.name) if again else row.matrix) for row in rows]


def _shuffle(score: ModelScore, row: LayerScore, matrix: WeightMatrix | None) -> np.ndarray:
    where = f"{score.ref.label}: {row.matrix.name}"
    if matrix is None or (matrix.rows, matrix.columns) != (row.matrix.rows, row.matrix.columns):
        raise CheckpointError(f"{where}: is not in the model that was passed: pass the one that was scored")
    is_whole = matrix.cut == Cut(matrix.tensor.shape) and len(matrix.tensor.shape) == 2
    contents = read_contents(matrix.tensor) if is_whole else matrix.tensor.read()
    source = contents if isinstance(contents, LowRank) else matrix.values(contents)
    scale = score.preset.scale(matrix)
    analysis = MatrixAnalysis(source, row.spectrum, 0.0, scale=scale, sampling=score.sampling)
    energy = scale * float(np.square(analysis.weights, dtype=np.float64).sum())
    if not abs(energy - row.spectrum.total) <= _SAME * row.spectrum.total:
        raise CheckpointError(f"{where}: its weights are not those that were scored: score the model again")
    return analysis.shuffles[0].eigenvalues
