"""`wqscore phase`: sort a grid of trained networks into phases."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Literal

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import NOT_SCORED, one_line_errors
from wqscore.cli.open_store import open_store
from wqscore.cli.output import check_output, publish_study
from wqscore.cli.records import Only, with_options

_SETTINGS = ("preset", "metrics", "layers", "roles", "seed", "stream", "store", "jobs", "memory")


@dataclass(frozen=True)
class BoundOptions:
    """Options: where the phases are bounded, and which columns are drawn."""

    thresholds: Annotated[
        Literal["2means", "median"],
        typer.Option("--thresholds", help="How the grid's own thresholds are found, unless all three are given."),
    ] = "2means"
    sharp: Annotated[
        float | None,
        typer.Option("--sharp", metavar="X", help="From this log top eigenvalue on, sharp.", show_default=False),
    ] = None
    barrier: Annotated[
        float | None,
        typer.Option("--barrier", metavar="Y", help="Mode connectivity within ±Y: connected.", show_default=False),
    ] = None
    similar: Annotated[
        float | None, typer.Option("--similar", metavar="Z", help="CKA above this: similar.", show_default=False)
    ] = None
    sharp_col: Annotated[
        str | None,
        typer.Option(
            "--sharp-col",
            metavar="COL",
            help="Logarithm of the Hessian's largest eigenvalue; log_hessian_top_eig unless given.",
            show_default=False,
        ),
    ] = None
    barrier_col: Annotated[
        str | None,
        typer.Option(
            "--barrier-col",
            metavar="COL",
            help="Mode connectivity, below 0 for a barrier; mode_connectivity unless given.",
            show_default=False,
        ),
    ] = None
    similar_col: Annotated[
        str | None,
        typer.Option("--similar-col", metavar="COL", help="CKA; cka_last unless given.", show_default=False),
    ] = None
    loss: Annotated[
        str | None,
        typer.Option("--loss", metavar="COL", help="The training loss, for --trained.", show_default=False),
    ] = None
    trained: Annotated[
        float | None,
        typer.Option("--trained", metavar="X", help="Above this loss a cell is not trained.", show_default=False),
    ] = None
    maps: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="COL",
            help="Column to draw as a heat map; repeat. By default the phases' own and every metric.",
            show_default=False,
        ),
    ] = None


@dataclass(frozen=True)
class RunOptions:
    """Options: what is good, which checkpoints are scored, and how that is shown."""

    good: Annotated[
        str | None,
        typer.Option(
            "--good", metavar="COL", help="What is good, such as test accuracy; higher is better.", show_default=False
        ),
    ] = None
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="COL",
            help="Column that names each row's checkpoint, to be scored.",
            show_default=False,
        ),
    ] = None
    no_store: options.NoStoreOption = False
    quiet: options.QuietOption = False


@with_options
def phase(
    grid: Annotated[
        str,
        typer.Argument(
            metavar="GRID",
            help="A CSV file with a row for each cell, or paths of checkpoints: 'runs/w{width}-lr{lr}'.",
            show_default=False,
        ),
    ],
    *,
    size: Annotated[str, typer.Option("--size", metavar="COL", help="Size, such as width.", show_default=False)],
    temperature: Annotated[
        str,
        typer.Option("--temperature", metavar="COL", help="Temperature, such as batch size.", show_default=False),
    ],
    bounds: BoundOptions,
    out: options.OutOption = None,
    output: options.FormatOption = "table",
    settings: Annotated[Settings, Only(*_SETTINGS)],
    run: RunOptions,
) -> None:
    """Sort a grid of trained networks into phases.

    Phases of Yang et al. (arXiv 2107.11228), from columns of the Hessian's largest eigenvalue, mode connectivity and
    CKA. A grid without these gets heat maps alone; one of checkpoints those of their metrics, and of how alike their
    weights are. Writes phase.csv, phase.json and index.html to --out if it is given.

    Exit codes: 0 done, 2 wrong usage or a table that can't be taken, 3 a checkpoint could not be scored.
    """
    with one_line_errors():
        check_output(out)
        from wqscore.cli.progress import ProgressBars
        from wqscore.studies.phase.files import write_phases
        from wqscore.studies.phase.pattern import is_pattern
        from wqscore.studies.phase.phase import phase as sort_cells

        chosen = {name: value for name, value in asdict(bounds).items() if value is not None}
        is_scored = run.model is not None or is_pattern(grid)
        opened = open_store(settings, run.no_store) if is_scored else nullcontext(settings)
        with opened as settings, ProgressBars(run.quiet) as progress:
            found = sort_cells(
                grid, size, temperature, run.good, model=run.model, settings=settings, progress=progress, **chosen
            )
        publish_study(found, partial(write_phases, found), out, output, run.quiet)
        if found.failed:
            raise typer.Exit(NOT_SCORED)
