"""Compute weights from their stored parts, as the modules of torch.nn.utils do in evaluation mode."""

from __future__ import annotations

from math import prod

import numpy as np

Shape = tuple[int, ...]


def fits_weight_norm(gain: Shape, direction: Shape) -> bool:
    """Whether a gain has one element for each index of one axis of the direction, or one in all."""
    if not gain:
        return True
    if len(gain) != len(direction) or any(own not in (1, full) for own, full in zip(gain, direction, strict=True)):
        return False
    return sum(size > 1 for size in gain) <= 1


def weight_norm(direction: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Compute w = g·v/‖v‖, with the norm over all axes but that of the gain.

    Salimans and Kingma, "Weight Normalization" (2016), equation 2; torch.nn.utils.weight_norm, any `dim`.

    Args:
        direction: v, of any shape.
        gain: g, of as many axes as v, each of size 1 but one; or a single number.

    Returns:
        The shape of v. Not finite where a norm is 0, as in torch.
    """
    v, g = as_floats(direction), as_floats(gain)
    axes = tuple(axis for axis, size in enumerate(gain.shape) if size == 1) if gain.ndim else None
    squares = np.square(v)
    norms = np.sqrt(squares if axes == () else squares.sum(axis=axes, keepdims=bool(gain.ndim), dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        weight: np.ndarray = v * (g / norms).astype(v.dtype)
    return weight


def spectral_axes(weight: Shape, left: Shape, right: Shape) -> tuple[int, ...]:
    """The axes that a weight's rows may be along, by the lengths of the singular vectors u and v."""
    if len(left) != 1 or len(right) != 1:
        return ()
    return tuple(
        axis
        for axis, size in enumerate(weight)
        if size == left[0] and prod(weight[:axis] + weight[axis + 1 :]) == right[0]
    )


def spectral_norm(weight: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Compute W/σ with σ = uᵀWv, the stored estimate of the largest singular value.

    Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018), algorithm 1. Where the
    rows may be along several axes, those of the larger |σ| are meant: u and v come from their power iteration.

    Args:
        weight: W, of any shape.
        left: u, as long as one axis of W.
        right: v, as long as the product of the others.

    Returns:
        The shape of W.
    """
    W, u, v = as_floats(weight), as_floats(left), as_floats(right)
    estimates = [
        u @ (np.moveaxis(W, axis, 0).reshape(W.shape[axis], -1) @ v)
        for axis in spectral_axes(W.shape, u.shape, v.shape)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        divided: np.ndarray = W / max(estimates, key=abs)
    return divided


def masked(weight: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Compute W·mask element by element, as torch.nn.utils.prune does."""
    W = as_floats(weight)
    product: np.ndarray = W * mask.astype(W.dtype)
    return product


def as_floats(stored: np.ndarray) -> np.ndarray:
    """Stored numbers in float32, or in float64 where that is stored."""
    return stored if stored.dtype == np.float64 else stored.astype(np.float32)
