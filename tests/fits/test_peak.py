"""The fits at the peak against the published code's formula, a search by hand, and closed forms."""

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
from wqscore.fits.mode import esd_mode
from wqscore.fits.peak import fit_at_peak, published_fit_at_peak
from wqscore.fits.power_law import scan_xmin
from wqscore.spectra.spectrum import compute_spectrum


def published(eigenvalues: np.ndarray) -> tuple[float, float]:
    """`fix_fingers='xmin_peak'` as published: alpha and D, 0 and 1 where nothing lies in the window."""
    logs = np.log10(eigenvalues)
    bins = ((logs - logs[0]) / (logs[-1] - logs[0]) * 100).astype(int).clip(max=99)
    peak = 10 ** np.linspace(logs[0], logs[-1], 101)[np.argmax(np.bincount(bins))]
    alphas, distances = np.zeros(len(eigenvalues) - 1), np.ones(len(eigenvalues) - 1)
    for i, xmin in enumerate(eigenvalues[:-1]):
        if math.log10(0.95 * peak) <= xmin <= 1.5 * peak:
            tail, n = eigenvalues[i:], len(eigenvalues) - i
            alphas[i] = 1 + n / (np.log(tail).sum() - n * np.log(xmin))
            distances[i] = np.abs(1 - (tail / xmin) ** (1 - alphas[i]) - np.arange(n) / n).max()
    return float(alphas[np.argmin(distances)]), float(distances.min())


def assert_published(eigenvalues: np.ndarray) -> None:
    alpha, distance = published(eigenvalues)
    fit = published_fit_at_peak(eigenvalues)
    if alpha == 0:
        assert fit is None
        return
    assert fit is not None
    assert fit.alpha == pytest.approx(alpha, rel=1e-12)
    assert pytest.approx(distance, rel=1e-11) == fit.D


def noise_or_tail(seed: int, size: int, kind: str, scale: float) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = {
        "noise": lambda: np.linalg.svd(rng.standard_normal((2 * size, size)), compute_uv=False) ** 2,
        "pareto": lambda: rng.pareto(1.5, size) + 1,
        "lognormal": lambda: rng.lognormal(0, 2, size),
    }[kind]()
    return np.sort(values) * scale


@pytest.mark.parametrize("kind", ["noise", "pareto", "lognormal"])
@pytest.mark.parametrize("scale", [1e-6, 1e-2, 1.0, 30.0, 1e6])
@pytest.mark.parametrize("seed", range(5))
def test_equals_the_published_formula(kind: str, scale: float, seed: int) -> None:
    assert_published(noise_or_tail(seed, 50 + 37 * seed, kind, scale))


def test_equals_the_published_formula_on_a_real_model(checkpoints: Path) -> None:
    tensors = load_file(checkpoints / "all-MiniLM-L6-v2" / "model.safetensors")
    matrices = [tensor for name, tensor in tensors.items() if tensor.ndim == 2 and "layer" in name]
    assert len(matrices) == 36
    for matrix in matrices:
        assert_published(compute_spectrum([matrix], 2.0**-24).eigenvalues)


def test_the_published_window_depends_on_the_scale_and_ours_does_not() -> None:
    values = noise_or_tail(38, 200, "lognormal", 1.0)
    mode = esd_mode(values)
    assert mode is not None
    # Where the window is narrowest, and where the logarithm is negative: it then has no lower end.
    narrow, wide = published_fit_at_peak(values * (math.e / 0.95 / mode)), published_fit_at_peak(values * 1e-6)
    assert narrow is not None and wide is not None
    assert narrow.xmin > math.log10(math.e)
    assert wide.xmin * 1e6 < 0.152 * mode
    ours = [fit_at_peak(values * scale) for scale in (1.0, math.e / 0.95 / mode, 1e-6)]
    assert all(fit is not None and fit.n_tail == 42 for fit in ours)


@settings(max_examples=examples(300))
@given(values=tails())
def test_is_the_best_candidate_within_the_window(values: np.ndarray) -> None:
    mode, scan, fit = esd_mode(values), scan_xmin(values), fit_at_peak(values)
    assert mode is not None
    inside = (scan.xmin > 0.95 * mode) & (scan.xmin < 1.5 * mode)
    if not inside.any():
        assert fit is None
        return
    assert fit is not None
    assert pytest.approx(scan.D[inside].min(), rel=1e-12, abs=1e-14) == fit.D
    assert fit.alpha == pytest.approx(scan.alpha[scan.xmin == fit.xmin][0], rel=1e-12)
    assert inside[scan.xmin == fit.xmin].all()


@pytest.mark.parametrize("alpha", [1.8, 2.5, 4.0])
def test_finds_the_tail_that_begins_at_the_peak(alpha: float) -> None:
    # Density rising as λ³ up to 1 and falling as λ^−alpha from there: the mode of ln λ is 1.
    quantiles = (np.arange(4000) + 0.5) / 4000
    values = np.concatenate([quantiles[:2000] ** 0.25, np.sort((1 - quantiles) ** (-1 / (alpha - 1)))])
    fit = fit_at_peak(np.sort(values))
    assert fit is not None
    assert 0.95 < fit.xmin < 1.5
    assert fit.alpha == pytest.approx(alpha, rel=0.01)


def test_the_floor_leaves_noise_out_of_the_mode_and_of_the_fit() -> None:
    tail = np.sort(np.random.default_rng(0).pareto(2, 100) + 1)
    assert fit_at_peak(np.concatenate([np.full(400, 1e-9), tail]), floor=1e-6) == fit_at_peak(tail)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", NO_TAIL)
def test_no_tail_is_none(values: np.ndarray) -> None:
    assert fit_at_peak(values) is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [*EXTREME, *NO_TAIL])
def test_extremes_give_a_fit_or_none(values: np.ndarray) -> None:
    for fit in (fit_at_peak(values), published_fit_at_peak(values)):
        assert fit is None or all(map(math.isfinite, (fit.alpha, fit.xmin, fit.D, fit.sigma)))


@settings(max_examples=examples(100))
@given(values=tails(), power=st.integers(-60, 60))
def test_scaling_the_weights_changes_nothing_but_xmin(values: np.ndarray, power: int) -> None:
    fit, scaled = fit_at_peak(values), fit_at_peak(values * 4.0**power)
    assert (fit is None) == (scaled is None)
    if fit and scaled:
        assert (scaled.alpha, scaled.D, scaled.n_tail) == (fit.alpha, fit.D, fit.n_tail)
