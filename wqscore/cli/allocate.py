"""`wqscore allocate prune`, `lr`, `wd`, `lora` and `unfreeze`: plan something layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from wqscore.api.settings import Settings
from wqscore.cli import options
from wqscore.cli.exits import one_line_errors
from wqscore.cli.open_store import open_store
from wqscore.cli.output import check_output, publish_study
from wqscore.cli.records import Only, with_options

if TYPE_CHECKING:
    from wqscore.studies.allocate.allocate import Use

app = typer.Typer(
    name="allocate",
    help="Plan pruning, rates or ranks layer by layer, from a metric.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="REF|LAYERS.csv",
        help="A model, or a table with the columns name, block, params and the metric.",
        show_default=False,
    ),
]
OfSettings = Annotated[Settings, Only("preset", "seed", "stream", "store", "jobs", "memory", "device", "precision")]
ByOption = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="METRIC",
        help="The metric; by default the one that the published code takes.",
        show_default=False,
    ),
]
EpsilonOption = Annotated[
    float, typer.Option("--epsilon", metavar="E", help="Half the range, as a share of --total.")
]


@dataclass(frozen=True)
class ShownOptions:
    """Options: the metric, and where the plan goes."""

    by: ByOption = None
    out: options.OutOption = None
    output: options.FormatOption = "table"
    no_store: options.NoStoreOption = False
    quiet: options.QuietOption = False


@app.command()
@with_options
def prune(
    source: SourceArgument,
    *,
    total: Annotated[float, typer.Option("--total", metavar="T", help="Share of all weights.", show_default=False)],
    epsilon: EpsilonOption = 0.3,
    most: Annotated[float, typer.Option("--max", metavar="M", help="Largest share of a block.")] = 0.99,
    least: Annotated[float, typer.Option("--min", metavar="M", help="Smallest share of a block.")] = 0.0,
    written: Annotated[
        Literal["mergekit"] | None,
        typer.Option("--as", help="Print it as the densities of a merge by mergekit.", show_default=False),
    ] = None,
    shown: ShownOptions,
    settings: OfSettings,
) -> None:
    """Plan how much of each block to prune.

    As AlphaPruning does: more where the metric is larger. Always beside the uniform plan and one linear in depth.

    Exit codes: 0 done, 2 wrong usage or a total that can't be met, 3 the model could not be scored, 130 interrupted.
    """
    _plan("prune", source, total, written, shown, settings, epsilon=epsilon, most=most, least=least)


@app.command()
@with_options
def lr(
    source: SourceArgument,
    *,
    total: Annotated[float, typer.Option("--total", metavar="LR", help="The base rate.", show_default=False)],
    epsilon: EpsilonOption = 0.5,
    form: Annotated[
        Literal["linear", "sqrt", "log2"],
        typer.Option("--form", help="The map; sqrt and log2 keep the mean, and need no --epsilon."),
    ] = "linear",
    written: Annotated[
        Literal["groups"] | None,
        typer.Option("--as", help="Print it as torch's parameter groups, in JSON.", show_default=False),
    ] = None,
    shown: ShownOptions,
    settings: OfSettings,
) -> None:
    """Plan a learning rate for each block.

    As TempBalance does: higher where the metric is larger. Always beside the uniform plan and one linear in depth.

    Exit codes: 0 done, 2 wrong usage, 3 the model could not be scored, 130 interrupted.
    """
    _plan("lr", source, total, written, shown, settings, epsilon=epsilon, form=form)


@app.command()
@with_options
def wd(
    source: SourceArgument,
    *,
    total: Annotated[float, typer.Option("--total", metavar="WD", help="The base decay.", show_default=False)],
    epsilon: EpsilonOption = 0.5,
    written: Annotated[
        Literal["groups"] | None,
        typer.Option("--as", help="Print it as torch's parameter groups, in JSON.", show_default=False),
    ] = None,
    shown: ShownOptions,
    settings: OfSettings,
) -> None:
    """Plan a weight decay for each block.

    As AlphaDecay does: more where the metric is larger. Always beside the uniform plan and one linear in depth.

    Exit codes: 0 done, 2 wrong usage, 3 the model could not be scored, 130 interrupted.
    """
    _plan("wd", source, total, written, shown, settings, epsilon=epsilon)


@app.command()
@with_options
def lora(
    source: SourceArgument,
    *,
    total: Annotated[
        int, typer.Option("--total", metavar="T", help="Sum of the ranks, or of the experts.", show_default=False)
    ],
    beta: Annotated[float, typer.Option("--beta", metavar="B", help="Power of the metric.")] = 2.5,
    least: Annotated[int, typer.Option("--min", metavar="M", help="The least of each block.", min=0)] = 1,
    shown: ShownOptions,
    settings: OfSettings,
) -> None:
    """Plan LoRA ranks or numbers of experts.

    As AlphaLoRA does: more where the metric is larger. Always beside the uniform plan and one linear in depth.

    Exit codes: 0 done, 2 wrong usage or a total that can't be met, 3 the model could not be scored, 130 interrupted.
    """
    _plan("lora", source, total, None, shown, settings, beta=beta, least=least)


@app.command()
@with_options
def unfreeze(
    source: SourceArgument,
    *,
    total: Annotated[
        float,
        typer.Option("--total", metavar="T", help="Share of each role's matrices to train.", show_default=False),
    ],
    written: Annotated[
        Literal["axolotl"] | None,
        typer.Option("--as", help="Print it as Axolotl's unfrozen_parameters, in YAML.", show_default=False),
    ] = None,
    shown: ShownOptions,
    settings: OfSettings,
) -> None:
    """Choose the matrices to train.

    As Spectrum does: those that stand out most from noise. Always beside choices spread evenly and of the deepest.

    Exit codes: 0 done, 2 wrong usage, 3 the model could not be scored, 130 interrupted.
    """
    _plan("unfreeze", source, total, written, shown, settings)


def _plan(
    use: Use,
    source: str,
    total: float,
    written: Any,
    shown: ShownOptions,
    settings: Settings,
    **plan: Any,
) -> None:
    """Make a plan, write its files and print it."""
    with one_line_errors():
        check_output(shown.out)
        from wqscore.cli.progress import ProgressBars
        from wqscore.studies.allocate.allocate import allocate
        from wqscore.studies.allocate.files import write_allocation

        with open_store(settings, shown.no_store) as opened, ProgressBars(shown.quiet) as progress:
            found = allocate(use, source, total, shown.by, settings=opened, progress=progress, **plan)
        write = partial(write_allocation, found, written=written)
        publish_study(found, write, shown.out, written or shown.output, shown.quiet, "plan")
