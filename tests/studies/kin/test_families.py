"""Families by single linkage, and their trees."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.studies.kin.families import families_of, tree_of


@settings(max_examples=examples(50))
@given(st.integers(1, 12), st.integers(0, 999))
def test_families_part_the_models_and_trees_span_them(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    likeness = rng.random((count, count))
    likeness = (likeness + likeness.T) / 2
    related = likeness > 0.7
    families = families_of(related)
    assert sorted(model for family in families for model in family) == list(range(count))
    for family in families:
        assert not any(related[one, other] for one in family for other in range(count) if other not in family)
        branches = tree_of(family, likeness, lambda model: model % 3)
        assert sorted(branch.model for branch in branches) == family
        placed = {branches[0].model}
        assert branches[0].parent == branches[0].model
        for branch in branches[1:]:
            assert branch.parent in placed
            assert branch.model % 3 >= branch.parent % 3
            placed.add(branch.model)


def test_a_chain_is_one_family_and_a_tree_of_the_nearest() -> None:
    likeness = np.array([[1, 0.9, 0.3], [0.9, 1, 0.8], [0.3, 0.8, 1]])
    assert families_of(likeness > 0.5) == [[0, 1, 2]]
    assert tree_of([0, 1, 2], likeness, lambda _: 0) == [(1, 1), (0, 1), (2, 1)]
