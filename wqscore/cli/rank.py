"""`wqscore rank`: score models, rank them, and write the report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, leave_interrupted, one_line_errors, print_error
from wqscore.cli.open_store import open_store
from wqscore.cli.output import (
    check_format,
    check_output,
    complain_if_unscored,
    complain_of_skips,
    format_of,
    publish,
    show,
)
from wqscore.cli.records import with_options
from wqscore.cli.refs import load_list_option, resolve_refs
from wqscore.errors import UsageError, WqscoreError
from wqscore.refs.reference import ModelRef
from wqscore.rendering.timestamp import created_at

if TYPE_CHECKING:
    from wqscore.ranking.ranking import Ranking
    from wqscore.refs.model_list import ModelList
    from wqscore.studies.correlation.correlate import Correlations
    from wqscore.studies.known.known import KnownFigures

#: So that a folder's name stays under the 255 bytes a file system allows.
_MAX_NAME = 50


@dataclass(frozen=True)
class OrderOptions:
    """Options: the metric to rank by, what counts as a tie, and whether to rank across families."""

    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="METRIC",
            help="The metric to rank by (wqscore metrics); auto, the default: the one that the record of decisions "
            "calls informative for such models, else alpha.",
            show_default=False,
        ),
    ] = None
    evidence: options.EvidenceOption = None
    spread: Annotated[
        list[Path] | None,
        typer.Option(
            "--spread",
            metavar="DIR",
            help="What wqscore symmetry --out wrote of a model: smaller differences are ties; once a model.",
            show_default=False,
        ),
    ] = None
    across_families: Annotated[
        bool, typer.Option("--across-families", help="Rank models of different families together; means little.")
    ] = False


@dataclass(frozen=True)
class KnownOptions:
    """Options: known figures of the models."""

    known: Annotated[
        str | None,
        typer.Option(
            "--known",
            metavar="FILE|cards",
            help="Correlate the metrics with what is known: a CSV file with a column model, or what the model cards "
            "give (wqscore known).",
            show_default=False,
        ),
    ] = None
    y: options.KnownColumnOption = None
    better: options.BetterOption = "higher"


@dataclass(frozen=True)
class ReportOptions:
    """Options: what is written and printed."""

    out: options.OutOption = None
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no files.")] = False
    output: options.ScoreFormatOption = "table"


@with_options
def rank(
    refs: options.RefsArgument = None,
    model_list: options.ListOption = None,
    *,
    order: OrderOptions,
    known: KnownOptions,
    report: ReportOptions,
    settings: Settings,
    run: options.RunOptions,
) -> None:
    """Score models and rank them.

    Prints the ranking and writes ranking.csv, pairs.csv, layers.csv, ranking.json and index.html to --out, by default
    ./reports/NAME-DATE/. With --known also how the metrics correlate with what is known, under the ranking's table
    and in correlations.csv, correlations.json and correlations.html.

    A folder without weights but with checkpoints in it stands for these, in order of step; the metric over the steps
    is drawn under the table and in the report.

    Exit codes: 0 done, 2 wrong usage, 3 a model could not be scored (the others are), 130 interrupted (what was
    scored before is kept).
    """
    with one_line_errors():
        if report.out is not None and report.no_report:
            raise UsageError("--out and --no-report exclude each other")
        settings = run.settings(settings)
        listed = load_list_option(model_list)
        models = resolve_refs(refs, listed, run.quiet)
        if run.shard is not None:
            from wqscore.cli.shard import compute_shard
            from wqscore.evidence.advice import AUTO
            from wqscore.presets.registry import find_preset

            useless = {"--out": report.out, "--known": known.known, "--spread": order.spread}
            named = None if order.by == AUTO else order.by
            compute_shard(models, settings, run, useless, named or find_preset(settings.preset).by)
            return
        folder = None if report.no_report else report.out or _default_folder(listed, models[0])
        check_output(folder)
        check_format(report.output)
        shown = format_of(report.output, run.long)
        figures = _known_figures(known, models, settings, folder is not None or report.output == "table")
        from wqscore.api.score import RankingInterrupted
        from wqscore.api.score import rank as rank_refs
        from wqscore.cli.progress import ProgressBars

        interrupted = False
        try:
            with open_store(settings, run.no_store) as settings, ProgressBars(run.quiet) as progress:
                ranking = rank_refs(
                    models,
                    by=order.by,
                    evidence=order.evidence,
                    across_families=order.across_families,
                    spread=order.spread or (),
                    settings=settings,
                    progress=progress,
                )
        except RankingInterrupted as interrupt:
            ranking, interrupted = interrupt.ranking, True
            if not ranking.scores:
                raise
            print_error("interrupted: keeping what was scored before")
        # Before the result, whose conclusion comes last.
        incomplete = not interrupted and _is_incomplete(ranking, run.strict)
        found = None
        try:
            publish(ranking, folder, ranking, shown, quiet=False)
        finally:
            # After the ranking is out, so that a failure here can't lose it, and even if the pipe was closed.
            if figures and not interrupted:
                found = _correlate(ranking, figures, known.better, settings.seed)
            if found:
                _publish_correlations(found, folder, report.output, run.quiet)
        if interrupted:
            leave_interrupted()
        if incomplete or (figures and not found):
            raise typer.Exit(NOT_SCORED)


def _known_figures(
    options: KnownOptions, models: Sequence[ModelRef], settings: Settings, is_shown: bool
) -> KnownFigures | None:
    """Read the figures of --known, from a file or the model cards, before the scoring so that errors come early.

    Args:
        options: the options around --known.
        models: the models.
        settings: the settings of the run.
        is_shown: whether correlations are printed or written.
    """
    if options.known is None:
        if options.y is not None:
            raise UsageError("--y names a column of --known: give that too")
        return None
    if not is_shown:
        raise UsageError("--known: its correlations go under the table or into the report: drop --no-report")
    from wqscore.checkpoints.runs import expand_runs
    from wqscore.spectra.in_single import check_precision
    from wqscore.spectra.on_device import check_device
    from wqscore.studies.known.known import choose_known
    from wqscore.studies.known.score_table import read_table

    check_precision(settings.precision, settings.device)
    check_device(settings.device, settings.backend)
    refs = expand_runs(models).refs
    if options.known != "cards":
        return choose_known(read_table(Path(options.known)), refs, options.y)
    from wqscore.cli.cards import read_cards

    cards, _ = read_cards(refs)
    chosen = choose_known(cards.as_table(), refs, options.y)
    if doubt := cards.doubt(chosen.y):
        print_error(doubt)
    return chosen


def _correlate(ranking: Ranking, known: KnownFigures, better: options.Better, seed: int) -> Correlations | None:
    """Correlate a ranking with known figures; print an error and return `None` if too little was scored."""
    from wqscore.studies.correlation.correlate import correlate
    from wqscore.studies.known.known import parse_ranking
    from wqscore.studies.known.score_table import join

    try:
        joined = join(parse_ranking(ranking.to_csv()), known.table, ["model"])
        return correlate(joined, y=known.y, better=better, seed=seed)
    except WqscoreError as error:
        print_error(f"the ranking is kept, without correlations: {error}")
        return None


def _publish_correlations(found: Correlations, folder: Path | None, output: options.ScoreFormat, quiet: bool) -> None:
    """Write the files and print the table under the ranking's; if one fails, the other is still written."""
    from wqscore.studies.correlation.files import write_correlations

    page = None
    try:
        if folder is not None:
            page = write_correlations(found, folder, "correlations.html")
    finally:
        try:
            if output == "table":
                show(found, output)
        finally:
            if page is not None and not quiet:
                typer.echo(f"correlations: {page}", err=True)


def _default_folder(listed: ModelList | None, first: ModelRef) -> Path:
    """./reports/<list or first model>-<YYYYMMDD-HHMMSS>/."""
    model = first.label if first.path is None else first.path.absolute().name
    slug = re.sub(r"[^\w.+-]+", "-", listed.name if listed else model).strip("-.")[:_MAX_NAME]
    return Path("reports") / f"{slug or 'models'}-{created_at():%Y%m%d-%H%M%S}"


def _is_incomplete(ranking: Ranking, strict: bool) -> bool:
    unranked = [model.score for model in ranking.models if model.score is not None and model.rank is None]
    unscored = [complain_if_unscored(score) for score in unranked]
    skipped = [strict and complain_of_skips(score) for score in ranking.scores]
    return any(unscored) or any(skipped) or any(model.status == "failed" for model in ranking.models)
