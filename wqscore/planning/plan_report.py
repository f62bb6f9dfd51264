"""What `plan` shows: what scoring each of some models would take, and all of them."""

from __future__ import annotations

from rich.filesize import decimal

from wqscore.planning.describe_report import duration, hundredths
from wqscore.planning.plan import Cost, ModelPlan, Plan
from wqscore.rendering.csv import csv_text
from wqscore.rendering.json import json_text
from wqscore.rendering.markdown import markdown_list, markdown_table
from wqscore.rendering.numbers import Cell
from wqscore.rendering.terminal import print_lines, print_table
from wqscore.version import __version__

_SHOWN = ["model", "to fetch", "tensors", "matrices", "eigensolves", "CPU time", "peak memory"]
_COLUMNS = [
    *("model", "revision", "bytes_to_fetch", "bytes_to_read", "params", "tensors", "matrices", "eigensolves"),
    *("core_seconds_estimate", "peak_memory_estimate", "reason"),
]
_MISSING = "–"
_TITLE = "what scoring takes, from headers alone: CPU time on one core of this machine, once all is fetched"


def print_plan(plan: Plan) -> None:
    """Print a row per model, the total, and why some have no figures."""
    print_table(_SHOWN, _shown_rows(plan), _TITLE, folding=["model"], optional=["tensors", "matrices", "eigensolves"])
    print_lines(_notes(plan))


def plan_markdown(plan: Plan) -> str:
    """The same as a Markdown table and a list."""
    return markdown_table(_SHOWN, _shown_rows(plan)) + markdown_list([_TITLE, *_notes(plan)])


def plan_csv(plan: Plan) -> str:
    """A row per model, and the total as the last."""
    rows = [_row(model) for model in plan.models]
    return csv_text(_COLUMNS, [*rows, ["total", None, *_figures(plan.to_fetch, plan.total), None]])


def plan_json(plan: Plan) -> str:
    """A record per model, and the total."""
    return json_text(
        {
            "wqscore": __version__,
            "models": [dict(zip(_COLUMNS, _row(model), strict=True)) for model in plan.models],
            "total": dict(zip(_COLUMNS[2:-1], _figures(plan.to_fetch, plan.total), strict=True)),
        }
    )


def _row(model: ModelPlan) -> list[Cell]:
    return [model.ref.label, model.revision, *_figures(model.to_fetch, model.cost), model.reason or None]


def _figures(to_fetch: int | None, cost: Cost | None) -> list[Cell]:
    if cost is None:
        return [to_fetch, *[None] * (len(_COLUMNS) - 4)]
    counts = [cost.to_read, cost.parameters, cost.tensors, cost.matrices, cost.eigensolves]
    return [to_fetch, *counts, hundredths(cost.seconds), cost.peak_memory]


def _shown_rows(plan: Plan) -> list[list[str]]:
    rows = [[model.ref.label, *_shown_figures(model.to_fetch, model.cost)] for model in plan.models]
    return [*rows, ["total", *_shown_figures(plan.to_fetch, plan.total)]]


def _shown_figures(to_fetch: int | None, cost: Cost | None) -> list[str]:
    fetched = _MISSING if to_fetch is None else decimal(to_fetch)
    if cost is None:
        return [fetched, *[_MISSING] * (len(_SHOWN) - 2)]
    counts = [f"{count:,}" for count in (cost.tensors, cost.matrices, cost.eigensolves)]
    return [fetched, *counts, duration(cost.seconds), decimal(cost.peak_memory)]


def _notes(plan: Plan) -> list[str]:
    failed = plan.failed
    if not failed:
        return []
    unknown = sum(model.to_fetch is None for model in failed)
    without = f"the total is without the time and memory of {_models(len(failed))}"
    fetching = f", and without the bytes to fetch of {unknown}" if unknown else ""
    return [f"{without}{fetching}:", *(_named(model) for model in failed)]


def _named(model: ModelPlan) -> str:
    return model.reason if model.reason.startswith(model.ref.label) else f"{model.ref.label}: {model.reason}"


def _models(count: int) -> str:
    return f"{count} model{'s' * (count != 1)}"
