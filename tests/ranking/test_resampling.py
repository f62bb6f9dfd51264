"""The interval of a model's number over its layers."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ranking.valued_models import model, named
from wqscore.ranking.resampling import resampled_interval


def test_an_interval_over_layers_needs_layers_that_are_alike() -> None:
    """By percentiles of the bootstrap of one role; each role alone can't be resampled, which is no certainty."""
    values = np.random.default_rng(0).normal(0, 1, 15)
    assert np.isnan(resampled_interval(model(named(values), roles=15), "entropy", 0)).all()
    draws = np.median(np.random.default_rng(1).choice(values, (20_000, 15)), axis=1)
    found = resampled_interval(model(named(values)), "entropy", 0)
    assert found == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.25)
