"""What `known` shows: a row per model, a column per benchmark."""

from __future__ import annotations

from dataclasses import asdict

from wqscore.rendering.csv import csv_text
from wqscore.rendering.json import json_text
from wqscore.rendering.markdown import markdown_list, markdown_table
from wqscore.rendering.numbers import figure
from wqscore.rendering.terminal import print_lines, print_table
from wqscore.studies.known.benchmarks import BenchmarkTable
from wqscore.version import __version__

#: Benchmarks that people are shown; a card may give hundreds.
_MOST_SHOWN = 12
_MISSING = "–"


def print_benchmarks(table: BenchmarkTable) -> None:
    """Print a row per model and the benchmarks that most of them have."""
    columns = _columns(table)
    print_table(columns, _rows(table), _title(table), folding=["model"], optional=columns[:0:-1])
    print_lines(_notes(table))


def benchmarks_csv(table: BenchmarkTable) -> str:
    """A row per model with every benchmark; an empty cell where its card has none."""
    rows = table.as_table()
    return csv_text(rows.columns, rows.rows)


def benchmarks_markdown(table: BenchmarkTable) -> str:
    """A row per model and the benchmarks that most of them have."""
    return markdown_table(_columns(table), _rows(table)) + markdown_list([_title(table), *_notes(table)])


def benchmarks_json(table: BenchmarkTable) -> str:
    """Everything that the cards give, and what of it can't be used."""
    models = [
        {
            "model": model.model,
            "results": [{"column": column, **asdict(result)} for column, result in model.results.items()],
            "left_out": list(model.left_out),
        }
        for model in table.models
    ]
    return json_text({"wqscore": __version__, "models": models})


def _title(table: BenchmarkTable) -> str:
    return f"benchmark results in model cards, as their authors give them · {len(table.models)} models"


def _columns(table: BenchmarkTable) -> list[str]:
    return ["model", *table.columns[:_MOST_SHOWN]]


def _rows(table: BenchmarkTable) -> list[list[str]]:
    shown = table.columns[:_MOST_SHOWN]
    return [
        [model.model, *(figure(model.results[name].value) if name in model.results else _MISSING for name in shown)]
        for model in table.models
    ]


def _notes(table: BenchmarkTable) -> list[str]:
    if not table.columns:
        return ["no card gives a result that can be compared"]
    more = len(table.columns) - _MOST_SHOWN
    doubts = [doubt for name in table.columns if (doubt := table.doubt(name))]
    return [*doubts[:_MOST_SHOWN], *([f"{more} more benchmarks: --format csv"] if more > 0 else [])]
