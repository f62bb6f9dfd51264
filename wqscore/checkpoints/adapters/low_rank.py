"""Products of two thin matrices, ΔW = s·B·A: singular values without forming ΔW, ΔW itself, and W + ΔW.

Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021), section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wqscore.cached_property import cached_property

#: Elements of ΔW computed at a time, in float64.
_BLOCK = 1 << 21


@dataclass(frozen=True)
class LowRank:
    """A weight as the product of two thin matrices, ΔW = s·B·A, computed only when `product` is read.

    Attributes:
        A: (r, columns).
        B: (rows, r).
        scale: s.
    """

    A: np.ndarray
    B: np.ndarray
    scale: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of ΔW."""
        return self.B.shape[0], self.A.shape[1]

    @cached_property
    def core(self) -> np.ndarray:
        """A small matrix with the singular values of ΔW, without the zeros due to its low rank."""
        return delta_core(self.A, self.B, self.scale)

    @cached_property
    def product(self) -> np.ndarray:
        """ΔW, float32."""
        return delta(self.A, self.B, self.scale)


def delta_core(A: np.ndarray, B: np.ndarray, scale: float) -> np.ndarray:
    """Compute a small matrix with the singular values of ΔW, without the zeros due to its low rank.

    With B = Q₁R₁ and Aᵀ = Q₂R₂, ΔW = Q₁(s·R₁R₂ᵀ)Q₂ᵀ, and the Qs have orthonormal columns.

    Args:
        A: (r, in), any float type.
        B: (out, r), any float type.
        scale: s.

    Returns:
        Shape (min(out, r), min(in, r)), float64; r × r unless r exceeds a side. ΔW has the same singular values, plus
        min(out, in) − min(out, in, r) zeros. Not finite if A or B is not.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        left = np.asarray(np.linalg.qr(B.astype(np.float64), mode="r"))
        right = np.asarray(np.linalg.qr(A.T.astype(np.float64), mode="r"))
        core: np.ndarray = scale * (left @ right.T)
    return core


def delta(A: np.ndarray, B: np.ndarray, scale: float) -> np.ndarray:
    """Compute ΔW = s·B·A, float32, (out, in); A is (r, in), B (out, r), of any float type."""
    change = np.empty((B.shape[0], A.shape[1]), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, block in _blocks(A, B, scale):
            change[rows] = block
    return change


def merged(W: np.ndarray, A: np.ndarray, B: np.ndarray, scale: float) -> np.ndarray:
    """Compute W + s·B·A in float32.

    The sum is rounded once, to float32. peft rounds its sum to the type W is stored in.

    Args:
        W: (out, in), any float type; not modified.
        A: (r, in).
        B: (out, r).
        scale: s.

    Returns:
        Shape (out, in), float32; only one block of rows is in memory besides it.
    """
    total = np.empty(W.shape, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, block in _blocks(A, B, scale):
            total[rows] = block + W[rows]
    return total


def _blocks(A: np.ndarray, B: np.ndarray, scale: float) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield s·B·A in blocks of rows, in float64."""
    right = A.astype(np.float64) * scale
    height = max(1, _BLOCK // A.shape[1])
    for start in range(0, B.shape[0], height):
        rows = slice(start, start + height)
        yield rows, B[rows].astype(np.float64) @ right
