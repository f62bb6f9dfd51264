"""`wqscore check`: look for damage in a model's weights."""

from __future__ import annotations

from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import MISSING, NOT_SCORED, one_line_errors, print_error
from wqscore.cli.output import show
from wqscore.cli.records import Only, with_options


@with_options
def check(
    ref: options.Ref,
    output: options.FormatOption = "table",
    *,
    settings: Annotated[Settings, Only("stream", "jobs")],
    quiet: options.QuietOption = False,
) -> None:
    """Look for damage in one model's weights, and score nothing.

    Errors: files cut short, NaN, infinity, a file that differs from its checksum (the Hub's SHA-256 where it was
    fetched from there, the CRC-32 in zip files of torch and NumPy; none where it is streamed). Remarks: matrices,
    rows and columns that are all zero, all one number, or the same as another. Every byte is read each time; the
    store is not asked.
    A weight that must be there, by names, sibling layers or the configuration, and that is empty, absent or of a
    shape that it can't have, is an error too.

    Exit codes: 0 no errors, with remarks or without; 1 a weight is missing; 2 wrong usage; 3 other errors, or it
    could not be read; 130 interrupted.
    """
    with one_line_errors():
        from wqscore.cli.progress import ProgressBars
        from wqscore.integrity.checking import check as check_ref

        with ProgressBars(quiet) as progress:
            result = check_ref(ref, stream=settings.stream, jobs=settings.jobs, progress=progress)
        show(result, output)
        if result.errors:
            first, more = result.errors[0], len(result.errors) - 1
            others = f", and {more} more {'error' if more == 1 else 'errors'}" if more else ""
            print_error(f"{result.ref.label}: {first.name}: {first.detail}{others}")
            raise typer.Exit(MISSING if any(error.kind == "missing" for error in result.errors) else NOT_SCORED)
