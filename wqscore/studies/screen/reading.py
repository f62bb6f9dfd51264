"""Read the changes of an adapter, a tensor at a time: its low-rank updates, or a merged checkpoint less its base."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.decoding import is_update, read_contents
from wqscore.checkpoints.tensor import Tensor
from wqscore.errors import CheckpointError
from wqscore.execution.progress import ScoreProgress
from wqscore.execution.resources import Resources
from wqscore.execution.threads import Job
from wqscore.matrices.plan import matrices_of
from wqscore.matrices.weight_matrix import Cut, SkippedTensor, WeightMatrix
from wqscore.planning.peak_memory import held
from wqscore.planning.work import cost
from wqscore.presets.registry import DEFAULT
from wqscore.scoring.score_checkpoint import planned
from wqscore.spectra.spectrum import compute_spectrum
from wqscore.studies.diff.delta import measure
from wqscore.studies.diff.matching import Pair, by_name, remaining
from wqscore.studies.grouped import run_grouped
from wqscore.studies.screen.statistics import low_rank_statistics, values_statistics

#: Arrays of a matrix's shape in float64 that measuring holds at its peak.
_ARRAYS = 4
#: u of float32, in which a product that is cut into parts is computed.
_SINGLE = 2.0**-24


@dataclass(frozen=True)
class Module:
    """The change of one weight matrix.

    Attributes:
        matrix: the matrix.
        rank: of its factors; `None` where there are none.
        statistics: by name; empty where there are none.
        reason: why there are none; empty where there are.
    """

    matrix: WeightMatrix
    rank: int | None
    statistics: Mapping[str, float]
    reason: str = ""


@dataclass(frozen=True)
class Changes:
    """What an adapter changes.

    Attributes:
        modules: the changes, in the model's order.
        skipped: what could not be read, each with its reason.
        whole: matrices that are stored whole, beside the changes, or whose like the base lacks.
    """

    modules: tuple[Module, ...]
    skipped: tuple[SkippedTensor, ...]
    whole: tuple[str, ...]


_Measured = tuple[int | None, Mapping[str, float] | str]


def read_changes(
    checkpoint: Checkpoint, base: Checkpoint | None, resources: Resources, progress: ScoreProgress | None = None
) -> Changes:
    """Read the changes of an adapter, or of a merged checkpoint from its base, and measure each.

    Args:
        checkpoint: the adapter or the merged checkpoint.
        base: what a merged checkpoint is measured from; an adapter needs none.
        resources: threads and memory.
        progress: called as work is done.

    Raises:
        CheckpointError: there is no change in it, or a file changed meanwhile.
    """
    outcomes = planned(checkpoint, DEFAULT)
    matrices = matrices_of(outcomes)
    skipped = tuple(each for each in outcomes if isinstance(each, SkippedTensor) and each.kind == "unread")
    updates = [matrix for matrix in matrices if is_update(matrix.tensor)]
    if updates:
        modules = _measured(_groups(updates, None), updates, resources, progress)
        whole = tuple(matrix.name for matrix in matrices if not is_update(matrix.tensor))
        return Changes(modules, skipped, whole)
    if base is None:
        raise CheckpointError(f"{checkpoint.ref.label}: {_why_no_update(skipped)}")
    pairs = by_name(matrices_of(planned(base, DEFAULT)), matrices)
    if not pairs:
        raise CheckpointError(
            f"{checkpoint.ref.label}: shares no matrix with the base {base.ref.label}: name another"
        )
    found = [pair.other for pair in pairs]
    befores = {id(pair.other): pair for pair in pairs}
    _, left = remaining([], matrices, pairs)
    modules = _measured(_groups(found, befores), found, resources, progress)
    return Changes(modules, skipped, tuple(matrix.name for matrix in left))


def is_thin(matrices: Sequence[WeightMatrix]) -> bool:
    """Whether the matrices are one whole tensor of two axes, whose factors are all that is needed."""
    (first, *more) = matrices
    return not more and len(first.tensor.shape) == 2 and first.cut == Cut(first.tensor.shape)


def _why_no_update(skipped: Sequence[SkippedTensor]) -> str:
    if skipped:
        return f"no low-rank update can be read: {skipped[0].name}: {skipped[0].reason}"
    return "has no low-rank updates: name the base of a merged checkpoint with --base"


def _groups(matrices: Sequence[WeightMatrix], pairs: Mapping[int, Pair] | None) -> list[tuple[list[int], Job[Any]]]:
    """For each tensor, or two of them, the places of its matrices and the job that reads and measures them."""
    places: dict[tuple[int, ...], list[int]] = {}
    for place, matrix in enumerate(matrices):
        before = (id(pairs[id(matrix)].base.tensor),) if pairs else ()
        places.setdefault((id(matrix.tensor), *before), []).append(place)
    ordered = sorted(places.values(), key=lambda each: -cost(matrices[place] for place in each))
    return [(each, _job([matrices[place] for place in each], pairs)) for each in ordered]


def _job(matrices: Sequence[WeightMatrix], pairs: Mapping[int, Pair] | None) -> Job[list[_Measured]]:
    tensor = matrices[0].tensor
    largest = max(matrix.parameters for matrix in matrices) * np.dtype(np.float64).itemsize
    if pairs is None:
        read: Callable[[], Any] = partial(read_contents, tensor)
        work: Callable[[Any], list[_Measured]] = partial(_of_update, matrices)
        return Job(read, work, held(tensor) + (0 if is_thin(matrices) else _ARRAYS * largest), tensor.name)
    chosen = [pairs[id(matrix)] for matrix in matrices]
    before = chosen[0].base.tensor
    memory = held(tensor) + held(before) + _ARRAYS * largest
    return Job(partial(_both, before, tensor), partial(_of_pairs, chosen), memory, tensor.name)


def _measured(
    groups: Sequence[tuple[list[int], Job[list[_Measured]]]],
    matrices: Sequence[WeightMatrix],
    resources: Resources,
    progress: ScoreProgress | None,
) -> tuple[Module, ...]:
    amounts = [
        (len(places), matrices[places[0]].tensor.nbytes, cost(matrices[place] for place in places))
        for places, _ in groups
    ]
    found = run_grouped([places for places, _ in groups], [job for _, job in groups], resources, amounts, progress)
    return tuple(_module(matrix, *found[place]) for place, matrix in enumerate(matrices))


def _module(matrix: WeightMatrix, rank: int | None, found: Mapping[str, float] | str) -> Module:
    return Module(matrix, rank, {}, found) if isinstance(found, str) else Module(matrix, rank, found)


def _of_update(matrices: Sequence[WeightMatrix], contents: np.ndarray | LowRank) -> list[_Measured]:
    if isinstance(contents, LowRank):
        rank = contents.A.shape[0]
        if is_thin(matrices):
            return [(rank, low_rank_statistics(contents))]
        contents, known = contents.product, rank
    else:
        known = None
    return [(known, _of_values(matrix.values(contents).astype(np.float64), _SINGLE)) for matrix in matrices]


def _of_values(delta: np.ndarray, roundoff: float) -> Mapping[str, float] | str:
    spectrum = compute_spectrum(delta, roundoff)
    if spectrum.state != "finite":
        return _why_none(spectrum.state)
    return values_statistics(delta, spectrum.eigenvalues, spectrum.floor)


def _both(before: Tensor, after: Tensor) -> tuple[np.ndarray, np.ndarray]:
    return before.read(), after.read()


def _of_pairs(pairs: Sequence[Pair], arrays: tuple[np.ndarray, np.ndarray]) -> list[_Measured]:
    found: list[_Measured] = []
    for pair in pairs:
        before, after = pair.base.values(arrays[0]), pair.other.values(arrays[1])
        roundoffs = pair.base.tensor.dtype.unit_roundoff, pair.other.tensor.dtype.unit_roundoff
        delta = measure(before, after, None, roundoffs, 0)
        if delta.is_frozen:
            found.append((None, "not one weight differs from the base"))
        elif delta.spectrum.state != "finite":
            found.append((None, _why_none(delta.spectrum.state)))
        else:
            change = after.astype(np.float64) - before.astype(np.float64)
            found.append((None, values_statistics(change, delta.spectrum.eigenvalues, delta.floor)))
    return found


def _why_none(state: str) -> str:
    return "ΔW is zero: never trained, or left alone" if state == "zero" else "ΔW holds NaN or infinities"
