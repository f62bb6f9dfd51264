"""What each study reads and computes beside scoring its models, which the store spares it a second time.

To add a study, add a line to `STUDIES`: whether it scores its models, and what it does of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from wqscore.checkpoints.checkpoint import Checkpoint
from wqscore.checkpoints.decoding import is_update
from wqscore.fits.sampling import Sampling
from wqscore.matrices.plan import by_tensor, matrices_of
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.planning.peak_memory import held, job_memory
from wqscore.planning.work import Work, solved_sides, work_of
from wqscore.presets.registry import DEFAULT
from wqscore.scoring.score_checkpoint import planned
from wqscore.studies.diff.matching import Pair, by_name, remaining, shape_of
from wqscore.studies.screen.reading import is_thin
from wqscore.studies.symmetry.outputs import can_run
from wqscore.studies.symmetry.symmetry import DRAWS
from wqscore.studies.width.blocks import Block
from wqscore.studies.width.chain import blocks_of
from wqscore.studies.width.heads import Attention, find_attention
from wqscore.studies.width.reading import read_together
from wqscore.studies.width.width import model_of
from wqscore.symmetries.changed_tensors import changed_tensors, gains_read
from wqscore.symmetries.derived import DerivedTensor, transformed
from wqscore.symmetries.finding import find_layout, model_tensors
from wqscore.symmetries.sites import NAMES, Unknown
from wqscore.symmetries.transformations import Transformation

#: Without draws: what it takes to solve a matrix.
_ONCE = Sampling(seed=0, bootstrap=0, gof=0)
#: Leading directions take so many times as long as eigenvalues alone, and are those of both matrices of a pair.
_VECTORS, _BOTH = 3, 2
#: Arrays of a matrix's shape in float64 that comparing two holds at its peak.
_ARRAYS = 4
_FLOAT64 = np.dtype(np.float64).itemsize
#: Passes over a matrix's entries, as `Work` counts them, to compare the neurons of a block.
_COMPARED = 6
#: A QR decomposition of a head, over the product of its size squared and its inputs; of the four projections.
_TRIANGLES = 4 * 4
#: Passes over a matrix's entries to change them in float64; and over a model's, to write, load and run it.
_TRANSFORMED, _RUN = 6, 20


@dataclass(frozen=True)
class Own:
    """What a study does of its own with a model, or with a pair.

    Attributes:
        to_read: bytes.
        work: what it computes.
        jobs: bytes of memory of each thing that it works on, the largest first.
    """

    to_read: int = 0
    work: Work = field(default_factory=Work)
    jobs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Study:
    """How a study uses its models.

    Attributes:
        scores: whether it scores them, so that a store with their scores spares it that.
        own: what it does of its own with one model, or with a base and another.
        is_compared: whether a model is compared with the first one.
    """

    scores: bool
    own: Callable[[Sequence[Checkpoint]], Own]
    is_compared: Callable[[Checkpoint], bool] = lambda _: False


def _nothing(models: Sequence[Checkpoint]) -> Own:
    return Own()


def _comparing(models: Sequence[Checkpoint]) -> Own:
    """ΔW of every pair: its spectrum, and the leading directions of both matrices."""
    base, other = (matrices_of(planned(model, DEFAULT)) for model in models)
    pairs = by_name(base, other)
    solving = work_of((pair.base for pair in pairs), DEFAULT, _ONCE)
    vectors = replace(
        solving,
        gram=_BOTH * solving.gram,
        solving=_BOTH * _VECTORS * solving.solving,
        uncached=_BOTH * _VECTORS * solving.uncached,
        entries=0,
        solves=_BOTH * solving.solves,
    )
    to_read = _of_both(pairs)
    # What has no like by name is read to be matched by its contents, where the other model has its shape.
    left, right = remaining(base, other, pairs)
    shapes = {shape_of(matrix) for matrix in left} & {shape_of(matrix) for matrix in right}
    to_read += sum(_nbytes(matrix for matrix in side if shape_of(matrix) in shapes) for side in (left, right))
    return Own(to_read, solving + vectors, _sorted(map(_both, pairs)))


def _of_both(pairs: Sequence[Pair]) -> int:
    """Bytes of the tensors of both models of some pairs."""
    return _nbytes(pair.base for pair in pairs) + _nbytes(pair.other for pair in pairs)


def _both(pair: Pair) -> int:
    """Bytes of memory that comparing two matrices takes."""
    return held(pair.base.tensor) + held(pair.other.tensor) + _ARRAYS * _FLOAT64 * pair.base.parameters


def _merging(models: Sequence[Checkpoint]) -> Own:
    """The cosines of all pairs of neurons of each block, and a small decomposition of each head."""
    model = model_of(models[0])
    found, is_chain = blocks_of(model, list(model.tensors.values()))
    blocks = [each for each in found if isinstance(each, Block)]
    attentions = [each for each in find_attention(model) if isinstance(each, Attention)]
    groups = read_together(blocks, attentions, is_chain)
    weights = sum(tensor.parameters for tensors, _ in groups for tensor in tensors)
    # Each neuron with the later ones, in float32, and once more where it is gated.
    products = sum(each.stored * each.into.matrix.parameters / 2 for each in blocks)
    triangles = sum(_TRIANGLES * each.matrices[0].parameters * _size(each) for each in attentions)
    work = Work(gram=products, solving=triangles, entries=_COMPARED * weights)
    to_read = sum(tensor.nbytes for tensors, _ in groups for tensor in tensors)
    return Own(to_read, work, _sorted(memory for _, memory in groups))


def _moving(models: Sequence[Checkpoint]) -> Own:
    """The matrices that each transformation changes, for every draw; and the model's outputs, where it can be run."""
    (model,) = models
    layout = find_layout(model)
    if isinstance(layout, Unknown):
        return Own()
    applying = [name for name in NAMES if name not in layout.reasons]
    changed = [_changed(model, changed_tensors(name, layout)) for name in applying]
    drawn = [matrix for matrices in changed for matrix in matrices] * DRAWS
    gains = frozenset[str]().union(*(gains_read(name, layout) for name in applying))
    whole = model_tensors(model)
    runs = 1 + len(applying) if can_run(model, layout) else 0
    parameters = sum(tensor.parameters for tensor in whole)
    passes = _TRANSFORMED * sum(matrix.parameters for matrix in drawn) + _RUN * runs * parameters
    jobs = {group[0].name: _scoring(group) for matrices in changed for group in map(matrices_of, by_tensor(matrices))}
    return Own(
        sum(tensor.nbytes for tensor in model.tensors if tensor.name in gains)
        + DRAWS * sum(map(_nbytes, changed))
        + runs * sum(tensor.nbytes for tensor in whole),
        work_of(drawn, DEFAULT, _ONCE) + Work(entries=passes),
        _sorted([*jobs.values(), *([2 * _FLOAT64 * parameters] if runs else [])]),
    )


def _changed(model: Checkpoint, names: frozenset[str]) -> list[WeightMatrix]:
    """The matrices of some tensors, as read once a transformation changes these."""
    still = Transformation(dict.fromkeys(names, ()))
    matrices = matrices_of(planned(transformed(model, still), DEFAULT))
    return [each for each in matrices if isinstance(each.tensor, DerivedTensor)]


def _scoring(matrices: Sequence[WeightMatrix]) -> int:
    """Bytes of memory that scoring the matrices of one tensor takes, none of which is noise."""
    return job_memory(matrices) - held(matrices[0].tensor)


def _screening(models: Sequence[Checkpoint]) -> Own:
    """An adapter's factors, or ΔW of every pair and its spectrum."""
    *base, other = models
    matrices = matrices_of(planned(other, DEFAULT))
    if not base:
        groups = by_tensor([each for each in matrices if is_update(each.tensor)])
        updates = [_of_update(matrices_of(group)) for group in groups]
        work = sum((each.work for each in updates), Work())
        return Own(sum(each.to_read for each in updates), work, _sorted(job for each in updates for job in each.jobs))
    pairs = by_name(matrices_of(planned(base[0], DEFAULT)), matrices)
    work = work_of((pair.base for pair in pairs), DEFAULT, _ONCE)
    return Own(_of_both(pairs), work, _sorted(map(_both, pairs)))


def _of_update(matrices: Sequence[WeightMatrix]) -> Own:
    """The matrices of one low-rank update: of a whole product the core alone is decomposed."""
    tensor = matrices[0].tensor
    rank, _ = solved_sides(matrices[0])
    product = Work(gram=rank * tensor.parameters, entries=_TRANSFORMED * tensor.parameters)
    if is_thin(matrices):
        return Own(tensor.nbytes, product, (tensor.nbytes,))
    memory = tensor.nbytes + _ARRAYS * _FLOAT64 * max(matrix.parameters for matrix in matrices)
    return Own(tensor.nbytes, product + work_of(matrices, DEFAULT, _ONCE), (memory,))


def _has_no_update(model: Checkpoint) -> bool:
    """Whether a model is no adapter, so that it is screened by what it changes in a base."""
    return not any(is_update(each.tensor) for each in matrices_of(planned(model, DEFAULT)))


def _size(attention: Attention) -> int:
    matrix = attention.matrices[0]
    return (matrix.rows, matrix.columns)[attention.axes[0]] // attention.heads


def _nbytes(matrices: Iterable[WeightMatrix]) -> int:
    """Bytes of the tensors of some matrices, each read once."""
    return sum({matrix.tensor.name: matrix.tensor.nbytes for matrix in matrices}.values())


def _sorted(jobs: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(jobs, reverse=True))


STUDIES: Mapping[str, Study] = MappingProxyType(
    {
        "diff": Study(True, _comparing, is_compared=lambda _: True),
        "kin": Study(True, _nothing),
        "compress": Study(True, _nothing),
        "phase": Study(True, _nothing),
        "allocate": Study(True, _nothing),
        "width": Study(False, _merging),
        "track": Study(True, _nothing),
        "symmetry": Study(True, _moving),
        "screen": Study(False, _screening, is_compared=_has_no_update),
    }
)
