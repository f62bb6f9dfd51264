"""The report: one HTML page that needs nothing else, every table and number in it without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite

from markupsafe import Markup

from wqscore.fits.methods import FitMethods
from wqscore.layers import LayerScore
from wqscore.matrices.rules import MatrixRules
from wqscore.matrices.weight_matrix import SkippedTensor
from wqscore.metrics.metric import COSTS
from wqscore.metrics.registry import METRICS
from wqscore.presets import Preset
from wqscore.ranking import MIN_COVERAGE, RankedModel, Ranking
from wqscore.rendering.html import charts
from wqscore.rendering.html.explorer import average_rows, depth_rows, explorer_data, present_roles
from wqscore.rendering.html.page import asset, environment, policy
from wqscore.rendering.overview import figure, headline, rank_range, size, value_overview_columns, value_overview_rows
from wqscore.rendering.tables import Cell, layer_columns, layer_rows, of_matrices
from wqscore.rendering.timestamp import created_at
from wqscore.rendering.trust import trust_notes
from wqscore.scoring import ModelScore
from wqscore.version import __version__

#: What a constant of a preset means that is left empty.
_EMPTY = {
    "fit_floor": "relative to each matrix",
    "max_side": "no limit",
    "metrics": "none replaced",
    "columns": "none renamed",
}

#: How many pairs of models the page lists.
_MOST_PAIRS = 200


@dataclass(frozen=True)
class _Skips:
    """Skipped tensors of one reason."""

    reason: str
    tensors: Sequence[SkippedTensor]


@dataclass(frozen=True)
class _Section:
    """A scored model's part of the page.

    Attributes:
        id: the fragment that links lead to.
        model: its place in the ranking.
        score: its score.
        chart: alpha by depth as SVG, empty without any alpha.
        values: the cells of the table of metrics of the whole model.
        rows: the cells of `layers.csv` for its matrices, without the model's name.
        missing: skipped tensors that should have been scored, or are scored elsewhere.
        skips: the others, which are no matrices, by reason.
    """

    id: str
    model: RankedModel
    score: ModelScore
    chart: Markup
    values: Sequence[Sequence[str]]
    rows: Sequence[Sequence[Cell]]
    missing: Sequence[SkippedTensor]
    skips: Sequence[_Skips]


def report_html(ranking: Ranking) -> str:
    """Render a ranking as one self-contained HTML page.

    The page fetches nothing and runs no code but its own: its content security policy names each script and
    style by its hash. Names and reasons come from checkpoints and are text wherever they stand.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    drawable = any(score.layers for score in ranking.scores)
    style, script = asset("report.css"), asset("report.js")
    scripts = [script, *([charts.scripts()] if drawable else [])]
    return (
        environment(figure=figure, size=size, percent=_percent, cell=_cell, rank_range=rank_range)
        .get_template("report.html.j2")
        .render(
            ranking=ranking,
            metric=ranking.by,
            preset=ranking.preset,
            metrics={name: METRICS[name] for name in ranking.metrics},
            of_matrices=of_matrices(ranking.metrics),
            costs=COSTS,
            bases=sorted({score.base for score in ranking.scores} - {""}),
            engines=sorted({score.engine for score in ranking.scores} - {"wqscore"}),
            columns=layer_columns(ranking.preset, ranking.metrics)[1:],
            value_columns=value_overview_columns(),
            statistic=headline(ranking.by, ranking.preset),
            constants=preset_constants(ranking.preset),
            min_coverage=MIN_COVERAGE,
            families=ranking.families,
            trust=trust_notes(ranking),
            pairs=ranking.pairs[:_MOST_PAIRS],
            leaders=[model for model in ranking.models if model.rank == 1],
            ranked=[model for model in ranking.models if model.status == "ranked"],
            others=[model for model in ranking.models if model.status != "ranked"],
            sections=[_section(i, model, model.score) for i, model in enumerate(ranking.models, 1) if model.score],
            bars=_bars([s.summary.headline(ranking.by.name, ranking.preset) for s in ranking.scores]),
            explorer=explorer_data(ranking.scores) if drawable else None,
            created=created_at(),
            version=__version__,
            policy=policy(style, scripts),
            style=Markup(style),
            script=Markup(script),
            vega=Markup(scripts[-1]) if drawable else "",
        )
    )


def preset_constants(preset: Preset) -> list[tuple[str, str]]:
    """Name and value of everything a preset decides, for people."""
    constants: list[tuple[str, str]] = []
    for field in fields(preset):
        value = getattr(preset, field.name)
        if isinstance(value, MatrixRules):
            constants += [(inner.name, _constant(inner.name, getattr(value, inner.name))) for inner in fields(value)]
        elif field.name not in {"name", "description"}:
            constants.append((field.name, _constant(field.name, value)))
    return constants


def _constant(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == {}:
        return _EMPTY.get(name, "none")
    if isinstance(value, FitMethods):
        return value.name
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} → {new}" if isinstance(new, str) else key for key, new in value.items())
    return str(value)


def _section(number: int, model: RankedModel, score: ModelScore) -> _Section:
    rows = zip(layer_rows(score), score.rows, strict=True)
    reasons: dict[str, list[SkippedTensor]] = {}
    for skip in score.skipped:
        if skip.kind == "not-a-matrix":
            reasons.setdefault(skip.reason, []).append(skip)
    return _Section(
        f"model-{number}",
        model,
        score,
        _chart(score),
        value_overview_rows(score),
        [cells[1:] for cells, row in rows if isinstance(row, LayerScore)],
        [skip for skip in score.skipped if skip.kind != "not-a-matrix"],
        [_Skips(reason, tensors) for reason, tensors in reasons.items()],
    )


def _chart(score: ModelScore) -> Markup:
    rows = depth_rows(score)
    if not rows:
        return Markup()
    spec = charts.alpha_by_depth(present_roles([score]))
    svg = charts.to_svg(spec, {"layers": rows, "average": average_rows(score)})
    return Markup(svg)


def _bars(values: Sequence[float]) -> list[tuple[float, float]]:
    """Start and length of a bar from 0 to each value, in percent of a common scale; NaN has none."""
    known = [0.0, *filter(isfinite, values)]
    low, extent = min(known), (max(known) - min(known)) or 1.0
    return [
        (round((min(v, 0.0) - low) / extent * 100, 1), round(abs(v) / extent * 100, 1)) if isfinite(v) else (0.0, 0.0)
        for v in values
    ]


def _percent(share: float) -> str:
    return f"{share:.1%}" if isfinite(share) else figure(share)


def _cell(value: Cell) -> str:
    """A cell of a table of matrices: text as it is, a number to four digits."""
    return value if isinstance(value, str) else figure(value)
