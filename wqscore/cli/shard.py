"""`--shard i/n` of `score` and `rank`: one part of the work, into a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from wqscore.cli.exits import NOT_SCORED
from wqscore.errors import UsageError
from wqscore.escaping import printable
from wqscore.refs import ModelRef


def compute_shard(
    refs: Sequence[str | ModelRef],
    shard: str,
    store: Path | None,
    quiet: bool,
    without: Mapping[str, object],
    **asked: Any,
) -> None:
    """Compute one part of every model, keep it, and print how many matrices of how many that is.

    Args:
        refs: the models.
        shard: of --shard.
        store: of --store.
        quiet: of --quiet.
        without: what options hold that say nothing to a shard, by name; each has to be false.
        **asked: as for `wqscore.api.shards.score_shard`.

    Raises:
        UsageError: no such part, no store, or options that say nothing to a shard.
    """
    from wqscore.api.shards import parse_shard, score_shard
    from wqscore.cli.progress import ProgressBars

    part = parse_shard(shard)
    if store is None:
        raise UsageError("--shard needs a store of its own, to be merged with the others: name one with --store")
    if useless := next((name for name, value in without.items() if value), None):
        raise UsageError(f"{useless} says nothing to a shard, which fills its store alone: leave it out")
    with ProgressBars(quiet) as progress:
        done, failures = score_shard(refs, part, store, progress=progress, **asked)
    for model in done:
        noun = "matrix" if model.all_matrices == 1 else "matrices"
        typer.echo(printable(f"{model.ref.label}: shard {part}: {model.matrices} of {model.all_matrices} {noun}"))
    if failures:
        raise typer.Exit(NOT_SCORED)
