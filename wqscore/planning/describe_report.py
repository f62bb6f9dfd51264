"""What `describe` shows: every tensor, and what scoring would do with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.filesize import decimal

from wqscore.fits.sampling import Sampling
from wqscore.matrices.plan import PlannedTensor, by_tensor, tensor_name
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
from wqscore.planning.describe import ModelDescription
from wqscore.planning.estimate import duration_range
from wqscore.rendering.numbers import Cell, size
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table

_GROUP_COLUMNS = ["what happens", "tensors", "size", "first"]
_COLUMNS = ["name", "shape", "dtype", "role", "bytes", "what happens"]
#: Tensors that a notebook has room for.
_MAX_TENSORS = 20


def description_sections(description: ModelDescription, medium: Medium) -> list[Section]:
    """The totals, then the tensors: grouped by what happens to them, or a row each, in a notebook the first ones."""
    label = description.checkpoint.ref.label
    notes = Notes(description_notes(description))
    if not description.every_tensor:
        groups = [
            [group.happens, str(group.count), decimal(group.size), group.named] for group in grouped(description)
        ]
        return [notes, Table(label, _GROUP_COLUMNS, groups, folding=["what happens", "first"], optional=["size"])]
    rows = [_for_people(row) for row in _rows(description)]
    shown = rows[:_MAX_TENSORS] if medium == "notebook" else rows
    more = [Notes([f"and {len(rows) - len(shown)} more tensors"])] if len(rows) > len(shown) else []
    folding, optional = ["name", "what happens"], ["size", "dtype", "role", "shape"]
    columns = ["size" if column == "bytes" else column for column in _COLUMNS]
    return [notes, Table(label, columns, shown, folding, optional), *more]


def _for_people(row: Sequence[Cell]) -> list[str]:
    """A row of cells, its bytes with a unit."""
    return [
        decimal(cell) if column == "bytes" and isinstance(cell, int) else str(cell) for column, cell in _named(row)
    ]


def _named(row: Sequence[Cell]) -> Iterator[tuple[str, Cell]]:
    return zip(_COLUMNS, row, strict=True)


@dataclass(frozen=True)
class TensorGroup:
    """Tensors to which the same happens.

    Attributes:
        happens: what.
        count: how many.
        size: their bytes.
        named: the name of the first, or the first and the last.
    """

    happens: str
    count: int
    size: int
    named: str


def grouped(description: ModelDescription) -> list[TensorGroup]:
    """Group the tensors by what happens to them, those that are scored first, each then by number."""
    groups: dict[str, list[dict[str, Cell]]] = {}
    for row in _rows(description):
        cells = dict(_named(row))
        groups.setdefault(_kind_of(str(cells["what happens"])), []).append(cells)
    order = sorted(groups.items(), key=lambda each: (not each[0].startswith("scored"), -len(each[1])))
    return [
        TensorGroup(
            happens,
            len(members),
            sum(size for cells in members if isinstance(size := cells["bytes"], int)),
            str(members[0]["name"]) + (f" and {len(members) - 1} more" if len(members) > 1 else ""),
        )
        for happens, members in order
    ]


def _kind_of(happens: str) -> str:
    """What happens to a tensor, without the name of another one."""
    return "skipped: a tied copy of another tensor" if happens.startswith("skipped: tied to") else happens


def description_rows(description: ModelDescription) -> Rows:
    """A row per tensor, in the order they would be scored."""
    return Rows(_COLUMNS, _rows(description), frozenset(_COLUMNS) - {"bytes"})


def description_document(description: ModelDescription) -> dict[str, Any]:
    """A record per tensor and the totals."""
    keys = [column.replace(" ", "_") for column in _COLUMNS]
    return {
        "model": description.checkpoint.ref.label,
        "revision": description.checkpoint.revision,
        "preset": description.preset.name,
        "params": description.parameters,
        "matrices": len(description.matrices),
        "eigensolves": description.eigensolves,
        "bytes_to_fetch": description.to_fetch,
        "bytes_to_read": description.size,
        "core_seconds_estimate": hundredths(description.seconds),
        "core_seconds_most": hundredths(description.most_seconds),
        "peak_memory_estimate": description.peak_memory,
        **({"remarks": list(description.checkpoint.remarks)} if description.checkpoint.remarks else {}),
        "tensors": [dict(zip(keys, row, strict=True)) for row in _rows(description)],
    }


def _rows(description: ModelDescription) -> list[list[Cell]]:
    sizes = {tensor.name: tensor.nbytes for tensor in description.checkpoint.tensors}
    minimum = description.preset.matrices.min_eigenvalues
    return [_row(group, sizes.get(tensor_name(group[0]), 0), minimum) for group in by_tensor(description.outcomes)]


def description_notes(description: ModelDescription) -> list[str]:
    """The totals, the answer first, and what was taken as the model."""
    skipped = description.skipped
    tied = sum(skip.kind == "tied" for skip in skipped)
    unread = sum(skip.kind == "unread" for skip in skipped)
    others = len(skipped) - tied - unread
    parts = [
        f"{_counted(len(description.matrices), 'matrix', 'matrices')} to score",
        *([_counted(tied, "tied copy", "tied copies")] if tied else []),
        *([_counted(unread, "matrix", "matrices") + " that can't be read"] if unread else []),
        *([f"{others} not {'a matrix' if others == 1 else 'matrices'}"] if others else []),
    ]
    return [
        ", ".join(parts),
        *_outside_averages(description),
        f"{duration_range(description.seconds, description.most_seconds)} on one core of this machine, "
        f"{work_counted(description.sampling)}; {decimal(description.peak_memory)} of memory at its peak",
        f"{_counted(len(description.checkpoint.tensors), 'tensor', 'tensors')}, "
        f"{size(description.parameters)} parameters; {decimal(description.size)} to read, "
        f"{decimal(description.to_fetch)} to fetch first, "
        f"{_counted(description.eigensolves, 'eigensolve', 'eigensolves')}",
        *description.checkpoint.remarks,
    ]


def work_counted(sampling: Sampling) -> str:
    """What of the random work an estimate of time counts."""
    counted = [("the interval", sampling.bootstrap), ("the goodness of fit", sampling.gof)]
    kept = [name for name, draws in counted if draws]
    if len(kept) == 2:
        return "with intervals and goodness of fit"
    return f"without {' and '.join(name for name, draws in counted if not draws)}"


def _outside_averages(description: ModelDescription) -> list[str]:
    """A line on the matrices that are scored and that no average counts: why `rank` has fewer."""
    rules = description.preset.matrices
    outside = [matrix for matrix in description.matrices if not rules.averages(matrix.role)]
    inside = [matrix for matrix in description.matrices if rules.averages(matrix.role)]
    small = sum(min(each.rows, each.columns) * each.slices < rules.min_eigenvalues for each in inside)
    parts = []
    if outside:
        are = "is an embedding or a head" if len(outside) == 1 else "are embeddings and heads"
        parts.append(f"{len(outside)} of them {are}")
    if small:
        parts.append(f"{small}{'' if outside else ' of them'} {'is' if small == 1 else 'are'} too small")
    counted = len(inside) - small
    if not parts:
        return []
    return [f"{' and '.join(parts)}, which no average counts: rank counts {_counted(counted, 'matrix', 'matrices')}"]


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _row(group: Sequence[PlannedTensor], size_in_bytes: int, minimum: int) -> list[Cell]:
    first = group[0]
    if isinstance(first, SkippedTensor):
        shape, dtype, role, happens = first.shape, first.dtype, first.role, f"skipped: {first.reason}"
    else:
        shape, dtype, role = first.tensor.shape, first.tensor.dtype.name, first.role
        happens = _happens([matrix for matrix in group if isinstance(matrix, WeightMatrix)], minimum)
    return [tensor_name(first), "×".join(map(str, shape)) or "–", dtype, role, size_in_bytes, happens]


def _happens(matrices: Sequence[WeightMatrix], minimum: int) -> str:
    first = matrices[0]
    count = min(first.rows, first.columns) * first.slices
    suffix = f", too small for the averages: {count} eigenvalues" if count < minimum else ""
    suffix += "".join(f", {flag}" for flag in first.flags)
    if len(matrices) > 1:
        parts = [matrix.name.removeprefix(matrix.tensor.name) for matrix in matrices]
        return f"scored as {len(parts)} parts {' '.join(parts[:4])}{' …' if len(parts) > 4 else ''}{suffix}"
    return f"scored as {first.slices} pooled slices{suffix}" if first.slices > 1 else f"scored{suffix}"


def hundredths(seconds: float) -> float:
    """A time for tables, in hundredths of a second: at least one where there is work at all."""
    return max(round(seconds, 2), 0.01) if seconds else 0.0
