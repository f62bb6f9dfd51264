"""Copies of a matrix with its entries shuffled: the same weights without correlations between them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wqscore.cached_property import cached_property
from wqscore.spectra.jit import compiled
from wqscore.spectra.spectrum import Spectrum, compute_spectrum

#: Random numbers in memory at a time.
_DRAWN_AT_ONCE = 1 << 17
#: From so many slices of at most this side on, a stack of them is solved in one call.
_MANY_SLICES, _SMALL_SIDE = 16, 16
#: Shuffles that metrics are computed from.
SHUFFLES = 6


@dataclass(frozen=True)
class Shuffles:
    """The shuffles of one matrix; their spectra are computed on first use and cached.

    The shuffles depend on the weights and the seed, but not on the matrix's name, its data type, or whether it is
    stored transposed: rows run along the longer side, or, in a square matrix, so that more weight is above the
    diagonal. Entries of a convolution move between its slices.

    Attributes:
        weights: shape (slices, rows, columns).
        unit_roundoff: u of the data type the weights are stored in.
        seed: the run's seed, 0 or more.
        scale: factor on every eigenvalue, the same as in the spectrum they are compared with.
        spectra: those computed so far, by the shuffle's number.
        stacks: the eigenvalues of each slice, likewise, where slices are solved in stacks.

    Example:
        >>> shuffles = Shuffles(np.arange(6.0).reshape(1, 2, 3), unit_roundoff=0.0, seed=0)
        >>> np.sort(shuffles.matrix(0), axis=None)
        array([0., 1., 2., 3., 4., 5.])
        >>> shuffles.matrix(0).shape  # tall, whatever W is
        (1, 3, 2)
    """

    weights: np.ndarray
    unit_roundoff: float
    seed: int
    scale: float = 1.0
    spectra: dict[int, Spectrum] = field(default_factory=dict, repr=False)
    stacks: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def matrix(self, k: int) -> np.ndarray:
        """Return shuffle k, shape (slices, larger side, smaller side), in float32 or float64."""
        matrix = self._oriented.copy()
        entries, rng = matrix.reshape(-1), np.random.default_rng([self.seed, k])
        for left in range(entries.size, 0, -_DRAWN_AT_ONCE):
            _exchange(entries, left, rng.random(min(left, _DRAWN_AT_ONCE)))
        return matrix

    def __getitem__(self, k: int) -> Spectrum:
        if k not in self.spectra:
            if self.has_small_slices:
                self.spectra[k] = self._pooled(self.of_slices(k))
            else:
                self.spectra[k] = compute_spectrum(self.matrix(k), self.unit_roundoff, self.scale)
        return self.spectra[k]

    @property
    def has_small_slices(self) -> bool:
        """Whether slices are so many and so small that they are solved in stacks, not one Python call at a time."""
        slices, *sides = self.weights.shape
        return bool(slices >= _MANY_SLICES and min(sides) <= _SMALL_SIDE)

    def first(self, count: int = SHUFFLES) -> tuple[Spectrum, ...]:
        """Return the spectra of the first shuffles."""
        return tuple(self[k] for k in range(count))

    def of_slices(self, k: int) -> np.ndarray:
        """Return the eigenvalues of each slice of shuffle k, ascending, shape (slices, N), by stacks of slices.

        Up to rounding they are those of the spectrum.
        """
        if k not in self.stacks:
            self.stacks[k] = self._solved_in_stacks(k)
        return self.stacks[k]

    def _solved_in_stacks(self, k: int) -> np.ndarray:
        matrix = self.matrix(k)
        step = max(1, _DRAWN_AT_ONCE // matrix[0].size)
        stacks = (matrix[start : start + step].astype(np.float64) for start in range(0, len(matrix), step))
        with np.errstate(over="ignore", invalid="ignore"):
            products = (stack.transpose(0, 2, 1) @ stack for stack in stacks)
            solved = [np.linalg.eigvalsh(product) for product in products]
        eigenvalues: np.ndarray = np.maximum(np.concatenate(solved), 0.0) * self.scale
        return eigenvalues

    def _pooled(self, of_slices: np.ndarray) -> Spectrum:
        slices, rows, columns = self._oriented.shape
        pooled = np.sort(of_slices, axis=None)
        return Spectrum(pooled, rows, columns, slices, self.unit_roundoff, "finite")

    @cached_property
    def _oriented(self) -> np.ndarray:
        wide = self.weights.astype(np.result_type(self.weights.dtype, np.float32), copy=False)
        _, rows, columns = wide.shape
        if rows == columns:
            with np.errstate(over="ignore", invalid="ignore"):
                turned = (np.triu(wide, 1) ** 2).sum() < (np.tril(wide, -1) ** 2).sum()
        else:
            turned = rows < columns
        return np.ascontiguousarray(wide.transpose(0, 2, 1) if turned else wide)


@compiled
def _exchange(entries: np.ndarray, left: int, uniforms: np.ndarray) -> None:
    """Run some steps of the Fisher–Yates shuffle: swap the last remaining entry with a random remaining one."""
    for step in range(uniforms.size):
        last = left - 1 - step
        chosen = int(uniforms[step] * (last + 1))
        entries[last], entries[chosen] = entries[chosen], entries[last]
