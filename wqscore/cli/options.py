"""Options that several commands share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from wqscore.api.settings import Settings

REF_HELP = (
    "org/name, org/name@revision, hf://org/name, a huggingface.co address, an alias such as "
    "bert-base, a folder, a weight file (.safetensors, .bin, .gguf, .onnx, .npz), org/name/FILE, or base+adapter."
)

#: How a result is printed.
Format = Literal["table", "csv", "json", "md"]
#: How scores are printed.
ScoreFormat = Literal["table", "csv", "json", "md", "parquet"]
#: Which way the known figure is better.
Better = Literal["lower", "higher"]

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
EvidenceOption = Annotated[
    str | None,
    typer.Option(
        "--evidence",
        metavar="FILE|none",
        help="The record to take the odds from (wqscore evidence); none: no odds.",
        show_default=False,
    ),
]
KnownColumnOption = Annotated[
    str | None,
    typer.Option("--y", metavar="COL", help="The column of --known; needed if several.", show_default=False),
]
ActivationOption = Annotated[
    str | None,
    typer.Option(
        "--activation",
        metavar="NAME",
        help="What blocks compute, such as relu; as the configuration says by default.",
        show_default=False,
    ),
]
VectorsOption = Annotated[
    bool, typer.Option("--vectors", help="Measure the singular vectors too; several times the work.")
]
NoStoreOption = Annotated[bool, typer.Option("--no-store", help="Look up and keep nothing.")]
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
    bool, typer.Option("--strict", help="Exit 3 if any matrix is skipped (tied copies don't count).")
]
LongOption = Annotated[
    bool, typer.Option("--long", help="With --format csv: a row for each number, of a matrix or a model.")
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="No progress on standard error; errors remain, and the path of a report."),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", file_okay=False, help="Folder for the report.", show_default=False),
]


@dataclass(frozen=True)
class RunOptions:
    """Options of `score` and `rank` that are no settings."""

    vectors: VectorsOption = False
    no_store: NoStoreOption = False
    shard: ShardOption = None
    long: LongOption = False
    strict: StrictOption = False
    quiet: QuietOption = False

    def settings(self, settings: Settings) -> Settings:
        """The settings, with the metrics that `--vectors` adds."""
        return replace(settings, metrics=f"{settings.metrics},vectors") if self.vectors else settings
