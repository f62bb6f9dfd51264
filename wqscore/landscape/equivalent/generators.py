"""Generators X of the elements A = exp(X) that act on a pair of lines, and the derivative of a function by them.

A multiplies the first lines B and A⁻ᵀ = exp(−Xᵀ) the second ones C: at X = 0 they move by XB and −XᵀC.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from wqscore.symmetries.elements import orthogonal
from wqscore.symmetries.pairs import Pair


def exponential(pair: Pair, generator: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A = exp(X) and A⁻ᵀ.

    Args:
        pair: where they act.
        generator: X, shape (size, size), or its diagonal, shape (size,), for a diagonal A.
    """
    if pair.is_diagonal:
        with np.errstate(over="ignore"):
            return np.exp(generator), np.exp(-generator)
    each = torch.from_numpy(np.stack([generator, -generator.T]))
    factor, inverse = torch.matrix_exp(each).numpy()
    return factor, inverse


def shape(pair: Pair) -> tuple[int, ...]:
    """The shape of a generator."""
    return (pair.size,) if pair.is_diagonal else (pair.size, pair.size)


def projected(pair: Pair, matrix: np.ndarray) -> np.ndarray:
    """The nearest generator that keeps the function: with rotary positions one that commutes with their rotations.

    Args:
        pair: where it acts.
        matrix: of a generator's shape.
    """
    if not pair.rotary:
        return matrix
    half, free = pair.rotary // 2, slice(pair.rotary, None)
    first, second = np.arange(half), np.arange(half) + half
    found = np.zeros_like(matrix)
    found[free, free] = matrix[free, free]
    found[first, first] = found[second, second] = (matrix[first, first] + matrix[second, second]) / 2
    turn = (matrix[second, first] - matrix[first, second]) / 2
    found[second, first], found[first, second] = turn, -turn
    return found


def stretch(pair: Pair, size: float, rng: np.random.Generator) -> np.ndarray:
    """A random symmetric generator with all eigenvalues ±size: random signs along random axes."""
    signs = size * rng.choice([-1.0, 1.0], pair.size)
    if pair.is_diagonal:
        return signs
    half, free = pair.rotary // 2, slice(pair.rotary, None)
    signs[half : pair.rotary] = signs[:half]
    found = np.diag(signs)
    axes = orthogonal(pair.size - pair.rotary, rng)
    found[free, free] = (axes * signs[free]) @ axes.T
    return found


def largest(pair: Pair, generator: np.ndarray) -> float:
    """The largest singular value s of X: exp(X) makes no vector longer than e^s times, or shorter than e^−s times."""
    return float(np.abs(generator).max() if pair.is_diagonal else np.linalg.norm(generator, 2))


def held(pair: Pair, generator: np.ndarray, bound: float) -> np.ndarray:
    """The nearest generator whose singular values are at most the bound; rotary planes stay so."""
    if pair.is_diagonal:
        return np.asarray(np.clip(generator, -bound, bound))
    if largest(pair, generator) <= bound:
        return generator
    left, middle, right = np.linalg.svd(generator)
    return np.asarray((left * np.minimum(middle, bound)) @ right)


def slope(pair: Pair, values: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]) -> np.ndarray:
    """The derivative of a function of the weights by X at X = 0, as far as X keeps the model's function.

    Args:
        pair: where X acts.
        values: the tensors by name.
        gradients: the function's derivative by each.
    """
    found = np.zeros(shape(pair))
    for lines in pair.firsts:
        found += _product(pair, lines.of(gradients[lines.tensor]), lines.of(values[lines.tensor]))
    for lines in pair.seconds:
        found -= _product(pair, lines.of(values[lines.tensor]), lines.of(gradients[lines.tensor]))
    return projected(pair, found)


def steepest(pair: Pair, slope: np.ndarray, size: float, least: float = 0.0) -> np.ndarray:
    """The generator X with singular values up to a size along which a function with this slope rises most.

    It is size times the signs of the slope's eigenvalues, on its own axes: ⟨slope, X⟩ is then size times the sum of
    their absolute values, the most that there is.

    Args:
        pair: where X acts.
        slope: of the function, as `slope` gives it; symmetric, since rotations leave every norm.
        size: of X.
        least: eigenvalues up to it count as 0.
    """
    if pair.is_diagonal:
        return size * np.where(np.abs(slope) > least, np.sign(slope), 0.0)
    values, axes = np.linalg.eigh((slope + slope.T) / 2)
    signs = np.where(np.abs(values) > least, np.sign(values), 0.0)
    return projected(pair, size * (axes * signs) @ axes.T)


def _product(pair: Pair, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """one·otherᵀ over the lines' entries, or its diagonal."""
    one, other = one.reshape(pair.size, -1), other.reshape(pair.size, -1)
    return np.asarray((one * other).sum(axis=1) if pair.is_diagonal else one @ other.T)
