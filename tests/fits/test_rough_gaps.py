"""Single precision against double: the error stays within the slack, so that no best candidate is ruled out."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fits.tails import tails
from wqscore.fits.rough_gaps import ERROR_OF_LOGS, OWN_ERROR, index_of_largest, set_gaps, strike_out

SINGLE = np.float32


def exact_gaps(logs: np.ndarray, first: int) -> tuple[float, np.ndarray]:
    """Alpha − 1 of the tail from a point on, and the gaps at its points, in units of 1."""
    tail = logs[first:] - logs[first]
    rate = tail.size / tail.sum()
    return rate, np.abs(-np.expm1(-rate * tail) - np.arange(tail.size) / tail.size)


def distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Distinct logarithms relative to the largest, how many are at or above first and last of each, and all."""
    logs = np.log(values / values[-1])
    each, first, counts = np.unique(logs, return_index=True, return_counts=True)
    above = logs.size - first
    return each, above, above - counts + 1, logs


@settings(max_examples=examples(200))
@given(values=tails(), share=st.floats(0, 0.99))
def test_gaps_are_within_their_slack(values: np.ndarray, share: float) -> None:
    each, above, below, logs = distinct(values)
    c = int(share * (each.size - 1))
    if each.size - c < 2:
        return
    rate, exact = exact_gaps(logs, logs.size - above[c])
    gaps = np.empty(each.size - c, SINGLE)
    set_gaps(each[c:].astype(SINGLE), above[c:].astype(SINGLE), below[c:].astype(SINGLE), SINGLE(rate), gaps)
    starts = above[c] - above[c:]
    largest = np.maximum.reduceat(exact, starts)
    assert np.abs(gaps / above[c] - largest).max() <= OWN_ERROR - ERROR_OF_LOGS * rate * each[c]
    assert index_of_largest(gaps.view(np.int32)) == int(gaps.argmax())


@settings(max_examples=examples(200))
@given(values=tails(), place=st.floats(0, 1), bound=st.floats(0, 0.6))
def test_only_what_exceeds_the_bound_is_struck_out(values: np.ndarray, place: float, bound: float) -> None:
    each, above, below, logs = distinct(values)
    at = int(place * (each.size - 1))
    if each.size < 2 or at == each.size - 1:
        return
    found = [exact_gaps(logs, logs.size - above[c]) for c in range(at + 1)]
    rates = np.array([rate for rate, _ in found], SINGLE)
    slacks = (OWN_ERROR - ERROR_OF_LOGS * rates * each[: at + 1]).astype(SINGLE)
    alive = np.ones(at + 1, SINGLE)
    point = SINGLE(each[at]), SINGLE(above[at]), SINGLE(below[at])
    columns = each[: at + 1].astype(SINGLE), above[: at + 1].astype(SINGLE)
    strike_out(point, *columns, rates, slacks, SINGLE(bound), alive)
    for c, (_, exact) in enumerate(found):
        first, last = above[c] - above[at], above[c] - below[at]
        gap = exact[first : last + 1].max()
        if gap <= bound:
            assert alive[c] == 1
        if gap > bound + 2.1 * slacks[c]:
            assert alive[c] == 0
