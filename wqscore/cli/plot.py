"""`wqscore plot`: draw a chart of one model to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import one_line_errors
from wqscore.cli.open_store import open_store
from wqscore.cli.records import Only, with_options
from wqscore.errors import CheckpointError, UsageError

if TYPE_CHECKING:
    from wqscore.reports.plot import Picture
    from wqscore.scoring.model_score import ModelScore

_ENDINGS = (".svg", ".png")

#: What is drawn.
Chart = Literal["spectrum", "distance", "depth"]


@with_options
def plot(
    ref: options.Ref,
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The picture: FILE.svg or FILE.png.", show_default=False)
    ],
    layer: Annotated[
        str | None,
        typer.Option(
            "--layer",
            metavar="NAME",
            help="The matrix: its name, or a part that is in no other's. Not with --chart depth, which shows all.",
            show_default=False,
        ),
    ] = None,
    chart: Annotated[
        Chart,
        typer.Option(
            "--chart",
            help="The density of its eigenvalues with the fitted tail; D of every candidate for xmin; or alpha of "
            "every layer.",
        ),
    ] = "spectrum",
    *,
    settings: Annotated[Settings, Only("preset", "layers", "roles", "stream", "store", "jobs", "memory")],
    no_store: options.NoStoreOption = False,
    quiet: options.QuietOption = False,
) -> None:
    """Draw a chart of one model, dark on white: for a paper.

    Scores the model as `wqscore score` does, and looks up in the store what is there.

    Exit codes: 0 done, 2 wrong usage, 3 it could not be scored or written, 130 interrupted.
    """
    with one_line_errors():
        _check(out, layer, chart)
        from wqscore.api.score import score as score_ref
        from wqscore.cli.progress import ProgressBars
        from wqscore.rendering.result_file import write_bytes

        with open_store(settings, no_store) as settings, ProgressBars(quiet) as progress:
            result = score_ref(ref, settings=settings, progress=progress)
        picture = _picture(result, layer, chart)
        write_bytes(out, picture.svg().encode() if out.suffix.lower() == ".svg" else picture.png())


def _check(out: Path, layer: str | None, chart: Chart) -> None:
    from wqscore.rendering.result_file import check_file

    if out.suffix.lower() not in _ENDINGS:
        raise UsageError(f"{out}: pictures are {' or '.join(_ENDINGS)}: end its name with one of these")
    if (layer is None) != (chart == "depth"):
        raise UsageError(
            "--chart depth shows every layer: leave --layer out"
            if layer is not None
            else f"--chart {chart} is of one matrix: name it with --layer (wqscore describe lists them)"
        )
    check_file(out)


def _picture(score: ModelScore, layer: str | None, chart: Chart) -> Picture:
    from wqscore.reports.plot import LAYER_PICTURES, depth_picture
    from wqscore.scoring.find_layer import choose_layer

    if layer is None:
        if not any(row.fit for row in score.layers):
            raise CheckpointError(f"{score.ref.label}: no matrix has a fit to draw: wqscore score says why")
        return depth_picture(score)
    row = choose_layer(score, layer)
    if not row.spectrum.eigenvalues.size:
        raise CheckpointError(f"{score.ref.label}: {row.matrix.name}: has no spectrum to draw: {row.reason}")
    return LAYER_PICTURES[chart](score, row, score.preset.floor(row.spectrum))
