"""`wqscore track`: every metric along a training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors
from wqscore.cli.open_store import open_store
from wqscore.cli.output import check_output, publish_study
from wqscore.cli.records import Only, with_options

_SETTINGS = (
    *("preset", "metrics", "base", "layers", "roles", "seed", "bootstrap", "gof"),
    *("stream", "store", "jobs", "memory"),
)


@dataclass(frozen=True)
class BesideOptions:
    """Options: what stands beside the metrics, known figures of the steps and effective widths."""

    known: Annotated[
        Path | None,
        typer.Option(
            "--known",
            metavar="FILE",
            help="A CSV file with a column step or model, and a figure of each.",
            show_default=False,
        ),
    ] = None
    y: options.KnownColumnOption = None
    better: options.BetterOption = "higher"
    condensation: Annotated[
        bool,
        typer.Option("--condensation", help="Also count the neurons that each step needs, as width does."),
    ] = False
    activation: options.ActivationOption = None


@with_options
def track(
    run: Annotated[
        str,
        typer.Argument(
            metavar="DIR|REPO",
            help="A folder of checkpoints, a repository whose revisions are some, or the JSON of a watch's track.",
            show_default=False,
        ),
    ],
    *,
    revisions: Annotated[
        str | None,
        typer.Option(
            "--revisions",
            metavar="PATTERN",
            help="The repository's revisions to take, as 'step*'; by default those that name a step.",
            show_default=False,
        ),
    ] = None,
    beside: BesideOptions,
    out: options.OutOption = None,
    output: options.FormatOption = "table",
    settings: Annotated[Settings, Only(*_SETTINGS)],
    no_store: options.NoStoreOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Follow every metric along one training, step by step.

    The checkpoints are subfolders, in order of the last number in their names, or revisions. Says where a metric
    turns, with an interval from matrices drawn again; alpha under 2; traps that appear; and metrics that go against
    their declared direction, along the steps or with --known; with --condensation, where neurons do the same. Writes
    track.csv, track.json, track.md, index.html and, with --known, known.csv to --out if it is given.

    Exit codes: 0 done, 2 wrong usage or two checkpoints with one step, 3 a checkpoint could not be scored (the others
    are), 130 interrupted.
    """
    with one_line_errors():
        check_output(out)
        from wqscore.cli.progress import ProgressBars
        from wqscore.studies.track.files import write_track
        from wqscore.studies.track.track import track as track_run

        with open_store(settings, no_store) as settings, ProgressBars(quiet) as progress:
            found = track_run(
                run,
                revisions=revisions,
                known=beside.known,
                y=beside.y,
                better=beside.better,
                condensation=beside.condensation,
                activation=beside.activation,
                settings=settings,
                progress=progress,
            )
        publish_study(found, partial(write_track, found), out, output, quiet)
        if not found.track.scored or any(point.status == "failed" for point in found.track.points):
            raise typer.Exit(NOT_SCORED)
