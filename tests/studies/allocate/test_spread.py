"""Whether blocks differ: not where only chance or roles make them, and where they do."""

from __future__ import annotations

import numpy as np

from wqscore.studies.allocate.layers import Layer
from wqscore.studies.allocate.spread import spread_warning

ROLES = ["q", "k", "v", "o", "in", "out", "gate"]


def layers(step: float, noise: float, seed: int = 0, roles: int = 7, blocks: int = 12) -> list[Layer]:
    rng = np.random.default_rng(seed)
    return [
        Layer(f"{block}.{role}", "", str(block), role, 10, 3 + step * block + place + noise * rng.standard_normal())
        for block in range(blocks)
        for place, role in enumerate(ROLES[:roles])
    ]


def test_chance_alone_is_warned_of_and_a_trend_is_not() -> None:
    warned = [spread_warning(layers(0, 0.3, seed), "alpha") is not None for seed in range(40)]
    assert sum(warned) >= 38
    clear = [spread_warning(layers(0.2, 0.3, seed), "alpha") is None for seed in range(40)]
    assert sum(clear) == 40
    warning = spread_warning(layers(0, 0.3), "alpha")
    assert warning is not None
    assert warning.startswith("layers hardly differ: the spread of alpha over blocks")


def test_roles_are_no_noise() -> None:
    assert spread_warning(layers(0.05, 0.01), "alpha") is None


def test_a_spread_below_a_hundredth_is_small_and_one_matrix_a_block_tells_nothing() -> None:
    assert "below 1 % of its mean" in (spread_warning(layers(0.0001, 0.0, roles=1), "alpha") or "")
    assert spread_warning(layers(0.2, 0.3, roles=1), "alpha") is None
    assert spread_warning(layers(0, 0.3, blocks=1), "alpha") is None
