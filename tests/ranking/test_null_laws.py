"""Laws of rank statistics: scipy's, and how near the normal law is where they are not enumerated."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.stats import rankdata

from wqscore.ranking import null_laws
from wqscore.ranking.null_laws import (
    rank_sum_law,
    signed_rank_law,
    untied_rank_sum_law,
    untied_signed_rank_law,
)


def test_small_laws_in_closed_form() -> None:
    # 0, 1, 2, 1+2 or 3, 1+3, 2+3, 1+2+3
    assert untied_signed_rank_law(3).probabilities == pytest.approx(np.array([1, 1, 1, 2, 1, 1, 1]) / 8)
    # Gaussian binomial coefficients of 4 over 2.
    assert untied_rank_sum_law(((2, 2),)).probabilities == pytest.approx(np.array([1, 1, 2, 1, 1]) / 6)
    assert untied_rank_sum_law(((1, 1),) * 5).probabilities == pytest.approx(
        np.array([comb(5, k) for k in range(6)]) / 32
    )
    assert untied_rank_sum_law(((7, 3),)).probabilities == pytest.approx(untied_rank_sum_law(((3, 7),)).probabilities)


def test_means_and_variances_are_those_of_the_laws() -> None:
    ties = (2 * rankdata([1, 1, 2, 3, 3, 3, 9])).astype(int)
    for law in (
        signed_rank_law(ties),
        rank_sum_law([(ties, 3), (ties[:4], 3)]),
        untied_rank_sum_law(((9, 4), (2, 5))),
    ):
        values = np.arange(law.probabilities.size)
        mean = law.probabilities @ values
        assert mean == pytest.approx(law.mean)
        assert law.probabilities @ (values - mean) ** 2 == pytest.approx(law.variance)


def test_the_normal_law_is_conservative_far_out_where_it_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 5 % it agrees within a fiftieth; at what Holm's correction asks of 190 pairs it is the larger one."""
    makers = (lambda: signed_rank_law(np.arange(1, 101)), lambda: rank_sum_law([(np.arange(1, 25), 12)] * 6))
    exact = [make() for make in makers]
    monkeypatch.setattr(null_laws, "EXACT_PAIRS", 0)
    monkeypatch.setattr(null_laws, "EXACT_COMPARISONS", 0)
    for law, make in zip(exact, makers, strict=True):
        normal = make()
        assert normal.probabilities is None
        usual, rare = (law.largest_in_tail(share) for share in (0.025, 0.05 / 190 / 2))
        assert normal.at_most(usual) == pytest.approx(law.at_most(usual), rel=0.02)
        assert law.at_most(rare) < normal.at_most(rare) < 1.5 * law.at_most(rare)
        assert abs(normal.largest_in_tail(0.025) - usual) <= 1


def test_the_largest_value_in_a_tail() -> None:
    law = untied_signed_rank_law(6)
    assert law.largest_in_tail(0.025) == 0
    assert law.largest_in_tail(1 / 64 - 1e-9) == -1
    assert untied_signed_rank_law(5).largest_in_tail(0.025) == -1
