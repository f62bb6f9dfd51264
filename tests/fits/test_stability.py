"""The range of near-best alphas against hand-made scans and a real one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.fits.tails import kdd_esd
from wqscore.fits.power_law import XminScan, fit_power_law, fit_power_law_at, scan_xmin
from wqscore.fits.stability import alpha_range


def scan(alphas: list[float], distances: list[float]) -> XminScan:
    return XminScan(np.arange(1.0, len(alphas) + 1), np.array(alphas), np.array(distances))


@pytest.mark.parametrize(
    ("alphas", "distances", "expected"),
    [
        ([2.0], [0.1], (2.0, 2.0)),
        ([2.0, 3.0, 9.0], [0.25, 0.125, 0.25], (3.0, 3.0)),
        # Two minima apart, and what lies between them is worse.
        ([2.0, 3.0, 4.0, 5.0], [0.105, 0.3, 0.4, 0.1], (2.0, 5.0)),
        ([2.0, 3.0, 4.0], [0.1, 0.1099, 0.1101], (2.0, 3.0)),
        ([4.0, 3.0, 2.0], [0.0, 0.0, 1e-9], (3.0, 4.0)),
    ],
)
def test_within_ten_percent_of_the_best(
    alphas: list[float], distances: list[float], expected: tuple[float, float]
) -> None:
    assert alpha_range(scan(alphas, distances)) == expected


def test_no_candidates_no_range() -> None:
    assert alpha_range(scan_xmin(np.arange(1.0, 6.0))) is None


@pytest.mark.parametrize("name", ["good", "mediocre", "bad"])
def test_of_a_published_spectrum(name: str) -> None:
    values = kdd_esd(name)
    best = fit_power_law(values)
    assert best is not None
    fits = [fit_power_law_at(values, 0.0, float(xmin)) for xmin in np.unique(values)[:-9]]
    near = [fit.alpha for fit in fits if fit and fit.D <= 1.1 * best.D]
    assert alpha_range(scan_xmin(values)) == pytest.approx((min(near), max(near)), rel=1e-9)
    assert min(near) <= best.alpha <= max(near)
