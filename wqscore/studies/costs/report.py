"""What studies take, in each format."""

from __future__ import annotations

from typing import Any

from rich.filesize import decimal

from wqscore.planning.describe_report import hundredths, work_counted
from wqscore.planning.estimate import duration_range
from wqscore.rendering.numbers import MISSING, Cell
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table
from wqscore.studies.costs.costs import Cost, StudyCost, StudyCosts
from wqscore.version import __version__

_OF_COST = ("bytes_to_read", "eigensolves", "core_seconds_estimate", "core_seconds_most", "peak_memory_estimate")
_COLUMNS = (
    *("study", "model", "bytes_to_fetch"),
    *_OF_COST,
    *(f"stored_{name}" for name in _OF_COST),
    "reason",
)
_SHOWN = ("study", "model", "to fetch", "to read", "eigensolves", "CPU time", "peak memory")
_TITLE = "what studies take, from headers alone: CPU time on one core of this machine, once all is fetched, "


def study_cost_rows(found: StudyCosts) -> Rows:
    """A row for each study and model."""
    return Rows(_COLUMNS, [_row(each) for each in found.rows], frozenset({"study", "model", "reason"}))


def study_cost_document(found: StudyCosts) -> dict[str, Any]:
    """A record for each study and model."""
    return {
        "wqscore": __version__,
        "studies": [dict(zip(_COLUMNS, _row(each), strict=True)) for each in found.rows],
    }


def study_cost_sections(found: StudyCosts, _: Medium) -> list[Section]:
    """A row for each study and model: the first time, and once the store has the scores."""
    rows = []
    for each in found.rows:
        rows.append([each.study, each.model, *_shown(each.to_fetch, each.first)])
        if each.again is not None and each.again != each.first:
            rows.append(["", "once it is scored", *_shown(0, each.again)])
    table = Table(
        f"{_TITLE}{work_counted(found.sampling)}",
        _SHOWN,
        rows,
        folding=["model"],
        optional=["to fetch"],
        right=_SHOWN[2:],
        markdown_title="listed",
    )
    return [table, Notes([f"{row.study}: {row.model}: {row.reason}" for row in found.failed])]


def _row(each: StudyCost) -> list[Cell]:
    return [each.study, each.model, each.to_fetch, *_cells(each.first), *_cells(each.again), each.reason or None]


def _cells(cost: Cost | None) -> list[Cell]:
    if cost is None:
        return [None] * len(_OF_COST)
    times = hundredths(cost.seconds), hundredths(cost.most_seconds)
    return [cost.to_read, cost.eigensolves, *times, cost.peak_memory]


def _shown(to_fetch: int | None, cost: Cost | None) -> list[str]:
    fetched = MISSING if to_fetch is None else decimal(to_fetch)
    if cost is None:
        return [fetched, *[MISSING] * 4]
    time = duration_range(cost.seconds, cost.most_seconds)
    return [fetched, decimal(cost.to_read), f"{cost.eigensolves:,}", time, decimal(cost.peak_memory)]
