"""`wqscore score`: score one model and show its matrices."""

from __future__ import annotations

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors
from wqscore.cli.open_store import open_store
from wqscore.cli.output import (
    check_format,
    check_output,
    complain_if_unscored,
    complain_of_skips,
    format_of,
    publish,
)
from wqscore.cli.records import with_options


@with_options
def score(
    ref: options.Ref,
    out: options.OutOption = None,
    output: options.ScoreFormatOption = "table",
    *,
    settings: Settings,
    run: options.RunOptions,
) -> None:
    """Score one model and show its matrices and its summary.

    Writes no file unless --out is given. --format csv prints the rows of layers.csv.

    Exit codes: 0 done, 2 wrong usage, 3 it could not be scored, 130 interrupted.
    """
    with one_line_errors():
        check_output(out)
        check_format(output)
        shown = format_of(output, run.long)
        settings = run.settings(settings)
        if run.shard is not None:
            from wqscore.cli.shard import compute_shard

            compute_shard([ref], settings, run, {"--out": out}, by=None)
            return
        from wqscore.api.score import score as score_ref
        from wqscore.cli.progress import ProgressBars
        from wqscore.ranking.ranking import rank_alone

        with open_store(settings, run.no_store) as settings, ProgressBars(run.quiet) as progress:
            result = score_ref(ref, settings=settings, progress=progress)
        publish(rank_alone(result), out, result, shown, run.quiet)
        if any([complain_if_unscored(result), run.strict and complain_of_skips(result)]):
            raise typer.Exit(NOT_SCORED)
