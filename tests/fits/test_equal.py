"""Eigenvalues equal up to rounding: those of orthogonal matrices in every stored type, and no others."""

from __future__ import annotations

from collections.abc import Callable

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.checkpoints.dtypes import STORED_DTYPES, StoredDtype
from wqscore.fits.equal import entry_error, merge_equal
from wqscore.fits.power_law import fit_power_law
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

Rounded = Callable[[np.ndarray], np.ndarray]


def rotation(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    tall: np.ndarray = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))[0]
    return tall if rows >= columns else tall.T


def integers(bits: int, block: int) -> Rounded:
    """Rounding to codes of so many bits, relative to the largest of each block."""

    def rounded(weights: np.ndarray) -> np.ndarray:
        blocks = weights.reshape(-1, block)
        step = np.abs(blocks).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
        values: np.ndarray = (np.round(blocks / step) * step).reshape(weights.shape)
        return values

    return rounded


def decoded(name: str, numpy: type = np.float32) -> StoredDtype:
    return StoredDtype(name, 32, np.dtype(numpy), "float")


def e4m3(weights: np.ndarray) -> np.ndarray:
    scale = np.abs(weights).max() / 448
    values: np.ndarray = (weights / scale).astype(ml_dtypes.float8_e4m3fn).astype(np.float64) * scale
    return values


KINDS: dict[str, tuple[StoredDtype, Rounded]] = {
    "F64": (STORED_DTYPES["F64"], lambda w: w),
    "F32": (STORED_DTYPES["F32"], lambda w: w.astype(np.float32)),
    "F16": (STORED_DTYPES["F16"], lambda w: w.astype(np.float16)),
    "BF16": (STORED_DTYPES["BF16"], lambda w: w.astype(ml_dtypes.bfloat16)),
    "FP8": (decoded("F8_E4M3", ml_dtypes.float8_e4m3fn), e4m3),
    "INT8": (decoded("INT8"), integers(8, 64)),
    "Q4_0": (decoded("Q4_0"), integers(4, 32)),
}


def spectrum_of(weights: np.ndarray, dtype: StoredDtype) -> Spectrum:
    return compute_spectrum([np.asarray(weights, np.float64)], dtype.unit_roundoff)


def distinct(spectrum: Spectrum, dtype: StoredDtype) -> np.ndarray:
    merged = merge_equal(spectrum, spectrum.floor, dtype)
    return np.unique(merged[merged > spectrum.floor])


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32 - 1), sides=st.sampled_from([(64, 64), (64, 192), (256, 128), (160, 160)]))
@settings(max_examples=examples(5))
def test_orthogonal_weights_have_one_eigenvalue_in_every_type(kind: str, seed: int, sides: tuple[int, int]) -> None:
    dtype, rounded = KINDS[kind]
    spectrum = spectrum_of(rounded(rotation(np.random.default_rng(seed), *sides)), dtype)
    assert distinct(spectrum, dtype).size == 1
    assert fit_power_law(merge_equal(spectrum, spectrum.floor, dtype), spectrum.floor) is None


def test_rows_of_zeros_change_nothing() -> None:
    dtype, rounded = KINDS["BF16"]
    weights = np.zeros((256, 256))
    weights[:32] = rotation(np.random.default_rng(0), 32, 256)
    assert distinct(spectrum_of(rounded(weights), dtype), dtype).size == 1


@pytest.mark.parametrize("kind", ["F64", "F32", "F16", "BF16"])
def test_four_values_are_fitted_as_the_exact_four_values_are(kind: str) -> None:
    dtype, rounded = KINDS[kind]
    rng, values = np.random.default_rng(1), np.repeat([1.0, 10.0, 100.0, 1000.0], [120, 50, 20, 10])
    spectrum = spectrum_of(rounded((rotation(rng, 200, 200) * np.sqrt(values)) @ rotation(rng, 200, 200)), dtype)
    exact, fit = fit_power_law(values), fit_power_law(merge_equal(spectrum, spectrum.floor, dtype), spectrum.floor)
    assert exact is not None
    assert fit is not None
    assert fit.n_tail == exact.n_tail == 200
    assert fit.alpha == pytest.approx(exact.alpha, rel=0.02)


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "FP8", "INT8"])
@given(seed=st.integers(0, 2**32 - 1), law=st.sampled_from(["noise", "heavy entries", "heavy rows", "low rank"]))
@settings(max_examples=examples(10))
def test_other_weights_keep_every_bit(kind: str, seed: int, law: str) -> None:
    dtype, _ = KINDS[kind]
    rng = np.random.default_rng(seed)
    weights = rng.standard_t(3, (200, 120)) if law == "heavy entries" else rng.standard_normal((200, 120))
    if law == "heavy rows":
        weights *= 1 + rng.pareto(2, (200, 1))
    if law == "low rank":
        weights += rng.standard_normal((200, 12)) @ rng.standard_normal((12, 120))
    spectrum = spectrum_of(weights, dtype)
    assert merge_equal(spectrum, spectrum.floor, dtype) is spectrum.eigenvalues


def test_the_error_of_an_entry_is_that_of_its_rounding() -> None:
    weights = np.random.default_rng(3).standard_normal(64_000)
    for name, (dtype, rounded) in KINDS.items():
        error = np.sqrt(np.mean((np.asarray(rounded(weights.reshape(-1, 64)), np.float64).ravel() - weights) ** 2))
        expected = entry_error(dtype).storage
        assert name == "F64" or 0.3 * expected < error < 1.1 * expected, name
