"""The one door from a result to its formats: results know none of them, and none is imported before it is opened.

A format is a printer of one view: the rows of a flat table, the sections that a person reads, or the document that
machines do. A new kind of result is one entry of `_VIEWS`, a new format one of `_FORMATS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from wqscore.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

Format = Literal["table", "csv", "json", "md", "html", "notebook", "parquet", "junit", "prometheus"]


def _views(module: str, kind: str, **others: str) -> Mapping[str, str]:
    """The functions of a report that make the three views, `plan_rows` and so on, and those that are elsewhere."""
    return {view: f"{module}:{kind}_{view}" for view in ("rows", "sections", "document")} | others


#: By the kind of result, what makes each view of it.
_VIEWS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "ModelScore": {
            "rows": "wqscore.reports.tables:score_rows",
            "sections": "wqscore.reports.sections:score_sections",
            "document": "wqscore.reports.json:score_document",
            "page": "wqscore.reports.html.report:score_html",
        },
        "Ranking": {
            "rows": "wqscore.reports.tables:ranking_rows",
            "sections": "wqscore.reports.sections:ranking_sections",
            "document": "wqscore.reports.json:ranking_document",
            "page": "wqscore.reports.html.report:report_html",
        },
        "ModelDescription": _views("wqscore.planning.describe_report", "description"),
        "Plan": _views("wqscore.planning.plan_report", "plan"),
        "Integrity": _views("wqscore.integrity.report", "integrity"),
        "Crosscheck": _views("wqscore.engines.crosscheck_report", "crosscheck"),
        "GateResult": _views(
            "wqscore.gating.report",
            "gate",
            junit="wqscore.gating.junit:gate_junit",
            prometheus="wqscore.gating.prometheus:gate_prometheus",
        ),
        "Correlations": _views(
            "wqscore.studies.correlation.report",
            "correlation",
            page="wqscore.studies.correlation.page:correlations_html",
        ),
        "BenchmarkTable": _views("wqscore.studies.known.report", "benchmark"),
        "StoreOverview": {
            "sections": "wqscore.store.report:overview_sections",
            "document": "wqscore.store.report:overview_document",
        },
    }
)
#: By the format, the view that it prints, and what prints it; nothing where the view is the text itself.
_FORMATS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "table": ("sections", "wqscore.rendering.terminal:sections_text"),
        "md": ("sections", "wqscore.rendering.markdown:sections_markdown"),
        "notebook": ("sections", "wqscore.rendering.notebook:sections_notebook"),
        "csv": ("rows", "wqscore.rendering.csv:rows_csv"),
        "parquet": ("rows", "wqscore.rendering.parquet:rows_parquet"),
        "frame": ("rows", "wqscore.rendering.frame:rows_frame"),
        "json": ("document", "wqscore.rendering.json:json_text"),
        "html": ("page", ""),
        "junit": ("junit", ""),
        "prometheus": ("prometheus", ""),
    }
)


class Result:
    """What a function of this package finds out, in every format that it has."""

    def to_frame(self) -> pd.DataFrame:
        """The rows of the CSV as a pandas table; what is not defined is missing."""
        frame: pd.DataFrame = _made(self, "frame")
        return frame

    def to_csv(self) -> str:
        """The rows as CSV, as `--format csv` prints them."""
        return str(_made(self, "csv"))

    def to_json(self) -> str:
        """Everything, for machines; what is not defined is `null`."""
        return str(_made(self, "json"))

    def to_markdown(self) -> str:
        """What a person is shown, as tables and lists of Markdown."""
        return str(_made(self, "md"))

    def to_html(self) -> str:
        """One self-contained HTML page.

        Raises:
            UsageError: this kind of result has none.
        """
        return str(_made(self, "html"))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return str(_made(self, "notebook"))


def render(result: Result, format: Format) -> str | bytes:
    """Make a format of a result: text, or bytes for Parquet.

    Args:
        result: the result.
        format: `table` is for standard output as it is: fitted to the terminal's width, whole where it is none.

    Raises:
        UsageError: this kind of result does not have the format, or it needs a package that is not installed.
    """
    made: str | bytes = _made(result, format)
    return made


def formats_of(result: Result) -> list[str]:
    """The formats that a kind of result has."""
    return [name for name, (view, _) in _FORMATS.items() if view in _VIEWS[_kind(result)]]


def _kind(result: Result) -> str:
    return next(kind.__name__ for kind in type(result).__mro__ if kind.__name__ in _VIEWS)


def _made(result: Result, format: str) -> Any:
    if format not in formats_of(result):
        raise UsageError(f"{_kind(result)} has no format {format!r}: it has {', '.join(formats_of(result))}")
    view, printer = _FORMATS[format]
    make = _opened(_VIEWS[_kind(result)][view])
    made = make(result, format) if view == "sections" else make(result)
    return _opened(printer)(made) if printer else made


def _opened(name: str) -> Any:
    """A function by its module and its name, imported now."""
    module, function = name.split(":")
    return getattr(import_module(module), function)
