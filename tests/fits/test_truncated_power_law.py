"""The truncated power law against mpmath's exponential integrals, powerlaw 1.5, draws, and a plain scan."""

from __future__ import annotations

import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fits.tails import EXTREME, KDD_FLOOR, NO_TAIL, kdd_esd, kdd_fits, row_name, tails
from wqscore.fits.mode import starts_at_mode
from wqscore.fits.power_law import fit_power_law, fit_power_law_at, log_likelihood, scan_xmin
from wqscore.fits.tail import points_above
from wqscore.fits.tempered_kernel import moments
from wqscore.fits.truncated_power_law import TruncatedPowerLawFit, fit_e_tpl, fit_truncated_power_law

mp = mpmath.mp.clone()
mp.dps = 40


def exact_log_integral(alpha: float, rate: float) -> object:
    """ln ∫_1^∞ t^−α e^{−rate·t} dt: the generalised exponential integral E_α(rate), to 40 digits."""
    return mp.log(mp.expint(mp.mpf(alpha), mp.mpf(rate)))


def quadrature(alpha: float, rate: float, start: float = 1.0) -> tuple[float, np.ndarray, np.ndarray]:
    """ln ∫_start^∞ t^−α e^{−rate·t} dt for any rate > 0, by 100 panels of Gauss–Legendre in ln t about the peak.

    Also the nodes ln t and their shares of the integral. mpmath has no such integral for alpha = −60,000.
    """
    peak = max(np.log(max(1 - alpha, 1e-300) / rate), np.log(start))

    def drop(u: np.ndarray) -> np.ndarray:
        return (1 - alpha) * (u - peak) - rate * np.exp(peak) * np.expm1(np.minimum(u - peak, 600))

    widths = np.geomspace(1e-9, 700, 3000)
    right = peak + widths[np.argmax(drop(peak + widths) < -60)]
    left = max(np.log(start), peak - widths[np.argmax(drop(peak - widths) < -60) or -1])
    nodes, weights = np.polynomial.legendre.leggauss(20)
    edges = np.concatenate([np.linspace(left, peak, 51), np.linspace(peak, right, 51)[1:]])
    half = np.diff(edges)[:, None] / 2
    u = (edges[:-1, None] + half * (1 + nodes)).ravel()
    mass = (half * weights).ravel() * np.exp(drop(u))
    top = (1 - alpha) * peak - rate * np.exp(peak)
    return top + np.log(mass.sum()), u, mass / mass.sum()


def plain_log_likelihood(tail: np.ndarray, xmin: float, alpha: float, Lambda: float) -> float:
    total = -alpha * np.log(tail / xmin).sum() - Lambda * tail.sum()
    return float(total - len(tail) * (quadrature(alpha, Lambda * xmin)[0] + np.log(xmin)))


def plain_distance(tail: np.ndarray, xmin: float, alpha: float, Lambda: float) -> float:
    whole, m = quadrature(alpha, Lambda * xmin)[0], len(tail)
    above = np.array([np.exp(quadrature(alpha, Lambda * xmin, x / xmin)[0] - whole) for x in tail])
    return float(np.max(np.abs(1 - above - np.arange(m) / m)))


def draw(rng: np.random.Generator, alpha: float, Lambda: float, size: int) -> np.ndarray:
    """Exact draws from x^−alpha e^{−Lambda·x} on x ≥ 1, by rejection."""
    drawn: list[np.ndarray] = []
    while sum(map(len, drawn)) < size:
        if alpha < 1:
            candidates = rng.gamma(1 - alpha, 1 / Lambda, size)
            share = candidates >= 1
        elif alpha == 1:
            candidates = 1 + rng.exponential(1 / Lambda, size)
            share = 1 / candidates
        else:
            candidates = 1 + rng.pareto(alpha - 1, size)
            share = np.exp(-Lambda * (candidates - 1))
        drawn.append(candidates[rng.random(size) < share])
    return np.sort(np.concatenate(drawn)[:size])


@pytest.mark.parametrize("alpha", [-100, -60, -10, -1.5, 0, 0.5, 1, 1.5, 2, 2.5, 5, 20])
def test_the_normaliser_and_the_means_equal_mpmath(alpha: float) -> None:
    rng = np.random.default_rng(int(alpha + 200))
    for exponent in [*range(-8, 4), *rng.uniform(-8, 3, 6)]:
        rate = 10.0**exponent
        # Any point may be y = 0: the fit takes the geometric mean.
        for centre in (0.0, rng.uniform(0, 3)):
            c = rate * np.exp(centre)
            k = alpha - 1 + c
            logarithm, mean_y, mean_w, *_ = moments(k, c, -centre)
            # Back to t = e^{y + centre} ≥ 1: exp(−k·y − c·w) = t^−(k − c) e^{−rate·t} · e^{(k − c)·centre + c}.
            expected = exact_log_integral(alpha, rate)
            assert abs(float(mp.mpf(logarithm) - c - mp.mpf(k - c) * centre - expected)) < 1e-10
            mean = mp.exp(exact_log_integral(alpha - 1, rate) - expected)
            assert (mean_w + 1 + mean_y) * np.exp(centre) == pytest.approx(float(mean), rel=1e-10)


@pytest.mark.parametrize("alpha", [1.9, 2.1, 2.5])
def test_the_mean_counts_what_is_too_rare_for_the_density(alpha: float) -> None:
    # Beyond t = e^36 lies e^−40 of the density, and a part of the mean.
    rate = 1e-18
    _, mean_y, mean_w, *_ = moments(alpha - 1 + rate, rate, 0.0)
    expected = mp.exp(exact_log_integral(alpha - 1, rate) - exact_log_integral(alpha, rate))
    assert mean_w + 1 + mean_y == pytest.approx(float(expected), rel=1e-10)


@pytest.mark.parametrize("row", kdd_fits("truncated_power_law"), ids=row_name)
def test_at_least_as_likely_as_powerlaw(row: dict[str, str]) -> None:
    fit = fit_truncated_power_law(kdd_esd(row["esd"]), KDD_FLOOR, float(row["xmin"]))
    assert fit is not None
    assert fit.n_tail == int(row["n_tail"])
    if row["esd"] != "bad":
        assert fit.loglik == pytest.approx(float(row["loglik"]), abs=1e-6)
        assert fit.loglik >= float(row["loglik"])
        # powerlaw's search ends within 1e-4.
        assert fit.alpha == pytest.approx(float(row["truncated_power_law_alpha"]), abs=1e-4)
        assert fit.Lambda == pytest.approx(float(row["truncated_power_law_Lambda"]), abs=1e-4)
    else:
        # powerlaw stops at alpha = 1, where the optimum lies beyond.
        assert float(row["truncated_power_law_alpha"]) == pytest.approx(1, abs=1e-4)
        assert fit.alpha < 1
        assert fit.loglik > float(row["loglik"]) + 0.05
        assert float(row["D"]) > fit.D


@pytest.mark.parametrize("row", kdd_fits("power_law"), ids=row_name)
def test_the_power_law_equals_powerlaw(row: dict[str, str]) -> None:
    values = kdd_esd(row["esd"])
    fit = fit_power_law_at(values, KDD_FLOOR, float(row["xmin"]))
    assert fit is not None
    assert fit.n_tail == int(row["n_tail"])
    assert fit.alpha == pytest.approx(float(row["power_law_alpha"]), abs=1e-10)
    assert log_likelihood(fit, values) == pytest.approx(float(row["loglik"]), abs=1e-9)
    if not row["xmax"]:
        assert pytest.approx(float(row["D"]), abs=1e-12) == fit.D
    if row["fit"] == "pl_xmin_by_ks_no_xmax":
        best = fit_power_law(values, KDD_FLOOR)
        assert best is not None
        assert best.xmin == fit.xmin
        assert best.alpha == pytest.approx(fit.alpha, rel=1e-12)
        assert pytest.approx(fit.D, rel=1e-10) == best.D


def test_orders_the_published_esds_by_quality() -> None:
    alphas, cut_offs = [], []
    for name in ("good", "mediocre", "bad"):
        power_law, e_tpl = fit_power_law(kdd_esd(name), KDD_FLOOR), fit_e_tpl(kdd_esd(name), KDD_FLOOR)
        assert power_law is not None and e_tpl is not None
        alphas.append(power_law.alpha)
        cut_offs.append(e_tpl.Lambda)
    assert alphas[0] * 1.2 < alphas[1] and alphas[1] * 1.2 < alphas[2]
    assert cut_offs[0] * 1.2 < cut_offs[1] and cut_offs[1] * 1.2 < cut_offs[2]


@pytest.mark.parametrize(
    ("alpha", "Lambda"), [(2.5, 0.02), (1.5, 0.1), (1.0, 0.5), (0.0, 1.0), (-3.0, 2.0), (-30.0, 20.0), (3.0, 1e-4)]
)
def test_recovers_the_parameters_of_draws(alpha: float, Lambda: float) -> None:
    draws = draw(np.random.default_rng(3), alpha, Lambda, 20_000)
    fit = fit_truncated_power_law(draws, xmin=1.0)
    assert fit is not None
    errors = np.sqrt(np.diag(np.linalg.inv(np.cov([np.log(draws), draws]))) / len(draws))
    assert abs(fit.alpha - alpha) < 4 * errors[0]
    assert abs(fit.Lambda - Lambda) < 4 * errors[1]
    assert fit.D < 0.012


def fitted(values: np.ndarray, xmin: float) -> tuple[TruncatedPowerLawFit, np.ndarray] | None:
    fit = fit_truncated_power_law(values, xmin=xmin)
    tail = values[values >= xmin]
    if fit is None:
        assert len(tail) < 10 or tail[-1] / tail[0] - 1 <= 1e-10, "did not converge"
        return None
    assert fit.n_tail == len(tail)
    return fit, tail


@settings(max_examples=examples(80))
@given(values=tails(40), below=st.sampled_from([1.0, 0.9, 1e-3]))
def test_the_optimum_has_the_tails_own_means(values: np.ndarray, below: float) -> None:
    xmin = float(values[0]) * below
    if (found := fitted(values, xmin)) is None:
        return
    fit, tail = found
    ratios = tail / xmin
    if fit.Lambda == 0:
        # Nothing is gained by a cut-off: the power law's mean is at most the tail's.
        hill = 1 + 1 / np.log(ratios).mean()
        assert fit.alpha == pytest.approx(hill, rel=1e-12)
        # (Near alpha = 2, and only there, an outlier can ask for a cut-off beyond float64's range.)
        assert abs(hill - 2) < 0.05 or (hill - 1) / (hill - 2) <= ratios.mean() * (1 + 1e-12)
        return
    _, logs, shares = quadrature(fit.alpha, fit.Lambda * xmin)
    # The mean of t, to which values count that have no share of their own: over the density times t, that of 1/t.
    _, logs_by_t, shares_by_t = quadrature(fit.alpha - 1, fit.Lambda * xmin)
    mean = 1 / np.sum(shares_by_t * np.exp(-logs_by_t))
    # alpha and Lambda, both large in a narrow tail, nearly cancel: the means are known to their last digits alone.
    digits = 1e-15 * max(abs(fit.alpha), 1)
    for expected, found, spread in (
        (np.log(ratios).mean(), np.sum(shares * logs), np.log(ratios).std()),
        (ratios.mean(), mean, ratios.std()),
    ):
        assert found == pytest.approx(expected, rel=1e-11 + digits, abs=1e-8 * spread)


@settings(max_examples=examples(60))
@given(values=tails(40), below=st.sampled_from([1.0, 0.9, 1e-3]))
def test_likelihood_and_distance_are_those_of_the_density(values: np.ndarray, below: float) -> None:
    xmin = float(values[0]) * below
    if (found := fitted(values, xmin)) is None:
        return
    fit, tail = found
    if fit.Lambda == 0:
        power_law = fit_power_law_at(values, 0.0, xmin)
        assert power_law is not None
        assert fit.loglik == pytest.approx(log_likelihood(power_law, values), rel=1e-10)
        assert pytest.approx(power_law.D, abs=1e-10) == fit.D
        return
    digits = 1e-14 * max(abs(fit.alpha) * np.log(tail[-1] / xmin), fit.Lambda * tail[-1], 1)
    likelihood = plain_log_likelihood(tail, xmin, fit.alpha, fit.Lambda)
    assert fit.loglik == pytest.approx(likelihood, rel=1e-10, abs=digits * fit.n_tail)
    assert pytest.approx(plain_distance(tail, xmin, fit.alpha, fit.Lambda), abs=1e-9 + digits) == fit.D


@settings(max_examples=examples(100))
@given(values=tails(60), shift=st.floats(-1, 1), factor=st.floats(0.5, 2))
def test_nothing_near_is_likelier(values: np.ndarray, shift: float, factor: float) -> None:
    xmin = float(values[0]) * 0.9
    if (found := fitted(values, xmin)) is None:
        return
    fit, tail = found
    Lambda = max(fit.Lambda, 1e-3 / values[-1]) * factor
    other = plain_log_likelihood(tail, xmin, fit.alpha + shift, Lambda)
    # alpha and Lambda, both large in a narrow tail, nearly cancel: their last digits move its likelihood.
    digits = 1e-14 * fit.n_tail * max(abs(fit.alpha), 1)
    assert fit.loglik >= other - 1e-9 * abs(fit.loglik) - 1e-7 - digits


@pytest.mark.parametrize("name", ["good", "mediocre", "bad"])
def test_the_distance_equals_mpmath(name: str) -> None:
    fit = fit_e_tpl(kdd_esd(name), KDD_FLOOR)
    assert fit is not None
    tail = kdd_esd(name)[-fit.n_tail :]
    assert tail[0] == fit.xmin
    alpha, rate = mp.mpf(fit.alpha), mp.mpf(fit.Lambda) * mp.mpf(fit.xmin)
    ratios = [mp.mpf(float(x)) / mp.mpf(fit.xmin) for x in tail]
    above = [t ** (1 - alpha) * mp.expint(alpha, rate * t) / mp.expint(alpha, rate) for t in ratios]
    gaps = [abs(float(1 - share) - k / len(tail)) for k, share in enumerate(above)]
    assert pytest.approx(max(gaps), abs=1e-10) == fit.D


@settings(max_examples=examples(40))
@given(values=tails(80))
def test_the_scan_takes_the_candidate_with_the_smallest_distance(values: np.ndarray) -> None:
    candidates = scan_xmin(values).xmin
    best = fit_truncated_power_law(values)
    if candidates.size == 0:
        assert best is None
        return
    assert best is not None
    alone = [fit_truncated_power_law(values, xmin=float(xmin)) for xmin in candidates]
    distances = [fit.D for fit in alone if fit is not None]
    assert len(distances) == candidates.size
    assert pytest.approx(min(distances), abs=1e-8) == best.D
    same = alone[candidates.tolist().index(best.xmin)]
    assert same is not None
    assert (same.xmin, same.n_tail) == (best.xmin, best.n_tail)
    assert pytest.approx(best.D, abs=1e-8) == same.D
    assert same.loglik == pytest.approx(best.loglik, rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("name", ["good", "mediocre", "bad"])
def test_e_tpl_is_the_best_start_at_the_mode(name: str) -> None:
    values = kdd_esd(name)
    points = points_above(values, KDD_FLOOR)
    alone = [fit_truncated_power_law(values, KDD_FLOOR, float(points[i])) for i in starts_at_mode(points)]
    closest = min((fit for fit in alone if fit is not None), key=lambda fit: fit.D)
    best = fit_e_tpl(values, KDD_FLOOR)
    assert best is not None
    assert best.xmin == closest.xmin
    assert [best.alpha, best.Lambda, best.D, best.loglik] == pytest.approx(
        [closest.alpha, closest.Lambda, closest.D, closest.loglik], rel=1e-8
    )


@settings(max_examples=examples(60))
@given(values=tails(100), power=st.integers(-60, 60))
def test_scaling_the_weights_scales_the_cut_off(values: np.ndarray, power: int) -> None:
    factor = 2.0**power
    for fit, scaled in (
        (fit_truncated_power_law(values), fit_truncated_power_law(values * factor)),
        (fit_e_tpl(values), fit_e_tpl(values * factor)),
    ):
        assert (fit is None) == (scaled is None)
        if fit and scaled:
            assert (scaled.alpha, scaled.D, scaled.n_tail) == (fit.alpha, fit.D, fit.n_tail)
            assert (scaled.xmin, scaled.Lambda) == (fit.xmin * factor, fit.Lambda / factor)
            assert scaled.loglik == pytest.approx(fit.loglik - fit.n_tail * power * np.log(2), rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("factor", [3.7e-9, 0.1, 12345.6])
def test_any_factor_scales_the_cut_off(factor: float) -> None:
    fit, scaled = fit_e_tpl(kdd_esd("bad"), KDD_FLOOR), fit_e_tpl(kdd_esd("bad") * factor, KDD_FLOOR * factor)
    assert fit is not None and scaled is not None
    assert [scaled.alpha, scaled.D, scaled.Lambda * factor] == pytest.approx([fit.alpha, fit.D, fit.Lambda], rel=1e-8)


def test_a_heavier_tail_has_no_cut_off() -> None:
    quantiles = (np.arange(200) + 0.5) / 200
    values = np.append((1 - quantiles) ** (-1 / 3), 1e4)  # density exponent 4 and an outlier
    fit, power_law = fit_truncated_power_law(values, xmin=1.0), fit_power_law_at(values, 0.0, 1.0)
    assert fit is not None and power_law is not None
    assert fit.Lambda == 0
    assert fit.alpha == pytest.approx(power_law.alpha, rel=1e-12)
    assert pytest.approx(power_law.D, rel=1e-9) == fit.D
    lighter = fit_truncated_power_law(values[:-1], xmin=1.0)
    assert lighter is not None
    assert lighter.Lambda > 0


@pytest.mark.parametrize("values", NO_TAIL)
def test_no_tail_is_none_and_not_a_number(values: np.ndarray) -> None:
    assert fit_truncated_power_law(values) is None
    assert fit_truncated_power_law(values, xmin=1.0) is None
    assert fit_e_tpl(values) is None


@pytest.mark.parametrize("xmin", [0.0, -1.0, np.nan, np.inf, 1e6])
def test_an_impossible_xmin_is_none(xmin: float) -> None:
    assert fit_truncated_power_law(np.arange(1.0, 100.0), xmin=xmin) is None
    assert fit_power_law_at(np.arange(1.0, 100.0), 0.0, xmin) is None


@pytest.mark.parametrize("values", EXTREME)
def test_extremes_are_fitted_or_none_without_a_warning(values: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fits = [
            fit_truncated_power_law(values),
            fit_truncated_power_law(values, xmin=values[0]),
            fit_truncated_power_law(values, xmin=values[0] / 2),
            fit_e_tpl(values),
        ]
        fit_power_law(values)
        fit_power_law_at(values, 0.0, values[0])
    for fit in fits:
        if fit is not None:
            assert np.isfinite([fit.alpha, fit.Lambda, fit.loglik]).all()
            assert fit.Lambda >= 0 and 0 <= fit.D <= 1


def test_one_outlier_is_fitted() -> None:
    values = np.append(np.linspace(1, 2, 50), 1e12)
    assert fit_truncated_power_law(values) is not None
    assert fit_truncated_power_law(values, xmin=1.0) is not None


def test_the_floor_leaves_the_bulk_out() -> None:
    tail = kdd_esd("good")
    noisy = np.concatenate([np.full(400, 1e-9), tail])
    assert fit_truncated_power_law(noisy, 1e-6) == fit_truncated_power_law(tail)
    assert fit_e_tpl(noisy, 1e-6) == fit_e_tpl(tail)
