"""`wqscore symmetry`: which transformations leave a model's function alone, and how far each metric moves."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors
from wqscore.cli.open_store import open_store
from wqscore.cli.output import check_output, complain_if_unscored, publish_study
from wqscore.cli.records import Only, with_options

_SETTINGS = ("preset", "metrics", "layers", "roles", "seed", "store", "jobs", "memory", "device")


@with_options
def symmetry(
    ref: options.Ref,
    *,
    out: options.OutOption = None,
    output: options.FormatOption = "table",
    settings: Annotated[Settings, Only(*_SETTINGS)],
    no_store: options.NoStoreOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Say how far each metric moves where the function doesn't.

    Ten transformations of weights that leave a model's function alone are tried: of attention's heads, norms, hidden
    neurons and the residual stream. Each that applies is drawn 8 times; a metric's spread is the largest less the
    least of the model's numbers. A smaller difference of two models says nothing of their functions (rank --spread).
    With torch and transformers installed, a model of at most 150 million parameters is also run on random tokens.
    Writes symmetry.csv, symmetry.json, symmetry.md and index.html to --out if it is given.

    Exit codes: 0 done, 2 wrong usage, 3 it could not be read, 130 interrupted.
    """
    with one_line_errors():
        check_output(out)
        from wqscore.cli.progress import ProgressBars
        from wqscore.studies.files import write_study
        from wqscore.studies.symmetry.symmetry import symmetry as find_symmetry

        with open_store(settings, no_store) as settings, ProgressBars(quiet) as progress:
            found = find_symmetry(ref, settings=settings, progress=progress)
        publish_study(found, partial(write_study, found, name="symmetry"), out, output, quiet)
        if complain_if_unscored(found.score):
            raise typer.Exit(NOT_SCORED)
