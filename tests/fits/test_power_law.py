"""The power-law fit against a plain loop, powerlaw 1.5, and closed forms."""

from __future__ import annotations

import contextlib
import io
from typing import NoReturn, get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.oracles import Oracle
from wqscore.fits import power_law
from wqscore.fits.power_law import CandidateRule, fit_power_law, scan_xmin, sketch_xmin

powerlaw = Oracle("powerlaw")


def plain_loop(values: np.ndarray, every_point: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidates, exponents and distances as docs/metrics.md defines them, one candidate after the other."""
    n = len(values)
    indices, alphas, distances = [], [], []
    for i in range(n - 1 if every_point else n - 9):
        tail = values[i:]
        if not every_point and ((i > 0 and values[i] == values[i - 1]) or values[-1] / values[i] - 1 <= 1e-10):
            continue
        total = np.sum(np.log(tail / values[i]))
        if total <= 0:
            continue
        m = n - i
        alpha = 1 + m / total
        k = np.arange(m)
        indices.append(i)
        alphas.append(alpha)
        distances.append(np.max(np.abs(1 - (tail / values[i]) ** (1 - alpha) - k / m)))
    return np.array(indices, dtype=int), np.array(alphas), np.array(distances)


def spectra() -> st.SearchStrategy[np.ndarray]:
    """Random spectra: noise, heavy tails, a few distinct values, scales from 1e-30 to 1e30."""

    def build(seed: int, size: int, kind: str, decimals: int, scale: float) -> np.ndarray:
        rng = np.random.default_rng(seed)
        values = {
            "pareto": rng.pareto(rng.uniform(0.5, 4), size) + 1,
            "lognormal": rng.lognormal(0, rng.uniform(0.1, 3), size),
            "uniform": rng.uniform(0.1, 10, size),
            "chi2": rng.chisquare(5, size),
        }[kind]
        if decimals < 3:  # ties
            values = np.maximum(np.round(values, decimals), 10.0**-decimals)
        return np.sort(values) * scale

    return st.builds(
        build,
        st.integers(0, 2**32 - 1),
        st.integers(2, 400),
        st.sampled_from(["pareto", "lognormal", "uniform", "chi2"]),
        st.integers(0, 6),
        st.sampled_from([1.0, 1e-30, 1e30, 3.7e-5]),
    )


@pytest.mark.parametrize("rule", ["tail", "every-point"])
@settings(max_examples=examples(1000))
@given(values=spectra())
@example(values=np.ones(50))
@example(values=np.repeat([1.0, 2.0, 3.0], 20))
def test_equals_a_plain_loop(rule: str, values: np.ndarray) -> None:
    indices, alphas, distances = plain_loop(values, every_point=rule == "every-point")
    fit = fit_power_law(values, candidates=rule)
    if indices.size == 0:
        assert fit is None
        return
    assert fit is not None
    assert pytest.approx(distances.min(), rel=1e-10, abs=1e-12) == fit.D
    # Where two candidates are equally good up to rounding, either is the minimum; else it is the first.
    near = np.flatnonzero(distances <= distances.min() + 1e-12)
    chosen = [position for position in near if values[indices[position]] == fit.xmin]
    assert chosen, "xmin is not one of the candidates with the smallest distance"
    if distances.min() > 0 and len(near) == 1:
        assert fit.n_tail == len(values) - indices[near[0]]
    expected = next(alphas[p] for p in chosen if len(values) - indices[p] == fit.n_tail)
    assert fit.alpha == pytest.approx(expected, rel=1e-10)
    assert fit.sigma == pytest.approx((fit.alpha - 1) / np.sqrt(fit.n_tail), rel=1e-14)


@settings(max_examples=examples(100))
@given(values=spectra())
def test_the_scan_gives_every_candidate(values: np.ndarray) -> None:
    indices, alphas, distances = plain_loop(values)
    scan = scan_xmin(values)
    assert scan.xmin.tolist() == values[indices].tolist()
    np.testing.assert_allclose(scan.alpha, alphas, rtol=1e-9)
    np.testing.assert_allclose(scan.D, distances, rtol=1e-9, atol=1e-11)


@settings(max_examples=examples(50))
@given(values=spectra(), most=st.integers(1, 60), known=st.booleans())
def test_a_sketch_has_the_scans_numbers_at_a_few_candidates_and_at_the_fit(
    values: np.ndarray, most: int, known: bool
) -> None:
    for rule in get_args(CandidateRule):
        scan, fit = scan_xmin(values, candidates=rule), fit_power_law(values, candidates=rule)
        sketch = sketch_xmin(values, 0.0, most, fit if known else None, rule)
        assert len(sketch.xmin) <= most + 1
        if fit is None:
            assert not sketch.xmin.size
            continue
        assert fit.xmin in sketch.xmin
        assert sketch.D.min() == pytest.approx(fit.D, rel=1e-9, abs=1e-11)
        for xmin, *numbers in zip(sketch.xmin, sketch.alpha, sketch.D, strict=True):
            those = np.column_stack([scan.alpha, scan.D])[scan.xmin == xmin]
            assert np.isclose(those, numbers, rtol=1e-9, atol=1e-11).all(axis=1).any()


def test_a_sketch_of_a_known_fit_loads_nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.sort(np.random.default_rng(0).pareto(2, 300) + 1)
    fit = fit_power_law(values)
    expected = sketch_xmin(values, 0.0, 47, None)

    def fail(*_: object) -> NoReturn:
        raise AssertionError("compiled")

    monkeypatch.setattr(power_law, "best_candidate", fail)
    sketch = sketch_xmin(values, 0.0, 47, fit)
    assert (sketch.xmin.tolist(), sketch.D.tolist()) == (expected.xmin.tolist(), expected.D.tolist())
    with pytest.raises(AssertionError, match="compiled"):
        sketch_xmin(values, 0.0, 47, None)


@pytest.mark.oracle("powerlaw")
@pytest.mark.parametrize("seed", range(10))
def test_equals_powerlaw(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.sort(rng.pareto(1 + seed / 3, 300) + 1)
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        expected = powerlaw.Fit(values, verbose=False)
    fit = fit_power_law(values, candidates="every-point")
    assert fit is not None
    assert fit.alpha == pytest.approx(expected.alpha, rel=1e-12)
    assert fit.xmin == pytest.approx(expected.xmin, rel=1e-12)
    assert pytest.approx(expected.D, rel=1e-11) == fit.D


@pytest.mark.parametrize("alpha", [1.8, 2.5, 4.0])
def test_recovers_the_exponent_of_exact_quantiles(alpha: float) -> None:
    quantiles = (np.arange(20_000) + 0.5) / 20_000
    fit = fit_power_law((1 - quantiles) ** (-1 / (alpha - 1)))
    assert fit is not None
    assert fit.alpha == pytest.approx(alpha, rel=0.01)
    assert fit.D < 0.01


@settings(max_examples=examples(200))
@given(values=spectra(), power=st.integers(-60, 60))
def test_scaling_the_weights_changes_nothing_but_xmin(values: np.ndarray, power: int) -> None:
    fit, scaled = fit_power_law(values), fit_power_law(values * 2.0**power)
    assert (fit is None) == (scaled is None)
    if fit and scaled:
        assert (scaled.alpha, scaled.D, scaled.n_tail) == (fit.alpha, fit.D, fit.n_tail)
        assert scaled.xmin == fit.xmin * 2.0**power


@pytest.mark.parametrize(
    "values",
    [
        np.empty(0),
        np.ones(1),
        np.arange(1.0, 10.0),
        np.ones(500),
        np.zeros(20),
        np.full(30, 5e-324),
        1 + np.arange(50) * 1e-13,
    ],
)
def test_no_candidate_is_none_and_not_a_number(values: np.ndarray) -> None:
    assert fit_power_law(values) is None


def test_the_floor_leaves_the_bulk_out() -> None:
    rng = np.random.default_rng(0)
    tail = np.sort(rng.pareto(2, 100) + 1)
    noisy = np.concatenate([np.full(400, 1e-9), tail])
    assert fit_power_law(noisy, floor=1e-6) == fit_power_law(tail)
