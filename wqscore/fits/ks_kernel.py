"""The compiled loops of the Kolmogorov–Smirnov power-law fit.

All arguments are logarithms: `logs[j] = ln(λ_j / λ_max)`, ascending, the last one 0. `tail_sums[i]` is
Σ_{j ≥ i} logs[j]. Candidate i means xmin = λ_i with the tail j = i … N−1 of m = N − i terms.
"""

from __future__ import annotations

import numpy as np

from wqscore.spectra.jit import compiled

#: The coarse pass looks at every N/32th candidate: enough for a tight first bound, too few to cost anything.
_COARSE_STEPS = 32
_PROBE_STRIDE = 16


@compiled
def tail_exponent(logs: np.ndarray, tail_sums: np.ndarray, i: int) -> float:
    """α_i = 1 + m / Σ_{j ≥ i} ln(λ_j/λ_i), the maximum-likelihood exponent of the tail from i on."""
    m = logs.size - i
    return 1.0 + m / (tail_sums[i] - m * logs[i])


@compiled
def _gap(logs: np.ndarray, i: int, alpha: float, j: int) -> float:
    m = logs.size - i
    return abs(1.0 - np.exp((1.0 - alpha) * (logs[j] - logs[i])) - (j - i) / m)


@compiled
def tail_distance(logs: np.ndarray, i: int, alpha: float) -> float:
    """D_i = max_{k = 0 … m−1} |1 − (λ_{i+k}/λ_i)^{1−α} − k/m|."""
    largest = 0.0
    for j in range(i, logs.size):
        largest = max(largest, _gap(logs, i, alpha, j))
    return largest


@compiled
def _distance_up_to(logs: np.ndarray, i: int, alpha: float, bound: float) -> float:
    """D_i, or the first gap above the bound."""
    largest = 0.0
    for j in range(i, logs.size):
        largest = max(largest, _gap(logs, i, alpha, j))
        if largest > bound:
            break
    return largest


@compiled
def best_candidate(logs: np.ndarray, tail_sums: np.ndarray, candidates: np.ndarray) -> int:
    """Return the candidate with the smallest D, the first of them where several share it.

    The same answer as a plain loop over `tail_distance`, a hundred times as fast. A coarse pass bounds the
    smallest D; every further candidate is first tried at the point where the last one failed (neighbours fail at
    the same point), then at every 16th point, and those that survive are scanned until they exceed the bound.
    Candidates are taken from the right, where tails are short, so that the bound is tight before scans get long.
    """
    best = -1
    best_distance = np.inf
    hint = 0
    step = max(1, candidates.size // _COARSE_STEPS)
    for coarse in (True, False):
        for position in range(candidates.size - 1, -1, -1):
            if (position % step == 0) != coarse:
                continue
            i = candidates[position]
            alpha = tail_exponent(logs, tail_sums, i)
            if hint >= i and _gap(logs, i, alpha, hint) > best_distance:
                continue
            distance = 0.0
            for j in range(i, logs.size, _PROBE_STRIDE):
                gap = _gap(logs, i, alpha, j)
                if gap > distance:
                    distance = gap
                    hint = j
            if distance <= best_distance:
                distance = _distance_up_to(logs, i, alpha, best_distance)
            # An equal distance wins only from further left: the first minimum is the answer.
            if distance < best_distance or (distance == best_distance and i < best):
                best_distance = distance
                best = i
    return best


@compiled
def all_distances(
    logs: np.ndarray, tail_sums: np.ndarray, candidates: np.ndarray, bound: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return α_i and D_i of every candidate; a D_i above the bound may be any value above the bound.

    With a bound most candidates cost one step: neighbours exceed it at the same point.
    """
    alphas = np.empty(candidates.size)
    distances = np.empty(candidates.size)
    hint = 0
    for position in range(candidates.size - 1, -1, -1):
        i = candidates[position]
        alphas[position] = tail_exponent(logs, tail_sums, i)
        if hint >= i:
            distances[position] = _gap(logs, i, alphas[position], hint)
            if distances[position] > bound:
                continue
        distances[position] = 0.0
        for j in range(i, logs.size):
            gap = _gap(logs, i, alphas[position], j)
            if gap > distances[position]:
                distances[position] = gap
                hint = j
                if gap > bound:
                    break
    return alphas, distances
