"""Results: data on standard output, and the report in its folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wqscore.cli.exits import print_error
from wqscore.cli.options import ScoreFormat
from wqscore.errors import UsageError
from wqscore.rendering.folder import check_folder
from wqscore.rendering.timestamp import created_at
from wqscore.results import Format, Result, render

if TYPE_CHECKING:
    from wqscore.ranking.ranking import Ranking
    from wqscore.scoring.model_score import ModelScore


def check_output(folder: Path | None) -> None:
    """Find out before hours of scoring what would be found out after them.

    Raises:
        UsageError: the report's folder can't be written to, or SOURCE_DATE_EPOCH is no time.
    """
    created_at()
    if folder is not None:
        check_folder(folder)


def show(result: Result, output: Format) -> None:
    """Write a result to standard output in one of its formats; only that one is made."""
    made = render(result, output)
    if output == "table":
        from wqscore.rendering.terminal import write

        write(str(made))
    else:
        # As the report's files have it: UTF-8, whatever the terminal's encoding.
        typer.echo(made if isinstance(made, bytes) else made.encode("utf-8", "backslashreplace"), nl=False)


def check_format(output: ScoreFormat) -> None:
    """Find out before the scoring whether its result can be printed as asked.

    Raises:
        UsageError: Parquet is asked for and can't be written, or would go to a terminal.
    """
    if output != "parquet":
        return
    from wqscore.rendering.parquet import check_installed

    if sys.stdout.isatty():
        raise UsageError("--format parquet is no text: send it to a file or another program: ... > scores.parquet")
    check_installed()


def publish(ranking: Ranking, folder: Path | None, result: Result, output: Format, quiet: bool) -> None:
    """Write a ranking's report and print a result; neither is lost when the other can't be written.

    Raises:
        ReportError: the report can't be written; the result is printed all the same.
    """
    page = None
    try:
        if folder is not None:
            from wqscore.reports.folder import write_report

            page = write_report(ranking, folder)
    finally:
        try:
            show(result, output)
        finally:
            if page is not None and not quiet:
                typer.echo(f"report: {page}", err=True)


def complain_if_unscored(score: ModelScore) -> bool:
    """Say so when a model has matrices to judge it by and none could be scored, and return whether that is so."""
    if score.summary.n_fitted or not score.summary.n_matrices:
        return False
    unread = [(skip.name, skip.reason) for skip in score.skipped if skip.kind == "unread"]
    unfitted = [(row.matrix.name, row.reason) for row in score.layers if row.reason]
    name, reason = (unread + unfitted)[0]
    print_error(
        f"{score.ref.label}: none of its {score.summary.n_matrices} matrices could be scored: {name}: {reason}"
    )
    return True


def complain_of_skips(score: ModelScore) -> bool:
    """Say how many matrices a model was scored without, and return whether there are any."""
    unread = [skip for skip in score.skipped if skip.kind == "unread"]
    if unread:
        noun = "matrix was" if len(unread) == 1 else "matrices were"
        print_error(f"{score.ref.label}: {len(unread)} {noun} skipped: {unread[0].name}: {unread[0].reason}")
    return bool(unread)
