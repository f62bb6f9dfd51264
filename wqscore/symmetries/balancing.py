"""The balanced form of what a symmetry relates: the one element of the orbit whose two sides have equal norms.

Of all pairs (AX, A⁻ᵀY) the balanced one has the least ‖AX‖² + ‖A⁻ᵀY‖². For the full linear group it is √S Uᵀ, √S Vᵀ
of the singular value decomposition U S Vᵀ = XᵀY, unique up to rotations that no eigenvalue sees. Signs and the
rotations of planes are fixed by the largest entry; rotations of equal singular values are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

#: Sweeps over a chain of layers, and the change of a logarithm at which they end.
_SWEEPS, _SETTLED = 10_000, 1e-14


def balanced_product(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Balance two matrices of which only firstᵀ·second counts.

    By the QR decompositions of both and the SVD of the d × d core, never of the product. The result has the row
    spaces of U and V even where the two are ill-conditioned, and zero rows beyond the product's rank.

    Args:
        first: shape (d, n), d ≤ n or not.
        second: shape (d, m).

    Returns:
        √S Uᵀ and √S Vᵀ of firstᵀ·second = U S Vᵀ, in the same shapes.
    """
    size = len(first)
    q1, r1 = np.linalg.qr(first.T)
    q2, r2 = np.linalg.qr(second.T)
    left, middle, right = np.linalg.svd(r1 @ r2.T, full_matrices=False)
    root = np.sqrt(middle)[:, None]
    signs = largest_signs((q1 @ left).T)[:, None]
    found = signs * root * (q1 @ left).T, signs * root * (right @ q2.T)
    # Fewer columns than d: the rank is lower, and the rest is 0.
    one, other = (np.concatenate([each, np.zeros((size - len(each), each.shape[1]))]) for each in found)
    return one, other


def carried(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The matrix A with A·before = after in least squares, which biases are multiplied by; shape (d, d)."""
    found: np.ndarray = np.linalg.lstsq(before.T, after.T, rcond=None)[0].T
    return found


def plane_scales(first: np.ndarray, second: np.ndarray, rotary: int) -> np.ndarray:
    """The scales that balance each plane (i, i + rotary/2) of two matrices; `second` is divided by them.

    Args:
        first: shape (d, n).
        second: shape (d, m).
        rotary: how many of the first rows form planes.

    Returns:
        √(‖second's plane‖/‖first's plane‖), shape (rotary,); 1 for a plane that is 0 in one of the two.
    """
    halves = [np.square(each[:rotary]).sum(axis=1).reshape(2, -1).sum(axis=0) for each in (first, second)]
    return np.tile(_ratios(halves[1], halves[0]), 2)


def turned_planes(first: np.ndarray, second: np.ndarray, rotary: int) -> tuple[np.ndarray, np.ndarray]:
    """Turn each plane (i, i + rotary/2) of both matrices so that the largest column of the first lies on its axis.

    Args:
        first: shape (rotary, n).
        second: shape (rotary, m).
        rotary: how many rows.

    Returns:
        Both, turned by the same angles.
    """
    half = rotary // 2
    x, y = first[:half], first[half:]
    sizes = np.square(x) + np.square(y)
    peaks = (sizes >= sizes.max(axis=1, keepdims=True) * (1 - 1e-9)).argmax(axis=1) if half else np.empty(0, int)
    angles = np.arctan2(y[np.arange(half), peaks], x[np.arange(half), peaks])[:, None]
    cosine, sine = np.cos(angles), np.sin(angles)
    one, other = (
        np.concatenate([cosine * each[:half] + sine * each[half:], cosine * each[half:] - sine * each[:half]])
        for each in (first, second)
    )
    return one, other


def line_scales(into: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The scales that balance hidden neurons, rows of `into`; the rows of `out` are divided by them.

    Args:
        into: shape (neurons, inputs).
        out: shape (neurons, outputs).

    Returns:
        √(‖out's row‖/‖into's row‖), shape (neurons,); 1 for a neuron that is 0 on one side.
    """
    return _ratios(np.square(out).sum(axis=1), np.square(into).sum(axis=1))


def largest_signs(rows: np.ndarray) -> np.ndarray:
    """The sign of the largest entry of each row, the first of several; 1 for a row of zeros.

    Args:
        rows: shape (n, m).

    Returns:
        ±1, shape (n,).
    """
    # Entries that differ by rounding alone are equal, so that rounding chooses no other.
    sizes = np.abs(rows)
    first = (sizes >= sizes.max(axis=1, keepdims=True) * (1 - 1e-9)).argmax(axis=1)
    return np.where(rows[np.arange(len(rows)), first] < 0, -1.0, 1.0)


def chain_scales(weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The scales that balance every hidden layer of a chain at once.

    Balancing one layer unbalances its neighbours: sweeps are repeated until no scale changes.

    Args:
        weights: of the layers in order, each (outputs, inputs).

    Returns:
        For each hidden layer the scales of its neurons: rows are multiplied by them, the next columns divided.
    """
    squares = [np.square(weight) for weight in weights]
    logs = [np.zeros(len(weight)) for weight in weights[:-1]]
    for _ in range(_SWEEPS):
        change = 0.0
        for layer, (into, out) in enumerate(pairwise(squares)):
            before = np.exp(-2 * logs[layer - 1]) if layer else np.ones(into.shape[1])
            after = np.exp(2 * logs[layer + 1]) if layer + 1 < len(logs) else np.ones(len(out))
            new = np.log(_ratios(after @ out, into @ before))
            change = max(change, float(np.abs(new - logs[layer]).max(initial=0.0)))
            logs[layer] = new
        if change < _SETTLED:
            break
    return [np.exp(each) for each in logs]


def _ratios(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The fourth roots of quotients of squared norms; 1 where one of the two is 0 or not finite."""
    usable = (above > 0) & (below > 0) & np.isfinite(above) & np.isfinite(below)
    return np.where(usable, np.where(usable, above, 1.0) / np.where(usable, below, 1.0), 1.0) ** 0.25
