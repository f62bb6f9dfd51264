"""Merges: found where a model is an average of two others, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.sketches.portraits import portrait
from tests.studies.kin.made import Tensors, averaged, changed, four_bits
from wqscore.studies.kin.merges import Merge, find_merges

RNG = np.random.default_rng(0)
BASE: Tensors = {f"layers.{at}.fc1.weight": RNG.standard_normal((40, 30)).astype("f4") for at in range(5)}


def merges(*models: Tensors) -> list[Merge]:
    everyone = range(len(models))
    return find_merges([portrait(each, directions=False) for each in models], np.ones((len(models),) * 2), [everyone])


@settings(max_examples=examples(15))
@given(st.floats(0.1, 0.9), st.floats(0.01, 0.5), st.integers(0, 99))
def test_an_average_is_found_with_its_weight(weight: float, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (changed(BASE, rng, share) for _ in range(2))
    (found,) = merges(one, BASE, averaged(one, other, weight), other)
    assert (found.model, found.parents) == (2, (0, 3)) or (found.model, found.parents) == (2, (3, 0))
    weights = dict(zip(found.parents, (1 - found.weight, found.weight), strict=True))
    assert weights[3] == pytest.approx(weight, abs=0.01)


@settings(max_examples=examples(15))
@given(st.floats(0.01, 0.5), st.integers(0, 99))
def test_siblings_and_their_base_are_no_merges(share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tuned = [changed(BASE, rng, share) for _ in range(4)]
    assert not merges(BASE, *tuned)


def test_steps_of_a_random_walk_are_no_merges() -> None:
    models = [BASE]
    for _ in range(5):
        models.append(changed(models[-1], RNG, 0.1))
    assert not merges(*models)


def test_a_quantised_copy_hides_no_merge() -> None:
    one, other = (changed(BASE, RNG, 0.2) for _ in range(2))
    merge = averaged(one, other, 0.5)
    assert [found.model for found in merges(one, other, merge, four_bits(merge))] == [2]


def test_two_models_or_too_few_matrices_are_no_merge() -> None:
    assert not merges(BASE, changed(BASE, RNG, 0.1))
    two = dict(list(BASE.items())[:2])
    one, other = (changed(two, RNG, 0.2) for _ in range(2))
    assert not merges(one, other, averaged(one, other, 0.5))
