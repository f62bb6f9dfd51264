"""`wqscore kin`: which models share weights."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors
from wqscore.cli.open_store import open_store
from wqscore.cli.output import check_output, publish_study
from wqscore.cli.records import Only, with_options
from wqscore.cli.refs import load_list_option, resolve_refs

_SETTINGS = ("seed", "stream", "store", "verify", "jobs", "memory")


@with_options
def kin(
    refs: options.RefsArgument = None,
    *,
    model_list: options.ListOption = None,
    out: options.OutOption = None,
    output: options.FormatOption = "table",
    settings: Annotated[Settings, Only(*_SETTINGS)],
    no_store: options.NoStoreOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Say which models share weights.

    Copies, fine-tunes, merges, pruned and quantised versions are found by small sketches of the matrices, which the
    store keeps beside the spectra: models that were ranked or compared before are not read again. All pairs are
    compared. Related means shared weights, not provenance. Writes kin.csv,
    kin.json, kin.md and index.html to --out if it is given.

    Exit codes: 0 done, whatever is related; 2 wrong usage; 3 a model could not be read, the others are compared; 130
    interrupted.
    """
    with one_line_errors():
        check_output(out)
        from wqscore.cli.progress import ProgressBars
        from wqscore.studies.files import write_study
        from wqscore.studies.kin.kin import kin as compare_models

        models = resolve_refs(refs, load_list_option(model_list), quiet)
        with open_store(settings, no_store) as settings, ProgressBars(quiet) as progress:
            found = compare_models(models, settings=settings, progress=progress)
        publish_study(found, partial(write_study, found, name="kin"), out, output, quiet)
        if found.failures:
            raise typer.Exit(NOT_SCORED)
