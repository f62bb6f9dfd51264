"""Eigenvalues in float32 through torch's CPU, against LAPACK in float64: the stated error, and when it is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.errors import CheckpointError
from wqscore.fits.sampling import Sampling
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.presets.registry import find_preset
from wqscore.scoring.layer_score import IN_SINGLE, LayerScore
from wqscore.scoring.score_matrix import score_matrix
from wqscore.spectra.in_single import BOUND, SINGLE, SingleSpectrum, single_solver_on, single_spectrum
from wqscore.spectra.on_device import solver_on
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

torch = Oracle("torch")

pytestmark = pytest.mark.oracle("torch")

DEVICE = "cpu:0"
NUMPY = {"BF16": ml_dtypes.bfloat16, "F16": np.float16, "F32": np.float32, "F64": np.float64}
METRICS = ("alpha", "alpha_hill", "lambda_max", "log_norm", "stable_rank", "entropy", "matrix_rank")
#: All λ are within so many times the largest residual measured: the promise of `SingleSpectrum`.
STATED = BOUND
NO_SAMPLING = Sampling(bootstrap=0, gof=0)


def trained(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Noise, and directions whose strength falls as a power."""
    rank = min(rows, columns) // 2
    strengths = 3 * np.arange(1, rank + 1) ** -0.6
    spread = rng.standard_normal((rows, rank)) * strengths @ rng.standard_normal((rank, columns))
    return rng.standard_normal((rows, columns)) + spread / min(rows, columns) ** 0.5


def ill_conditioned(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return rng.standard_normal((rows, columns)) * 10.0 ** (-4 * np.arange(columns) / columns)


def badly_scaled(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return rng.standard_normal((rows, columns)) * 10.0 ** rng.integers(-3, 2, (rows, 1))


def low_rank(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    rank = max(1, min(rows, columns) // 8)
    return rng.standard_normal((rows, rank)) @ rng.standard_normal((rank, columns))


def with_mean(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return rng.standard_normal((rows, columns)) + 1


KINDS = {kind.__name__: kind for kind in (trained, ill_conditioned, badly_scaled, low_rank, with_mean)}


def stored(kind: str, dtype: str, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    made: np.ndarray = 0.05 * KINDS[kind](np.random.default_rng(seed), rows, columns)
    return made.astype(NUMPY[dtype])


def in_single(weights: np.ndarray, dtype: str) -> SingleSpectrum:
    found = single_spectrum([weights], STORED_DTYPES[dtype].unit_roundoff, device=DEVICE)
    assert found is not None
    return found


def scored(weights: np.ndarray, dtype: str, precision: str = SINGLE, preset: str = "default") -> LayerScore:
    tensor = TensorRef("w", weights.shape, STORED_DTYPES[dtype], Path("f"), 0)
    matrix = WeightMatrix("w", tensor, Cut(weights.shape), "attention.q", *weights.shape)
    device = DEVICE if precision == SINGLE else "cpu"
    return score_matrix(matrix, weights, find_preset(preset), METRICS, NO_SAMPLING, None, device, precision)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
@pytest.mark.parametrize("shape", [(256, 256), (600, 150), (130, 520)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_every_eigenvalue_is_within_the_stated_error(kind: str, shape: tuple[int, int], dtype: str) -> None:
    weights = stored(kind, dtype, *shape)
    expected = np.linalg.svd(weights.astype(np.float64), compute_uv=False)[::-1] ** 2
    found = in_single(weights, dtype)
    error = np.abs(found.spectrum.eigenvalues - expected)
    assert (error <= found.bounds + 1e-13 * expected[-1]).all()
    assert found.bounds.max() <= 2 * STATED * found.error
    # And the measured error is that of float32, not of a check that says nothing: up to 43 units of 6e-8 were seen.
    assert found.error <= 100 * 2.0**-24 * expected[-1]
    assert found.spectrum.total == pytest.approx(expected.sum(), rel=1e-12)


@settings(max_examples=examples(25))
@given(
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(["BF16", "F16"]),
    st.integers(1, 140),
    st.integers(1, 140),
    st.integers(0, 10**6),
)
def test_of_any_shape(kind: str, dtype: str, rows: int, columns: int, seed: int) -> None:
    weights = stored(kind, dtype, rows, columns, seed)
    expected = compute_spectrum([weights], 0.0).eigenvalues
    found = in_single(weights, dtype)
    assert (np.abs(found.spectrum.eigenvalues - expected) <= found.bounds + 1e-13 * expected[-1]).all()
    assert (np.diff(found.spectrum.eigenvalues) >= 0).all()
    assert found.spectrum.eigenvalues[0] >= 0


@settings(max_examples=examples(10))
@given(st.integers(-120, 115), st.integers(0, 100))
def test_a_power_of_two_on_all_weights_changes_no_bit(power: int, seed: int) -> None:
    """So neither squares that float32 can't hold nor those it would lose matter."""
    weights = np.random.default_rng(seed).uniform(0.5, 1, (40, 30)).astype(ml_dtypes.bfloat16)
    once = in_single(weights, "BF16")
    scaled = in_single((weights.astype(np.float64) * 2.0**power).astype(ml_dtypes.bfloat16), "BF16")
    np.testing.assert_array_equal(scaled.spectrum.eigenvalues, once.spectrum.eigenvalues * 4.0**power)
    assert scaled.error == once.error * 4.0**power


def test_slices_are_pooled_and_scaled() -> None:
    kernel = np.random.default_rng(2).standard_normal((9, 32, 16)).astype(np.float16)
    expected = np.sort(np.concatenate([np.linalg.svd(k.astype("f8"), compute_uv=False) ** 2 for k in kernel])) / 2
    found = single_spectrum(kernel, 2.0**-11, scale=0.5, device=DEVICE)
    assert found is not None
    assert (found.spectrum.slices, found.spectrum.rows, found.spectrum.columns) == (9, 32, 16)
    assert (np.abs(found.spectrum.eigenvalues - expected) <= found.bounds + 1e-13 * expected[-1]).all()


@pytest.mark.parametrize(
    ("weights", "dtype"),
    [
        (stored("trained", "F32", 60, 60), "F32"),
        (stored("trained", "F64", 60, 60), "F64"),
        (np.zeros((60, 60), np.float16), "F16"),
        (np.full((60, 60), np.nan, ml_dtypes.bfloat16), "BF16"),
        (np.where(np.eye(60) > 0, np.inf, 1.0).astype(np.float16), "F16"),
    ],
    ids=["float32", "float64", "zeros", "nan", "inf"],
)
def test_what_float32_is_no_good_for_is_left_to_float64(weights: np.ndarray, dtype: str) -> None:
    assert single_spectrum([weights], STORED_DTYPES[dtype].unit_roundoff, device=DEVICE) is None
    row, double = scored(weights, dtype), compute_spectrum([weights], 0.0, device=DEVICE)
    assert IN_SINGLE not in row.flags
    assert row.spectrum.state == double.state
    np.testing.assert_array_equal(row.spectrum.eigenvalues, double.eigenvalues)


def test_presets_that_want_the_exact_small_end_get_float64() -> None:
    assert IN_SINGLE in scored(stored("trained", "BF16", 300, 150), "BF16").flags
    assert IN_SINGLE not in scored(stored("trained", "BF16", 300, 150), "BF16", preset="ww-0.7").flags


def test_a_large_eigenvalue_among_small_ones_falls_back() -> None:
    """A mean of a hundred deviations: float32's error of λ_max is far more than what rounding does to the others."""
    noise = np.random.default_rng(0).standard_normal((200, 200))
    weights = (noise + 20).astype(np.float16)
    row, double = scored(weights, "F16"), compute_spectrum([weights], 0.0, device=DEVICE)
    assert IN_SINGLE not in row.flags
    np.testing.assert_array_equal(row.spectrum.eigenvalues, double.eigenvalues)


@pytest.mark.parametrize("relative", [1e-4, np.nan])
def test_a_solver_that_errs_is_found_out(monkeypatch: pytest.MonkeyPatch, relative: float) -> None:
    """As one that multiplies in a shorter format would."""
    solve: Callable[..., tuple[object, object]] = torch.linalg.eigh

    def badly(matrix: object) -> tuple[object, object]:
        values, vectors = solve(matrix)
        return values * (1 + relative * torch.linspace(-1, 1, len(values))), vectors  # type: ignore[arg-type, operator]

    monkeypatch.setattr(torch.linalg, "eigh", badly)
    weights = stored("trained", "BF16", 300, 150)
    found = single_spectrum([weights], 2.0**-8, device=DEVICE)
    assert found is None or found.error >= 0.5 * relative * found.spectrum.largest
    assert IN_SINGLE not in scored(weights, "BF16").flags


def test_a_solver_without_convergence_is_left_to_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(matrix: object) -> None:
        raise torch.linalg.LinAlgError("did not converge")

    monkeypatch.setattr(torch.linalg, "eigh", fail)
    weights = stored("trained", "BF16", 80, 60)
    assert single_spectrum([weights], 2.0**-8, device=DEVICE) is None
    assert IN_SINGLE not in scored(weights, "BF16").flags


def test_a_device_that_fails_is_one_line() -> None:
    with pytest.raises(CheckpointError, match=r"failed on a matrix of side 5: .*without --device") as error:
        single_spectrum([np.ones((9, 5), np.float16)], 2.0**-11, device="meta")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["trained", "with_mean", "badly_scaled"])
@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_where_float32_is_taken_storage_moves_every_metric_more(kind: str, dtype: str) -> None:
    """The largest move over draws of storage noise, uniform on ±u of each weight; else λ is that of float64."""
    weights = stored(kind, dtype, 400, 200)
    row = scored(weights, dtype)
    exact = scored(weights.astype(np.float64), dtype, "double").metrics
    if IN_SINGLE not in row.flags:
        assert kind != "trained" or dtype != "BF16", "the case that float32 is for"
        assert row.metrics["lambda_max"] == pytest.approx(exact["lambda_max"], rel=1e-12)
        return
    rng, unit = np.random.default_rng(1), STORED_DTYPES[dtype].unit_roundoff
    noise = [rng.uniform(-unit, unit, weights.shape) for _ in range(6)]
    moved = [scored(weights.astype(np.float64) * (1 + each), dtype, "double").metrics for each in noise]
    for name in METRICS:
        most = max(abs(each[name] - exact[name]) for each in moved)
        assert abs(row.metrics[name] - exact[name]) <= most + 1e-12 * abs(exact[name]), name


def test_the_rule_by_hand() -> None:
    """λ of 1 to 100, u of 2⁻⁸: storage moves λ by 2√λ·u/√3·rms(w)."""
    values = np.arange(1.0, 101.0)
    found = Spectrum(values, 200, 100, 1, 2.0**-8, "finite")
    rms = (values.sum() / (200 * 100)) ** 0.5
    for xmin, lowest in ((80.0, 51.0), (30.0, 30.0)):
        limit = 2 * lowest**0.5 * 2.0**-8 / 3**0.5 * rms
        assert SingleSpectrum(found, 0.999 * limit, np.full(100, 1e-9)).stays_within_rounding(xmin)
        assert not SingleSpectrum(found, 1.001 * limit, np.full(100, 1e-9)).stays_within_rounding(xmin)
    # As near to the floor as its bound, and it is open on which side λ lies.
    for bound, certain in ((0.9, True), (1.1, False)):
        bounds = np.append(bound * (values[0] - found.floor), np.full(99, 1e-9))
        assert SingleSpectrum(found, 1e-6, bounds).stays_within_rounding(50.0) == certain


def test_what_solves_is_told() -> None:
    assert single_solver_on(DEVICE).endswith(f"or else float64: {solver_on(DEVICE)}")


def test_a_real_gpu_keeps_the_stated_error() -> None:
    if not torch.cuda.is_available():
        pytest.skip("torch finds no GPU here")
    for kind in KINDS:
        for dtype in ("BF16", "F16"):
            weights = stored(kind, dtype, 1200, 600)
            expected = compute_spectrum([weights], 0.0).eigenvalues
            found = single_spectrum([weights], STORED_DTYPES[dtype].unit_roundoff, device="cuda")
            assert found is not None
            assert (np.abs(found.spectrum.eigenvalues - expected) <= found.bounds + 1e-13 * expected[-1]).all()
