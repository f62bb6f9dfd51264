"""Medians by a sorting network, beside numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.sketches.medians import medians


@settings(max_examples=examples(40))
@given(st.integers(0, 40), st.integers(1, 300), st.integers(0, 99), st.booleans())
def test_they_are_numpys(count: int, columns: int, seed: int, gaps: bool) -> None:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((count, columns)).round(1).astype("f4")
    if gaps:
        values[rng.random(values.shape) < 0.3] = np.nan
    given_values = values.copy()
    found, spread, counts = medians(values)
    for column in range(columns):
        kept = given_values[:, column][~np.isnan(given_values[:, column])].astype("f8")
        assert counts[column] == kept.size
        assert found[column] == pytest.approx(np.median(kept) if kept.size else np.nan, abs=1e-6, nan_ok=True)
        if kept.size > 1:
            deviation = np.sqrt(np.square(kept - np.median(kept)).sum() / (kept.size - 1))
            assert spread[column] == pytest.approx(deviation, abs=1e-5)
