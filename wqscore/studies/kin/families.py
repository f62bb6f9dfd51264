"""Families of models that share weights, and a tree of each: every model beside the one that it is most alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np


class Branch(NamedTuple):
    """A model in the tree of its family.

    Attributes:
        model: its place.
        parent: the place of the model that it hangs from; itself for the root.
    """

    model: int
    parent: int


def families_of(related: np.ndarray) -> list[list[int]]:
    """The connected groups of models, single linkage; a model without a relative is one alone.

    Args:
        related: whether two models share weights, shape (models, models), symmetric.
    """
    left = set(range(len(related)))
    found = []
    while left:
        group, new = set[int](), {min(left)}
        while new:
            group |= new
            new = {int(other) for one in new for other in np.flatnonzero(related[one])} - group
        left -= group
        found.append(sorted(group))
    return found


def tree_of(family: Sequence[int], likeness: np.ndarray, stage: Callable[[int], int]) -> list[Branch]:
    """The tree of a family: a maximum spanning tree, grown from its most central model.

    Models of a later stage are hung onto the tree of the earlier ones, so that none of those hangs from them: a
    pruned copy is nobody's parent.

    Args:
        family: the places of its models.
        likeness: of all models, shape (models, models).
        stage: 0 for a plain model; later ones for merges, and for what was made of others.
    """
    first = min(stage(model) for model in family)
    plain = [model for model in family if stage(model) == first]
    root = max(plain, key=lambda model: (sum(likeness[model, other] for other in family if other != model), -model))
    branches = [Branch(root, root)]
    left = set(family) - {root}
    while left:
        now = min(stage(model) for model in left)
        candidates = [
            (likeness[branch.model, model], -model, -branch.model)
            for model in left
            if stage(model) == now
            for branch in branches
        ]
        _, model, parent = max(candidates)
        branches.append(Branch(-model, -parent))
        left.remove(-model)
    return branches
