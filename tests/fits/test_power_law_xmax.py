"""The power law with D cut off at λ_max against powerlaw 1.5, its recorded fits, and a plain loop."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fits.tails import EXTREME, KDD_FLOOR, kdd_esd, kdd_fits, tails
from tests.oracles import Oracle
from wqscore.fits.power_law import fit_power_law
from wqscore.fits.power_law_xmax import fit_power_law_xmax

powerlaw = Oracle("powerlaw")


def plain_loop(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What `powerlaw.Fit(values, xmax=max(values))` computes at each xmin, from its description."""
    xmins = np.unique(values)[:-1]
    alphas, distances = [], []
    for xmin in xmins:
        tail = values[values >= xmin]
        alpha = 1 + len(tail) / np.sum(np.log(tail / xmin))
        distinct = np.unique(tail)
        model = (1 - (distinct / xmin) ** (1 - alpha)) / (1 - (values[-1] / xmin) ** (1 - alpha))
        empirical = np.searchsorted(tail, distinct) / len(tail)  # values below each
        alphas.append(alpha)
        distances.append(np.max(np.abs(model - empirical)))
    return xmins, np.array(alphas), np.array(distances)


def powerlaw_fit(values: np.ndarray) -> tuple[float, float, float, float]:
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        fit = powerlaw.Fit(values, xmax=np.max(values), verbose=False)
    return fit.alpha, fit.xmin, fit.D, fit.sigma


def assert_equals_powerlaw(values: np.ndarray) -> None:
    alpha, xmin, D, sigma = powerlaw_fit(values)
    fit = fit_power_law_xmax(values)
    assert fit is not None
    assert fit.xmin == xmin
    assert fit.alpha == pytest.approx(alpha, rel=1e-12)
    assert pytest.approx(D, abs=1e-12) == fit.D
    assert fit.sigma == pytest.approx(sigma, rel=1e-12)
    assert fit.n_tail == np.count_nonzero(values >= xmin)


@pytest.mark.oracle("powerlaw")
@pytest.mark.parametrize("name", ["good", "mediocre", "bad"])
def test_equals_powerlaw_on_the_published_esds(name: str) -> None:
    values = kdd_esd(name)
    assert_equals_powerlaw(values[values > KDD_FLOOR])


@pytest.mark.parametrize("name", ["good", "mediocre", "bad"])
def test_equals_powerlaws_recorded_fit(name: str) -> None:
    row = next(row for row in kdd_fits("power_law") if (row["esd"], row["fit"]) == (name, "pl_xmin_by_ks_xmax"))
    fit = fit_power_law_xmax(kdd_esd(name), KDD_FLOOR)
    assert fit is not None
    assert [fit.xmin, fit.n_tail] == [float(row["xmin"]), int(row["n_tail"])]
    assert [fit.alpha, fit.D] == pytest.approx([float(row["power_law_alpha"]), float(row["D"])], rel=0, abs=1e-12)


@pytest.mark.oracle("powerlaw")
@pytest.mark.parametrize("kind", ["pareto", "student", "lognormal", "noise"])
@pytest.mark.parametrize("seed", range(4))
def test_equals_powerlaw_on_random_spectra(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = {
        "pareto": lambda: rng.pareto(0.7 + seed, 200) + 1,
        "student": lambda: np.linalg.svd(rng.standard_t(2.5, (220, 160)), compute_uv=False) ** 2 / 2,
        "lognormal": lambda: rng.lognormal(0, 0.5 + seed, 200),
        "noise": lambda: np.linalg.svd(rng.standard_normal((300, 150)) * 0.02, compute_uv=False) ** 2 / 2,
    }[kind]()
    assert_equals_powerlaw(np.sort(values))


@pytest.mark.oracle("powerlaw")
def test_equals_powerlaw_where_eigenvalues_repeat() -> None:
    assert_equals_powerlaw(np.sort(np.ceil(3 * (np.random.default_rng(1).pareto(1.3, 200) + 1))))


def test_the_cut_off_moves_xmin() -> None:
    cut_off, plain = fit_power_law_xmax(kdd_esd("good"), KDD_FLOOR), fit_power_law(kdd_esd("good"), KDD_FLOOR)
    assert cut_off is not None and plain is not None
    assert plain.alpha - cut_off.alpha > 0.01


@settings(max_examples=examples(200))
@given(values=tails(120))
@example(values=np.array([1.0, 2.0]))
@example(values=np.repeat([1.0, 2.0, 3.0], 20))
def test_equals_a_plain_loop(values: np.ndarray) -> None:
    fit = fit_power_law_xmax(values)
    xmins, alphas, distances = plain_loop(values)
    if xmins.size == 0:
        assert fit is None
        return
    assert fit is not None
    # A ratio of two values is known to eps, and raised to the power alpha: in a narrow tail to fewer digits.
    digits = 1e-12 + 4e-16 * alphas
    # Where two candidates are equally good up to rounding, either is the minimum; else it is the first.
    chosen = int(np.flatnonzero(xmins == fit.xmin)[0])
    assert distances[chosen] - digits[chosen] <= np.min(distances + digits)
    assert pytest.approx(distances[chosen], abs=digits[chosen]) == fit.D
    assert fit.alpha == pytest.approx(alphas[chosen], rel=digits[chosen])
    assert fit.n_tail == np.count_nonzero(values >= fit.xmin)


@settings(max_examples=examples(100))
@given(values=tails(), power=st.integers(-60, 60))
def test_scaling_the_weights_changes_nothing_but_xmin(values: np.ndarray, power: int) -> None:
    fit, scaled = fit_power_law_xmax(values), fit_power_law_xmax(values * 2.0**power)
    assert (fit is None) == (scaled is None)
    if fit and scaled:
        assert (scaled.alpha, scaled.D, scaled.n_tail) == (fit.alpha, fit.D, fit.n_tail)
        assert scaled.xmin == fit.xmin * 2.0**power


@pytest.mark.parametrize(
    "values",
    [np.empty(0), np.ones(1), np.ones(500), np.zeros(20), np.append(np.zeros(20), 3.0), np.array([1.0, np.inf])],
)
def test_fewer_than_two_values_is_none(values: np.ndarray) -> None:
    assert fit_power_law_xmax(values) is None


@pytest.mark.parametrize("values", EXTREME)
def test_extremes_are_fitted_or_none_without_a_warning(values: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fit_power_law_xmax(values)
    if fit is not None:
        assert np.isfinite([fit.alpha, fit.sigma]).all()
        assert fit.alpha > 1 and 0 < fit.D <= 1


def test_zeros_and_the_floor_leave_the_bulk_out() -> None:
    tail = kdd_esd("good")
    noisy = np.concatenate([np.zeros(9), np.full(400, 1e-9), tail])
    assert fit_power_law_xmax(noisy, 1e-6) == fit_power_law_xmax(tail, 1e-6)
