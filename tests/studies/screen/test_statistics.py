"""The statistics of ΔW against NumPy's of the product itself, and robust z-scores against their definition."""

from __future__ import annotations

import warnings
from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wqscore.checkpoints.adapters.low_rank import LowRank
from wqscore.studies.screen import statistics
from wqscore.studies.screen.statistics import STATISTICS, kurtosis, low_rank_statistics, values_statistics
from wqscore.studies.screen.zscores import bank_limit, sibling_limit, z_against, z_scores


def expected(delta: np.ndarray, most: int) -> dict[str, float]:
    """By definition, from the singular values and the entries of the product."""
    energy = np.linalg.svd(delta, compute_uv=False) ** 2
    p = energy[energy > 1e-12 * energy.max()] / energy.sum()
    entries = delta.ravel() - delta.mean()
    return {
        "norm": float(np.linalg.norm(delta)),
        "energy_share": float(p.max()),
        "entropy": float(-(p * np.log(p)).sum() / np.log(most)),
        "stable_rank": float(energy.sum() / energy.max()),
        "kurtosis": float((entries**4).mean() / (entries**2).mean() ** 2 - 3),
    }


@settings(max_examples=examples(60))
@given(
    *(st.integers(2, 40) for _ in range(2)),
    st.integers(2, 12),
    st.sampled_from(["f2", "f4", "f8"]),
    st.floats(-3, 3).filter(lambda scale: abs(scale) > 1e-3),
    st.integers(0, 999),
)
def test_factors_have_the_statistics_of_their_product(
    rows: int, columns: int, rank: int, dtype: str, scale: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.standard_t(3, (rank, columns)).astype(dtype), rng.standard_normal((rows, rank)).astype(dtype)
    found = low_rank_statistics(LowRank(a, b, scale))
    assert isinstance(found, dict)
    assert tuple(found) == STATISTICS
    delta = scale * b.astype("f8") @ a.astype("f8")
    for name, value in expected(delta, min(rank, rows, columns)).items():
        assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-6), name


def test_blocks_of_any_size_give_the_same_kurtosis(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    weights = LowRank(rng.standard_normal((4, 30)), rng.standard_normal((50, 4)), 0.5)
    whole = low_rank_statistics(weights)
    monkeypatch.setattr(statistics, "_BLOCK", 1)
    assert low_rank_statistics(weights) == pytest.approx(whole, rel=1e-12)


def test_known_kurtosis() -> None:
    signs = np.array([1.0, -1.0] * 50)
    assert kurtosis([signs], 0.0) == pytest.approx(-2)
    assert isnan(kurtosis([np.ones(9)], 1.0))
    normal = np.random.default_rng(1).standard_normal(400_000)
    assert abs(kurtosis([normal], float(normal.mean()))) < 0.05


def test_one_direction_alone() -> None:
    found = low_rank_statistics(LowRank(np.ones((1, 6)), np.ones((5, 1)), 2.0))
    assert isinstance(found, dict)
    assert found["norm"] == pytest.approx(2 * 30**0.5)
    assert found["energy_share"] == found["stable_rank"] == 1
    # Of one direction no entropy is defined, and entries that are all equal have no kurtosis.
    assert isnan(found["entropy"]) and isnan(found["kurtosis"])
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4, 30)), np.zeros((20, 4))
    b[:, 2] = rng.standard_normal(20)
    one_of_four = low_rank_statistics(LowRank(a, b, 1.0))
    assert isinstance(one_of_four, dict)
    assert (one_of_four["entropy"], one_of_four["stable_rank"]) == (0, 1)


@pytest.mark.parametrize(
    ("a", "b", "scale", "words"),
    [
        (np.ones((2, 5)), np.zeros((4, 2)), 1.0, "ΔW is zero"),
        (np.ones((2, 5)), np.ones((4, 2)), 0.0, "ΔW is zero"),
        (np.full((2, 5), np.nan), np.ones((4, 2)), 1.0, "NaN or infinities"),
        (np.full((2, 5), 1e200), np.full((4, 2), 1e200), 1.0, "overflows"),
    ],
)
def test_what_has_no_statistics_has_a_reason(a: np.ndarray, b: np.ndarray, scale: float, words: str) -> None:
    found = low_rank_statistics(LowRank(a, b, scale))
    assert isinstance(found, str)
    assert words in found


def test_a_whole_change_has_them_over_all_slices() -> None:
    rng = np.random.default_rng(2)
    delta = rng.standard_normal((3, 20, 30))
    eigenvalues = np.concatenate([np.linalg.svd(each, compute_uv=False) ** 2 for each in delta])
    found = values_statistics(delta, eigenvalues, 0.0)
    assert isinstance(found, dict)
    p = eigenvalues / eigenvalues.sum()
    assert found["norm"] == pytest.approx(np.linalg.norm(delta))
    assert found["entropy"] == pytest.approx(-(p * np.log(p)).sum() / np.log(60))
    assert found["kurtosis"] == pytest.approx(expected(delta.reshape(60, 30), 2)["kurtosis"])
    assert "rounding" in values_statistics(delta, eigenvalues, float(eigenvalues.max()))


@settings(max_examples=examples(40))
@given(st.lists(st.floats(-1e3, 1e3), min_size=6, max_size=30))
def test_z_scores_are_those_of_iglewicz_and_hoaglin(values: list[float]) -> None:
    each = np.array(values)
    median = np.median(each)
    spread = max(1.4826 * np.median(np.abs(each - median)), 1e-6 * abs(median))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = z_scores(each)
    if spread > 0:
        np.testing.assert_allclose(found, (each - median) / spread, rtol=1e-9, atol=1e-12)
        others = values[1:]
        if len(others) >= 6:
            assert not np.isinf(z_against(values[0], others))
    else:
        assert not np.isfinite(found).any()


def test_one_outlier_hardly_moves_the_others() -> None:
    values = np.random.default_rng(3).standard_normal(20)
    moved = np.append(values, 1e6)
    assert np.abs(z_scores(moved)[:-1] - z_scores(values)).max() < 0.5
    assert isnan(z_against(1.0, values[:5].tolist()))


@pytest.mark.parametrize("size", [8, 20])
def test_a_hundredth_of_normal_siblings_is_beyond_the_limit(size: int) -> None:
    """Counted anew, with other draws: between 0.3 and 2.5 % of 2,000 adapters."""
    limit = sibling_limit((size,) * 4, 0)
    drawn = np.random.default_rng(77).standard_normal((2000, 4 * len(STATISTICS), size))
    beyond = (np.abs(z_scores(drawn)) > limit).any(axis=(1, 2)).mean()
    assert 0.003 <= beyond <= 0.025


def test_limits_fall_as_siblings_are_more_and_depend_on_the_seed_alone() -> None:
    few, many = sibling_limit((6,), 0), sibling_limit((48,), 0)
    assert few > 2 * many > 6
    assert sibling_limit((6,), 0) == few != sibling_limit((6,), 1)
    assert bank_limit((6,), 0) > bank_limit((40,), 0) > 3
    assert isnan(sibling_limit((), 0)) and isnan(bank_limit((), 0))
