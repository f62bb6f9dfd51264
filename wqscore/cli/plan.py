"""`wqscore plan`: estimate what scoring models would take."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, leave_interrupted, one_line_errors, print_error
from wqscore.cli.output import show
from wqscore.cli.records import Only, with_options
from wqscore.cli.refs import load_list_option, resolve_refs
from wqscore.refs.reference import ModelRef


@with_options
def plan(
    refs: options.RefsArgument = None,
    model_list: options.ListOption = None,
    output: options.FormatOption = "table",
    *,
    study: Annotated[
        list[str] | None,
        typer.Option(
            "--study", metavar="NAME", help="What this study takes instead, or all; repeat.", show_default=False
        ),
    ] = None,
    settings: Annotated[Settings, Only("jobs", "bootstrap", "gof")],
    changed: Annotated[
        int,
        typer.Option(
            "--changed",
            metavar="N",
            min=0,
            help="Also show what a night takes on which N of the models changed.",
            show_default=False,
        ),
    ] = 0,
    quiet: options.QuietOption = False,
) -> None:
    """Show what scoring takes: bytes, time, memory and store.

    Reads no weights, and of models on the Hub nothing but the headers of their files. The time is that of one core,
    from the least to the most that is likely; the memory that of --jobs threads. Weights on the Hub that are no
    safetensors files can't be planned. With --study: what diff (of the first model and each other), kin, compress,
    phase, allocate, width, track, symmetry or screen (of adapters, or as diff) take, the first time and once scored.

    Exit codes: 0 done, 2 wrong usage, 3 a model could not be planned (the others are shown).
    """
    with one_line_errors():
        models = resolve_refs(refs, load_list_option(model_list))
        if study:
            _show_studies(models, study, settings, output)
            return
        from rich.console import Console
        from rich.progress import Progress

        from wqscore.planning.plan import PlanInterrupted
        from wqscore.planning.plan import plan as plan_refs

        terminal = sys.stderr.isatty()
        console = Console(stderr=True, force_terminal=terminal, highlight=False)
        interrupted = False
        try:
            with Progress(console=console, transient=True, disable=quiet or not terminal) as bar:
                task = bar.add_task("reading headers", total=len(models))
                found = plan_refs(
                    models,
                    jobs=settings.jobs,
                    bootstrap=settings.bootstrap,
                    gof=settings.gof,
                    changed=changed,
                    on_model=lambda _: bar.advance(task),
                )
        except PlanInterrupted as interrupt:
            found, interrupted = interrupt.plan, True
            if len(found.failed) == len(found.models):
                raise
            print_error("interrupted: keeping what was planned before")
        show(found, output)
        if interrupted:
            leave_interrupted()
        if output in ("csv", "json"):
            for model in found.failed:
                print_error(model.reason)
        if found.failed:
            raise typer.Exit(NOT_SCORED)


def _show_studies(models: list[ModelRef], studies: list[str], settings: Settings, output: options.Format) -> None:
    from wqscore.studies.costs.costs import costs

    found = costs(models, studies, jobs=settings.jobs, bootstrap=settings.bootstrap, gof=settings.gof)
    show(found, output)
    if found.failed:
        if output in ("csv", "json"):
            for reason in dict.fromkeys(row.reason for row in found.failed):
                print_error(reason)
        raise typer.Exit(NOT_SCORED)
