"""Find a model's matrix by its name, or by a part of the name that no other matrix has."""

from __future__ import annotations

from difflib import SequenceMatcher
from heapq import nlargest

from wqscore.errors import UsageError
from wqscore.escaping import listed
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.model_score import ModelScore
from wqscore.scoring.selection import Selection

#: How many names a message has room for.
_LISTED = 5


def choose_layer(score: ModelScore, name: str) -> LayerScore:
    """Find a matrix.

    Args:
        score: a scored model.
        name: the matrix's name, a part that is in no other's, or its layer and role (`3.attention.q`).

    Raises:
        UsageError: no matrix has it, or several; or the tensor was skipped.
    """
    layers = {row.matrix.name: row for row in score.layers}
    if name in layers:
        return layers[name]
    found = [each for each in layers if name in each]
    if not found:
        chosen = Selection(layers=(name,))
        found = [each for each, row in layers.items() if chosen.chooses(each, row.matrix.role, row.matrix.depth)]
    if len(found) == 1:
        return layers[found[0]]
    if found:
        raise UsageError(
            f"{score.ref.label}: {name!r} is in the names of {len(found)} matrices: {listed(found, _LISTED)}: give "
            "more of one"
        )
    for skip in score.skipped:
        if name == skip.name:
            raise UsageError(f"{score.ref.label}: {name}: was not scored: {skip.reason}")
    near = nlargest(_LISTED, layers, key=lambda each: _likeness(name, each))
    hint = f"near it: {', '.join(near)}" if near else "none was scored"
    raise UsageError(f"{score.ref.label}: no matrix has {name!r} in its name: {hint}")


def _likeness(requested: str, name: str) -> float:
    """How much of a name, or of a part between dots, matches the requested one; 1 if they are equal."""
    return max(SequenceMatcher(None, requested, part).ratio() for part in (name, *name.split(".")))
