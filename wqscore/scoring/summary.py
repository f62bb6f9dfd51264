"""From a model's rows to one number per metric, each with the number of matrices behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan

import numpy as np

from wqscore.checkpoints.decoding import is_update
from wqscore.fits.interval import Interval
from wqscore.matrices.uncounted import MissingWeight, UncountedTensor
from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.metrics.metric import ModelValue
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.presets.preset import Preset
from wqscore.scoring.expert_spread import ExpertSpread, expert_spread
from wqscore.scoring.layer_score import FLIPPED_SIGN, LayerScore
from wqscore.scoring.role_draws import RoleDraws, interval_of, matrix_key, role_draws

#: Metrics whose averages leave out matrices with λ_max < 1, where they fall as alpha rises.
_SIGN_DEPENDS_ON_SCALE = frozenset({"alpha_weighted", "log_alpha_norm"})


@dataclass(frozen=True)
class Statistic:
    """One metric over a model's matrices; NaN if none has a value.

    Attributes:
        median: the median.
        mean: the mean, all matrices weighted equally.
        weighted_mean: the mean, each matrix weighted by its number of weights.
        trimmed_mean: the mean without the smallest and the largest tenth.
        ok_median: the median over those with the verdict `ok`.
        lowest: the median if every matrix without a value had the smallest value of the others.
        highest: the median if every matrix without a value had the largest value of the others.
        total: the sum.
        count: how many matrices.
        interval: of the preset's headline, the median or the mean, over matrices drawn again within their roles
            (`role_draws`); `None` for a sum, for fewer than 6 matrices, and for bounds and nuisance parameters.
    """

    median: float
    mean: float
    weighted_mean: float
    trimmed_mean: float
    ok_median: float
    lowest: float
    highest: float
    total: float
    count: int
    interval: Interval | None = None


@dataclass(frozen=True)
class ModelSummary:
    """A model in numbers (docs/metrics.md).

    Attributes:
        statistics: by name of a metric of a matrix, over the matrices with a finite fit that belong in the averages;
            of one that needs no fit over all that belong, low-rank updates of any rank included; of a summed one over
            all matrices where it is defined.
        values: by name of a metric of the whole model.
        coverage: weights in those matrices ÷ weights in all matrices that belong; NaN if none does, or if it is not
            known how many weights were not read.
        coverage_all: weights in all matrices with a finite fit ÷ all parameters of the checkpoint; NaN likewise.
        n_matrices: matrices that belong in the averages, unread ones included.
        n_fitted: those of them with a finite fit.
        n_ok: those of them with the verdict `ok`.
        n_random: those of them with the verdict `random`.
        verdicts: how many rows have each verdict, `skipped` included.
        experts: how much the experts of a mixture differ, `None` where it is none.
        coverage_without_fit: of the matrices that count in metrics that need no fit, weights in those with
            eigenvalues ÷ weights in all; NaN if none counts.
        uncounted: the skipped tensors that leave the coverage open: missing weights, and codes of which can't be told
            how many weights they stand for.
    """

    statistics: Mapping[str, Statistic]
    values: Mapping[str, ModelValue]
    coverage: float
    coverage_all: float
    n_matrices: int
    n_fitted: int
    n_ok: int
    n_random: int
    verdicts: Mapping[str, int]
    experts: ExpertSpread | None = None
    coverage_without_fit: float = nan
    uncounted: tuple[SkippedTensor, ...] = ()

    def headline(self, metric: str, preset: Preset) -> float:
        """The number that a preset ranks models by."""
        if metric in self.values:
            return self.values[metric].value
        statistic = self.statistics[metric]
        if MATRIX_METRICS[metric].summed:
            return statistic.total
        return statistic.median if preset.headline == "median" else statistic.mean

    def interval(self, metric: str) -> Interval | None:
        """The interval of the headline; `None` where there is none, as for a metric of the whole model."""
        return self.statistics[metric].interval if metric in self.statistics else None


def summarise(
    rows: Sequence[LayerScore | SkippedTensor],
    parameters: int | None,
    preset: Preset,
    metrics: Sequence[str],
    values: Mapping[str, ModelValue],
    seed: int = 0,
) -> ModelSummary:
    """Summarise a model's rows.

    Args:
        rows: the scored matrices and the skipped tensors; unread matrices count against the coverage.
        parameters: weights of the whole checkpoint, `None` where it can't be told.
        preset: which roles and sizes belong in the averages.
        metrics: names of the metrics of matrices that the rows have.
        values: the metrics of the whole model.
        seed: of the draws behind the intervals.
    """
    layers = [row for row in rows if isinstance(row, LayerScore)]
    skipped = [row for row in rows if isinstance(row, SkippedTensor)]
    sized = [row for row in layers if row.verdict != "too-small"]
    belonging = belonging_rows(layers, preset)
    fitted = [row for row in belonging if row.fit is not None]
    unfitted = _rows_without_fit(layers, preset)
    solved = [row for row in unfitted if row.spectrum.state in ("finite", "unknown")]
    uncounted = tuple(skip for skip in skipped if _leaves_open(skip, preset))
    unread = len(uncounted) + sum(skip.weights > 0 for skip in skipped)
    unread_weights = sum(skip.weights for skip in skipped)
    weights = _weights(belonging) + unread_weights
    missing = len(belonging) + unread - len(fitted)
    unsolved = len(unfitted) + unread - len(solved)
    all_weights = _weights(unfitted) + unread_weights
    draws = _Draws(seed)
    return ModelSummary(
        statistics={
            name: _statistic(
                name,
                _rows_of(name, layers, fitted, unfitted),
                missing if MATRIX_METRICS[name].needs_fit else unsolved,
                preset,
                draws,
            )
            for name in metrics
        },
        values=values,
        coverage=_weights(fitted) / weights if weights and not uncounted else nan,
        coverage_all=_weights([row for row in sized if row.fit is not None]) / parameters if parameters else nan,
        n_matrices=len(belonging) + unread,
        n_fitted=len(fitted),
        n_ok=sum(row.verdict == "ok" for row in belonging),
        n_random=sum(row.verdict == "random" for row in belonging),
        verdicts=dict(Counter([row.verdict for row in layers] + ["skipped"] * len(skipped))),
        experts=expert_spread(layers, metrics),
        coverage_without_fit=_weights(solved) / all_weights if all_weights and not uncounted else nan,
        uncounted=uncounted,
    )


def _leaves_open(skip: SkippedTensor, preset: Preset) -> bool:
    """Whether a skip leaves it open how many weights of those that belong in the averages were not read."""
    if isinstance(skip, MissingWeight):
        return True
    return isinstance(skip, UncountedTensor) and preset.matrices.averages(skip.role)


def belonging_rows(layers: Sequence[LayerScore], preset: Preset) -> list[LayerScore]:
    """The matrices that belong in the averages."""
    return [row for row in layers if row.verdict != "too-small" and preset.matrices.averages(row.matrix.role)]


def counted_rows(layers: Sequence[LayerScore], metric: str, preset: Preset) -> list[LayerScore]:
    """The matrices whose values of a metric make a model's number."""
    fitted = [row for row in belonging_rows(layers, preset) if row.fit is not None]
    return rows_with_value(_rows_of(metric, layers, fitted, _rows_without_fit(layers, preset)), metric, preset)


def _rows_of(
    metric: str, layers: Sequence[LayerScore], fitted: Sequence[LayerScore], unfitted: Sequence[LayerScore]
) -> Sequence[LayerScore]:
    if MATRIX_METRICS[metric].summed:
        return layers
    return fitted if MATRIX_METRICS[metric].needs_fit else unfitted


def _rows_without_fit(layers: Sequence[LayerScore], preset: Preset) -> list[LayerScore]:
    """The matrices that count in metrics that need no fit: low-rank updates of any rank, and all that belong."""
    averaged = (row for row in layers if preset.matrices.averages(row.matrix.role))
    return [row for row in averaged if row.verdict != "too-small" or is_update(row.matrix.tensor)]


def rows_with_value(rows: Sequence[LayerScore], metric: str, preset: Preset) -> list[LayerScore]:
    """Those of the matrices whose value of a metric counts."""
    return [row for row in rows if value_counts(metric, row.metrics[metric], row.flags, preset)]


def value_counts(metric: str, value: float, flags: Sequence[str], preset: Preset) -> bool:
    """Whether a matrix's value of a metric counts, where the matrix itself does."""
    flipped = metric in _SIGN_DEPENDS_ON_SCALE and not preset.flipped_sign_in_averages and FLIPPED_SIGN in flags
    return isfinite(value) and not flipped


def _weights(rows: Sequence[LayerScore]) -> int:
    return sum(row.matrix.parameters for row in rows)


class _Draws:
    """The draws behind the intervals of one model, made once for all metrics of the same matrices."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn: dict[tuple[str, ...], RoleDraws] = {}

    def interval(self, metric: str, rows: Sequence[LayerScore], preset: Preset) -> Interval | None:
        """The interval of a metric's headline over these matrices."""
        if MATRIX_METRICS[metric].summed or not MATRIX_METRICS[metric].summarised:
            return None
        ordered = sorted(rows, key=matrix_key)
        roles = tuple(row.matrix.role for row in ordered)
        if roles not in self._drawn:
            self._drawn[roles] = role_draws(roles, self._seed)
        values = np.array([row.metrics[metric] for row in ordered])
        return interval_of(values, self._drawn[roles], preset.headline)


def _statistic(metric: str, rows: Sequence[LayerScore], missing: int, preset: Preset, draws: _Draws) -> Statistic:
    """A metric over its matrices; `missing` more belong and have no value."""
    counted = rows_with_value(rows, metric, preset)
    if not counted:
        return Statistic(nan, nan, nan, nan, nan, nan, nan, nan, 0)
    values = np.array([row.metrics[metric] for row in counted])
    sizes = np.array([row.matrix.parameters for row in counted], dtype=np.float64)
    sound = values[[row.verdict == "ok" for row in counted]]
    with np.errstate(over="ignore", invalid="ignore"):
        median = np.median(values)
        return Statistic(
            median=_finite(median),
            mean=_finite(values.mean()),
            weighted_mean=_finite(np.average(values, weights=sizes)),
            trimmed_mean=_finite(_trimmed(values).mean()),
            ok_median=_finite(np.median(sound)) if sound.size else nan,
            lowest=_finite(np.median(np.append(values, [values.min()] * missing)) if missing else median),
            highest=_finite(np.median(np.append(values, [values.max()] * missing)) if missing else median),
            total=_finite(values.sum()),
            count=len(counted),
            interval=draws.interval(metric, counted, preset),
        )


def _trimmed(values: np.ndarray) -> np.ndarray:
    """Without the smallest and the largest tenth, rounded down."""
    cut = values.size // 10
    return np.sort(values)[cut : values.size - cut]


def _finite(value: np.floating) -> float:
    return float(value) if isfinite(value) else nan
