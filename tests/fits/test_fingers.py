"""Finger clipping against WeightWatcher where both rules agree, and spectra with planted fingers."""

from __future__ import annotations

import contextlib
import io
import logging
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.answers import Answers
from tests.examples import examples
from tests.fits.tails import EXTREME, NO_TAIL, tails
from tests.oracles import Oracle, imported
from wqscore.fits.fingers import fit_without_fingers
from wqscore.fits.power_law import fit_power_law


def bounded_pareto(rng: np.random.Generator, size: int, alpha: float, largest: float) -> np.ndarray:
    """Draws from λ^−alpha on [1, largest]: like a trained matrix's tail, it ends."""
    return np.sort((1 - rng.random(size) * (1 - largest ** (1 - alpha))) ** (-1 / (alpha - 1)))


def with_fingers(seed: int) -> np.ndarray:
    """A bounded tail of random size, exponent and end, with 2 to 9 fingers beyond that end."""
    rng = np.random.default_rng(seed)
    alpha, size, largest = rng.uniform(1.8, 3.5), int(rng.choice([100, 200, 400])), rng.choice([4, 8, 20])
    fingers = largest * rng.uniform(1, 3) * (1 + rng.uniform(0, 0.3) * np.sort(rng.random(rng.integers(2, 10))))
    return np.sort(np.concatenate([bounded_pareto(rng, size, alpha, largest), fingers]))


@pytest.mark.parametrize(("seed", "fingers"), [(62, 2), (163, 2), (235, 2), (290, 2), (290, 3), (1223, 3), (2205, 3)])
def test_planted_fingers_are_dropped_and_nothing_else(seed: int, fingers: int) -> None:
    clean = bounded_pareto(np.random.default_rng(seed), 200, 2.5, 8.0)
    spectrum = np.append(clean, 8 * (2 + 0.05 * np.arange(fingers)))
    raw, clipped = fit_power_law(spectrum), fit_without_fingers(spectrum)
    assert raw is not None and clipped is not None
    assert raw.alpha > 3.5
    assert clipped.num_fingers == fingers
    assert clipped.fit == fit_power_law(clean)
    assert clipped.fit.alpha == pytest.approx(2.5, abs=0.25)


@pytest.mark.parametrize("alpha", [1.8, 2.5, 3.5])
def test_clean_tails_keep_all_their_eigenvalues(alpha: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = np.sort(rng.pareto(alpha - 1, 300) + 1)
        clipped = fit_without_fingers(values)
        assert clipped is not None
        assert clipped.num_fingers == 0
        assert clipped.fit == fit_power_law(values)


def of_weightwatcher(values: np.ndarray) -> list[float]:
    """The exponent and the count of fingers by WeightWatcher."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        clip = imported(Oracle("weightwatcher.RMT_Util", "fit_clipped_powerlaw"))
    silent = logging.getLogger("silent")
    silent.setLevel(logging.CRITICAL)
    fit, count, _ = clip(values, logger=silent)
    return [float(fit.alpha), int(count)]


def test_agrees_with_weightwatcher_but_for_its_count(answers: Answers) -> None:
    counts = []
    for seed in (187, 214, 113, 880, 962, 582, 702, 1436, 805, 2274, 0, 1, 2, 3):
        values = with_fingers(seed)
        alpha, their_count = answers(f"seed {seed}", lambda values=values: of_weightwatcher(values))
        ours = fit_without_fingers(values, candidates="every-point")
        assert ours is not None
        assert ours.fit.alpha == pytest.approx(alpha, rel=1e-10)
        assert max(ours.num_fingers - 1, 0) == their_count
        counts.append(ours.num_fingers)
    assert sorted(set(counts)) == [0, 2, 3, 4, 5, 6, 7, 8, 9]


@settings(max_examples=examples(200))
@given(st.one_of(tails(), st.integers(0, 2000).map(with_fingers)))
def test_the_rule(values: np.ndarray) -> None:
    clipped = fit_without_fingers(values)
    fits = [fit_power_law(values[: len(values) - k]) for k in range(11)]
    if fits[0] is None:
        assert clipped is None
        return
    assert clipped is not None
    taken = clipped.num_fingers
    assert clipped.fit == fits[taken]
    if taken:  # far enough below all before it that were not dropped, and the unclipped fit above all
        assert clipped.fit.alpha < fits[0].alpha - 1
    assert all(fit is None or fit.alpha >= clipped.fit.alpha - 1 for fit in fits[taken + 1 :])


def test_the_floor_and_the_candidates_are_those_of_the_fit() -> None:
    tail = with_fingers(187)
    assert fit_without_fingers(np.concatenate([np.full(50, 1e-9), tail]), floor=1e-6) == fit_without_fingers(tail)
    rng = np.random.default_rng(0)
    short = np.sort(rng.pareto(1.5, 12) + 1)
    every = fit_without_fingers(short, candidates="every-point")
    assert every is not None
    assert every.fit.alpha <= fit_power_law(short, candidates="every-point").alpha  # type: ignore[union-attr]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", NO_TAIL)
def test_no_tail_is_none(values: np.ndarray) -> None:
    assert fit_without_fingers(values) is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", EXTREME)
@pytest.mark.parametrize("rule", ["tail", "every-point"])
def test_extremes_give_a_fit_or_none(values: np.ndarray, rule: str) -> None:
    clipped = fit_without_fingers(values, candidates=rule)
    assert clipped is None or all(map(math.isfinite, (clipped.fit.alpha, clipped.fit.D, clipped.fit.sigma)))


@settings(max_examples=examples(50))
@given(values=st.integers(0, 2000).map(with_fingers), power=st.integers(-60, 60))
def test_scaling_the_weights_changes_no_count(values: np.ndarray, power: int) -> None:
    clipped, scaled = fit_without_fingers(values), fit_without_fingers(values * 4.0**power)
    assert clipped is not None and scaled is not None
    assert (scaled.num_fingers, scaled.fit.alpha) == (clipped.num_fingers, clipped.fit.alpha)
