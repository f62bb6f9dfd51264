"""FARMS' windows against the published code's formula, an SVD of each, exact densities and measured figures."""

from __future__ import annotations

import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.fits.test_hill import marchenko_pastur_hill
from tests.fits.test_peak import published as published_peak
from wqscore.fits.hill import hill_alpha
from wqscore.fits.peak import published_fit_at_peak
from wqscore.spectra.spectrum import compute_spectrum
from wqscore.spectra.windows import published_window_spectrum, window_spectrum

F32 = 2.0**-24


def published(matrix: np.ndarray) -> np.ndarray:
    """`fixed_sampling` of FARMS' code for language models, 2,000 wide and 10 by 10, in float64."""
    rows, columns = matrix.shape
    r = min(2000, rows, columns)
    row_step, column_step = max(1, (rows - r) // 9), max(1, (columns - r) // 9)
    eigenvalues = []
    for i in range(min(10, max(1, (rows - r) // row_step + 1))):
        for j in range(min(10, max(1, (columns - r) // column_step + 1))):
            top, left = min(i * row_step, rows - r), min(j * column_step, columns - r)
            eigenvalues.append(np.linalg.svd(matrix[top : top + r, left : left + r], compute_uv=False) ** 2)
    return np.sort(np.concatenate(eigenvalues))


def farms(matrix: np.ndarray) -> float:
    spectrum = window_spectrum([matrix], F32)
    return hill_alpha(spectrum.eigenvalues, spectrum.floor)


@pytest.mark.parametrize("shape", [(64, 64), (70, 64), (137, 60), (60, 201), (400, 30), (100, 1), (1, 100)])
def test_equals_the_published_formula(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).standard_t(3, shape)
    expected = published(matrix)
    spectrum = published_window_spectrum(matrix, F32)
    np.testing.assert_allclose(spectrum.eigenvalues, expected, rtol=0, atol=1e-13 * expected[-1])
    fit = published_fit_at_peak(spectrum.eigenvalues)
    assert fit is not None
    # 1e-12 for the same eigenvalues; those of a Gram matrix and of an SVD differ by their own rounding.
    assert fit.alpha == pytest.approx(published_peak(spectrum.eigenvalues)[0], rel=1e-12)
    assert hill_alpha(spectrum.eigenvalues) == pytest.approx(hill_alpha(expected), rel=1e-12, nan_ok=True)


def test_equals_the_published_formula_on_a_real_matrix(checkpoints: Path) -> None:
    tensors = load_file(checkpoints / "all-MiniLM-L6-v2" / "model.safetensors")
    matrix = tensors["encoder.layer.2.intermediate.dense.weight"]
    spectrum = published_window_spectrum(matrix, F32)
    expected = published(matrix.astype(np.float64))
    assert spectrum.slices == 10
    fit = published_fit_at_peak(spectrum.eigenvalues)
    assert fit is not None
    assert fit.alpha == pytest.approx(published_peak(expected)[0], rel=1e-12)


@pytest.mark.parametrize(
    ("role", "mean"), [("intermediate.dense", 1.87), ("output.dense", 1.86), ("attention.output.dense", 1.84)]
)
def test_the_figures_of_all_minilm(checkpoints: Path, role: str, mean: float) -> None:
    tensors = load_file(checkpoints / "all-MiniLM-L6-v2" / "model.safetensors")
    alphas = [farms(tensors[f"encoder.layer.{i}.{role}.weight"]) for i in range(6)]
    assert np.mean(alphas) == pytest.approx(mean, abs=0.005)


@pytest.mark.parametrize("q", [1, 2, 4, 8, 16])
def test_noise_gives_that_of_a_square_matrix_at_every_aspect_ratio(q: int) -> None:
    matrix = np.random.default_rng(0).standard_normal((384 * q, 384))
    square = marchenko_pastur_hill(1)
    assert square == pytest.approx(2.12, abs=0.005)
    assert farms(matrix) == pytest.approx(square, rel=0.01)
    assert farms(matrix.T) == pytest.approx(farms(matrix), rel=1e-9)


def test_a_true_heavy_tail_is_the_same_at_every_aspect_ratio() -> None:
    # Columns with variances of density exponent 3: their number stays, the number of rows grows.
    rng = np.random.default_rng(0)
    quantiles = (np.arange(384) + 0.5) / 384
    deviations = (1 - quantiles) ** -0.25
    alphas, plain = [], []
    for q in (1, 4, 16):
        matrix = rng.standard_normal((384 * q, 384)) * deviations
        alphas.append(farms(matrix))
        plain.append(hill_alpha(compute_spectrum([matrix], F32).eigenvalues))
    assert max(alphas) - min(alphas) < 0.03
    assert plain[2] - plain[0] > 0.8
    assert plain[2] == pytest.approx(3, abs=0.15)


@pytest.mark.parametrize(
    ("length", "positions"),
    [
        (1, [0]),
        (2, [0, 1]),
        (7, [0, 1, 2, 3, 4, 5, 6]),
        (10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (11, [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]),
        (100, [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]),
        (20_000, [0, 2222, 4444, 6666, 8888, 11110, 13332, 15554, 17776, 19999]),
    ],
)
def test_windows_of_one_entry_show_the_positions(length: int, positions: list[int]) -> None:
    # r = 1: each window's eigenvalue is its entry squared.
    column = np.arange(1.0, length + 1)[:, None]
    for matrix in (column, column.T):
        spectrum = window_spectrum([matrix], F32)
        assert (np.sqrt(spectrum.eigenvalues) - 1).round(9).tolist() == positions
        assert (spectrum.rows, spectrum.columns, spectrum.slices) == (1, 1, len(positions))


def test_the_last_rows_are_in_a_window_of_ours_and_in_none_of_the_published() -> None:
    matrix = np.random.default_rng(0).standard_normal((81, 64))
    matrix[-1] = 1e6
    assert window_spectrum([matrix], F32).largest > 1e12
    assert published_window_spectrum(matrix, F32).largest < 1e3


def test_both_sides_above_2000_give_windows_of_2000() -> None:
    matrix = np.zeros((2000, 2001), dtype=np.float32)
    matrix[0, 0], matrix[5, 2000] = 2.0, 3.0
    spectrum = window_spectrum([matrix], F32)
    assert (spectrum.rows, spectrum.columns, spectrum.slices) == (2000, 2000, 2)
    assert spectrum.eigenvalues[-3:].tolist() == [0.0, 4.0, 9.0]


def test_the_slices_of_a_convolution_are_pooled() -> None:
    slices = np.random.default_rng(0).standard_normal((9, 40, 20)).astype(np.float32)
    pooled = window_spectrum(slices, F32)
    apart = np.sort(np.concatenate([window_spectrum([matrix], F32).eigenvalues for matrix in slices]))
    assert pooled.slices == 90
    assert pooled.eigenvalues.tolist() == apart.tolist()


def test_rounding_noise_is_below_the_floor() -> None:
    rng = np.random.default_rng(0)
    product = rng.standard_normal((300, 10)) @ rng.standard_normal((10, 100))
    stored = product.astype(ml_dtypes.bfloat16)
    spectrum = window_spectrum([stored], 2.0**-9)
    assert math.isnan(hill_alpha(spectrum.eigenvalues, spectrum.floor))
    # Called exact, the same values have full rank.
    as_if_exact = window_spectrum([stored], 0.0)
    assert math.isfinite(hill_alpha(as_if_exact.eigenvalues, as_if_exact.floor))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("matrix", "state"),
    [
        (np.zeros((40, 20)), "zero"),
        (np.full((40, 20), np.nan), "non-finite"),
        (np.full((40, 20), 1e200), "non-finite"),
        (np.eye(50, 2, k=-2), "zero"),  # rows 2 and 3 lie between windows
        (np.ones((1, 1)), "finite"),
    ],
)
def test_states(matrix: np.ndarray, state: str) -> None:
    assert window_spectrum([matrix], F32).state == state
    assert math.isnan(hill_alpha(window_spectrum([matrix], F32).eigenvalues))


@pytest.mark.parametrize("power", [-20, 20])
def test_scaling_the_weights_changes_nothing(power: int) -> None:
    matrix = np.random.default_rng(0).standard_t(3, (100, 40))
    assert farms(matrix * 2.0**power) == farms(matrix)
