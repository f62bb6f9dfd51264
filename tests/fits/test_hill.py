"""The Hill estimator against TempBalance's formula, closed forms, and figures measured on a real model."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from tests.examples import examples
from tests.fits.tails import EXTREME, NO_TAIL, tails
from wqscore.fits.hill import hill_alpha
from wqscore.spectra.spectrum import compute_spectrum


def published(eigenvalues: np.ndarray) -> float:
    """`pl_fitting='median'` of TempBalance's code: sums of logarithms, no threshold."""
    logs = np.log(eigenvalues)
    i = int(len(eigenvalues) / 2)
    n = float(len(eigenvalues) - i)
    return float(1 + n / (np.sum(logs[i:]) - n * logs[i]))


def marchenko_pastur_hill(q: float) -> float:
    """The estimate from the exact density of pure noise: 1 + 1/E[ln(λ/median) | λ > median]."""
    low, high = (1 - q**-0.5) ** 2, (1 + q**-0.5) ** 2
    angle = (np.arange(400_000) + 0.5) / 400_000 * np.pi
    values = (low + high) / 2 - (high - low) / 2 * np.cos(angle)
    share = np.sin(angle) ** 2 / values
    upper = np.cumsum(share) > share.sum() / 2
    return float(1 + share[upper].sum() / (share[upper] @ np.log(values[upper] / values[upper][0])))


@settings(max_examples=examples(300))
@given(st.integers(0, 2**32 - 1), st.integers(20, 400), st.floats(0.3, 5), st.floats(-20, 20))
def test_equals_the_published_formula(seed: int, size: int, shape: float, scale: float) -> None:
    values = np.sort(np.random.default_rng(seed).pareto(shape, size) + 1) * math.exp(scale)
    assert hill_alpha(values) == pytest.approx(published(values), rel=1e-12)


def test_equals_the_published_formula_on_a_real_model(checkpoints: Path) -> None:
    tensors = load_file(checkpoints / "all-MiniLM-L6-v2" / "model.safetensors")
    matrices = [tensor for name, tensor in tensors.items() if tensor.ndim == 2 and "layer.3" in name]
    assert len(matrices) == 6
    for matrix in matrices:
        values = compute_spectrum([matrix], 2.0**-24).eigenvalues
        assert hill_alpha(values) == pytest.approx(published(values), rel=1e-12)


@pytest.mark.parametrize(
    ("role", "mean"),
    [("intermediate.dense", 2.45), ("output.dense", 2.42), ("query", 1.75), ("attention.output.dense", 1.84)],
)
def test_the_figures_of_all_minilm(checkpoints: Path, role: str, mean: float) -> None:
    tensors = load_file(checkpoints / "all-MiniLM-L6-v2" / "model.safetensors")
    part = f"attention.self.{role}" if role == "query" else role
    spectra = [compute_spectrum([tensors[f"encoder.layer.{i}.{part}.weight"]], 2.0**-24) for i in range(6)]
    assert np.mean([hill_alpha(s.eigenvalues, s.floor) for s in spectra]) == pytest.approx(mean, abs=0.005)


@pytest.mark.parametrize("size", [19, 20, 101, 1000])
@pytest.mark.parametrize("ratio", [1.001, 1.5])
def test_a_geometric_spectrum_by_hand(size: int, ratio: float) -> None:
    # Σ_{k < m} k·ln r = m(m − 1)/2 · ln r
    m = size - size // 2
    expected = 1 + 2 / ((m - 1) * math.log(ratio))
    assert hill_alpha(ratio ** np.arange(size)) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("alpha", [1.5, 2.0, 4.0])
def test_recovers_the_exponent_of_exact_quantiles(alpha: float) -> None:
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    assert hill_alpha((1 - quantiles) ** (-1 / (alpha - 1))) == pytest.approx(alpha, rel=1e-3)


@pytest.mark.parametrize("q", [1, 4, 16])
def test_noise_gives_what_its_exact_density_does(q: int) -> None:
    matrix = np.random.default_rng(0).standard_normal((384 * q, 384))
    spectrum = compute_spectrum([matrix], 2.0**-53)
    assert hill_alpha(spectrum.eigenvalues, spectrum.floor) == pytest.approx(marchenko_pastur_hill(q), rel=0.01)


def test_the_lower_half_counts_only_by_its_size() -> None:
    values = np.sort(np.random.default_rng(0).pareto(1.5, 100) + 1)
    noisy = np.concatenate([np.full(25, 0.0), np.full(25, 1e-20), values[50:]])
    assert hill_alpha(noisy, floor=1e-9) == hill_alpha(values)


def test_a_floor_at_or_above_the_middle_is_not_a_number() -> None:
    values = np.arange(1.0, 101.0)
    assert math.isfinite(hill_alpha(values, floor=50.9))
    assert math.isnan(hill_alpha(values, floor=51.0))
    assert math.isnan(hill_alpha(values, floor=60.0))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [*NO_TAIL, np.arange(1.0, 19.0), np.append(np.zeros(11), np.arange(1.0, 11.0))])
def test_nothing_to_estimate_is_not_a_number(values: np.ndarray) -> None:
    assert math.isnan(hill_alpha(values))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", EXTREME)
def test_extremes_give_an_exponent_or_nothing(values: np.ndarray) -> None:
    alpha = hill_alpha(values)
    assert math.isnan(alpha) or 1 < alpha < math.inf


@settings(max_examples=examples(100))
@given(values=tails(), power=st.integers(-60, 60))
def test_scaling_the_weights_changes_nothing(values: np.ndarray, power: int) -> None:
    assert hill_alpha(values * 4.0**power) == pytest.approx(hill_alpha(values), rel=0, nan_ok=True)
