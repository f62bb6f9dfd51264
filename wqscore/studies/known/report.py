"""The output of `known`: a row per model, a column per benchmark."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from wqscore.rendering.numbers import MISSING, Cell, counted, figure
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table
from wqscore.studies.known.benchmarks import BenchmarkTable
from wqscore.version import __version__

#: How many benchmarks the table has room for; a card may give hundreds.
_MAX_SHOWN = 12


def benchmark_sections(table: BenchmarkTable, _: Medium) -> list[Section]:
    """A table with a row per model, of the benchmarks that most models have."""
    title = f"benchmark results in model cards, as their authors give them · {counted(len(table.models), 'model')}"
    columns = ["model", *table.columns[:_MAX_SHOWN]]
    shown = Table(title, columns, _rows(table), ["model"], columns[:0:-1], markdown_title="listed")
    return [shown, Notes(_notes(table))]


def benchmark_rows(table: BenchmarkTable) -> Rows:
    """A row per model with every benchmark; an empty cell where its card has none."""
    rows: list[list[Cell]] = [
        [model.model, *(model.results[name].value if name in model.results else None for name in table.columns)]
        for model in table.models
    ]
    return Rows(["model", *table.columns], rows, frozenset({"model"}))


def benchmark_document(table: BenchmarkTable) -> dict[str, Any]:
    """The JSON document: every result in the cards, and what was left out of each."""
    models = [
        {
            "model": model.model,
            "results": [{"column": column, **asdict(result)} for column, result in model.results.items()],
            "left_out": list(model.left_out),
        }
        for model in table.models
    ]
    return {"wqscore": __version__, "models": models}


def _rows(table: BenchmarkTable) -> list[list[str]]:
    shown = table.columns[:_MAX_SHOWN]
    return [
        [model.model, *(figure(model.results[name].value) if name in model.results else MISSING for name in shown)]
        for model in table.models
    ]


def _notes(table: BenchmarkTable) -> list[str]:
    if not table.columns:
        return ["no card gives a result that can be compared"]
    more = len(table.columns) - _MAX_SHOWN
    doubts = [doubt for name in table.columns if (doubt := table.doubt(name))]
    return [*doubts[:_MAX_SHOWN], *([f"{more} more benchmarks: --format csv"] if more > 0 else [])]
