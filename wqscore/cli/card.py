"""`wqscore card`: print a Markdown section for each model's card."""

from __future__ import annotations

from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, leave_interrupted, one_line_errors, print_error
from wqscore.cli.open_store import open_store
from wqscore.cli.output import check_output, complain_if_unscored
from wqscore.cli.records import Only, with_options
from wqscore.cli.refs import resolve_refs


@with_options
def card(
    refs: Annotated[list[str], typer.Argument(metavar="REF", help=options.REF_HELP, show_default=False)],
    *,
    settings: Annotated[Settings, Only("preset", "seed", "bootstrap", "gof", "stream", "store", "jobs", "memory")],
    no_store: options.NoStoreOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Print a section for each model's card, in Markdown.

    What was measured, with intervals, verdicts and coverage, how far to trust it, and the command that measures it
    again.

    Exit codes: 0 done, 2 wrong usage, 3 a model could not be scored (the others are there), 130 interrupted.
    """
    with one_line_errors():
        models = resolve_refs(refs, None)
        check_output(None)
        from wqscore.api.score import RankingInterrupted
        from wqscore.api.score import rank as rank_refs
        from wqscore.cli.progress import ProgressBars
        from wqscore.evidence.lore import NONE
        from wqscore.reports.card import card_section

        interrupted = False
        try:
            with open_store(settings, no_store) as settings, ProgressBars(quiet) as progress:
                ranking = rank_refs(models, evidence=NONE, settings=settings, progress=progress)
        except RankingInterrupted as interrupt:
            ranking, interrupted = interrupt.ranking, True
            print_error("interrupted: keeping what was scored before")
        order = {model.identity: index for index, model in enumerate(models)}
        scores = sorted(ranking.scores, key=lambda score: order[score.ref.identity])
        # UTF-8 whatever the terminal's encoding, like the Markdown of other commands.
        typer.echo("\n".join(map(card_section, scores)).encode("utf-8", "backslashreplace"), nl=False)
        if interrupted:
            leave_interrupted()
        unscored = [complain_if_unscored(score) for score in scores]
        if any(unscored) or any(model.status == "failed" for model in ranking.models):
            raise typer.Exit(NOT_SCORED)
