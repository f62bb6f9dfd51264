"""Print a result in any format: results know no format, and a format is imported when it is first used.

A format prints one view: the rows of a flat table, the sections that a person reads, or the document that a machine
reads. To add a kind of result, add an entry to `_VIEWS`; to add a format, one to `_FORMATS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from wqscore.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

Format = Literal[
    "table",
    "csv",
    "json",
    "md",
    "html",
    "notebook",
    "parquet",
    "junit",
    "prometheus",
    "github",
    "tidy-csv",
    "groups",
    "axolotl",
    "mergekit",
]


def _views(module: str, kind: str, **others: str) -> Mapping[str, str]:
    """The functions that make the views: `{kind}_rows` and so on in `module`, and any `others`."""
    return {view: f"{module}:{kind}_{view}" for view in ("rows", "sections", "document")} | others


_OF_GATES = {
    "junit": "wqscore.gating.junit:gate_junit",
    "prometheus": "wqscore.gating.prometheus:gate_prometheus",
    "github": "wqscore.gating.github:gate_github",
}
_OF_PLANS = {
    name: f"wqscore.studies.allocate.writers:allocation_{name}" for name in ("groups", "axolotl", "mergekit")
}
#: For each kind of result, the function that makes each view.
_VIEWS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "ModelScore": {
            "rows": "wqscore.reports.tables:score_rows",
            "sections": "wqscore.reports.sections:score_sections",
            "document": "wqscore.reports.json:score_document",
            "page": "wqscore.reports.html.report:score_html",
            "tidy": "wqscore.reports.tidy:score_tidy",
            "chart": "wqscore.reports.plots.kinds:score_chart",
            "spectrum": "wqscore.scoring.spectra_of:spectrum_of",
        },
        "Ranking": {
            "rows": "wqscore.reports.tables:ranking_rows",
            "sections": "wqscore.reports.sections:ranking_sections",
            "document": "wqscore.reports.json:ranking_document",
            "page": "wqscore.reports.html.report:report_html",
            "tidy": "wqscore.reports.tidy:ranking_tidy",
            "pairs": "wqscore.reports.tables:pair_table",
            "chart": "wqscore.reports.plots.kinds:ranking_chart",
        },
        "Card": _views("wqscore.reports.card", "card", md="wqscore.reports.card:card_markdown"),
        "RankedModel": {
            "sections": "wqscore.reports.one_model:model_sections",
            "document": "wqscore.reports.json:model_document",
        },
        "ModelDescription": _views("wqscore.planning.describe_report", "description"),
        "Plan": _views("wqscore.planning.plan_report", "plan"),
        "Integrity": _views("wqscore.integrity.report", "integrity"),
        "Crosscheck": _views("wqscore.engines.crosscheck_report", "crosscheck"),
        "GateResult": _views("wqscore.gating.report", "gate", **_OF_GATES),
        "GateRun": _views("wqscore.gating.report", "gate", **_OF_GATES),
        "Correlations": _views(
            "wqscore.studies.correlation.report",
            "correlation",
            page="wqscore.studies.correlation.page:correlations_html",
        ),
        "Allocation": _views("wqscore.studies.allocate.report", "allocation", **_OF_PLANS),
        "Phases": _views("wqscore.studies.phase.report", "phase", page="wqscore.studies.phase.page:phases_html"),
        "Compression": _views("wqscore.studies.compress.report", "compression"),
        "Diff": _views("wqscore.studies.diff.report", "diff"),
        "TrackRecord": _views("wqscore.evidence.report", "track_record"),
        "BenchmarkTable": _views("wqscore.studies.known.report", "benchmark"),
        "Track": _views(
            "wqscore.studies.watching.report",
            "track",
            tidy="wqscore.studies.watching.report:track_tidy",
            chart="wqscore.studies.watching.report:track_chart",
        ),
        "Landscape": _views(
            "wqscore.landscape.report", "landscape", pairs="wqscore.landscape.report:landscape_pairs"
        ),
        "Built": _views("wqscore.leaderboards.report", "site", page="wqscore.leaderboards.report:site_page"),
        "StoreOverview": {
            "rows": "wqscore.stores.report:overview_rows",
            "sections": "wqscore.stores.report:overview_sections",
            "document": "wqscore.stores.report:overview_document",
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
        "tidy-csv": ("tidy", "wqscore.rendering.csv:rows_csv"),
        "tidy-frame": ("tidy", "wqscore.rendering.frame:rows_frame"),
        "pairs-csv": ("pairs", "wqscore.rendering.csv:rows_csv"),
        "pairs-frame": ("pairs", "wqscore.rendering.frame:rows_frame"),
        "json": ("document", "wqscore.rendering.json:json_text"),
        "html": ("page", ""),
        "junit": ("junit", ""),
        "prometheus": ("prometheus", ""),
        "github": ("github", ""),
        "groups": ("groups", ""),
        "axolotl": ("axolotl", ""),
        "mergekit": ("mergekit", ""),
    }
)


class Result:
    """Base of all results; converts one to every format that its kind has."""

    def to_frame(self, *, tidy: bool = False) -> pd.DataFrame:
        """The rows of the CSV as a pandas table: counts are integers, verdicts and roles categories, the rest NaN.

        Args:
            tidy: a row for each number: of a score `model, matrix, role, layer, metric, value`, of a ranking `model,
                metric, statistic, value, lo, hi`.

        Raises:
            UsageError: this kind of result has no tidy rows.
        """
        frame: pd.DataFrame = rendered(self, "tidy-frame" if tidy else "frame")
        return frame

    def to_csv(self, *, tidy: bool = False) -> str:
        """The rows as CSV, as `--format csv` prints them; with `tidy` as with `--long` (`to_frame`)."""
        return str(rendered(self, "tidy-csv" if tidy else "csv"))

    def to_json(self) -> str:
        """The whole result as JSON; undefined values are `null`."""
        return str(rendered(self, "json"))

    def to_markdown(self) -> str:
        """The tables and notes that a person reads, as Markdown."""
        return str(rendered(self, "md"))

    def to_html(self) -> str:
        """One self-contained HTML page.

        Raises:
            UsageError: this kind of result has no page.
        """
        return str(rendered(self, "html"))

    def _repr_html_(self) -> str:
        """The tables and notes that a notebook shows."""
        return str(rendered(self, "notebook"))


def render(result: Result, format: Format) -> str | bytes:
    """Print a result in a format: as text, or as bytes for Parquet.

    Args:
        result: the result.
        format: `table` is fitted to the width of standard output if that is a terminal, and uncut otherwise.

    Raises:
        UsageError: this kind of result lacks the format, or the format needs a package that is not installed.
    """
    made: str | bytes = rendered(result, format)
    return made


def opened(result: Result, view: str, *arguments: Any, **options: Any) -> Any:
    """Call the function behind one of a result's views: what a record's method does with code of rooms below it."""
    return _imported(_VIEWS[_kind(result)][view])(result, *arguments, **options)


def formats_of(result: Result) -> list[str]:
    """The formats that a kind of result has."""
    return [name for name, (view, _) in _FORMATS.items() if view in _VIEWS[_kind(result)]]


def _kind(result: Result) -> str:
    return next(kind.__name__ for kind in type(result).__mro__ if kind.__name__ in _VIEWS)


def rendered(result: Result, format: str) -> Any:
    """Print a result in any format, those that only methods offer included.

    Raises:
        UsageError: this kind of result lacks the format.
    """
    if format not in formats_of(result):
        names = ", ".join(name for name in formats_of(result) if name in get_args(Format))
        raise UsageError(f"{_kind(result)} has no format {format!r}: it has {names}")
    own = _VIEWS[_kind(result)].get(format)
    view, printer = (format, "") if own else _FORMATS[format]
    make = _imported(_VIEWS[_kind(result)][view])
    made = make(result, format) if view == "sections" else make(result)
    return _imported(printer)(made) if printer else made


def _imported(name: str) -> Any:
    """Import the function named `module:function`."""
    module, function = name.split(":")
    return getattr(import_module(module), function)
