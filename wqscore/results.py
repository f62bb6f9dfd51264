"""Print a result in any format: results know no format, and a format is imported when it is first used.

A format prints one view: the rows of a flat table, the sections that a person reads, or the document that a machine
reads. To add a kind of result, add an entry to `_VIEWS`; to add a format, one to `_FORMATS`.
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
    """The functions that make the views: `{kind}_rows` and so on in `module`, and any `others`."""
    return {view: f"{module}:{kind}_{view}" for view in ("rows", "sections", "document")} | others


#: For each kind of result, the function that makes each view.
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
        "TrackRecord": _views("wqscore.evidence.report", "track_record"),
        "BenchmarkTable": _views("wqscore.studies.known.report", "benchmark"),
        "StoreOverview": {
            "sections": "wqscore.store.report:overview_sections",
            "document": "wqscore.store.report:overview_document",
        },
    }
)
#: For each format, its view and the function that prints it; empty where the view is already the text.
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
    """Base of all results; converts one to every format that its kind has."""

    def to_frame(self) -> pd.DataFrame:
        """The rows of the CSV as a pandas table; undefined values are missing."""
        frame: pd.DataFrame = _printed(self, "frame")
        return frame

    def to_csv(self) -> str:
        """The rows as CSV, as `--format csv` prints them."""
        return str(_printed(self, "csv"))

    def to_json(self) -> str:
        """The whole result as JSON; undefined values are `null`."""
        return str(_printed(self, "json"))

    def to_markdown(self) -> str:
        """The tables and notes that a person reads, as Markdown."""
        return str(_printed(self, "md"))

    def to_html(self) -> str:
        """One self-contained HTML page.

        Raises:
            UsageError: this kind of result has no page.
        """
        return str(_printed(self, "html"))

    def _repr_html_(self) -> str:
        """The tables and notes that a notebook shows."""
        return str(_printed(self, "notebook"))


def render(result: Result, format: Format) -> str | bytes:
    """Print a result in a format: as text, or as bytes for Parquet.

    Args:
        result: the result.
        format: `table` is fitted to the width of standard output if that is a terminal, and uncut otherwise.

    Raises:
        UsageError: this kind of result lacks the format, or the format needs a package that is not installed.
    """
    made: str | bytes = _printed(result, format)
    return made


def formats_of(result: Result) -> list[str]:
    """The formats that a kind of result has."""
    return [name for name, (view, _) in _FORMATS.items() if view in _VIEWS[_kind(result)]]


def _kind(result: Result) -> str:
    return next(kind.__name__ for kind in type(result).__mro__ if kind.__name__ in _VIEWS)


def _printed(result: Result, format: str) -> Any:
    if format not in formats_of(result):
        raise UsageError(f"{_kind(result)} has no format {format!r}: it has {', '.join(formats_of(result))}")
    view, printer = _FORMATS[format]
    make = _imported(_VIEWS[_kind(result)][view])
    made = make(result, format) if view == "sections" else make(result)
    return _imported(printer)(made) if printer else made


def _imported(name: str) -> Any:
    """Import the function named `module:function`."""
    module, function = name.split(":")
    return getattr(import_module(module), function)
