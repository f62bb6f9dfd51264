"""`wqscore evidence`: how often metrics have chosen the better model, and your own part of that record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from wqscore.cli import options
from wqscore.cli.exits import one_line_errors
from wqscore.cli.output import show
from wqscore.errors import UsageError, read_small

app = typer.Typer(
    help="Show how often each metric chose the better model.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

#: The largest ranking.json that is read.
_MOST_BYTES = 512 * 2**20
NameOption = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="Name of the table; the file's unless given.", show_default=False),
]


@app.callback()
def evidence(
    context: typer.Context,
    metric: Annotated[
        str | None,
        typer.Option("--metric", metavar="METRIC", help="This metric alone; params for size.", show_default=False),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="size, recipe, run, fine-tune, damage, across; any: all inside families together.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="TABLE", help="This table of the record alone.", show_default=False),
    ] = None,
    output: options.FormatOption = "table",
) -> None:
    """Show how often each metric chose the better model.

    For each kind of decision and each metric: in how many decisions the better model has the better value, and the
    log-loss of odds on families that they were not learned from.

    Exit codes: 0 done, 2 wrong usage.
    """
    if context.invoked_subcommand is not None:
        return
    with one_line_errors():
        from wqscore.errors import nearest
        from wqscore.escaping import printable
        from wqscore.evidence.kinds import ANY, KINDS
        from wqscore.evidence.lore import learned_record
        from wqscore.evidence.odds import SIZE
        from wqscore.evidence.own import own_tables, read_own
        from wqscore.evidence.record import shipped_models, shipped_tables
        from wqscore.evidence.track_record import track_record
        from wqscore.metrics.registry import find_metric

        if kind is not None and kind not in (*KINDS, ANY):
            raise UsageError(f"no kind of decision {printable(kind)!r}: {nearest(kind, (*KINDS, ANY))}")
        if metric is not None and metric != SIZE:
            find_metric(metric)
        sources = [*shipped_tables(), *own_tables()]
        if source is not None and source not in sources:
            raise UsageError(f"no table {printable(source)!r} in the record: {nearest(source, sources)}")
        metrics, kinds = [metric] if metric else None, [kind] if kind else KINDS
        as_shipped = source is None and kind != ANY and not own_tables()
        record = learned_record() if as_shipped else None
        if record is None:
            models = (*shipped_models(), *read_own())
            record = track_record([each for each in models if source in (None, each.source)], metrics, kinds)
        show(record.part(metrics, kinds), output)


@app.command()
def add(
    ranking: Annotated[
        Path, typer.Argument(metavar="RANKING.json", help="What wqscore rank wrote.", show_default=False)
    ],
    known: Annotated[
        Path,
        typer.Argument(metavar="KNOWN.csv", help="A table with a column model, and the quality.", show_default=False),
    ],
    y: Annotated[str, typer.Option("--y", metavar="COL", help="The column of the quality.", show_default=False)],
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="What makes these models differ: size, recipe, run, fine-tune, damage or across.",
            show_default=False,
        ),
    ],
    family: Annotated[
        str,
        typer.Option(
            "--family",
            metavar="NAME",
            help="The family of all; by default each model's family_id.",
            show_default=False,
        ),
    ] = "",
    better: options.BetterOption = "higher",
    name: NameOption = None,
) -> None:
    """Add models of yours, whose quality you know, to the record that your odds rest on.

    Exit codes: 0 done, 2 wrong usage or tables that can't be taken.
    """
    with one_line_errors():
        from wqscore.evidence.own import add_table
        from wqscore.studies.known.score_table import check_once, read_table

        table = read_table(known)
        names, values = table.words("model"), table.numbers(y)
        check_once(names, table.source)
        quality = {each: float(value) for each, value in zip(names, values, strict=True) if value == value}
        title = name or known.stem.lower().replace(" ", "-")
        file = add_table(title, _document(ranking), quality, y, better, kind, family)
        typer.echo(f"added: {file}", err=True)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A table that list names.", show_default=False)],
) -> None:
    """Delete a table that you added.

    Exit codes: 0 done, 2 wrong usage.
    """
    with one_line_errors():
        from wqscore.evidence.own import remove_table

        remove_table(name)


@app.command("list")
def list_tables() -> None:
    """List the tables of the record, yours with their files.

    Exit codes: 0 done, 2 wrong usage or a table that can't be read.
    """
    with one_line_errors():
        from wqscore.evidence.own import own_tables, read_table_file
        from wqscore.evidence.record import parse_table, shipped_tables

        for name, text in sorted(shipped_tables().items()):
            typer.echo(f"{name}  {len(parse_table(text, name))} models")
        for name, file in own_tables().items():
            typer.echo(f"{name}  {len(read_table_file(file))} models, yours: {file}")


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_small(file, _MOST_BYTES))
    except OSError as error:
        raise UsageError(f"{file}: can't be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{file}: not a ranking.json of this version: make one with wqscore rank --out")
    return document
