"""`wqscore plot`: draw a chart of one model, or of several by depth, to a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import one_line_errors
from wqscore.cli.open_store import open_store
from wqscore.cli.records import Only, with_options
from wqscore.errors import UsageError

if TYPE_CHECKING:
    from wqscore.reports.plots.picture import Look, Picture
    from wqscore.scoring.model_score import ModelScore

#: What is drawn.
Chart = Literal["spectrum", "distance", "depth"]


@dataclass(frozen=True)
class ChartOptions:
    """Options: what is drawn."""

    layer: Annotated[
        str | None,
        typer.Option(
            "--layer",
            metavar="NAME",
            help="The matrix: its name, or a part that is in no other's. Without it spectrum draws all, small.",
            show_default=False,
        ),
    ] = None
    chart: Annotated[
        Chart,
        typer.Option(
            "--chart",
            help="The density of eigenvalues with the fitted tail; D of every candidate for xmin; or a metric of "
            "every layer, of one model or several.",
        ),
    ] = "spectrum"
    metric: Annotated[str, typer.Option("--metric", metavar="NAME", help="What --chart depth shows.")] = "alpha"
    bulk: Annotated[bool, typer.Option("--bulk", help="Draw the bulk's Marchenko-Pastur law too.")] = False
    shuffled: Annotated[
        bool, typer.Option("--shuffled", help="Draw the shuffled weights' spectrum too; reads the weights.")
    ] = False


@dataclass(frozen=True)
class LookOptions:
    """Options: how it is drawn."""

    width: Annotated[
        float | None,
        typer.Option("--width", metavar="INCHES", min=1, max=100, help="Width of the picture.", show_default=False),
    ] = None
    dpi: Annotated[
        float, typer.Option("--dpi", metavar="N", min=36, max=1200, help="Pixels for each inch of a PNG.")
    ] = 216
    font: Annotated[
        str, typer.Option("--font", metavar="NAME", help="Font of all text; another where it is missing.")
    ] = "sans-serif"


@with_options
def plot(
    refs: Annotated[list[str], typer.Argument(metavar="REF...", help=options.REF_HELP, show_default=False)],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="The picture: FILE.svg, FILE.png or FILE.pdf.", show_default=False
        ),
    ],
    *,
    chart: ChartOptions,
    look: LookOptions,
    settings: Annotated[Settings, Only("preset", "layers", "roles", "stream", "store", "jobs", "memory")],
    no_store: options.NoStoreOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Draw a chart of one model, dark on white: for a paper.

    Scores the model as `wqscore score` does, and looks up in the store what is there. --chart depth takes several.
    A mark is hollow where the verdict is not ok.

    Exit codes: 0 done, 2 wrong usage, 3 it could not be scored or written, 130 interrupted.
    """
    with one_line_errors():
        _check(refs, out, chart)
        from dataclasses import replace

        from wqscore.api.score import score as score_ref
        from wqscore.cli.progress import ProgressBars
        from wqscore.metrics.registry import find_metric
        from wqscore.rendering.result_file import write_bytes
        from wqscore.reports.plots.picture import Look

        if chart.metric != "alpha":
            settings = replace(settings, metrics=("core", find_metric(chart.metric).name))
        how = Look(look.width, look.dpi, look.font)
        with open_store(settings, no_store) as settings, ProgressBars(quiet) as progress:
            scores = [score_ref(ref, settings=settings, progress=progress) for ref in refs]
        write_bytes(out, _picture(scores, chart, how).file(out.suffix, how))


def _check(refs: Sequence[str], out: Path, chart: ChartOptions) -> None:
    from wqscore.rendering.result_file import check_file
    from wqscore.reports.plots.kinds import check_chart
    from wqscore.reports.plots.picture import ENDINGS

    if out.suffix.lower() not in ENDINGS:
        raise UsageError(f"{out}: pictures are {', '.join(ENDINGS)}: end its name with one of these")
    check_chart(chart.chart, chart.layer, chart.metric, chart.bulk or chart.shuffled)
    if len(refs) > 1 and chart.chart != "depth":
        raise UsageError(f"--chart {chart.chart} takes one model; use --chart depth for several")
    if len(set(refs)) < len(refs):
        raise UsageError(f"{next(ref for ref in refs if refs.count(ref) > 1)} was named twice")
    check_file(out)


def _picture(scores: Sequence[ModelScore], chart: ChartOptions, look: Look) -> Picture:
    from wqscore.reports.plots.kinds import score_picture
    from wqscore.reports.plots.models import depth_picture

    if chart.chart == "depth":
        return depth_picture(scores, chart.metric)
    return score_picture(scores[0], chart.chart, chart.layer, bulk=chart.bulk, shuffled=chart.shuffled, look=look)
