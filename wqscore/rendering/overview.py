"""What a person is shown of a ranking or a score: few columns, four digits, words for what is missing."""

from __future__ import annotations

from wqscore.layers import LayerScore
from wqscore.ranking import Ranking
from wqscore.rendering.tables import number
from wqscore.scoring import ModelScore

_MISSING = "–"
#: The columns of one model's matrices that fit a terminal; the CSV has them all.
_LAYER_METRICS = ("alpha", "sigma", "D", "n_tail", "stable_rank", "log_norm", "log_spectral_norm")


def figure(value: float | None) -> str:
    """A number to four digits, a dash where there is none.

    Example:
        >>> figure(3.14159), figure(float("nan"))
        ('3.142', '–')
    """
    shown = None if value is None else number(value)
    if shown is None:
        return _MISSING
    return f"{shown:,.0f}" if abs(shown) >= 10_000 else f"{shown:.4g}"


def size(count: int) -> str:
    """A count of parameters in thousands, millions or billions.

    Example:
        >>> size(22713216)
        '22.7M'
    """
    for unit, scale in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g}{unit}"
    return str(count)


def ranking_overview_columns(ranking: Ranking) -> list[str]:
    """The columns of the ranking as shown."""
    other = "mean" if ranking.preset.headline == "median" else "median"
    return ["rank", "model", ranking.by.name, other, "coverage", "fitted", "params", "family"]


def ranking_overview_rows(ranking: Ranking) -> list[list[str]]:
    """A row per model; a rank shared by several models is marked `=`."""
    rows = []
    for model in ranking.models:
        rank = _MISSING if model.rank is None else f"{model.rank}{'=' if model.tied else ''}"
        if model.score is None:
            rows.append([rank, model.ref.label, model.status, *[_MISSING] * 5])
            continue
        summary = model.score.summary
        statistic = summary.statistics[ranking.by.name]
        other = statistic.mean if ranking.preset.headline == "median" else statistic.median
        rows.append(
            [
                rank,
                model.ref.label,
                figure(summary.headline(ranking.by.name, ranking.preset)),
                figure(other),
                _MISSING if number(summary.coverage) is None else f"{summary.coverage:.0%}",
                f"{summary.n_fitted}/{summary.n_matrices}",
                size(model.score.parameters),
                model.score.family or _MISSING,
            ]
        )
    return rows


def remarks(ranking: Ranking) -> list[str]:
    """A line for each model without a rank: its name and why."""
    return [
        f"{model.ref.label} is {model.status}: {model.reason}" for model in ranking.models if model.status != "ranked"
    ]


def summary_overview_columns() -> list[str]:
    """The columns of one model's summary."""
    return ["metric", "median", "mean", "by size", "matrices"]


def summary_overview_rows(score: ModelScore) -> list[list[str]]:
    """A row per metric."""
    return [
        [
            score.preset.columns.get(name, name),
            figure(s.median),
            figure(s.mean),
            figure(s.weighted_mean),
            str(s.count),
        ]
        for name, s in score.summary.statistics.items()
    ]


def layer_overview_columns() -> list[str]:
    """The columns of one model's matrices as shown."""
    return ["name", "role", "shape", *_LAYER_METRICS, "verdict"]


def layer_overview_rows(score: ModelScore) -> list[list[str]]:
    """A row per scored matrix; skipped tensors are counted in the notes."""
    return [_layer(row) for row in score.layers]


def score_notes(score: ModelScore) -> list[str]:
    """Lines under one model's tables: coverage, and what was skipped and why."""
    summary = score.summary
    covered = _MISSING if number(summary.coverage) is None else f"{summary.coverage:.1%}"
    lines = [
        f"{summary.n_fitted} of {summary.n_matrices} matrices fitted, {covered} of the weights that belong in the "
        f"averages, {summary.coverage_all:.1%} of all {size(score.parameters)} parameters"
    ]
    reasons: dict[str, list[str]] = {}
    for skip in score.skipped:
        reasons.setdefault(skip.reason, []).append(skip.name)
    for reason, names in reasons.items():
        listed = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
        lines.append(f"skipped {len(names)}: {reason} ({listed})")
    return lines


def _layer(row: LayerScore) -> list[str]:
    matrix = row.matrix
    shape = f"{matrix.rows}×{matrix.columns}" + (f"×{matrix.slices}" if matrix.slices > 1 else "")
    values = [figure(row.metrics[name]) for name in _LAYER_METRICS]
    verdict = row.verdict + "".join(f" [{flag}]" for flag in row.flags)
    return [matrix.name, matrix.role, shape, *values, verdict]
