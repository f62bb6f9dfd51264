"""What makes two scored models differ, as far as their files and numbers tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose, isfinite, nan
from statistics import median

from wqscore.evidence.decisions import OTHER_SIZE
from wqscore.evidence.kinds import Kind
from wqscore.matrices.matching import canonical_name
from wqscore.refs.steps import run_of, step_of
from wqscore.scoring.model_score import ModelScore

_FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
#: Numbers of a matrix that two matrices share only if they are the same, whatever the seed.
TELLING = ("alpha", "log_norm", "log_spectral_norm", "stable_rank", "entropy")
#: Numbers closer than this, relatively, are of the same weights: they may be stored transposed or in other files.
_SAME = 1e-9
#: Models have the same shapes if this share of their matrices has; their heads may differ.
_ALIKE = 0.9
#: Weights were replaced, not trained on, where fewer than this share of the matrices differ, and half of these have
#: squared norms further apart than this factor.
_FEW, _REPLACED = 0.5, 1.2

#: A matrix's name without a base model's prefix, slices, rows and columns.
MatrixId = tuple[str, int, int, int]


@dataclass(frozen=True)
class Matrix:
    """What is compared of a matrix.

    Attributes:
        dtype: the stored type.
        numbers: those of `TELLING` that were computed.
    """

    dtype: str
    numbers: Mapping[str, float]


@dataclass(frozen=True)
class Traits:
    """What is compared of a model.

    Attributes:
        parameters: how many; `None` where that is not known.
        repo: its repository; `None` for files on disk.
        revision: its commit there.
        run: the training run that it is a checkpoint of, as its name tells; empty if it tells none.
        adapter: the adapter that was merged into it; empty without one.
        matrices: its matrices.
    """

    parameters: int | None
    repo: str | None
    revision: str | None
    run: str
    adapter: str
    matrices: Mapping[MatrixId, Matrix]


def traits_of(score: ModelScore) -> Traits:
    """What is compared of a scored model."""
    matrices = {
        (canonical_name(row.matrix.name), row.matrix.slices, row.matrix.rows, row.matrix.columns): Matrix(
            row.matrix.tensor.dtype.name, {name: row.metrics[name] for name in TELLING if name in row.metrics}
        )
        for row in score.layers
    }
    adapter = score.ref.adapter.label if score.ref.adapter else ""
    revision = score.revision or score.ref.revision
    run = run_of(score.ref) if step_of(score.ref) else ""
    return Traits(score.parameters, score.ref.repo, revision, run, adapter, matrices)


def kind_between(a: Traits, b: Traits) -> Kind | None:
    """What a decision between two models is about.

    Only what the files show is used: parameters, stored types, adapters, and matrices that are the same in both. A
    fine-tune of all weights can't be told from another training, nor can weights that were rounded and stored as
    plain numbers.

    Returns:
        `size` if their parameters differ by more than 5 %. With the same shapes: `damage` if only one of them is
        quantised, or if a few of their matrices differ, by far; `fine-tune` if they share some matrices otherwise, or
        one of them has an adapter; `run` for two revisions of one repository, or two steps in one folder; else
        `recipe`. `None` where shapes differ at equal size.
    """
    sizes = [size for size in (a.parameters, b.parameters) if size]
    if len(sizes) == 2 and max(sizes) > OTHER_SIZE * min(sizes):
        return "size"
    shared = a.matrices.keys() & b.matrices.keys()
    if not shared or len(shared) < _ALIKE * max(len(a.matrices), len(b.matrices)):
        return None
    if _is_coded(a) != _is_coded(b):
        return "damage"
    changed = [name for name in shared if not _is_same(a.matrices[name], b.matrices[name])]
    if bool(a.adapter) != bool(b.adapter):
        return "fine-tune"
    if len(changed) < len(shared):
        growths = [_growth(a.matrices[name], b.matrices[name]) for name in changed]
        is_damage = not changed or (len(changed) < _FEW * len(shared) and median(growths) > _REPLACED)
        return "damage" if is_damage else "fine-tune"
    if (a.repo and a.repo == b.repo and a.revision != b.revision) or (a.run and a.run == b.run):
        return "run"
    return "recipe"


def _is_coded(model: Traits) -> bool:
    """Whether most matrices are stored as codes, not as plain numbers."""
    return sum(matrix.dtype not in _FLOATS for matrix in model.matrices.values()) > len(model.matrices) / 2


def _growth(one: Matrix, other: Matrix) -> float:
    """By what factor a matrix's squared norm differs, 1 or more; 1 where it is not known."""
    difference = one.numbers.get("log_norm", nan) - other.numbers.get("log_norm", nan)
    return float(10 ** abs(difference)) if isfinite(difference) else 1.0


def _is_same(one: Matrix, other: Matrix) -> bool:
    """Whether two matrices agree in every number that both have; one without any is no other's."""
    pairs = [(one.numbers[name], other.numbers[name]) for name in one.numbers.keys() & other.numbers.keys()]
    known = [(a, b) for a, b in pairs if isfinite(a) and isfinite(b)]
    return bool(known) and all(isclose(a, b, rel_tol=_SAME) for a, b in known)
