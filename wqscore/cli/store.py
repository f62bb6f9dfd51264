"""`wqscore store`: inspect, prune, merge and export a store."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wqscore.cli.exits import NOT_SCORED, one_line_errors, print_error
from wqscore.cli.output import show
from wqscore.errors import UsageError

if TYPE_CHECKING:
    from wqscore.stores.store import Store

app = typer.Typer(
    help="Look at the store of results, clear, merge or print it.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


#: How `info` is printed.
InfoFormat = Literal["table", "json"]
#: How results are printed.
ExportFormat = Literal["csv", "json"]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="PATH",
        help="The store's file; by default WQSCORE_STORE, or wqscore/store.sqlite in the user's cache folder.",
        show_default=False,
    ),
]
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@app.command()
def info(
    path: StoreOption = None,
    output: Annotated[InfoFormat, typer.Option("--format", help="What standard output gets.")] = "table",
) -> None:
    """Show where the store is, its size, and what it holds.

    Reads every row and checks it.

    Exit codes: 0 done, 2 wrong usage, 3 there is no store, it is damaged, or rows of it are.
    """
    with one_line_errors():
        from wqscore.stores.overview import overview

        with _opened(path, writable=False) as store:
            show(overview(store), output)
            _complain_of_damage(store)


@app.command()
def prune(
    path: StoreOption = None,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="90d",
            help="Forget models last scored so long ago: hours (12h), days (90d) or weeks (8w).",
            show_default=False,
        ),
    ] = None,
    keep_last: Annotated[
        int | None,
        typer.Option(
            "--keep-last", metavar="N", min=0, help="Forget all but the N models scored last.", show_default=False
        ),
    ] = None,
    unused: Annotated[
        bool,
        typer.Option("--unused", help="Delete what belongs to no model, and to files that are gone or have changed."),
    ] = False,
) -> None:
    """Delete what is no longer wanted, and make the file smaller.

    What a forgotten model shares with another one stays. Nothing is lost that can't be computed again.

    Exit codes: 0 done, 2 wrong usage, 3 the store can't be written.
    """
    with one_line_errors():
        if older_than is None and keep_last is None and not unused:
            raise UsageError("choose what to delete: --older-than, --keep-last or --unused")
        from wqscore.stores.pruning import prune as prune_store
        from wqscore.stores.report import print_pruned

        before = None if older_than is None else _ago(older_than)
        with _opened(path, must_exist=True) as store:
            print_pruned(prune_store(store, before, keep_last, unused))


@app.command()
def merge(
    others: Annotated[list[Path], typer.Argument(metavar="OTHER...", help="Stores to add, each left as it is.")],
    path: StoreOption = None,
) -> None:
    """Add what other stores hold.

    They may be of the machines that a cluster's work was shared out to.

    Where two stores differ, what is here is kept, and it is told how often that was so. What is added is the word of
    those who made it: `info` lists where it came from, and --verify of gate, score and rank uses none of it.

    Exit codes: 0 done, 2 wrong usage, 3 a store could not be read (the others are added).
    """
    with one_line_errors():
        from wqscore.stores.errors import StoreError
        from wqscore.stores.merging import merge as merge_stores
        from wqscore.stores.report import print_merged
        from wqscore.stores.store import Store

        failed = False
        with _opened(path) as store:
            for other in others:
                try:
                    with Store.open(other, writable=False) as source:
                        if other.samefile(store.path):
                            raise UsageError(f"{other}: is the store itself: name others")
                        merged = merge_stores(store, source)
                except StoreError as error:
                    print_error(str(error))
                    failed = True
                    continue
                print_merged(other, merged)
                failed = failed or bool(merged.damaged)
        if failed:
            raise typer.Exit(NOT_SCORED)


@app.command()
def export(
    path: StoreOption = None,
    output: Annotated[ExportFormat, typer.Option("--format", help="What standard output gets.")] = "csv",
) -> None:
    """Print every stored result.

    Of which model, tensor and part it is, by which method, and its value.

    Exit codes: 0 done, 2 wrong usage, 3 there is no store, it is damaged, or rows of it are.
    """
    with one_line_errors():
        from wqscore.stores.report import results_csv, results_json

        with _opened(path, writable=False) as store:
            _print(results_json(store) if output == "json" else results_csv(store))
            _complain_of_damage(store)


def _opened(path: Path | None, writable: bool = True, must_exist: bool = False) -> Store:
    from wqscore.stores.errors import StoreError
    from wqscore.stores.location import standard_path
    from wqscore.stores.store import Store

    where = path or standard_path()
    if must_exist and not where.exists():
        raise StoreError(f"no store at {where}: name another")
    return Store.open(where, writable)


def _ago(text: str) -> datetime:
    """The time that long ago; the text is a number and h, d or w."""
    from wqscore.rendering.timestamp import created_at

    match = re.fullmatch(r"([0-9]{1,6})([hdw])", text)
    try:
        if match:
            return created_at() - timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        pass
    raise UsageError(f"--older-than is {text!r}: give hours, days or weeks, such as 12h, 90d or 8w")


def _complain_of_damage(store: Store) -> None:
    from wqscore.stores.report import damage

    if store.damaged:
        print_error(f"{store.path}: {damage(store.damaged)}: they are computed again when they are needed")
        raise typer.Exit(NOT_SCORED)


def _print(text: str) -> None:
    # UTF-8 whatever the terminal's encoding.
    typer.echo(text.encode("utf-8", "backslashreplace"), nl=False)
