"""A diff in each format: a row for each matrix; a person sees the typical change, the largest, and the metrics."""

from __future__ import annotations

from collections import Counter
from math import isfinite
from typing import Any

from wqscore.escaping import listed
from wqscore.metrics.metric import MatrixMetric
from wqscore.metrics.registry import METRICS
from wqscore.ranking.holm import holm
from wqscore.rendering.numbers import MISSING, TOO_FEW, Cell, figure, number
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Answer, Medium, Notes, Section, Table
from wqscore.studies.diff.changes import MetricChange
from wqscore.studies.diff.delta import Delta
from wqscore.studies.diff.diff import Diff, MatrixChange
from wqscore.studies.diff.matching import By
from wqscore.studies.heads import document_head, model_names

#: As many of the most changed matrices are shown.
_LARGEST = 10
#: As many matrices without their like are named.
_NAMED = 5
#: A metric moves beyond chance at this corrected p-value.
_LEVEL = 0.05
#: Per cent from which on a share is written as a power of ten.
_HUGE = 1e6
_COLUMNS = [
    *("name", "other_name", "matched_by", "role", "rows", "columns", "base_norm", "delta_norm", "relative_change"),
    *("delta_stable_rank", "delta_effective_rank", "delta_rank", "delta_lambda_max", "overlap_left", "overlap_right"),
    *("overlap_rank", "chance_left", "chance_right"),
]
_WORDS = frozenset({"name", "other_name", "matched_by", "role", "side", "reason"})
_COUNTS = frozenset({"rows", "columns", "delta_rank", "overlap_rank"})
_FOUND: dict[By, str] = {
    "prefix": "matched by name, a prefix apart",
    "digest": "matched by equal contents",
    "content": "matched by like contents",
}


def diff_rows(found: Diff) -> Rows:
    """A row for each matrix that both have, then one with its side and reason for each that only one has."""
    metrics = _matrix_metrics(found)
    columns = [*_COLUMNS, *(f"{name}_{part}" for name in metrics for part in ("base", "other", "change"))]
    rows = [[*_cells(each), *_metric_cells(each, metrics), None, None] for each in found.matrices]
    blank: list[Cell] = [None] * (len(columns) - 1)
    rows += [[each.name, *blank, each.side, each.reason] for each in found.unmatched]
    return Rows([*columns, "side", "reason"], rows, _WORDS, counts=_COUNTS)


def diff_document(found: Diff) -> dict[str, Any]:
    """The JSON document; undefined values are `null`."""
    return {
        **document_head(found.seed),
        "base": model_names(found.base),
        "other": model_names(found.other),
        "preset": found.base.preset.name,
        "overlap_rank": found.overlap_rank,
        "matrices": [_matrix(found, each) for each in found.matrices],
        "unmatched": [{"name": each.name, "side": each.side, "reason": each.reason} for each in found.unmatched],
        "summary": {
            "n_matched": len(found.matrices),
            "n_frozen": len(found.frozen),
            "n_vectors": {"base": found.vectors[0], "other": found.vectors[1]},
            "relative_change": number(found.relative_change),
            "metrics": {
                each.metric: {
                    "change": number(each.change),
                    "low": number(each.low),
                    "high": number(each.high),
                    "p": number(each.p),
                    "n_pairs": each.pairs,
                }
                for each in found.metrics
            },
        },
    }


def diff_sections(found: Diff, _: Medium) -> list[Section]:
    """The metrics, the most changed matrices, notes, and what it comes to."""
    sections: list[Section] = []
    if found.largest:
        sections += [_metrics_table(found), _largest_table(found)]
    notes = _notes(found)
    return [*sections, *([Notes(notes)] if notes else []), Answer(answer(found))]


def answer(found: Diff) -> list[str]:
    """What changed, in sentences."""
    names = f"{found.base.ref.label} to {found.other.ref.label}"
    count, others = len(found.matrices), len(found.unmatched)
    if not count:
        return [f"From {names} nothing can be compared: no matrix of one is in the other."]
    alone = f" {_matrices(others)} {'has' if others == 1 else 'have'} no like in the other model." if others else ""
    if len(found.frozen) == count:
        return [f"From {names} no weight of the {_matrices(count)} that both have differs.{alone}"]
    if not isfinite(found.relative_change):
        return [f"From {names} no share can be told: a norm is zero or not finite in all that changed.{alone}"]
    lines = [
        f"From {names} a typical matrix changed by {share(found.relative_change)} of its norm{_spread(found)}.{alone}"
    ]
    if found.frozen:
        lines.append(f"{len(found.frozen)} of {_matrices(count)} are frozen: not one of their weights differs.")
    return [*lines, _moved(found)]


def share(value: float) -> str:
    """A share in per cent, to two digits; tiny and huge ones as powers of ten.

    Example:
        >>> share(0.0314), share(1.25), share(0.0), share(3e-7)
        ('3.1 %', '125 %', '0 %', '3.0e-05 %')
    """
    if not isfinite(value):
        return MISSING
    percent = 100 * value
    if percent == 0 or 10 <= percent < _HUGE:
        return f"{percent:,.0f} %"
    return f"{percent:.2g} %" if 1e-3 <= percent < 10 else f"{percent:.1e} %"


def _spread(found: Diff) -> str:
    first = found.largest[0]
    if not isfinite(first.delta.relative):
        return " (median)"
    return f" (median); the most, {share(first.delta.relative)}, in {first.base.matrix.name}"


def _moved(found: Diff) -> str:
    """Which metrics moved one way over the matrices beyond chance."""
    tested = [each for each in found.metrics if isfinite(each.p) and METRICS[each.metric].claims]
    if not tested:
        return "Too few matrices are in both for an interval of a metric's change."
    corrected = holm([each.p for each in tested])
    moved = [
        f"{each.metric} {each.change:+.3g}"
        for each, p in zip(tested, corrected, strict=True)
        if p <= _LEVEL and (each.low > 0 or each.high < 0)
    ]
    count = f"{len(tested)} {'metric' if len(tested) == 1 else 'metrics'}"
    if not moved:
        return f"None of {count} moved one way over the matrices beyond chance."
    return f"Moved one way over the matrices beyond chance, of {count}: {', '.join(moved)}."


def _metrics_table(found: Diff) -> Table:
    columns = ["metric", "change", "95 %", "p", "pairs"]
    shown = [each for each in found.metrics if _is_shown(each.metric)]
    rows = [[each.metric, _signed(each.change), _ends(each), _p(each), str(each.pairs)] for each in shown]
    return Table(
        f"the {found.base.preset.headline} change of each metric, matrix by matrix",
        columns,
        rows,
        folding=["metric"],
        optional=["pairs", "p"],
        right=columns[1:],
        markdown_title="above",
    )


def _is_shown(metric: str) -> bool:
    """Whether a metric is more than a step on the way to others, or their bound."""
    found = METRICS[metric]
    return not isinstance(found, MatrixMetric) or found.summarised


def _largest_table(found: Diff) -> Table:
    columns = ["matrix", "role", "change", "stable rank", "rank", "overlap left", "overlap right"]
    shown = found.largest[:_LARGEST]
    rows = [
        [
            each.base.matrix.name,
            each.base.matrix.role,
            share(each.delta.relative),
            figure(each.delta.stable_rank),
            _of_all(each),
            figure(each.delta.overlap.left),
            figure(each.delta.overlap.right),
        ]
        for each in shown
    ]
    largest = "largest change" if len(shown) == 1 else f"{len(shown)} largest changes"
    title = f"the {largest}, of {_matrices(len(found.matrices))}"
    return Table(
        title,
        columns,
        rows,
        folding=["matrix"],
        optional=["role", "overlap right", "overlap left"],
        right=columns[2:],
        markdown_title="above",
    )


def _of_all(each: MatrixChange) -> str:
    sides = each.delta.spectrum
    return f"{figure(each.delta.rank)} of {min(sides.rows, sides.columns) * sides.slices}"


def _notes(found: Diff) -> list[str]:
    ways = Counter(each.matched_by for each in found.matrices)
    notes = [f"{_matrices(ways[by])} {how}" for by, how in _FOUND.items() if ways[by]]
    for side, what in (("base", "only in the base"), ("other", "new in the other")):
        alone = [each for each in found.unmatched if each.side == side]
        named = "; ".join(f"{each.name} ({each.reason})" for each in alone[:_NAMED])
        more = f"; and {len(alone) - _NAMED} more" if len(alone) > _NAMED else ""
        if alone:
            notes.append(f"{_matrices(len(alone))} {what}: {named}{more}")
    unmeasured = [each.base.matrix.name for each in found.matrices if each.delta.spectrum.state == "non-finite"]
    if unmeasured:
        notes.append(
            f"{_matrices(len(unmeasured))} without a size of change, for NaN, infinite or overflowing weights: "
            f"{listed(unmeasured, _NAMED)}"
        )
    return notes + _reading(found.largest[0].delta) if found.largest else notes


def _reading(first: Delta) -> list[str]:
    """How to read the tables, with what chance gives for the most changed matrix."""
    left, right = first.overlap_by_chance
    overlap = (
        f"overlap: of the {first.count} leading singular directions before and after, 1 for the same ones; "
        f"chance gives {figure(left)} left and {figure(right)} right for the first matrix"
    )
    return [
        *([overlap] if first.count else []),
        "rank: of ΔW, above what rounding in the stored types leaves",
        "each p-value is of one metric alone; layers of a model move together, so that p is a guide, no proof",
    ]


def _matrix(found: Diff, each: MatrixChange) -> dict[str, Any]:
    cells = dict(zip(_COLUMNS, _cells(each), strict=True))
    metrics = _matrix_metrics(found)
    values = iter(_metric_cells(each, metrics))
    parts = ("base", "other", "change")
    return {**cells, "metrics": {name: {part: next(values) for part in parts} for name in metrics}}


def _cells(each: MatrixChange) -> list[Cell]:
    matrix, delta = each.base.matrix, each.delta
    return [
        *(matrix.name, each.other.matrix.name, each.matched_by, matrix.role, matrix.rows, matrix.columns),
        *map(number, (delta.base_norm, delta.norm, delta.relative, delta.stable_rank, delta.effective_rank)),
        number(delta.rank, count=True),
        *map(number, (delta.largest, delta.overlap.left, delta.overlap.right)),
        delta.count,
        *map(number, delta.overlap_by_chance),
    ]


def _metric_cells(each: MatrixChange, metrics: list[str]) -> list[Cell]:
    cells: list[Cell] = []
    for name in metrics:
        base, other = each.base.metrics[name], each.other.metrics[name]
        cells += map(number, (base, other, other - base))
    return cells


def _matrix_metrics(found: Diff) -> list[str]:
    return [name for name in found.base.metrics if name not in found.base.summary.values]


def _matrices(count: int) -> str:
    return f"{count} {'matrix' if count == 1 else 'matrices'}"


def _signed(value: float) -> str:
    return f"{value:+.4g}" if isfinite(value) else MISSING


def _ends(each: MetricChange) -> str:
    if isfinite(each.low):
        return f"{_signed(each.low)} to {_signed(each.high)}"
    return TOO_FEW if each.pairs else MISSING


def _p(each: MetricChange) -> str:
    return f"{each.p:.2g}" if isfinite(each.p) else MISSING
