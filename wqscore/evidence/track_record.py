"""The track record: for each metric and kind of decision, how often it chose the better model, and its odds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import log, nan

import numpy as np

from wqscore.evidence.decisions import Decisions, decisions
from wqscore.evidence.kinds import KINDS
from wqscore.evidence.odds import SIZE, Gaps, bend, family_weights, fit, measure_gaps, oriented
from wqscore.evidence.record import KnownModel
from wqscore.evidence.validation import (
    MIN_FAMILIES,
    Agreement,
    LogLoss,
    agreement,
    calibration,
    left_out_losses,
    log_loss,
)
from wqscore.metrics.registry import METRICS
from wqscore.results import Result

_NO_LOSS = LogLoss(nan, nan)


@dataclass(frozen=True)
class Entry:
    """What the record says of one metric in one kind of decision.

    Attributes:
        metric: a metric of the registry, or `params`, the number of parameters.
        kind: kind of decision (`decisions.Kind`), or `any`.
        families: number of families that the decisions come from.
        pairs: number of decisions in which the metric says which model is better.
        agreement: how often it says the right one.
        log_loss: of its odds, on families left out; ln 2 = 0.693 is a coin's.
        log_loss_with_size: of odds from the metric and size together, on the decisions where size is known.
        log_loss_size: of odds from size alone, on the same decisions.
        calibrated: whether odds on families left out come true as often as they say, by the intervals of five bins.
        slope: of the odds, learned from all families, by the bent gap (`odds.bend`).
        scales: the typical gap of each tool that computed the metric.
    """

    metric: str
    kind: str
    families: int
    pairs: int
    agreement: Agreement
    log_loss: LogLoss
    log_loss_with_size: LogLoss
    log_loss_size: LogLoss
    calibrated: bool
    slope: float
    scales: dict[str, float] = field(default_factory=dict)

    @property
    def beats_the_coin(self) -> bool:
        """Whether the odds beat a coin by more than two standard errors, over enough families."""
        return self.families >= MIN_FAMILIES and self.log_loss.beats_the_coin

    @property
    def informative(self) -> bool:
        """Whether they do, and none of five bins of predicted odds is off by more than its interval."""
        return self.beats_the_coin and self.calibrated


@dataclass(frozen=True, repr=False)
class TrackRecord(Result):
    """The track records of metrics.

    Attributes:
        entries: one for each kind and metric, by kind, the lowest log-loss first.
        models: number of models that they rest on.
        sources: names of the tables.
    """

    entries: tuple[Entry, ...]
    models: int
    sources: tuple[str, ...]

    def __repr__(self) -> str:
        """How many entries, and how many of them are informative."""
        good = sum(entry.informative for entry in self.entries)
        return f"<TrackRecord of {self.models} models: {len(self.entries)} entries, {good} informative>"

    def part(self, metrics: Sequence[str] | None, kinds: Sequence[str]) -> TrackRecord:
        """Some of its metrics, or all, and some of its kinds."""
        kept = (each for each in self.entries if each.kind in kinds and each.metric in (metrics or (each.metric,)))
        return replace(self, entries=tuple(kept))

    def entry(self, metric: str, kind: str) -> Entry | None:
        """The entry of a metric and a kind; `None` if the record has no such decision."""
        return next((each for each in self.entries if (each.metric, each.kind) == (metric, kind)), None)


def track_record(
    models: Sequence[KnownModel], metrics: Sequence[str] | None = None, kinds: Sequence[str] = KINDS
) -> TrackRecord:
    """Learn from a record how well metrics choose.

    Args:
        models: the models of the record.
        metrics: which metrics, of the registry or `params`; all that the record has if `None`.
        kinds: which kinds of decision; `any` is all inside families together.
    """
    known = {name for model in models for name in model.values}
    chosen = [name for name in (*METRICS, SIZE) if (name in known or name == SIZE) and name in (metrics or (name,))]
    entries = []
    for kind in kinds:
        decided = decisions(models, kind)
        found = [entry for name in chosen if (entry := entry_of(name, kind, decided))]
        entries += sorted(found, key=lambda entry: (np.isnan(entry.log_loss.mean), entry.log_loss.mean))
    sources = tuple(dict.fromkeys(model.source for model in models))
    return TrackRecord(tuple(entries), len(models), sources)


def entry_of(metric: str, kind: str, decided: Decisions) -> Entry | None:
    """The entry of a metric and a kind; `None` if no decision has the metric."""
    found = measure_gaps(metric, decided)
    if not len(found.gaps):
        return None
    losses = left_out_losses(found.bent, found.of)
    alone = log_loss(losses, found.of)
    with_size, size = _beside_size(found, decided, alone) if metric != SIZE else (alone, alone)
    slopes = fit(found.bent, family_weights(found.of))
    agreed = agreement(found.gaps, found.of)
    slope = float(slopes[0])
    pairs = len(found.gaps)
    calibrated = not any(each.is_off for each in calibration(losses, found.of))
    return Entry(metric, kind, found.families, pairs, agreed, alone, with_size, size, calibrated, slope, found.scales)


def _beside_size(found: Gaps, decided: Decisions, alone: LogLoss) -> tuple[LogLoss, LogLoss]:
    """The log-loss of the metric with size, and of size alone, on the metric's decisions where size is known."""
    larger = oriented(SIZE, decided.better) - oriented(SIZE, decided.worse)
    sizes = larger[found.kept]
    known = np.isfinite(sizes)
    if not known.any():
        return _NO_LOSS, _NO_LOSS
    of = found.of[known]
    if not sizes[known].any():
        coin = LogLoss(log(2), 0.0)
        return (alone if known.all() else _judged(found.bent[known], of)), coin
    unit = measure_gaps(SIZE, decided).scales[""]
    size = bend(sizes[known] / unit)[:, None]
    return _judged(np.column_stack([found.bent[known], size]), of), _judged(size, of)


def _judged(features: np.ndarray, of: np.ndarray) -> LogLoss:
    return log_loss(left_out_losses(features, of), of)
