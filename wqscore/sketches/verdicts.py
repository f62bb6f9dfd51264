"""Say of two models whether their weights are related; thresholds are far from what either kind shows."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from wqscore.sketches.alignment import ALIKE, LEAST

Verdict = Literal["same", "related", "unrelated", "undecided"]
#: Below this cosine, in size, weights are unrelated.
APART = 0.15
#: Spectra this near are of the same matrices, permuted or rotated.
SAME_SPECTRUM = 1e-6
#: Directions of models without a shape in common agree above this mean |cosine|; chance gives 0.2.
SAME_DIRECTIONS = 0.5
NO_SHAPE = "no matrices of one shape"


@dataclass(frozen=True)
class Evidence:
    """What two models are judged by; `Comparison` says what the numbers are.

    Attributes:
        is_same: whether all matrices of both are equal, none apart.
        cosine: the median cosine; NaN without any.
        n_matrices: how many were matched.
        n_exact: how many of them are equal.
        n_moved: how many were found under another name.
        n_shapes: how many are of shapes that both have.
        distance: of the spectra; NaN if not known.
        directions: how far leading directions agree; NaN if not known.
        n_directions: over how many matrices.
        unread: how many tensors of either could not be read.
    """

    is_same: bool
    cosine: float
    n_matrices: int
    n_exact: int
    n_moved: int
    n_shapes: int
    distance: float
    directions: float
    n_directions: int
    unread: int


def judge(found: Evidence) -> tuple[Verdict, str]:
    """The verdict and its reason. `related` means shared weights, not provenance."""
    if found.is_same and not found.unread:
        return "same", "every matrix is equal"
    if not found.n_matrices:
        return _without_matches(found)
    if not isfinite(found.cosine):
        return "undecided", "the matched matrices are zero or not finite"
    if found.n_matrices < LEAST:
        few = f"{found.n_matrices} {'matrix' if found.n_matrices == 1 else 'matrices'}"
        return "undecided", f"only {few} of one name and shape"
    if found.cosine > ALIKE:
        return "related", _sharing(found)
    if found.n_moved >= LEAST:
        return "undecided", f"{found.n_moved} of {found.n_matrices} matrices are alike, under other names"
    if found.n_exact >= LEAST:
        return "undecided", f"{found.n_exact} of {found.n_matrices} matrices are equal, the others not alike"
    if found.distance <= SAME_SPECTRUM:
        return "undecided", "equal spectra, other weights: neurons permuted or layers rotated"
    if found.cosine <= -APART:
        return "undecided", "cosine below 0: signs flipped"
    if found.cosine >= APART:
        return "undecided", f"cosine between {APART:g} and {ALIKE:g}: long training, or few weights shared"
    return "unrelated", "cosine as chance has it"


def _without_matches(found: Evidence) -> tuple[Verdict, str]:
    if found.n_shapes:
        count = "1 matrix" if found.n_shapes == 1 else f"{found.n_shapes} matrices"
        return "undecided", f"{count} of one shape, but of other names and roles"
    if found.n_directions >= LEAST and found.directions > SAME_DIRECTIONS:
        return "undecided", f"{NO_SHAPE}, but the leading directions of {found.n_directions} agree: cut or widened"
    return "unrelated", NO_SHAPE


def _sharing(found: Evidence) -> str:
    parts = []
    if found.n_exact == found.n_matrices:
        parts.append("every matrix that both have is equal")
    elif found.n_exact:
        parts.append(f"{found.n_exact} of {found.n_matrices} matrices are equal")
    if found.n_moved:
        parts.append(f"{found.n_moved} found under other names")
    return "; ".join(parts) or "cosine far above chance"
