"""`wqscore explain`: say in plain words what a word of the output means."""

from __future__ import annotations

from typing import Annotated

import typer

from wqscore.cli.exits import one_line_errors


def explain(
    word: Annotated[
        str | None,
        typer.Argument(metavar="WORD", help="As it is in any output; left out, lists them.", show_default=False),
    ] = None,
) -> None:
    """Say what a verdict, flag, metric, column or role means.

    Exit codes: 0 done, 2 no output has such a word.
    """
    with one_line_errors():
        from wqscore.reports.glossary import explain as explain_word
        from wqscore.reports.glossary_report import print_explanations, print_words

        if word is None:
            print_words()
        else:
            print_explanations(explain_word(word))
