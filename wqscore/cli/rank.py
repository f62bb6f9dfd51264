"""`wqscore rank`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, complain, leave_interrupted, one_line_errors
from wqscore.cli.output import check_output, complain_if_unscored, complain_of_skips, publish, show
from wqscore.errors import UsageError
from wqscore.refs import ModelRef, parse_ref
from wqscore.rendering.timestamp import created_at

if TYPE_CHECKING:
    from wqscore.model_lists import ModelList
    from wqscore.ranking import Ranking

#: So that a folder's name stays under the 255 bytes a file system allows.
_LONGEST_NAME = 50


def rank(
    refs: Annotated[
        list[str] | None, typer.Argument(metavar="REF", help=options.REF_HELP, show_default=False)
    ] = None,
    model_list: Annotated[
        str | None,
        typer.Option(
            "--list", metavar="FILE|NAME", help="Rank a list too: a TOML file, or one that ships (wqscore models)."
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="METRIC",
            help="The metric to rank by (wqscore metrics); by default the preset's, alpha for most.",
            show_default=False,
        ),
    ] = None,
    across_families: Annotated[
        bool, typer.Option("--across-families", help="Rank models of different families together; means little.")
    ] = False,
    out: options.OutOption = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no files.")] = False,
    output: options.FormatOption = options.Format.TABLE,
    preset: options.PresetOption = "default",
    metrics: options.MetricsOption = "core",
    vectors: options.VectorsOption = False,
    base: options.BaseOption = None,
    engine: options.EngineOption = options.Engine.WQSCORE,
    seed: options.SeedOption = 0,
    bootstrap: options.BootstrapOption = 200,
    gof: options.GofOption = 100,
    jobs: options.JobsOption = None,
    strict: options.StrictOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Score models and rank them.

    Prints the ranking and writes ranking.csv, layers.csv, ranking.json and index.html to --out, by default
    ./reports/NAME-DATE/.

    Exit codes: 0 done, 2 wrong usage, 3 a model could not be scored (the others are), 130 interrupted (what was
    scored before is kept).
    """
    with one_line_errors():
        if out is not None and no_report:
            raise UsageError("--out and --no-report exclude each other")
        listed = _load(model_list)
        asked = [*map(parse_ref, refs or []), *_refs(listed)]
        if not asked:
            raise UsageError("no model given: name one or more, or a list with --list (see wqscore models)")
        folder = None if no_report else out or _default_folder(listed, asked[0])
        check_output(folder)
        from wqscore.api import RankingInterrupted
        from wqscore.api import rank as rank_refs
        from wqscore.cli.progress import ProgressBars

        interrupted = False
        try:
            with ProgressBars(quiet) as progress:
                ranking = rank_refs(
                    asked,
                    by=by,
                    across_families=across_families,
                    preset=preset,
                    metrics=options.chosen(metrics, vectors),
                    base=base,
                    engine=engine.value,
                    seed=seed,
                    bootstrap=bootstrap,
                    gof=gof,
                    jobs=jobs,
                    progress=progress,
                )
        except RankingInterrupted as interrupt:
            ranking, interrupted = interrupt.ranking, True
            if not ranking.scores:
                raise
            complain("interrupted: keeping what was scored before")
        publish(ranking, folder, lambda: _print(ranking, output), quiet)
        if interrupted:
            leave_interrupted()
        if _is_incomplete(ranking, strict):
            raise typer.Exit(NOT_SCORED)


def _load(model_list: str | None) -> ModelList | None:
    if model_list is None:
        return None
    from wqscore.model_lists import load_list

    return load_list(model_list)


def _refs(listed: ModelList | None) -> list[ModelRef]:
    models = listed.models if listed else ()
    return [replace(parse_ref(model.ref), family=model.family) for model in models]


def _print(ranking: Ranking, output: options.Format) -> None:
    from wqscore.rendering.json import ranking_json
    from wqscore.rendering.markdown import ranking_markdown
    from wqscore.rendering.terminal import print_ranking

    show(
        output,
        table=lambda: print_ranking(ranking),
        csv=ranking.to_csv,
        json=lambda: ranking_json(ranking),
        markdown=lambda: ranking_markdown(ranking),
    )


def _default_folder(listed: ModelList | None, first: ModelRef) -> Path:
    """./reports/<list or first model>-<YYYYMMDD-HHMMSS>/."""
    model = first.label if first.path is None else first.path.absolute().name
    slug = re.sub(r"[^\w.+-]+", "-", listed.name if listed else model).strip("-.")[:_LONGEST_NAME]
    return Path("reports") / f"{slug or 'models'}-{created_at():%Y%m%d-%H%M%S}"


def _is_incomplete(ranking: Ranking, strict: bool) -> bool:
    unscored = [complain_if_unscored(score) for score in ranking.scores]
    skipped = [strict and complain_of_skips(score) for score in ranking.scores]
    return any(unscored) or any(skipped) or any(model.status == "failed" for model in ranking.models)
