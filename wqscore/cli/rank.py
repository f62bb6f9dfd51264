"""`wqscore rank`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wqscore.cli import options
from wqscore.cli.exits import INTERRUPTED, NOT_SCORED, complain, one_line_errors
from wqscore.errors import UsageError
from wqscore.refs import ModelRef, parse_ref

if TYPE_CHECKING:
    from wqscore.ranking import Ranking


def rank(
    refs: Annotated[
        list[str] | None, typer.Argument(metavar="REF...", help=options.REF_HELP, show_default=False)
    ] = None,
    model_list: Annotated[
        str | None,
        typer.Option(
            "--list", metavar="FILE|NAME", help="Rank a list too: a TOML file, or one that ships (wqscore models)."
        ),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="METRIC", help="The metric to rank by.")] = "alpha",
    out: options.OutOption = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no files.")] = False,
    output: options.FormatOption = options.Format.TABLE,
    preset: options.PresetOption = "default",
    seed: options.SeedOption = 0,
    jobs: options.JobsOption = None,
    strict: options.StrictOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Score models and rank them.

    Prints the ranking and writes ranking.csv, layers.csv, ranking.json and index.html to --out, by default
    ./reports/NAME-DATE/. Exit codes: 0 done, 2 wrong usage, 3 a model could not be scored, 130 interrupted.
    """
    with one_line_errors():
        if out is not None and no_report:
            raise UsageError("--out and --no-report exclude each other")
        asked = [*map(parse_ref, refs or []), *_listed(model_list)]
        if not asked:
            raise UsageError("no model given: name one or more, or a list with --list (see wqscore models)")
        from wqscore.api import RankingInterrupted
        from wqscore.api import rank as rank_refs
        from wqscore.cli.progress import ProgressBars

        interrupted = False
        try:
            with ProgressBars(quiet) as progress:
                ranking = rank_refs(asked, by=by, preset=preset, seed=seed, jobs=jobs, progress=progress)
        except RankingInterrupted as interrupt:
            complain("interrupted: what was scored before is kept")
            ranking, interrupted = interrupt.ranking, True
        _print(ranking, output)
        if not no_report:
            _write(ranking, out or _default_folder(model_list, asked), quiet)
        if interrupted:
            raise typer.Exit(INTERRUPTED)
        if _is_incomplete(ranking, strict):
            raise typer.Exit(NOT_SCORED)


def _listed(model_list: str | None) -> list[ModelRef]:
    if model_list is None:
        return []
    from wqscore.model_lists import load_list

    return [replace(parse_ref(model.ref), family=model.family) for model in load_list(model_list).models]


def _print(ranking: Ranking, output: options.Format) -> None:
    if output is options.Format.TABLE:
        from wqscore.rendering.terminal import print_ranking

        print_ranking(ranking)
    elif output is options.Format.CSV:
        typer.echo(ranking.to_csv(), nl=False)
    elif output is options.Format.JSON:
        from wqscore.rendering.json import ranking_json

        typer.echo(ranking_json(ranking), nl=False)
    else:
        from wqscore.rendering.markdown import ranking_markdown

        typer.echo(ranking_markdown(ranking), nl=False)


def _write(ranking: Ranking, folder: Path, quiet: bool) -> None:
    from wqscore.rendering.report import write_report

    page = write_report(ranking, folder)
    if not quiet:
        typer.echo(f"report: {page}", err=True)


def _default_folder(model_list: str | None, asked: Sequence[ModelRef]) -> Path:
    """./reports/<list or first model>-<YYYYMMDD-HHMMSS>/."""
    from wqscore.rendering.timestamp import created_at

    name = Path(model_list).stem if model_list else asked[0].text
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[-60:].strip("-.")
    return Path("reports") / f"{slug or 'models'}-{created_at():%Y%m%d-%H%M%S}"


def _is_incomplete(ranking: Ranking, strict: bool) -> bool:
    if any(model.status == "failed" for model in ranking.models):
        return True
    return strict and any(skip.kind == "unread" for score in ranking.scores for skip in score.skipped)
