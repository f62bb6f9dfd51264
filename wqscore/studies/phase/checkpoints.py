"""A grid of checkpoints: each is scored, and the copies of a cell and its neighbours are compared by weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import isfinite, nan

import numpy as np

from wqscore.api.run import own_errors, started
from wqscore.api.score import score
from wqscore.api.settings import Settings
from wqscore.errors import CheckpointError, UsageError
from wqscore.execution.progress import RankProgress
from wqscore.refs.callers import as_ref
from wqscore.refs.reference import ModelRef
from wqscore.scoring.cache import opened_store
from wqscore.scoring.model_score import ModelScore
from wqscore.studies.known.score_table import ScoreTable
from wqscore.studies.phase.grid import COPIES, NEIGHBOURS, check_filled
from wqscore.studies.phase.likeness import Sketches, cosine, sketches_of
from wqscore.studies.phase.pattern import places_of

Place = tuple[float, float]


@dataclass(frozen=True)
class GridModel:
    """A checkpoint of a grid.

    Attributes:
        ref: the model.
        revision: its commit on the Hub, `None` for files on disk.
        size: of its cell.
        temperature: of its cell.
        reason: why it has no score; empty if it has.
    """

    ref: ModelRef
    revision: str | None
    size: float
    temperature: float
    reason: str = ""


@dataclass(frozen=True)
class _Scored:
    """What is kept of a checkpoint: its metrics and sketches; none of one that can't be read."""

    metrics: Mapping[str, float]
    sketches: Sketches


def table_of_pattern(pattern: str, column: str) -> ScoreTable:
    """A table with a row for each checkpoint that fits a pattern: its fields, and where it is.

    Args:
        pattern: a path in which `{name}` stands for a number.
        column: the column of the paths.

    Raises:
        UsageError: nothing fits, or a field has the name of that column.
    """
    places = places_of(pattern)
    fields = tuple(places[0].numbers)
    if column in fields:
        raise UsageError(f"{pattern}: {column!r} is the column of the checkpoints: name the field otherwise")
    rows = tuple((*(repr(each.numbers[name]) for name in fields), each.path) for each in places)
    return ScoreTable(pattern, (*fields, column), rows)


def scored_table(
    table: ScoreTable,
    column: str,
    cell: tuple[str, str],
    kept: Sequence[str],
    settings: Settings,
    progress: RankProgress | None = None,
) -> tuple[ScoreTable, tuple[GridModel, ...]]:
    """Score the checkpoints of a table, and average over those of one cell.

    A checkpoint that can't be read is a row with its reason, and left out of its cell's averages.

    Args:
        table: a row for each checkpoint.
        column: the column that names them.
        cell: the columns of sizes and of temperatures.
        kept: further columns of numbers to keep.
        settings: what to compute and how.
        progress: receives progress.

    Returns:
        A row for each cell: the metrics' headline values, how alike the cell's copies are and how alike it is to its
        neighbours in temperature, and the kept columns; and the checkpoints.

    Raises:
        UsageError: a column is missing or is not numbers, a row names no checkpoint, or no checkpoint can be read.
    """
    names = table.words(column)
    if empty := [row for row, name in enumerate(names, 1) if not name]:
        raise UsageError(
            f"{table.source}: row {empty[0]} names no checkpoint in {column!r}: fill it in, or leave it out"
        )
    sizes, temperatures = (table.numbers(each) for each in cell)
    check_filled(table.source, sizes, temperatures, cell)
    places: list[Place] = list(zip(sizes.tolist(), temperatures.tolist(), strict=True))
    models, scored = _score(names, places, settings, progress)
    if not any(each.metrics for each in scored):
        raise UsageError(f"{table.source}: no checkpoint could be read: {models[0].reason}")
    by_cell: dict[Place, list[int]] = {}
    for row, place in enumerate(places):
        by_cell.setdefault(place, []).append(row)
    metrics = list(dict.fromkeys(name for each in scored for name in each.metrics))
    own = [name for name in kept if name not in metrics]
    numbers = {name: table.numbers(name) for name in own}
    likeness = _likeness(by_cell, scored)
    header = (*cell, *own, *metrics, COPIES, NEIGHBOURS)
    rows = tuple(
        tuple(
            _text(value)
            for value in (
                *place,
                *(_mean([float(numbers[name][row]) for row in members]) for name in own),
                *(_mean([scored[row].metrics.get(name, nan) for row in members]) for name in metrics),
                *likeness[place],
            )
        )
        for place, members in by_cell.items()
    )
    return ScoreTable(table.source, header, rows), models


def _score(
    names: Sequence[str], places: Sequence[Place], settings: Settings, progress: RankProgress | None
) -> tuple[tuple[GridModel, ...], list[_Scored]]:
    models: list[GridModel] = []
    found: list[_Scored] = []
    with opened_store(settings.store) as store:
        shared = replace(settings, store=store)
        for name, place in zip(names, places, strict=True):
            ref = as_ref(name)
            try:
                with own_errors(ref):
                    of_one = score(ref, settings=shared, progress=progress)
                    found.append(_kept(of_one, shared))
                models.append(GridModel(of_one.ref, of_one.revision, *place))
            except CheckpointError as error:
                if progress:
                    progress.failed(ref, str(error))
                models.append(GridModel(ref, None, *place, str(error)))
                found.append(_Scored({}, {}))
    return tuple(models), found


def _kept(found: ModelScore, settings: Settings) -> _Scored:
    metrics = {name: found.summary.headline(name, found.preset) for name in found.metrics}
    with started(found.ref, settings, None) as run:
        return _Scored(metrics, sketches_of(found, run.resources, run.cache))


def _likeness(by_cell: Mapping[Place, Sequence[int]], scored: Sequence[_Scored]) -> dict[Place, tuple[float, float]]:
    """Of each cell the mean cosine of its copies, and of its checkpoints with those of the neighbours."""
    found = {}
    for place, members in by_cell.items():
        size = place[0]
        others = sorted(temperature for each, temperature in by_cell if each == size)
        at = others.index(place[1])
        near = [(size, others[next_to]) for next_to in (at - 1, at + 1) if 0 <= next_to < len(others)]
        copies = [cosine(scored[a].sketches, scored[b].sketches) for a, b in combinations(members, 2)]
        beside = [
            cosine(scored[a].sketches, scored[b].sketches) for each in near for a in members for b in by_cell[each]
        ]
        found[place] = _mean(copies), _mean(beside)
    return found


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if isfinite(value)]
    return float(np.mean(known)) if known else nan


def _text(value: float) -> str:
    return repr(value) if isfinite(value) else ""
