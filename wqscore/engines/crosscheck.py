"""The preset `ww-0.7` beside the real WeightWatcher: the same matrices, the same columns, and where they differ."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, isnan, nan
from typing import Literal

from wqscore.engines.weightwatcher import COMPARED, WatchedLayer, WeightWatcherResult
from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.presets.weightwatcher import WW_0_7
from wqscore.refs import ModelRef
from wqscore.results import Result
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore

#: Two numbers this close, relatively, are the same: the solvers differ by rounding, and so by about 1e-12.
TOLERANCE = 1e-6
#: They pass through 0, and their absolute difference is the relative one of what they are logarithms of.
_LOGARITHMS = frozenset({"log_norm", "log_spectral_norm", "alpha_weighted", "log_alpha_norm"})
#: WeightWatcher fits fewer eigenvalues by other rules than those of the literature, which wqscore keeps to.
_FEW = 20
_FEW_REASON = f"WeightWatcher has another rule for fewer than {_FEW} eigenvalues"
#: It leaves out a matrix with more.
_MOST = 15_000

Agreement = Literal["same", "differs"]


@dataclass(frozen=True)
class CrosscheckRow:
    """One number by both.

    Attributes:
        column: WeightWatcher's name for it.
        ours: wqscore's value; NaN where it is not defined.
        theirs: WeightWatcher's, likewise.
        difference: |ours − theirs| / max(|ours|, |theirs|), for logarithms / max(|ours|, |theirs|, 1); 0 if neither
            is defined, NaN if one is.
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
    """One matrix that both scored.

    Attributes:
        name: the tensor's name.
        comparisons: a number of each column by both.
        reason: what is known to make them differ: what wqscore says of its row, or too few eigenvalues; or empty.
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
        """`same` if every column is."""
        return "differs" if self.differing else "same"


@dataclass(frozen=True)
class Unpaired:
    """A matrix that only one of the two scored, and why the other did not."""

    name: str
    scored_by: Literal["wqscore", "weightwatcher"]
    reason: str


@dataclass(frozen=True)
class Crosscheck(Result):
    """A model by both.

    Attributes:
        ref: what was asked for.
        revision: the 40-hex commit on the Hub, `None` for files on disk.
        version: WeightWatcher's version.
        matrices: what both scored, in wqscore's order.
        unpaired: what only one scored.
        means: the columns of WeightWatcher's summary, each its mean over matrices by both. They may differ though
            all matrices are the same: WeightWatcher counts failed fits as −1, and tied copies again.
        averaged: how many matrices are in wqscore's means, and in WeightWatcher's.
        failed: the matrices that WeightWatcher scored without a fit.
    """

    ref: ModelRef
    revision: str | None
    version: str
    matrices: tuple[MatrixComparison, ...]
    unpaired: tuple[Unpaired, ...]
    means: tuple[CrosscheckRow, ...]
    averaged: tuple[int, int]
    failed: tuple[str, ...]


def crosscheck(score: ModelScore, watched: WeightWatcherResult) -> Crosscheck:
    """Pair a model's rows with WeightWatcher's layers, by the tensor's name, and compare them.

    Args:
        score: scored with the preset `ww-0.7`, with any of the metrics `COMPARED`.
        watched: the same model by WeightWatcher.
    """
    theirs = {layer.tensor: layer for layer in watched.layers}
    paired = [row for row in score.layers if row.matrix.name in theirs]
    names = {row.matrix.name for row in paired}
    alone = [row for row in score.layers if row.matrix.name not in theirs]
    skipped = {skip.name: skip for skip in score.skipped}
    columns = [name for name in COMPARED if name in score.metrics]
    return Crosscheck(
        ref=score.ref,
        revision=score.revision,
        version=watched.version,
        matrices=tuple(_matrix(row, theirs[row.matrix.name], columns) for row in paired),
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
    )


def _matrix(row: LayerScore, layer: WatchedLayer, columns: Iterable[str]) -> MatrixComparison:
    return MatrixComparison(
        row.matrix.name,
        tuple(_compare(name, row.metrics[name], layer.columns.get(_column(name), nan)) for name in columns),
        _FEW_REASON if _eigenvalues(row) < _FEW else "" if row.fit else row.reason,
    )


def _compare(name: str, ours: float, theirs: float) -> CrosscheckRow:
    return CrosscheckRow(_column(name), ours, theirs, _difference(ours, theirs, 1.0 if name in _LOGARITHMS else 0.0))


def _difference(ours: float, theirs: float, least: float) -> float:
    if not (isfinite(ours) and isfinite(theirs)):
        return 0.0 if isnan(ours) and isnan(theirs) else nan
    scale = max(abs(ours), abs(theirs), least)
    return abs(ours - theirs) / scale if scale else 0.0


def _column(name: str) -> str:
    return WW_0_7.columns.get(name, name)


def _why_not_watched(row: LayerScore) -> str:
    """The rules of WeightWatcher's folder reader."""
    matrix = row.matrix
    if not matrix.tensor.name.endswith(".weight"):
        return "WeightWatcher reads tensors called *.weight only"
    if len(matrix.tensor.shape) not in {2, 4}:
        return f"WeightWatcher reads no {len(matrix.tensor.shape)}-D tensors"
    if _eigenvalues(row) < WW_0_7.matrices.min_eigenvalues:
        return f"WeightWatcher leaves out fewer than {WW_0_7.matrices.min_eigenvalues} eigenvalues"
    if _eigenvalues(row) > _MOST:
        return f"WeightWatcher leaves out more than {_MOST:,} eigenvalues"
    return "WeightWatcher does not say why"


def _eigenvalues(row: LayerScore) -> int:
    return min(row.matrix.rows, row.matrix.columns) * row.matrix.slices


def _why_not_scored(skip: SkippedTensor | None) -> str:
    return f"skipped: {skip.reason}" if skip else "scored in parts"
