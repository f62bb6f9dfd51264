"""`wqscore describe`: list a model's tensors, with the work that scoring them takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import one_line_errors
from wqscore.cli.output import show
from wqscore.cli.records import Only, with_options


@with_options
def describe(
    ref: options.Ref,
    every_tensor: Annotated[bool, typer.Option("--all", help="List every tensor, not groups of them.")] = False,
    output: options.FormatOption = "table",
    *,
    settings: Annotated[Settings, Only("preset", "bootstrap", "gof", "jobs")],
) -> None:
    """Show what scoring would do with a model's tensors.

    Reads no weights, and of a model on the Hub nothing but the headers of its files. Tensors are grouped by what
    happens to them; --all lists each with its shape, type, role and size. Also shows how long scoring would take on
    one core, and how much memory with --jobs threads.
    """
    with one_line_errors():
        from wqscore.planning.describe import describe as describe_ref

        described = describe_ref(
            ref, preset=settings.preset, jobs=settings.jobs, bootstrap=settings.bootstrap, gof=settings.gof
        )
        show(replace(described, every_tensor=True) if every_tensor else described, output)
