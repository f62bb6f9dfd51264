"""`--shard i/n` of `score` and `rank`: compute one shard of the work into a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import typer

from wqscore.api.settings import Settings
from wqscore.cli.exits import NOT_SCORED
from wqscore.cli.options import RunOptions
from wqscore.errors import UsageError
from wqscore.escaping import printable
from wqscore.refs.reference import ModelRef


def compute_shard(
    refs: Sequence[str | ModelRef], settings: Settings, run: RunOptions, useless: Mapping[str, object], by: str | None
) -> None:
    """Compute one shard of every model into the store, and print how many of its matrices that is.

    Args:
        refs: the models.
        settings: the settings.
        run: the options, --shard among them.
        useless: options without a meaning for a shard, by name, and their values; each has to be false.
        by: a metric to compute in addition to those of the settings.

    Raises:
        UsageError: no such shard, no store, or options without a meaning for a shard.
    """
    from wqscore.api.shards import parse_shard, score_shard
    from wqscore.cli.progress import ProgressBars

    assert run.shard is not None
    part = parse_shard(run.shard)
    if settings.store is None:
        raise UsageError("--shard needs a store of its own, to be merged with the others: name one with --store")
    engine = settings.engine != "wqscore"
    given = {**useless, "--base": settings.base, "--engine": engine, "--no-store": run.no_store}
    if name := next((name for name, value in given.items() if value), None):
        raise UsageError(f"{name} says nothing to a shard, which fills its store alone: leave it out")
    with ProgressBars(run.quiet) as progress:
        done, failures = score_shard(refs, part, settings, by=by, progress=progress)
    for model in done:
        noun = "matrix" if model.all_matrices == 1 else "matrices"
        typer.echo(printable(f"{model.ref.label}: shard {part}: {model.matrices} of {model.all_matrices} {noun}"))
    if failures:
        raise typer.Exit(NOT_SCORED)
