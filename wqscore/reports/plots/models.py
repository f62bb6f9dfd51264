"""Charts of whole models: a metric by depth, a ranking's intervals, and its models role by role."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from wqscore.errors import CheckpointError, UsageError
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.ranking.ranking import Ranking
from wqscore.rendering.html import figures
from wqscore.rendering.numbers import beside, ends, number
from wqscore.reports.html.explorer import present_roles
from wqscore.reports.intervals import has_intervals
from wqscore.reports.plots.picture import USUAL, Look, Picture, Rows, picture
from wqscore.reports.tables import summary_metrics
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore

#: The usual range of trained layers' alpha.
_USUAL = {"lo": 2, "hi": 6}
_BAND = "shaded: 2 to 6, usual in trained layers; hollow: verdict not ok"
_HOLLOW = "hollow: verdict not ok"
#: The place of a matrix that belongs to no layer, and its order among the layers.
_NO_LAYER, _LAST = "–", 1_000_000
#: Panels of roles beside each other, and the width of one in points.
_PANELS, _PANEL_WIDTH, _AROUND = 3, 200, 30
#: The width of an axis of intervals, and of the names before it.
_AXIS, _LABELS = 420, 180

_Row = dict[str, object]


def depth_picture(scores: Sequence[ModelScore], metric: str = "alpha") -> Picture:
    """A metric layer by layer, with each model's number as a dashed line: roles of one model, or several models.

    Args:
        scores: at least one, with different names.
        metric: a metric of matrices that all were scored with.

    Raises:
        UsageError: a model was not scored with the metric.
        CheckpointError: no matrix has a number to draw.
    """
    rows = [row for score in scores for row in layer_rows(score, metric)]
    if not rows:
        labels = ", ".join(score.ref.label for score in scores)
        raise CheckpointError(f"{labels}: no matrix has a fit to draw: wqscore score says why")
    title, band = scores[0].preset.label(metric), metric == "alpha"
    average = [row for score in scores for row in _average(score, metric)]
    data: Rows = {"layers": rows, "average": average, "band": [_USUAL] * band}
    note = _BAND if band else _HOLLOW
    if len(scores) == 1:
        spec = figures.depth_of_roles(title, present_roles(scores), band)
        return picture(spec, data, scores[0].ref.label, [*_own(scores[0], metric), note])
    spec = figures.depth_of_models(title, [score.ref.label for score in scores], band)
    return picture(spec, data, f"{title} by layer", [note])


def ranking_picture(ranking: Ranking, look: Look = USUAL) -> Picture:
    """Each model's number with its interval, an axis for each family; under the conclusion.

    Args:
        ranking: the ranking.
        look: the width of its axes follows from its width.

    Raises:
        CheckpointError: no model has a number.
    """
    rows = _interval_rows(ranking)
    if not rows:
        raise CheckpointError("no model has a number to draw: the ranking says why")
    families: dict[str, list[str]] = {}
    for row in rows:
        families.setdefault(str(row["family"]), []).append(str(row["name"]))
    band = ranking.by.name == "alpha"
    title = f"{ranking.preset.label(ranking.by.name)}, {ranking.by.better} is claimed better"
    what = "line: 95 % interval over resampled layers; hollow: not ranked" if has_intervals(ranking) else ""
    below = [*ranking.conclusion.lines, *filter(None, ["shaded: 2 to 6, usual in trained layers; " * band + what])]
    spec = figures.intervals(title, families, band)
    across = _AXIS if look.width is None else max(120.0, look.width * 72 - _LABELS)
    spec |= {"vconcat": [part | {"width": across} for part in spec["vconcat"]]}
    data: Rows = {"models": rows, "band": [_USUAL] * band}
    return picture(spec, data, "Ranking", below, width=None)


def roles_picture(ranking: Ranking, look: Look = USUAL) -> Picture:
    """The metric that ranks layer by layer, a panel for each role, models in colours and shapes.

    Args:
        ranking: a ranking by a metric of matrices.
        look: its width is shared by the panels.

    Raises:
        UsageError: the metric is one of the whole model.
        CheckpointError: no matrix has a number.
    """
    metric = ranking.by.name
    rows = [row for score in ranking.scores for row in layer_rows(score, metric)]
    if not rows:
        raise CheckpointError(f"no matrix has a {metric} to draw: the ranking says why")
    order = present_roles(ranking.scores)
    band = metric == "alpha"
    across = _PANEL_WIDTH if look.width is None else max(60.0, look.width * 72 / _PANELS - _AROUND)
    names = [score.ref.label for score in ranking.scores]
    spec = figures.role_panels(ranking.preset.label(metric), order, names, band, _PANELS, across)
    data: Rows = {"layers": rows, "band": [_USUAL] * band}
    return picture(spec, data, f"{metric} by role and layer", [_BAND if band else _HOLLOW], width=None)


def layer_rows(score: ModelScore, metric: str) -> list[_Row]:
    """The dataset `layers` of the charts by depth: a row for each matrix with a number.

    Raises:
        UsageError: the metric is not one of matrices, or was not computed.
    """
    if metric not in MATRIX_METRICS or metric not in score.metrics:
        has = ", ".join(name for name in score.metrics if name in MATRIX_METRICS)
        raise UsageError(f"{score.ref.label}: was not scored with {metric!r} of its matrices: it has {has}")
    return [
        {
            "model": score.ref.label,
            "name": row.matrix.name,
            "role": row.matrix.role,
            "place": _NO_LAYER if row.matrix.depth is None else str(row.matrix.depth),
            "order": _LAST if row.matrix.depth is None else row.matrix.depth,
            "value": row.metrics[metric],
            "verdict": row.verdict,
            "ok": row.verdict == "ok",
        }
        for row in _with_number(score, metric)
    ]


def _with_number(score: ModelScore, metric: str) -> list[LayerScore]:
    return [row for row in score.layers if isfinite(row.metrics[metric])]


def _average(score: ModelScore, metric: str) -> list[_Row]:
    value = number(score.summary.headline(metric, score.preset))
    return [] if value is None else [{"model": score.ref.label, "value": value}]


def _own(score: ModelScore, metric: str) -> list[str]:
    """The subtitle with the model's number and its interval."""
    found = score.summary.statistics[metric]
    value = beside(score.summary.headline(metric, score.preset), found.interval)
    return [f"{score.preset.headline} {metric} {value} ({ends(found.interval, found.count)})"]


def _interval_rows(ranking: Ranking) -> list[_Row]:
    """The dataset `models` of the chart of intervals, in the ranking's order; models without a number have no row."""
    assert ranking.by.name in summary_metrics(ranking)
    rows: list[_Row] = []
    for model in ranking.models:
        value = number(model.score.summary.headline(ranking.by.name, ranking.preset)) if model.score else None
        if value is None:
            continue
        lo, hi = model.interval or (value, value)
        family = "all families" if ranking.across_families else model.family or "family unknown"
        own: _Row = {"name": model.ref.label, "family": family, "value": value, "lo": lo, "hi": hi}
        rows.append(own | {"rank": model.rank or "–", "ties": "".join(model.ties), "ranked": model.rank is not None})
    return rows
