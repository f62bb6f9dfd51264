"""What compressing a model costs at least: each matrix at low rank, from its spectrum, and rounded to few bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite, nan, sqrt
from typing import Unpack

import numpy as np

from wqscore.api.run import own_errors
from wqscore.api.score import score
from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.errors import UsageError
from wqscore.execution.progress import RankProgress
from wqscore.execution.resources import Resources
from wqscore.execution.threads import Job
from wqscore.matrices.plan import matrices_of
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
from wqscore.planning.peak_memory import held
from wqscore.refs.callers import as_ref
from wqscore.refs.reference import Model, ModelRef
from wqscore.results import Result
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.score_checkpoint import planned
from wqscore.scoring.summary import counted_rows
from wqscore.studies.compress.low_rank import error_at, kept_rank, rank_within
from wqscore.studies.compress.rounding import BITS, rounding_errors
from wqscore.studies.grouped import run_grouped

#: The share of its weights that a matrix keeps unless told.
RATIO = 0.5
#: The errors for which the least rank is told.
ERRORS = (0.01, 0.05, 0.1)
_STABLE_RANK = "stable_rank"
#: Arrays of a matrix's shape in float64 that rounding holds at its peak.
_ARRAYS = 4


@dataclass(frozen=True)
class CompressedMatrix:
    """What a matrix loses.

    Attributes:
        row: its row in the score.
        rank: of two factors that hold the share of its weights; 0 where it has no spectrum.
        error: the smallest ‖W − W_r‖_F/‖W‖_F at that rank; NaN where it has no spectrum.
        ranks: the least ranks with an error of 1, 5 and 10 %; empty where it has no spectrum.
        stable_rank: Σλ/λ_max; NaN where it has no spectrum.
        rounded: the errors at 8, 4, 3 and 2 bits; empty where they were not asked for.
        reason: why there are no numbers; empty where there are.
    """

    row: LayerScore
    rank: int
    error: float
    ranks: tuple[int, ...]
    stable_rank: float
    rounded: tuple[float, ...] = ()
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Compression(Result):
    """What compressing a model costs at least.

    Attributes:
        score: the model's score.
        ratio: the share of its weights that each matrix keeps.
        matrices: the matrices.
        skipped: tensors that could not be read as matrices, each with its reason.
        outlook: γ times the mean stable rank of the matrices that count in averages; NaN without any.
        bits: what the weights were rounded to; empty where that was not asked for.
    """

    score: ModelScore
    ratio: float
    matrices: tuple[CompressedMatrix, ...]
    skipped: tuple[SkippedTensor, ...]
    outlook: float
    bits: tuple[int, ...] = ()

    def __repr__(self) -> str:
        """The model, and what it loses."""
        return f"<Compression of {self.score.ref.label:.80}: {self.error:.3g} at {self.ratio:g} of the weights>"

    @property
    def error(self) -> float:
        """The error at low rank of all matrices, the root of their mean square weighted by parameters."""
        return self._over_all([each.error for each in self.matrices])

    @property
    def rounded(self) -> tuple[float, ...]:
        """The errors at each number of bits, in the same way."""
        return tuple(
            self._over_all([each.rounded[place] for each in self.matrices]) for place in range(len(self.bits))
        )

    def _over_all(self, errors: Sequence[float]) -> float:
        sizes = [each.row.matrix.parameters for each in self.matrices]
        known = [(size, error) for size, error in zip(sizes, errors, strict=True) if isfinite(error)]
        return sqrt(sum(n * e**2 for n, e in known) / sum(n for n, _ in known)) if known else nan


@takes_settings
def compress(
    model: Model,
    *,
    ratio: float = RATIO,
    rounded: bool = False,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Unpack[SettingsKeywords],
) -> Compression:
    """Say what compressing a model costs at least: low rank from its spectra, and rounding measured on its weights.

    With a store that has the model's score, low rank reads and solves nothing.

    Args:
        model: the model, as for `wqscore.score`.
        ratio: the share of its weights that each matrix keeps as two factors, above 0, at most 1.
        rounded: round the weights to 8, 4, 3 and 2 bits too, which reads each once more.
        settings: as for `wqscore.score`.
        progress: receives progress.
        **changes: as for `wqscore.score`, without `engine`.

    Raises:
        UsageError: an unknown reference or setting, or a ratio out of range.
        CheckpointError: a model that can't be found, fetched or read.

    Example:
        `wqscore.compress("./my-model", ratio=0.3).error`
    """
    chosen = changed(settings, changes)
    if chosen.engine != "wqscore":
        raise UsageError("compress reads spectra, which other engines don't report: leave engine out")
    if not 0 < ratio <= 1:
        raise UsageError(f"ratio is {ratio:g}: give a share of the weights above 0, at most 1")
    ref = as_ref(model)
    scored = score(ref, settings=replace(chosen, metrics=_metrics(chosen)), progress=progress)
    matrices = [_at_low_rank(row, ratio) for row in scored.layers]
    if rounded:
        with own_errors(ref):
            errors = _rounded(ref, scored, Resources(chosen.jobs, chosen.memory))
        matrices = [replace(each, rounded=found) for each, found in zip(matrices, errors, strict=True)]
    return Compression(
        score=scored,
        ratio=ratio,
        matrices=tuple(matrices),
        skipped=tuple(skip for skip in scored.skipped if skip.kind == "unread"),
        outlook=_outlook(scored, ratio),
        bits=BITS if rounded else (),
    )


def _metrics(settings: Settings) -> tuple[str, ...]:
    """The settings' metrics, and the one that the outlook needs."""
    given = settings.metrics
    return (*(given.split(",") if isinstance(given, str) else given), _STABLE_RANK)


def _at_low_rank(row: LayerScore, ratio: float) -> CompressedMatrix:
    spectrum = row.spectrum
    if spectrum.state != "finite":
        return CompressedMatrix(row, 0, nan, (), nan, reason=row.reason or spectrum.state)
    rank = kept_rank(spectrum, ratio)
    ranks = tuple(rank_within(spectrum, error) for error in ERRORS)
    return CompressedMatrix(row, rank, error_at(spectrum, rank), ranks, spectrum.total / spectrum.largest)


def _outlook(scored: ModelScore, ratio: float) -> float:
    values = [row.metrics[_STABLE_RANK] for row in counted_rows(scored.layers, _STABLE_RANK, scored.preset)]
    return ratio * float(np.mean(values)) if values else nan


def _rounded(ref: ModelRef, scored: ModelScore, resources: Resources) -> list[tuple[float, ...]]:
    """The errors of every matrix, each tensor read once."""
    again: dict[str, WeightMatrix] = {}
    if ref.memory is not None:
        again = {each.name: each for each in matrices_of(planned(open_checkpoint(ref), scored.preset))}
    matrices = [again.get(row.matrix.name, row.matrix) for row in scored.layers]
    groups: dict[int, list[int]] = {}
    for place, matrix in enumerate(matrices):
        groups.setdefault(id(matrix.tensor), []).append(place)
    places = list(groups.values())
    jobs = [_job([matrices[place] for place in each]) for each in places]
    found = run_grouped(places, jobs, resources)
    return [found[place] for place in range(len(matrices))]


def _job(matrices: Sequence[WeightMatrix]) -> Job[list[tuple[float, ...]]]:
    tensor = matrices[0].tensor
    largest = max(matrix.parameters for matrix in matrices)
    memory = held(tensor) + _ARRAYS * largest * np.dtype(np.float64).itemsize
    return Job(tensor.read, partial(_errors, matrices), memory, tensor.name)


def _errors(matrices: Sequence[WeightMatrix], array: np.ndarray) -> list[tuple[float, ...]]:
    return [rounding_errors(matrix.values(array)) for matrix in matrices]
