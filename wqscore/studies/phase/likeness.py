"""How alike the weights of networks are: the cosine of their matrices, estimated from sketches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import nan

import numpy as np

from wqscore.execution.resources import Resources, budget_for_jobs
from wqscore.execution.threads import Job, run_jobs
from wqscore.matrices.matching import canonical_name
from wqscore.matrices.weight_matrix import WeightMatrix
from wqscore.planning.peak_memory import held
from wqscore.scoring.cache import ScoreCache
from wqscore.scoring.model_score import ModelScore
from wqscore.sketches.sketch import unit_sketch

#: What is compared: a matrix's name without prefixes, its slices, rows and columns.
Key = tuple[str, int, int, int]
Sketches = Mapping[Key, np.ndarray]


def sketches_of(score: ModelScore, resources: Resources, cache: ScoreCache | None) -> Sketches:
    """The sketches of a model's matrices, those that scoring stored; other tensors are read once.

    Args:
        score: the model's score.
        resources: threads and memory.
        cache: what scoring stored, if anything.

    Raises:
        CheckpointError: a file changed or vanished meanwhile.
    """
    matrices = [row.matrix for row in score.layers]
    stored = cache.get_sketches(matrices) if cache else {}
    found: dict[Key, np.ndarray] = {}
    groups: dict[int, list[WeightMatrix]] = {}
    for matrix in matrices:
        known = stored.get(matrix.name)
        if known and known.sketch:
            found[_key(matrix)] = _unit(known.sketch.sums)
        else:
            groups.setdefault(id(matrix.tensor), []).append(matrix)
    jobs = [
        Job(group[0].tensor.read, partial(_sketched, group), 2 * held(group[0].tensor), group[0].tensor.name)
        for group in groups.values()
    ]
    for _, made in run_jobs(jobs, resources.threads, budget_for_jobs(resources)):
        found |= made
    return found


def cosine(one: Sketches, other: Sketches) -> float:
    """The median cosine of the matrices of one name and shape; NaN without any."""
    values = [
        float(one[key] @ other[key]) for key in one.keys() & other.keys() if one[key].any() and other[key].any()
    ]
    return float(np.median(values)) if values else nan


def _sketched(matrices: Sequence[WeightMatrix], array: np.ndarray) -> dict[Key, np.ndarray]:
    return {_key(matrix): unit_sketch(matrix.values(array)) for matrix in matrices}


def _key(matrix: WeightMatrix) -> Key:
    return canonical_name(matrix.name), matrix.slices, matrix.rows, matrix.columns


def _unit(sums: np.ndarray) -> np.ndarray:
    """A stored sketch, of W at length 1, itself at length 1; 0 stays 0."""
    wide = sums.astype(np.float64)
    length = float(np.linalg.norm(wide))
    return wide / length if length else wide
