"""Read the matrices of both models, a tensor of each at a time, and measure what changed in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from wqscore.checkpoints.decoding import DecodedTensor
from wqscore.checkpoints.tensor import Tensor
from wqscore.execution.progress import ScoreProgress
from wqscore.execution.resources import Resources
from wqscore.execution.threads import Job
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.planning.peak_memory import held
from wqscore.planning.work import cost
from wqscore.studies.diff.delta import Delta, measure
from wqscore.studies.diff.fingerprint import Fingerprint, fingerprint
from wqscore.studies.diff.matching import Pair
from wqscore.studies.grouped import run_grouped

#: Arrays of a matrix's shape in float64 that measuring holds at its peak.
_ARRAYS = 4
#: Where the weights of a matrix are read; another than its own for a model in memory, which its score lets go of.
Source = Callable[[WeightMatrix], WeightMatrix]
#: The arrays of two tensors, and what one adds to the other where that is stored by itself.
_Arrays = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def measured(
    pairs: Sequence[Pair],
    sources: tuple[Source, Source],
    most: int,
    resources: Resources,
    progress: ScoreProgress | None = None,
) -> list[Delta]:
    """Read the pairs and measure each, those of one tensor together.

    Args:
        pairs: the pairs.
        sources: where the matrices of the base and of the other model are read.
        most: the most leading directions to compare.
        resources: threads and memory.
        progress: called as work is done.

    Returns:
        In the order of the pairs; the same whatever the resources are.

    Raises:
        CheckpointError: a file changed or vanished meanwhile.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    found = [(sources[0](pair.base), sources[1](pair.other)) for pair in pairs]
    for place, (base, other) in enumerate(found):
        groups.setdefault((id(base.tensor), id(other.tensor)), []).append(place)
    places = sorted(groups.values(), key=lambda each: -cost(found[place][0] for place in each))
    jobs = [_job([found[place] for place in each], most) for each in places]
    amounts = [_amounts([found[place] for place in each]) for each in places]
    deltas = run_grouped(places, jobs, resources, amounts, progress)
    return [deltas[place] for place in range(len(pairs))]


def print_of(matrix: WeightMatrix, sources: tuple[Source, Source], base: Mapping[str, WeightMatrix]) -> Fingerprint:
    """Read a matrix and return its fingerprint.

    Args:
        matrix: the matrix.
        sources: as for `measured`.
        base: the base's matrices by name; a matrix that isn't one of them is the other model's.
    """
    source = sources[0 if base.get(matrix.name) is matrix else 1](matrix)
    return fingerprint(source.values(source.tensor.read()))


def _amounts(pairs: Sequence[tuple[WeightMatrix, WeightMatrix]]) -> tuple[int, int, int]:
    """How many matrices two tensors hold, their bytes, and what they cost."""
    base, other = pairs[0]
    return len(pairs), base.tensor.nbytes + other.tensor.nbytes, cost(matrix for matrix, _ in pairs)


def _job(pairs: Sequence[tuple[WeightMatrix, WeightMatrix]], most: int) -> Job[list[Delta]]:
    base, other = pairs[0][0].tensor, pairs[0][1].tensor
    largest = max(matrix.parameters for matrix, _ in pairs)
    memory = held(base) + held(other) + _ARRAYS * largest * np.dtype(np.float64).itemsize
    return Job(partial(_read, base, other), partial(_measure, pairs, most), memory, base.name)


def _read(base: Tensor, other: Tensor) -> _Arrays:
    """The values of both tensors, and ΔW if the other stores it in factors beside this very base."""
    if isinstance(other, DecodedTensor) and (factors := other.decoding.change) is not None:
        first, *parts = other.decoding.parts
        if first.location == base.location:
            found = factors(*(part.read() for part in parts))
            change = found.scale * (found.B.astype(np.float64) @ found.A.astype(np.float64))
            values = base.read()
            return values, values + change.reshape(base.shape), change.reshape(base.shape)
    return base.read(), other.read(), None


def _measure(pairs: Sequence[tuple[WeightMatrix, WeightMatrix]], most: int, arrays: _Arrays) -> list[Delta]:
    return list(_each(pairs, most, *arrays))


def _each(
    pairs: Sequence[tuple[WeightMatrix, WeightMatrix]],
    most: int,
    base: np.ndarray,
    other: np.ndarray,
    change: np.ndarray | None,
) -> Iterator[Delta]:
    for one, two in pairs:
        roundoffs = one.tensor.dtype.unit_roundoff, two.tensor.dtype.unit_roundoff
        delta = None if change is None else one.values(change)
        yield measure(one.values(base), two.values(other), delta, roundoffs, most)
