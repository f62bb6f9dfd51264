"""Compare the preset `ww-0.7` with the real WeightWatcher, matrix by matrix and column by column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan
from statistics import fmean
from typing import Literal

from wqscore.engines.weightwatcher import COMPARED, WatchedLayer, WeightWatcherResult
from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.presets.weightwatcher import WW_0_7
from wqscore.refs.reference import ModelRef
from wqscore.results import Result
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore

#: Relative difference up to which two numbers count as the same; the solvers' rounding differs by about 1e-12.
TOLERANCE = 1e-6
#: Logarithms pass through 0, so they are compared absolutely: a relative difference of the numbers behind them.
_LOGARITHMS = frozenset({"log_norm", "log_spectral_norm", "alpha_weighted", "log_alpha_norm"})
#: Below this count WeightWatcher fits by rules of its own; wqscore keeps to those of the literature.
_MIN_COMPARABLE = 20
_FEW_REASON = f"WeightWatcher has another rule for fewer than {_MIN_COMPARABLE} eigenvalues"
#: WeightWatcher leaves out a matrix with more eigenvalues.
_MAX_EIGENVALUES = 15_000

Agreement = Literal["same", "differs"]


@dataclass(frozen=True)
class CrosscheckRow:
    """One number as wqscore and WeightWatcher compute it.

    Attributes:
        column: WeightWatcher's name of the number.
        ours: wqscore's value; NaN where it is not defined.
        theirs: WeightWatcher's value; NaN where it is not defined.
        difference: |ours − theirs| / max(|ours|, |theirs|), for logarithms / max(|ours|, |theirs|, 1); 0 if neither
            is defined, NaN if only one is.
    """

    column: str
    ours: float
    theirs: float
    difference: float

    @property
    def verdict(self) -> Agreement:
        """`same` up to `TOLERANCE`, or if neither is defined."""
        return "same" if self.difference <= TOLERANCE else "differs"


@dataclass(frozen=True)
class MatrixComparison:
    """One matrix that both tools scored.

    Attributes:
        name: the tensor's name.
        comparisons: one per column.
        reason: a known cause of differences: too few eigenvalues, or why wqscore has no fit; empty if none is known.
    """

    name: str
    comparisons: tuple[CrosscheckRow, ...]
    reason: str

    @property
    def differing(self) -> tuple[CrosscheckRow, ...]:
        """The columns that differ."""
        return tuple(comparison for comparison in self.comparisons if comparison.verdict == "differs")

    @property
    def verdict(self) -> Agreement:
        """`same` if all columns agree."""
        return "differs" if self.differing else "same"


@dataclass(frozen=True)
class Unpaired:
    """A matrix that only one tool scored, and why the other did not."""

    name: str
    scored_by: Literal["wqscore", "weightwatcher"]
    reason: str


@dataclass(frozen=True)
class Crosscheck(Result):
    """A model scored by both tools, compared.

    Attributes:
        ref: the model as requested.
        revision: the 40-hex commit on the Hub, `None` for files on disk.
        version: WeightWatcher's version.
        matrices: those that both scored, in wqscore's order.
        unpaired: those that only one scored.
        means: each column of WeightWatcher's summary, averaged over matrices by both tools. Means may differ even
            if all matrices agree: WeightWatcher counts a failed fit as −1, and every tied copy.
        averaged: how many matrices are in wqscore's means, and in WeightWatcher's.
        failed: the matrices that WeightWatcher scored without a fit.
        shared_means: the means over the matrices that both have a value for: where they agree, so do the tools.
    """

    ref: ModelRef
    revision: str | None
    version: str
    matrices: tuple[MatrixComparison, ...]
    unpaired: tuple[Unpaired, ...]
    means: tuple[CrosscheckRow, ...]
    averaged: tuple[int, int]
    failed: tuple[str, ...]
    shared_means: tuple[CrosscheckRow, ...] = ()


def crosscheck(score: ModelScore, watched: WeightWatcherResult) -> Crosscheck:
    """Pair a model's rows with WeightWatcher's layers by tensor name, and compare them.

    Args:
        score: the model, scored with the preset `ww-0.7` and any of the metrics `COMPARED`.
        watched: the same model, scored by WeightWatcher.
    """
    theirs = {layer.tensor: layer for layer in watched.layers}
    paired = [row for row in score.layers if row.matrix.name in theirs]
    names = {row.matrix.name for row in paired}
    alone = [row for row in score.layers if row.matrix.name not in theirs]
    skipped = {skip.name: skip for skip in score.skipped}
    columns = [name for name in COMPARED if name in score.metrics]
    matrices = tuple(_matrix(row, theirs[row.matrix.name], columns) for row in paired)
    return Crosscheck(
        ref=score.ref,
        revision=score.revision,
        version=watched.version,
        matrices=matrices,
        unpaired=(
            *(Unpaired(row.matrix.name, "wqscore", _why_not_watched(row)) for row in alone),
            *(
                Unpaired(layer.tensor, "weightwatcher", _why_not_scored(skipped.get(layer.tensor)))
                for layer in watched.layers
                if layer.tensor not in names
            ),
        ),
        means=tuple(
            _compare(name, score.summary.statistics[name].mean, watched.summary[_column(name)])
            for name in columns
            if _column(name) in watched.summary
        ),
        averaged=(score.summary.n_fitted, len(watched.layers)),
        failed=tuple(layer.tensor for layer in watched.layers if isnan(layer.columns["alpha"])),
        shared_means=_shared_means(matrices, [name for name in columns if _column(name) in watched.summary]),
    )


def _shared_means(matrices: Sequence[MatrixComparison], metrics: Iterable[str]) -> tuple[CrosscheckRow, ...]:
    """The means of both tools over the matrices that both have a value for."""
    found = []
    for name in metrics:
        pairs = [
            (each.ours, each.theirs)
            for matrix in matrices
            for each in matrix.comparisons
            if each.column == _column(name) and isfinite(each.ours) and isfinite(each.theirs)
        ]
        if pairs:
            ours, theirs = (fmean(values) for values in zip(*pairs, strict=True))
            found.append(_compare(name, ours, theirs))
    return tuple(found)


def _matrix(row: LayerScore, layer: WatchedLayer, columns: Iterable[str]) -> MatrixComparison:
    return MatrixComparison(
        row.matrix.name,
        tuple(_compare(name, row.metrics[name], layer.columns.get(_column(name), nan)) for name in columns),
        _FEW_REASON if _eigenvalue_count(row) < _MIN_COMPARABLE else "" if row.fit else row.reason,
    )


def _compare(name: str, ours: float, theirs: float) -> CrosscheckRow:
    return CrosscheckRow(_column(name), ours, theirs, _difference(ours, theirs, 1.0 if name in _LOGARITHMS else 0.0))


def _difference(ours: float, theirs: float, min_scale: float) -> float:
    if not (isfinite(ours) and isfinite(theirs)):
        return 0.0 if isnan(ours) and isnan(theirs) else nan
    scale = max(abs(ours), abs(theirs), min_scale)
    return abs(ours - theirs) / scale if scale else 0.0


def _column(name: str) -> str:
    return WW_0_7.label(name)


def _why_not_watched(row: LayerScore) -> str:
    """Why WeightWatcher did not score a row, by the rules of its folder reader."""
    matrix = row.matrix
    if not matrix.tensor.name.endswith(".weight"):
        return "WeightWatcher reads tensors called *.weight only"
    if len(matrix.tensor.shape) not in {2, 4}:
        return f"WeightWatcher reads no {len(matrix.tensor.shape)}-D tensors"
    if _eigenvalue_count(row) < WW_0_7.matrices.min_eigenvalues:
        return f"WeightWatcher leaves out fewer than {WW_0_7.matrices.min_eigenvalues} eigenvalues"
    if _eigenvalue_count(row) > _MAX_EIGENVALUES:
        return f"WeightWatcher leaves out more than {_MAX_EIGENVALUES:,} eigenvalues"
    return "WeightWatcher does not say why"


def _eigenvalue_count(row: LayerScore) -> int:
    return min(row.matrix.rows, row.matrix.columns) * row.matrix.slices


def _why_not_scored(skip: SkippedTensor | None) -> str:
    return f"skipped: {skip.reason}" if skip else "scored in parts"
