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
from wqscore.presets.preset import Preset
from wqscore.scoring.cache import ScoreCache
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.sketching import sketch_matrix
from wqscore.sketches.sketch import Sketch

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
    stored = cache.get_sketches([row.matrix for row in score.layers]) if cache else {}
    found: dict[Key, np.ndarray] = {}
    groups: dict[int, list[LayerScore]] = {}
    for row in score.layers:
        known = stored.get(row.matrix.name)
        if known and known.sketch:
            found[_key(row.matrix)] = _unit(known.sketch)
        else:
            groups.setdefault(id(row.matrix.tensor), []).append(row)
    jobs = [
        Job(tensor.read, partial(_sketched, group, score.preset), 2 * held(tensor), tensor.name)
        for group in groups.values()
        for tensor in (group[0].matrix.tensor,)
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


def _sketched(rows: Sequence[LayerScore], preset: Preset, array: np.ndarray) -> dict[Key, np.ndarray]:
    """As scoring stores them, to the last bit."""
    return {_key(row.matrix): _unit(sketch_matrix(row.matrix, array, row.spectrum, preset)) for row in rows}


def _key(matrix: WeightMatrix) -> Key:
    return canonical_name(matrix.name), matrix.slices, matrix.rows, matrix.columns


def _unit(sketch: Sketch) -> np.ndarray:
    """A sketch, of W at length 1, itself at length 1; 0 stays 0."""
    wide = sketch.sums.astype(np.float64)
    length = float(np.linalg.norm(wide))
    return wide / length if length else wide
