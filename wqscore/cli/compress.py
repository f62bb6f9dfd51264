"""`wqscore compress`: what compressing a model costs at least."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors
from wqscore.cli.open_store import open_store
from wqscore.cli.output import check_output, complain_if_unscored, publish_study
from wqscore.cli.records import Only, with_options

_SETTINGS = ("preset", "layers", "roles", "seed", "stream", "store", "jobs", "memory")


@with_options
def compress(
    ref: options.Ref,
    *,
    ratio: Annotated[
        float, typer.Option("--ratio", metavar="SHARE", help="Of its weights that each matrix keeps, as two factors.")
    ] = 0.5,
    rounded: Annotated[
        bool, typer.Option("--rounded", help="Round the weights to 8, 4, 3 and 2 bits too; reads each once more.")
    ] = False,
    out: options.OutOption = None,
    output: options.FormatOption = "table",
    settings: Annotated[Settings, Only(*_SETTINGS)],
    no_store: options.NoStoreOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Say what compressing one model costs at least.

    For each matrix the error of the best product of two thin matrices with that share of its weights, the ranks that
    lose 1, 5 and 10 %, and with --rounded what few bits lose. From the stored spectra alone where the model is in the
    store. Errors are of weights, not of outputs: nothing here was tested on your model. Writes compress.csv,
    compress.json and compress.md to --out if it is given.

    Exit codes: 0 done, 2 wrong usage, 3 it could not be read, 130 interrupted.
    """
    with one_line_errors():
        check_output(out)
        from wqscore.cli.progress import ProgressBars
        from wqscore.studies.compress.compress import compress as compress_model
        from wqscore.studies.files import write_study

        with open_store(settings, no_store) as settings, ProgressBars(quiet) as progress:
            found = compress_model(ref, ratio=ratio, rounded=rounded, settings=settings, progress=progress)
        publish_study(found, partial(write_study, found, name="compress"), out, output, quiet)
        if all(each.reason for each in found.matrices):
            complain_if_unscored(found.score)
            raise typer.Exit(NOT_SCORED)
