"""Which models can be compared: the family of each, from a model list, its configuration or similar models.

The authors of the method found no correlation between architectures, and on public leaderboards there is none: ranks
are within a family.
"""

from __future__ import annotations

from collections.abc import Sequence

from wqscore.matrices.matching import canonical_name
from wqscore.scoring.model_score import ModelScore

#: Two models have one structure if at least this share of their matrices have the same names and shapes.
_MIN_SHARED = 0.5

_Structure = frozenset[tuple[str, tuple[int, int, int]]]


def resolve_families(scores: Sequence[ModelScore]) -> list[str]:
    """Find the family of each model, given the others.

    A declared one stands. A model that no list has belongs with the declared ones of its architecture and vocabulary,
    where those are of one family: a fine-tune with its parent. One whose configuration names no architecture belongs
    with those of its vocabulary that have most of its matrices, by name and shape.

    Args:
        scores: the models that are to be ranked.

    Returns:
        A name for each, `like …` if only another model of the same structure is known; empty if nothing is.
    """
    families = [score.declared_family or _declared_of_its_kind(score, scores) for score in scores]
    unnamed = [place for place, family in enumerate(families) if not family]
    named = {place: family for place, family in enumerate(families) if family}
    structures = [_structure(score) for score in scores] if unnamed else []

    def alike(place: int, other: int) -> bool:
        vocabularies = {scores[each].architecture.padded_vocabulary for each in (place, other)}
        return len(vocabularies) == 1 and _overlap(structures[place], structures[other])

    for place in unnamed:
        like = [other for other in named if alike(place, other)]
        found = {named[other] for other in like}
        families[place] = found.pop() if len(found) == 1 else ""
    rest = [place for place in unnamed if not families[place]]
    for place in rest:
        like = [other for other in rest if alike(place, other)]
        families[place] = f"like {_short(scores, like[0])}" if len(like) > 1 else ""
    return families


def _short(scores: Sequence[ModelScore], place: int) -> str:
    """The last part of a model's name, or all of it if another model's name ends the same."""
    label = scores[place].ref.label
    last = label.rstrip("/").rpartition("/")[2]
    return label if sum(score.ref.label.endswith(last) for score in scores) > 1 else last


def _declared_of_its_kind(score: ModelScore, scores: Sequence[ModelScore]) -> str:
    """The family that is declared for models of this architecture and vocabulary; the derived one without any."""
    derived = score.architecture.family
    declared = {
        other.declared_family for other in scores if other.declared_family and other.architecture.family == derived
    }
    return declared.pop() if derived and len(declared) == 1 else derived


def _structure(score: ModelScore) -> _Structure:
    rows = (row.matrix for row in score.layers)
    return frozenset((canonical_name(matrix.name), (matrix.slices, matrix.rows, matrix.columns)) for matrix in rows)


def _overlap(one: _Structure, other: _Structure) -> bool:
    return bool(one) and len(one & other) >= _MIN_SHARED * max(len(one), len(other))
