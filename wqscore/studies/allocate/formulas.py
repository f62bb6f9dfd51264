"""The published maps from a metric per block to a plan, and the exact sums that they have to keep."""

from __future__ import annotations

from typing import Literal

import numpy as np

from wqscore.errors import UsageError

Form = Literal["linear", "sqrt", "log2"]


def sparsities(
    metric: np.ndarray, params: np.ndarray, total: float, epsilon: float, least: float, most: float
) -> np.ndarray:
    """The share of each block's weights to prune, so that Σ params·share = total·Σ params.

    x = 1 − ε + 2ε·(α − min)/(max − min), share = x·total·Σp/Σ(p·x). What exceeds a limit is fixed at it and the rest
    scaled again, until none does: the published code has no limits. Source: Lu et al., AlphaPruning, NeurIPS 2024,
    section 3.2; haiquanlu/AlphaPruning, lib/prune.py.

    Args:
        metric: shape (blocks,).
        params: weights of each block, positive, shape (blocks,).
        total: the share of all weights to prune.
        epsilon: half the range of x, from 0 to below 1.
        least: the smallest share of a block.
        most: the largest share of a block.

    Raises:
        UsageError: the limits leave no such plan, or epsilon is out of its range.

    Example:
        >>> sparsities(np.array([2.0, 4.0]), np.array([10.0, 10.0]), 0.5, 0.2, 0.0, 0.99).round(3).tolist()
        [0.4, 0.6]
    """
    _check_epsilon(epsilon)
    if not 0 <= least <= total <= most <= 1:
        raise UsageError(
            f"no plan prunes {total:g} of all weights with {least:g} to {most:g} of each block: change --total, "
            "--min or --max"
        )
    return _scaled(1 - epsilon + 2 * epsilon * _unit(metric), params, total * params.sum(), least, most)


def _scaled(x: np.ndarray, weights: np.ndarray, target: float, least: float, most: float) -> np.ndarray:
    """The c·x, within the limits, whose weighted sum is the target."""
    free, fixed = np.ones(x.size, dtype=bool), np.zeros(x.size)
    while free.any():
        wanted = x * (target - weights[~free] @ fixed[~free]) / (weights[free] @ x[free])
        values = np.clip(wanted, least, most)
        excess = float(weights[free] @ (values - wanted)[free])
        over, under = free & (wanted > most), free & (wanted < least)
        if not (over.any() or under.any()):
            return np.where(free, wanted, fixed)
        # Only the side that outweighs the other stays at its limit in the end.
        settled = under if excess > 0 else over if excess < 0 else over | under
        fixed, free = np.where(settled, values, fixed), free & ~settled
    return fixed


def learning_rates(metric: np.ndarray, total: float, epsilon: float, form: Form) -> np.ndarray:
    """The learning rate of each block.

    `linear`: (1 − ε)·total at the smallest metric to (1 + ε)·total at the largest, ε = ½ in the published code; it
    doesn't keep the mean. `sqrt`, `log2`: f(α)/Σf(α)·blocks·total, which keeps it. Source: Zhou et al., TempBalance,
    NeurIPS 2023, equation 2; YefanZhou/TempBalance, tempbalance.py, `get_layer_temps`.

    Args:
        metric: shape (blocks,).
        total: the base rate.
        epsilon: half the range of `linear`.
        form: the map.

    Raises:
        UsageError: a rate would not be positive, or epsilon is out of its range.
    """
    if form == "linear":
        return _on_range(metric, total, epsilon)
    least, words = (0.0, "above 0") if form == "sqrt" else (1.0, "above 1")
    if metric.min() <= least:
        raise UsageError(f"the form {form} needs metrics {words}, and the smallest is {metric.min():g}: use linear")
    shares = np.sqrt(metric) if form == "sqrt" else np.log2(metric)
    rates: np.ndarray = shares / shares.sum() * metric.size * total
    return rates


def weight_decays(metric: np.ndarray, total: float, epsilon: float) -> np.ndarray:
    """The weight decay of each block: linear from (1 − ε)·total at the smallest metric to (1 + ε)·total.

    Source: He et al., AlphaDecay, arXiv 2506.14562; the range is wqscore's.

    Args:
        metric: shape (blocks,).
        total: the base decay.
        epsilon: half the range.

    Raises:
        UsageError: epsilon is out of its range.
    """
    return _on_range(metric, total, epsilon)


def whole_shares(shares: np.ndarray, total: int, least: int) -> np.ndarray:
    """Whole numbers near `shares` with the sum `total`, each at least `least`, by largest remainders.

    Args:
        shares: what each block would get in fractions, with the sum `total`, shape (blocks,).
        total: the sum.
        least: the least of each.

    Raises:
        UsageError: the total is not enough.

    Example:
        >>> whole_shares(np.array([0.2, 3.4, 2.4]), 6, 1).tolist()
        [1, 3, 2]
    """
    if total < least * shares.size:
        raise UsageError(f"{total} is too few for {shares.size} blocks with at least {least} each: raise --total")
    counts: np.ndarray = np.maximum(np.floor(shares).astype(int), least)
    while (left := total - int(counts.sum())) != 0:
        behind = shares - counts
        if left > 0:
            counts[int(np.argmax(behind))] += 1
        else:
            counts[int(np.argmin(np.where(counts > least, behind, np.inf)))] -= 1
    return counts


def power_shares(metric: np.ndarray, total: float, beta: float) -> np.ndarray:
    """What each block gets in fractions: α^β/Σα^β·total.

    Source: Qing et al., AlphaLoRA, EMNLP 2024 (arXiv 2410.10054), equation 5.

    Args:
        metric: shape (blocks,).
        total: the sum.
        beta: the power.

    Raises:
        UsageError: a metric is not positive, or the power is too large.
    """
    if metric.min() <= 0:
        raise UsageError(f"powers need metrics above 0, and the smallest is {metric.min():g}: choose another --by")
    with np.errstate(all="ignore"):
        powers: np.ndarray = (metric / metric.max()) ** beta
        shares: np.ndarray = powers / powers.sum() * total
    if not np.isfinite(shares).all():
        raise UsageError(f"--beta {beta:g} is too large: choose a smaller one")
    return shares


def evenly(values: np.ndarray, total: float) -> np.ndarray:
    """A plan that grows evenly with depth over the range of another, scaled to a sum.

    Args:
        values: the other plan, shape (blocks,).
        total: the sum.
    """
    even = np.linspace(values.min(), values.max(), values.size)
    scaled: np.ndarray = even * (total / even.sum())
    return scaled


def _on_range(metric: np.ndarray, total: float, epsilon: float) -> np.ndarray:
    _check_epsilon(epsilon)
    rates: np.ndarray = total * (1 - epsilon + 2 * epsilon * _unit(metric))
    return rates


def _unit(metric: np.ndarray) -> np.ndarray:
    """The metric on 0 to 1; the middle where all are equal."""
    low, high = float(metric.min()), float(metric.max())
    return (metric - low) / (high - low) if high > low else np.full(metric.size, 0.5)


def _check_epsilon(epsilon: float) -> None:
    if not 0 <= epsilon < 1:
        raise UsageError(f"epsilon is {epsilon:g}: give a number from 0 to below 1")
