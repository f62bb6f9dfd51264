"""`wqscore known`: show the benchmark results in models' cards."""

from __future__ import annotations

import typer

from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors
from wqscore.cli.refs import load_list_option, resolve_refs


def known(
    refs: options.RefsArgument = None,
    model_list: options.ListOption = None,
    output: options.FormatOption = "table",
) -> None:
    """Show the benchmark results that models' cards give.

    Reads the card alone: README.md and .eval_results/*.yaml, from the Hub or from the model's folder. With
    --format csv it is the table that `wqscore correlate` and `rank --known` take. The figures are the authors'.

    Exit codes: 0 done, 2 wrong usage, 3 a model could not be found (the others are shown).
    """
    with one_line_errors():
        models = resolve_refs(refs, load_list_option(model_list))
        from wqscore.cli.cards import read_cards
        from wqscore.cli.output import show

        table, all_read = read_cards(models)
        show(table, output)
        if not all_read:
            raise typer.Exit(NOT_SCORED)
