"""`wqscore metrics`: list the metrics, or explain one."""

from __future__ import annotations

from typing import Annotated

import typer

from wqscore.cli.exits import one_line_errors


def metrics(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Explain this one.", show_default=False)] = None,
) -> None:
    """List the metrics, or explain one.

    Of one: its meaning, formula, unit, source and cost, and where its claim is known to fail.
    """
    with one_line_errors():
        from wqscore.metrics.listing import print_metric, print_metrics
        from wqscore.metrics.registry import find_metric

        if name is None:
            print_metrics()
        else:
            print_metric(find_metric(name))
