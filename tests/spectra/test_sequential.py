"""Sequential answers: right where the truth is far from the limit, open where it is on it, the same for all seeds."""

from __future__ import annotations

import numpy as np
import pytest

from wqscore.spectra.sequential import settle_share


@pytest.mark.parametrize(("probability", "above"), [(0.0, False), (0.02, False), (0.3, True), (1.0, True)])
def test_far_from_the_limit_all_seeds_agree(probability: float, above: bool) -> None:
    for seed in range(20):
        draws = np.random.default_rng(seed).random(2000) < probability
        assert settle_share(draws.tolist(), 0.1).above is above


def test_on_the_limit_it_stays_open() -> None:
    found = [settle_share((np.random.default_rng(seed).random(1000) < 0.1).tolist(), 0.1) for seed in range(50)]
    assert all(share.above is None for share in found)
    assert all(share.draws == 1000 for share in found)
