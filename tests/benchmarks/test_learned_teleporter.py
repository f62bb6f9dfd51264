"""The learned teleporter, at a size that trains in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles import Oracle

torch = Oracle("torch")
module = Oracle("benchmarks.landscape.learned_teleporter")
pytestmark = [pytest.mark.oracle("torch"), pytest.mark.slow]

WIDTH, HIDDEN, TRAJECTORIES = 8, 64, 20


def test_learned_steps_end_below_gradient_descent_on_unseen_starts() -> None:
    starts = [module.start(seed, WIDTH) for seed in range(20)]
    best = min(np.median([module.descent(each, rate)[-1] for each in starts]) for rate in (3e-4, 1e-3, 3e-3))
    for teleports in (False, True):
        model = module.trained(WIDTH, HIDDEN, teleports, TRAJECTORIES)
        ends = np.array([model.trajectory(each)[-1] for each in starts])
        assert np.isfinite(ends).all()
        assert np.median(ends) <= best
