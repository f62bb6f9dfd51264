"""The output of `allocate`: a row for each block with the three plans, and how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wqscore.escaping import listed
from wqscore.rendering.numbers import Cell, figure, number, size
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table
from wqscore.rendering.timestamp import created_at
from wqscore.studies.allocate.allocate import Allocation, PlanRow
from wqscore.version import __version__

#: Increases when a field changes its name or its meaning.
SCHEMA_VERSION = 1
_NUMBERS = ["params", "metric", "value", "uniform", "linear"]
_WORDS = {
    "prune": "share of each block's weights to prune",
    "lr": "learning rate of each block",
    "wd": "weight decay of each block",
    "lora": "rank, or number of experts, of each block",
    "unfreeze": "matrices to train (1) and to freeze (0)",
}
#: Rows of a plan that a person sees; the other formats have all.
_SHOWN = 100
#: As many left-out matrices are named for a reason.
_NAMED = 3
#: What every plan is shown with.
UNTESTED = "not tested on your model"


def allocation_rows(found: Allocation) -> Rows:
    """A row for each block, or each matrix to train or freeze."""
    rows: list[list[Cell]] = [[each.name, *_cells(each)] for each in found.plan]
    return Rows([_first(found), *_NUMBERS], rows, frozenset({_first(found)}), counts=frozenset({"params"}))


def allocation_document(found: Allocation) -> dict[str, Any]:
    """The JSON document; undefined values are `null`."""
    layers, options = found.layers, found.options
    return {
        "schema_version": SCHEMA_VERSION,
        "wqscore": __version__,
        "created": created_at().isoformat(),
        "seed": layers.seed,
        "model": layers.model,
        "revision": layers.revision,
        "use": found.use,
        "by": layers.by,
        "total": found.total,
        "epsilon": options.epsilon if found.use in ("prune", "lr", "wd") else None,
        "max": options.most if found.use == "prune" else None,
        "min": options.least if found.use in ("prune", "lora") else None,
        "beta": options.beta if found.use == "lora" else None,
        "form": options.form if found.use == "lr" else None,
        "plan": [{_first(found): each.name} | dict(zip(_NUMBERS, _cells(each), strict=True)) for each in found.plan],
        "kept": {name: _kept(found, name) for name in ("value", "uniform", "linear")},
        "warning": found.warning,
        "skipped": [{"name": each.name, "reason": each.reason} for each in layers.skipped],
        "notes": allocation_notes(found),
    }


def allocation_sections(found: Allocation, _: Medium) -> list[Section]:
    """The plan, and how far to trust it."""
    rows = [
        [each.name, size(each.params), *map(figure, (each.metric, each.value, each.uniform, each.linear))]
        for each in found.plan[:_SHOWN]
    ]
    more = f"; {len(found.plan) - _SHOWN} more with --format csv" if len(found.plan) > _SHOWN else ""
    title = f"{found.layers.model}: {_WORDS[found.use]}, by {found.layers.by}{more}"
    columns = [_first(found), "params", found.layers.by, "value", "uniform", "linear in depth"]
    table = Table(
        title, columns, rows, folding=columns[:1], optional=["params"], right=columns[1:], markdown_title="above"
    )
    return [table, Notes(allocation_notes(found))]


def allocation_notes(found: Allocation) -> list[str]:
    """What the plan keeps, and what it doesn't promise."""
    kept = ", ".join(f"{figure(_kept(found, name))} {name}" for name in ("value", "uniform", "linear"))
    lines = [f"warning: {found.warning}"] if found.warning else []
    lines.append(f"{_KEPT[found.use]}: {kept}")
    if found.use == "unfreeze":
        lines.append("uniform and linear train as many of each role: evenly over depth, and the deepest")
    if (found.use == "lr" and found.options.form == "linear") or found.use == "wd":
        lines.append("this map doesn't keep the mean: --total is the middle of its range")
    lines += _left_out(found)
    return [*lines, *_TRUST]


_KEPT = {
    "prune": "share of all weights",
    "lr": "mean rate",
    "wd": "mean decay",
    "lora": "sum",
    "unfreeze": "weights to train",
}
_TRUST = (
    f"{UNTESTED}: measure this plan beside the other two before you use it",
    "the record has no decision between layers; between whole models of one shape alpha is a coin (wqscore evidence)",
)


def _left_out(found: Allocation) -> list[str]:
    """A line for each reason to leave something out, with what it applies to."""
    reasons: dict[str, list[str]] = {}
    for each in found.layers.skipped:
        reasons.setdefault(each.reason, []).append(each.name)
    return [f"left out, {reason}: {listed(names, _NAMED)}" for reason, names in reasons.items()]


def _first(found: Allocation) -> str:
    return "name" if found.use == "unfreeze" else "block"


def _cells(each: PlanRow) -> list[Cell]:
    return [each.params, *(number(value) for value in (each.metric, each.value, each.uniform, each.linear))]


def _kept(found: Allocation, column: str) -> float:
    """The sum or mean that a plan has: over weights, over blocks, or of the trained matrices' weights."""
    values: Sequence[float] = [getattr(each, column) for each in found.plan]
    params = [each.params for each in found.plan]
    if found.use == "prune":
        return sum(p * value for p, value in zip(params, values, strict=True)) / sum(params)
    if found.use == "unfreeze":
        return sum(p * value for p, value in zip(params, values, strict=True))
    return sum(values) if found.use == "lora" else sum(values) / len(values)
