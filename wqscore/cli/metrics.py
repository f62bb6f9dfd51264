"""`wqscore metrics`."""

from __future__ import annotations

from typing import Annotated

import typer

from wqscore.cli.exits import one_line_errors


def metrics(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Explain this one.", show_default=False)] = None,
) -> None:
    """List the metrics, or explain one: formula, unit, source, cost, and where its claim is known to fail."""
    with one_line_errors():
        from wqscore.metrics.metric import COSTS
        from wqscore.metrics.registry import METRICS, find_metric
        from wqscore.rendering.terminal import print_lines, print_table

        if name is None:
            rows = [
                [metric.name, "core" if metric.core else "", metric.level, metric.cost, metric.better, metric.unit]
                for metric in METRICS.values()
            ]
            columns = ["metric", "group", "level", "cost", "better", "unit"]
            print_table(columns, rows, f"{len(rows)} metrics · wqscore metrics NAME explains one")
            print_lines([f"cost {cost}: {meaning}" for cost, meaning in COSTS.items()])
            return
        metric = find_metric(name)
        better = f"{metric.better} is claimed to be better"
        facts = {
            "of a": metric.level,
            "formula": metric.formula,
            "unit": metric.unit,
            "claim": better,
            "source": metric.source,
            "known to fail": metric.caveat,
            "costs": COSTS[metric.cost],
            "not defined": metric.undefined,
        }
        width = max(map(len, facts))
        print_lines([metric.name, *(f"  {label.ljust(width)}  {text}" for label, text in facts.items())])
