"""Random elements of the groups under which heads, neurons and streams may be transformed."""

from __future__ import annotations

import numpy as np


def orthogonal(size: int, rng: np.random.Generator) -> np.ndarray:
    """A rotation or reflection drawn uniformly (Haar), by QR with the signs of R's diagonal.

    Stewart, SIAM J. Numer. Anal. 17 (1980), 403–409; Mezzadri, Notices of the AMS 54 (2007), 592–604.
    """
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    return np.asarray(q * np.where(np.diag(r) < 0, -1.0, 1.0))


def scales(size: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Positive scales e^z, z normal with this standard deviation, shape (size,)."""
    return np.asarray(np.exp(spread * rng.standard_normal(size)))


def invertible(size: int, spread: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An element A of GL(size) whose singular values are e^z, z normal with this spread; and A⁻ᵀ.

    Args:
        size: of the space.
        spread: standard deviation of the logarithms of its singular values.
        rng: where the draws come from.

    Returns:
        A = U diag(e^z) V and A⁻ᵀ = U diag(e^−z) V with U, V uniform; no inverse is computed.
    """
    left, right, stretch = orthogonal(size, rng), orthogonal(size, rng), scales(size, spread, rng)
    return (left * stretch) @ right, (left / stretch) @ right


def planes(size: int, rotary: int, spread: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An element A of GL(size) that commutes with rotary position embeddings, and A⁻ᵀ.

    Each plane (i, i + rotary/2) is rotated and scaled, a complex number; the dimensions that are not rotated by
    position are free.

    Args:
        size: of a head.
        rotary: how many dimensions are rotated by position.
        spread: standard deviation of the logarithms of the scales.
        rng: where the draws come from.
    """
    half = rotary // 2
    stretch, angle = scales(half, spread, rng), rng.uniform(0, 2 * np.pi, half)
    found = np.zeros((size, size)), np.zeros((size, size))
    first, second = np.arange(half), np.arange(half) + half
    for matrix, scale in zip(found, (stretch, 1 / stretch), strict=True):
        matrix[first, first] = matrix[second, second] = scale * np.cos(angle)
        matrix[first, second], matrix[second, first] = -scale * np.sin(angle), scale * np.sin(angle)
    if size > rotary:
        for matrix, free in zip(found, invertible(size - rotary, spread, rng), strict=True):
            matrix[rotary:, rotary:] = free
    return found


def signed(size: int, rotary: int, gains: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A signed permutation that commutes with rotary position embeddings and keeps the gains of normalised heads.

    Planes are turned by half a turn, and by quarter turns where both gains of a plane are equal; without rotary
    dimensions, signs alone. It is its own inverse transpose.

    Args:
        size: of a head.
        rotary: how many dimensions are rotated by position.
        gains: the gains of queries and of keys, shape (2, size).
        rng: where the draws come from.
    """
    half = rotary // 2
    turns = rng.integers(0, 4, half)
    even = (gains[:, :half] == gains[:, half : 2 * half]).all(axis=0)
    turns = np.where(even, turns, 2 * (turns // 2))
    matrix = np.diag(rng.choice([-1.0, 1.0], size))
    first, second = np.arange(half), np.arange(half) + half
    matrix[first, first] = matrix[second, second] = np.array([1.0, 0.0, -1.0, 0.0])[turns]
    sine = np.array([0.0, 1.0, 0.0, -1.0])[turns]
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


def rotation(width: int, keeps_mean: bool, rng: np.random.Generator) -> np.ndarray:
    """An orthogonal matrix, drawn uniformly from those that fix the vector of ones if `keeps_mean`."""
    if not keeps_mean:
        return orthogonal(width, rng)
    # The reflection that maps the first axis to that of the mean.
    normal = np.full(width, -1 / np.sqrt(width))
    normal[0] += 1
    if norm := np.linalg.norm(normal):
        normal /= norm
    inner = np.eye(width)
    inner[1:, 1:] = orthogonal(width - 1, rng)
    inner -= 2 * np.outer(normal, normal @ inner)
    return np.asarray(inner - 2 * np.outer(inner @ normal, normal))
