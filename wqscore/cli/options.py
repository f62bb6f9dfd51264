"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wqscore.cli.sizes import parse_size

REF_HELP = (
    "org/name, org/name@revision, hf://org/name, a huggingface.co address, an alias such as "
    "bert-base, a folder, a weight file (.safetensors, .bin, .gguf, .onnx, .npz), org/name/FILE, or base+adapter."
)


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MD = "md"


class ScoreFormat(StrEnum):
    """How scores are printed; all of `Format`, and Parquet."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MD = "md"
    PARQUET = "parquet"


class Better(StrEnum):
    """Which way the known figure is better."""

    LOWER = "lower"
    HIGHER = "higher"


Ref = Annotated[str, typer.Argument(metavar="REF", help=REF_HELP, show_default=False)]
FormatOption = Annotated[Format, typer.Option("--format", help="What standard output gets.")]
ScoreFormatOption = Annotated[
    ScoreFormat,
    typer.Option(
        "--format", help="What standard output gets. parquet: the rows of csv; needs the extra, and a pipe."
    ),
]
RefsArgument = Annotated[list[str] | None, typer.Argument(metavar="REF", help=REF_HELP, show_default=False)]
ListOption = Annotated[
    str | None,
    typer.Option(
        "--list",
        metavar="FILE|NAME",
        help="The models of a list too: a TOML file, or one that ships (wqscore models).",
    ),
]
BetterOption = Annotated[Better, typer.Option("--better", help="Which way --y is better.")]
PresetOption = Annotated[
    str,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="Constants: default, or those of published code, ww-0.7, ww-0.2.7, tempbalance, alphapruning, farms, "
        "kdd2023.",
    ),
]
MetricsOption = Annotated[
    str,
    typer.Option(
        "--metrics", metavar="core|all|NAME,...", help="What to compute, and nothing else (wqscore metrics)."
    ),
]


class Engine(StrEnum):
    """What computes the numbers."""

    WQSCORE = "wqscore"
    WEIGHTWATCHER = "weightwatcher"


EngineOption = Annotated[
    Engine,
    typer.Option("--engine", help="weightwatcher: the real one's numbers, in the preset ww-0.7; needs the extra."),
]
VectorsOption = Annotated[
    bool, typer.Option("--vectors", help="Measure the singular vectors too; several times the work.")
]
BaseOption = Annotated[
    str | None,
    typer.Option(
        "--base", metavar="REF", help="Measure each matrix's distance from this checkpoint too.", show_default=False
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Seed of every random step; recorded.")]
BootstrapOption = Annotated[
    int, typer.Option("--bootstrap", metavar="N", min=0, max=10_000, help="Resamples behind alpha's interval.")
]
GofOption = Annotated[
    int, typer.Option("--gof", metavar="N", min=0, max=10_000, help="Synthetic draws behind the goodness of fit.")
]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="PATH",
        help="Where what was computed before is looked up and kept; the user's own unless given.",
        show_default=False,
    ),
]
NoStoreOption = Annotated[bool, typer.Option("--no-store", help="Look up and keep nothing.")]
StreamOption = Annotated[
    bool, typer.Option("--stream", help="Read tensors from the Hub by ranges; nothing is stored.")
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N",
        min=1,
        max=256,
        help="Threads; all cores by default. Changes no result.",
        show_default=False,
    ),
]
MemoryOption = Annotated[
    int | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        parser=parse_size,
        help="Memory to stay under, such as 4GB; most of what is free by default. Changes no result.",
        show_default=False,
    ),
]


class Backend(StrEnum):
    """Where the work is done."""

    THREADS = "threads"
    DASK = "dask"
    RAY = "ray"


BackendOption = Annotated[
    Backend,
    typer.Option(
        "--backend",
        help="Where the work is done: here, or on the cluster of DASK_SCHEDULER_ADDRESS or RAY_ADDRESS, with the "
        "extra. Changes no result.",
    ),
]


class Device(StrEnum):
    """What solves."""

    CPU = "cpu"
    CUDA = "cuda"


DeviceOption = Annotated[
    Device,
    typer.Option(
        "--device",
        help="What solves the matrices; cuda: this machine's GPU, in float64, with the extra. Changes the last bits.",
    ),
]
ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Compute the I-th of N parts alone, 1/N to N/N, into --store, and show nothing: for tasks of an array.",
        show_default=False,
    ),
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit with 3 if any matrix was skipped (tied copies are not).")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error; errors remain.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", file_okay=False, help="Folder for the report.", show_default=False),
]


def chosen(metrics: str, vectors: bool) -> str:
    """What `--metrics` and `--vectors` choose together."""
    return f"{metrics},vectors" if vectors else metrics
