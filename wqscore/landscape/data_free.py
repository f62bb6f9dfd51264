"""The data-free metrics of the model that a loss was measured on, to stand beside what the loss says."""

from __future__ import annotations

from typing import Any

from wqscore.api.score import score
from wqscore.landscape.measure import Estimate
from wqscore.reports.tables import has_summary


def data_free(model: Any, name: str, metrics: str, seed: int) -> list[Estimate]:
    """Return the headline of each metric, with its interval over matrices.

    Args:
        model: a torch module.
        name: what to call it.
        metrics: as `wqscore.score` takes them.
        seed: of resampling.
    """
    scored = score(model, name=name, metrics=metrics, seed=seed, jobs=1)
    summary, preset = scored.summary, scored.preset
    found = []
    for metric in (*summary.statistics, *summary.values):
        if has_summary(metric, preset):
            interval = summary.interval(metric)
            count = summary.statistics[metric].count if metric in summary.statistics else summary.values[metric].count
            low, high = (interval.lo, interval.hi) if interval else (float("nan"), float("nan"))
            how = f"weights alone, {preset.headline} over {count} matrices"
            found.append(Estimate(metric, summary.headline(metric, preset), how, low, high))
    return found
