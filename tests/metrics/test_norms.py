"""The norm family against the published formulas written again, on torch weights and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.metrics.analysis import ModelAnalysis
from wqscore.metrics.norms import fro_over_spectral, log_product, log_sum, param_norm
from wqscore.metrics.registry import WHOLE_METRICS
from wqscore.spectra.spectrum import compute_spectrum

pytestmark = pytest.mark.filterwarnings("error")


def norm_measures(frobenius: np.ndarray, spectral: np.ndarray) -> dict[str, float]:
    analysis = ModelAnalysis(frobenius, spectral, ())
    values = {name: metric.compute(analysis) for name, metric in WHOLE_METRICS.items() if name != "log_path_norm"}
    assert all(math.isnan(value.value) == bool(value.reason) for value in values.values())
    return {name: value.value for name, value in values.items()}


def published(weights: list[np.ndarray]) -> dict[str, float]:
    """The measures as defined in the literature's code: every norm squared, "sum" = d times the geometric mean."""
    d = len(weights)
    fro = [np.linalg.norm(w) ** 2 for w in weights]
    spec = [np.linalg.norm(w, 2) ** 2 for w in weights]
    return {
        "log_prod_spectral": math.log(math.prod(spec)),
        "log_sum_spectral": math.log(d * math.prod(spec) ** (1 / d)),
        "log_prod_fro": math.log(math.prod(fro)),
        "log_sum_fro": math.log(d * math.prod(fro) ** (1 / d)),
        "fro_over_spectral": sum(f / s for f, s in zip(fro, spec, strict=True)),
        "param_norm": sum(float((w**2).sum()) for w in weights),
    }


@settings(max_examples=examples(40))
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=9), st.integers(0, 2**32))
def test_the_published_formulas(shapes: list[tuple[int, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = [rng.standard_normal(shape) * 10 ** rng.uniform(-2, 2) for shape in shapes]
    spectra = [compute_spectrum([w], 0.0) for w in weights]
    found = norm_measures(np.array([s.total for s in spectra]), np.array([s.largest for s in spectra]))
    assert found == pytest.approx(published(weights), rel=1e-9, abs=1e-9)


def test_by_hand() -> None:
    found = norm_measures(np.array([6.0, 4.0]), np.array([2.0, 4.0]))
    assert tuple(found.values()) == pytest.approx(
        (math.log(8), math.log(2 * 8**0.5), math.log(24), math.log(2 * 24**0.5), 4, 10)
    )


def test_no_depth_overflows() -> None:
    for value in (1e300, 1e-300, 5e-324):
        norms = np.full(2000, value)
        assert log_product(norms) == pytest.approx(2000 * math.log(value))
        assert log_sum(norms) == pytest.approx(math.log(2000) + math.log(value))
        assert fro_over_spectral(norms, norms) == 2000
    assert math.isnan(param_norm(np.full(2000, 1e306)))
    assert param_norm(np.full(2000, 1e300)) == pytest.approx(2e303)
    assert math.isnan(fro_over_spectral(np.array([1e300]), np.array([1e-300])))


def test_order_does_not_matter_and_scale_adds_to_the_logs() -> None:
    rng = np.random.default_rng(0)
    spectral = rng.pareto(1.0, 30) + 0.1
    frobenius = spectral * rng.uniform(1, 50, 30)
    found, reverse = norm_measures(frobenius, spectral), norm_measures(frobenius[::-1], spectral[::-1])
    assert found == pytest.approx(reverse, rel=1e-12)
    scaled = norm_measures(frobenius * 1024**2, spectral * 1024**2)
    assert scaled["fro_over_spectral"] == pytest.approx(found["fro_over_spectral"], rel=1e-9)
    assert scaled["log_prod_spectral"] == pytest.approx(found["log_prod_spectral"] + 30 * 20 * math.log(2), rel=1e-12)
    assert scaled["log_sum_fro"] == pytest.approx(found["log_sum_fro"] + 20 * math.log(2), rel=1e-12)


def test_with_a_matrix_of_zeros_only_the_parameter_norm_is_defined() -> None:
    *rest, total = norm_measures(np.array([3.0, 0.0]), np.array([2.0, 0.0])).values()
    assert all(math.isnan(value) for value in rest)
    assert total == 3


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_norm_that_is_not_finite_leaves_nothing(bad: float) -> None:
    assert all(math.isnan(v) for v in norm_measures(np.array([1.0, bad]), np.array([1.0, bad])).values())


def test_no_matrix_no_norm() -> None:
    assert all(math.isnan(v) for v in norm_measures(np.empty(0), np.empty(0)).values())
