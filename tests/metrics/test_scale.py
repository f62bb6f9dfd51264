"""Metrics on spectra whose values are known in closed form."""

from __future__ import annotations

from math import isnan, log, log10

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.fits.power_law import PowerLawFit
from wqscore.metrics import scale
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

FIT = PowerLawFit(alpha=3.0, xmin=2.0, D=0.05, sigma=0.2, n_tail=100)


def spectrum_of(eigenvalues: list[float]) -> Spectrum:
    values = np.sort(np.array(eigenvalues, dtype=np.float64))
    return Spectrum(values, rows=2 * values.size, columns=values.size, slices=1, unit_roundoff=0.0, state="finite")


def test_norms_and_ranks_of_1_2_3_4() -> None:
    spectrum = spectrum_of([1, 2, 3, 4])
    assert scale.log_norm(spectrum) == pytest.approx(1.0)
    assert scale.log_spectral_norm(spectrum) == pytest.approx(log10(4))
    assert scale.stable_rank(spectrum) == 2.5
    assert (scale.matrix_rank(spectrum), scale.rank_loss(spectrum)) == (4, 0)
    assert scale.alpha_weighted(spectrum, FIT) == pytest.approx(3 * log10(4))
    assert scale.log_alpha_norm(spectrum, FIT) == pytest.approx(log10(1 + 8 + 27 + 64))
    p = [0.1, 0.2, 0.3, 0.4]
    assert scale.entropy(spectrum) == pytest.approx(-sum(x * log(x) for x in p) / log(4))


def test_entropy_is_1_for_equal_and_0_for_one_direction() -> None:
    assert scale.entropy(spectrum_of([7.0] * 12)) == pytest.approx(1.0)
    assert scale.entropy(spectrum_of([0.0] * 5 + [3.0])) == 0.0
    assert scale.matrix_rank(spectrum_of([0.0] * 5 + [3.0])) == 1


def test_log_alpha_norm_does_not_overflow() -> None:
    steep = PowerLawFit(alpha=500.0, xmin=1.0, D=0.1, sigma=1.0, n_tail=10)
    assert scale.log_alpha_norm(spectrum_of([1e6, 1e7]), steep) == pytest.approx(3500.0)
    assert scale.log_alpha_norm(spectrum_of([1e-7, 1e-6]), steep) == pytest.approx(-3000.0)


def test_alpha_and_scale_are_nan_without_a_fit() -> None:
    assert isnan(scale.alpha_weighted(spectrum_of([1, 2]), None))
    assert isnan(scale.log_alpha_norm(spectrum_of([1, 2]), None))


@settings(max_examples=examples(60))
@given(st.integers(5, 40), st.integers(5, 40), st.integers(0, 1000))
def test_norms_are_those_of_numpy(rows: int, columns: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_normal((rows, columns))
    spectrum = compute_spectrum([matrix], 2.0**-53)
    assert 10 ** scale.log_norm(spectrum) == pytest.approx(np.linalg.norm(matrix, "fro") ** 2, rel=1e-10)
    assert spectrum.largest == pytest.approx(np.linalg.norm(matrix, 2) ** 2, rel=1e-10)
    assert scale.matrix_rank(spectrum) == np.linalg.matrix_rank(matrix)
    assert 1 <= scale.stable_rank(spectrum) <= min(rows, columns)
