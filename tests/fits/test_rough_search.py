"""The search keeps every candidate that may be the best, by plain loops in double precision."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fits.tails import tails
from wqscore.fits.ks_kernel import tail_distance, tail_exponent
from wqscore.fits.rough_search import BELOW, NO_TAIL, make_room, search, set_tails
from wqscore.fits.tail import tail_starts


def plain(logs: np.ndarray) -> dict[int, float]:
    """D of every candidate, by the number of points below it."""
    sums = np.cumsum(logs[::-1])[::-1].copy()
    starts = tail_starts(np.exp(logs)) if logs[0] > -700 else []
    return {int(i): float(tail_distance(logs, i, tail_exponent(logs, sums, i))) for i in starts}


@settings(max_examples=examples(150))
@given(values=tails(), guess=st.integers(-5, 400), share=st.floats(0.5, 2))
def test_the_best_is_kept_and_few_others(values: np.ndarray, guess: int, share: float) -> None:
    logs = np.log(values / values[-1])
    distances, room = plain(logs), make_room(logs.size)
    size = set_tails(logs, np.ones(logs.size, np.int64), room)
    assert size == np.unique(logs).size
    count = search(room, size, guess, np.inf)
    kept = room[3][: max(count, 0)].tolist()
    if not distances:
        return
    least = min(distances.values())
    assert min(distances, key=lambda i: (distances[i], i)) in kept
    assert all(distances[i] <= least + 1e-3 for i in kept)
    limit = least * share
    answer = search(room, set_tails(logs, np.ones(logs.size, np.int64), room), guess, limit)
    assert answer != NO_TAIL
    if answer == BELOW:
        assert least < limit
    else:
        assert (least < limit) == any(distances[i] < limit for i in room[3][:answer])


@settings(max_examples=examples(100))
@given(values=tails(), seed=st.integers(0, 99))
def test_counts_stand_for_repeated_points(values: np.ndarray, seed: int) -> None:
    counts = np.random.default_rng(seed).integers(0, 4, values.size)
    if counts.sum() < 1:
        return
    logs = np.log(values / values[-1])
    by_counts, by_points = make_room(logs.size), make_room(int(counts.sum()))
    points = np.repeat(logs, counts)
    size = set_tails(logs, counts, by_counts)
    assert set_tails(points, np.ones(points.size, np.int64), by_points) == size
    np.testing.assert_array_equal(by_counts[0][0, :size], by_points[0][0, :size])
    np.testing.assert_allclose(by_counts[0][1, :size], by_points[0][1, :size], rtol=1e-9, atol=1e-300)
    np.testing.assert_array_equal(by_counts[1][:3, :size], by_points[1][:3, :size])
