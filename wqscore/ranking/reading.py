"""What published work says of a number that leads a ranking, where it lies outside the range that can be read."""

from __future__ import annotations

from math import isfinite

from wqscore.metrics.metric import Metric
from wqscore.presets.preset import Preset
from wqscore.rendering.numbers import figure
from wqscore.scoring.model_score import ModelScore

#: The metric shown with such a number: it depends on no fit.
BESIDE = "log_norm"


def reading(score: ModelScore, metric: Metric, preset: Preset) -> str:
    """What a model's number is taken for where it lies outside the metric's readable range, with its log_norm.

    Args:
        score: the model.
        metric: the metric that ranks.
        preset: its headline is the model's number.

    Returns:
        One line without the model's name; empty inside the range, and for a metric without one.
    """
    published, value = metric.readable, score.summary.headline(metric.name, preset)
    if published is None or not isfinite(value) or published.low <= value <= published.high:
        return ""
    side, end, meaning = (
        ("below", published.low, published.below)
        if value < published.low
        else ("above", published.high, published.above)
    )
    label = preset.label(metric.name)
    beside = score.summary.headline(BESIDE, preset) if BESIDE in score.summary.statistics else float("nan")
    norm = f"; its {preset.label(BESIDE)} is {figure(beside)}" if isfinite(beside) else ""
    return f"{label} {figure(value)} is {side} {figure(end)}, which is read as {meaning} ({published.source}){norm}"
