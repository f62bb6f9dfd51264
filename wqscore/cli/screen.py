"""`wqscore screen`: modules of adapters that are unlike the others."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors
from wqscore.cli.output import check_output, publish_study
from wqscore.cli.records import Only, with_options


@with_options
def screen(
    adapters: Annotated[list[str], typer.Argument(metavar="ADAPTER...", help=options.REF_HELP, show_default=False)],
    *,
    bank: Annotated[
        list[Path] | None,
        typer.Option(
            "--bank",
            metavar="FILE",
            help="The JSON of an earlier screen, of adapters that you trust; repeat.",
            show_default=False,
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="REF", help="What merged checkpoints are measured from.", show_default=False),
    ] = None,
    out: options.OutOption = None,
    output: options.FormatOption = "table",
    settings: Annotated[Settings, Only("seed", "stream", "jobs", "memory")],
    quiet: options.QuietOption = False,
) -> None:
    """Look for modules of adapters that are unlike the others.

    Norm, share of the leading direction, entropy, stable rank and kurtosis of each ΔW, with robust z-scores among the
    modules of one role and shape, and against --bank. Merged checkpoints are measured from --base. A bank is made by
    --format json. Nothing is run, and a module that stands out is no proof. Writes screen.csv, screen.json, screen.md
    and index.html to --out if it is given. For a pipeline: wqscore gate ADAPTER --rule "outlier(kurtosis)>12".

    Exit codes: 0 done, whatever stands out; 2 wrong usage; 3 an adapter could not be read; 130 interrupted.
    """
    with one_line_errors():
        check_output(out)
        from wqscore.cli.progress import ProgressBars
        from wqscore.studies.files import write_study
        from wqscore.studies.screen.screen import screen as screen_adapters

        with ProgressBars(quiet) as progress:
            chosen = replace(settings, base=base)
            found = screen_adapters(adapters, bank=bank or (), settings=chosen, progress=progress)
        publish_study(found, partial(write_study, found, name="screen"), out, output, quiet)
        if any(each.reason for each in found.adapters):
            raise typer.Exit(NOT_SCORED)
