"""Fit a table to a width: drop columns and fold names at dots, slashes and the like; numbers stay whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

#: Cells between two columns.
GAP = 2
#: The least width of a column of names.
_MIN_NAME_WIDTH = 12
_SEAM = re.compile(r"[/._\- ]")


@dataclass(frozen=True)
class FittedTable:
    """A table as it is shown.

    Attributes:
        columns: the columns that are shown.
        rows: their cells, with line breaks in folded names.
        left_out: the columns that are dropped.
    """

    columns: list[str]
    rows: list[list[str]]
    left_out: list[str]


def fit(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    folding: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> FittedTable:
    """Fit a table to a width.

    Args:
        columns: the headers.
        rows: the cells, one line each.
        width: the terminal's width.
        folding: columns of names, folded when half the width is not enough for one, or two thirds for two.
        optional: columns that may be dropped, the first one first.
    """
    natural = {
        column: max([cell_len(column), *(cell_len(row[index]) for row in rows)])
        for index, column in enumerate(columns)
    }
    left_out: list[str] = []
    for column in optional:
        if _minimum({name: size for name, size in natural.items() if name not in left_out}, width, folding) <= width:
            break
        left_out.append(column)
    kept = [column for column in columns if column not in left_out]
    widths = _widths({name: natural[name] for name in kept}, width, folding)
    kept_widths = [(columns.index(name), widths[name]) for name in kept]
    return FittedTable(kept, [[fold(row[index], room) for index, room in kept_widths] for row in rows], left_out)


def fold(text: str, width: int) -> str:
    r"""Break a name into lines of at most `width` cells, after a dot, slash or the like where there is one.

    Example:
        >>> fold("encoder.layer.0.attention.query.weight", 20)
        'encoder.layer.0.\nattention.query.\nweight'
    """
    lines = []
    while cell_len(text) > width:
        line = chop_cells(text, width)[0]
        # A seam in the first third would waste most of the line.
        seams = [seam.end() for seam in _SEAM.finditer(line) if seam.end() > len(line) // 3]
        end = seams[-1] if seams else len(line)
        lines.append(text[:end].rstrip())
        text = text[end:]
    return "\n".join([*lines, text])


def _minimum(natural: Mapping[str, int], width: int, folding: Sequence[str]) -> int:
    """The width of a table whose names are folded as far as is readable."""
    share = max(width // (len(folding) + 1), _MIN_NAME_WIDTH)
    return _total(min(size, share) if name in folding else size for name, size in natural.items())


def _widths(natural: Mapping[str, int], width: int, folding: Sequence[str]) -> dict[str, int]:
    """Column widths; names that need less than an even share of the room leave the rest to other names."""
    widths = dict(natural)
    room = width - _total(0 if name in folding else size for name, size in natural.items())
    waiting = sorted(folding, key=natural.__getitem__)
    for others, name in zip(reversed(range(len(waiting))), waiting, strict=True):
        widths[name] = min(natural[name], max(room // (others + 1), _MIN_NAME_WIDTH))
        room -= widths[name]
    return widths


def _total(widths: Iterable[int]) -> int:
    sizes = list(widths)
    return sum(sizes) + GAP * (len(sizes) - 1)
