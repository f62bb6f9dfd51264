"""Print the registry of metrics: a table of all, or everything about one."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from wqscore.metrics.meanings import MEANINGS
from wqscore.metrics.metric import COSTS, Metric
from wqscore.metrics.registry import METRICS
from wqscore.rendering.markdown import markdown_table
from wqscore.rendering.sections import Notes, Table
from wqscore.rendering.terminal import print_sections

_COLUMNS = ["metric", "meaning", "better", "core", "level", "cost", "unit"]


def print_metrics() -> None:
    """Print a row per metric."""
    rows = [
        [
            *(metric.name, MEANINGS[metric.name], direction(metric), "yes" if metric.core else ""),
            *(metric.level, metric.cost, metric.unit),
        ]
        for metric in METRICS.values()
    ]
    title = f"{len(rows)} metrics · wqscore metrics NAME explains one"
    table = Table(title, _COLUMNS, rows, folding=["meaning"], optional=["unit", "level", "cost", "core"])
    print_sections([table, Notes([f"cost {cost}: {meaning}" for cost, meaning in COSTS.items()])])


def print_metric(metric: Metric) -> None:
    """Print everything the registry says about one metric."""
    facts = {
        "means": MEANINGS[metric.name],
        "of a": f"{metric.level}{', computed unless others are chosen' if metric.core else ''}",
        "formula": metric.formula,
        "unit": metric.unit,
        "claim": f"{metric.better} is better" if metric.claims else "none",
        "known to fail": metric.caveat,
        "source": metric.source,
        "costs": COSTS[metric.cost],
        "no value": metric.undefined,
        **_reading(metric),
    }
    width = max(map(len, facts))
    lines = [metric.name, *(f"  {label.ljust(width)}  {text}" for label, text in facts.items())]
    print_sections([Notes(lines)])


def direction(metric: Metric) -> str:
    """Which direction is claimed to be better: `lower`, `higher` or `none`."""
    return metric.better if metric.claims else "none"


def _reading(metric: Metric) -> dict[str, str]:
    """How a model's number is read, where that is published; and whether it has one."""
    facts = {} if metric.summarised else {"of models": "no number: it bounds a fit or is needed for one"}
    if metric.readable is None:
        return facts
    low, high = metric.readable.low, metric.readable.high
    usual = f"{low:g} to {high:g}" if isfinite(high) else f"{low:g} and above"
    above = f"; above it, {metric.readable.above}" if isfinite(high) else ""
    return {**facts, "read from": f"{usual}; below it, {metric.readable.below}{above} ({metric.readable.source})"}


def metrics_markdown(metrics: Iterable[Metric]) -> str:
    """Return metrics as a Markdown table: name, meaning, formula, unit, claim, where it fails, source and cost."""
    columns = ["metric", "of a", "meaning", "formula", "unit", "claimed better", "known to fail", "source", "cost"]
    rows = [
        [
            *(metric.name, metric.level, MEANINGS[metric.name], metric.formula, metric.unit, direction(metric)),
            *(metric.caveat, metric.source, metric.cost),
        ]
        for metric in metrics
    ]
    return markdown_table(columns, rows)
