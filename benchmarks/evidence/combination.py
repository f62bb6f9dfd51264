"""A combination of a few metrics, chosen on the development families: the metric `odds_score`, if it were kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wqscore.evidence.decisions import Decisions
from wqscore.evidence.odds import bend, family_weights, fit, log_losses, measure_gaps
from wqscore.evidence.validation import LogLoss, left_out_losses, log_loss

#: At most so many metrics, and one more only for this much less log-loss.
MOST, LEAST_GAIN = 5, 0.005


@dataclass(frozen=True)
class Combination:
    """Metrics whose gaps are added up, each with a weight.

    Attributes:
        metrics: the metrics, the most useful first.
        weights: of each metric's gap in units of its typical one.
        scales: the typical gap of each metric, by the tool that computed it.
        log_loss: on development families left out.
    """

    metrics: tuple[str, ...]
    weights: tuple[float, ...]
    scales: tuple[Mapping[str, float], ...]
    log_loss: LogLoss


def features(metrics: Sequence[str], scales: Sequence[Mapping[str, float]], decided: Decisions) -> np.ndarray:
    """The gaps of metrics over all decisions, one column each; 0, which says nothing, where a model lacks one."""
    columns = np.zeros((len(decided), len(metrics)))
    for place, (metric, units) in enumerate(zip(metrics, scales, strict=True)):
        found = measure_gaps(metric, decided)
        columns[found.kept, place] = bend(found.in_units_of(units))
    return columns


def choose_combination(candidates: Sequence[str], decided: Decisions) -> Combination:
    """Add one metric after another, each time the one that leaves the least log-loss on families left out."""
    chosen: list[int] = []
    scales = [measure_gaps(metric, decided).scales for metric in candidates]
    every = features(candidates, scales, decided)
    best = LogLoss(np.log(2), 0.0)
    while len(chosen) < MOST:
        tried = {
            place: log_loss(left_out_losses(every[:, [*chosen, place]], decided.of), decided.of)
            for place in range(len(candidates))
            if place not in chosen
        }
        place = min(tried, key=lambda each: tried[each].mean)
        if best.mean - tried[place].mean < LEAST_GAIN:
            break
        chosen.append(place)
        best = tried[place]
    weights = fit(every[:, chosen], family_weights(decided.of)) if chosen else np.zeros(0)
    names, units = tuple(candidates[place] for place in chosen), tuple(scales[place] for place in chosen)
    return Combination(names, tuple(map(float, weights)), units, best)


def judged_on(combination: Combination, decided: Decisions) -> LogLoss:
    """The log-loss of a combination, as it was learned, on other decisions."""
    losses = log_losses(features(combination.metrics, combination.scales, decided), np.array(combination.weights))
    return log_loss(losses[:, None].repeat(2, axis=1), decided.of)
