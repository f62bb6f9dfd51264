"""What the number that ranks is, in words for a reader who has never seen it."""

from __future__ import annotations

from wqscore.metrics.metric import MatrixMetric, Metric

_ALPHA = (
    "Alpha is computed from a model's weights alone: no data is used and the model never runs. The eigenvalues of "
    "each weight matrix are sorted by size, and alpha says how fast the large ones become rare: their density falls "
    "as λ to the power −alpha. Papers find that well-trained layers have an alpha between 2 and 6, and that lower is "
    "better within a family. Alpha is not accuracy, says nothing about a task, and can't compare families."
)


def meaning_of(metric: Metric) -> str:
    """A few sentences on the metric; for one other than alpha its formula, direction and caveat."""
    if metric.name == "alpha":
        return _ALPHA
    over = ", the median over its matrices" if isinstance(metric, MatrixMetric) and not metric.summed else ""
    return (
        f"{metric.name} is computed from a model's weights alone{over}: {metric.formula}. "
        f"{metric.better.capitalize()} is claimed better ({metric.source}). What is known of it: {metric.caveat}."
    )
