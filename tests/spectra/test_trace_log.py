"""The trace-log condition against exact arithmetic and, for its preset, WeightWatcher."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.answers import Answers
from tests.examples import examples, sized
from tests.oracles import Oracle
from wqscore.spectra.spectrum import compute_spectrum
from wqscore.spectra.trace_log import detx_num, weightwatcher_detx_num


def exact_count(eigenvalues: np.ndarray) -> int:
    """Largest k with Π_{top k} λ·N/Σλ ≥ 1, by products of fractions."""
    values = [Fraction(value) for value in eigenvalues.tolist()]
    mean, product, count = sum(values) / len(values), Fraction(1), 0
    for k, value in enumerate(reversed(values), start=1):
        product *= value / mean
        if product >= 1:
            count = k
    return count


def decimal_count(eigenvalues: np.ndarray) -> int:
    """The same with 60 digits and an exponent without bounds, for spectra too long for fractions."""
    with localcontext(prec=60, Emax=10**9, Emin=-(10**9)):
        mean = sum(map(Decimal, eigenvalues.tolist())) / len(eigenvalues)
        product, count = Decimal(1), 0
        for k, value in enumerate(reversed(eigenvalues.tolist()), start=1):
            product *= Decimal(value) / mean
            count = k if product >= 1 else count
    return count


@settings(max_examples=examples(200))
@given(st.lists(st.integers(0, 60), min_size=1, max_size=30).filter(any), st.integers(-300, 300))
def test_the_count_is_that_of_exact_products(values: list[int], power: int) -> None:
    eigenvalues = np.sort(values) * 2.0**power
    assert detx_num(eigenvalues) == exact_count(eigenvalues)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("eigenvalues", "count"),
    [
        ([5.0], 1),
        ([0.5, 0.5, 2.0], 2),  # 2 · ½ is 1 exactly
        ([0.0, 0.0, 1.0, 3.0], 2),
        ([0.0] * 118 + [7.0] * 10, 10),
        ([5e-324] * 7, 7),
        ([1.0] * 5 + [1e12], 1),
    ],
)
def test_by_hand(eigenvalues: list[float], count: int) -> None:
    assert detx_num(np.array(eigenvalues)) == count


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n", [1, 3, 7, 100, 4097, 20_000])
@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-300, 1e300])
def test_equal_eigenvalues_all_count(n: int, value: float) -> None:
    assert detx_num(np.full(n, value)) == n


def test_rounding_noise_is_not_counted() -> None:
    rng = np.random.default_rng(0)
    low_rank = rng.standard_normal((400, 100)) @ rng.standard_normal((100, 200))
    spectrum = compute_spectrum([low_rank], 0.0)
    assert detx_num(spectrum.eigenvalues, spectrum.floor) == detx_num(
        np.append(np.zeros(100), spectrum.eigenvalues[100:])
    )
    assert detx_num(spectrum.eigenvalues, spectrum.floor) <= 100


def test_large_square_noise() -> None:
    side = sized(4096, 1024)
    matrix = np.random.default_rng(0).standard_normal((side, side))
    eigenvalues = compute_spectrum([matrix], 0.0).eigenvalues
    assert detx_num(eigenvalues) == {4096: 2994, 1024: 748}[side]
    assert decimal_count(eigenvalues) == {4096: 2994, 1024: 748}[side]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["noise", "heavy-tailed", "wide"])
def test_8000_eigenvalues(kind: str) -> None:
    # Drawn rather than solved for: an eigensolve of this size takes a minute.
    rng = np.random.default_rng(1)
    draws = {
        "noise": 2 + 2 * np.cos(np.pi * rng.random(8000)),
        "heavy-tailed": rng.pareto(1.5, 8000) + 1e-6,
        "wide": np.exp(6 * rng.standard_normal(8000)),
    }
    eigenvalues = np.sort(draws[kind])
    assert detx_num(eigenvalues) == decimal_count(eigenvalues)


@pytest.mark.filterwarnings("error")
def test_nothing_to_count_is_nan() -> None:
    for eigenvalues in (np.empty(0), np.zeros(1), np.zeros(50), np.array([1.0, np.inf]), np.array([1.0, np.nan])):
        assert math.isnan(detx_num(eigenvalues))


@pytest.mark.filterwarnings("ignore")  # its import and its product warn
@pytest.mark.parametrize("n", [2, 50, 512, 3072, 5000])
def test_weightwatchers_count_with_its_overflow(n: int, answers: Answers) -> None:
    count = Oracle("weightwatcher.RMT_Util", "detX_constraint")
    rng = np.random.default_rng(n)
    spectra = {
        "noise": np.sort(2 + 2 * np.cos(np.pi * rng.random(n))),
        "heavy-tailed": np.sort(rng.pareto(1.5, n)),
        "half zeros": np.sort(np.append(np.zeros(n // 2), rng.random(n - n // 2))),
        "ones": np.ones(n),
    }
    for kind, eigenvalues in spectra.items():
        theirs = answers(f"{n} {kind}", lambda eigenvalues=eigenvalues: int(count(eigenvalues)[0]))
        assert weightwatcher_detx_num(eigenvalues) == theirs


def test_weightwatcher_counts_one_more_where_its_product_stays_in_range() -> None:
    eigenvalues = np.sort(np.random.default_rng(3).pareto(2, 300))
    assert weightwatcher_detx_num(eigenvalues) == detx_num(eigenvalues) + 1


@pytest.mark.filterwarnings("error")
def test_weightwatchers_count_of_nothing() -> None:
    for eigenvalues in (np.empty(0), np.ones(1), np.zeros(9), np.array([1e308, 1.5e308])):
        assert math.isfinite(weightwatcher_detx_num(eigenvalues))
