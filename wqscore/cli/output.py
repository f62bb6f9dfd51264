"""Print results to standard output, and write reports to their folders."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from wqscore.cli.exits import print_error
from wqscore.cli.options import ScoreFormat
from wqscore.errors import UsageError
from wqscore.escaping import printable, without_commands, without_controls
from wqscore.rendering.folder import check_folder
from wqscore.rendering.timestamp import created_at
from wqscore.results import Format, Result, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from wqscore.ranking.ranking import Ranking
    from wqscore.scoring.model_score import ModelScore


def check_output(folder: Path | None) -> None:
    """Fail early if the report could not be written.

    Raises:
        UsageError: the report's folder can't be written to, or SOURCE_DATE_EPOCH is not a time.
    """
    created_at()
    if folder is not None:
        check_folder(folder)


def show(result: Result, output: Format) -> None:
    """Render a result in one format and write it to standard output."""
    rendered = render(result, output)
    if output == "table":
        from wqscore.rendering.terminal import write

        write(str(rendered))
    else:
        # A log or a terminal may show it, unlike the report's files. JSON, Markdown and GitHub's commands escape it.
        is_harmless = isinstance(rendered, bytes) or output in ("json", "md", "github")
        text = rendered if is_harmless else _harmless(str(rendered))
        # UTF-8 whatever the terminal's encoding, like the report's files.
        data = text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")
        typer.echo(data, nl=False)


def _harmless(text: str) -> str:
    return without_commands(without_controls(text))


def check_format(output: ScoreFormat) -> None:
    """Fail early if the result could not be printed in this format.

    Raises:
        UsageError: the format is Parquet, and can't be written or would go to a terminal.
    """
    if output != "parquet":
        return
    from wqscore.rendering.parquet import check_installed

    if sys.stdout.isatty():
        raise UsageError("--format parquet is no text: send it to a file or another program: ... > scores.parquet")
    check_installed()


def format_of(output: ScoreFormat, long: bool) -> Format:
    """The format that --format and --long name together.

    Raises:
        UsageError: --long without --format csv.
    """
    if long and output != "csv":
        raise UsageError(f"--long is for --format csv, not {output}: add it, or leave --long out")
    return "tidy-csv" if long else output


def publish_study(
    found: Result,
    write: Callable[[Path], Path | None],
    folder: Path | None,
    output: Format,
    quiet: bool,
    label: str = "report",
) -> None:
    """Write a study's files, print it, and name its page; if one fails, the others are still done.

    Args:
        found: the study.
        write: writes the files into a folder, and returns the page's path, if there is one.
        folder: the folder; `None` for no files.
        output: the format to print.
        quiet: whether to leave the page unnamed.
        label: what the page is called.

    Raises:
        ReportError: the files can't be written; the study is printed first.
    """
    page = None
    try:
        if folder is not None:
            page = write(folder)
    finally:
        try:
            show(found, output)
        finally:
            if page is not None and not quiet:
                typer.echo(f"{label}: {page}", err=True)


def publish(ranking: Ranking, folder: Path | None, result: Result, output: Format, quiet: bool) -> None:
    """Write a ranking's report and print a result; if one fails, the other is still written.

    Raises:
        ReportError: the report can't be written; the result is printed first.
    """
    page = None
    try:
        if folder is not None:
            from wqscore.reports.folder import write_report

            page = write_report(ranking, folder)
    finally:
        try:
            show(result, output)
            if result is ranking and output in ("csv", "tidy-csv", "parquet"):
                # Standard output is data there.
                typer.echo("\n".join(map(printable, ranking.conclusion.lines)), err=True)
        finally:
            if page is not None and not quiet:
                typer.echo(f"report: {page}", err=True)


def complain_if_unscored(score: ModelScore) -> bool:
    """Print an error if none of a model's matrices could be scored, or it has none; return whether that is so."""
    if score.summary.n_fitted or (score.layers and not score.summary.n_matrices):
        return False
    if not score.summary.n_matrices:
        print_error(f"{score.ref.label}: none of its tensors is a matrix to score: see wqscore describe")
        return True
    unread = [(skip.name, skip.reason) for skip in score.skipped if skip.kind == "unread"]
    unfitted = [(row.matrix.name, row.reason) for row in score.layers if row.reason]
    name, reason = (unread + unfitted)[0]
    print_error(
        f"{score.ref.label}: none of its {score.summary.n_matrices} matrices could be scored: {name}: {reason}"
    )
    return True


def complain_of_skips(score: ModelScore) -> bool:
    """Print how many of a model's matrices were skipped or missing, if any were; return whether any were."""
    from wqscore.matrices.uncounted import MissingWeight

    unread = [skip for skip in score.skipped if skip.kind == "unread" or isinstance(skip, MissingWeight)]
    if unread:
        noun = "matrix was" if len(unread) == 1 else "matrices were"
        print_error(f"{score.ref.label}: {len(unread)} {noun} skipped: {unread[0].name}: {unread[0].reason}")
    return bool(unread)
