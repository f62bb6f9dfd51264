"""The interval of a model's number against plain bootstraps written here, and what it may never be."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.small_models import bert, score_tensors
from wqscore.checkpoints.dtypes import STORED_DTYPES
from wqscore.checkpoints.tensor import TensorRef
from wqscore.fits.interval import Interval
from wqscore.fits.power_law import PowerLawFit
from wqscore.matrices.weight_matrix import Cut, WeightMatrix
from wqscore.presets.registry import DEFAULT
from wqscore.presets.weightwatcher import WW_0_7
from wqscore.scoring.layer_score import LayerScore
from wqscore.scoring.role_draws import DRAWS, MIN_OF_ROLE, interval_of, role_draws
from wqscore.scoring.summary import summarise
from wqscore.spectra.spectrum import Spectrum

FIT = PowerLawFit(alpha=3.0, xmin=2.0, D=0.05, sigma=0.2, n_tail=100)

#: Roles and values of some matrices.
MODELS = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.sampled_from("qkvo"), min_size=n, max_size=n),
        st.lists(st.floats(1, 1e3), min_size=n, max_size=n),
    )
)


def check(found: Interval | None, groups: list[np.ndarray], statistic: str) -> None:
    """The ends leave out 2.5 % of a bootstrap that draws from each group by itself, within its own error.

    A median takes few values, several of which may have the same ends: the shares on either side are compared.
    """
    rng = np.random.default_rng(99)
    drawn = np.concatenate([rng.choice(group, (20_000, group.size)) for group in groups], axis=1)
    draws = getattr(np, statistic)(drawn, axis=1)
    assert found is not None
    slack = 1e-12 * np.abs(draws).max()
    for beyond, or_at in (
        (draws < found.lo - slack, draws <= found.lo + slack),
        (draws > found.hi + slack, draws >= found.hi - slack),
    ):
        assert beyond.mean() < 0.042
        assert or_at.mean() > 0.01


@pytest.mark.parametrize("statistic", ["median", "mean"])
@pytest.mark.parametrize("sizes", [(15,), (12, 12, 12), (40, 5)])
def test_matrices_are_drawn_within_their_roles(statistic: Literal["median", "mean"], sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    groups = [rng.normal(3 * place, 1, size) for place, size in enumerate(sizes)]
    roles = [f"role{place}" for place, size in enumerate(sizes) for _ in range(size)]
    check(interval_of(np.concatenate(groups), role_draws(roles, 0), statistic), groups, statistic)


@pytest.mark.parametrize("roles", [list("abcdefgh"), list("aabbccdd"), list("aaabbbcd"), list("abbcccde")])
def test_roles_of_few_matrices_are_drawn_from_together(roles: list[str]) -> None:
    """One matrix drawn again is itself: apart, the roles would give an interval of width 0, or nearly so."""
    values = np.random.default_rng(1).normal(0, 1, len(roles))
    found = interval_of(values, role_draws(roles, 0), "median")
    check(found, [values], "median")


def test_a_single_matrix_is_drawn_with_the_smallest_other_role() -> None:
    roles = ["alone", *["small"] * 5, *["large"] * 50]
    drawn = role_draws(roles, 0).indices
    assert set(np.unique(drawn[:, :6])) <= set(range(6)) or set(np.unique(drawn[:, -6:])) <= set(range(6))
    # Every draw has as many of the large role as there are.
    assert all((row >= 6).sum() == 50 for row in drawn)
    assert (drawn == 0).sum(axis=1).std() > 0


@settings(max_examples=examples(100))
@given(MODELS, st.integers(0, 5), st.sampled_from(["median", "mean"]))
def test_it_holds_the_number_and_leaves_no_range(
    model: tuple[list[str], list[float]], seed: int, statistic: Literal["median", "mean"]
) -> None:
    roles, values = model[0], np.array(model[1])
    draws = role_draws(roles, seed)
    drawn = draws.indices
    assert drawn.shape == (DRAWS, len(roles))
    counts = Counter(roles)
    own = [role for role, count in counts.items() if count >= 2 * MIN_OF_ROLE]
    for role in own:
        members = np.flatnonzero(np.array(roles) == role)
        if sum(counts[other] for other in counts if counts[other] < MIN_OF_ROLE) in (0, *range(MIN_OF_ROLE, 31)):
            assert (np.isin(drawn, members).sum(axis=1) == members.size).all()
    found = interval_of(values, draws, statistic)
    if values.size < 6:
        assert found is None
    if found is not None:
        assert values.min() <= found.lo * (1 + 1e-12) and found.hi <= values.max() * (1 + 1e-12)
        assert found.lo <= getattr(np, statistic)(values) <= found.hi
        assert found.lo < found.hi


@settings(max_examples=examples(50))
@given(
    st.lists(st.sampled_from([-1e308, -2.5, 0.0, 1.0, 1.5, 3.25, 1e308]) | st.floats(-9, 9), min_size=1, max_size=300)
)
def test_the_medians_are_those_of_numpy(values: list[float]) -> None:
    draws, each = role_draws(["a"] * len(values), 3), np.array(values)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(draws.medians(each), np.median(each[draws.indices], axis=1))


def rows(values: np.ndarray, roles: list[str], **others: float) -> list[LayerScore]:
    made = []
    for place, (value, role) in enumerate(zip(values, roles, strict=True)):
        stored = TensorRef(f"layers.{place}.weight", (64, 64), STORED_DTYPES["F32"], Path("model.safetensors"), place)
        matrix = WeightMatrix(stored.name, stored, Cut((64, 64)), role, 64, 64)
        spectrum = Spectrum(np.ones(64), 64, 64, 1, 2.0**-24, "finite")
        made.append(LayerScore(matrix, {"alpha": float(value), **others}, "ok", "", (), spectrum, FIT))
    return made


def test_neither_the_order_of_the_rows_nor_an_interval_of_a_fit_changes_it() -> None:
    values = np.random.default_rng(0).uniform(1.2, 8, 20)
    made = rows(values, list("qkvo") * 5)
    expected = summarise(made, 10, DEFAULT, ("alpha",), {}, seed=3).interval("alpha")
    assert expected is not None
    assert summarise(made[::-1], 10, DEFAULT, ("alpha",), {}, seed=3).interval("alpha") == expected
    means = [summarise(made, 10, WW_0_7, ("alpha",), {}, seed=seed).interval("alpha") for seed in (3, 4)]
    assert means[0] != means[1]
    wide = rows(values, list("qkvo") * 5, alpha_lo=1.0, alpha_hi=100.0)
    found = summarise(wide, 10, DEFAULT, ("alpha", "alpha_lo", "alpha_hi"), {}, seed=3)
    assert found.interval("alpha") == expected
    assert found.interval("alpha_lo") is None


def test_it_is_that_of_the_presets_statistic() -> None:
    values = np.random.default_rng(0).exponential(1, 40) + 1
    made = rows(values, ["q"] * 40)
    for preset, statistic in ((DEFAULT, "median"), (WW_0_7, "mean")):
        check(summarise(made, 10, preset, ("alpha",), {}).interval("alpha"), [values], statistic)


@pytest.mark.parametrize("count", range(9))
def test_fewer_than_six_matrices_have_none_and_equal_ones_prove_nothing(count: int) -> None:
    different = summarise(rows(np.arange(count) + 2.0, ["q"] * count), 10, DEFAULT, ("alpha",), {})
    assert (different.interval("alpha") is None) == (count < 6)
    equal = summarise(rows(np.full(count, 2.0), ["q"] * count), 10, DEFAULT, ("alpha",), {})
    assert equal.interval("alpha") is None


def test_the_interval_of_a_model_is_the_same_for_any_number_of_resamples(tmp_path: Path) -> None:
    import wqscore

    score_tensors(tmp_path / "m", "m", bert(0))
    found = [wqscore.score(str(tmp_path / "m"), bootstrap=count, gof=0).summary for count in (0, 20)]
    assert found[0].interval("alpha") == found[1].interval("alpha") is not None
    other = replace(found[0], statistics={})
    assert other.interval("alpha") is None
