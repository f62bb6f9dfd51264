"""`--shard i/n` of `score` and `rank`: one part of the work, into a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import typer

from wqscore.api.settings import Settings
from wqscore.cli.exits import NOT_SCORED
from wqscore.cli.options import RunOptions
from wqscore.errors import UsageError
from wqscore.escaping import printable
from wqscore.refs import ModelRef


def compute_shard(
    refs: Sequence[str | ModelRef], settings: Settings, run: RunOptions, useless: Mapping[str, object], by: str | None
) -> None:
    """Compute one part of every model, keep it, and print how many matrices of how many that is.

    Args:
        refs: the models.
        settings: the settings.
        run: with the part.
        useless: options that say nothing to a shard, by name, and their values; each has to be false.
        by: a metric that is computed beside the others.

    Raises:
        UsageError: no such part, no store, or options that say nothing to a shard.
    """
    from wqscore.api.shards import parse_shard, score_shard
    from wqscore.cli.progress import ProgressBars

    assert run.shard is not None
    part = parse_shard(run.shard)
    if settings.store is None:
        raise UsageError("--shard needs a store of its own, to be merged with the others: name one with --store")
    given = {
        **useless,
        "--base": settings.base,
        "--engine": settings.engine != "wqscore",
        "--no-store": run.no_store,
    }
    if name := next((name for name, value in given.items() if value), None):
        raise UsageError(f"{name} says nothing to a shard, which fills its store alone: leave it out")
    with ProgressBars(run.quiet) as progress:
        done, failures = score_shard(refs, part, settings, by=by, progress=progress)
    for model in done:
        noun = "matrix" if model.all_matrices == 1 else "matrices"
        typer.echo(printable(f"{model.ref.label}: shard {part}: {model.matrices} of {model.all_matrices} {noun}"))
    if failures:
        raise typer.Exit(NOT_SCORED)
