"""The phases of a grid of trained networks, from a table of what was measured in each cell.

Yang et al., "Taxonomizing local versus global structure in neural network loss landscapes", NeurIPS 2021
(arXiv 2107.11228), section 3. A cell's measures need data and several trained copies; this study only sorts cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from wqscore.api.settings import Settings
from wqscore.errors import UsageError
from wqscore.execution.progress import RankProgress
from wqscore.ranking.rank_correlation import spearman
from wqscore.results import Result
from wqscore.studies.known.given_table import given_table
from wqscore.studies.phase.checkpoints import GridModel, scored_table, table_of_pattern
from wqscore.studies.phase.grid import (
    CONNECTIVITY,
    MEASURES,
    NEEDED,
    SIMILARITY,
    TOP,
    Grid,
    PhaseOptions,
    read_grid,
)
from wqscore.studies.phase.pattern import is_pattern
from wqscore.studies.phase.thresholds import Thresholds, find_thresholds

if TYPE_CHECKING:
    from wqscore.studies.known.given_table import Given

SHARP_APART, SHARP_CONNECTED, FLAT_APART, FLAT_UNLIKE, FLAT_ALIKE = "I", "II", "III", "IV-A", "IV-B"
NOT_TRAINED, ENDS = "not trained", "ends not converged"
PHASES = (SHARP_APART, SHARP_CONNECTED, FLAT_APART, FLAT_UNLIKE, FLAT_ALIKE, ENDS, NOT_TRAINED)
#: What each phase is, in words.
MEANING: Mapping[str, str] = {
    SHARP_APART: "sharp, not connected",
    SHARP_CONNECTED: "sharp, connected",
    FLAT_APART: "flat, not connected",
    FLAT_UNLIKE: "flat, connected, not similar",
    FLAT_ALIKE: "flat, connected, similar",
    ENDS: "the curve between two copies is better than its ends",
    NOT_TRAINED: "the training loss is above --trained",
}
#: The best cells whose phases are counted.
_TOP_SHARE = 0.1
#: Fewer pairs have no rank correlation worth a figure.
_LEAST = 3
#: The column of a grid's checkpoints where a pattern names them.
_MODEL = "model"


@dataclass(frozen=True)
class Cell:
    """A cell of the grid.

    Attributes:
        size: its size.
        temperature: its temperature.
        phase: its phase, `None` where it can't be told.
        good: what is good, `None` where it is not known.
        reason: why there is no phase; empty if there is one, or none was asked for.
    """

    size: float
    temperature: float
    phase: str | None
    good: float | None
    reason: str = ""


@dataclass(frozen=True)
class PhaseSummary:
    """The cells of one phase.

    Attributes:
        phase: the phase.
        cells: how many.
        mean: the mean of what is good; `None` if it is known of none.
        best: the largest.
        share_of_top: of the best tenth of all cells, the share that is in this phase.
    """

    phase: str
    cells: int
    mean: float | None
    best: float | None
    share_of_top: float | None


@dataclass(frozen=True)
class Phases(Result):
    """The phases of a grid.

    Attributes:
        grid: the columns.
        thresholds: the bounds; `None` where the table lacks a measure, and no cell has a phase.
        cells: in the table's order.
        phases: those with a cell, in order.
        within: for each size with three cells or more, Spearman's rho of each measure with what is good.
        pooled: the same over all cells, and of the size itself.
        models: the checkpoints, of a grid of these.
        seed: of their scores; `None` where nothing was scored.
    """

    grid: Grid
    thresholds: Thresholds | None
    cells: tuple[Cell, ...]
    phases: tuple[PhaseSummary, ...]
    within: tuple[tuple[float, Mapping[str, float | None]], ...]
    pooled: Mapping[str, float | None]
    models: tuple[GridModel, ...] = ()
    seed: int | None = None

    @property
    def failed(self) -> tuple[GridModel, ...]:
        """The checkpoints that could not be scored."""
        return tuple(model for model in self.models if model.reason)


def phase(
    grid: Given,
    size: str,
    temperature: str,
    good: str | None = None,
    *,
    model: str | None = None,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **options: Any,
) -> Phases:
    """Sort the cells of a grid of trained networks into phases, as `wqscore phase` does.

    A table without the three measures of the phases has heat maps alone, and no cell has a phase. Of checkpoints the
    heat maps are of their metrics, and of how alike their weights are.

    Args:
        grid: a data frame or a CSV file with a row for each cell, seeds of one cell averaged; or the paths of
            checkpoints as a text in which `{name}` stands for a number, such as `runs/w{width}-b{batch_size}`.
        size: the column of sizes, such as the width; or the field.
        temperature: the column of temperatures, such as the batch size; or the field.
        good: the column of what is good, such as test accuracy; higher is better.
        model: the column that names a checkpoint in each row, to be scored; several of one cell are averaged.
        settings: of checkpoints, what to compute and how.
        progress: receives progress of their scoring.
        **options: the fields of `PhaseOptions`.

    Raises:
        UsageError: the table can't be read, a column is missing or is not numbers, two rows are one cell, a
            threshold can't be found, or no checkpoint can be read.
        TypeError: an unknown keyword, or something that is no table.

    Example:
        `wqscore.phase("grid.csv", size="width", temperature="batch_size", good="test_acc").to_frame()`
    """
    chosen = PhaseOptions(**options)
    from_paths = isinstance(grid, str) and is_pattern(grid)
    if not from_paths and model is None:
        return phases_of(read_grid(given_table(grid, "the grid"), size, temperature, good, chosen), chosen)
    column, scoring = model or _MODEL, settings or Settings()
    table = table_of_pattern(str(grid), column) if from_paths else given_table(grid, "the grid")
    kept = [name for name in _own_columns(chosen, good) if name in table.columns]
    scored, models = scored_table(table, column, (size, temperature), kept, scoring, progress)
    found = phases_of(read_grid(scored, size, temperature, good, chosen), chosen)
    return replace(found, models=models, seed=scoring.seed)


def _own_columns(options: PhaseOptions, good: str | None) -> list[str]:
    """The columns of numbers that a table of checkpoints may have of its own."""
    named = (options.sharp_col, options.barrier_col, options.similar_col, options.loss, good)
    return list(dict.fromkeys([*filter(None, named), *MEASURES, *options.maps]))


def phases_of(grid: Grid, options: PhaseOptions) -> Phases:
    """Sort the cells of a grid into phases.

    Raises:
        UsageError: a threshold can't be found, or some of the given ones are missing.
    """
    given = options.given
    if given is not None and not grid.has_phases:
        missing = next(name for name in NEEDED if name not in grid.measures)
        raise UsageError(
            f"{grid.source}: no column {missing!r}, so that there are no phases: name it, or give no threshold"
        )
    thresholds = _thresholds(grid, options) if grid.has_phases else None
    found = [_phase(grid, cell, thresholds, options.trained) for cell in range(grid.size.size)]
    cells = tuple(
        Cell(float(size), float(temperature), name, _known(good), reason)
        for size, temperature, good, (name, reason) in zip(grid.size, grid.temperature, grid.good, found, strict=True)
    )
    return Phases(grid, thresholds, cells, _summaries(cells), _within(grid), _correlations(grid, slice(None), True))


def _thresholds(grid: Grid, options: PhaseOptions) -> Thresholds:
    if options.given is not None:
        return Thresholds("given", *options.given)
    measures = [grid.measures[name] for name in NEEDED]
    complete = np.isfinite(measures).all(axis=0)
    if not complete.any():
        raise UsageError(f"{grid.source}: no cell has all of {', '.join(NEEDED)}: fill them in")
    return find_thresholds(options.thresholds, *(each[complete] for each in measures))


def _phase(grid: Grid, cell: int, thresholds: Thresholds | None, trained: float | None) -> tuple[str | None, str]:
    """A cell's phase, or why there is none."""
    if thresholds is None:
        return None, ""
    top, connectivity, similarity = (float(grid.measures[name][cell]) for name in NEEDED)
    loss = float(grid.loss[cell]) if grid.loss is not None else None
    values = {TOP: top, CONNECTIVITY: connectivity, SIMILARITY: similarity, "loss": 0.0 if loss is None else loss}
    empty = [name for name, value in values.items() if not np.isfinite(value)]
    if loss is not None and trained is not None and loss > trained:
        return NOT_TRAINED, ""
    if empty:
        return None, f"no {', '.join(empty)}"
    return phase_of(top, connectivity, similarity, thresholds), ""


def phase_of(top: float, connectivity: float, similarity: float, thresholds: Thresholds) -> str:
    """The phase of a trained cell.

    Args:
        top: logarithm of the Hessian's largest eigenvalue.
        connectivity: mode connectivity; negative is a barrier.
        similarity: CKA.
        thresholds: the bounds.
    """
    if connectivity > thresholds.barrier:
        return ENDS
    connected = connectivity > -thresholds.barrier
    if top >= thresholds.sharp:
        return SHARP_CONNECTED if connected else SHARP_APART
    if not connected:
        return FLAT_APART
    return FLAT_ALIKE if similarity > thresholds.similar else FLAT_UNLIKE


def _summaries(cells: tuple[Cell, ...]) -> tuple[PhaseSummary, ...]:
    known = sorted((cell.good for cell in cells if cell.good is not None), reverse=True)
    bar = known[ceil(len(known) * _TOP_SHARE) - 1] if known else None
    top = [cell for cell in cells if bar is not None and cell.good is not None and cell.good >= bar]
    made = []
    for name in PHASES:
        inside = [cell for cell in cells if cell.phase == name]
        goods = [cell.good for cell in inside if cell.good is not None]
        share = sum(cell.phase == name for cell in top) / len(top) if top else None
        mean = float(np.mean(goods)) if goods else None
        if inside:
            made.append(PhaseSummary(name, len(inside), mean, max(goods, default=None), share))
    return tuple(made)


def _within(grid: Grid) -> tuple[tuple[float, Mapping[str, float | None]], ...]:
    return tuple((size, _correlations(grid, grid.size == size, False)) for size in grid.sizes)


def _correlations(grid: Grid, chosen: Any, with_size: bool) -> Mapping[str, float | None]:
    columns = ({"size": grid.size} if with_size else {}) | {name: grid.measures.get(name) for name in MEASURES}
    return {
        name: None if column is None else _spearman(column[chosen], grid.good[chosen])
        for name, column in columns.items()
    }


def _spearman(x: np.ndarray, y: np.ndarray) -> float | None:
    both = np.isfinite(x) & np.isfinite(y)
    return spearman(x[both], y[both]) if np.count_nonzero(both) >= _LEAST else None


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
