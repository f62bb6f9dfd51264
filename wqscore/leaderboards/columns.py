"""The columns of `data/models.csv` and `data/models.json`: both are written, documented and checked from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from wqscore.fits.interval import MIN_VALUES
from wqscore.leaderboards.record import Figure
from wqscore.leaderboards.site import Known, ListedState, Site
from wqscore.metrics.metric import MatrixMetric
from wqscore.metrics.registry import METRICS
from wqscore.rendering.csv import csv_text
from wqscore.rendering.json import json_text
from wqscore.rendering.numbers import Cell, number
from wqscore.reports.tables import has_interval_columns
from wqscore.scoring.role_draws import DRAWS

#: Raised when the names or meanings of the columns change.
SCHEMA_VERSION = 2

Kind = Literal["text", "whole number", "number"]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: its header.
        kind: the type of its non-empty cells.
        meaning: its description in `schema.html`.
        cell: the function that returns a model's cell.
        empty: whether a cell may be empty.
    """

    name: str
    kind: Kind
    meaning: str
    cell: Callable[[ListedState], Cell]
    empty: bool = True

    def takes(self, value: object) -> bool:
        """Whether a value from JSON is valid in this column."""
        if value is None:
            return self.empty
        if self.kind == "text":
            return isinstance(value, str)
        if self.kind == "whole number":
            return type(value) is int
        return type(value) in (int, float) and isfinite(value)  # type: ignore[arg-type]


def columns(metrics: Sequence[str], known: Known | None = None) -> tuple[Column, ...]:
    """Return all columns, in their order."""
    figures = [column for name in metrics for column in _of_metric(name)]
    extra = [_of_known(known)] if known else []
    return (*_FIXED, *extra, *figures)


def models_csv(site: Site) -> str:
    """Return the text of `data/models.csv`."""
    made = columns(site.metrics, site.known)
    rows = ([column.cell(model) for column in made] for model in site.models)
    return csv_text([column.name for column in made], rows)


def models_json(site: Site) -> str:
    """Return the text of `data/models.json`."""
    made = columns(site.metrics, site.known)
    models = [{column.name: column.cell(model) for column in made} for model in site.models]
    head = {"schema_version": SCHEMA_VERSION, "night": site.night, "by": site.by.name, "better": site.by.better}
    return json_text({**head, "metrics": list(site.metrics), "models": models})


def _record(field: str) -> Callable[[ListedState], Cell]:
    def cell(model: ListedState) -> Cell:
        found: Cell = getattr(model.record, field) if model.record else None
        return None if found == "" else found

    return cell


def _ties(model: ListedState) -> Cell:
    return (";".join(model.record.ties) or None) if model.record else None


def _why(model: ListedState) -> Cell:
    return model.reason or (model.record.reason or model.record.warning if model.record else "") or None


_FIXED = (
    Column("model", "text", "the model's name: org/name on the Hub, or as in its list", lambda m: m.name, False),
    Column("page", "text", "the model's page, relative to the site", lambda m: f"models/{m.slug}.html", False),
    Column(
        "status",
        "text",
        "scored (tonight), stale (could not be scored tonight; the row is from the night in `scored`) or failed "
        "(never scored)",
        lambda m: m.status,
        False,
    ),
    Column("since", "text", "the first night of this status", lambda m: m.since, False),
    Column("scored", "text", "the night on which the model was last scored", _record("scored")),
    Column(
        "family",
        "text",
        "the family, within which models are ranked; it may depend on the other models",
        lambda m: m.family or None,
    ),
    Column("family_id", "text", "the family from the model alone, for joining tables", _record("family_id")),
    Column("rank", "whole number", "the rank within the family, 1 being best", _record("rank")),
    Column(
        "rank_best", "whole number", "the best rank it could have, 1 + the models ahead of it", _record("rank_best")
    ),
    Column("rank_worst", "whole number", "the worst rank it could have", _record("rank_worst")),
    Column("ties", "text", "letters of its tie groups; two models share one exactly if they are tied", _ties),
    Column("revision", "text", "the commit on the Hub", _record("revision")),
    Column("licence", "text", "the licence given in its list", lambda m: m.licence or None),
    Column("year", "whole number", "the year of release given in its list", lambda m: m.year),
    Column("params", "whole number", "number of weights of all tensors", _record("parameters")),
    Column("hidden_size", "whole number", "the width of the model", _record("hidden_size")),
    Column("depth", "whole number", "number of numbered layers", _record("depth")),
    Column(
        "coverage",
        "number",
        "weights in matrices with a fit ÷ weights in all matrices that belong in the averages",
        _record("coverage"),
    ),
    Column("n_matrices", "whole number", "number of matrices that belong in the averages", _record("n_matrices")),
    Column("n_fitted", "whole number", "number of those matrices that have a fit", _record("n_fitted")),
    Column("wqscore", "text", "the version of wqscore that computed the row", _record("version")),
    Column(
        "reason",
        "text",
        "why the model has no rank, could not be scored tonight, or leads with a number that is no sign of quality",
        _why,
    ),
)


_INTERVAL = "end of the 95 % interval of the median"
_HOW = (
    f"the matrices are drawn again within their roles {DRAWS:,} times, with the run's seed; empty for fewer than "
    f"{MIN_VALUES} matrices, and for a night of wqscore before 0.6.0"
)


def _of_metric(name: str) -> tuple[Column, ...]:
    metric = METRICS[name]
    unit = "" if metric.unit == "1" else f", in {metric.unit}"
    what = f"{_statistic(name)}{metric.formula}{unit}; {metric.better} is claimed better ({metric.source})"
    value = Column(name, "number", what, _figure(name))
    if not has_interval_columns(name):
        return (value,)
    return (
        value,
        Column(f"{name}_interval_lo", "number", f"lower {_INTERVAL} {name}; {_HOW}", _end(name, "lo")),
        Column(f"{name}_interval_hi", "number", f"upper {_INTERVAL} {name}; {_HOW}", _end(name, "hi")),
    )


def _statistic(name: str) -> str:
    metric = METRICS[name]
    if not isinstance(metric, MatrixMetric):
        return ""
    return "sum over the matrices of " if metric.summed else "median over the matrices of "


def _figure(name: str) -> Callable[[ListedState], Cell]:
    return lambda model: figure.value if (figure := _found(model, name)) else None


def _end(name: str, end: Literal["lo", "hi"]) -> Callable[[ListedState], Cell]:
    def cell(model: ListedState) -> Cell:
        figure = _found(model, name)
        found: float | None = getattr(figure.interval, end) if figure and figure.interval else None
        return found

    return cell


def _found(model: ListedState, name: str) -> Figure | None:
    return model.record.figures.get(name) if model.record else None


def _of_known(known: Known) -> Column:
    def cell(model: ListedState) -> Cell:
        return number(known.values[model.name]) if model.name in known.values else None

    return Column("known", "number", f"{known.y}, from the table given to the build", cell)
