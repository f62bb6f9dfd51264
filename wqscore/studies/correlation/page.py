"""The HTML page of a correlation study: how far to trust it, a table of correlations, and charts of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from wqscore.escaping import printable
from wqscore.fits.interval import Interval
from wqscore.ranking.rank_correlation import least_telling_tau
from wqscore.rendering.html import charts
from wqscore.rendering.html.page import asset, environment, policy
from wqscore.rendering.html.palette import MARKS, OTHERS
from wqscore.rendering.html.scatter_marks import Group, largest_groups
from wqscore.rendering.numbers import figure
from wqscore.rendering.timestamp import created_at
from wqscore.studies.correlation.charts import scatter, taus_over_groups
from wqscore.studies.correlation.correlate import Correlations
from wqscore.studies.correlation.notes import correlation_notes
from wqscore.studies.correlation.row import LEVEL, CorrelationRow
from wqscore.version import __version__

#: Boxes in one chart; more go into another chart.
_MAX_BOXES = 10
#: Above this, an axis's extent overflows.
_MAX_DRAWN = 1e300


@dataclass(frozen=True)
class _Scatter:
    """A metric's scatter chart.

    Attributes:
        pooled: its correlation over all models.
        drawn: the number of models with both values.
        chart: the SVG; empty if nothing can be drawn.
    """

    pooled: CorrelationRow
    drawn: int
    chart: Markup


@dataclass(frozen=True)
class _Trust:
    """How far the study's figures can be trusted.

    Attributes:
        most: the largest number of models behind a tau.
        least: the smallest |tau| that differs significantly from 0 with that many models, if any.
        tests: the number of taus computed.
        by_chance: how many of them are expected to have p < 0.05 by chance alone.
        baselines: rows over all models of the metrics that need no weights, where they have a correlation.
        beyond: the metrics whose |tau| over all models exceeds every baseline's.
    """

    most: int
    least: float | None
    tests: int
    by_chance: float
    baselines: Sequence[CorrelationRow]
    beyond: Sequence[str]


def correlations_html(found: Correlations) -> str:
    """Render a study as one self-contained HTML page.

    The page fetches nothing and runs no code; its content security policy allows its one style by its hash. Names
    from the tables are escaped everywhere.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is not a number of seconds.
    """
    words = found.joined.holding(found.group).words(found.group) if found.group else []
    groups = largest_groups(words)
    marks = {group.name: group.mark for group in groups}
    own = [marks.get(word, OTHERS) for word in words] or [next(iter(MARKS))] * len(found.joined.known.rows)
    style = asset("page.css")
    return (
        environment(__package__, figure=figure, signed=_signed, p=_p, interval=_interval)
        .get_template("correlations.html.j2")
        .render(
            found=found,
            n=len(found.joined.known.rows),
            notes=[printable(note) for note in correlation_notes(found)],
            trust=_trust(found),
            level=LEVEL,
            groups=groups,
            others=_others(words, groups),
            others_mark=MARKS[OTHERS],
            boxes=_boxes(found, marks),
            scatters=[_scatter(found, row, own) for row in found.rows if row.group is None],
            models=_models(found, words),
            created=created_at(),
            version=__version__,
            policy=policy(style),
            style=Markup(style),
        )
    )


def _trust(found: Correlations) -> _Trust:
    most = max((row.n for row in found.tested), default=0)
    pooled = [row for row in found.rows if row.group is None and row.correlation]
    baselines = [row for row in pooled if row.x in found.baselines]
    highest = max((_abs_tau(row) for row in baselines), default=0.0)
    return _Trust(
        most=most,
        least=least_telling_tau(most),
        tests=len(found.tested),
        by_chance=LEVEL * len(found.tested),
        baselines=baselines,
        beyond=[row.x for row in pooled if row not in baselines and _abs_tau(row) > highest],
    )


def _abs_tau(row: CorrelationRow) -> float:
    return abs(row.correlation.tau.value) if row.correlation else 0.0


def _others(words: Sequence[str], groups: Sequence[Group]) -> tuple[int, int]:
    """The number of groups that share the mark for others, and the number of models without a group."""
    named = {group.name for group in groups}
    return len({word for word in words if word} - named), list(words).count("")


def _boxes(found: Correlations, marks: Mapping[str, str]) -> list[Markup]:
    """Charts of the taus within groups; none if there is only one group, which has no spread."""
    within = [(row, row.correlation.tau.value) for row in found.rows if row.group is not None and row.correlation]
    if len({row.group for row, _ in within}) < 2:
        return []
    metrics = list(dict.fromkeys(row.x for row, _ in within))
    used = {marks.get(row.group or "", OTHERS) for row, _ in within}
    drawn = []
    for start in range(0, len(metrics), _MAX_BOXES):
        names = metrics[start : start + _MAX_BOXES]
        taus = [
            {"metric": names.index(row.x), "tau": tau, "mark": marks.get(row.group or "", OTHERS)}
            for row, tau in within
            if row.x in names
        ]
        spec = taus_over_groups(names, [mark for mark in MARKS if mark in used])
        drawn.append(Markup(charts.to_svg(spec, {"taus": taus, "zero": [{"tau": 0}]})))
    return drawn


def _scatter(found: Correlations, pooled: CorrelationRow, marks: Sequence[str]) -> _Scatter:
    x, y = found.joined.holding(pooled.x).numbers(pooled.x), found.joined.known.numbers(found.y)
    both = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not both.size or max(np.abs(x[both]).max(), np.abs(y[both]).max()) > _MAX_DRAWN:
        return _Scatter(pooled, both.size, Markup())
    models = [{"x": float(x[model]), "y": float(y[model]), "mark": marks[model]} for model in both.tolist()]
    spec = scatter(pooled.x, found.y, log=pooled.x == found.params)
    return _Scatter(pooled, both.size, Markup(charts.to_svg(spec, {"models": models})))


def _models(found: Correlations, words: Sequence[str]) -> list[list[str]]:
    """A row of text per model: its name or row number, its group, the known figure, and each metric."""
    joined = found.joined
    n = len(joined.known.rows)
    names = joined.scores.words("model") if "model" in joined.scores.columns else [f"row {i + 1}" for i in range(n)]
    metrics = [row.x for row in found.rows if row.group is None]
    numbers = [joined.known.numbers(found.y), *(joined.holding(name).numbers(name) for name in metrics)]
    columns = [names, *([words] if found.group else []), *([figure(value) for value in column] for column in numbers)]
    return [list(cells) for cells in zip(*columns, strict=True)]


def _signed(coefficient: float) -> str:
    return f"{coefficient:z.2f}"


def _p(value: float) -> str:
    return f"{value:.2g}"


def _interval(interval: Interval | None) -> str:
    return f"{interval[0]:z.2f} to {interval[1]:z.2f}" if interval else "–"
