"""What changed between two checkpoints: the change of each matrix, of its subspaces, and of every metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf, isfinite, nan
from typing import Any, cast

import numpy as np

from wqscore.api.run import own_errors
from wqscore.api.score import score
from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.checkpoints.decoding import is_update
from wqscore.checkpoints.opening import open_checkpoint
from wqscore.errors import UsageError
from wqscore.execution.progress import RankProgress, ScoreProgress
from wqscore.execution.resources import Resources
from wqscore.matrices.plan import matrices_of
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.refs.callers import as_ref
from wqscore.refs.reference import Model, ModelRef
from wqscore.results import Result
from wqscore.scoring.cache import ScoreCache, opened_store
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.score_checkpoint import planned
from wqscore.scoring.summary import counted_rows
from wqscore.stores.store import Store
from wqscore.studies.diff.changes import MetricChange, metric_change
from wqscore.studies.diff.delta import Delta, frozen
from wqscore.studies.diff.matching import (
    By,
    Pair,
    Side,
    Unmatched,
    by_contents,
    by_name,
    remaining,
    shape_of,
    why_alone,
)
from wqscore.studies.diff.reading import Source, measured, print_of

#: How many leading directions are compared unless told.
OVERLAP_RANK = 16


@dataclass(frozen=True)
class MatrixChange:
    """A matrix that both models have.

    Attributes:
        base: its row in the base.
        other: its row in the other model.
        matched_by: how it was found: `name`, `prefix`, `digest` or `content`.
        delta: what changed.
    """

    base: LayerScore
    other: LayerScore
    matched_by: By
    delta: Delta


@dataclass(frozen=True, repr=False)
class Diff(Result):
    """What changed between two models.

    Attributes:
        base: the base's score.
        other: the other model's.
        matrices: the matrices that both have, in the base's order.
        unmatched: the others, each with the reason.
        metrics: the change of every metric, those of matrices first.
        overlap_rank: the most leading directions that were compared.
        seed: of the bootstrap, and of the scores.
        vectors: 1-D tensors of the base and of the other model, which are not compared.
    """

    base: ModelScore
    other: ModelScore
    matrices: tuple[MatrixChange, ...]
    unmatched: tuple[Unmatched, ...]
    metrics: tuple[MetricChange, ...]
    overlap_rank: int
    seed: int
    vectors: tuple[int, int]

    def __repr__(self) -> str:
        """The models, and how many matrices changed."""
        return f"<Diff {self.base.ref.label:.60} → {self.other.ref.label:.60}: {len(self.matrices)} matrices>"

    @property
    def frozen(self) -> tuple[MatrixChange, ...]:
        """The matrices none of whose weights differs."""
        return tuple(each for each in self.matrices if each.delta.is_frozen)

    @property
    def relative_change(self) -> float:
        """The typical change: the median of ‖ΔW‖_F/‖W‖_F over the matrices; NaN without any."""
        values = [each.delta.relative for each in self.matrices if isfinite(each.delta.relative)]
        return float(np.median(values)) if values else nan

    @property
    def largest(self) -> tuple[MatrixChange, ...]:
        """The matrices that changed, the most changed first; last those whose share can't be told."""
        moved = (each for each in self.matrices if not each.delta.is_frozen)
        return tuple(sorted(moved, key=lambda each: -each.delta.relative if isfinite(each.delta.relative) else inf))


@takes_settings
def diff(
    base: Model,
    other: Model,
    *,
    overlap_rank: int = OVERLAP_RANK,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Any,
) -> Diff:
    """Say what changed from one checkpoint to another: a fine-tune, a later step, a quantised copy, an adapter.

    With a store, both models are scored from it, and matrices that it knows to be equal are not read.

    Args:
        base: the model before, as for `wqscore.score`.
        other: the model after; an adapter as `base+adapter`.
        overlap_rank: the most leading singular directions to compare; a quarter of the smaller side at most.
        settings: as for `wqscore.score`.
        progress: receives progress.
        **changes: as for `wqscore.score`, without `base` and `engine`.

    Raises:
        UsageError: an unknown reference or setting, a base for distances, or an adapter without its base.
        CheckpointError: a model that can't be found, fetched or read.

    Example:
        `wqscore.diff("./base", "./fine-tuned").relative_change`
    """
    chosen = changed(settings, cast(SettingsKeywords, changes))
    if chosen.base is not None or chosen.engine != "wqscore":
        raise UsageError("diff measures from its first model, by its own engine: leave base and engine out")
    if overlap_rank < 1:
        raise UsageError(f"overlap_rank is {overlap_rank}: give a number from 1 on")
    refs = as_ref(base), as_ref(other)
    with opened_store(chosen.store) as store:
        shared = replace(chosen, store=store)
        before, after = (score(ref, settings=shared, progress=progress) for ref in refs)
        _refuse_lone_adapter(before, after)
        with own_errors(refs[1]):
            sources = _source(refs[0], before), _source(refs[1], after)
            bar = _Bar(before, after, progress)
            return _compare(before, after, sources, overlap_rank, shared, bar)


def _refuse_lone_adapter(base: ModelScore, other: ModelScore) -> None:
    """An adapter alone is a change already: W' − W would be none.

    Raises:
        UsageError: one of the two is an adapter, and the other a model.
    """
    kinds = [bool(each.layers) and all(is_update(row.matrix.tensor) for row in each.layers) for each in (base, other)]
    if kinds[0] != kinds[1]:
        adapter, model = (base, other) if kinds[0] else (other, base)
        raise UsageError(
            f"{adapter.ref.label} is an adapter without its base: name it as {model.ref.label}+{adapter.ref.label}"
        )


def _source(ref: ModelRef, score: ModelScore) -> Source:
    """Where a model's weights are read: its score's own tensors, or those of a model in memory, planned again."""
    if ref.memory is None:
        return _as_scored
    again = {each.name: each for each in matrices_of(planned(open_checkpoint(ref), score.preset))}
    return lambda matrix: again[matrix.name]


def _as_scored(matrix: WeightMatrix) -> WeightMatrix:
    return matrix


@dataclass(frozen=True)
class _Bar:
    """Shows the comparison of two models as a model of its own."""

    base: ModelScore
    other: ModelScore
    progress: RankProgress | None

    def show(self) -> ScoreProgress | None:
        if self.progress is None:
            return None
        return self.progress.model(replace(self.other.ref, name=f"{self.base.ref.label} → {self.other.ref.label}"))


def _compare(
    base: ModelScore,
    other: ModelScore,
    sources: tuple[Source, Source],
    overlap_rank: int,
    settings: Settings,
    bar: _Bar,
) -> Diff:
    before, after = ([row.matrix for row in score.layers] for score in (base, other))
    by_base = {matrix.name: matrix for matrix in before}
    pairs = by_name(before, after)
    left = remaining(before, after, pairs)
    pairs += by_contents(*left, partial(print_of, sources=sources, base=by_base))
    order = {matrix.name: place for place, matrix in enumerate(before)}
    pairs.sort(key=lambda pair: order[pair.base.name])
    rows = [{row.matrix.name: row for row in score.layers} for score in (base, other)]
    equal = _known_equal(pairs, base, settings)
    to_read = [pair for pair in pairs if pair.base.name not in equal]
    resources = Resources(settings.jobs, settings.memory)
    read = iter(measured(to_read, sources, overlap_rank, resources, bar.show()) if to_read else ())
    deltas = [
        _frozen(rows[0][pair.base.name], base, overlap_rank) if pair.base.name in equal else next(read)
        for pair in pairs
    ]
    matrices = tuple(
        MatrixChange(rows[0][pair.base.name], rows[1][pair.other.name], pair.by, delta)
        for pair, delta in zip(pairs, deltas, strict=True)
    )
    return Diff(
        base=base,
        other=other,
        matrices=matrices,
        unmatched=_unmatched(base, other, pairs),
        metrics=tuple(_metric_changes(base, other, matrices)),
        overlap_rank=overlap_rank,
        seed=base.seed,
        vectors=(_vectors(base), _vectors(other)),
    )


def _known_equal(pairs: Sequence[Pair], base: ModelScore, settings: Settings) -> set[str]:
    """The names in the base of matrices whose tensors have one digest in the store, and which are cut alike."""
    if not isinstance(settings.store, Store):
        return set()
    cache = ScoreCache(
        settings.store, base.preset, base.sampling, None, settings.device, settings.verify, settings.precision
    )
    known = [cache.get(list(side)) for side in zip(*((p.base, p.other) for p in pairs), strict=True)]
    return {
        pair.base.name
        for pair in pairs
        if pair.base.cut == pair.other.cut
        and pair.base.name in known[0]
        and pair.other.name in known[1]
        and known[0][pair.base.name].digest == known[1][pair.other.name].digest
    }


def _frozen(row: LayerScore, base: ModelScore, most: int) -> Delta:
    spectrum, scale = row.spectrum, base.preset.scale(row.matrix)
    norm = nan if spectrum.state == "non-finite" else (spectrum.total / scale) ** 0.5
    return frozen(norm, shape_of(row.matrix), most, spectrum.state)


def _unmatched(base: ModelScore, other: ModelScore, pairs: Sequence[Pair]) -> tuple[Unmatched, ...]:
    """The matrices of both that have no like, and those that could not be read; a tied copy counts once."""
    taken = {id(matrix) for pair in pairs for matrix in (pair.base, pair.other)}
    sides: tuple[tuple[Side, ModelScore, ModelScore], ...] = (("base", base, other), ("other", other, base))
    found: list[Unmatched] = []
    for side, own, foreign in sides:
        there = {row.matrix.name: row.matrix for row in foreign.layers}
        skipped = {skip.name: f"there it is skipped: {skip.reason}" for skip in foreign.skipped}
        found += [
            Unmatched(row.matrix.name, side, skipped.get(row.matrix.name) or why_alone(row.matrix, there))
            for row in own.layers
            if id(row.matrix) not in taken
        ]
        found += [Unmatched(skip.name, side, skip.reason) for skip in own.skipped if skip.kind == "unread"]
    return tuple(found)


def _metric_changes(base: ModelScore, other: ModelScore, matrices: Sequence[MatrixChange]) -> list[MetricChange]:
    """The change of each metric over the matrices that count in both models' averages of it."""
    found = []
    for metric in base.metrics:
        if metric in base.summary.values:
            change = other.summary.values[metric].value - base.summary.values[metric].value
            found.append(MetricChange(metric, change, nan, nan, nan, 0))
            continue
        counted = [{id(row) for row in counted_rows(each.layers, metric, each.preset)} for each in (base, other)]
        values = [
            each.other.metrics[metric] - each.base.metrics[metric]
            for each in matrices
            if id(each.base) in counted[0] and id(each.other) in counted[1]
        ]
        found.append(metric_change(metric, values, base.preset.headline, base.seed))
    return found


def _vectors(score: ModelScore) -> int:
    """How many 1-D tensors a model has."""
    return sum(len(skip.shape) == 1 for skip in score.skipped)
