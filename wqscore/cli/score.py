"""`wqscore score`."""

from __future__ import annotations

import typer

from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors
from wqscore.cli.open_store import asked_store
from wqscore.cli.output import (
    check_format,
    check_output,
    complain_if_unscored,
    complain_of_skips,
    publish,
)


def score(
    ref: options.Ref,
    out: options.OutOption = None,
    output: options.ScoreFormatOption = options.ScoreFormat.TABLE,
    preset: options.PresetOption = "default",
    metrics: options.MetricsOption = "core",
    vectors: options.VectorsOption = False,
    base: options.BaseOption = None,
    engine: options.EngineOption = options.Engine.WQSCORE,
    seed: options.SeedOption = 0,
    bootstrap: options.BootstrapOption = 200,
    gof: options.GofOption = 100,
    stream: options.StreamOption = False,
    store: options.StoreOption = None,
    no_store: options.NoStoreOption = False,
    jobs: options.JobsOption = None,
    memory: options.MemoryOption = None,
    backend: options.BackendOption = options.Backend.THREADS,
    device: options.DeviceOption = options.Device.CPU,
    shard: options.ShardOption = None,
    strict: options.StrictOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Score one model and show its matrices and its summary.

    Writes no file unless --out is given. --format csv prints the rows of layers.csv.

    Exit codes: 0 done, 2 wrong usage, 3 it could not be scored, 130 interrupted.
    """
    with one_line_errors():
        check_output(out)
        check_format(output)
        if shard is not None:
            from wqscore.cli.shard import compute_shard

            compute_shard(
                [ref],
                shard,
                store,
                quiet,
                {
                    "--out": out,
                    "--base": base,
                    "--engine": engine is not options.Engine.WQSCORE,
                    "--no-store": no_store,
                },
                preset=preset,
                metrics=options.chosen(metrics, vectors),
                seed=seed,
                bootstrap=bootstrap,
                gof=gof,
                stream=stream,
                jobs=jobs,
                memory=memory,
                backend=backend.value,
                device=device.value,
            )
            return
        from wqscore.api.score import score as score_ref
        from wqscore.cli.progress import ProgressBars
        from wqscore.ranking.ranking import rank_alone

        with asked_store(store, no_store) as opened, ProgressBars(quiet) as progress:
            result = score_ref(
                ref,
                preset=preset,
                metrics=options.chosen(metrics, vectors),
                base=base,
                engine=engine.value,
                seed=seed,
                bootstrap=bootstrap,
                gof=gof,
                stream=stream,
                store=opened,
                jobs=jobs,
                memory=memory,
                backend=backend.value,
                device=device.value,
                progress=progress,
            )
        publish(rank_alone(result), out, result, output, quiet)
        if any([complain_if_unscored(result), strict and complain_of_skips(result)]):
            raise typer.Exit(NOT_SCORED)
