"""The distance against closed forms and WeightWatcher's."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.answers import Answers
from tests.oracles import Oracle
from wqscore.spectra.jensen_shannon import jensen_shannon_distance
from wqscore.spectra.shuffling import Shuffles
from wqscore.spectra.spectrum import compute_spectrum

F32 = 2.0**-24


@pytest.mark.parametrize(
    ("p", "q", "distance"),
    [
        ([1.0, 1.0], [3.0, 3.0], 0.0),
        ([0.0, 1.0], [1.0, 1.0], math.sqrt(math.log(4 / 3) / 2 + math.log(2 / 3) / 4 + math.log(2) / 4)),
        ([5e-324, 1.0], [0.0, 1.0], 0.0),
        ([1e300, 1e308], [1e-308, 1e-300], 0.0),
    ],
)
def test_distance_in_closed_form(p: list[float], q: list[float], distance: float) -> None:
    assert jensen_shannon_distance(np.array(p), np.array(q)) == pytest.approx(distance, abs=1e-8)
    assert jensen_shannon_distance(np.array(q), np.array(p)) == pytest.approx(distance, abs=1e-8)


@pytest.mark.filterwarnings("ignore")  # its import warns
def test_distance_is_weightwatchers(answers: Answers) -> None:
    distance = Oracle("weightwatcher.RMT_Util", "jensen_shannon_distance")
    for seed in range(5):
        weights = np.random.default_rng(seed).standard_t(3, (1, 120, 80))
        p = compute_spectrum(weights, 0.0).eigenvalues
        q = compute_spectrum(Shuffles(weights, F32, 0).matrix(seed), 0.0).eigenvalues
        expected = answers(f"seed {seed}", lambda p=p, q=q: float(distance(p, q)))
        assert jensen_shannon_distance(p, q) == pytest.approx(expected, rel=1e-9)
