"""`wqscore describe`: list a model's tensors, with the work that scoring them takes."""

from __future__ import annotations

from typing import Annotated

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import one_line_errors
from wqscore.cli.output import show
from wqscore.cli.records import Only, with_options


@with_options
def describe(
    ref: options.Ref,
    output: options.FormatOption = "table",
    *,
    settings: Annotated[Settings, Only("preset", "jobs")],
) -> None:
    """Show a model's tensors and what would be done with each.

    Reads no weights, and of a model on the Hub nothing but the headers of its files. Shows shape, type, role and
    bytes of every tensor, about how long scoring would take on one core, and how much memory with --jobs threads.
    """
    with one_line_errors():
        from wqscore.planning.describe import describe as describe_ref

        show(describe_ref(ref, preset=settings.preset, jobs=settings.jobs), output)
