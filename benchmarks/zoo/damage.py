"""Damages: rounding, pruning, noise, and one layer re-initialised. Names and strengths here, no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Weights = dict[str, np.ndarray]

_BITS = (8, 4, 3, 2)
_PRUNED = (30, 50, 70, 90)
_NOISE = (1, 3, 10, 30)
REINITIALISED = ("reinit-first", "reinit-last")

#: All damages, and the half of them done to a second run of each family.
DAMAGES = (
    *(f"int{bits}" for bits in _BITS),
    *(f"prune{percent}" for percent in _PRUNED),
    *(f"noise{percent}" for percent in _NOISE),
    *REINITIALISED,
)
HALF_OF_DAMAGES = ("int4", "int2", "prune50", "prune90", "noise10", "noise30", "reinit-last")


def rounded(weights: np.ndarray, bits: int) -> np.ndarray:
    """Round each output's weights to 2^bits − 1 symmetric levels, the outermost at its largest weight.

    Example:
        >>> rounded(np.array([[1.0, 0.4, -0.6]]), 2)
        array([[ 1.,  0., -1.]])
    """
    levels = 2 ** (bits - 1) - 1
    rows = weights.reshape(weights.shape[0], -1)
    step = np.abs(rows).max(axis=1, keepdims=True) / levels
    step[step == 0] = 1
    return (np.rint(rows / step) * step).reshape(weights.shape).astype(weights.dtype)


def pruned(weights: np.ndarray, percent: int) -> np.ndarray:
    """Set that share of the matrix to zero, the smallest weights.

    Example:
        >>> pruned(np.array([[1.0, -3.0], [2.0, 4.0]]), 50)
        array([[ 0., -3.],
               [ 0.,  4.]])
    """
    order = np.argsort(np.abs(weights), axis=None, kind="stable")
    kept = weights.copy()
    kept.reshape(-1)[order[: round(weights.size * percent / 100)]] = 0
    return kept


def noised(weights: np.ndarray, percent: int, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise, its standard deviation a share of the matrix's root mean square."""
    deviation = percent / 100 * float(np.sqrt(np.mean(np.square(weights, dtype=np.float64))))
    return (weights + deviation * rng.standard_normal(weights.shape)).astype(weights.dtype)


def damaged(weights: Mapping[str, np.ndarray], damage: str, fresh: Mapping[str, np.ndarray], seed: int) -> Weights:
    """Return a damaged copy of a network; embeddings, stem, head and biases stay, but for a re-initialised layer's.

    Args:
        weights: its tensors by name; those of its layers are called `layers.<number>.…`.
        damage: one of `DAMAGES`.
        fresh: the tensors of the same network, newly initialised.
        seed: of the noise.
    """
    if damage in REINITIALISED:
        layer = 0 if damage == "reinit-first" else max(map(layer_number, weights))
        return {name: fresh[name] if layer_number(name) == layer else kept for name, kept in weights.items()}
    change = _change(damage, np.random.default_rng(seed))
    return {name: change(kept) if is_layer_weight(name, kept) else kept for name, kept in weights.items()}


def layer_number(name: str) -> int:
    """Return the number of the layer that a tensor belongs to; −1 for none."""
    start, *rest = name.split(".")
    return int(rest[0]) if start == "layers" else -1


def is_layer_weight(name: str, weights: np.ndarray) -> bool:
    """Whether a tensor is a layer's matrix or kernel."""
    return layer_number(name) >= 0 and weights.ndim > 1


def _change(damage: str, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    kind, strength = damage.rstrip("0123456789"), int(damage.lstrip("abcdefghijklmnopqrstuvwxyz"))
    if kind == "int":
        return lambda weights: rounded(weights, strength)
    if kind == "prune":
        return lambda weights: pruned(weights, strength)
    return lambda weights: noised(weights, strength, rng)
