"""`wqscore leaderboard build` and `wqscore leaderboard check`: make a static site, and check it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors
from wqscore.cli.open_store import open_store
from wqscore.cli.output import check_output, complain_if_unscored
from wqscore.cli.records import Only, with_options
from wqscore.errors import UsageError
from wqscore.escaping import printable

if TYPE_CHECKING:
    from wqscore.leaderboards.built import Built

#: How many of tonight's events are printed.
_MAX_EVENTS = 8

app = typer.Typer(
    name="leaderboard", help="Build a leaderboard as static web pages, night after night.", no_args_is_help=True
)


@dataclass(frozen=True)
class KnownOptions:
    """Options: known figures of the models."""

    known: Annotated[
        Path | None,
        typer.Option(
            "--known",
            metavar="FILE",
            help="What is known of the models: a CSV file with a column model.",
            show_default=False,
        ),
    ] = None
    y: options.KnownColumnOption = None


@dataclass(frozen=True)
class OrderOptions:
    """Options: the metric to rank by, and the record behind the odds."""

    by: Annotated[
        str | None, typer.Option("--by", metavar="METRIC", help="The metric to rank by; alpha by default.")
    ] = None
    evidence: options.EvidenceOption = None


@app.command()
@with_options
def build(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="LIST|MODEL...",
            help="Model lists: TOML files, or names that ship (wqscore models); and models, as for rank.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="SITE", file_okay=False, help="The site's folder.", show_default=False)
    ],
    *,
    order: OrderOptions,
    known: KnownOptions,
    url: Annotated[
        str, typer.Option("--url", metavar="ADDRESS", help="Where the site is published, for badges and the feed.")
    ] = "",
    settings: Annotated[
        Settings, Only("family", "stream", "store", "jobs", "memory", "backend", "device", "precision")
    ],
    no_store: options.NoStoreOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Build the site, or one more night of it.

    What is in SITE is read back first: a model that can't be scored tonight keeps its last row, marked stale, and one
    that is in no list any more is withdrawn. A night built again replaces itself.

    Exit codes: 0 done, 2 wrong usage, 3 a model could not be scored (the site is built), 130 interrupted (nothing is
    written).
    """
    with one_line_errors():
        check_output(out)
        if known.known is None and known.y is not None:
            raise UsageError("--y names a column of --known: give that too")
        from wqscore.cli.progress import ProgressBars
        from wqscore.leaderboards.building import build as build_site
        from wqscore.leaderboards.known import KnownColumn
        from wqscore.leaderboards.sources import read_sources
        from wqscore.studies.known.score_table import read_table

        loaded = read_sources(sources)
        column = KnownColumn(read_table(known.known), known.y) if known.known else None
        with open_store(settings, no_store) as settings, ProgressBars(quiet) as progress:
            built = build_site(
                loaded,
                out,
                known=column,
                url=url,
                by=order.by,
                evidence=order.evidence,
                settings=settings,
                progress=progress,
            )
        _print_night(built)
        unscored = [complain_if_unscored(score) for score in built.ranking.scores]
        if any(unscored) or any(model.status == "failed" for model in built.ranking.models):
            raise typer.Exit(NOT_SCORED)


@app.command()
def check(
    site: Annotated[Path, typer.Argument(metavar="SITE", help="The site's folder.")],
    max_failed: Annotated[
        str | None,
        typer.Option(
            "--max-failed",
            metavar="SHARE",
            help="The largest share of models that tonight may leave unscored, such as 20%.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Check a site before it is published.

    Looks at links, data and sizes, and for missing pages. A site of whose models none was scored tonight fails as
    well. Prints one finding a line.

    Exit codes: 0 none, 1 some, 2 the folder is no site.
    """
    with one_line_errors():
        from wqscore.leaderboards.checking import check_site, parse_share

        findings = check_site(site, None if max_failed is None else parse_share(max_failed))
        for finding in findings:
            typer.echo(printable(finding))
        if findings:
            raise typer.Exit(1)


def _print_night(built: Built) -> None:
    from wqscore.rendering.numbers import counted

    site = built.site
    kinds = Counter(event.kind for event in site.tonight)
    events = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "nothing changed"
    typer.echo(f"{site.night}: {counted(len(site.models), 'model')}, {events}")
    for event in site.tonight[:_MAX_EVENTS]:
        typer.echo(f"  {event.kind}: {printable(event.name)}: {printable(event.text)}")
    if len(site.tonight) > _MAX_EVENTS:
        typer.echo(f"  and {len(site.tonight) - _MAX_EVENTS} more")
    typer.echo(f"site: {printable(str(built.index))}")
