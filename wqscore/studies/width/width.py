"""How many neurons a model needs to compute what it computes, and the model with no more than those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from wqscore.api.run import own_errors
from wqscore.api.settings import Settings, SettingsKeywords, changed, takes_settings
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.decoding import is_update
from wqscore.checkpoints.fetch_or_stream import open_or_fall_back
from wqscore.errors import UsageError
from wqscore.execution.progress import RankProgress
from wqscore.execution.resources import Resources
from wqscore.matrices.plan import matrices_of
from wqscore.presets.registry import DEFAULT
from wqscore.refs.callers import as_ref
from wqscore.refs.reference import Model as AnyModel
from wqscore.refs.reference import ModelRef
from wqscore.results import Result
from wqscore.scoring.score_checkpoint import planned
from wqscore.studies.width.activations import Activation, named_activation
from wqscore.studies.width.blocks import Block, Model, Unmeasured
from wqscore.studies.width.chain import blocks_of
from wqscore.studies.width.configured import sections
from wqscore.studies.width.heads import Attention, Head, find_attention
from wqscore.studies.width.orientation import signs_of
from wqscore.studies.width.reading import Measured, measured

if TYPE_CHECKING:
    from wqscore.studies.width.narrow import Narrowed

#: What is merged unless told: from the same up to rounding, to what is only much alike.
TOLERANCES = (1e-6, 0.01, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class BlockWidth:
    """The width of one block.

    Attributes:
        name: the module that holds it.
        activation: what its neurons compute; empty where that is not known.
        stored: how many neurons it has; `None` where that can't be told.
        silent: those without an effect at the smallest tolerance.
        constant: those that don't depend on their input, whether the next layer's bias can take them or not.
        effective: how many are left at each tolerance; empty where it could not be measured.
        error_bound: how far its outputs move at most for an input (x, 1) of length 1, at each tolerance.
        nearest: the largest cosine of the incoming weights of two neurons; NaN where there are no two.
        reason: why there are no numbers; empty where there are.
    """

    name: str
    activation: str
    stored: int | None
    silent: int | None = None
    constant: int | None = None
    effective: tuple[int, ...] = ()
    error_bound: tuple[float, ...] = ()
    nearest: float = nan
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Width(Result):
    """How many neurons a model needs.

    Attributes:
        ref: the model.
        revision: its commit on the Hub; `None` for files on disk.
        tolerances: ascending.
        blocks: the two-layer blocks.
        heads: the attention heads.
        remarks: what was taken as the model, and what else is to be known.
        narrowed: the narrower checkpoint, if one was written.
    """

    ref: ModelRef
    revision: str | None
    tolerances: tuple[float, ...]
    blocks: tuple[BlockWidth, ...]
    heads: tuple[Head, ...]
    remarks: tuple[str, ...] = ()
    narrowed: Narrowed | None = None

    def __repr__(self) -> str:
        """The model, and what is left of its width."""
        left = f"{self.effective[0]:,} of {self.stored:,} neurons" if self.measured else "no block measured"
        return f"<Width of {self.ref.label:.80}: {left}>"

    @property
    def measured(self) -> tuple[BlockWidth, ...]:
        """The blocks with numbers."""
        return tuple(block for block in self.blocks if not block.reason)

    @property
    def stored(self) -> int:
        """The neurons of the blocks with numbers."""
        return sum(block.stored or 0 for block in self.measured)

    @property
    def effective(self) -> tuple[int, ...]:
        """What is left of them at each tolerance."""
        return tuple(sum(block.effective[at] for block in self.measured) for at in range(len(self.tolerances)))

    @property
    def nearest(self) -> float:
        """The largest cosine of two neurons of one block; NaN without any."""
        return max((block.nearest for block in self.measured if isfinite(block.nearest)), default=nan)


@takes_settings
def width(
    model: AnyModel,
    *,
    tolerances: Sequence[float] = TOLERANCES,
    activation: str | None = None,
    write: Path | str | None = None,
    settings: Settings | None = None,
    progress: RankProgress | None = None,
    **changes: Unpack[SettingsKeywords],
) -> Width:
    """Count the neurons that a model needs: those that do the same are merged, those without an effect dropped.

    Reads the tensors of blocks and attentions once, and solves nothing. With `write`, reads all once more.

    Args:
        model: the model, as for `wqscore.score`.
        tolerances: how far apart merged neurons may be, each above 0 and below 1 (docs/width.md).
        activation: what blocks compute, such as `relu`; as the configuration says if `None`.
        write: a new folder for the narrower checkpoint, merged at the smallest tolerance.
        settings: `stream`, `jobs`, `memory` are used.
        progress: receives progress.
        **changes: these three as keywords.

    Raises:
        UsageError: an unknown reference, setting or activation, a tolerance out of range, or a checkpoint that can't
            be written narrower.
        CheckpointError: a model that can't be found, fetched or read.
        ReportError: the folder can't be written.

    Example:
        `wqscore.width("./wide").effective`
    """
    chosen = changed(settings, changes)
    if chosen.engine != "wqscore":
        raise UsageError("width reads weights, which other engines don't report: leave engine out")
    ascending = _checked(tolerances)
    given = named_activation(activation) if activation is not None else None
    ref = as_ref(model)
    folder = None if write is None else Path(write)
    if folder is not None:
        from wqscore.studies.width.narrow import check_target

        check_target(folder)
    with own_errors(ref):
        checkpoint = open_or_fall_back(ref, chosen.stream, progress)
        if folder is not None:
            from wqscore.studies.width.narrow import check_source

            check_source(checkpoint)
        return _width(checkpoint, ascending, given, Resources(chosen.jobs, chosen.memory), progress, folder)


def width_of_blocks(
    ref: ModelRef, tolerance: float, activation: Activation | None, settings: Settings, progress: RankProgress | None
) -> Width:
    """The width of a model's blocks alone: no attention is read, and no head in it.

    Args:
        ref: the model.
        tolerance: as for `width`.
        activation: what blocks compute; as the configuration says if `None`.
        settings: `stream`, `jobs`, `memory` are used.
        progress: receives progress.

    Raises:
        UsageError: an adapter without its base.
        CheckpointError: a model that can't be found, fetched or read.
    """
    with own_errors(ref):
        checkpoint = open_or_fall_back(ref, settings.stream, progress)
        resources = Resources(settings.jobs, settings.memory)
        return _width(checkpoint, (tolerance,), activation, resources, progress, heads=False)


def model_of(checkpoint: Checkpoint, activation: Activation | None = None) -> Model:
    """What is known of an open checkpoint without reading a weight.

    Args:
        checkpoint: an opened checkpoint.
        activation: what blocks compute, if the user says so.
    """
    tensors = {tensor.name: tensor for tensor in checkpoint.tensors if tensor.name not in checkpoint.training_state}
    parts = sections(checkpoint.config)
    return Model(tensors, matrices_of(planned(checkpoint, DEFAULT)), parts, signs_of(tensors, parts), activation)


def _checked(tolerances: Sequence[float]) -> tuple[float, ...]:
    found = tuple(sorted({float(each) for each in tolerances}))
    wrong = next((each for each in found if not 0 < each < 1), None)
    if not found or wrong is not None:
        raise UsageError(f"tolerance is {'missing' if wrong is None else wrong}: give numbers above 0 and below 1")
    return found


def _width(
    checkpoint: Checkpoint,
    tolerances: tuple[float, ...],
    activation: Activation | None,
    resources: Resources,
    progress: RankProgress | None,
    folder: Path | None = None,
    heads: bool = True,
) -> Width:
    model = model_of(checkpoint, activation)
    if model.matrices and all(is_update(matrix.tensor) for matrix in model.matrices):
        raise UsageError(f"{checkpoint.ref.label} is an adapter without its base: name it as base+adapter")
    found, is_chain = blocks_of(model, list(model.tensors.values()))
    attentions = find_attention(model) if heads else []
    blocks = [each for each in found if isinstance(each, Block)]
    to_read = [each for each in attentions if isinstance(each, Attention)]
    bar = progress.model(checkpoint.ref) if progress else None
    widths, ranked = measured(blocks, to_read, tolerances, is_chain, resources, bar)
    narrowed = None
    if folder is not None and any(each.merged for each in widths):
        from wqscore.studies.width.narrow import write_narrow

        unmeasured = [each for each in found if isinstance(each, Unmeasured)]
        narrowed = write_narrow(checkpoint, widths, unmeasured, folder)
    rows = iter(widths)
    ranks = iter(ranked)
    return Width(
        ref=checkpoint.ref,
        revision=checkpoint.revision,
        tolerances=tolerances,
        blocks=tuple(_row(next(rows)) if isinstance(each, Block) else _unmeasured(each) for each in found),
        heads=tuple(head for each in attentions for head in (next(ranks) if isinstance(each, Attention) else [each])),
        remarks=checkpoint.remarks,
        narrowed=narrowed,
    )


def _row(found: Measured) -> BlockWidth:
    block = found.block
    if not found.merged:
        return BlockWidth(block.name, block.activation.name, block.stored, reason=found.reason)
    return BlockWidth(
        name=block.name,
        activation=block.activation.name,
        stored=block.stored,
        silent=found.merged[0].silent,
        constant=found.merged[0].constant,
        effective=tuple(each.effective for each in found.merged),
        error_bound=tuple(each.error_bound for each in found.merged),
        nearest=found.nearest,
    )


def _unmeasured(each: Unmeasured) -> BlockWidth:
    return BlockWidth(each.name, each.activation, each.stored, reason=each.reason)


def by_tolerance(tolerances: Sequence[float], values: Sequence[object]) -> Mapping[str, object]:
    """Values keyed by tolerance, as `str` writes it."""
    return {str(tolerance): value for tolerance, value in zip(tolerances, values, strict=False)}
