"""The signal of a matrix over its noise: none in noise of any shape, and what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from wqscore.spectra.spectrum import compute_spectrum
from wqscore.studies.allocate.signal import ratio, signal_of

U = 2.0**-24


@pytest.mark.parametrize("shape", [(200, 200), (100, 200), (60, 240)])
def test_noise_has_no_signal_where_the_published_threshold_finds_some(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(3).standard_normal(shape)
    assert signal_of(compute_spectrum([noise], U)) == 0
    values = np.linalg.svd(noise, compute_uv=False)
    low, high = np.percentile(values, [25, 75])
    published = (high - low) / 1.349 * (1 + np.sqrt(shape[0] / shape[1]))
    assert (values > published).mean() > 0.2


def test_planted_directions_are_the_signal() -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((120, 160))
    for strength in (90.0, 60.0, 45.0):
        weights += strength * np.outer(rng.standard_normal(120) / 120**0.5, rng.standard_normal(160) / 160**0.5)
    values = np.linalg.svd(weights, compute_uv=False)
    expected = values[:3].sum() / values[3:].sum() / values[0]
    assert signal_of(compute_spectrum([weights], U)) == pytest.approx(expected, rel=1e-9)


def test_without_eigenvalues_or_noise_there_is_none() -> None:
    assert np.isnan(signal_of(compute_spectrum([np.zeros((4, 4))], U)))
    assert np.isnan(ratio(np.array([1.0, 2.0]), 2))
    assert np.isnan(ratio(np.array([1.0, 2.0]), float("nan")))
