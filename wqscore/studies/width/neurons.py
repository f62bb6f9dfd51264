"""The neurons of a block, and how near one is to doing what another does.

A neuron computes w·σ(z·(x, 1)), z its incoming weights and bias, w its outgoing weights; in a gated block
w·σ(z·(x, 1))·(y·(x, 1)), y those of the other projection. Two whose z agree, or are in proportion where
σ(cx) = c^k·σ(x), do as one with the sum of their w: Zhang et al., "Embedding principle of loss landscape of deep
neural networks" (arXiv 2105.14573), read from the wide network to the narrow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wqscore.cached_property import cached_property
from wqscore.studies.width.activations import Activation

#: The squares of numbers beyond it, and below its inverse, may not be numbers.
_LARGE = 1e100


@dataclass(frozen=True)
class Rays:
    """Vectors with their lengths, so that directions can be compared.

    Attributes:
        vectors: shape (n, sides).
    """

    vectors: np.ndarray

    @cached_property
    def lengths(self) -> np.ndarray:
        """Shape (n,), in float64."""
        return lengths_of(self.vectors)

    def directions(self, chosen: np.ndarray) -> np.ndarray:
        """The chosen vectors at length 1, in float64; those of length 0 stay 0."""
        lengths = self.lengths[chosen]
        scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        made: np.ndarray = self.vectors[chosen].astype(np.float64) * scale[:, None]
        return made

    def cosines(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The cosines of each of the rows with each of the columns."""
        made: np.ndarray = self.directions(rows) @ self.directions(columns).T
        return made


@dataclass(frozen=True)
class Neurons:
    """The neurons of a block.

    Attributes:
        into: z of each, shape (neurons, inputs + 1), any float type; the last column is the bias.
        outgoing: w of each, shape (neurons, outputs).
        activation: σ.
        up: y of each in a gated block, as `into`.
        folds: whether the next layer has a bias that constants can be added to.
        unit_roundoff: u of the types that z and y are stored in: rounding takes a cosine of 1 to 1 − u² at most.
    """

    into: Rays
    outgoing: np.ndarray
    activation: Activation
    up: Rays | None = None
    folds: bool = False
    unit_roundoff: float = 0.0

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.outgoing)

    @cached_property
    def sizes(self) -> np.ndarray:
        """‖w‖ of each."""
        return lengths_of(self.outgoing)

    @property
    def may_flip(self) -> bool:
        """Whether neurons of opposite z may be merged."""
        return self.activation.is_odd

    @cached_property
    def constants(self) -> np.ndarray:
        """What each neuron adds whatever its input is, before w; NaN for one that depends on its input."""
        still = self._still(self.into)
        steady = np.full(self.count, np.nan)
        steady[still] = [self.activation.value(float(bias)) for bias in self.into.vectors[still, -1]]
        if self.up is None:
            return steady
        # A factor of 0 is enough; else both must not depend on the input.
        ups = np.where(self._still(self.up), self.up.vectors[:, -1], np.nan)
        return np.where((steady == 0) | (self.up.lengths == 0), 0.0, steady * ups)

    @staticmethod
    def _still(rays: Rays) -> np.ndarray:
        """Which of them don't depend on the input."""
        return np.asarray(~rays.vectors[:, :-1].any(axis=1))

    def apart(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """The least tolerance at which each of the columns is merged into each of the rows, shape (rows, columns).

        1 − cos where σ is homogeneous, else ‖z_i − z_j‖²/2‖z_i‖², which is the same between vectors of one length;
        up to the sign where σ is odd. In a gated block also 1 − |cos| of y. Of cosines, what rounding leaves is
        taken off.
        """
        rounding = self.unit_roundoff**2
        cosines = self.into.cosines(rows, columns)
        if self.may_flip:
            cosines = np.abs(cosines)
        apart: np.ndarray
        if self.activation.degree:
            apart = 1 - cosines - rounding
        else:
            a, b = self.into.lengths[rows][:, None], self.into.lengths[columns][None, :]
            with np.errstate(invalid="ignore", divide="ignore"):
                apart = (a**2 + b**2 - 2 * a * b * cosines) / (2 * b**2)
            apart = np.nan_to_num(apart, nan=np.inf)
        if self.up is not None:
            apart = np.maximum(apart, 1 - np.abs(self.up.cosines(rows, columns)) - rounding)
        return np.asarray(apart)

    def least_cosine(self, tolerance: float) -> float:
        """Neurons of a smaller cosine of z are never merged at a tolerance."""
        return 1 - tolerance if self.activation.degree else float(np.sqrt(max(1 - 2 * tolerance, 0.0)))

    def scales(self, members: np.ndarray, leaders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each member s of z_i ≈ s·z_leader, and the factor that its outgoing weights take."""
        scale = np.ones(len(members))
        if self.activation.degree:
            scale = self.into.lengths[members] / self.into.lengths[leaders]
        factor = scale**self.activation.degree
        if self.may_flip:
            sign = _signs(self.into, members, leaders)
            scale, factor = scale * sign, factor * sign
        if self.up is not None:
            factor = factor * self.up_scales(members, leaders)
        return scale, factor

    def up_scales(self, members: np.ndarray, leaders: np.ndarray) -> np.ndarray:
        """For each member t of y_i ≈ t·y_leader."""
        assert self.up is not None, "a gated block has another projection"
        ratios = self.up.lengths[members] / self.up.lengths[leaders]
        return np.asarray(_signs(self.up, members, leaders) * ratios)

    def errors(self, members: np.ndarray, leaders: np.ndarray) -> np.ndarray:
        """How far each member's output moves at most for an input (x, 1) of length 1, shape (members,)."""
        scale, _ = self.scales(members, leaders)
        moved = _distance(self.into, members, leaders, scale)
        lengths = np.maximum(self.into.lengths[members], np.abs(scale) * self.into.lengths[leaders])
        slopes = np.array([self.activation.slope(float(length)) for length in lengths])
        if self.up is None:
            return np.asarray(self.sizes[members] * slopes * moved)
        up = _distance(self.up, members, leaders, self.up_scales(members, leaders))
        reach = abs(self.activation.value(0.0)) + slopes * lengths
        return np.asarray(self.sizes[members] * (slopes * moved * self.up.lengths[members] + reach * up))

    def reaches(self, members: np.ndarray) -> np.ndarray:
        """How large each member's output is at most for an input (x, 1) of length 1."""
        lengths = self.into.lengths[members]
        reach = np.array([abs(self.activation.value(0.0)) + self.activation.slope(float(n)) * n for n in lengths])
        if self.up is not None:
            reach = reach * self.up.lengths[members]
        return np.asarray(self.sizes[members] * reach)


def lengths_of(vectors: np.ndarray) -> np.ndarray:
    """The lengths of rows, in float64, of numbers of any size."""
    largest = float(np.abs(vectors).max(initial=0.0))
    if largest and not 1 / _LARGE < largest < _LARGE:
        return np.asarray(largest * lengths_of(vectors / largest))
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)))


def _signs(rays: Rays, members: np.ndarray, leaders: np.ndarray) -> np.ndarray:
    dots = np.einsum("ij,ij->i", rays.vectors[members], rays.vectors[leaders], dtype=np.float64)
    return np.where(dots < 0, -1.0, 1.0)


def _distance(rays: Rays, members: np.ndarray, leaders: np.ndarray, scale: np.ndarray) -> np.ndarray:
    moved = rays.vectors[members].astype(np.float64) - scale[:, None] * rays.vectors[leaders]
    return lengths_of(moved)
