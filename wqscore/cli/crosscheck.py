"""`wqscore crosscheck`: compare a model's numbers with the real WeightWatcher's."""

from __future__ import annotations

from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors, print_error
from wqscore.cli.output import show
from wqscore.cli.records import Only, with_options


@with_options
def crosscheck(
    ref: options.Ref,
    output: options.FormatOption = "table",
    *,
    settings: Annotated[Settings, Only("jobs")],
    quiet: options.QuietOption = False,
) -> None:
    """Show a model's numbers beside the real WeightWatcher's.

    Scores it with both, wqscore with --preset ww-0.7, and says where they differ. Needs the extra:
    pip install 'wqscore[weightwatcher]'.

    Exit codes: 0 done, whether they agree or not; 2 wrong usage, or WeightWatcher is not installed; 3 one of the two
    could not score it; 130 interrupted.
    """
    with one_line_errors():
        from wqscore.api.score import crosscheck as check_ref
        from wqscore.cli.progress import ProgressBars

        with ProgressBars(quiet) as progress:
            check = check_ref(ref, jobs=settings.jobs, progress=progress)
        show(check, output)
        if not check.averaged[0]:
            print_error(f"{check.ref.label}: wqscore could score none of its matrices: wqscore score says why")
            raise typer.Exit(NOT_SCORED)
