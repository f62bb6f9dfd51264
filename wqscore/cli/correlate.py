"""`wqscore correlate`: correlate metrics with known figures of the models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import one_line_errors
from wqscore.cli.output import check_output, publish_study
from wqscore.cli.records import Only, with_options


@dataclass(frozen=True)
class ColumnOptions:
    """Options: which columns to compare, and within which groups."""

    x: Annotated[
        list[str] | None,
        typer.Option(
            "--x",
            metavar="COL",
            help="Metric to test; may be repeated. Default: all that claim to measure quality.",
            show_default=False,
        ),
    ] = None
    y: Annotated[
        str | None,
        typer.Option("--y", metavar="COL", help="What is known; needed if it could be several.", show_default=False),
    ] = None
    better: options.BetterOption = "higher"
    group: Annotated[
        str | None,
        typer.Option(
            "--group", metavar="COL", help="Compare within these; family if there is one.", show_default=False
        ),
    ] = None
    axis: Annotated[
        list[str] | None,
        typer.Option(
            "--axis",
            metavar="COL",
            help="A hyper-parameter; repeat. Kendall's tau is then averaged with only one varying at a time.",
            show_default=False,
        ),
    ] = None
    params: Annotated[
        str | None,
        typer.Option(
            "--params",
            metavar="COL",
            help="Parameter counts, the baseline; params or n_params if there.",
            show_default=False,
        ),
    ] = None
    key: Annotated[
        list[str] | None,
        typer.Option(
            "--key", metavar="COL", help="What names a model in both; repeat. model unless given.", show_default=False
        ),
    ] = None


@with_options
def correlate(
    scores: Annotated[
        Path, typer.Argument(metavar="SCORES.csv", help="A ranking.csv, or any table of models.", show_default=False)
    ],
    known: Annotated[
        Path | None,
        typer.Argument(
            metavar="KNOWN.csv",
            help="What is known of them; left out, SCORES.csv has both.",
            show_default=False,
        ),
    ] = None,
    *,
    columns: ColumnOptions,
    out: options.OutOption = None,
    output: options.FormatOption = "table",
    settings: Annotated[Settings, Only("seed")],
) -> None:
    """Show how metrics correlate with results you already have.

    Spearman's rho and Kendall's tau-b with p-values and 95 % intervals, over all models and within groups, with a
    warning where the two disagree in sign, and given the number of parameters. Writes correlations.csv,
    correlations.json and index.html, with a chart for each metric, to --out if it is given.

    Exit codes: 0 done, whatever the correlations; 2 wrong usage or tables that don't fit together.
    """
    with one_line_errors():
        check_output(out)
        from wqscore.studies.correlation.correlate import correlate as correlate_tables
        from wqscore.studies.correlation.files import write_correlations
        from wqscore.studies.known.score_table import join, read_table, single_table

        names = columns.key or ["model"]
        table = read_table(scores)
        joined = join(table, read_table(known), names) if known else single_table(table, names)
        found = correlate_tables(
            joined,
            columns.x or (),
            columns.y,
            columns.group,
            columns.axis or (),
            columns.params,
            columns.better,
            settings.seed,
        )
        publish_study(found, partial(write_correlations, found), out, output, quiet=False)
