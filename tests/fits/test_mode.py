"""The mode against published figures and a plain count, and where E-TPL's tail may begin."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings

from tests.examples import examples
from tests.fits.tails import EXTREME, KDD_FLOOR, NO_TAIL, kdd_esd, kdd_fits, tails
from wqscore.fits.mode import esd_mode, starts_at_mode
from wqscore.fits.tail import points_above


def plain_mode(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many values each of the 100 bins holds, one after the other, and the bins' left edges."""
    logs = np.log10(values)
    width = (logs[-1] - logs[0]) / 100
    counts = np.zeros(100, dtype=int)
    for log in logs:
        counts[min(int((log - logs[0]) / width), 99)] += 1
    return counts, 10 ** (logs[0] + width * np.arange(100))


@pytest.mark.parametrize("name", ["good", "mediocre", "bad"])
def test_equals_the_published_mode(name: str) -> None:
    row = next(row for row in kdd_fits("power_law") if row["esd"] == name)
    assert esd_mode(kdd_esd(name), KDD_FLOOR) == pytest.approx(float(row["mode_left_edge"]), rel=1e-12)


@pytest.mark.parametrize("name", ["good", "mediocre", "bad"])
def test_the_published_xmin_is_one_of_the_starts(name: str) -> None:
    # The eigenvalue nearest to the mode lies in the window, which holds others.
    row = next(row for row in kdd_fits("exponential") if row["esd"] == name and "mode" in row["fit"])
    points = points_above(kdd_esd(name), KDD_FLOOR)
    starts = points[starts_at_mode(points)]
    mode = float(row["mode_left_edge"])
    assert float(row["xmin"]) in starts
    assert starts.tolist() == [point for point in points if 0.95 * mode <= point <= 1.05 * mode]


@settings(max_examples=examples(100))
@given(values=tails())
def test_no_bin_is_fuller(values: np.ndarray) -> None:
    mode = esd_mode(values)
    assert mode is not None
    counts, edges = plain_mode(values)
    bin_of_mode = np.argmin(np.abs(np.log(edges / mode)))
    assert mode == pytest.approx(edges[bin_of_mode], rel=1e-9)
    # A value on an edge, as in spectra with ties, may be counted on either side of it.
    on_edges = np.isclose(np.log(values)[:, None], np.log(edges)[None, :], rtol=0, atol=1e-12).sum()
    assert counts[bin_of_mode] >= counts.max() - on_edges


@pytest.mark.parametrize("scale", [2.0**-40, 2.0**40])
def test_the_mode_scales_with_the_weights(scale: float) -> None:
    values = kdd_esd("good")
    mode = esd_mode(values)
    assert mode is not None
    assert esd_mode(values * scale) == mode * scale


def test_an_empty_window_takes_the_nearest() -> None:
    # Bins are a tenth of a decade. The fullest, [10^0.3, 10^0.4) = [2, 2.51), holds nothing below 2.3.
    values = np.sort(np.concatenate([[1.0, 1.4], np.linspace(2.3, 2.4, 5), np.geomspace(40, 1e10, 30)]))
    mode = esd_mode(values)
    assert mode == pytest.approx(10**0.3)
    assert values[starts_at_mode(values)].tolist() == [2.3]


def test_no_start_where_too_few_lie_above_the_mode() -> None:
    values = np.concatenate([np.geomspace(1, 100, 30), np.full(9, 1000.0), [1001.0]])
    assert esd_mode(values) == pytest.approx(1000, rel=0.1)
    assert starts_at_mode(values).tolist() == [30]  # the first of 10
    assert starts_at_mode(values[1:-1]).size == 0  # the first of 9


@pytest.mark.parametrize("values", NO_TAIL)
def test_no_tail_has_no_start(values: np.ndarray) -> None:
    assert starts_at_mode(points_above(values, 0.0)).size == 0


@pytest.mark.parametrize("values", EXTREME)
def test_extremes_give_no_warning(values: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mode = esd_mode(values)
    assert mode is None or values[0] * 0.99 <= mode <= values[-1]


def test_the_floor_leaves_the_bulk_out() -> None:
    values = kdd_esd("good")
    assert esd_mode(np.concatenate([np.full(400, 1e-9), values]), floor=1e-6) == esd_mode(values)
