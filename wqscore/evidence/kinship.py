"""What makes two scored models differ, as far as their files and spectra tell."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wqscore.evidence.decisions import OTHER_SIZE, Kind
from wqscore.matrices.matching import canonical_name
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore

_FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
#: Spectra closer than this, relatively, are of the same weights: they may be stored transposed or in other files.
_SAME = 1e-9
#: Models have the same shapes if this share of their matrices has; their heads may differ.
_ALIKE = 0.9
#: One model is a changed copy of the other if more than this share of their matrices is the same.
_COPIED = 0.5


def kind_between(a: ModelScore, b: ModelScore) -> Kind | None:
    """What a decision between two models is about.

    Only what the files show is used: parameters, stored types, adapters, and matrices whose spectra are the same in
    both. A fine-tune of all weights can't be told from another training; it counts as `recipe`.

    Returns:
        `size` if their parameters differ by more than 5 %. With the same shapes: `fine-tune` if one is the other with
        an adapter, or shares some matrices with it; `damage` if it shares more than half, or only one of them is
        quantised; `run` for two revisions of one repository; otherwise `recipe`. `None` where shapes differ at equal
        size.
    """
    if (
        a.parameters
        and b.parameters
        and max(a.parameters, b.parameters) > OTHER_SIZE * min(a.parameters, b.parameters)
    ):
        return "size"
    one, other = _by_name(a), _by_name(b)
    shared = one.keys() & other.keys()
    if not shared or len(shared) < _ALIKE * max(len(one), len(other)):
        return None
    if (a.ref.adapter is None) != (b.ref.adapter is None) and a.ref.base.identity == b.ref.base.identity:
        return "fine-tune"
    if _is_coded(one) != _is_coded(other):
        return "damage"
    same = sum(_is_same(one[name], other[name]) for name in shared)
    if same:
        return "damage" if same > _COPIED * len(shared) else "fine-tune"
    if a.ref.repo and a.ref.repo == b.ref.repo and a.ref.revision != b.ref.revision:
        return "run"
    return "recipe"


def _by_name(score: ModelScore) -> Mapping[tuple[object, ...], LayerScore]:
    rows = ((row.matrix, row) for row in score.layers)
    return {(canonical_name(matrix.name), matrix.slices, matrix.rows, matrix.columns): row for matrix, row in rows}


def _is_coded(rows: Mapping[tuple[object, ...], LayerScore]) -> bool:
    """Whether most matrices are stored as codes, not as plain numbers."""
    return sum(row.matrix.tensor.dtype.name not in _FLOATS for row in rows.values()) > len(rows) / 2


def _is_same(one: LayerScore, other: LayerScore) -> bool:
    a, b = one.spectrum.eigenvalues, other.spectrum.eigenvalues
    return len(a) == len(b) > 1 and a[-1] > a[0] and bool(np.allclose(a, b, rtol=_SAME, atol=_SAME * float(a[-1])))
