"""`wqscore landscape`: the loss around models and between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, leave_interrupted, one_line_errors, print_error
from wqscore.cli.output import check_output, publish_study
from wqscore.cli.records import Only, with_options
from wqscore.errors import UsageError
from wqscore.escaping import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from wqscore.landscape.task import Task


@dataclass(frozen=True)
class LossOptions:
    """Options: what the loss is."""

    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="MODULE:FUNCTION",
            help="Your own function from a REF to a wqscore.landscape.Task.",
            show_default=False,
        ),
    ] = None
    text: Annotated[
        Path | None,
        typer.Option(
            "--text",
            metavar="FILE",
            help="Plain text: the loss of a causal or masked transformers model, REF being its folder.",
            show_default=False,
        ),
    ] = None
    windows: Annotated[int, typer.Option("--windows", metavar="N", min=1, help="Windows of --text to read.")] = 64


@dataclass(frozen=True)
class MeasureOptions:
    """Options: what is measured."""

    measure: Annotated[
        str,
        typer.Option(
            "--measure", metavar="NAME,...", help="Of each model: hessian, density, pacgen, phi, psi, margin; none."
        ),
    ] = "hessian"
    pairs: Annotated[
        str | None,
        typer.Option(
            "--pairs",
            metavar="NAME,...",
            help="Between each two: bezier, linear, aligned, cka, l2, or none. [default: linear,cka,l2]",
            show_default=False,
        ),
    ] = None
    probes: Annotated[int, typer.Option("--probes", metavar="N", min=2, help="Random vectors behind a trace.")] = 30
    epochs: Annotated[int, typer.Option("--epochs", metavar="N", min=1, help="Passes that train a Bézier curve.")] = (
        50
    )
    cka: Annotated[Literal["softmax", "outputs"], typer.Option("--cka", help="What CKA compares.")] = "softmax"
    metrics: Annotated[
        str,
        typer.Option(
            "--metrics", metavar="core|all|none|NAME,...", help="Data-free metrics to show beside the loss."
        ),
    ] = "core"


@with_options
def landscape(
    refs: Annotated[
        list[str],
        typer.Argument(metavar="REF", help="Models: what --task takes, or folders for --text.", show_default=False),
    ],
    *,
    loss: LossOptions,
    measuring: MeasureOptions,
    out: options.OutOption = None,
    output: options.FormatOption = "table",
    settings: Annotated[Settings, Only("seed", "jobs")],
    quiet: options.QuietOption = False,
) -> None:
    """Measure the loss around models, and between each two.

    The only command that needs a loss: yours with --task, or that of text with --text. The Hessian's largest and
    smallest eigenvalues and its trace, each with its error; how the loss rises between two models, how alike their
    outputs are, how far they lie apart. Beside them the data-free metrics. Needs the extra wqscore[landscape]. Writes
    landscape.csv, pairs.csv, landscape.json and landscape.md to --out if it is given.

    Exit codes: 0 done, 2 wrong usage, 3 a number could not be measured (the others are), 130 interrupted (what was
    measured before is kept).
    """
    with one_line_errors():
        check_output(out)
        from wqscore.landscape.files import write_landscape
        from wqscore.landscape.landscape import LandscapeInterrupted
        from wqscore.landscape.landscape import landscape as measure_models
        from wqscore.landscape.measure import Choices

        interrupted = False
        try:
            found = measure_models(
                list(dict.fromkeys(refs)),
                _task(loss, refs, settings.seed),
                measures=_names(measuring.measure),
                pairs=None if measuring.pairs is None else _names(measuring.pairs),
                metrics=measuring.metrics,
                choices=Choices(measuring.probes, measuring.epochs, measuring.cka, settings.seed),
                jobs=settings.jobs,
                progress=_Lines(quiet),
            )
        except LandscapeInterrupted as interrupt:
            found, interrupted = interrupt.found, True
            print_error("interrupted: keeping what was measured before")
        publish_study(found, partial(write_landscape, found), out, output, quiet)
        if interrupted:
            leave_interrupted()
        if found.reasons:
            raise typer.Exit(NOT_SCORED)


class _Lines:
    """Prints what is being done, unless quiet, and what fails."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def note(self, text: str) -> None:
        """Print a line."""
        if not self._quiet:
            typer.echo(printable(text), err=True)

    def failed(self, reason: str) -> None:
        """Print an error's line."""
        print_error(reason)


def _task(loss: LossOptions, refs: list[str], seed: int) -> Callable[[str], Task]:
    if (loss.task is None) == (loss.text is None):
        raise UsageError("what is the loss? Give either --task MODULE:FUNCTION or --text FILE")
    if loss.text is not None:
        from wqscore.landscape.text_task import text_task

        return text_task(loss.text, loss.windows, seed)
    from wqscore.landscape.user_task import load_function

    return load_function(str(loss.task), refs)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
