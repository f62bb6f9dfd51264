"""What `describe` shows: every tensor, and what scoring would do with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.filesize import decimal

from wqscore.matrices.plan import PlannedTensor, by_tensor, tensor_name
from wqscore.matrices.weight_matrix import SkippedTensor, WeightMatrix
from wqscore.planning.describe import ModelDescription
from wqscore.rendering.numbers import Cell, size
from wqscore.rendering.rows import Rows
from wqscore.rendering.sections import Medium, Notes, Section, Table

_COLUMNS = ["name", "shape", "dtype", "role", "bytes", "what happens"]
#: Tensors that a notebook has room for.
_MAX_TENSORS = 20


def description_sections(description: ModelDescription, medium: Medium) -> list[Section]:
    """A row per tensor, in a notebook only the first ones, and the totals."""
    rows = [[str(cell) for cell in row] for row in _rows(description)]
    shown = rows[:_MAX_TENSORS] if medium == "notebook" else rows
    more = [f"and {len(rows) - len(shown)} more tensors"] if len(rows) > len(shown) else []
    folding, optional = ["name", "what happens"], ["bytes", "dtype", "role", "shape"]
    table = Table(description.checkpoint.ref.label, _COLUMNS, shown, folding, optional)
    return [table, Notes([*more, *description_notes(description)])]


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
        "peak_memory_estimate": description.peak_memory,
        **({"remarks": list(description.checkpoint.remarks)} if description.checkpoint.remarks else {}),
        "tensors": [dict(zip(keys, row, strict=True)) for row in _rows(description)],
    }


def _rows(description: ModelDescription) -> list[list[Cell]]:
    sizes = {tensor.name: tensor.nbytes for tensor in description.checkpoint.tensors}
    minimum = description.preset.matrices.min_eigenvalues
    return [_row(group, sizes.get(tensor_name(group[0]), 0), minimum) for group in by_tensor(description.outcomes)]


def description_notes(description: ModelDescription) -> list[str]:
    """The totals, a line each, and what was taken as the model."""
    return [
        f"{_counted(len(description.checkpoint.tensors), 'tensor', 'tensors')}, "
        f"{size(description.parameters)} parameters; "
        f"{_counted(len(description.matrices), 'matrix', 'matrices')} to score, "
        f"{decimal(description.size)} to read, {decimal(description.to_fetch)} to fetch first",
        f"{_counted(description.eigensolves, 'eigensolve', 'eigensolves')}, "
        f"about {duration(description.seconds)} on one core of this machine, "
        f"and {decimal(description.peak_memory)} of memory at its peak",
        *description.checkpoint.remarks,
    ]


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


def duration(seconds: float) -> str:
    """A time for people, in seconds, minutes or hours."""
    if seconds < 90:
        return f"{max(seconds, 0.1):.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def hundredths(seconds: float) -> float:
    """A time for tables, in hundredths of a second: at least one where there is work at all."""
    return max(round(seconds, 2), 0.01) if seconds else 0.0
