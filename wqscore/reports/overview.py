"""The cells and notes of a ranking or a score that a person reads: few columns, four digits."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.metrics.metric import MatrixMetric, Metric
from wqscore.metrics.registry import MATRIX_METRICS
from wqscore.presets.preset import Preset
from wqscore.ranking.ranked_model import RankedModel
from wqscore.ranking.ranking import Ranking
from wqscore.ranking.reading import BESIDE
from wqscore.rendering.numbers import MISSING, beside, ends, figure, number, size
from wqscore.reports.intervals import has_intervals, interval_text, value_text
from wqscore.reports.tables import has_summary
from wqscore.scoring.expert_spread import ExpertSpread
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.role_summary import summarise_roles
from wqscore.scoring.summary import Statistic

#: The columns of one model's whole-model metrics.
VALUE_COLUMNS = ["metric", "value", "matrices", "reason"]
#: At most so many reasons for skipping are listed, and so many names with each.
_MAX_REASONS, _MAX_NAMES = 6, 3
#: The core metrics of one model's matrices that are shown; the CSV has them all.
_SHOWN = ("alpha", "alpha_lo", "alpha_hi", "D", "p_value", "n_tail", "stable_rank", "log_norm", "log_spectral_norm")


def ranking_title(ranking: Ranking) -> str:
    """The statistic that ranks, the better direction, and the preset."""
    name = ranking.preset.label(ranking.by.name)
    statistic, made = headline(ranking.by, ranking.preset), made_by(ranking.preset, ranking.scores)
    base = next((score.base for score in ranking.scores), "")
    if ranking.by.cost == "base" and base:
        return f"{statistic} of {name}, distance from {base} · {made}"
    better = f"{ranking.by.better} is better" if ranking.by.claims else "which makes no claim about quality"
    return f"{statistic} {name}, {better} · {made}"


def usual_range(ranking: Ranking) -> str:
    """Where the number of trained layers usually lies, if that is published; else empty."""
    readable = ranking.by.readable
    if readable is None or not isfinite(readable.high):
        return ""
    return f"trained layers usually lie between {readable.low:g} and {readable.high:g}"


def ranking_overview_columns(ranking: Ranking) -> list[str]:
    """The columns of the ranking as shown."""
    name = ranking.preset.label(ranking.by.name)
    return [
        "rank",
        "model",
        name,
        *(["interval"] if has_intervals(ranking) else []),
        *_other_statistic(ranking),
        *_beside(ranking),
        "range",
        "ties",
        "coverage",
        "fitted",
        "ok",
        "params",
        "depth",
        "family",
    ]


def ranking_overview_rows(ranking: Ranking) -> list[list[str]]:
    """A row per model; `=` marks a shared rank, and `range` holds the ranks that a model could have."""
    rows = []
    for model in ranking.models:
        rank = MISSING if model.rank is None else f"{model.rank}{'=' if model.tied else ''}"
        if model.score is None:
            head = [rank, model.ref.label, model.status]
            rows.append([*head, *[MISSING] * (len(ranking_overview_columns(ranking)) - len(head))])
            continue
        summary = model.score.summary
        rows.append(
            [
                rank,
                model.ref.label,
                value_text(summary.headline(ranking.by.name, ranking.preset), ranking),
                *([interval_text(model, ranking)] if has_intervals(ranking) else []),
                *(
                    value_text(getattr(summary.statistics[ranking.by.name], other), ranking)
                    for other in _other_statistic(ranking)
                ),
                *(figure(summary.headline(BESIDE, ranking.preset)) for _ in _beside(ranking)),
                rank_range(model),
                " ".join(model.ties) or MISSING,
                MISSING if number(summary.coverage) is None else f"{summary.coverage:.0%}",
                f"{summary.n_fitted}/{summary.n_matrices}",
                f"{summary.n_ok}/{summary.n_matrices}",
                size(model.score.parameters),
                str(model.score.architecture.depth),
                model.family or MISSING,
            ]
        )
    return rows


def rank_range(model: RankedModel) -> str:
    """The ranks that a model could have."""
    if model.best is None:
        return MISSING
    return str(model.best) if model.best == model.worst else f"{model.best}–{model.worst}"


def headline(metric: Metric, preset: Preset) -> str:
    """The statistic of a metric that is a model's number: `median`, `mean` or `sum`; `value` if it is whole-model."""
    if isinstance(metric, MatrixMetric):
        return "sum" if metric.summed else preset.headline
    return "value"


def _other_statistic(ranking: Ranking) -> list[str]:
    """The statistic shown after the one that ranks, if any."""
    return {"median": ["mean"], "mean": ["median"]}.get(headline(ranking.by, ranking.preset), [])


def shows_beside(ranking: Ranking) -> bool:
    """Whether log_norm, which depends on no fit, is shown beside the number that ranks, as a model has a warning."""
    warned = any(model.warning for model in ranking.models)
    return warned and BESIDE in ranking.metrics and ranking.by.name != BESIDE


def _beside(ranking: Ranking) -> list[str]:
    return [ranking.preset.label(BESIDE)] if shows_beside(ranking) else []


def made_by(preset: Preset, scores: Sequence[ModelScore]) -> str:
    """The preset, and any engine other than wqscore."""
    others = sorted({score.engine for score in scores} - {"wqscore"})
    return " · ".join([f"preset {preset.name}", *(f"engine {engine}" for engine in others)])


def family_notes(ranking: Ranking) -> list[str]:
    """A line if the models come from several families, and one for each that is declared against the weights."""
    unrelated = [each.text for each in ranking.unrelated]
    families = [family or "unknown" for family in ranking.families]
    if len(families) < 2:
        return unrelated
    come = f"models of {len(families)} families ({', '.join(families)})"
    metric = ranking.preset.label(ranking.by.name)
    if ranking.across_families:
        return [f"warning: {come} are ranked together: {metric} can be compared only inside a family", *unrelated]
    return [f"{come}: ranks are within each, since {metric} can be compared only inside a family", *unrelated]


def remarks(ranking: Ranking) -> list[str]:
    """A line per model without a rank: its name, its status and the reason; then what was taken as each model."""
    lines = []
    for model in ranking.models:
        # A failure's reason often begins with the name.
        reason = model.reason.removeprefix(f"{model.ref.label}: ")
        if model.status != "ranked":
            lines.append(f"{model.ref.label}: {model.status}: {reason}")
    models: dict[str, list[str]] = {}
    for score in ranking.scores:
        for remark in score.remarks:
            models.setdefault(remark, []).append(score.ref.label)
    return lines + [f"{', '.join(labels)}: {remark}" for remark, labels in models.items()]


def summary_overview_columns(score: ModelScore) -> list[str]:
    """The columns of one model's summary over matrices; the interval is that of the statistic before it."""
    first, second = headline_first(score.preset)
    return ["metric", first, "95 % interval", second, "by size", "matrices"]


def summary_overview_rows(score: ModelScore) -> list[list[str]]:
    """A row per metric of a matrix."""
    return [
        [
            score.preset.label(name),
            *_with_interval(s, score.preset),
            figure(s.weighted_mean),
            str(s.count),
        ]
        for name, s in score.summary.statistics.items()
        if has_summary(name, score.preset) and not MATRIX_METRICS[name].summed
    ]


def role_overview(score: ModelScore) -> tuple[list[str], list[list[str]]]:
    """The columns and rows of one model's roles; in brackets those that no average counts.

    The columns of numbers are of the metric that the preset ranks by, or else of the first one.
    """
    by = score.preset.by if score.preset.by in score.metrics else next(iter(score.summary.statistics), "")
    rows = []
    for found in summarise_roles(score.layers, score.metrics, score.preset):
        values = [figure(of.get(by)) for of in (found.medians, found.lowest, found.highest)]
        role = found.role if found.counted else f"({found.role})"
        rows.append([role, str(found.n_matrices), str(found.n_fitted), str(found.n_ok), *values])
    name = score.preset.label(by)
    return ["role", "matrices", "fitted", "ok", f"median {name}", "lowest", "highest"], rows


def headline_first(preset: Preset) -> tuple[str, str]:
    """The median and the mean, the one that ranks before the other."""
    return ("median", "mean") if preset.headline == "median" else ("mean", "median")


def _with_interval(found: Statistic, preset: Preset) -> list[str]:
    first, second = (beside(getattr(found, name), found.interval) for name in headline_first(preset))
    return [first, ends(found.interval, found.count), second]


def value_overview_rows(score: ModelScore) -> list[list[str]]:
    """A row per whole-model metric, and per metric summed over matrices."""
    sums = {
        name: [figure(s.total), str(s.count), ""]
        for name, s in score.summary.statistics.items()
        if MATRIX_METRICS[name].summed
    }
    values = {name: [figure(v.value), str(v.count), v.reason] for name, v in score.summary.values.items()}
    return [[score.preset.label(name), *cells] for name, cells in (sums | values).items()]


def shown_metrics(score: ModelScore) -> list[str]:
    """The metrics shown for each matrix: the best-known core ones, and all requested beyond the core."""
    chosen = [name for name in score.metrics if name in MATRIX_METRICS]
    known = [name for name in _SHOWN if name in chosen]
    return [*known, *(name for name in chosen if name not in score.preset.core)] or chosen


def layer_overview_columns(score: ModelScore) -> list[str]:
    """The columns of one model's matrices as shown."""
    names = (score.preset.label(name) for name in shown_metrics(score))
    return ["name", "role", "shape", *names, "verdict", "flags"]


def layer_overview_rows(score: ModelScore) -> list[list[str]]:
    """A row per scored matrix; skipped tensors are counted in the notes."""
    shown = shown_metrics(score)
    return [_layer(row, shown) for row in score.layers]


def score_notes(score: ModelScore) -> list[str]:
    """Lines under one model's tables: coverage, which tensors were skipped and why, what was taken as the model."""
    summary = score.summary
    covered = MISSING if number(summary.coverage) is None else f"{summary.coverage:.1%}"
    everything = MISSING if number(summary.coverage_all) is None else f"{summary.coverage_all:.1%}"
    return [
        f"{summary.n_fitted} of {summary.n_matrices} matrices fitted, {covered} of the weights that belong in the "
        f"averages, {everything} of all {size(score.parameters)} parameters",
        *([_experts(summary.experts)] if summary.experts and summary.experts.spread else []),
        *_skips(score.skipped),
        *score.remarks,
    ]


def _experts(found: ExpertSpread) -> str:
    name = next(iter(found.spread))
    spread = figure(found.spread[name])
    return (
        f"{found.experts} experts in {found.stacks} stacks: {name} has an interquartile range of {spread} over the "
        "experts of one (the median over stacks)"
    )


def _skips(skipped: Sequence[SkippedTensor]) -> list[str]:
    """A line per reason for skipping, the most frequent first, and one that counts the rest."""
    groups: dict[str, list[SkippedTensor]] = {}
    for skip in skipped:
        groups.setdefault("tied to another tensor" if skip.kind == "tied" else skip.reason, []).append(skip)
    common = sorted(groups.items(), key=lambda group: -len(group[1]))
    rest = sum(len(skips) for _, skips in common[_MAX_REASONS:])
    lines = [f"skipped {len(skips)}: {reason}{_names(skips)}" for reason, skips in common[:_MAX_REASONS]]
    return [*lines, f"skipped {rest} more: --format csv says why"] if rest else lines


def _names(skips: Sequence[SkippedTensor]) -> str:
    # Nobody expects a bias or a norm to be scored: leave its name out.
    if skips[0].kind == "not-a-matrix":
        return ""
    return f" ({', '.join(skip.name for skip in skips[:_MAX_NAMES])}{', …' if len(skips) > _MAX_NAMES else ''})"


def _layer(row: LayerScore, metrics: Sequence[str]) -> list[str]:
    matrix = row.matrix
    shape = f"{matrix.rows}×{matrix.columns}" + (f"×{matrix.slices}" if matrix.slices > 1 else "")
    values = [figure(row.metrics[name]) for name in metrics]
    return [matrix.name, matrix.role, shape, *values, row.verdict, " ".join(row.flags)]
