"""Metrics on spectra whose values are known in closed form."""

from __future__ import annotations

from math import isnan, log, log10

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wqscore.errors import UsageError
from wqscore.fits.power_law import PowerLawFit
from wqscore.metrics.registry import METRICS, find_metric
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

FIT = PowerLawFit(alpha=3.0, xmin=2.0, D=0.05, sigma=0.2, n_tail=100)


def spectrum_of(eigenvalues: list[float]) -> Spectrum:
    values = np.sort(np.array(eigenvalues, dtype=np.float64))
    return Spectrum(values, rows=2 * values.size, columns=values.size, slices=1, unit_roundoff=0.0, state="finite")


def value(name: str, spectrum: Spectrum, fit: PowerLawFit | None = FIT) -> float:
    return METRICS[name].compute(spectrum, fit)


def test_norms_and_ranks_of_1_2_3_4() -> None:
    spectrum = spectrum_of([1, 2, 3, 4])
    assert value("log_norm", spectrum) == pytest.approx(1.0)
    assert value("log_spectral_norm", spectrum) == pytest.approx(log10(4))
    assert value("lambda_max", spectrum) == 4
    assert value("stable_rank", spectrum) == 2.5
    assert (value("matrix_rank", spectrum), value("rank_loss", spectrum)) == (4, 0)
    assert value("alpha_weighted", spectrum) == pytest.approx(3 * log10(4))
    assert value("log_alpha_norm", spectrum) == pytest.approx(log10(1 + 8 + 27 + 64))
    p = [0.1, 0.2, 0.3, 0.4]
    assert value("entropy", spectrum) == pytest.approx(-sum(x * log(x) for x in p) / log(4))


def test_entropy_is_1_for_equal_and_0_for_one_direction() -> None:
    assert value("entropy", spectrum_of([7.0] * 12)) == pytest.approx(1.0)
    assert value("entropy", spectrum_of([0.0] * 5 + [3.0])) == 0.0
    assert value("matrix_rank", spectrum_of([0.0] * 5 + [3.0])) == 1


def test_log_alpha_norm_does_not_overflow() -> None:
    steep = PowerLawFit(alpha=500.0, xmin=1.0, D=0.1, sigma=1.0, n_tail=10)
    assert value("log_alpha_norm", spectrum_of([1e6, 1e7]), steep) == pytest.approx(3500.0)
    assert value("log_alpha_norm", spectrum_of([1e-7, 1e-6]), steep) == pytest.approx(-3000.0)


def test_shape_metrics_are_the_fit_and_nan_without_one() -> None:
    spectrum = spectrum_of([1, 2, 3, 4])
    for name, attribute in (("alpha", 3.0), ("xmin", 2.0), ("D", 0.05), ("sigma", 0.2), ("n_tail", 100)):
        assert value(name, spectrum) == attribute
        assert isnan(value(name, spectrum, None))
    assert isnan(value("alpha_weighted", spectrum, None))
    assert isnan(value("log_alpha_norm", spectrum, None))


@settings(max_examples=60, deadline=None)
@given(st.integers(5, 40), st.integers(5, 40), st.integers(0, 1000))
def test_norms_are_those_of_numpy(rows: int, columns: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_normal((rows, columns))
    spectrum = compute_spectrum([matrix], 2.0**-53)
    assert 10 ** value("log_norm", spectrum) == pytest.approx(np.linalg.norm(matrix, "fro") ** 2, rel=1e-10)
    assert value("lambda_max", spectrum) == pytest.approx(np.linalg.norm(matrix, 2) ** 2, rel=1e-10)
    assert value("matrix_rank", spectrum) == np.linalg.matrix_rank(matrix)
    assert 1 <= value("stable_rank", spectrum) <= min(rows, columns)


def test_the_registry_says_everything_about_each_metric() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.better in {"lower", "higher"}
        assert all((metric.formula, metric.unit, metric.source, metric.caveat))


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean stable_rank"):
        find_metric("stablerank")
    with pytest.raises(UsageError, match="there are alpha, xmin"):
        find_metric("🤷")
