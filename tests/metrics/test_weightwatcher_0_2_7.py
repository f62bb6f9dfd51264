"""The preset `ww-0.2.7`'s functions: the published table's own arithmetic, and a plain re-implementation."""

from __future__ import annotations

import contextlib
import csv
import io
import warnings
from math import isnan, log10, sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.fits.methods import TO_LARGEST_BUT_SMALLEST
from wqscore.fits.power_law import PowerLawFit
from wqscore.metrics.weightwatcher_0_2_7 import log_alpha_norm, log_norm
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

powerlaw = Oracle("powerlaw")

PUBLISHED = Path(__file__).parent.parent / "data" / "weightwatcher-0.2.7" / "gpt2.csv"
#: The table has 7 significant digits.
DIGITS = 5e-6


def fit(spectrum: Spectrum) -> PowerLawFit | None:
    return TO_LARGEST_BUT_SMALLEST.power_law(spectrum.eigenvalues, 0.0)


def published() -> list[dict[str, float]]:
    with PUBLISHED.open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    # `lambda_max` is from a randomised SVD for one component; alpha_weighted has the full one's.
    return [{**row, "largest": 10 ** (row["alpha_weighted"] / row["alpha"])} for row in rows]


def with_norms(row: dict[str, float]) -> Spectrum:
    """A spectrum of the published size with the published Σλ and λ_max; all others are equal."""
    count = int(row["M"])
    rest = (row["frobenius_norm"] ** 2 - row["largest"]) / (count - 1)
    values = np.append(np.full(count - 1, rest), row["largest"])
    return Spectrum(values, int(row["N"]), count, slices=1, unit_roundoff=2.0**-24, state="finite")


def test_the_published_norm_is_not_squared() -> None:
    for row in published():
        assert log_norm(with_norms(row)) == pytest.approx(row["log_norm"], abs=1e-6)
        assert row["stable_rank"] * row["largest"] == pytest.approx(row["frobenius_norm"] ** 2, rel=DIGITS)


def test_the_published_spectral_norm_falls_short() -> None:
    shortfalls = [1 - row["lambda_max"] / row["largest"] for row in published()]
    assert min(shortfalls) > -DIGITS
    assert 0.001 < max(shortfalls) < 0.002


def test_the_published_alpha_norms_lie_between_their_bounds() -> None:
    for row in published():
        fitted = PowerLawFit(row["alpha"], xmin=1.0, D=0.1, sigma=0.1, n_tail=100)
        # Σ λ^alpha is at least its largest term; with Σλ given it is least when all others are equal.
        assert row["alpha_weighted"] < log_alpha_norm(with_norms(row), fitted) < row["log_alpha_norm"]
        assert row["log_alpha_norm"] < row["alpha_weighted"] + log10(row["M"])


def test_the_published_mp_softrank_is_that_of_sigma() -> None:
    for row in published():
        edge = (row["sigma_mp"] * (1 + sqrt(row["M"] / row["N"]))) ** 2
        assert edge / row["largest"] == pytest.approx(row["mp_softrank"], rel=DIGITS)


def test_the_means_without_the_token_embedding_are_the_papers() -> None:
    """Martin, Peng & Mahoney 2021, table 2, GPT2-small: 49 matrices, the position embedding among them."""
    rows = published()[1:]
    table = {"log_norm": 2.04, "log_spectral_norm": 2.54, "alpha_weighted": 9.62, "log_alpha_norm": 9.87}
    assert len(rows) == 49
    for name, mean in table.items():
        assert np.mean([row[name] for row in rows]) == pytest.approx(mean, abs=0.0051)


@settings(max_examples=examples(50))
@given(st.integers(20, 60), st.integers(20, 60), st.sampled_from([1, 4, 9]), st.integers(0, 1000))
def test_equals_its_description(rows: int, columns: int, slices: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_t(3, (rows, columns)) * 0.1
    spectrum = compute_spectrum([matrix], 2.0**-53, scale=slices / 2)
    scaled = matrix * np.sqrt(slices / 2)
    evals = np.linalg.svd(scaled, compute_uv=False)[:-1] ** 2  # N − 1 components
    tail = fit(spectrum)
    assert tail is not None
    assert log_norm(spectrum) == pytest.approx(np.log10(np.linalg.norm(scaled)), rel=1e-12, abs=1e-13)
    assert spectrum.largest == pytest.approx(evals.max(), rel=1e-12)
    assert spectrum.total / spectrum.largest == pytest.approx(np.linalg.norm(scaled) ** 2 / evals.max(), rel=1e-12)
    expected = np.log10(np.sum([value**tail.alpha for value in evals]))
    assert log_alpha_norm(spectrum, tail) == pytest.approx(expected, rel=1e-11, abs=1e-12)


@pytest.mark.oracle("powerlaw")
@pytest.mark.parametrize("seed", range(3))
def test_the_fit_is_powerlaws(seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_t(2.5, (200, 120)) * 0.1
    spectrum = compute_spectrum([matrix], 2.0**-53, scale=1 / 2)
    evals = spectrum.eigenvalues[1:]
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        expected = powerlaw.Fit(evals, xmax=np.max(evals), verbose=False)
    found = fit(spectrum)
    assert found is not None
    assert found.xmin == expected.xmin
    assert [found.alpha, found.D] == pytest.approx([expected.alpha, expected.D], rel=1e-12)


def test_the_smallest_eigenvalue_never_counts() -> None:
    values = (1 - np.arange(81) / 81) ** (-1 / 2)  # a power law from the smallest on
    spectra = [Spectrum(np.append(least, values[1:]), 81, 81, 1, 0.0, "finite") for least in (0.0, values[0])]
    fits = [fit(spectrum) for spectrum in spectra]
    assert fits[0] is not None
    assert fits[0] == fits[1]
    assert (fits[0].xmin, fits[0].n_tail) == (values[1], 80)
    assert log_alpha_norm(spectra[0], fits[0]) == log_alpha_norm(spectra[1], fits[0])


@pytest.mark.parametrize(
    "values",
    [[3.0], [0.0, 3.0], [3.0] * 60, [0.0] * 50 + list(range(1, 11)), [1.0] * 60 + [1e12], [5e-324] * 9 + [1e-323]],
)
def test_extremes_are_finite_or_nan_without_a_warning(values: list[float]) -> None:
    spectrum = Spectrum(np.array(values, dtype=np.float64), len(values), len(values), 1, 0.0, "finite")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tail = fit(spectrum)
        results = [log_norm(spectrum), log_alpha_norm(spectrum, tail)]
    assert np.isfinite(results[0])
    assert isnan(results[1]) if tail is None else np.isfinite(results[1])
