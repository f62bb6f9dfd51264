"""The command line: each command parses options, calls one function of the package, and prints its result."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from wqscore.cli.allocate import app as allocate
from wqscore.cli.card import card
from wqscore.cli.check import check
from wqscore.cli.compress import compress
from wqscore.cli.correlate import correlate
from wqscore.cli.crosscheck import crosscheck
from wqscore.cli.describe import describe
from wqscore.cli.diff import diff
from wqscore.cli.evidence import app as evidence
from wqscore.cli.explain import explain
from wqscore.cli.gate import gate
from wqscore.cli.known import known
from wqscore.cli.landscape import landscape
from wqscore.cli.leaderboard import app as leaderboard
from wqscore.cli.metrics import metrics
from wqscore.cli.models import models
from wqscore.cli.phase import phase
from wqscore.cli.plan import plan
from wqscore.cli.plot import plot
from wqscore.cli.rank import rank
from wqscore.cli.score import score
from wqscore.cli.store import app as store
from wqscore.cli.usage_errors import OneLineGroup
from wqscore.version import __version__

app = typer.Typer(
    name="wqscore",
    cls=OneLineGroup,
    help="Judge pretrained checkpoints from their weights alone: no data, no forward pass.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help and one-line errors, the same on a terminal and in a log.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(rank)
app.command()(score)
app.command()(plot)
app.command()(card)
app.command()(crosscheck)
app.command()(check)
app.command()(gate)
app.command()(diff)
app.command()(compress)
app.command()(correlate)
app.command()(known)
app.command()(phase)
app.command()(landscape)
app.command()(describe)
app.command()(plan)
app.command()(models)
app.command()(metrics)
app.command()(explain)
app.add_typer(allocate, name="allocate")
app.add_typer(evidence, name="evidence")
app.add_typer(leaderboard, name="leaderboard")
app.add_typer(store, name="store")


def _version(requested: bool) -> None:
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Judge pretrained checkpoints from their weights alone: no data, no forward pass."""
    # A stream that the caller closed is None in Python: write to the null device instead.
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
