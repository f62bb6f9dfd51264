"""Rule out candidates for xmin in single precision, many at a time; what is ruled out is out for certain.

The largest gap between law and counts, D, decides which candidate is the best. Neighbours have their largest gaps at
the same points: the point where one candidate fails strikes out most others at once. Exponentials are most of what
that takes, and need to be known only roughly: a gap has to exceed the bound by more than its error.
"""

from __future__ import annotations

import numpy as np

from wqscore.spectra.jit import compiled, compiled_sums

_ZERO, _LARGEST_POWER, _SIXTEENTH = map(np.float32, (0, 16, 1 / 16))
#: e^−u on [0, 1] to 4e−8: interpolated in Chebyshev's points.
_C0, _C1, _C2, _C3 = map(np.float32, (0.99999998, -0.99999845, 0.49997509, -0.16651517))
_C4, _C5, _C6 = map(np.float32, (0.041223318, -0.0076543251, 0.00084900787))
#: The error of a survival: its own, and what that of a logarithm adds for each unit of rate and extent; a few times
#: what it can be. The slack of a candidate is `OWN_ERROR` and `ERROR_OF_LOGS` times alpha − 1 and ln(λ_max/xmin).
OWN_ERROR, ERROR_OF_LOGS = np.float32(1.5e-5), np.float32(4e-7)


@compiled_sums
def set_gaps(places: np.ndarray, above: np.ndarray, below: np.ndarray, rate: np.float32, gaps: np.ndarray) -> None:
    """Set the gaps at the points of a tail, in units of 1/m.

    Args:
        places: the logarithms of the distinct points, from xmin on, float32.
        above: how many points are at or above each.
        below: the same without those equal to it, but for one.
        rate: alpha − 1, float32.
        gaps: float32, of the same shape.
    """
    start, size = places[0], above[0]
    for d in range(places.size):
        survival = size * _survival(rate * (places[d] - start))
        over, under = above[d] - survival, survival - below[d]
        gap = over if over > under else under
        gaps[d] = gap if gap > _ZERO else _ZERO


@compiled
def index_of_largest(bits: np.ndarray) -> int:
    """Return where the largest of some numbers is, none below 0, by their bits: integers of the same order."""
    found = np.int32(0)
    for d in range(bits.size):
        found = max(found, bits[d])
    at = 0
    while bits[at] != found:
        at += 1
    return at


@compiled_sums
def strike_out(
    point: tuple[np.float32, np.float32, np.float32],
    places: np.ndarray,
    above: np.ndarray,
    rates: np.ndarray,
    slacks: np.ndarray,
    bound: np.float32,
    alive: np.ndarray,
) -> None:
    """Set `alive` to 0 for the candidates whose gap at a point exceeds a bound.

    Args:
        point: its logarithm, and how many points are at or above it, and with it but those equal to it.
        places: of the candidates up to the point, float32, as the others.
        above: m of each.
        rates: alpha − 1 of each.
        slacks: of each.
        bound: in units of 1, float32.
        alive: 1 for a candidate that is left.
    """
    place, most, least = point
    for c in range(places.size):
        survival = above[c] * _survival(rates[c] * (place - places[c]))
        over, under = most - survival, survival - least
        gap = over if over > under else under
        alive[c] = alive[c] if gap <= (bound + slacks[c]) * above[c] else _ZERO


@compiled
def _survival(power: np.float32) -> np.float32:
    """e^−power, as the 16th power of e^(−power/16): no step of it is a branch or a table."""
    u = (power if power < _LARGEST_POWER else _LARGEST_POWER) * _SIXTEENTH
    value = _C0 + u * (_C1 + u * (_C2 + u * (_C3 + u * (_C4 + u * (_C5 + u * _C6)))))
    value *= value
    value *= value
    value *= value
    return value * value
