"""A grid of trained networks: a cell for each size and temperature, with the numbers that were measured there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wqscore.errors import UsageError
from wqscore.metrics.registry import METRICS
from wqscore.studies.known.score_table import ScoreTable
from wqscore.studies.phase.thresholds import Rule

#: More cells are no grid that a person looks at.
_MAX_CELLS = 20_000


@dataclass(frozen=True)
class PhaseOptions:
    """Which columns mean what, and where the phases are bounded.

    Attributes:
        thresholds: `2means` or `median`, of the grid's own cells; used unless all three bounds are given.
        sharp: the logarithm of the Hessian's largest eigenvalue from which on a minimum is sharp.
        barrier: mode connectivity within ± this is connected.
        similar: CKA above this is similar.
        sharp_col: the column of the logarithm of the Hessian's largest eigenvalue; `log_hessian_top_eig` if `None`.
        barrier_col: the column of mode connectivity; `mode_connectivity` if `None`.
        similar_col: the column of CKA; `cka_last` if `None`.
        loss: the column of the training loss.
        trained: a cell whose loss is above this is not trained.
        maps: the columns to draw as heat maps; by default those of the phases and every metric of wqscore.
    """

    thresholds: Rule = "2means"
    sharp: float | None = None
    barrier: float | None = None
    similar: float | None = None
    sharp_col: str | None = None
    barrier_col: str | None = None
    similar_col: str | None = None
    loss: str | None = None
    trained: float | None = None
    maps: Sequence[str] = ()

    @property
    def given(self) -> tuple[float, float, float] | None:
        """The three bounds, or `None` where the grid's own are asked for.

        Raises:
            UsageError: some are given, but not all.
        """
        bounds = (self.sharp, self.barrier, self.similar)
        if bounds == (None, None, None):
            return None
        if self.sharp is None or self.barrier is None or self.similar is None:
            raise UsageError("--sharp, --barrier and --similar go together: give all three, or none")
        return self.sharp, self.barrier, self.similar


#: The measures of a cell by which its phase is told, and the trace, with the columns that they have by default.
TOP, TRACE, CONNECTIVITY, SIMILARITY = "log_hessian_top_eig", "log_hessian_trace", "mode_connectivity", "cka_last"
MEASURES = (TOP, TRACE, CONNECTIVITY, SIMILARITY)
#: Those without which there are no phases.
NEEDED = (TOP, CONNECTIVITY, SIMILARITY)
#: How alike weights are, the cosine of sketches: of the checkpoints of one cell, and of a cell and its neighbours.
COPIES, NEIGHBOURS = "copy_cosine", "neighbour_cosine"
#: Further columns that are drawn where they are there: how alike networks of one cell are, or neighbours.
_DRAWN = ("l2_distance", COPIES, NEIGHBOURS)


@dataclass(frozen=True)
class Grid:
    """The columns of a grid, each of shape (cells,); NaN where a cell is empty.

    Attributes:
        source: the file, for messages.
        size_name: the column of sizes.
        temperature_name: the column of temperatures.
        good_name: the column of what is good; empty without.
        size: such as the width.
        temperature: such as the batch size or the learning rate.
        good: such as test accuracy, higher is better; all NaN without such a column.
        loss: the training loss, `None` without such a column.
        measures: by name in `MEASURES`, those that the table has.
        maps: the columns to draw.
    """

    source: str
    size_name: str
    temperature_name: str
    good_name: str
    size: np.ndarray
    temperature: np.ndarray
    good: np.ndarray
    loss: np.ndarray | None
    measures: Mapping[str, np.ndarray]
    maps: Mapping[str, np.ndarray]

    @property
    def has_phases(self) -> bool:
        """Whether the table has the three measures that phases are told by."""
        return all(name in self.measures for name in NEEDED)

    @property
    def sizes(self) -> list[float]:
        """The different sizes, ascending."""
        return [float(each) for each in np.unique(self.size)]

    @property
    def temperatures(self) -> list[float]:
        """The different temperatures, ascending."""
        return [float(each) for each in np.unique(self.temperature)]


def read_grid(table: ScoreTable, size: str, temperature: str, good: str | None, options: PhaseOptions) -> Grid:
    """Take a grid's columns from a table.

    Args:
        table: a row for each cell.
        size: the column of sizes.
        temperature: the column of temperatures.
        good: the column of what is good, if any.
        options: the other columns.

    Raises:
        UsageError: a column is missing, or has a cell that is not a number; a row has no size or no temperature; two
            rows are the same cell; or there is nothing to show.
    """
    if (options.loss is None) != (options.trained is None):
        raise UsageError("--loss and --trained go together: name the column and the largest loss of a trained cell")
    if len(table.rows) > _MAX_CELLS:
        raise UsageError(f"{table.source}: {len(table.rows):,} rows, more than the {_MAX_CELLS:,} cells of a grid")
    sizes, temperatures = table.numbers(size), table.numbers(temperature)
    check_filled(table.source, sizes, temperatures, (size, temperature))
    _check_once(table.source, sizes, temperatures, (size, temperature))
    named = {TOP: options.sharp_col, CONNECTIVITY: options.barrier_col, SIMILARITY: options.similar_col}
    columns = {measure: named.get(measure) or measure for measure in MEASURES}
    measures = {
        measure: table.numbers(column)
        for measure, column in columns.items()
        if named.get(measure) or column in table.columns
    }
    known = (*columns.values(), *_DRAWN, *METRICS)
    maps = options.maps or [each for each in table.columns if each in known and each not in (size, temperature)]
    maps = [each for each in maps if each not in (COPIES, NEIGHBOURS) or np.isfinite(table.numbers(each)).any()]
    if not maps:
        raise UsageError(
            f"{table.source}: no column of {', '.join(NEEDED)}, nor a metric: name what to draw with --map"
        )
    return Grid(
        source=table.source,
        size_name=size,
        temperature_name=temperature,
        good_name=good or "",
        size=sizes,
        temperature=temperatures,
        good=table.numbers(good) if good else np.full(sizes.size, np.nan),
        loss=table.numbers(options.loss) if options.loss else None,
        measures=measures,
        maps={
            name: table.numbers(name) for name in ([good] if good else []) + [each for each in maps if each != good]
        },
    )


def check_filled(source: str, sizes: np.ndarray, temperatures: np.ndarray, names: tuple[str, str]) -> None:
    """Refuse a table that doesn't say of a row which cell it is.

    Raises:
        UsageError: a row has no size or no temperature.
    """
    for row, cell in enumerate(zip(sizes.tolist(), temperatures.tolist(), strict=True), 1):
        if not np.isfinite(cell).all():
            raise UsageError(
                f"{source}: row {row} has no {names[int(np.isfinite(cell[0]))]}: fill it in, or leave it out"
            )


def _check_once(source: str, sizes: np.ndarray, temperatures: np.ndarray, names: tuple[str, str]) -> None:
    seen: dict[tuple[float, float], int] = {}
    for row, cell in enumerate(zip(sizes.tolist(), temperatures.tolist(), strict=True), 1):
        if cell in seen:
            raise UsageError(
                f"{source}: rows {seen[cell]} and {row} are both {names[0]} {cell[0]:g}, {names[1]} {cell[1]:g}: "
                "average them first"
            )
        seen[cell] = row
