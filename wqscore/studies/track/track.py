"""Every metric along a training: by step, where it turns, and how it goes along with what is known of the steps."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from wqscore.api.run import preset_of
from wqscore.api.score import score
from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.errors import CheckpointError, UsageError
from wqscore.execution.progress import RankProgress
from wqscore.metrics.registry import MATRIX_METRICS, METRICS, choose_metrics
from wqscore.refs.callers import as_ref
from wqscore.refs.reference import ModelRef
from wqscore.results import Result, opened
from wqscore.scoring.cache import opened_store
from wqscore.studies.correlation.columns import Better
from wqscore.studies.known.given_table import given_table
from wqscore.studies.known.score_table import ScoreTable
from wqscore.studies.track.checkpoints import RunCheckpoints, run_checkpoints
from wqscore.studies.track.condensation import Condensation, condensation_of
from wqscore.studies.track.known import KnownFigure, KnownSteps, correlated, known_steps
from wqscore.studies.track.turning import Turn, find_turns
from wqscore.studies.track.watch_log import in_order, read_log
from wqscore.studies.watching.documents import document_of, metrics_of, number_of
from wqscore.studies.watching.track import Track, TrackPoint
from wqscore.studies.width.activations import named_activation

if TYPE_CHECKING:
    import altair as alt

    from wqscore.studies.known.given_table import Given

    Run = str | os.PathLike[str] | ModelRef | Track


@dataclass(frozen=True)
class TurningPoint:
    """Where a metric turns.

    Attributes:
        metric: the metric.
        step: at which its moving median is lowest or highest.
        low: lower end of the step's 95 % interval, over matrices drawn again.
        high: upper end.
        turn: what is known of the turn.
    """

    metric: str
    step: int
    low: int
    high: int
    turn: Turn


@dataclass(frozen=True, repr=False)
class RunTrack(Result):
    """The metrics of a run's checkpoints over its steps.

    Attributes:
        track: the points, by step.
        models: what the checkpoint of each step is called, in the same order.
        unit: what steps count, `step` or `epoch`.
        seed: of the scores, and of the draws behind turning points.
        turns: the turning points.
        figure: the known figure of the steps, `None` without one.
        known: how each metric goes along with it.
        remarks: lines on what was left out.
        condensation: how many neurons the scored steps need; `None` where that was not asked for.
    """

    track: Track
    models: tuple[str, ...]
    unit: str
    seed: int
    turns: tuple[TurningPoint, ...]
    figure: KnownSteps | None = None
    known: tuple[KnownFigure, ...] = ()
    remarks: tuple[str, ...] = ()
    condensation: Condensation | None = None

    def __repr__(self) -> str:
        """The run, and how many of its checkpoints were scored."""
        counts = f"{len(self.track.scored)} of {len(self.track.points)} checkpoints scored"
        return f"<RunTrack {self.track.name:.80}: {counts}, {len(self.turns)} turning points>"

    def plot(self, metric: str | None = None) -> alt.TopLevelMixin:
        """Draw a metric over the steps, with its interval, as an Altair chart.

        Args:
            metric: one that was computed; the one that the preset ranks by if `None`.

        Raises:
            UsageError: no step has the metric.
        """
        drawn: alt.TopLevelMixin = opened(self.track, "chart", metric or self.track.by)
        return drawn


@takes_settings
def track(
    run: Run,
    *,
    revisions: str | None = None,
    known: Given | None = None,
    y: str | None = None,
    better: Better = "higher",
    condensation: bool = False,
    activation: str | None = None,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Unpack[SettingsKeywords],
) -> RunTrack:
    """Follow every metric along a training, and say where one turns.

    With a store that has the scores of the checkpoints, nothing is read and nothing solved; `condensation` reads the
    weights of two-layer blocks once at each scored step.

    Args:
        run: the folder of a run, whose subfolders are its checkpoints; a repository on the Hub whose revisions are;
            the track of a watch, or the JSON file of one.
        revisions: a pattern of the repository's branches and tags, such as `step*`; those whose names tell a step if
            `None`.
        known: a table with a column `step` (or `epoch`, or `model`) and a figure of each, or the path of one.
        y: the figure's column; may be `None` if only one column has numbers.
        better: which direction of it is better.
        condensation: also count the neurons that each step needs, as `wqscore.width` does.
        activation: for `condensation`, what blocks compute, such as `relu`; as the configuration says if `None`.
        settings: as for `wqscore.score`.
        progress: receives progress.
        **changes: as for `wqscore.score`.

    Raises:
        UsageError: an invalid setting, table or activation; no checkpoint, or two with one step; a watch's track has
            no weights.
        CheckpointError: the Hub can't be asked for the revisions.

    Example:
        `wqscore.studies.track.track("runs/", known="eval.csv", y="accuracy").to_csv()`
    """
    if y is not None and known is None:
        raise UsageError("y names a column of known: give that too (--known)")
    if activation is not None and not condensation:
        raise UsageError("activation says what merged neurons compute: give condensation too (--condensation)")
    computes = None if activation is None else named_activation(activation)
    chosen = changed(settings, changes)
    table = None if known is None else given_table(known, "known")
    log = _log(run)
    if log is not None:
        if revisions is not None:
            raise UsageError(f"{log.name}: --revisions chooses branches of a repository on the Hub: leave it out")
        if condensation:
            raise UsageError(f"{log.name}: a watch's track has no weights: --condensation takes checkpoints")
        figure = _figure(table, {point.step: (str(point.step),) for point in log.points}, "step", y, better)
        seed = next((point.document["seed"] for point in log.points if point.document), chosen.seed)
        return _finished(RunTrack(log, (log.name,) * len(log.points), "step", seed, (), figure))
    assert not isinstance(run, Track), "a track is a log"
    ref = as_ref(run)
    preset = preset_of(chosen)
    names = choose_metrics(chosen.metrics, preset.core)
    by = preset.by if preset.by in names else next((name for name in names if METRICS[name].summarised), names[0])
    found = run_checkpoints(ref, revisions)
    called = {step: _names(each) for step, each in found.refs.items()}
    figure = _figure(table, called, found.unit, y, better)
    points = _scored(found, chosen, progress)
    labels = tuple(each.label for each in found.refs.values())
    run_of = Track(ref.label, by, points)
    made = RunTrack(run_of, labels, found.unit, chosen.seed, (), figure, remarks=found.remarks)
    if condensation:
        scored = {point.step: found.refs[point.step] for point in made.track.scored}
        made = replace(made, condensation=condensation_of(scored, computes, chosen, progress))
    return _finished(made)


def _log(run: Run) -> Track | None:
    """The track of a watch, if it is one."""
    if isinstance(run, Track):
        return in_order(run)
    if isinstance(run, str | os.PathLike) and (path := Path(run)).suffix == ".json" and path.is_file():
        return in_order(read_log(path))
    return None


def _figure(
    table: ScoreTable | None, names: Mapping[int, Sequence[str]], unit: str, y: str | None, better: Better
) -> KnownSteps | None:
    return None if table is None else known_steps(table, names, unit, y, better)


def _names(ref: ModelRef) -> tuple[str, ...]:
    """What a table may call a checkpoint: its label, its path, its folder or its revision."""
    last = ref.adapter or ref
    if last.path is not None:
        return ref.label, str(last.path), str(last.path.absolute()), last.path.name
    return (ref.label, *([ref.revision] if ref.revision else []))


def _scored(found: RunCheckpoints, settings: Settings, progress: RankProgress | None) -> tuple[TrackPoint, ...]:
    points = []
    with opened_store(settings.store) as store:
        for step, ref in found.refs.items():
            try:
                scored = score(ref, settings=replace(settings, store=store), progress=progress)
                points.append(TrackPoint(step, "scored", document=document_of(scored)))
            except CheckpointError as error:
                points.append(TrackPoint(step, "failed", str(error)))
                if progress:
                    progress.failed(ref, str(error))
    return tuple(points)


def _finished(found: RunTrack) -> RunTrack:
    """The same run with its turning points, and the correlations with what is known."""
    names = metrics_of(found.track)
    turns = [turn for name in names for turn in _turns(found, name)]
    known: tuple[KnownFigure, ...] = ()
    if found.figure is not None:
        known = correlated(found.figure, {name: headlines(found.track, name) for name in names})
    return replace(found, turns=tuple(turns), known=known)


def headlines(run: Track, metric: str) -> dict[int, float]:
    """The number that ranks, by step; steps without one are left out."""
    values = {point.step: number_of(point.document or {}, metric)[0] for point in run.scored}
    return {step: value for step, value in values.items() if value is not None and isfinite(value)}


def _turns(found: RunTrack, metric: str) -> list[TurningPoint]:
    if metric not in MATRIX_METRICS or METRICS[metric].summed:
        return []
    points = [(point.step, point.document) for point in found.track.scored if point.document]
    each = [(step, _values(document, metric)) for step, document in points]
    each = [(step, values) for step, values in each if values]
    if not each:
        return []
    keys = sorted(set.intersection(*(set(values) for _, values in each)))
    steps = [step for step, _ in each]
    values = np.array([[of_step[key] for key in keys] for _, of_step in each]).reshape(len(steps), len(keys))
    statistic = points[0][1]["preset"]["headline"]
    turns = find_turns(values, [key[0] for key in keys], statistic, found.seed)
    return [TurningPoint(metric, steps[turn.place], steps[turn.first], steps[turn.last], turn) for turn in turns]


def _values(document: Mapping[str, Any], metric: str) -> dict[tuple[str, str, tuple[int, ...]], float]:
    """The values that count, by role, name and shape."""
    return {
        (each["role"], each["name"], tuple(each["shape"])): each["values"][metric]
        for each in document.get("matrices", ())
        if metric in each["values"]
    }
