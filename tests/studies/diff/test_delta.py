"""The change of one matrix: any low rank is found in any type and shape, and rounding counts as none."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.studies.diff.delta import frozen, measure

TYPES = {"f8": 2.0**-53, "f4": 2.0**-24, "f2": 2.0**-11, ml_dtypes.bfloat16: 2.0**-8}


@settings(max_examples=examples(60))
@given(st.sampled_from([*TYPES]), st.integers(8, 40), st.integers(8, 40), st.integers(0, 3), st.integers(0, 99))
def test_the_rank_of_a_large_change_is_found_in_any_type(kind, rows: int, columns: int, rank: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.standard_normal((1, rows, columns)).astype(kind)
    # Orthonormal factors: no direction of the change is small.
    left, right = (np.linalg.qr(rng.standard_normal((side, rank)))[0] for side in (rows, columns))
    other = (base.astype("f8") + 3 * left @ right.T).astype(kind)
    found = measure(base, other, None, (TYPES[kind], TYPES[kind]), 4)
    assert found.rank == rank
    assert found.norm == pytest.approx(np.linalg.norm(other.astype("f8") - base.astype("f8")), rel=1e-12)
    assert found.is_frozen == (rank == 0)


@settings(max_examples=examples(60))
@given(st.integers(8, 40), st.integers(8, 40), st.floats(2, 30), st.integers(0, 99))
def test_storing_in_half_the_bits_changes_no_rank(rows: int, columns: int, tail: float, seed: int) -> None:
    base = np.random.default_rng(seed).standard_t(tail, (1, rows, columns)).astype("f4")
    found = measure(base, base.astype(ml_dtypes.bfloat16), None, (2.0**-24, 2.0**-8), 4)
    assert found.rank == 0
    assert np.isnan(found.effective_rank)


def test_what_does_not_change_has_no_spectrum_and_the_same_subspaces() -> None:
    values = np.random.default_rng(0).standard_normal((1, 20, 30)).astype("f4")
    found = measure(values, values.copy(), None, (0.0, 0.0), 16)
    assert found == frozen(found.base_norm, (1, 20, 30), 16) or found.spectrum.eigenvalues.size == 0
    assert (found.relative, found.rank, found.largest, found.overlap.left, found.count) == (0, 0, 0, 1, 5)
    assert np.isnan(found.stable_rank)


def test_a_zero_base_has_no_relative_change() -> None:
    values = np.zeros((1, 20, 30))
    found = measure(values, values + 1, None, (0.0, 0.0), 4)
    assert np.isnan(found.relative)
    assert np.isnan(found.overlap.left)
    assert found.rank == 1
