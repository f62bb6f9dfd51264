"""`wqscore width`: how many neurons a model needs, and the model with no more than those."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors, print_error
from wqscore.cli.output import check_output, publish_study
from wqscore.cli.records import Only, with_options


@with_options
def width(
    ref: options.Ref,
    *,
    tolerance: Annotated[
        list[float] | None,
        typer.Option(
            "--tolerance",
            metavar="T",
            help="How far merged neurons may differ; repeat. By default 1e-6, .01, .05, .1, .2.",
            show_default=False,
        ),
    ] = None,
    activation: options.ActivationOption = None,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="DIR",
            file_okay=False,
            help="New folder for the narrower checkpoint, at the least tolerance.",
            show_default=False,
        ),
    ] = None,
    out: options.OutOption = None,
    output: options.FormatOption = "table",
    settings: Annotated[Settings, Only("stream", "jobs", "memory")],
    quiet: options.QuietOption = False,
) -> None:
    """Say how many neurons a model needs for what it computes.

    Neurons of a block of two layers that do the same are merged, those without an effect dropped; the rules follow
    the activation. Beside it the rank of what each attention head computes. Reads each weight once, solves nothing.
    Writes width.csv, width.json, width.md and index.html to --out if it is given.

    Exit codes: 0 done; 2 wrong usage, or it can't be written narrower; 3 nothing could be measured; 130 interrupted.
    """
    with one_line_errors():
        check_output(out)
        from wqscore.cli.progress import ProgressBars
        from wqscore.studies.files import write_study
        from wqscore.studies.width.report import answer
        from wqscore.studies.width.width import TOLERANCES
        from wqscore.studies.width.width import width as width_of

        with ProgressBars(quiet) as progress:
            found = width_of(
                ref,
                tolerances=tolerance or TOLERANCES,
                activation=activation,
                write=write,
                settings=settings,
                progress=progress,
            )
        publish_study(found, partial(write_study, found, name="width"), out, output, quiet)
        if not found.measured:
            print_error(answer(found)[0])
            raise typer.Exit(NOT_SCORED)
