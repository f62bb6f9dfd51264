"""`wqscore diff`: what changed from one checkpoint to another."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import one_line_errors
from wqscore.cli.open_store import open_store
from wqscore.cli.output import check_output, publish_study
from wqscore.cli.records import Only, with_options

_SETTINGS = ("preset", "metrics", "layers", "roles", "seed", "stream", "store", "jobs", "memory")


@with_options
def diff(
    base: Annotated[str, typer.Argument(metavar="BASE", help=options.REF_HELP, show_default=False)],
    other: Annotated[
        str, typer.Argument(metavar="OTHER", help="What became of it, in the same forms.", show_default=False)
    ],
    *,
    overlap_rank: Annotated[
        int,
        typer.Option(
            "--overlap-rank",
            metavar="N",
            min=1,
            help="Leading singular directions to compare; a quarter of the smaller side at most.",
        ),
    ] = 16,
    out: options.OutOption = None,
    output: options.FormatOption = "table",
    settings: Annotated[Settings, Only(*_SETTINGS)],
    no_store: options.NoStoreOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Say what changed from one checkpoint to another.

    For a fine-tune, a later step, a quantised copy or base+adapter against its base: the size of each matrix's change
    ΔW, the ranks of ΔW, how far the leading singular directions stayed, and the change of every metric. Matrices are
    matched by name, then by contents, never by position. Writes diff.csv, diff.json and diff.md to --out if it is
    given.

    Exit codes: 0 done, whatever changed; 2 wrong usage; 3 a model could not be read; 130 interrupted.
    """
    with one_line_errors():
        check_output(out)
        from wqscore.cli.progress import ProgressBars
        from wqscore.studies.diff.diff import diff as diff_models
        from wqscore.studies.files import write_study

        with open_store(settings, no_store) as settings, ProgressBars(quiet) as progress:
            found = diff_models(base, other, overlap_rank=overlap_rank, settings=settings, progress=progress)
        publish_study(found, partial(write_study, found, name="diff"), out, output, quiet)
