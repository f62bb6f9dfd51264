"""What `plan` shows: what scoring each of some models would take, and all of them."""

from __future__ import annotations

from typing import Any

from rich.filesize import decimal

from wqscore.planning.costs import Cost
from wqscore.planning.describe_report import hundredths, work_counted
from wqscore.planning.estimate import duration_range
from wqscore.planning.plan import ModelPlan, Night, Plan
from wqscore.rendering.numbers import MISSING, Cell
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table
from wqscore.version import __version__

_SHOWN = ["model", "to fetch", "tensors", "matrices", "eigensolves", "CPU time", "peak memory", "store"]
_COLUMNS = [
    *("model", "revision", "bytes_to_fetch", "bytes_to_read", "params", "tensors", "matrices", "eigensolves"),
    *("core_seconds_estimate", "core_seconds_most", "peak_memory_estimate", "store_estimate", "reason"),
]
_TITLE = "what scoring takes, from headers alone: CPU time on one core of this machine, once all is fetched, "


def plan_sections(plan: Plan, _: Medium) -> list[Section]:
    """A row per model, the total, and why some have no figures."""
    rows = [[model.ref.label, *_shown_figures(model.to_fetch, model.cost)] for model in plan.models]
    to_fetch = plan.to_fetch if any(model.to_fetch is not None for model in plan.models) else None
    rows.append(["total", *_shown_figures(to_fetch, plan.total if len(plan.failed) < len(plan.models) else None)])
    optional = ["tensors", "matrices", "eigensolves", "store"]
    table = Table(
        f"{_TITLE}{work_counted(plan.sampling)}",
        _SHOWN,
        rows,
        folding=["model"],
        optional=optional,
        markdown_title="listed",
    )
    return [table, Notes(_notes(plan))]


def plan_rows(plan: Plan) -> Rows:
    """A row per model, and the total as the last."""
    total: list[Cell] = ["total", None, *_figures(plan.to_fetch, plan.total), None]
    return Rows(_COLUMNS, [*map(_row, plan.models), total], frozenset({"model", "revision", "reason"}))


def plan_document(plan: Plan) -> dict[str, Any]:
    """A record per model, and the total."""
    return {
        "wqscore": __version__,
        "models": [dict(zip(_COLUMNS, _row(model), strict=True)) for model in plan.models],
        "total": dict(zip(_COLUMNS[2:-1], _figures(plan.to_fetch, plan.total), strict=True)),
        **({"night": _night_document(plan.night(plan.changed))} if plan.changed else {}),
    }


def _night_document(night: Night) -> dict[str, Any]:
    return {
        "changed": night.changed,
        "bytes_to_fetch": night.to_fetch,
        "bytes_to_read": night.to_read,
        "core_seconds_estimate": hundredths(night.seconds),
        "core_seconds_most": hundredths(night.most_seconds),
        "store_estimate": night.store_size,
    }


def _row(model: ModelPlan) -> list[Cell]:
    return [model.ref.label, model.revision, *_figures(model.to_fetch, model.cost), model.reason or None]


def _figures(to_fetch: int | None, cost: Cost | None) -> list[Cell]:
    if cost is None:
        return [to_fetch, *[None] * (len(_COLUMNS) - 4)]
    counts = [cost.to_read, cost.parameters, cost.tensors, cost.matrices, cost.eigensolves]
    return [
        to_fetch,
        *counts,
        hundredths(cost.seconds),
        hundredths(cost.most_seconds),
        cost.peak_memory,
        cost.store_size,
    ]


def _shown_figures(to_fetch: int | None, cost: Cost | None) -> list[str]:
    fetched = MISSING if to_fetch is None else decimal(to_fetch)
    if cost is None:
        return [fetched, *[MISSING] * (len(_SHOWN) - 2)]
    counts = [f"{count:,}" for count in (cost.tensors, cost.matrices, cost.eigensolves)]
    time = duration_range(cost.seconds, cost.most_seconds)
    return [fetched, *counts, time, decimal(cost.peak_memory), decimal(cost.store_size)]


def _notes(plan: Plan) -> list[str]:
    failed, night = plan.failed, [_night(plan)] if plan.changed else []
    if not failed:
        return night
    unknown = sum(model.to_fetch is None for model in failed)
    without = f"the total is without the time and memory of {_models(len(failed))}"
    fetching = f", and without the bytes to fetch of {unknown}" if unknown else ""
    return [*night, f"{without}{fetching}:", *(_named(model) for model in failed)]


def _night(plan: Plan) -> str:
    found = plan.night(plan.changed)
    return (
        f"a night on which {found.changed:,} of {_models(len(plan.models))} changed: "
        f"{decimal(found.to_fetch)} to fetch, {decimal(found.to_read)} to read, "
        f"{duration_range(found.seconds, found.most_seconds)} of CPU time, "
        f"{decimal(found.store_size)} more in the store"
    )


def _named(model: ModelPlan) -> str:
    return model.reason if model.reason.startswith(model.ref.label) else f"{model.ref.label}: {model.reason}"


def _models(count: int) -> str:
    return f"{count:,} model{'s' * (count != 1)}"
